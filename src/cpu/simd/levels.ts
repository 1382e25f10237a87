/**
 * The generations of SIMD instructions, each announced by one feature. Generated code tests an instruction's bit in
 * Offset.SIMD_DISABLED before anything else: one load that stands for CR0.EM, CR0.TS, CR4.OSFXSR and CPUID together.
 */
import { Cr0, Cr4 } from '../controlBits';
import { VM } from '../flags';
import type { Features } from '../processor';
import { type CpuState, Offset } from '../state';

/** Bit of each generation, by the name of its feature. */
export const SIMD_LEVEL = {
  sse: 1 << 0,
  sse2: 1 << 1,
  sse3: 1 << 2,
  ssse3: 1 << 3,
  'sse4-1': 1 << 4,
  'sse4-2': 1 << 5,
  aes: 1 << 6,
  pclmulqdq: 1 << 7,
  sha: 1 << 8,
  /** All VEX-encoded vector instructions: what else they need, their feature, is looked at when they are decoded. */
  avx: 1 << 9,
  /** VEX-encoded instructions on general-purpose registers: they do not exist in real-address and virtual-8086 mode. */
  vex: 1 << 10,
} as const;
export type SimdFeature = Exclude<keyof typeof SIMD_LEVEL, 'vex'>;

const SSE_LEVELS = SIMD_LEVEL.avx - 1;

/** The generations that a processor with these features does not have. */
export function withheldLevels(features: Features): number {
  let withheld = 0;
  for (const [name, bit] of Object.entries(SIMD_LEVEL)) if (name !== 'vex' && !features.has(name)) withheld |= bit;
  return withheld;
}

/** SSE and AVX state in XCR0. */
const XCR0_AVX = 6;

/** VEX prefixes exist in protected mode only. */
const vexExists = (s: CpuState): boolean => (s.cr0 & Cr0.PE) !== 0 && (s.get32(Offset.FLAGS) & VM) === 0;

/** VEX-encoded vector instructions are enabled, but for CR0.TS: protected mode, CR4.OSXSAVE, XCR0 (SDM volume 1, "Detection of AVX Instructions"). */
export const avxEnabled = (s: CpuState): boolean =>
  vexExists(s) && (s.cr4 & Cr4.OSXSAVE) !== 0 && (s.get32(Offset.XCR0) & XCR0_AVX) === XCR0_AVX;

/** Recomputes Offset.SIMD_DISABLED after CR0, CR4, XCR0 or the mode changed (SDM volume 3, "Enabling SSE"). */
export function deriveSimd(s: CpuState, withheld: number): void {
  const off = (s.cr0 & (Cr0.EM | Cr0.TS)) !== 0 || (s.cr4 & Cr4.OSFXSR) === 0;
  const avxOff = (s.cr0 & Cr0.TS) !== 0 || !avxEnabled(s);
  s.set32(Offset.SIMD_DISABLED, (off ? SSE_LEVELS : withheld & SSE_LEVELS) | (avxOff ? SIMD_LEVEL.avx : withheld & SIMD_LEVEL.avx) | (vexExists(s) ? 0 : SIMD_LEVEL.vex));
}
