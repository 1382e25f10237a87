/**
 * Numbers in x87's format of 80 bits, `long double` of C, without loss: what JavaScript computes with has 53 bits and a much
 * smaller range. Rounding is to the nearest, halves to even, as the processor's is unless software has changed it.
 */
import { unsignedOf } from './frame';

const SIGNIFICAND_BITS = 64;
const EXPONENT_BIAS = 16383;
const EXPONENT_MASK = 0x7fff;
/** Exponent of the lowest bit of the smallest numbers, and of that of the largest ones. */
const LEAST = 1 - EXPONENT_BIAS - (SIGNIFICAND_BITS - 1);
const MOST = EXPONENT_MASK - 1 - EXPONENT_BIAS - (SIGNIFICAND_BITS - 1);
/** With so many decimal digits every number differs from all others. */
const DIGITS = 21;
/** Powers of ten that are written out, as JavaScript writes numbers. */
const LEAST_PLAIN = -6;
const MOST_PLAIN = 21;
/** Literals of larger exponents are infinite or 0. */
const MOST_DECIMAL = 6000;
const MOST_BINARY = 20_000;
const INTEGER_BIT = 1n << 63n;
/** Exponent of the lowest bit of the smallest double, and how many bits larger ones have. */
const LEAST_DOUBLE = -1074;
const DOUBLE_BITS = 53;

const bitLength = (value: bigint): number => value.toString(2).length;
const power10 = (n: number): bigint => 10n ** BigInt(n);

