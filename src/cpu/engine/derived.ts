/** What follows from the architectural state and is kept beside it so that generated code need not work it out. */
import { Cr0, Cr4, Efer } from '../controlBits';
import type { CodeSize } from '../decode/instruction';
import { AC, VM } from '../flags';
import { Permitted } from '../isa/permitted';
import type { Features } from '../processor';
import { deriveSimd } from '../simd/levels';
import { ACCESS_UNUSABLE, type CpuState, Offset, Seg, Segment, SEGMENT_STRIDE } from '../state';

const TYPE_EXPAND_DOWN = 4;
const TYPE_CODE = 8;
const TYPE_WRITABLE = 2;
const ACCESS_L = 1 << 13;
const ACCESS_DB = 1 << 14;
const ACCESS_PRESENT = 1 << 7;
const NON_ROOT = 2;

/** Code size by CS.L and CS.D. */
function codeSizeOf(s: CpuState): CodeSize {
  const cs = s.access(Seg.CS);
  const protectedMode = (s.cr0 & Cr0.PE) !== 0 && (s.get32(Offset.FLAGS) & VM) === 0;
  if (protectedMode && s.efer & Efer.LMA && cs & ACCESS_L) return 64;
  return cs & ACCESS_DB ? 32 : 16;
}

/** No access through the segment can violate its type or limit. */
function isFlat(access: number, limit: number): boolean {
  const usable = (access & ACCESS_UNUSABLE) === 0 && (access & ACCESS_PRESENT) !== 0;
  const writableData = (access & (TYPE_CODE | TYPE_EXPAND_DOWN | TYPE_WRITABLE)) === TYPE_WRITABLE;
  return usable && writableData && limit === 0xffff_ffff;
}

/** Whether unaligned accesses raise #AC: CPL 3 with CR0.AM and RFLAGS.AC. */
export const alignmentChecked = (s: CpuState): boolean => s.cpl === 3 && (s.get32(Offset.FLAGS) & AC) !== 0 && (s.cr0 & Cr0.AM) !== 0;

/** The bits of isa/permitted.ts that a processor with these features can have at all. */
export const announcedInstructions = (features: Features): number =>
  (features.has('tsc') ? Permitted.RDTSC : 0) | (features.has('tsc') && features.has('rdtscp') ? Permitted.RDTSCP : 0) | (features.has('syscall') ? Permitted.SYSCALL | Permitted.SYSRET : 0) | Permitted.PAUSE | Permitted.SWAPGS | Permitted.IRET;

export const TIMESTAMPS = Permitted.RDTSC | Permitted.RDTSCP;
const CHANGES_OF_PRIVILEGE = Permitted.SYSCALL | Permitted.SYSRET;
const CPL0_ONLY = Permitted.SYSRET | Permitted.SWAPGS | Permitted.IRET;
const LONG_MODE_ONLY = CHANGES_OF_PRIVILEGE | Permitted.SWAPGS | Permitted.IRET;

/** What generated code may execute of isa/permitted.ts at CPL 0. In VMX non-root operation the controls decide about PAUSE, and `announced` has the time stamps that they leave. */
export function permittedAtCpl0(s: CpuState, codeSize: CodeSize, announced: number): number {
  let bits = announced;
  if (s.get32(Offset.VMX_MODE) === NON_ROOT) bits &= ~Permitted.PAUSE;
  if (codeSize !== 64) bits &= ~LONG_MODE_ONLY;
  if (!(s.efer & Efer.SCE)) bits &= ~CHANGES_OF_PRIVILEGE;
  return bits;
}

/** What of that is left at the other privilege levels. */
export const permittedAbove = (s: CpuState, atCpl0: number): number => atCpl0 & ~(s.cr4 & Cr4.TSD ? TIMESTAMPS | CPL0_ONLY : CPL0_ONLY);

/** Recomputes CS_BASE, SP_MASK, CODE_MODE, SIMD_DISABLED and the segments' FLAT; yields the code size. It runs at every change of mode: no calls where indices do. */
export function deriveState(s: CpuState, withheldSimd: number): CodeSize {
  const codeSize = codeSizeOf(s);
  const long = codeSize === 64;
  const { u32 } = s;
  const base = s.base >>> 2;
  const csBase = base + ((Offset.SEGMENTS + Seg.CS * SEGMENT_STRIDE + Segment.BASE) >>> 2);
  u32[base + (Offset.CODE_MODE >>> 2)] = codeSize;
  u32[base + (Offset.CS_BASE >>> 2)] = long ? 0 : u32[csBase]!;
  u32[base + (Offset.CS_BASE >>> 2) + 1] = long ? 0 : u32[csBase + 1]!;
  u32[base + (Offset.SP_MASK >>> 2)] = long || s.access(Seg.SS) & ACCESS_DB ? 0xffff_ffff : 0xffff;
  u32[base + (Offset.SP_MASK >>> 2) + 1] = long ? 0xffff_ffff : 0;
  for (let seg: number = Seg.ES, at = base + (Offset.SEGMENTS >>> 2); seg <= Seg.GS; seg++, at += SEGMENT_STRIDE >>> 2) {
    u32[at + (Segment.FLAT >>> 2)] = isFlat(u32[at + (Segment.ACCESS >>> 2)]!, u32[at + (Segment.LIMIT >>> 2)]!) ? 1 : 0;
  }
  u32[base + ((Offset.NO_SEGMENT + Segment.FLAT) >>> 2)] = 1;
  deriveSimd(s, withheldSimd);
  return codeSize;
}
