/**
 * IPI virtualization (SDM volume 3, "IPI Virtualization"): an interprocessor interrupt of the guest is posted in the
 * descriptor of the virtual processor that it is for, without a VM exit.
 */
import { Tertiary } from './tables/controls';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { LAST_PID_POINTER_INDEX, PID_POINTER_TABLE_ADDRESS } = Slot;

/** Bits of an interrupt command that WRMSR refuses. Delivery status (bit 12) is not among them, though x2APIC mode has none. */
export const ICR_RESERVED = 0xfff3_2000 | 0;
/** What such an interrupt has not besides: delivery status, trigger mode, delivery mode; then logical destination and shorthand. */
const NOT_FIXED = ICR_RESERVED | 0x9700;
const LOGICAL_OR_SHORTHAND = 0xc_0800;
const FIRST_VECTOR = 16;

const POINTER_SIZE = 8;
/** Bits 5:0 of a PID pointer that is valid. */
const VALID = 1n;
const POINTER_LOW = 0x3fn;

/** Offsets in a posted-interrupt descriptor. */
const Descriptor = { NOTIFICATION: 32, VECTOR: 34, DESTINATION: 36 } as const;
const OUTSTANDING = 1n;
const SUPPRESSED = 2n;

export const virtualizesIpis = (vmx: Vmx): boolean => vmx.tertiary(Tertiary.IPI_VIRTUALIZATION);

/** Posts the interrupt that an interrupt command asks for. False when the VMM has to send it: an APIC-write exit is due. */
export function sendVirtualIpi(vmx: Vmx, command: number, target: number): boolean {
  const { vmcs, cpu } = vmx;
  const vector = command & 0xff;
  if ((command & (NOT_FIXED | LOGICAL_OR_SHORTHAND)) !== 0 || vector < FIRST_VECTOR || target > vmcs.low(LAST_PID_POINTER_INDEX)) return false;
  const pointer = cpu.readPhysical(vmcs.address(PID_POINTER_TABLE_ADDRESS) + target * POINTER_SIZE, POINTER_SIZE);
  if (pointer >> BigInt(vmx.physicalAddressBits) !== 0n || (pointer & POINTER_LOW) !== VALID) return false;
  const descriptor = Number(pointer & ~POINTER_LOW);
  const byte = descriptor + (vector >>> 3);
  cpu.writePhysical(byte, 1, cpu.readPhysical(byte, 1) | BigInt(1 << (vector & 7)));
  const notification = cpu.readPhysical(descriptor + Descriptor.NOTIFICATION, 1);
  if (notification & (OUTSTANDING | SUPPRESSED)) return true;
  cpu.writePhysical(descriptor + Descriptor.NOTIFICATION, 1, notification | OUTSTANDING);
  cpu.interrupts.sendInterrupt?.(Number(cpu.readPhysical(descriptor + Descriptor.VECTOR, 1)), Number(cpu.readPhysical(descriptor + Descriptor.DESTINATION, 4)));
  return true;
}
