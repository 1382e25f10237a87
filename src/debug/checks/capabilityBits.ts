/**
 * Wrong offsets into the VMX capability MSRs (SDM volume 3, "VM-Execution Controls" of the capability reporting): bits
 * 31:0 say which controls must be 1, bits 63:32 which may be; so the allowed 1-setting of control n is bit 32 + n.
 */
import { hex } from '../../base/bits';
import { CONTROL_FIELDS, Encoding, InstructionErrorNumber, VmxMsr, type ControlKind } from '../../vmx/tables';
import type { Sight, VmxCheck } from './check';

/** Capability MSR of each field, and the one that counts when VMX_BASIC bit 55 is 1. */
const MSRS: Partial<Record<ControlKind, readonly [plain: number, exact: number]>> = {
  pin: [VmxMsr.PINBASED_CTLS, VmxMsr.TRUE_PINBASED_CTLS],
  primary: [VmxMsr.PROCBASED_CTLS, VmxMsr.TRUE_PROCBASED_CTLS],
  secondary: [VmxMsr.PROCBASED_CTLS2, VmxMsr.PROCBASED_CTLS2],
  exit: [VmxMsr.EXIT_CTLS, VmxMsr.TRUE_EXIT_CTLS],
  entry: [VmxMsr.ENTRY_CTLS, VmxMsr.TRUE_ENTRY_CTLS],
};
const TRUE_CONTROLS = 1n << 55n;
const LOW = 0xffff_ffffn;
/** Secondary controls that a VMM for real-mode guests looks for. */
const EPT = 1n;
const UNRESTRICTED_GUEST = 7n;

const inside = (value: bigint, mask: bigint): boolean => (value & ~mask) === 0n;

/** What a wrong value of controls looks like, in words; undefined when it looks like none of the known mistakes. */
export function capabilityMistake(value: bigint, must: bigint, may: bigint): string | undefined {
  if (inside(must, value) && inside(value, may)) return undefined;
  if (value !== 0n && inside(value, may >> 1n)) return 'it lies within bits 63:33 of the MSR shifted down by 33. The allowed 1-settings are bits 63:32, so the shift is 32';
  if (value !== 0n && inside(value, must)) return 'it lies within bits 31:0 of the MSR. Those are the bits that must be 1; what may be 1 is in bits 63:32';
  if (value === (((must << 32n) | (may & ~must)) & LOW)) return 'the halves of the MSR have been exchanged';
  return undefined;
}

const readMsr = ({ target }: Sight, index: number): bigint => target.cpu.intercepts.readMsr(index) ?? 0n;

export const capabilityBits: VmxCheck = {
  id: 'capability-bits',
  title: 'Capability MSR misread',
  sentence: 'A field of controls holds what a wrong shift makes of its capability MSR, or the VMM gives up before its first VM entry.',
  watch(sight) {
    const { target, report, field, writer } = sight;
    let attempted = false;
    return {
      failure({ mnemonic, error }) {
        if (/^vm(launch|resume)$/.test(mnemonic)) attempted = true;
        if (error !== InstructionErrorNumber.INVALID_CONTROL_FIELDS) return;
        const exact = (readMsr(sight, VmxMsr.BASIC) & TRUE_CONTROLS) !== 0n;
        for (const { kind, field: name } of CONTROL_FIELDS) {
          const msrs = MSRS[kind];
          if (!msrs) continue;
          const capability = readMsr(sight, msrs[exact ? 1 : 0]);
          const value = field(Encoding[name]);
          const mistake = capabilityMistake(value, capability & LOW, capability >> 32n);
          if (mistake === undefined) continue;
          report('failure', name, `${name} is ${hex(value)}, and its capability MSR ${hex(msrs[exact ? 1 : 0])} is ${hex(capability)}: ${mistake}. The field was ${writer(Encoding[name])}.`);
        }
      },
      ended(how) {
        const { vmx, cpu } = target;
        if (how !== 'halt' || attempted || vmx.entries > 0 || !cpu.intercepts.inVmx) return;
        const secondary = readMsr(sight, VmxMsr.PROCBASED_CTLS2);
        const has = (control: bigint): string => ((secondary >> (32n + control)) & 1n ? '1' : '0');
        report(
          'end',
          '',
          'The VMM has entered VMX operation and given up before its first VM entry. If it misses a feature: whether a control may be 1 is told 32 bits above the control in its capability MSR.',
          `Here MSR ${hex(VmxMsr.PROCBASED_CTLS2)} is ${hex(secondary)}: EPT (control 1) is bit 33, which is ${has(EPT)}; unrestricted guest (control 7) is bit 39, which is ${has(UNRESTRICTED_GUEST)}.`,
        );
      },
      reset: () => (attempted = false),
    };
  },
};
