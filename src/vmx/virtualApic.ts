/**
 * The virtual-APIC page and what the processor does with it by itself: task and processor priority, end of interrupt,
 * self-IPIs, evaluation and delivery of virtual interrupts (SDM volume 3, "Virtual APIC State", "Evaluation and Delivery of
 * Virtual Interrupts").
 *
 * RVI and SVI live in the guest interrupt status of the VMCS; they need no loading and saving.
 */
import { EventType } from '../cpu/intercepts';
import { Offset } from '../cpu/state';
import { deliverEvent } from '../cpu/system/delivery';
import { Pending, Private } from './privateState';
import { Pin, Primary, Secondary } from './tables/controls';
import { Reason } from './tables/exitReasons';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { APIC_ACCESS_ADDRESS, EOI_EXIT_BITMAP_0, GUEST_INTERRUPT_STATUS, TPR_THRESHOLD, VIRTUAL_APIC_ADDRESS, POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, POSTED_INTERRUPT_NOTIFICATION_VECTOR } = Slot;

/** Offsets of registers on the page. */
export const ApicRegister = { TPR: 0x80, PPR: 0xa0, EOI: 0xb0, ISR: 0x100, TMR: 0x180, IRR: 0x200, ICR_LOW: 0x300, ICR_HIGH: 0x310, SELF_IPI: 0x3f0 } as const;

const APIC_PAGE = Offset.APIC_ACCESS_PAGE;
const NO_MEMORY = 0xffff_ffff;

/** 32 bits of the page; `offset` is a multiple of 4. */
export function readApic(vmx: Vmx, offset: number): number {
  return vmx.physical32(vmx.vmcs.address(VIRTUAL_APIC_ADDRESS) + offset) ?? NO_MEMORY;
}

export function writeApic(vmx: Vmx, offset: number, value: number): void {
  vmx.cpu.writePhysical(vmx.vmcs.address(VIRTUAL_APIC_ADDRESS) + offset, 4, BigInt(value >>> 0));
}

/** The 256 bits of ISR, TMR or IRR are eight words, 16 bytes apart. */
const wordOf = (vector: number): number => (vector >>> 5) * 0x10;
const setVector = (vmx: Vmx, set: number, vector: number): void => writeApic(vmx, set + wordOf(vector), readApic(vmx, set + wordOf(vector)) | (1 << (vector & 31)));
const clearVector = (vmx: Vmx, set: number, vector: number): void => writeApic(vmx, set + wordOf(vector), readApic(vmx, set + wordOf(vector)) & ~(1 << (vector & 31)));

/** The highest vector of a set, or 0 when it is empty. */
function highest(vmx: Vmx, set: number): number {
  for (let word = 7; word >= 0; word--) {
    const bits = readApic(vmx, set + word * 0x10);
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
  }
  return 0;
}

const rvi = (vmx: Vmx): number => vmx.vmcs.low(GUEST_INTERRUPT_STATUS) & 0xff;
const svi = (vmx: Vmx): number => vmx.vmcs.low(GUEST_INTERRUPT_STATUS) >>> 8;
const setStatus = (vmx: Vmx, requesting: number, servicing: number): void => vmx.vmcs.setLow(GUEST_INTERRUPT_STATUS, requesting | (servicing << 8));

const delivers = (vmx: Vmx): boolean => vmx.secondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY);

/** Asks for a trap-like exit: after the instruction, before everything else. */
export function exitAfterInstruction(vmx: Vmx, reason: number, qualification: number): void {
  const s = vmx.state;
  s.set32(Private.APIC_EXIT, reason | (qualification << 8));
  s.set32(Private.TRAP_PENDING, s.get32(Private.TRAP_PENDING) | Pending.APIC_EXIT);
  vmx.cpu.requestAttention();
}

/** PPR virtualization: the priority class of what is in service, or the task priority. */
function virtualizePpr(vmx: Vmx): void {
  const task = readApic(vmx, ApicRegister.TPR);
  const serving = svi(vmx);
  writeApic(vmx, ApicRegister.PPR, ((task >>> 4) & 15) >= serving >>> 4 ? task & 0xff : serving & 0xf0);
}

/** Recognizes the requested virtual interrupt if its class is above the processor priority. */
function evaluate(vmx: Vmx): void {
  const s = vmx.state;
  const recognized = !vmx.primary(Primary.INTERRUPT_WINDOW_EXITING) && rvi(vmx) >>> 4 > ((readApic(vmx, ApicRegister.PPR) >>> 4) & 15);
  const pending = s.get32(Private.TRAP_PENDING) & ~Pending.VIRTUAL_INTERRUPT;
  s.set32(Private.TRAP_PENDING, recognized ? pending | Pending.VIRTUAL_INTERRUPT : pending);
  if (recognized) vmx.cpu.requestAttention();
}

