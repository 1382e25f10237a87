/**
 * Elementary functions in fixed point: a number is value x 2^-bits. They are the series of the textbooks with exact
 * integers; every result is off by a few units of 2^-bits at most.
 */
import { integerRoot } from './arithmetic';

/** Natural logarithm of a ratio: 2 artanh((a - b) / (a + b)). Meant for ratios between 1/2 and 2. */
export function logarithm(a: bigint, b: bigint, bits: number): bigint {
  const n = BigInt(bits);
  const s = ((a - b) << n) / (a + b);
  const square = (s * s) >> n;
  let power = s;
  let sum = 0n;
  for (let k = 1n; power !== 0n && power !== -1n; k += 2n) {
    sum += power / k;
    power = (power * square) >> n;
  }
  return sum << 1n;
}

/** e^x - 1 for |x| of at most 1. */
export function exponentialMinusOne(x: bigint, bits: number): bigint {
  const n = BigInt(bits);
  let term = x;
  let sum = 0n;
  for (let k = 2n; term !== 0n && term !== -1n; k++) {
    sum += term;
    term = ((term * x) >> n) / k;
  }
  return sum;
}

/** Sine for |x| of at most 1. */
export function sine(x: bigint, bits: number): bigint {
  const n = BigInt(bits);
  const square = (x * x) >> n;
  let term = x;
  let sum = 0n;
  for (let k = 2n; term !== 0n && term !== -1n; k += 2n) {
    sum += term;
    term = -((term * square) >> n) / (k * (k + 1n));
  }
  return sum;
}

/** Cosine for |x| of at most 1. */
export function cosine(x: bigint, bits: number): bigint {
  const n = BigInt(bits);
  const square = (x * x) >> n;
  let term = 1n << n;
  let sum = 0n;
  for (let k = 1n; term !== 0n && term !== -1n; k += 2n) {
    sum += term;
    term = -((term * square) >> n) / (k * (k + 1n));
  }
  return sum;
}

/** Halvings of the angle before the series of the arc tangent. */
const HALVINGS = 3;

/** Arc tangent of a ratio a / b between 0 and 1. */
export function arcTangent(a: bigint, b: bigint, bits: number): bigint {
  const n = BigInt(bits);
  const unit = 1n << n;
  let t = (a << n) / b;
  for (let i = 0; i < HALVINGS; i++) t = (t << n) / (unit + integerRoot((unit + ((t * t) >> n)) << n));
  const square = (t * t) >> n;
  let power = t;
  let sum = 0n;
  for (let k = 1n; power !== 0n && power !== -1n; k += 2n) {
    sum += power / k;
    power = -((power * square) >> n);
  }
  return sum << BigInt(HALVINGS);
}