/** numerator / denominator to the nearest integer, halves to even. */
const nearest = (numerator: bigint, denominator: bigint): bigint => {
  const quotient = numerator / denominator;
  const twice = 2n * (numerator % denominator);
  return twice > denominator || (twice === denominator && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
};

export class ExtendedReal {
  private constructor(
    private readonly kind: 'finite' | 'infinite' | 'nan',
    readonly negative: boolean,
    /** The number is so many times two to the power of `exponent`. */
    private readonly significand: bigint,
    private readonly exponent: number,
  ) {}

  private static readonly NAN = new ExtendedReal('nan', false, 0n, 0);
  private static infinite(negative: boolean): ExtendedReal {
    return new ExtendedReal('infinite', negative, 0n, 0);
  }

  /** The nearest to a fraction of which neither part is negative. */
  private static rounded(negative: boolean, numerator: bigint, denominator: bigint): ExtendedReal {
    if (numerator === 0n) return new ExtendedReal('finite', negative, 0n, 0);
    // With this it has 64 bits, or one more.
    let exponent = Math.max(bitLength(numerator) - bitLength(denominator) - SIGNIFICAND_BITS, LEAST);
    const scaled = (): bigint => (exponent < 0 ? nearest(numerator << BigInt(-exponent), denominator) : nearest(numerator, denominator << BigInt(exponent)));
    let significand = scaled();
    if (significand >= 1n << BigInt(SIGNIFICAND_BITS)) {
      exponent++;
      significand = scaled();
    }
    if (significand === 1n << BigInt(SIGNIFICAND_BITS)) {
      exponent++;
      significand >>= 1n;
    }
    return exponent > MOST ? ExtendedReal.infinite(negative) : new ExtendedReal('finite', negative, significand, exponent);
  }

  /** From at least 10 bytes. What no processor since the 387 accepts is not a number. */
  static decode(bytes: Uint8Array): ExtendedReal {
    const significand = unsignedOf(bytes.subarray(0, 8));
    const exponent = (bytes[8]! | (bytes[9]! << 8)) & EXPONENT_MASK;
    const negative = (bytes[9]! & 0x80) !== 0;
    if (exponent === EXPONENT_MASK) return significand === INTEGER_BIT ? ExtendedReal.infinite(negative) : ExtendedReal.NAN;
    if (exponent !== 0 && significand < INTEGER_BIT) return ExtendedReal.NAN;
    return new ExtendedReal('finite', negative, significand, Math.max(exponent, 1) - EXPONENT_BIAS - (SIGNIFICAND_BITS - 1));
  }
  static ofInteger(value: bigint): ExtendedReal {
    return ExtendedReal.rounded(value < 0n, value < 0n ? -value : value, 1n);
  }
  /** A number of JavaScript's, which always fits. */
  static of(value: number): ExtendedReal {
    if (Number.isNaN(value)) return ExtendedReal.NAN;
    const negative = value < 0 || Object.is(value, -0);
    if (!Number.isFinite(value)) return ExtendedReal.infinite(negative);
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    const bits = view.getBigUint64(0);
    const exponent = Number((bits >> 52n) & 0x7ffn);
    const fraction = bits & 0xf_ffff_ffff_ffffn;
    const significand = exponent === 0 ? fraction : fraction | (1n << 52n);
    const scale = Math.max(exponent, 1) - 1075;
    return scale < 0 ? ExtendedReal.rounded(negative, significand, 1n << BigInt(-scale)) : ExtendedReal.rounded(negative, significand << BigInt(scale), 1n);
  }
  /** A literal without a sign and suffix, as C has it: decimal, or hexadecimal with a power of two. */
  static parse(literal: string): ExtendedReal {
    const hexadecimal = /^0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)$/.exec(literal);
    if (hexadecimal) {
      const [, whole, fraction, power] = hexadecimal;
      return ExtendedReal.scaled(false, BigInt(`0x0${whole}${fraction}`), 1n, Math.max(-MOST_BINARY, Math.min(MOST_BINARY, Number(power))) - 4 * fraction!.length);
    }
    const [, whole = '', fraction = '', exponent = '0'] = /^(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(literal) ?? [];
    const digits = BigInt(`0${whole}${fraction}`);
    const scale = Math.max(-MOST_DECIMAL, Math.min(MOST_DECIMAL, Number(exponent))) - fraction.length;
    return scale < 0 ? ExtendedReal.rounded(false, digits, power10(-scale)) : ExtendedReal.rounded(false, digits * power10(scale), 1n);
  }

  /** 16 bytes, of which the first 10 are the format's. */
  encode(): Uint8Array {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    const sign = this.negative ? 0x8000 : 0;
    if (this.kind !== 'finite') {
      view.setBigUint64(0, this.kind === 'nan' ? 3n << 62n : INTEGER_BIT, true);
      view.setUint16(8, sign | EXPONENT_MASK, true);
      return bytes;
    }
    let { significand, exponent } = this;
    // Exact results of few bits are not at the top yet.
    while (significand !== 0n && significand < INTEGER_BIT && exponent > LEAST) {
      significand <<= 1n;
      exponent--;
    }
    view.setBigUint64(0, significand, true);
    view.setUint16(8, sign | (significand < INTEGER_BIT ? 0 : exponent + EXPONENT_BIAS + (SIGNIFICAND_BITS - 1)), true);
    return bytes;
  }

  /** The nearest of JavaScript's. */
  toNumber(): number {
    if (this.kind === 'nan') return NaN;
    const sign = this.negative ? -1 : 1;
    if (this.kind === 'infinite') return sign * Infinity;
    const { significand, exponent } = this;
    // Of the smallest numbers of a double fewer bits are kept than Number() keeps.
    const isSmall = exponent < LEAST_DOUBLE && bitLength(significand) + exponent < LEAST_DOUBLE + DOUBLE_BITS;
    if (isSmall) return sign * Number(nearest(significand, 1n << BigInt(LEAST_DOUBLE - exponent))) * Number.MIN_VALUE;
    const half = exponent >> 1; // the whole power alone may be less than any double
    return sign * Number(significand) * 2 ** half * 2 ** (exponent - half);
  }
  /** The integer that is left without a fraction; undefined for what is none. */
  truncated(): bigint | undefined {
    if (this.kind !== 'finite') return undefined;
    const { significand, exponent } = this;
    const size = exponent < 0 ? significand >> BigInt(-exponent) : significand << BigInt(exponent);
    return this.negative ? -size : size;
  }
  get isZero(): boolean {
    return this.kind === 'finite' && this.significand === 0n;
  }
  get negated(): ExtendedReal {
    return new ExtendedReal(this.kind, !this.negative, this.significand, this.exponent);
  }

  /** As integers of the same unit, two to the power of the third. */
  private aligned(other: ExtendedReal): [bigint, bigint, number] {
    const unit = Math.min(this.exponent, other.exponent);
    const scaled = ({ negative, significand, exponent }: ExtendedReal): bigint => (negative ? -significand : significand) << BigInt(exponent - unit);
    return [scaled(this), scaled(other), unit];
  }
  private static scaled(negative: boolean, numerator: bigint, denominator: bigint, exponent: number): ExtendedReal {
    return exponent < 0 ? ExtendedReal.rounded(negative, numerator, denominator << BigInt(-exponent)) : ExtendedReal.rounded(negative, numerator << BigInt(exponent), denominator);
  }

  add(other: ExtendedReal): ExtendedReal {
    if (this.kind !== 'finite' || other.kind !== 'finite') {
      if (this.kind === 'nan' || other.kind === 'nan' || (this.kind === other.kind && this.negative !== other.negative)) return ExtendedReal.NAN;
      return this.kind === 'infinite' ? this : other;
    }
    const [a, b, unit] = this.aligned(other);
    const sum = a + b;
    const negative = sum === 0n ? this.negative && other.negative : sum < 0n;
    return ExtendedReal.scaled(negative, sum < 0n ? -sum : sum, 1n, unit);
  }
  multiply(other: ExtendedReal): ExtendedReal {
    const negative = this.negative !== other.negative;
    if (this.kind === 'finite' && other.kind === 'finite') return ExtendedReal.scaled(negative, this.significand * other.significand, 1n, this.exponent + other.exponent);
    return this.kind === 'nan' || other.kind === 'nan' || this.isZero || other.isZero ? ExtendedReal.NAN : ExtendedReal.infinite(negative);
  }
  divide(other: ExtendedReal): ExtendedReal {
    const negative = this.negative !== other.negative;
    if (this.kind === 'nan' || other.kind === 'nan' || (this.kind === 'infinite' && other.kind === 'infinite') || (this.isZero && other.isZero)) return ExtendedReal.NAN;
    if (this.kind === 'infinite' || other.isZero) return ExtendedReal.infinite(negative);
    if (other.kind === 'infinite') return new ExtendedReal('finite', negative, 0n, 0);
    return ExtendedReal.scaled(negative, this.significand, other.significand, this.exponent - other.exponent);
  }
  /** Below 0, 0 or above, as this one is below, equal to or above the other; NaN where they have no order. */
  compare(other: ExtendedReal): number {
    if (this.kind === 'nan' || other.kind === 'nan') return NaN;
    const infinity = (x: ExtendedReal): number => (x.kind === 'finite' ? 0 : x.negative ? -1 : 1);
    if (this.kind === 'infinite' || other.kind === 'infinite') return infinity(this) - infinity(other);
    const [a, b] = this.aligned(other);
    return a < b ? -1 : a > b ? 1 : 0;
  }

  /** The fewest digits that tell it from all others, in JavaScript's form. */
  toString(): string {
    const sign = this.negative ? '-' : '';
    if (this.kind === 'nan') return 'NaN';
    if (this.kind === 'infinite') return `${sign}Infinity`;
    if (this.isZero) return `${sign}0`;
    const { significand, exponent } = this;
    const numerator = exponent < 0 ? significand : significand << BigInt(exponent);
    const denominator = exponent < 0 ? 1n << BigInt(-exponent) : 1n;
    /** Power of ten of the first digit. */
    let first = Math.floor((bitLength(numerator) - bitLength(denominator)) * Math.LOG10E * Math.LN2);
    const atLeast = (power: number): boolean => (power < 0 ? numerator * power10(-power) >= denominator : numerator >= denominator * power10(power));
    while (atLeast(first + 1)) first++;
    while (!atLeast(first)) first--;
    for (let count = 1; ; count++) {
      const scale = count - 1 - first;
      const digits = scale < 0 ? nearest(numerator, denominator * power10(-scale)) : nearest(numerator * power10(scale), denominator);
      const back = scale < 0 ? ExtendedReal.rounded(false, digits * power10(-scale), 1n) : ExtendedReal.rounded(false, digits, power10(scale));
      if (count < DIGITS && back.compare(this.negative ? this.negated : this) !== 0) continue;
      const text = digits.toString();
      return sign + inPlaces(text.replace(/0+$/, ''), first + text.length - count);
    }
  }
}

/** Digits of which the first stands for a power of ten. */
const inPlaces = (digits: string, first: number): string => {
  if (first >= MOST_PLAIN || first < LEAST_PLAIN) return `${digits[0]}${digits.length > 1 ? `.${digits.slice(1)}` : ''}e${first < 0 ? '-' : '+'}${Math.abs(first)}`;
  if (first < 0) return `0.${'0'.repeat(-first - 1)}${digits}`;
  return digits.length <= first + 1 ? digits.padEnd(first + 1, '0') : `${digits.slice(0, first + 1)}.${digits.slice(first + 1)}`;
};
