import type { Scheduler } from '../debug/run/scheduler';

/** Does something a little later, once for all who ask for it until then. */
export class Later {
  private waiting = false;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly milliseconds: number,
    private readonly action: () => void,
  ) {}

  ask(): void {
    if (this.waiting) return;
    this.waiting = true;
    this.scheduler.soon(() => {
      this.waiting = false;
      this.action();
    }, this.milliseconds);
  }
}
