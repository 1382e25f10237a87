/**
 * The 80-bit double extended-precision format (SDM volume 1, "Floating-Point Data Types" and "Real Numbers and
 * Floating-Point Formats"): sign, 15-bit biased exponent, 64-bit significand with an explicit integer bit.
 */

export interface Extended {
  /** 0 or 1. */
  readonly sign: number;
  /** Biased by BIAS; 0 to 0x7fff. */
  readonly exponent: number;
  readonly significand: bigint;
  /** Widened from a denormal of a shorter format: normal here, but it raises #D as the denormal that it was. */
  readonly denormal?: boolean;
}

export const BIAS = 16383;
export const EXPONENT_MAX = 0x7fff;
/** Weight of the significand's bit 0 is 2^(exponent - BIAS - 63). */
export const FRACTION_BITS = 63;
export const INTEGER_BIT = 1n << 63n;
export const QUIET_BIT = 1n << 62n;
const FRACTION = INTEGER_BIT - 1n;

export const Class = { ZERO: 0, NORMAL: 1, DENORMAL: 2, INFINITY: 3, QNAN: 4, SNAN: 5, UNSUPPORTED: 6 } as const;

export const extended = (sign: number, exponent: number, significand: bigint): Extended => ({ sign, exponent, significand });
export const zero = (sign: number): Extended => extended(sign, 0, 0n);
export const infinity = (sign: number): Extended => extended(sign, EXPONENT_MAX, INTEGER_BIT);
export const one = (sign: number): Extended => extended(sign, BIAS, INTEGER_BIT);
/** What masked invalid operations yield: the real indefinite. */
export const INDEFINITE: Extended = extended(1, EXPONENT_MAX, INTEGER_BIT | QUIET_BIT);

/** Pseudo-denormals (exponent 0, integer bit 1) count as denormals; unnormals, pseudo-NaNs and pseudo-infinities are unsupported. */
export function classOf(x: Extended): number {
  const { exponent, significand } = x;
  if (exponent === 0) return significand === 0n ? Class.ZERO : Class.DENORMAL;
  if (!(significand & INTEGER_BIT)) return Class.UNSUPPORTED;
  if (exponent !== EXPONENT_MAX) return x.denormal ? Class.DENORMAL : Class.NORMAL;
  if ((significand & FRACTION) === 0n) return Class.INFINITY;
  return significand & QUIET_BIT ? Class.QNAN : Class.SNAN;
}

export const isNan = (kind: number): boolean => kind === Class.QNAN || kind === Class.SNAN;
export const quiet = (x: Extended): Extended => extended(x.sign, x.exponent, x.significand | QUIET_BIT);
export const withSign = (x: Extended, sign: number): Extended => ({ ...x, sign });

/** Exponent e such that a finite value is significand x 2^e. */
export const scaleOf = (x: Extended): number => (x.exponent === 0 ? 1 : x.exponent) - BIAS - FRACTION_BITS;

/** Number of significant bits of a non-negative value. */
export function bitLength(value: bigint): number {
  let n = 0;
  while (value >> 64n) {
    value >>= 64n;
    n += 64;
  }
  const high = Number(value >> 32n);
  return n + (high ? 64 - Math.clz32(high) : 32 - Math.clz32(Number(value)));
}

/** A finite non-zero value as a significand with bit 63 set, times 2^scale. */
export function normalized(x: Extended): { significand: bigint; scale: number } {
  const shift = 64 - bitLength(x.significand);
  return { significand: x.significand << BigInt(shift), scale: scaleOf(x) - shift };
}

/** Exponent E of a finite non-zero value: 2^E <= |x| < 2^(E+1). */
export const exponentOf = (x: Extended): number => scaleOf(x) + bitLength(x.significand) - 1;
