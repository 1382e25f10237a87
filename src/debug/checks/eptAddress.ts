/** An EPT entry holds a linear address of the VMM where a host-physical one belongs. */
import { hex } from '../../base/bits';
import { walkOfGpa } from '../memory/translation';
import type { VmxCheck } from './check';

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
        const values = walkOfGpa(sight.target, BigInt(gpa))?.walk.steps.map(({ value }) => value ?? 0n) ?? [];
        const entry = values.find((value) => (value & UPPER_HALF & ADDRESS) === (UPPER_HALF & ADDRESS));
        if (entry === undefined) return;
        const linear = (entry & ADDRESS) | SIGN_EXTENSION;
        const physical = sight.target.space('vmm').translate(linear);
        sight.report(
          'exit',
          '',
          `The EPT entry for Gpa ${hex(gpa)} (VM exit ${n}) is ${hex(entry)}: its address, ${hex(linear)}, is a linear address of the VMM, and EPT entries hold host-physical addresses.`,
          physical === undefined ? undefined : `Behind that linear address is the host-physical page ${hex(BigInt(physical))}.`,
        );
      },
    };
  },
};
