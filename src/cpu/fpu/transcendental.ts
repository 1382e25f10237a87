/**
 * FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1: computed in fixed point far beyond the format's precision,
 * then rounded once. Angles are reduced by a pi of 66 significant bits, as the x87 does (SDM volume 1, "Approximation of
 * Pi"). Special operands: SDM volume 2, the tables of the instructions.
 */
import { type FixedConstant, LN_2, LOG2_E, PI } from './constants';
import { BIAS, bitLength, Class, classOf, type Extended, exponentOf, infinity, normalized, one, scaleOf, zero } from './extended';
import { arcTangent, cosine, exponentialMinusOne, logarithm, sine } from './fixedPoint';
import { invalid, nanOf, nanOfTwo, noteDenormals } from './nan';
import { type Numeric, roundExtended } from './numeric';
import { Exception } from './statusWord';

/** Significant bits of intermediate results. */
const WORK = 192;
/** Below 2^-TINY the functions are their first term, or a trifle less. */
const TINY = 80;
/** A trifle: so many bits below the first term. */
const TRIFLE = 140n;

/** The x87's own pi: pi times 2^64, cut off to an integer, has 66 bits. */
const PI66_SCALE = 64;
const pi66 = (): bigint => PI.value >> BigInt(PI.bits - PI66_SCALE);

/** A fixed-point number, rounded to the extended format. */
function fixed(env: Numeric, sign: number, value: bigint, bits: number): Extended {
  return value < 0n ? roundExtended(env, sign ^ 1, -value, -bits, 64) : roundExtended(env, sign, value, -bits, 64);
}

/** Marks a result as inexact whatever its bits say: a denormal then underflows too. */
function inexact(env: Numeric, result: Extended): Extended {
  env.raise(Exception.PRECISION);
  if (result.exponent === 0) env.raise(Exception.UNDERFLOW);
  return result;
}

/** Of a tiny operand the x87's sine and tangent are the operand, in every rounding mode. */
const itself = (env: Numeric, x: Extended): Extended => inexact(env, roundExtended(env, x.sign, x.significand, scaleOf(x), 64));

/** |x| as fixed point with so many bits. */
function toFixed(x: Extended, bits: number): bigint {
  const shift = scaleOf(x) + bits;
  return shift >= 0 ? x.significand << BigInt(shift) : x.significand >> BigInt(-shift);
}

const constant = (c: FixedConstant, bits: number): bigint => c.value >> BigInt(c.bits - bits);

export interface Reduced {
  /** Number of quarter turns, modulo 4, and the rest, between -pi/4 and pi/4, in fixed point. */
  quadrant: number;
  rest: bigint;
  bits: number;
}

/** Reduces |x|, at least 2^-TINY and less than 2^63, exactly, by the 66-bit pi. */
function reduceAngle(x: Extended): Reduced {
  const bits = WORK + TINY;
  const angle = toFixed(x, bits);
  const half = pi66() << BigInt(bits - PI66_SCALE - 1);
  const turns = (2n * angle + half) / (2n * half);
  return { quadrant: Number(turns & 3n), rest: angle - turns * half, bits };
}

/** Whether the angle is one that the x87 takes: otherwise C2 is set and ST(0) left alone. */
export const inRange = (x: Extended): boolean => x.exponent < BIAS + 63 || classOf(x) >= Class.INFINITY;

/** Sine (turn 0) or cosine (turn 1) of an operand in range. */
export function sineOf(env: Numeric, x: Extended, turn: 0 | 1): Extended {
  const nan = nanOf(env, x);
  if (nan) return nan;
  const kind = classOf(x);
  if (kind === Class.INFINITY) return invalid(env);
  if (kind === Class.ZERO) return turn ? one(0) : x;
  noteDenormals(env, x);
  if (exponentOf(x) < -TINY) {
    return turn ? inexact(env, one(0)) : itself(env, x);
  }
  const { quadrant, rest, bits } = reduceAngle(x);
  const q = quadrant + turn;
  const value = q & 1 ? cosine(rest, bits) : sine(rest, bits);
  return fixed(env, (q & 2 ? 1 : 0) ^ (turn ? 0 : x.sign), value, bits);
}

