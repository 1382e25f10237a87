/** How VMX instructions end: VMsucceed, VMfailInvalid, VMfailValid (SDM volume 3, "Conventions" of the VMX instruction reference). */
import { CF, readFlags, STATUS_FLAGS, writeFlags, ZF } from '../cpu/flags';
import type { FailedCheck, VmxFailure } from './observe';
import { Slot } from './tables/fields';
import { instructionErrorSentence } from './tables/instructionErrors';
import type { Vmx } from './vmx';

const { VM_INSTRUCTION_ERROR } = Slot;

function setStatus(vmx: Vmx, flags: number): void {
  writeFlags(vmx.state, (readFlags(vmx.state) & ~STATUS_FLAGS) | flags);
}

/** All six status flags are cleared. */
export const succeed = (vmx: Vmx): void => setStatus(vmx, 0);

/** CF is set: there is no current VMCS to hold an error number. `pointer` is the address in the operand, where that is wrong. */
export function failInvalid(vmx: Vmx, mnemonic: string, message: string, pointer?: bigint): void {
  setStatus(vmx, CF);
  reportFailure(vmx, { mnemonic, rip: vmx.cpu.instructionRip, error: 0, exitReason: undefined, message, checks: [], ...(pointer === undefined ? {} : { pointer }) });
}

/** VMfailValid with an error number, or VMfailInvalid when no VMCS is current. */
export function fail(vmx: Vmx, mnemonic: string, error: number, checks: FailedCheck[] = [], pointer?: bigint): void {
  const sentence = instructionErrorSentence(error);
  if (vmx.vmcs.pointer < 0) return failInvalid(vmx, mnemonic, `${sentence} (No VMCS is current, so there is no error number.)`, pointer);
  setStatus(vmx, ZF);
  vmx.vmcs.setLow(VM_INSTRUCTION_ERROR, error);
  reportFailure(vmx, { mnemonic, rip: vmx.cpu.instructionRip, error, exitReason: undefined, message: failureHeadline(sentence.replace(/\.$/, ` (VM-instruction error ${error}).`), checks), checks, ...(pointer === undefined ? {} : { pointer }) });
}

const stageOf = (check: FailedCheck): string => check.id.split('.')[0]!;

/** The check to begin with: of those that made the processor refuse, the one whose field most of the failed checks are about. */
function tellingCheck(checks: readonly FailedCheck[]): FailedCheck | undefined {
  const about = (field: number | undefined): number => checks.filter((c) => c.fields.includes(field!)).length;
  const candidates = checks.filter((c) => stageOf(c) === stageOf(checks[0]!));
  return candidates.reduce<FailedCheck | undefined>((best, c) => (best && about(best.fields[0]) >= about(c.fields[0]) ? best : c), undefined);
}

/** The failure in one line: what failed, and the most telling check with the number of the others. */
export function failureHeadline(sentence: string, checks: readonly FailedCheck[]): string {
  const first = tellingCheck(checks);
  if (!first) return sentence;
  const others = checks.length - 1;
  return `${sentence} ${first.message}${others === 0 ? '' : ` (${others === 1 ? 'Another check' : `${others} other checks`} failed too.)`}`;
}

/** Tells the observer about a failure, at the present clock. */
export function reportFailure(vmx: Vmx, failure: Omit<VmxFailure, 'icount'>): void {
  vmx.observer?.failure({ icount: vmx.state.icount, ...failure });
}
