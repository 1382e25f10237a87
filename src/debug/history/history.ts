/**
 * What the session keeps of the past: snapshots at distances, from which the machine is run again. As every run is
 * deterministic and what was typed is recorded, that leads to any earlier instant exactly.
 *
 * A snapshot costs little by itself, but each page that is written after it is copied once. So the distance grows until
 * the copies are a small part of the time, and old snapshots are thinned out, the older the farther apart.
 */
import type { Machine, Snapshot } from '../../machine/machineInterface';
import { isBefore, type Instant } from './instant';

/** Instructions between two snapshots, least and most. */
const LEAST_SPACING = 20e6;
const MOST_SPACING = 640e6;
/** Copying a page before its first write, in milliseconds; and the part of the running time that this may take. */
const PAGE_COST_MS = 0.0025;
const MOST_COST = 0.01;
const MOST_SNAPSHOTS = 64;
/** Copies of pages that all snapshots together may hold: 256 MiB. */
const MOST_PAGES = 0x1_0000;

/** A kept instant. */
export interface Moment {
  readonly at: Instant;
  readonly instructions: number;
  readonly snapshot: Snapshot;
  /** Puts the debugger's own counts and records back. */
  readonly back: () => void;
  /** The user changed registers or memory here: running on from an earlier moment leads to another past. */
  readonly changed: boolean;
  /** Users that must not lose it. */
  pins: number;
}

export class History {
  private moments: Moment[] = [];
  private spacing = LEAST_SPACING;
  private pagesBefore = 0;
  private lastTaken = 0;
  /** Ticks that have been run and shown: what the machine prints before is a repetition. */
  horizon = 0;

  constructor(
    private readonly machine: Machine,
    private readonly now: () => Instant,
    /** Keeps what the debugger itself counts and records; the function returned puts it back. */
    private readonly keep: () => () => void,
    private readonly clock: () => number,
  ) {
    this.take();
  }

  /** Bytes of the pages that are held. */
  get bytes(): number {
    return (this.machine.keptPages ?? 0) * 4096;
  }
  get count(): number {
    return this.moments.length;
  }
  get earliest(): Moment {
    return this.moments[0]!;
  }

  /** Called while the machine runs, between two of its slices. */
  tick(): void {
    const { icount, instructions } = this.machine;
    if (icount > this.horizon) this.horizon = icount;
    const last = this.latest((m) => m.at.icount <= icount);
    if (last && instructions - last.instructions < this.spacing) return;
    this.adapt();
    this.take();
    this.thin();
  }

  /** Keeps the present instant, unless it is kept already. */
  take(changed = false): Moment {
    const at = this.now();
    this.horizon = Math.max(this.horizon, at.icount);
    const same = this.latest((m) => !isBefore(m.at, at) && !isBefore(at, m.at));
    if (same && !changed) return same;
    const moment: Moment = { at, instructions: this.machine.instructions, snapshot: this.machine.snapshot(), back: this.keep(), changed, pins: 0 };
    const place = this.moments.findIndex((m) => isBefore(at, m.at));
    if (place < 0) this.moments.push(moment);
    else this.moments.splice(place, 0, moment);
    return moment;
  }

  /** The latest moment before an instant, or at it with `orAt`. */
  before(instant: Instant, orAt = false): Moment | undefined {
    return this.latest((m) => isBefore(m.at, instant) || (orAt && !isBefore(instant, m.at)));
  }

  /** The last change of the user's before an instant. */
  changeBefore(instant: Instant): Moment | undefined {
    return this.latest((m) => m.changed && isBefore(m.at, instant));
  }

  private latest(holds: (m: Moment) => boolean): Moment | undefined {
    for (let i = this.moments.length - 1; i >= 0; i--) if (holds(this.moments[i]!)) return this.moments[i];
    return undefined;
  }

  /** Puts machine and debugger back to a moment. What was typed later is typed again when the machine gets there. */
  goTo(moment: Moment): void {
    this.machine.restore(moment.snapshot, this.machine.recordedInput);
    moment.back();
  }

  /**
   * The user has changed something, or types something new: from here on another future begins, and what was kept of the
   * old one is void.
   */
  diverge(): void {
    const at = this.now();
    this.drop((m) => isBefore(at, m.at));
    this.horizon = at.icount;
    const { recordedInput } = this.machine;
    const past = recordedInput?.filter((input) => input.icount <= at.icount);
    if (!past || past.length === recordedInput?.length) return;
    const snapshot = this.machine.snapshot();
    this.machine.restore(snapshot, past);
    this.machine.release(snapshot);
  }

  /** The user has changed registers or memory. */
  changedByUser(): void {
    this.diverge();
    this.take(true);
  }

  /** Whether the user has changed something after an instant, so that running on from it leads to another present. */
  changedAfter(instant: Instant): boolean {
    return this.moments.some((m) => m.changed && isBefore(instant, m.at));
  }

  /** Forgets all: the machine is at power-on again. */
  restart(): void {
    this.drop(() => true);
    this.horizon = 0;
    this.spacing = LEAST_SPACING;
    this.take();
  }

  dispose(): void {
    this.drop(() => true);
  }

  private drop(which: (m: Moment) => boolean): void {
    this.moments = this.moments.filter((m) => {
      if (!which(m)) return true;
      this.machine.release(m.snapshot);
      return false;
    });
  }

  /** Looks at what the last distance has cost. */
  private adapt(): void {
    const now = this.clock();
    const elapsed = now - this.lastTaken;
    const pages = this.machine.keptPages ?? 0;
    const cost = Math.max(0, pages - this.pagesBefore) * PAGE_COST_MS;
    this.lastTaken = now;
    this.pagesBefore = pages;
    if (cost > elapsed * MOST_COST) this.spacing = Math.min(MOST_SPACING, this.spacing * 2);
    else if (cost < (elapsed * MOST_COST) / 4) this.spacing = Math.max(LEAST_SPACING, this.spacing / 2);
  }

  /** Gives up the moment whose loss matters least: the gap that it leaves, compared with how long ago it was. The oldest and the newest stay. */
  thin(): void {
    while (this.moments.length > MOST_SNAPSHOTS || ((this.machine.keptPages ?? 0) > MOST_PAGES && this.moments.length > 3)) {
      const newest = this.moments.at(-1)!.instructions;
      let least = Infinity;
      let victim: Moment | undefined;
      for (let i = 1; i < this.moments.length - 2; i++) {
        const m = this.moments[i]!;
        if (m.pins > 0 || m.changed) continue;
        const gap = (this.moments[i + 1]!.instructions - this.moments[i - 1]!.instructions) / (newest - m.instructions + LEAST_SPACING);
        if (gap < least) [least, victim] = [gap, m];
      }
      // Only pinned and changed ones are left: the past begins later.
      victim ??= this.moments[0]!.pins === 0 ? this.moments[0] : undefined;
      if (!victim) return;
      this.drop((m) => m === victim);
    }
  }
}
