/**
 * REP MOVS and REP STOS as kernels and loaders use them: 64-bit code and addresses, or 32-bit addresses in flat segments;
 * plain RAM, MOVS in either direction, STOS upwards. Everything else is left to stringOperations.ts. It is hot, so there is no bigint.
 */
import { join64 } from '../../base/bits';
import { type Instruction, Prefix } from '../decode/instruction';
import { DF, RF } from '../flags';
import { plainHost } from '../mmu/linear';
import { lookup } from '../mmu/tlb';
import type { Processor } from '../processor';
import { type CpuState, Gpr, Offset, Seg, Segment, SEGMENT_STRIDE } from '../state';

/** After so many elements a repeated instruction stops, to go on when it is executed again: Pause must get through. */
export const LONGEST_RUN = 1_000_000;

/** Whether a segment of 16- or 32-bit code begins at 0 and forbids nothing. */
function isFlat(s: CpuState, segment: number): boolean {
  const cache = Offset.SEGMENTS + segment * SEGMENT_STRIDE;
  return s.get32(cache + Segment.FLAT) !== 0 && s.get32(cache + Segment.BASE) === 0;
}

/** Whether addresses are registers: of 64 bits, or of 32 with nothing above. */
function isLinear(s: CpuState, insn: Instruction): boolean {
  if (insn.codeSize === 64) return insn.addressSize === 8 && insn.segment !== Seg.FS && insn.segment !== Seg.GS;
  if (insn.addressSize !== 4 || !isFlat(s, Seg.ES) || !isFlat(s, insn.segment)) return false;
  return s.high(Offset.GPR + Gpr.RSI * 8) === 0 && s.high(Offset.GPR + Gpr.RDI * 8) === 0;
}

/** Whether the instruction and the state are of the simple kind. */
function isSimple(cpu: Processor, insn: Instruction): boolean {
  const s = cpu.state;
  if (!(insn.prefixes & (Prefix.REP | Prefix.REPNE)) || !isLinear(s, insn)) return false;
  return !cpu.stepping && s.high(Offset.GPR + Gpr.RCX * 8) === 0;
}

/** Stops between two iterations: the instruction goes on when it is executed again. RF keeps its instruction breakpoint from being hit twice. */
export function pauseRepetition(cpu: Processor): void {
  const s = cpu.state;
  s.rip = cpu.instructionRip;
  s.set32(Offset.FLAGS, s.get32(Offset.FLAGS) | RF);
  cpu.requestAttention();
}

/**
 * Host address of `bytes` bytes, the first of them `before` bytes in front of a register's linear address, or 0 where
 * accesses have to be made singly. Throws the fault, which is that of the register's element. Those that will be written are told.
 */
function hostOf(cpu: Processor, register: number, write: boolean, bytes: number, before: number): number {
  const s = cpu.state;
  const low = s.reg32(register);
  const high = s.high(Offset.GPR + register * 8);
  const hit = lookup(cpu, low - before, high, bytes, write);
  if (hit !== 0) return hit;
  if (before === 0) return plainHost(cpu, join64(low, high), write, bytes, write);
  return plainHost(cpu, join64(low, high), write, bytes - before) && lookup(cpu, low - before, high, bytes, write);
}

/** Elements of `size` bytes from a register's address to the end of its page, or down to its beginning. */
function roomAt(s: CpuState, register: number, size: number, down: boolean): number {
  const offset = s.reg32(register) & 0xfff;
  if (!down) return Math.floor((0x1000 - offset) / size);
  return offset + size > 0x1000 ? 0 : Math.floor(offset / size) + 1;
}

/** Moves an address by less than 4 GiB either way. */
function add(s: CpuState, insn: Instruction, register: number, bytes: number): void {
  const at = Offset.GPR + register * 8;
  const sum = s.reg32(register) + bytes;
  s.set32(at, sum);
  if (insn.codeSize !== 64) return;
  if (sum < 0) s.set32(at + 4, s.high(at) - 1);
  else if (sum > 0xffff_ffff) s.set32(at + 4, s.high(at) + 1);
}

/** Moves what can be moved page by page. Returns whether nothing is left to do now; the registers say how far it came. */
export function moveRuns(cpu: Processor, insn: Instruction, size: number): boolean {
  if (!isSimple(cpu, insn)) return false;
  const s = cpu.state;
  const { u8 } = cpu.views;
  const down = (s.get32(Offset.FLAGS) & DF) !== 0;
  const start = s.reg32(Gpr.RCX);
  for (let count = start; count !== 0; ) {
    if (start - count >= LONGEST_RUN) {
      pauseRepetition(cpu);
      return true;
    }
    const elements = Math.min(count, roomAt(s, Gpr.RSI, size, down), roomAt(s, Gpr.RDI, size, down));
    if (elements === 0) return false;
    const bytes = elements * size;
    const before = down ? bytes - size : 0;
    const source = hostOf(cpu, Gpr.RSI, false, bytes, before);
    const destination = source === 0 ? 0 : hostOf(cpu, Gpr.RDI, true, bytes, before);
    // A destination shortly ahead of the source repeats what was just written.
    const ahead = down ? source - destination : destination - source;
    if (destination === 0 || (ahead > 0 && ahead < bytes)) return false;
    u8.copyWithin(destination, source, source + bytes);
    add(s, insn, Gpr.RSI, down ? -bytes : bytes);
    add(s, insn, Gpr.RDI, down ? -bytes : bytes);
    count -= elements;
    s.set32(Offset.GPR + Gpr.RCX * 8, count);
  }
  return true;
}

/** The same for STOS. */
export function storeRuns(cpu: Processor, insn: Instruction, size: number): boolean {
  if (!isSimple(cpu, insn) || cpu.state.get32(Offset.FLAGS) & DF) return false;
  const s = cpu.state;
  const { u8, u16, u32 } = cpu.views;
  const low = s.reg32(Gpr.RAX);
  const high = s.high(Offset.GPR + Gpr.RAX * 8);
  if (size === 8 && low !== high) return false;
  const start = s.reg32(Gpr.RCX);
  for (let count = start; count !== 0; ) {
    if (start - count >= LONGEST_RUN) {
      pauseRepetition(cpu);
      return true;
    }
    const elements = Math.min(count, roomAt(s, Gpr.RDI, size, false));
    if (elements === 0) return false;
    const bytes = elements * size;
    const at = hostOf(cpu, Gpr.RDI, true, bytes, 0);
    if (at === 0 || at % Math.min(size, 4) !== 0) return false;
    if (size === 1) u8.fill(low, at, at + bytes);
    else if (size === 2) u16.fill(low, at >>> 1, (at + bytes) >>> 1);
    else u32.fill(low, at >>> 2, (at + bytes) >>> 2);
    add(s, insn, Gpr.RDI, bytes);
    count -= elements;
    s.set32(Offset.GPR + Gpr.RCX * 8, count);
  }
  return true;
}
