/** Addition, subtraction, multiplication, division and square root: the exact result as an integer, then one rounding. */
import { Class, classOf, type Extended, infinity, normalized, scaleOf, withSign, zero } from './extended';
import { invalid, nanOf, nanOfTwo, noteDenormals } from './nan';
import { type Numeric, roundExtended, zeroSign } from './numeric';
import { Exception } from './statusWord';

export type Binary = (env: Numeric, a: Extended, b: Extended) => Extended;

/** Operands further apart than this differ only in a bit that tells "inexact": two more than rounding looks at. */
const FAR = 130;

function sum(env: Numeric, a: Extended, b: Extended, negate: number): Extended {
  const nan = nanOfTwo(env, a, b);
  if (nan) return nan;
  const signB = b.sign ^ negate;
  const infiniteA = classOf(a) === Class.INFINITY;
  const infiniteB = classOf(b) === Class.INFINITY;
  if (infiniteA && infiniteB && a.sign !== signB) return invalid(env);
  noteDenormals(env, a, b);
  if (infiniteA) return a;
  if (infiniteB) return withSign(b, signB);
  if (a.significand === 0n && b.significand === 0n) return zero(a.sign === signB ? a.sign : zeroSign(env));
  const termA = { value: a.sign ? -a.significand : a.significand, scale: scaleOf(a) };
  const termB = { value: signB ? -b.significand : b.significand, scale: scaleOf(b) };
  const [high, low] = termA.scale >= termB.scale ? [termA, termB] : [termB, termA];
  let distance = high.scale - low.scale;
  let rest = low.value;
  if (high.value === 0n) distance = 0;
  else if (distance > FAR) {
    distance = FAR;
    rest = rest > 0n ? 1n : rest < 0n ? -1n : 0n;
  }
  const value = (high.value << BigInt(distance)) + rest;
  const scale = high.value === 0n ? low.scale : high.scale - distance;
  if (value === 0n) return zero(zeroSign(env));
  return value < 0n ? roundExtended(env, 1, -value, scale) : roundExtended(env, 0, value, scale);
}

export const add: Binary = (env, a, b) => sum(env, a, b, 0);
export const subtract: Binary = (env, a, b) => sum(env, a, b, 1);

export const multiply: Binary = (env, a, b) => {
  const nan = nanOfTwo(env, a, b);
  if (nan) return nan;
  const sign = a.sign ^ b.sign;
  const kindA = classOf(a);
  const kindB = classOf(b);
  if ((kindA === Class.INFINITY && kindB === Class.ZERO) || (kindA === Class.ZERO && kindB === Class.INFINITY)) return invalid(env);
  noteDenormals(env, a, b);
  if (kindA === Class.INFINITY || kindB === Class.INFINITY) return infinity(sign);
  if (kindA === Class.ZERO || kindB === Class.ZERO) return zero(sign);
  return roundExtended(env, sign, a.significand * b.significand, scaleOf(a) + scaleOf(b));
};

/** Extra quotient bits: enough for any precision and one more for "inexact". */
const QUOTIENT_BITS = 70;

export const divide: Binary = (env, a, b) => {
  const nan = nanOfTwo(env, a, b);
  if (nan) return nan;
  const sign = a.sign ^ b.sign;
  const kindA = classOf(a);
  const kindB = classOf(b);
  if (kindA === kindB && (kindA === Class.INFINITY || kindA === Class.ZERO)) return invalid(env);
  if (kindB === Class.ZERO && kindA !== Class.INFINITY) {
    env.raise(Exception.ZERO_DIVIDE); // and not "denormal operand", whatever the dividend
    return infinity(sign);
  }
  noteDenormals(env, a, b);
  if (kindA === Class.INFINITY) return infinity(sign);
  if (kindB === Class.INFINITY || kindA === Class.ZERO) return zero(sign);
  const x = normalized(a);
  const y = normalized(b);
  const dividend = x.significand << BigInt(QUOTIENT_BITS);
  const quotient = dividend / y.significand;
  const sticky = quotient * y.significand === dividend ? 0n : 1n;
  return roundExtended(env, sign, (quotient << 1n) | sticky, x.scale - y.scale - QUOTIENT_BITS - 1);
};

/** Integer square root, rounded down. */
export function integerRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = BigInt(Math.floor(Math.sqrt(Number(value))));
  for (;;) {
    const next = (root + value / root) >> 1n;
    const step = next - root;
    root = next;
    if (step <= 1n && step >= -1n) break;
  }
  while (root * root > value) root--;
  while ((root + 1n) * (root + 1n) <= value) root++;
  return root;
}

export function squareRoot(env: Numeric, a: Extended): Extended {
  const nan = nanOf(env, a);
  if (nan) return nan;
  const kind = classOf(a);
  if (kind === Class.ZERO) return a;
  if (a.sign) return invalid(env);
  noteDenormals(env, a);
  if (kind === Class.INFINITY) return a;
  const { significand, scale } = normalized(a);
  // An even scale, and twice 70 bits below the point.
  const odd = scale & 1;
  const value = significand << BigInt(2 * QUOTIENT_BITS + odd);
  const root = integerRoot(value);
  const sticky = root * root === value ? 0n : 1n;
  return roundExtended(env, 0, (root << 1n) | sticky, (scale - odd) / 2 - QUOTIENT_BITS - 1);
}
