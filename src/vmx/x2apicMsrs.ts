/** RDMSR and WRMSR of x2APIC registers in the guest (SDM volume 3, "Virtualizing MSR-Based APIC Accesses"). */
import { Vector } from '../cpu/fault';
import { Secondary } from './tables/controls';
import { Reason } from './tables/exitReasons';
import { Slot } from './tables/fields';
import { ApicRegister, exitAfterInstruction, virtualizeEoi, virtualizeSelfIpi, virtualizeTpr } from './virtualApic';
import { ICR_RESERVED, sendVirtualIpi, virtualizesIpis } from './virtualIpis';
import type { Vmx } from './vmx';

const { VIRTUAL_APIC_ADDRESS } = Slot;

/** MSRs 0x800 to 0x8ff stand for the registers at these offsets. */
const offsetOf = (msr: number): number => (msr & 0xff) << 4;

/** What RDMSR yields, or undefined where it is not virtualized. Neither the APIC's mode nor the register's existence matters. */
export function readApicMsr(vmx: Vmx, msr: number): bigint | undefined {
  if (!vmx.secondary(Secondary.VIRTUALIZE_X2APIC)) return undefined;
  const offset = offsetOf(msr);
  if (offset !== ApicRegister.TPR && !vmx.secondary(Secondary.APIC_REGISTER_VIRTUALIZATION)) return undefined;
  return vmx.cpu.readPhysical(vmx.vmcs.address(VIRTUAL_APIC_ADDRESS) + offset, 8);
}

/** WRMSR of the interrupt command. */
function writeCommand(vmx: Vmx, value: bigint): true {
  const command = Number(value & 0xffff_ffffn);
  if (command & ICR_RESERVED) throw vmx.cpu.fault.exception(Vector.GP, 0);
  vmx.cpu.writePhysical(vmx.vmcs.address(VIRTUAL_APIC_ADDRESS) + ApicRegister.ICR_LOW, 8, value);
  if (!sendVirtualIpi(vmx, command, Number(value >> 32n))) exitAfterInstruction(vmx, Reason.APIC_WRITE, ApicRegister.ICR_LOW);
  return true;
}

/** Performs WRMSR; false where it is not virtualized. Throws #GP(0) for reserved bits. */
export function writeApicMsr(vmx: Vmx, msr: number, value: bigint): boolean {
  if (!vmx.secondary(Secondary.VIRTUALIZE_X2APIC)) return false;
  const offset = offsetOf(msr);
  const delivers = vmx.secondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY);
  if (offset === ApicRegister.ICR_LOW && virtualizesIpis(vmx)) return writeCommand(vmx, value);
  const virtualized = offset === ApicRegister.TPR || (delivers && (offset === ApicRegister.EOI || offset === ApicRegister.SELF_IPI));
  if (!virtualized) return false;
  if (value >> (offset === ApicRegister.EOI ? 0n : 8n)) throw vmx.cpu.fault.exception(Vector.GP, 0);
  vmx.cpu.writePhysical(vmx.vmcs.address(VIRTUAL_APIC_ADDRESS) + offset, 8, value);
  const vector = Number(value);
  if (offset === ApicRegister.TPR) virtualizeTpr(vmx);
  else if (offset === ApicRegister.EOI) virtualizeEoi(vmx);
  else if (vector >= 16) virtualizeSelfIpi(vmx, vector);
  else exitAfterInstruction(vmx, Reason.APIC_WRITE, offset);
  return true;
}
