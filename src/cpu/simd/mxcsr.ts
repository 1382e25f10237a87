/** MXCSR (SDM volume 1, "MXCSR Control and Status Register") and what generated code derives from it. */
import { type CpuState, Offset } from '../state';

/** Exception flags; their masks lie 7 bits higher. */
export const Mxcsr = {
  IE: 1 << 0,
  DE: 1 << 1,
  ZE: 1 << 2,
  OE: 1 << 3,
  UE: 1 << 4,
  PE: 1 << 5,
  DAZ: 1 << 6,
  PM: 1 << 12,
  /** Rounding control: 0 nearest, 1 down, 2 up, 3 toward zero. */
  RC: 3 << 13,
  FTZ: 1 << 15,
} as const;
export const MXCSR_FLAGS = 0x3f;
export const MASK_SHIFT = 7;
export const RC_SHIFT = 13;
/** Bits that may be 1: also what FXSAVE reports as MXCSR_MASK. */
export const MXCSR_DEFINED = 0xffff;
export const MXCSR_AT_RESET = 0x1f80;

/** Values of Offset.SIMD_FLOAT. */
export const SimdFloat = {
  /** Rounding is not to nearest: TypeScript computes. */
  SLOW: 0,
  /** PE is set and masked: an inexact result changes nothing. */
  INEXACT: 1,
  /** PE is clear (or unmasked): only exact results are generated code's. */
  EXACT: 2,
} as const;

export const readMxcsr = (s: CpuState): number => s.get32(Offset.MXCSR);

/** Writes MXCSR (no reserved bit set) and derives how generated code may compute. */
export function writeMxcsr(s: CpuState, value: number): void {
  s.set32(Offset.MXCSR, value);
  const inexactSilent = (value & (Mxcsr.PE | Mxcsr.PM)) === (Mxcsr.PE | Mxcsr.PM);
  s.set32(Offset.SIMD_FLOAT, value & Mxcsr.RC ? SimdFloat.SLOW : inexactSilent ? SimdFloat.INEXACT : SimdFloat.EXACT);
}
