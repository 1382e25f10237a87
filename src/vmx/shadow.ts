/** VMREAD and VMWRITE of a guest from the shadow VMCS that the link pointer names (SDM volume 3, "Changes to Instruction Behavior in VMX Non-Root Operation"). */
import type { Instruction } from '../cpu/decode/instruction';
import { Vector } from '../cpu/fault';
import { is64 } from '../cpu/system/mode';
import { readOperand, writeOperand } from '../cpu/system/operands';
import { slotOperand } from './instructions';
import { fail, failInvalid, succeed } from './outcome';
import { Secondary } from './tables/controls';
import { FIELDS, Slot } from './tables/fields';
import { InstructionErrorNumber as E } from './tables/instructionErrors';
import { Region } from './vmcs';
import type { Vmx } from './vmx';

const { VMCS_LINK_POINTER, VMREAD_BITMAP, VMWRITE_BITMAP } = Slot;

// A failure's error number goes to the current VMCS, not to the shadow VMCS.

const LAST_ENCODING = 0x7fffn;
const WIDTH_MASK = { 16: 0xffffn, 32: 0xffff_ffffn, 64: 0xffff_ffff_ffff_ffffn, natural: 0xffff_ffff_ffff_ffffn } as const;

const operandSize = (vmx: Vmx): number => (is64(vmx.state) ? 8 : 4);

/** Whether the guest's access to the field that a register names goes to the shadow VMCS instead of causing a VM exit. */
export function shadowed(vmx: Vmx, insn: Instruction, encodingOperand: number, write: boolean): boolean {
  if (!vmx.secondary(Secondary.VMCS_SHADOWING)) return false;
  const encoding = readOperand(vmx.cpu, insn, encodingOperand, operandSize(vmx));
  if (encoding > LAST_ENCODING) return false;
  const n = Number(encoding);
  const bits = vmx.cpu.readPhysical(vmx.vmcs.address(write ? VMWRITE_BITMAP : VMREAD_BITMAP) + (n >>> 3), 1);
  return ((Number(bits) >>> (n & 7)) & 1) === 0;
}

/** Host-physical address of the shadow VMCS, or undefined where there is none. Faults above CPL 0. */
function shadowRegion(vmx: Vmx): number | undefined {
  if (vmx.state.cpl !== 0) throw vmx.cpu.fault.exception(Vector.GP, 0);
  return vmx.vmcs.high(VMCS_LINK_POINTER) === 0xffff_ffff ? undefined : vmx.vmcs.address(VMCS_LINK_POINTER);
}

const NO_SHADOW = 'There is no shadow VMCS: the VMCS link pointer is all ones.';

export function shadowRead(vmx: Vmx, insn: Instruction): void {
  const region = shadowRegion(vmx);
  if (region === undefined) return failInvalid(vmx, 'vmread', NO_SHADOW);
  const size = operandSize(vmx);
  const encoding = readOperand(vmx.cpu, insn, 1, size);
  const slot = slotOperand(vmx, encoding);
  if (slot < 0) return fail(vmx, 'vmread', E.UNSUPPORTED_FIELD);
  const value = vmx.cpu.readPhysical(region + Region.FIELDS + slot * Region.STRIDE, 8);
  writeOperand(vmx.cpu, insn, 0, encoding & 1n ? value >> 32n : value, size);
  succeed(vmx);
}

export function shadowWrite(vmx: Vmx, insn: Instruction): void {
  const region = shadowRegion(vmx);
  if (region === undefined) return failInvalid(vmx, 'vmwrite', NO_SHADOW);
  const size = operandSize(vmx);
  const value = readOperand(vmx.cpu, insn, 1, size);
  const encoding = readOperand(vmx.cpu, insn, 0, size);
  const slot = slotOperand(vmx, encoding);
  if (slot < 0) return fail(vmx, 'vmwrite', E.UNSUPPORTED_FIELD);
  const field = FIELDS[slot]!;
  if (field.group === 'exit-information' && !vmx.capabilities.has('vmwrite-any-field')) return fail(vmx, 'vmwrite', E.READ_ONLY_FIELD);
  const at = region + Region.FIELDS + slot * Region.STRIDE;
  if (encoding & 1n) vmx.cpu.writePhysical(at + 4, 4, value & 0xffff_ffffn);
  else vmx.cpu.writePhysical(at, 8, value & WIDTH_MASK[field.width]);
  succeed(vmx);
}