export function tangentOf(env: Numeric, x: Extended): Extended {
  const nan = nanOf(env, x);
  if (nan) return nan;
  const kind = classOf(x);
  if (kind === Class.INFINITY) return invalid(env);
  if (kind === Class.ZERO) return x;
  noteDenormals(env, x);
  if (exponentOf(x) < -TINY) return itself(env, x);
  const { quadrant, rest, bits } = reduceAngle(x);
  const s = sine(rest, bits);
  const c = cosine(rest, bits);
  const value = quadrant & 1 ? (-c << BigInt(bits)) / s : (s << BigInt(bits)) / c;
  return fixed(env, x.sign, value, bits);
}

/** pi / 4 times `quarters`, with a sign; `trifle` tells on which side the true angle lies. */
function partOfPi(env: Numeric, sign: number, quarters: number, trifle: bigint): Extended {
  return fixed(env, sign, BigInt(quarters) * constant(PI, WORK) + trifle, WORK + 2);
}

/** The angle of the point (x, y), y being ST(1). */
export function angleOf(env: Numeric, x: Extended, y: Extended): Extended {
  const nan = nanOfTwo(env, x, y);
  if (nan) return nan;
  const kindX = classOf(x);
  const kindY = classOf(y);
  noteDenormals(env, x, y);
  const { sign } = y;
  if (kindY === Class.INFINITY) return partOfPi(env, sign, kindX === Class.INFINITY ? (x.sign ? 3 : 1) : 2, 0n);
  if (kindY === Class.ZERO || kindX === Class.INFINITY) return x.sign ? partOfPi(env, sign, 4, 0n) : zero(sign);
  if (kindX === Class.ZERO) return partOfPi(env, sign, 2, 0n);
  const distance = exponentOf(y) - exponentOf(x);
  if (distance > TINY) return partOfPi(env, sign, 2, x.sign ? 1n : -1n);
  const a = normalized(y);
  const b = normalized(x);
  if (distance < -TINY) {
    if (x.sign) return partOfPi(env, sign, 4, -1n);
    const quotient = (a.significand << TRIFLE) / b.significand;
    return roundExtended(env, sign, (quotient << 1n) - 1n, a.scale - b.scale - Number(TRIFLE) - 1, 64);
  }
  const bits = WORK + TINY;
  const up = a.scale - b.scale;
  const numerator = up > 0 ? a.significand << BigInt(up) : a.significand;
  const denominator = up < 0 ? b.significand << BigInt(-up) : b.significand;
  let angle = numerator <= denominator ? arcTangent(numerator, denominator, bits) : (constant(PI, bits) >> 1n) - arcTangent(denominator, numerator, bits);
  if (x.sign) angle = constant(PI, bits) - angle;
  return fixed(env, sign, angle, bits);
}

/** 2^x - 1 for |x| of at most 1; beyond that the result is undefined, and here the operand. */
export function powerMinusOne(env: Numeric, x: Extended): Extended {
  const nan = nanOf(env, x);
  if (nan) return nan;
  const kind = classOf(x);
  if (kind === Class.INFINITY) return x.sign ? one(1) : x;
  if (kind === Class.ZERO) return x;
  noteDenormals(env, x);
  const exponent = exponentOf(x);
  if (exponent >= 0) {
    if (exponent === 0 && normalized(x).significand === 1n << 63n) return inexact(env, x.sign ? { ...one(1), exponent: BIAS - 1 } : one(0));
    return inexact(env, x);
  }
  if (exponent < -TINY) return roundExtended(env, x.sign, x.significand * constant(LN_2, WORK), scaleOf(x) - WORK, 64);
  const bits = WORK + TINY;
  const argument = (toFixed(x, bits) * constant(LN_2, bits)) >> BigInt(bits);
  return fixed(env, 0, exponentialMinusOne(x.sign ? -argument : argument, bits), bits);
}

