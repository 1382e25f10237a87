/** Accesses of the guest to the APIC-access page (SDM volume 3, "Virtualizing Memory-Mapped APIC Accesses"). */
import type { Fault } from '../cpu/fault';
import { RF } from '../cpu/flags';
import { ACCESS_FETCH, ACCESS_READ, ACCESS_WRITE } from '../cpu/intercepts';
import { Offset } from '../cpu/state';
import { performExit } from './exit';
import { faultingLength } from './faultingLength';
import { Pending, Private } from './privateState';
import { Primary, Secondary } from './tables/controls';
import { Reason } from './tables/exitReasons';
import { Slot } from './tables/fields';
import { ApicRegister, exitAfterInstruction, readApic, virtualizeEoi, virtualizeSelfIpi, virtualizeTpr, writeApic } from './virtualApic';
import { sendVirtualIpi, virtualizesIpis } from './virtualIpis';
import type { Vmx } from './vmx';

const { VIRTUAL_APIC_ADDRESS } = Slot;

/** Bits 15:12 of the exit qualification. */
export const ApicAccessType = { READ: 0, WRITE: 1, FETCH: 2, DELIVERY: 3, PHYSICAL_DELIVERY: 10, PHYSICAL: 15 } as const;

/** What a Fault of kind `second-level` carries when it asks for an APIC-access exit. */
export class ApicAccess {
  constructor(
    readonly type: number,
    readonly offset: number,
  ) {}
}

/** Ranges of register numbers (offset / 16) as one bit each: registers up to 0x3f. */
const registers = (...ranges: readonly (readonly [number, number])[]): ReadonlySet<number> => new Set(ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)));

/** Registers whose reads (writes) APIC-register virtualization lets through: an access anywhere in their four bytes. */
const READABLE = registers([0x02, 0x03], [0x08, 0x08], [0x0b, 0x0b], [0x0d, 0x0f], [0x10, 0x28], [0x30, 0x38], [0x3e, 0x3e]);
const WRITABLE = registers([0x02, 0x02], [0x08, 0x08], [0x0b, 0x0b], [0x0d, 0x0f], [0x28, 0x28], [0x30, 0x38], [0x3e, 0x3e]);

function virtualizesRead(vmx: Vmx, offset: number): boolean {
  return vmx.secondary(Secondary.APIC_REGISTER_VIRTUALIZATION) ? READABLE.has(offset >>> 4) : offset === ApicRegister.TPR;
}

function virtualizesWrite(vmx: Vmx, offset: number): boolean {
  if (vmx.secondary(Secondary.APIC_REGISTER_VIRTUALIZATION)) return WRITABLE.has(offset >>> 4);
  if (offset === ApicRegister.TPR) return true;
  const delivers = vmx.secondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY);
  return offset === ApicRegister.ICR_LOW ? delivers || virtualizesIpis(vmx) : delivers && offset === ApicRegister.EOI;
}

/** Inside the low four bytes of a 16-byte region. */
const isRegister = (offset: number, size: number): boolean => (offset & 15) + size <= 4;

function virtualizes(vmx: Vmx, offset: number, size: number, access: number): boolean {
  if (!vmx.primary(Primary.TPR_SHADOW) || (access & ACCESS_FETCH) !== 0 || !isRegister(offset, size)) return false;
  const s = vmx.state;
  const written = s.get32(Private.TRAP_PENDING) & Pending.APIC_WRITE;
  if (access & ACCESS_READ && (written !== 0 || !virtualizesRead(vmx, offset))) return false;
  if ((access & ACCESS_WRITE) === 0) return true;
  // The operation may write once, or the same place again.
  return (written === 0 || s.get32(Private.APIC_WRITE) === (offset | (size << 12))) && virtualizesWrite(vmx, offset);
}

const delivering = (vmx: Vmx): boolean => vmx.state.get32(Private.DELIVERING) >>> 31 !== 0;

function typeOf(vmx: Vmx, access: number): number {
  if (delivering(vmx)) return ApicAccessType.DELIVERY;
  if (access & ACCESS_FETCH) return ApicAccessType.FETCH;
  return access & ACCESS_WRITE ? ApicAccessType.WRITE : ApicAccessType.READ;
}

