/** VMREAD and VMWRITE of a guest from the shadow VMCS that the link pointer names (SDM volume 3, "Changes to Instruction Behavior in VMX Non-Root Operation"). */
import type { Instruction } from '../cpu/decode/instruction';
import { Vector } from '../cpu/fault';
import { deliverField, encodingOperand, fieldToRead, fieldToWrite } from './fieldOperands';
import { failInvalid, succeed } from './outcome';
import { Secondary } from './tables/controls';
import { Slot } from './tables/fields';
import { Region, truncated } from './vmcs';
import type { Vmx } from './vmx';

const { VMCS_LINK_POINTER, VMREAD_BITMAP, VMWRITE_BITMAP } = Slot;

// A failure's error number goes to the current VMCS, not to the shadow VMCS.

/** Whether the guest's access to the field that a register names goes to the shadow VMCS instead of causing a VM exit. */
export function shadowed(vmx: Vmx, insn: Instruction, operand: number, write: boolean): boolean {
  if (!vmx.secondary(Secondary.VMCS_SHADOWING)) return false;
  const encoding = encodingOperand(vmx, insn, operand);
  if (encoding < 0) return false;
  const bits = vmx.cpu.readPhysical(vmx.vmcs.address(write ? VMWRITE_BITMAP : VMREAD_BITMAP) + (encoding >>> 3), 1);
  return ((Number(bits) >>> (encoding & 7)) & 1) === 0;
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
  const named = fieldToRead(vmx, insn);
  if (!named) return;
  deliverField(vmx, insn, named, vmx.cpu.readPhysical(region + Region.FIELDS + named.slot * Region.STRIDE, 8));
  succeed(vmx);
}

export function shadowWrite(vmx: Vmx, insn: Instruction): void {
  const region = shadowRegion(vmx);
  if (region === undefined) return failInvalid(vmx, 'vmwrite', NO_SHADOW);
  const named = fieldToWrite(vmx, insn);
  if (!named) return;
  const at = region + Region.FIELDS + named.slot * Region.STRIDE;
  if (named.high) vmx.cpu.writePhysical(at + 4, 4, named.value & 0xffff_ffffn);
  else vmx.cpu.writePhysical(at, 8, truncated(named.field, named.value));
  succeed(vmx);
}
