/**
 * An exit storm: the guest exits for the same reason at the same instruction with the same registers again and again.
 * Its usual cause is a handler that does not advance RIP, or that returns without repairing what caused the exit.
 */
import { hex } from '../../base/bits';
import type { ExitRecord } from '../../vmx/observe';
import { Encoding, exitReason } from '../../vmx/tables';
import { exitWords } from '../exits/exitWords';
import type { VmxCheck } from './check';

/** So many identical exits in a row, each behind an entry at the instruction that exited, are no accident. */
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

  /** Told of each VM entry between; `rip` yields where the guest goes on. A guest that polls in a loop is entered elsewhere than it exited. */
  entry(rip: () => bigint): void {
    if (this.count > 1 && rip() !== this.previous?.guestRip) this.reset();
  }
}

export const exitStorm: VmxCheck = {
  id: 'exit-storm',
  title: 'VM exit storm',
  sentence: 'The guest exits again and again for the same reason at the same instruction, and nothing has changed between.',
  watch({ trip, report, guestPlace, writer, field }) {
    const detector = new StormDetector();
    return {
      exit(record) {
        const count = detector.exit(record, trip.changedSinceExit);
        if (count === 0) return;
        const repeated = `The guest has exited ${count} times in a row at ${guestPlace(record.guestRip)} for the same reason, ${exitWords(record)}, and nothing has changed between.`;
        const advice = exitReason(record.reason)?.hasInstructionLength
          ? `The handler did not advance GUEST_RIP: it is still ${hex(record.guestRip)}, ${writer(Encoding.GUEST_RIP)}. The instruction length was ${record.instructionLength}, so the guest goes on at ${hex(record.guestRip + BigInt(record.instructionLength))}.`
          : 'The handler returns without repairing what causes the exit.';
        report('exit', record.n, repeated, advice);
      },
      entry: () => detector.entry(() => field(Encoding.GUEST_RIP)),
      reset: () => detector.reset(),
    };
  },
};
