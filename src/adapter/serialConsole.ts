/** What COM1 transmits, gathered into pieces of text: one event per byte would drown the client. */
import type { Scheduler } from '../debug/run/scheduler';
import { Later } from './later';

/** Text waits at most this long, and never grows beyond this. */
const DELAY_MS = 15;
const MOST_BYTES = 4096;

export class SerialConsole {
  private readonly decoder = new TextDecoder();
  private bytes: number[] = [];
  private readonly later: Later;

  constructor(scheduler: Scheduler, private readonly send: (text: string) => void) {
    this.later = new Later(scheduler, DELAY_MS, () => this.flush());
  }

  byte(byte: number): void {
    this.bytes.push(byte);
    if (this.bytes.length >= MOST_BYTES) this.flush();
    else this.later.ask();
  }

  /** Sends what has been gathered. Bytes of a character that is not complete wait for the rest. */
  flush(): void {
    if (this.bytes.length === 0) return;
    const text = this.decoder.decode(Uint8Array.from(this.bytes), { stream: true });
    this.bytes = [];
    if (text !== '') this.send(text);
  }
}
