/** Conversions between the extended format and those in memory: single, double, integers, packed BCD. */
import { BIAS, bitLength, Class, classOf, type Extended, extended, EXPONENT_MAX, FRACTION_BITS, INTEGER_BIT, isNan, scaleOf, zero } from './extended';
import { nanOf } from './nan';
import { type Numeric, roundShift, roundTo } from './numeric';
import { Exception } from './statusWord';

interface Binary {
  bits: number;
  fraction: number;
  bias: number;
}
const SINGLE: Binary = { bits: 32, fraction: 23, bias: 127 };
const DOUBLE: Binary = { bits: 64, fraction: 52, bias: 1023 };
const formatOf = (size: number): Binary => (size === 4 ? SINGLE : DOUBLE);

/** A single (4 bytes) or double (8) as it is: a denormal is marked, an SNaN stays one. */
export function widen(bits: bigint, size: number): Extended {
  const { bits: width, fraction, bias } = formatOf(size);
  const sign = Number(bits >> BigInt(width - 1));
  const maximum = (1 << (width - 1 - fraction)) - 1;
  const exponent = Number(bits >> BigInt(fraction)) & maximum;
  const significand = bits & ((1n << BigInt(fraction)) - 1n);
  const shifted = significand << BigInt(FRACTION_BITS - fraction);
  if (exponent === maximum) return extended(sign, EXPONENT_MAX, INTEGER_BIT | shifted);
  if (exponent !== 0) return extended(sign, exponent - bias + BIAS, INTEGER_BIT | shifted);
  if (significand === 0n) return zero(sign);
  const shift = 64 - bitLength(significand);
  return { sign, exponent: 1 - bias - fraction - shift + FRACTION_BITS + BIAS, significand: significand << BigInt(shift), denormal: true };
}

/** Rounds to a single (4 bytes) or double (8). Undefined when an unmasked exception forbids the store. */
export function narrow(env: Numeric, x: Extended, size: number): bigint | undefined {
  const { bits: width, fraction, bias } = formatOf(size);
  const signBit = BigInt(x.sign) << BigInt(width - 1);
  const maximum = BigInt((1 << (width - 1 - fraction)) - 1) << BigInt(fraction);
  const kind = classOf(x);
  if (isNan(kind) || kind === Class.UNSUPPORTED) {
    const nan = nanOf(env, x)!;
    if (!env.masked(env.raised)) return undefined;
    return (BigInt(nan.sign) << BigInt(width - 1)) | maximum | ((nan.significand & (INTEGER_BIT - 1n)) >> BigInt(FRACTION_BITS - fraction));
  }
  if (kind === Class.INFINITY) return signBit | maximum;
  if (kind === Class.ZERO) return signBit;
  const rounded = roundTo(env, x.sign, x.significand, scaleOf(x), { precision: fraction + 1, minimum: 1 - bias, maximum: bias });
  if (!rounded) return undefined;
  if (rounded.infinite) return signBit | maximum;
  const lowest = 1 - bias - fraction;
  const length = bitLength(rounded.significand);
  if (rounded.significand === 0n) return signBit;
  const exponent = rounded.scale + length - 1;
  if (exponent < 1 - bias) return signBit | (rounded.significand << BigInt(rounded.scale - lowest));
  const normal = rounded.significand << BigInt(fraction + 1 - length);
  return signBit | (BigInt(exponent + bias) << BigInt(fraction)) | (normal & ((1n << BigInt(fraction)) - 1n));
}

/** A signed integer, exactly. */
export function fromInteger(value: bigint): Extended {
  if (value === 0n) return zero(0);
  const sign = value < 0n ? 1 : 0;
  const magnitude = sign ? -value : value;
  const shift = 64 - bitLength(magnitude);
  return extended(sign, BIAS + FRACTION_BITS - shift, magnitude << BigInt(shift));
}

/** Rounds to an integer; undefined for NaNs, infinities and unsupported operands. Says, and does not raise, what it cost. */
export function toInteger(x: Extended, rounding: number): { value: bigint; inexact: boolean; up: boolean } | undefined {
  const kind = classOf(x);
  if (kind === Class.ZERO) return { value: 0n, inexact: false, up: false };
  if (kind !== Class.NORMAL && kind !== Class.DENORMAL) return undefined;
  const scale = scaleOf(x);
  if (scale > 64) return undefined;
  // Anything below 2^-100 rounds as 2^-100 does.
  const rounded = scale < -164 ? roundShift(1n, 100, x.sign, rounding) : roundShift(x.significand, -scale, x.sign, rounding);
  return { ...rounded, value: x.sign ? -rounded.value : rounded.value };
}

/** Rounds to a signed integer of `size` bytes; out of range or no number: the integer indefinite, and invalid. */
export function storeInteger(env: Numeric, x: Extended, size: number, rounding: number = env.rounding): bigint {
  const limit = 1n << BigInt(size * 8 - 1);
  const rounded = toInteger(x, rounding);
  if (!rounded || rounded.value >= limit || rounded.value < -limit) {
    env.raise(Exception.INVALID);
    return limit;
  }
  if (rounded.inexact) env.raise(Exception.PRECISION);
  env.c1 = rounded.up;
  return BigInt.asUintN(size * 8, rounded.value);
}

const DIGITS = 18;
const BCD_LIMIT = 10n ** BigInt(DIGITS);
export const BCD_INDEFINITE = 0xffffc000_00000000_0000n;

/** 18 packed decimal digits and a sign, 80 bits. Digits above 9 count as they stand. */
export function fromBcd(bits: bigint): Extended {
  let value = 0n;
  for (let i = DIGITS - 1; i >= 0; i--) value = value * 10n + ((bits >> BigInt(4 * i)) & 15n);
  const sign = Number(bits >> 79n);
  return { ...fromInteger(value), sign };
}

export function toBcd(env: Numeric, x: Extended): bigint {
  const rounded = toInteger(x, env.rounding);
  const magnitude = rounded && (rounded.value < 0n ? -rounded.value : rounded.value);
  if (!rounded || magnitude === undefined || magnitude >= BCD_LIMIT) {
    env.raise(Exception.INVALID);
    return BCD_INDEFINITE;
  }
  if (rounded.inexact) env.raise(Exception.PRECISION);
  env.c1 = rounded.up;
  return BigInt('0x' + magnitude.toString()) | (BigInt(x.sign) << 79n);
}

