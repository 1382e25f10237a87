/** An EPT entry holds a linear address of the VMM where a host-physical one belongs. */
import { hex } from '../../base/bits';
import { Reason } from '../../vmx/tables';
import { walkOfGpa } from '../memory/translation';
import type { VmxCheck } from './check';
import { linearFor } from './linearAddress';

const ADDRESS = 0x000f_ffff_ffff_f000n;
const PAGE = 0x1000;

export const eptAddress: VmxCheck = {
  id: 'ept-address',
  title: 'Linear address in an EPT entry',
  sentence: 'An EPT entry holds a linear address of the VMM instead of a host-physical address.',
  watch(sight) {
    const { target } = sight;
    /** First page behind everything that the firmware knows. */
    let end: number | undefined;
    const endOfMemory = (): number => Number(target.machine.e820().reduce((last, { base, length }) => (base + length > last ? base + length : last), 0n)) / PAGE;
    const look = (at: 'exit' | 'instruction', gpa: number, when: string): void => {
      for (const { value = 0n } of walkOfGpa(target, BigInt(gpa))?.walk.steps ?? []) {
        const found = (value & ADDRESS) === 0n ? undefined : linearFor(target, value & ADDRESS);
        if (!found) continue;
        sight.report(
          at,
          '',
          `The EPT entry for Gpa ${hex(gpa)}${when} is ${hex(value)}: its address, ${hex(found.linear)}, is a linear address of the VMM, and EPT entries hold host-physical addresses.`,
          `Behind that linear address is the host-physical page ${hex(found.physical)}.`,
        );
        return;
      }
    };
    return {
      exitsBy: Reason.EPT_MISCONFIGURATION,
      exit: (record) => look('exit', record.gpa!, ` (VM exit ${record.n})`),
      // A linear address that is short enough for a physical one leads to where nothing is.
      eptWalked(gpaPage, page) {
        if (page >= 0 && page >= (end ??= endOfMemory())) look('instruction', gpaPage * PAGE, '');
      },
      reset: () => (end = undefined),
    };
  },
};
