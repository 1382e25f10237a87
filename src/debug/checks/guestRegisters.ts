/** A register of the guest changed between VM exit and VM entry although the exit's reason gives the handler no right to. */
import { hex } from '../../base/bits';
import { Encoding, REGISTER_NAMES } from '../../vmx/tables';
import type { RoundTrip, VmxCheck } from './check';
import { registerIn, registerNames, registersOfRetry, resultRegisters } from './resultRegisters';

/** Whether every register of the mask holds what it held at the VM entry before the exit. */
function areOfEntryBefore({ now, before }: RoundTrip, mask: number): boolean {
  return REGISTER_NAMES.every((_, n) => !(mask & (1 << n)) || (now[n * 2] === before[n * 2] && now[n * 2 + 1] === before[n * 2 + 1]));
}

export const guestRegisters: VmxCheck = {
  id: 'guest-registers',
  title: 'Guest register changed',
  sentence: 'A register of the guest changes between VM exit and VM entry although the exit\'s reason gives the handler no right to change it.',
  watch({ trip, report, field }) {
    return {
      entry() {
        const { exit, changed } = trip;
        if (!exit || changed === 0) return;
        const rip = field(Encoding.GUEST_RIP);
        const results = resultRegisters(exit);
        let allowed: number;
        // Results without an advanced RIP are another mistake: ripNotAdvanced.ts.
        if (rip === exit.guestRip) allowed = registersOfRetry(exit) | results;
        else if (rip === exit.guestRip + BigInt(exit.instructionLength)) allowed = results;
        // The handler has sent the guest elsewhere: it may do with it what it likes.
        else return;
        const wrong = changed & ~allowed;
        if (wrong === 0) return;
        const n = 31 - Math.clz32(wrong & -wrong);
        report(
          'entry',
          exit.reason,
          `The guest's ${registerNames(wrong)} changed between VM exit ${exit.n} (${exit.name}) and the VM entry after it; the handler of ${exit.name} ${allowed === 0 ? 'may change no register' : `may change ${registerNames(allowed)} alone`}.`,
          `${REGISTER_NAMES[n]} was ${hex(registerIn(trip.atExit, n))} and is ${hex(registerIn(trip.now, n))}.`,
          areOfEntryBefore(trip, wrong)
            ? `What changed is again as it was at the VM entry before: the code behind HOST_RIP does not save the guest's registers, or moves them in the wrong direction (from the structure to the registers).`
            : 'The code behind HOST_RIP must save every register of the guest before it uses one, and the code before VMRESUME must load them all again.',
        );
      },
    };
  },
};
