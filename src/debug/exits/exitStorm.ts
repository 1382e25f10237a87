/**
 * An exit storm: the guest exits for the same reason at the same instruction with the same registers again and again.
 * Its usual cause is a handler that does not advance RIP, or that returns without repairing what caused the exit.
 */
import type { ExitRecord } from '../../vmx/observe';

/** So many identical exits in a row are no accident; a polling guest changes a register or exits for another reason before. */
const STORM = 200;

/** Exits that a guest may repeat for a good reason: it waits, and what it waits for comes from outside. */
const WAITING = new Set(['EXTERNAL_INTERRUPT', 'NMI_WINDOW', 'INTERRUPT_WINDOW', 'HLT', 'PAUSE', 'MWAIT', 'PREEMPTION_TIMER', 'MONITOR_TRAP_FLAG']);

export class StormDetector {
  private previous: ExitRecord | undefined;
  private count = 0;

  reset(): void {
    this.previous = undefined;
    this.count = 0;
  }

  /** Told of each exit and whether the guest's registers changed since the one before; yields the length of the storm when it has just become one, else 0. */
  exit(record: ExitRecord, registersChanged: boolean): number {
    const before = this.previous;
    this.previous = record;
    const same =
      !registersChanged &&
      before !== undefined &&
      before.reason === record.reason &&
      before.guestRip === record.guestRip &&
      before.qualification === record.qualification &&
      before.gpa === record.gpa &&
      !WAITING.has(record.name);
    this.count = same ? this.count + 1 : 1;
    return this.count === STORM ? STORM : 0;
  }
}
