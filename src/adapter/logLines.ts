/** Lines of log points, gathered into pieces of text: VM exits come by ten thousands in a second, and one event for each would drown the client. */
import type { Scheduler } from '../debug/run/scheduler';

/** A line waits at most this long, and the lines that wait never grow beyond this. */
const DELAY_MS = 20;
const MOST_CHARACTERS = 65_536;

export class LogLines {
  private text = '';
  private waiting = false;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly send: (text: string) => void,
  ) {}

  add(line: string): void {
    this.text += `${line}\n`;
    if (this.text.length >= MOST_CHARACTERS) return this.flush();
    if (this.waiting) return;
    this.waiting = true;
    this.scheduler.soon(() => {
      this.waiting = false;
      this.flush();
    }, DELAY_MS);
  }

  /** Sends what has been gathered: something else is to be told that comes behind it. */
  flush(): void {
    const { text } = this;
    this.text = '';
    if (text !== '') this.send(text);
  }
}
