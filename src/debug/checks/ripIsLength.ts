/** GUEST_RIP was set to the instruction length instead of being advanced by it: the guest then fetches from address 2 or 3. */
import { hex } from '../../base/bits';
import { Offset } from '../../cpu/state';
import { Encoding } from '../../vmx/tables';
import type { VmxCheck } from './check';

export const ripIsLength: VmxCheck = {
  id: 'rip-is-length',
  title: 'RIP set to the instruction length',
  sentence: 'A handler writes the instruction length to GUEST_RIP instead of adding it.',
  watch({ target, trip, report, field, writer }) {
    return {
      entry() {
        const { exit } = trip;
        if (!exit || exit.instructionLength === 0 || target.cpu.state.get32(Offset.RIP) !== exit.instructionLength) return;
        const length = BigInt(exit.instructionLength);
        if (field(Encoding.GUEST_RIP) !== length || exit.guestRip === length) return;
        report(
          'entry',
          exit.guestRip.toString(),
          `GUEST_RIP is ${hex(length)} after VM exit ${exit.n} (${exit.name}): that is the instruction length itself, which must be added to it.`,
          `The guest was at ${hex(exit.guestRip)} and goes on at ${hex(exit.guestRip + length)}. GUEST_RIP was ${writer(Encoding.GUEST_RIP)}.`,
        );
      },
    };
  },
};