function ask(fault: Fault, type: number, offset: number): void {
  fault.kind = 'second-level';
  fault.address = 0n;
  fault.detail = new ApicAccess(type, offset);
}

/** A linear access: see Intercepts.apicAccess. */
export function apicAccess(vmx: Vmx, offset: number, size: number, whole: boolean, access: number, fault: Fault): number {
  if (!whole || !virtualizes(vmx, offset, size, access)) {
    ask(fault, typeOf(vmx, access), offset);
    return -1;
  }
  if (access & ACCESS_WRITE) {
    const s = vmx.state;
    s.set32(Private.APIC_WRITE, offset | (size << 12));
    s.set32(Private.TRAP_PENDING, s.get32(Private.TRAP_PENDING) | Pending.APIC_WRITE);
    vmx.cpu.requestAttention();
  }
  return Math.floor(vmx.vmcs.address(VIRTUAL_APIC_ADDRESS) / 0x1000);
}

/** A guest-physical access: a paging structure of the guest lies on the page. */
export function askForPhysicalAccess(vmx: Vmx, fault: Fault): void {
  ask(fault, delivering(vmx) ? ApicAccessType.PHYSICAL_DELIVERY : ApicAccessType.PHYSICAL, 0);
}

/** The APIC-access exit that a fault asks for; RIP is that of the instruction. */
export function exitForApicAccess(vmx: Vmx, { type, offset }: ApicAccess): void {
  const byInstruction = type === ApicAccessType.READ || type === ApicAccessType.WRITE;
  // The instruction will be restarted: RF keeps its instruction breakpoint from being hit twice.
  if (!delivering(vmx)) vmx.state.set32(Offset.FLAGS, vmx.state.get32(Offset.FLAGS) | RF);
  performExit(vmx, Reason.APIC_ACCESS, { qualification: BigInt(offset | (type << 12)) }, byInstruction ? faultingLength(vmx) : undefined);
}

/** Bits of ICR_LOW of which a self-IPI has none: reserved, delivery status, level trigger, delivery mode. */
const NO_SELF_IPI = 0xfff3_b700 | 0;
const SHORTHAND = 3 << 18;
const SHORTHAND_SELF = 1 << 18;

/** APIC-write emulation: what follows the operation that wrote to the page. */
export function emulateApicWrite(vmx: Vmx): void {
  const s = vmx.state;
  s.set32(Private.TRAP_PENDING, s.get32(Private.TRAP_PENDING) & ~Pending.APIC_WRITE);
  const offset = s.get32(Private.APIC_WRITE) & 0xfff;
  const delivers = vmx.secondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY);
  switch (offset) {
    case ApicRegister.TPR:
      writeApic(vmx, ApicRegister.TPR, readApic(vmx, ApicRegister.TPR) & 0xff);
      return virtualizeTpr(vmx);
    case ApicRegister.EOI:
      if (!delivers) break;
      writeApic(vmx, ApicRegister.EOI, 0);
      return virtualizeEoi(vmx);
    case ApicRegister.ICR_LOW: {
      const command = readApic(vmx, ApicRegister.ICR_LOW);
      const toSelf = (command & NO_SELF_IPI) === 0 && (command & SHORTHAND) === SHORTHAND_SELF && (command & 0xf0) !== 0;
      if (delivers && toSelf) return virtualizeSelfIpi(vmx, command & 0xff);
      if (virtualizesIpis(vmx) && sendVirtualIpi(vmx, command, readApic(vmx, ApicRegister.ICR_HIGH) >>> 24)) return;
      break;
    }
    default:
      if (offset < ApicRegister.ICR_HIGH || offset > ApicRegister.ICR_HIGH + 3) break;
      writeApic(vmx, ApicRegister.ICR_HIGH, readApic(vmx, ApicRegister.ICR_HIGH) & 0xff00_0000);
      return;
  }
  exitAfterInstruction(vmx, Reason.APIC_WRITE, offset);
}
