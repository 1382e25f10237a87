/**
 * Virtual interrupts of programs without the privilege to change RFLAGS.IF (SDM volume 3, "Virtual-8086 Mode
 * Extensions" and "Protected-Mode Virtual Interrupts"): with CR4.VME in virtual-8086 mode, and with CR4.PVI at CPL 3,
 * RFLAGS.VIF stands in for IF; with CR4.VME the TSS says which software interrupts a program handles itself.
 */
import { Cr4 } from '../controlBits';
import { Vector } from '../fault';
import { IF, IOPL, NT, readFlags, STATUS_FLAGS, DF, TF, VIF, VIP, writeFlags } from '../flags';
import { readLinear } from '../mmu/linear';
import type { Processor } from '../processor';
import { type CpuState, Offset, Seg } from '../state';
import { ioplOf, isProtected, isVirtual8086 } from './mode';
import { setRealSegment } from './segments';
import { Stack } from './stack';

/** What POPF and IRET of such a program take from the stack besides IF. */
const TAKEN = STATUS_FLAGS | DF | NT;
/** Offset in the TSS of the word that says where its I/O permission map begins; the redirection map is below that. */
const IO_MAP_BASE = 0x66;
const REDIRECTION_BYTES = 32;

/** CR4.VME in virtual-8086 mode below IOPL 3. */
export const hasVirtualFlag = (s: CpuState): boolean => (s.cr4 & Cr4.VME) !== 0 && isVirtual8086(s) && ioplOf(s) < 3;

/** CLI or STI of a program whose IF is VIF. Returns false for every other program. */
export function changeVirtualFlag(cpu: Processor, set: boolean): boolean {
  const s = cpu.state;
  const byPvi = (s.cr4 & Cr4.PVI) !== 0 && isProtected(s) && !isVirtual8086(s) && s.cpl === 3 && ioplOf(s) < 3;
  if (!hasVirtualFlag(s) && !byPvi) return false;
  const flags = readFlags(s);
  if (set && flags & VIP) throw cpu.fault.exception(Vector.GP, 0);
  writeFlags(s, set ? flags | VIF : flags & ~VIF);
  return true;
}

/** The 16 flags as such a program sees them: IOPL 3, and VIF as IF. */
export const flagsWithVirtualIf = (flags: number): number => (flags & 0xffff & ~IF) | IOPL | (flags & VIF ? IF : 0);

/** POPF or IRET with an operand of 16 bits: IF goes to VIF. */
export function takeFlagsWithVirtualIf(cpu: Processor, value: number): void {
  const flags = readFlags(cpu.state);
  if (value & TF || (value & IF && flags & VIP)) throw cpu.fault.exception(Vector.GP, 0);
  writeFlags(cpu.state, (flags & ~(TAKEN | VIF)) | (value & TAKEN) | (value & IF ? VIF : 0));
}

/** Whether INT n in virtual-8086 mode goes to the program's own handler: CR4.VME, and bit n of the redirection map is 0. */
export function isRedirected(cpu: Processor, vector: number): boolean {
  const s = cpu.state;
  if (!(s.cr4 & Cr4.VME)) return false;
  const read = (offset: number, size: number): number => {
    if (offset < 0 || offset + size - 1 > s.limit(Seg.TR)) throw cpu.fault.exception(Vector.GP, 0);
    return Number(readLinear(cpu, s.segBase(Seg.TR) + BigInt(offset), size, true));
  };
  const map = read(IO_MAP_BASE, 2) - REDIRECTION_BYTES;
  return ((read(map + (vector >>> 3), 1) >>> (vector & 7)) & 1) === 0;
}

/** INT n through the vector table at linear address 0 of a virtual-8086 program. */
export function deliverRedirected(cpu: Processor, vector: number, returnRip: bigint): void {
  const s = cpu.state;
  const flags = readFlags(s);
  const virtual = ioplOf(s) < 3;
  const entry = Number(readLinear(cpu, BigInt(vector * 4), 4));
  const stack = Stack.current(cpu);
  stack.push(BigInt(virtual ? flagsWithVirtualIf(flags) : flags & 0xffff), 2);
  stack.push(BigInt(s.selector(Seg.CS)), 2);
  stack.push(returnRip & 0xffffn, 2);
  stack.commit();
  setRealSegment(s, Seg.CS, entry >>> 16);
  s.rip = BigInt(entry & 0xffff);
  writeFlags(s, flags & ~(TF | (virtual ? VIF : IF)));
  s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) & ~3);
}
