/** Something that is done again and again while the machine runs. */
import type { Scheduler } from '../debug/run/scheduler';

export class Repetition {
  /** What was started before this was is over. */
  private turn = 0;

  /** `act` is done every `period` milliseconds, or as it says itself: it may yield the pause until the next time. */
  constructor(
    private readonly scheduler: Scheduler,
    private readonly period: number,
    private readonly act: () => number | void,
  ) {}

  /** Begins anew, `at once` or after one period. */
  start(atOnce = false): void {
    const turn = ++this.turn;
    const again = (): void => {
      if (turn !== this.turn) return;
      const pause = this.act() ?? this.period;
      this.scheduler.soon(again, pause);
    };
    if (atOnce) again();
    else this.scheduler.soon(again, this.period);
  }

  stop(): void {
    this.turn++;
  }
}
