/** A handler relies on an exit-information field that the exit's reason leaves undefined (SDM volume 3, "VM-Exit Information Fields"). */
import { Encoding, fieldOf } from '../../vmx/tables';
import { definedByExit } from '../exits/definedFields';
import type { VmxCheck } from './check';

/** Exits of one reason that are watched: what a handler does wrong it does from the beginning, and watching makes VMREAD slow. */
const WATCHED = 8;

export const undefinedField: VmxCheck = {
  id: 'undefined-field',
  title: 'Undefined exit information',
  sentence: 'A handler reads an exit-information field that the exit\'s reason leaves undefined, and resumes the guest.',
  watch({ target, trip, report, field, place, watchReads }) {
    let read: { encoding: number; rip: bigint }[] = [];
    let watched = new Map<number, number>();
    let watching = false;
    return {
      exit({ reason }) {
        if (read.length > 0) read = [];
        const times = watched.get(reason) ?? 0;
        const watches = times < WATCHED;
        if (watches) watched.set(reason, times + 1);
        if (watches !== watching) watchReads((watching = watches));
      },
      fieldRead(encoding) {
        // High halves are odd encodings.
        const full = encoding & ~1;
        if (trip.exit && !definedByExit(full, field) && !read.some((r) => r.encoding === full)) read.push({ encoding: full, rip: target.cpu.instructionRip });
      },
      entry() {
        if (read.length === 0) return;
        const [first] = read;
        const collects = read.length > 1;
        read = [];
        const { exit } = trip;
        // A VMM that reads several of them collects whatever there is, before it looks at the reason.
        if (!first || !exit || collects) return;
        // The length alone may be collected as well; who uses it writes GUEST_RIP.
        if (first.encoding === Encoding.VM_EXIT_INSTRUCTION_LENGTH && (target.vmx.fieldWriter(Encoding.GUEST_RIP)?.icount ?? 0) < exit.icount) return;
        const name = fieldOf(first.encoding)!.name;
        report(
          'entry',
          `${exit.reason} ${name}`,
          `After VM exit ${exit.n} (${exit.name}) the VMM has read ${name} at ${place(first.rip)}, but this exit leaves that field undefined: it holds what happens to be there.`,
        );
      },
      reset() {
        read = [];
        watched = new Map();
        watchReads((watching = false));
      },
    };
  },
};
