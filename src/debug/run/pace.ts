/** How long the machine runs at a time: slices in which others get their turn, and real time for a machine that only waits. */
import type { Machine } from '../../machine/machineInterface';
import type { Scheduler } from './scheduler';

/** Wall time of a slice: short, so that Pause answers within 50 ms on a busy host. */
const SLICE_MS = 10;
/** Instructions in one call of the machine: first guess, least, most. The machine reaches its full speed from 50 thousand on. */
const FIRST_BUDGET = 100_000;
const LEAST_BUDGET = 20_000;
const MOST_BUDGET = 5_000_000;
/** A machine that does nothing but wait for this long (in ticks of a nanosecond) is slowed down to real time, so that it does not occupy the host. */
const IDLE_BEFORE_PACING = 100e6;
/** It still looks at its input this often. */
export const MOST_SLEEP_MS = 20;

/** When a slice began: wall time, ticks and instructions. */
export interface Slice {
  start: number;
  icount: number;
  instructions: number;
}

export class Pace {
  /** Ticks for one call of the machine. */
  budget = FIRST_BUDGET;
  private idle = 0;

  constructor(
    private readonly machine: Machine,
    private readonly scheduler: Scheduler,
  ) {}

  /** A run begins: it has not waited yet. */
  begin(): void {
    this.idle = 0;
  }

  slice(): Slice {
    const { icount, instructions } = this.machine;
    return { start: this.scheduler.now(), icount, instructions };
  }

  /** Whether there is time left in a slice, and more to do than to wait. */
  goesOn(slice: Slice): boolean {
    if (this.scheduler.now() - slice.start >= SLICE_MS) return false;
    const ticks = this.machine.icount - slice.icount;
    return !(this.idle > IDLE_BEFORE_PACING && ticks > 0 && this.machine.instructions - slice.instructions < ticks / 10);
  }

  /** Milliseconds to sleep behind a slice so that a waiting machine does not run faster than real time. */
  sleep({ start, icount, instructions }: Slice): number {
    const ticks = this.machine.icount - icount;
    const waited = ticks - (this.machine.instructions - instructions);
    this.idle = waited > ticks * 0.9 ? this.idle + waited : 0;
    if (this.idle <= IDLE_BEFORE_PACING) return 0;
    return Math.max(0, Math.min(MOST_SLEEP_MS, ticks / 1e6 - (this.scheduler.now() - start)));
  }

  /** A call of the machine that used its whole budget took so many milliseconds: calls of half a slice are aimed at. Ticks stay whole. */
  took(elapsed: number): void {
    if (elapsed > SLICE_MS / 2) this.budget = Math.max(LEAST_BUDGET, Math.floor(this.budget / 2));
    else if (elapsed < SLICE_MS / 4) this.budget = Math.min(MOST_BUDGET, this.budget * 2);
  }
}
