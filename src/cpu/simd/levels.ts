/**
 * The generations of SIMD instructions, each announced by one feature. Generated code tests an instruction's bit in
 * Offset.SIMD_DISABLED before anything else: one load that stands for CR0.EM, CR0.TS, CR4.OSFXSR and CPUID together.
 */
import { Cr0, Cr4 } from '../controlBits';
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
} as const;
export type SimdFeature = keyof typeof SIMD_LEVEL;

const ALL_LEVELS = Object.values(SIMD_LEVEL).reduce((all, bit) => all | bit, 0);

/** The generations that a processor with these features does not have. */
export function withheldLevels(features: Features): number {
  let withheld = 0;
  for (const [name, bit] of Object.entries(SIMD_LEVEL)) if (!features.has(name)) withheld |= bit;
  return withheld;
}

/** Recomputes Offset.SIMD_DISABLED after CR0 or CR4 changed (SDM volume 3, "Enabling SSE"). */
export function deriveSimd(s: CpuState, withheld: number): void {
  const off = (s.cr0 & (Cr0.EM | Cr0.TS)) !== 0 || (s.cr4 & Cr4.OSFXSR) === 0;
  s.set32(Offset.SIMD_DISABLED, off ? ALL_LEVELS : withheld);
}
