/**
 * How long the machine runs at a stretch, and how long it then rests. A slice takes about 10 ms, so that keys and
 * Ctrl+C get through. A machine that only waits is skipped ahead by its clock; resting as long as it skipped keeps that
 * clock at the pace of the wall and the host's processor idle.
 */

/** Milliseconds of wall time that a slice should take. */
const SLICE = 10;
const NANOSECONDS = 1e6; // of one millisecond; one tick is one nanosecond
const LEAST_BUDGET = 50_000;
const MOST_BUDGET = 50_000_000;
/** Ticks of a slice while the machine waits. What is typed ends the rest, so this may be longer than a slice. */
const IDLE_BUDGET = 50 * NANOSECONDS;
/** A slice of which more than this part was waiting counts as idle. */
const IDLE_PART = 0.9;
/** Milliseconds of the machine's time that are skipped at full speed: short waits of a boot need not take real time. */
const FREE_IDLE = 100;

export class Pacer {
  private working = 1_000_000;
  private idleStreak = 0;

  /** Ticks for the next slice. */
  get budget(): number {
    return this.idleStreak > 0 ? IDLE_BUDGET : this.working;
  }

  /** Told after a slice: its ticks, how many of them were skipped, and the wall time it took. Yields the milliseconds to rest. */
  after(ticks: number, skipped: number, milliseconds: number): number {
    if (ticks <= 0 || skipped / ticks < IDLE_PART) {
      this.idleStreak = 0;
      const factor = Math.min(2, Math.max(0.5, SLICE / Math.max(milliseconds, 0.1)));
      this.working = Math.round(Math.min(MOST_BUDGET, Math.max(LEAST_BUDGET, this.working * factor)));
      return 0;
    }
    const waited = skipped / NANOSECONDS;
    this.idleStreak += waited;
    return this.idleStreak <= FREE_IDLE ? 0 : Math.max(0, waited - milliseconds);
  }
}
