/** An EPT entry holds a linear address of the VMM where a host-physical one belongs. */
import { hex } from '../../base/bits';
import type { VmxCheck } from './check';
import { eptEntries } from './eptEntries';

const ADDRESS = 0x000f_ffff_ffff_f000n;
/** Bits 51:47, which a canonical address of the upper half has at 1 and no physical address of today. */
const UPPER_HALF = 0x1fn << 47n;
const SIGN_EXTENSION = 0xffffn << 48n;

export const eptAddress: VmxCheck = {
  id: 'ept-address',
  title: 'Linear address in an EPT entry',
  sentence: 'An EPT entry holds a linear address of the VMM instead of a host-physical address.',
  watch(sight) {
    return {
      exit({ name, gpa, n }) {
        if (name !== 'EPT_MISCONFIGURATION' || gpa === undefined) return;
        const entry = eptEntries(sight, gpa).find(({ value }) => (value & UPPER_HALF & ADDRESS) === (UPPER_HALF & ADDRESS));
        if (!entry) return;
        const linear = (entry.value & ADDRESS) | SIGN_EXTENSION;
        const physical = sight.target.space('vmm').translate(linear);
        sight.report(
          'exit',
          '',
          `The EPT entry for Gpa ${hex(gpa)} (VM exit ${n}) is ${hex(entry.value)}: its address, ${hex(linear)}, is a linear address of the VMM, and EPT entries hold host-physical addresses.`,
          physical === undefined ? undefined : `Behind that linear address is the host-physical page ${hex(BigInt(physical))}.`,
        );
      },
    };
  },
};