/** TPR virtualization: what follows a change of the virtual task priority. */
export function virtualizeTpr(vmx: Vmx): void {
  if (delivers(vmx)) {
    virtualizePpr(vmx);
    evaluate(vmx);
  } else if (belowThreshold(vmx)) exitAfterInstruction(vmx, Reason.TPR_BELOW_THRESHOLD, 0);
}

const belowThreshold = (vmx: Vmx): boolean => ((readApic(vmx, ApicRegister.TPR) >>> 4) & 15) < (vmx.vmcs.low(TPR_THRESHOLD) & 15);

/** EOI virtualization: the interrupt in service ends; the EOI-exit bitmap may ask for an exit. */
export function virtualizeEoi(vmx: Vmx): void {
  const vector = svi(vmx);
  clearVector(vmx, ApicRegister.ISR, vector);
  setStatus(vmx, rvi(vmx), highest(vmx, ApicRegister.ISR));
  virtualizePpr(vmx);
  const slot = EOI_EXIT_BITMAP_0 + (vector >>> 6);
  const bits = vector & 32 ? vmx.vmcs.high(slot) : vmx.vmcs.low(slot);
  if ((bits >>> (vector & 31)) & 1) exitAfterInstruction(vmx, Reason.VIRTUALIZED_EOI, vector);
  else evaluate(vmx);
}

/** Self-IPI virtualization. */
export function virtualizeSelfIpi(vmx: Vmx, vector: number): void {
  setVector(vmx, ApicRegister.IRR, vector);
  setStatus(vmx, Math.max(rvi(vmx), vector), svi(vmx));
  evaluate(vmx);
}

/** Delivers the virtual interrupt that is recognized, through the guest's IDT. */
export function deliverVirtualInterrupt(vmx: Vmx): void {
  const s = vmx.state;
  const vector = rvi(vmx);
  s.set32(Private.TRAP_PENDING, s.get32(Private.TRAP_PENDING) & ~Pending.VIRTUAL_INTERRUPT);
  setVector(vmx, ApicRegister.ISR, vector);
  writeApic(vmx, ApicRegister.PPR, vector & 0xf0);
  clearVector(vmx, ApicRegister.IRR, vector);
  setStatus(vmx, highest(vmx, ApicRegister.IRR), vector);
  deliverEvent(vmx.cpu, EventType.EXTERNAL, vector, undefined, 0);
}

/** Byte of the outstanding-notification bit in a posted-interrupt descriptor, after the 256 bits of requests. */
const OUTSTANDING = 32;

/**
 * Posted-interrupt processing (SDM volume 3, "Posted-Interrupt Processing") for an interrupt that was acknowledged:
 * false when its vector is not the notification vector, and a VM exit is due.
 */
export function processPosted(vmx: Vmx, vector: number): boolean {
  const { vmcs, cpu } = vmx;
  if (vector !== vmcs.low(POSTED_INTERRUPT_NOTIFICATION_VECTOR)) return false;
  const descriptor = vmcs.address(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS);
  const outstanding = cpu.readPhysical(descriptor + OUTSTANDING, 1);
  cpu.writePhysical(descriptor + OUTSTANDING, 1, outstanding & ~1n);
  cpu.interrupts.endOfInterrupt?.();
  let requesting = rvi(vmx);
  for (let word = 0; word < 8; word++) {
    const posted = vmx.physical32(descriptor + word * 4) ?? 0;
    if (posted === 0) continue;
    cpu.writePhysical(descriptor + word * 4, 4, 0n);
    writeApic(vmx, ApicRegister.IRR + word * 0x10, readApic(vmx, ApicRegister.IRR + word * 0x10) | posted);
    requesting = Math.max(requesting, word * 32 + 31 - Math.clz32(posted));
  }
  setStatus(vmx, requesting, svi(vmx));
  evaluate(vmx);
  return true;
}

/** What VM entry does before it injects an event; called only where a control of the APIC is set. */
export function enterVirtualApic(vmx: Vmx): void {
  const { state: s, vmcs } = vmx;
  const accesses = vmx.secondary(Secondary.VIRTUALIZE_APIC_ACCESSES);
  if (accesses) s.set32(APIC_PAGE, Math.floor(vmcs.address(APIC_ACCESS_ADDRESS) / 0x1000) + 1);
  if (delivers(vmx)) {
    virtualizePpr(vmx);
    evaluate(vmx);
  } else if (accesses && vmx.primary(Primary.TPR_SHADOW) && belowThreshold(vmx)) exitAfterInstruction(vmx, Reason.TPR_BELOW_THRESHOLD, 0);
}

/** Whether external interrupts may be posted interrupts. */
export const posts = (vmx: Vmx): boolean => vmx.pin(Pin.POSTED_INTERRUPTS);
