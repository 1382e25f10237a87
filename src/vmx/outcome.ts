/** How VMX instructions end: VMsucceed, VMfailInvalid, VMfailValid (SDM volume 3, "Conventions" of the VMX instruction reference). */
import { CF, readFlags, STATUS_FLAGS, writeFlags, ZF } from '../cpu/flags';
import type { FailedCheck, VmxFailure } from './observe';
import { Slot } from './tables/fields';
import { instructionErrorSentence } from './tables/instructionErrors';
import { Region } from './vmcs';
import type { Vmx } from './vmx';

const { VM_INSTRUCTION_ERROR } = Slot;

function setStatus(vmx: Vmx, flags: number): void {
  writeFlags(vmx.state, (readFlags(vmx.state) & ~STATUS_FLAGS) | flags);
}

/** All six status flags are cleared. */
export const succeed = (vmx: Vmx): void => setStatus(vmx, 0);

/** CF is set: there is no current VMCS to hold an error number. */
export function failInvalid(vmx: Vmx, mnemonic: string, message: string): void {
  setStatus(vmx, CF);
  reportFailure(vmx, { mnemonic, rip: vmx.cpu.instructionRip, error: 0, exitReason: undefined, message, checks: [] });
}

/** VMfailValid with an error number, or VMfailInvalid when no VMCS is current. */
export function fail(vmx: Vmx, mnemonic: string, error: number, checks: FailedCheck[] = []): void {
  const sentence = instructionErrorSentence(error);
  if (vmx.vmcs.pointer < 0) return failInvalid(vmx, mnemonic, `${sentence} (No VMCS is current, so there is no error number.)`);
  setStatus(vmx, ZF);
  vmx.vmcs.setLow(VM_INSTRUCTION_ERROR, error);
  reportFailure(vmx, { mnemonic, rip: vmx.cpu.instructionRip, error, exitReason: undefined, message: failureHeadline(sentence.replace(/\.$/, ` (VM-instruction error ${error}).`), checks), checks });
}

/** VMfailValid of a guest that uses a shadow VMCS: its error number goes there. */
export function failShadow(vmx: Vmx, region: number, mnemonic: string, error: number): void {
  setStatus(vmx, ZF);
  vmx.cpu.writePhysical(region + Region.FIELDS + VM_INSTRUCTION_ERROR * Region.STRIDE, 8, BigInt(error));
  reportFailure(vmx, { mnemonic, rip: vmx.cpu.instructionRip, error, exitReason: undefined, message: instructionErrorSentence(error), checks: [] });
}

/** The failure in one line: what failed, and the first check with the number of the others. */
export function failureHeadline(sentence: string, checks: readonly FailedCheck[]): string {
  const first = checks.find((c) => c.message !== sentence);
  if (!first) return sentence;
  return `${sentence} ${first.message}${checks.length > 1 ? ` (${checks.length} checks failed.)` : ''}`;
}

/** Tells the observer about a failure, at the present clock. */
export function reportFailure(vmx: Vmx, failure: Omit<VmxFailure, 'icount'>): void {
  vmx.observer?.failure({ icount: vmx.state.icount, ...failure });
}
