/**
 * The generations of SIMD instructions, each announced by one feature. Generated code tests an instruction's bit in
 * Offset.SIMD_DISABLED before anything else: one load that stands for CR0.EM, CR0.TS, CR4.OSFXSR and CPUID together.
 */
import { Value } from '../../wasm/value';
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

/**
 * Code for Offset.SIMD_DISABLED, which depends on CR0, CR4, XCR0 and the mode (SDM volume 3, "Enabling SSE"). `word` loads
 * one of the state, `vex` is 1 where VEX prefixes exist, `withheld` the generations that the processor does not have.
 */
export function simdDisabled(word: (offset: number) => Value, vex: Value, withheld: Value): Value {
  const sse = word(Offset.CR0).and(Cr0.EM | Cr0.TS).or(word(Offset.CR4).and(Cr4.OSFXSR).eqz()).eqz();
  const enabled = vex.and(word(Offset.CR4).and(Cr4.OSXSAVE).eqz().eqz()).and(word(Offset.XCR0).and(XCR0_AVX).eq(XCR0_AVX));
  const avx = enabled.and(word(Offset.CR0).and(Cr0.TS).eqz());
  const off = (exists: Value, levels: number): Value => Value.select(exists, withheld.and(levels), Value.i32(levels));
  return off(sse, SSE_LEVELS).or(off(avx, SIMD_LEVEL.avx)).or(Value.select(vex, Value.i32(0), Value.i32(SIMD_LEVEL.vex)));
}
