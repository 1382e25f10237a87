/** Lines of log points, gathered into pieces of text: VM exits come by ten thousands in a second, and one event for each would drown the client. */
import type { Scheduler } from '../debug/run/scheduler';
import { Later } from './later';

/** A line waits at most this long, and the lines that wait never grow beyond this. */
const DELAY_MS = 20;
const MOST_CHARACTERS = 65_536;

export class LogLines {
  private text = '';
  private readonly later: Later;

  constructor(scheduler: Scheduler, private readonly send: (text: string) => void) {
    this.later = new Later(scheduler, DELAY_MS, () => this.flush());
  }

  add(line: string): void {
    this.text += `${line}\n`;
    if (this.text.length >= MOST_CHARACTERS) this.flush();
    else this.later.ask();
  }

  /** Sends what has been gathered: something else is to be told that comes behind it. */
  flush(): void {
    const { text } = this;
    this.text = '';
    if (text !== '') this.send(text);
  }
}
