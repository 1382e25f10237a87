/**
 * One numeric operation under way: the control word that it obeys, the exceptions that it raises, and the rounding of
 * its exact result with the masked or unmasked responses to overflow and underflow (SDM volume 1, "x87 FPU
 * Floating-Point Exception Conditions").
 */
import { BIAS, bitLength, type Extended, extended, EXPONENT_MAX, FRACTION_BITS, infinity } from './extended';
import { EXCEPTIONS, Exception, RoundingControl, Status } from './statusWord';

/** Exponent adjustment of the unmasked responses to overflow and underflow. */
export const EXPONENT_WRAP = 24576;
/** Significand bits by precision control. */
const PRECISIONS = [24, 64, 53, 64] as const;

export class Numeric {
  /** Exceptions raised, and STACK_FAULT. */
  raised = 0;
  /** C1: the result was rounded away from zero, or the stack overflowed. */
  c1 = false;
  /** An unmasked overflow or underflow adjusted the result's exponent. */
  wrapped = false;
  /** The operation does not touch C1 unless the stack faults. */
  keepsC1 = false;
  constructor(readonly control: number) {}

  get rounding(): number {
    return (this.control >>> 10) & 3;
  }
  get precision(): number {
    return PRECISIONS[(this.control >>> 8) & 3]!;
  }
  masked(exceptions: number): boolean {
    return (exceptions & ~this.control & EXCEPTIONS) === 0;
  }
  raise(exceptions: number): void {
    this.raised |= exceptions;
  }
  stackUnderflow(): void {
    this.raise(Exception.INVALID | Status.STACK_FAULT);
    this.c1 = false;
  }
  stackOverflow(): void {
    this.raise(Exception.INVALID | Status.STACK_FAULT);
    this.c1 = true;
  }
}

/** Shifts right by `bits` (left when negative) and rounds to an integer. */
export function roundShift(value: bigint, bits: number, sign: number, rounding: number): { value: bigint; inexact: boolean; up: boolean } {
  if (bits <= 0) return { value: value << BigInt(-bits), inexact: false, up: false };
  const n = BigInt(bits);
  const kept = value >> n;
  const rest = value - (kept << n);
  if (rest === 0n) return { value: kept, inexact: false, up: false };
  let up: boolean;
  if (rounding === RoundingControl.NEAREST) {
    const half = 1n << (n - 1n);
    up = rest > half || (rest === half && (kept & 1n) === 1n);
  } else up = rounding === (sign ? RoundingControl.DOWN : RoundingControl.UP);
  return { value: up ? kept + 1n : kept, inexact: true, up };
}

/** A binary format to round to: significand bits, exponents of its normal numbers, adjustment of the unmasked responses. */
export interface Format {
  precision: number;
  minimum: number;
  maximum: number;
}

export interface Rounded {
  /** Integer of at most `precision` bits; the value is significand x 2^scale. 0 after underflow to zero. */
  significand: bigint;
  scale: number;
  /** Overflow with a masked response of infinity. */
  infinite: boolean;
}

/**
 * Rounds value x 2^scale (value > 0) to a format. Raises overflow, underflow and precision and sets C1. `wrap`: the
 * exponent adjustment that unmasked overflow and underflow apply; without it they yield undefined (stores: nothing is
 * written).
 */
export function roundTo(env: Numeric, sign: number, value: bigint, scale: number, format: Format, wrap?: number): Rounded | undefined {
  const { precision, minimum, maximum } = format;
  const { rounding } = env;
  const length = bitLength(value);
  let rounded = roundShift(value, length - precision, sign, rounding);
  let result = { significand: rounded.value, scale: scale + length - precision, infinite: false };
  let exponent = scale + length - 1;
  if (rounded.value >> BigInt(precision)) {
    result = { significand: rounded.value >> 1n, scale: result.scale + 1, infinite: false };
    exponent++;
  }
  if (exponent < minimum) {
    if (!env.masked(Exception.UNDERFLOW)) {
      env.raise(Exception.UNDERFLOW);
      if (wrap === undefined) return undefined;
      result.scale += wrap;
      env.wrapped = true;
    } else {
      const lowest = minimum - precision + 1;
      rounded = roundShift(value, lowest - scale, sign, rounding);
      result = { significand: rounded.value, scale: lowest, infinite: false };
      if (rounded.inexact) env.raise(Exception.UNDERFLOW);
    }
  } else if (exponent > maximum) {
    env.raise(Exception.OVERFLOW);
    if (!env.masked(Exception.OVERFLOW)) {
      if (wrap === undefined) return undefined;
      result.scale -= wrap;
      env.wrapped = true;
    } else {
      env.raise(Exception.PRECISION);
      const away = rounding === RoundingControl.NEAREST || rounding === (sign ? RoundingControl.DOWN : RoundingControl.UP);
      env.c1 = away;
      return { significand: (1n << BigInt(precision)) - 1n, scale: maximum - precision + 1, infinite: away };
    }
  }
  if (rounded.inexact) env.raise(Exception.PRECISION);
  env.c1 = rounded.up;
  return result;
}

/** Rounds value x 2^scale (value > 0) to the extended format, with the precision control's or a given number of bits. */
export function roundExtended(env: Numeric, sign: number, value: bigint, scale: number, precision: number = env.precision): Extended {
  const rounded = roundTo(env, sign, value, scale, { precision, minimum: 1 - BIAS, maximum: BIAS }, EXPONENT_WRAP)!;
  if (rounded.infinite) return infinity(sign);
  if (rounded.significand === 0n) return extended(sign, 0, 0n);
  const shift = 64 - bitLength(rounded.significand);
  const exponent = rounded.scale - shift + FRACTION_BITS + BIAS;
  if (env.wrapped && (exponent < 1 || exponent >= EXPONENT_MAX)) {
    // Only FSCALE gets so far out that the adjusted exponent does not fit either.
    env.raise(Exception.PRECISION);
    env.c1 = exponent >= 1;
    return exponent < 1 ? extended(sign, 0, 0n) : infinity(sign);
  }
  if (exponent >= 1) return extended(sign, exponent, rounded.significand << BigInt(shift));
  return extended(sign, 0, rounded.significand << BigInt(rounded.scale - (1 - BIAS - FRACTION_BITS)));
}

/** An exact zero: negative only when rounding down. */
export const zeroSign = (env: Numeric): number => (env.rounding === RoundingControl.DOWN ? 1 : 0);