/** y times a logarithm to base 2 in fixed point. */
function timesLogarithm(env: Numeric, y: Extended, logarithm2: bigint, bits: number): Extended {
  const sign = y.sign ^ (logarithm2 < 0n ? 1 : 0);
  const magnitude = logarithm2 < 0n ? -logarithm2 : logarithm2;
  return inexact(env, roundExtended(env, sign, magnitude * y.significand, scaleOf(y) - bits, 64));
}

const toBase2 = (natural: bigint, bits: number): bigint => (natural * constant(LOG2_E, bits)) >> BigInt(bits);

/** y log2(x), y being ST(1). */
export function logarithmTimes(env: Numeric, x: Extended, y: Extended): Extended {
  const nan = nanOfTwo(env, x, y);
  if (nan) return nan;
  const kindX = classOf(x);
  const kindY = classOf(y);
  if (kindX !== Class.ZERO && x.sign) return invalid(env);
  const xIsOne = x.exponent === BIAS && x.significand === 1n << 63n;
  if (kindX === Class.ZERO) {
    if (kindY === Class.ZERO) return invalid(env);
    if (kindY === Class.INFINITY) return infinity(y.sign ^ 1);
    env.raise(Exception.ZERO_DIVIDE);
    return infinity(y.sign ^ 1);
  }
  if (kindX === Class.INFINITY) {
    if (kindY === Class.ZERO) return invalid(env);
    noteDenormals(env, y);
    return infinity(y.sign);
  }
  const below = exponentOf(x) < 0;
  if (kindY === Class.INFINITY) {
    if (xIsOne) return invalid(env);
    noteDenormals(env, x);
    return infinity(y.sign ^ (below ? 1 : 0));
  }
  noteDenormals(env, x, y);
  if (kindY === Class.ZERO || xIsOne) return zero(y.sign ^ (below ? 1 : 0));
  const bits = WORK + TINY;
  const { significand, scale } = normalized(x);
  // Between 3/4 and 3/2, so that nothing cancels near 1.
  const high = significand >> 62n === 3n;
  const whole = scale + 63 + (high ? 1 : 0);
  const fraction = significand === 1n << 63n ? 0n : toBase2(logarithm(significand, 1n << (high ? 64n : 63n), bits), bits);
  const result = (BigInt(whole) << BigInt(bits)) + fraction;
  if (fraction !== 0n) return timesLogarithm(env, y, result, bits);
  return timesLogarithm(env, y, BigInt(whole), 0);
}

/** y log2(x + 1), meant for |x| below 1 - sqrt(1/2). */
export function logarithmOfOnePlus(env: Numeric, x: Extended, y: Extended): Extended {
  const nan = nanOfTwo(env, x, y);
  if (nan) return nan;
  const kindX = classOf(x);
  const kindY = classOf(y);
  if (kindX === Class.INFINITY) {
    if (x.sign || kindY === Class.ZERO) return invalid(env);
    noteDenormals(env, y);
    return infinity(y.sign);
  }
  if (kindY === Class.INFINITY) {
    if (kindX === Class.ZERO) return invalid(env);
    noteDenormals(env, x);
    return infinity(x.sign ^ y.sign);
  }
  noteDenormals(env, x, y);
  if (kindX === Class.ZERO || kindY === Class.ZERO) return zero(x.sign ^ y.sign);
  const exponent = exponentOf(x);
  if (exponent < -TINY) {
    const product = x.significand * y.significand * constant(LOG2_E, WORK);
    return roundExtended(env, x.sign ^ y.sign, product, scaleOf(x) + scaleOf(y) - WORK, 64);
  }
  if (x.sign && exponent >= 0) return inexact(env, x);
  const bits = WORK + 2 * TINY;
  const unit = 1n << BigInt(bits);
  let argument = unit + (x.sign ? -toFixed(x, bits) : toFixed(x, bits));
  let whole = 0n;
  if (exponent >= -1) {
    const length = bitLength(argument) - bits - 1;
    whole = BigInt(length);
    argument = length >= 0 ? argument >> whole : argument << -whole;
  }
  const result = (whole << BigInt(bits)) + toBase2(logarithm(argument, unit, bits), bits);
  return result === 0n ? zero(x.sign ^ y.sign) : timesLogarithm(env, y, result, bits);
}

