/** The guest is told that it has VMX by a VMM that does not present itself as a hypervisor: the handler of CPUID meant to hide it. */
import { hex } from '../../base/bits';
import { Gpr } from '../../cpu/state';
import { cpuid } from '../../cpu/system/cpuid';
import { Encoding, Reason } from '../../vmx/tables';
import type { VmxCheck } from './check';

const FEATURE_LEAF = 1;
/** CPUID.1:ECX. VMMs that give their guest VMX on purpose also say that there is a hypervisor. */
const VMX = 1 << 5;
const HYPERVISOR = 1 << 31;
/** It is a copy of CR4.OSXSAVE, and differs between VMM and guest. */
const OSXSAVE = 1 << 27;

/** CPUID.1:EDX: FPU, MSR, PAE. A guest in 64-bit mode is told of all of them, whatever its processor. */
const ALWAYS = 1 | (1 << 5) | (1 << 6);

/** Whether registers hold an answer to the leaf: VMMs of tests go on behind CPUID without giving one. */
const isAnswer = (edx: number, changed: boolean): boolean => changed && (edx & ALWAYS) === ALWAYS;

const bitNames = (mask: number): string => Array.from({ length: 32 }, (_, n) => n).filter((n) => (mask >>> n) & 1).join(', ');

export const cpuidVmx: VmxCheck = {
  id: 'cpuid-vmx',
  title: 'VMX exposed to the guest',
  sentence: 'The handler of CPUID leaf 1 leaves the VMX bit in ECX although the VMM does not present itself as a hypervisor.',
  watch({ target, trip, report, field }) {
    return {
      entriesAfter: Reason.CPUID,
      entry() {
        const { exit, now, atExit } = trip;
        if (!exit || atExit[Gpr.RAX * 2] !== FEATURE_LEAF) return;
        const ecx = now[Gpr.RCX * 2]!;
        if (!isAnswer(now[Gpr.RDX * 2]!, ecx !== atExit[Gpr.RCX * 2] || now[Gpr.RDX * 2] !== atExit[Gpr.RDX * 2])) return;
        if ((ecx & VMX) === 0 || (ecx & HYPERVISOR) !== 0 || field(Encoding.GUEST_RIP) === exit.guestRip) return;
        const cleared = cpuid(target.cpu, FEATURE_LEAF, 0).ecx & ~ecx & ~OSXSAVE;
        report(
          'entry',
          '',
          `CPUID leaf 1 tells the guest that it has VMX: ECX is ${hex(ecx)}, and bit 5 (${hex(VMX)}) is 1.`,
          cleared === 0
            ? 'The handler has left ECX as the processor gave it. Either it clears another bit, which was 0 anyway, or it asks for the leaf after CPUID: by then EAX holds the result, no longer the 1 that the guest put there.'
            : `The handler has cleared bit ${bitNames(cleared)} of ECX instead.`,
        );
      },
    };
  },
};
