/**
 * IRETQ as kernels use it many times a second: from 64-bit mode to 64-bit mode, everything present and in the TLB. It makes
 * the same checks as interruptReturn.ts on 32-bit numbers; where one does not pass it says so with nothing changed, and
 * the general way tells what is wrong.
 */
import { NT, readFlags, VM, writeFlags } from '../flags';
import { lookup } from '../mmu/tlb';
import type { Processor } from '../processor';
import { ACCESS_UNUSABLE, type CpuState, Gpr, Offset, Seg, Segment, SEGMENT_STRIDE } from '../state';
import { Access, dplOf, is64, setCpl } from './mode';
import { dropInnerSegments } from './segments';

const FRAME_BYTES = 40;
const BLOCKING_NMI = 8;
/** Rights that a code segment must have, of those that are asked: present, code, 64-bit. */
const CODE_MASK = Access.P | Access.S | Access.CODE | Access.CONFORMING | Access.L | Access.DB | Access.ACCESSED;
const CODE_RIGHTS = Access.P | Access.S | Access.CODE | Access.L | Access.ACCESSED;
const DATA_MASK = Access.P | Access.S | Access.CODE | Access.WRITABLE | Access.ACCESSED;
const DATA_RIGHTS = Access.P | Access.S | Access.WRITABLE | Access.ACCESSED;

/** Index in u32 of a GDT descriptor that the TLB has, or 0. */
function descriptorAt(cpu: Processor, selector: number): number {
  const s = cpu.state;
  if (selector & 4 || (selector & 0xfff8) + 7 > s.get32(Offset.GDTR_LIMIT)) return 0;
  const low = s.get32(Offset.GDTR_BASE) + (selector & 0xfff8);
  if (low > 0xffff_ffff || low & 7) return 0;
  return lookup(cpu, low, s.high(Offset.GDTR_BASE), 8, false) >>> 2;
}

const canonical = (high: number): boolean => (high | 0) >> 15 === 0 || (high | 0) >> 15 === -1;

/** Fills a segment register from a descriptor's halves. */
function setSegment(s: CpuState, seg: number, selector: number, low: number, high: number): void {
  const access = (high >>> 8) & 0xf0ff;
  const raw = (low & 0xffff) | (high & 0xf_0000);
  const base = Offset.SEGMENTS + seg * SEGMENT_STRIDE + Segment.BASE;
  s.setSelector(seg, selector);
  s.setAccess(seg, access);
  s.setLimit(seg, access & Access.G ? ((raw << 12) | 0xfff) >>> 0 : raw);
  s.set32(base, ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)) >>> 0);
  s.set32(base + 4, 0);
}

/** Returns whether it was done. `mask` are the flags that IRET takes at the present privilege. */
export function returnQuickly(cpu: Processor, mask: number): boolean {
  const s = cpu.state;
  const { u32 } = cpu.views;
  // At CPL 3 the tables are not in the bank in use.
  if (s.cpl === 3 || !is64(s) || s.get32(Offset.FLAGS) & NT || s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_NMI) return false;
  const top = s.reg32(Gpr.RSP);
  if (top & 7) return false;
  const frame = lookup(cpu, top, s.high(Offset.GPR + Gpr.RSP * 8), FRAME_BYTES, false) >>> 2;
  if (frame === 0) return false;
  const ripHigh = u32[frame + 1]!;
  const cs = u32[frame + 2]! & 0xffff;
  const flags = u32[frame + 4]!;
  const ss = u32[frame + 8]! & 0xffff;
  const rpl = cs & 3;
  if (!canonical(ripHigh) || flags & VM || rpl < s.cpl || (ss & 3) !== rpl) return false;

  const code = descriptorAt(cpu, cs);
  if (code === 0 || (cs & 0xfffc) === 0) return false;
  const codeHigh = u32[code + 1]!;
  const codeRights = (codeHigh >>> 8) & 0xf0ff;
  if ((codeRights & CODE_MASK) !== CODE_RIGHTS || dplOf(codeRights) !== rpl) return false;
  const noStack = (ss & 0xfffc) === 0;
  if (noStack && rpl === 3) return false;
  const stack = noStack ? 0 : descriptorAt(cpu, ss);
  const stackRights = stack === 0 ? 0 : (u32[stack + 1]! >>> 8) & 0xf0ff;
  if (!noStack && (stack === 0 || (stackRights & DATA_MASK) !== DATA_RIGHTS || dplOf(stackRights) !== rpl)) return false;

  const outer = rpl > s.cpl;
  s.set32(Offset.RIP, u32[frame]!);
  s.set32(Offset.RIP + 4, ripHigh);
  s.set32(Offset.GPR + Gpr.RSP * 8, u32[frame + 6]!);
  s.set32(Offset.GPR + Gpr.RSP * 8 + 4, u32[frame + 7]!);
  setSegment(s, Seg.CS, cs, u32[code]!, codeHigh);
  s.set32(Offset.CPL, rpl);
  if (noStack) {
    setSegment(s, Seg.SS, ss, 0, 0);
    s.setAccess(Seg.SS, ACCESS_UNUSABLE);
  } else setSegment(s, Seg.SS, ss, u32[stack]!, u32[stack + 1]!);
  setCpl(s, rpl);
  if (outer) dropInnerSegments(s);
  writeFlags(s, (readFlags(s) & ~mask) | (flags & mask));
  cpu.stateChanged();
  return true;
}
