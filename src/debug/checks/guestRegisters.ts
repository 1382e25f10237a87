/** A register of the guest changed between VM exit and VM entry although the exit's reason gives the handler no right to. */
import { hex } from '../../base/bits';
import { Encoding, REGISTER_NAMES } from '../../vmx/tables';
import type { RoundTrip, VmxCheck } from './check';
import { readNamed } from '../registers/registerFile';
import { codeBits, linearPc } from '../run/position';
import { loadsRegisters } from './loadsRegisters';
import { nextUses } from './nextUse';
import { registerIn, registerNames, registersOfRetry, resultRegisters } from './resultRegisters';

/** Places of the guest that are remembered as looked at. */
const MOST_PLACES = 10_000;

/** Whether every register of the mask holds what it held at the VM entry before the exit. */
function areOfEntryBefore({ now, before }: RoundTrip, mask: number): boolean {
  return REGISTER_NAMES.every((_, n) => !(mask & (1 << n)) || (now[n * 2] === before[n * 2] && now[n * 2 + 1] === before[n * 2 + 1]));
}

export const guestRegisters: VmxCheck = {
  id: 'guest-registers',
  title: 'Guest register changed',
  sentence: 'A register of the guest changes between VM exit and VM entry although the exit\'s reason gives the handler no right to change it.',
  watch({ target, trip, report, field, guestPlace }) {
    const known = new Set<bigint>();
    return {
      reset: () => known.clear(),
      entriesWith: 'changed registers',
      entry() {
        const { exit, changed } = trip;
        if (!exit) return;
        const rip = field(Encoding.GUEST_RIP);
        const results = resultRegisters(exit);
        let allowed: number;
        // Results without an advanced RIP are another mistake: ripNotAdvanced.ts.
        if (rip === exit.guestRip) allowed = registersOfRetry(exit) | results;
        else if (rip === exit.guestRip + BigInt(exit.instructionLength)) allowed = results;
        // The handler has sent the guest elsewhere: it may do with it what it likes.
        else return;
        const suspicious = changed & ~allowed;
        if (suspicious === 0 || known.has(rip)) return;
        // What a VMM that saves nothing does at every exit of a loop is looked at once.
        if (known.size < MOST_PLACES) known.add(rip);
        const file = target.registers('guest');
        const bits = codeBits(Number(readNamed(file, 'efer') ?? 0n), Number(readNamed(file, 'cs_access') ?? 0n));
        const uses = nextUses((address, length) => target.read('guest', address, length), linearPc(rip, bits, readNamed(file, 'cs_base') ?? 0n), suspicious, bits);
        // A VMM that loads no registers at all may have a guest that expects nothing else: then only what the guest reads counts.
        const entry = target.recorder.lastEntry?.rip;
        const loads = entry !== undefined && loadsRegisters((address, length) => target.read('vmm', address, length), entry, 64);
        const wrong = loads ? suspicious : [...uses.keys()].reduce((mask, register) => mask | (1 << register), 0);
        if (wrong === 0) return;
        const n = 31 - Math.clz32(wrong & -wrong);
        const use = uses.get(n);
        report(
          'entry',
          exit.reason,
          `The guest's ${registerNames(wrong)} changed between VM exit ${exit.n} (${exit.name}) and the VM entry after it; the handler of ${exit.name} ${allowed === 0 ? 'may change no register' : `may change ${registerNames(allowed)} alone`}.`,
          `${REGISTER_NAMES[n]} was ${hex(registerIn(trip.atExit, n))} and is ${hex(registerIn(trip.now, n))}${use === undefined ? '' : `; the guest reads it at ${guestPlace(use)}`}.`,
          areOfEntryBefore(trip, wrong)
            ? `What changed is again as it was at the VM entry before: the code behind HOST_RIP does not save the guest's registers, or moves them in the wrong direction (from the structure to the registers).`
            : 'The code behind HOST_RIP must save every register of the guest before it uses one, and the code before VMRESUME must load them all again.',
        );
      },
    };
  },
};
