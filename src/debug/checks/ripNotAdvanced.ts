/** A handler gave the guest an instruction's results but did not step over the instruction. */
import { hex } from '../../base/bits';
import { Encoding } from '../../vmx/tables';
import type { VmxCheck } from './check';
import { ANY, registerNames, resultRegisters, STRING } from './resultRegisters';

const EVENT_VALID = 0x8000_0000n;

export const ripNotAdvanced: VmxCheck = {
  id: 'rip-not-advanced',
  title: 'RIP not advanced',
  sentence: 'A handler writes an instruction\'s results to the guest\'s registers, but does not advance GUEST_RIP by the instruction length.',
  watch({ trip, report, field, writer }) {
    return {
      entriesWith: 'changed registers',
      entry() {
        const { exit, changed } = trip;
        if (!exit || exit.instructionLength === 0) return;
        const results = resultRegisters(exit);
        if (results === ANY || results === STRING || (changed & ~results) !== 0) return;
        // With an event injected the guest takes that first, and the instruction perhaps never.
        if (field(Encoding.GUEST_RIP) !== exit.guestRip || (field(Encoding.VM_ENTRY_INTERRUPTION_INFO) & EVENT_VALID) !== 0n) return;
        report(
          'entry',
          exit.reason,
          `The handler of ${exit.name} has changed the guest's ${registerNames(changed)}, but GUEST_RIP is still ${hex(exit.guestRip)}: the guest executes ${exit.name} again, with the changed registers.`,
          `GUEST_RIP must be advanced by the instruction length, ${exit.instructionLength}, to ${hex(exit.guestRip + BigInt(exit.instructionLength))}. It was ${writer(Encoding.GUEST_RIP)}.`,
        );
      },
    };
  },
};
