/**
 * Binary floating point in exact arithmetic, with every rounding, flag and special case of SSE (SDM volume 1, "SSE and
 * SSE2 SIMD Floating-Point Exceptions" and "Operating on NaNs"). Generated code computes what is ordinary; this computes
 * the rest.
 */
import { Mxcsr, RC_SHIFT } from './mxcsr';

export interface FloatFormat {
  bits: number;
  /** Bits of the fraction field. */
  fraction: number;
  bias: number;
}
export const SINGLE: FloatFormat = { bits: 32, fraction: 23, bias: 127 };
export const DOUBLE: FloatFormat = { bits: 64, fraction: 52, bias: 1023 };
export const HALF: FloatFormat = { bits: 16, fraction: 10, bias: 15 };

export const Kind = { ZERO: 0, DENORMAL: 1, NORMAL: 2, INFINITE: 3, QUIET_NAN: 4, SIGNALLING_NAN: 5 } as const;

/** A number taken apart: (-1)^sign * significand * 2^scale. */
export interface Parts {
  bits: bigint;
  sign: number;
  kind: number;
  significand: bigint;
  scale: number;
}

export const Rounding = { NEAREST: 0, DOWN: 1, UP: 2, ZERO: 3 } as const;

const exponentMask = (f: FloatFormat): number => (1 << (f.bits - 1 - f.fraction)) - 1;
export const signBit = (f: FloatFormat, sign: number): bigint => BigInt(sign) << BigInt(f.bits - 1);
export const zeroOf = signBit;
export const infinityOf = (f: FloatFormat, sign: number): bigint => signBit(f, sign) | (BigInt(exponentMask(f)) << BigInt(f.fraction));
/** The NaN that invalid operations yield: negative, quiet, fraction zero. */
export const defaultNan = (f: FloatFormat): bigint => infinityOf(f, 1) | (1n << BigInt(f.fraction - 1));
const quieted = (f: FloatFormat, bits: bigint): bigint => bits | (1n << BigInt(f.fraction - 1));
const largest = (f: FloatFormat, sign: number): bigint => infinityOf(f, sign) - 1n;

export const isNan = (x: Parts): boolean => x.kind >= Kind.QUIET_NAN;
export const bitLength = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length);

/** The floor of the square root. */
function integerRoot(value: bigint): bigint {
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** One instruction's computation: MXCSR's controls and the exceptions found. */
export class FloatUnit {
  /** Exceptions found before computing (IE, DE, ZE) and after (OE, UE, PE). */
  before = 0;
  after = 0;
  rounding: number;
  private readonly denormalsAreZeros: boolean;
  private readonly flushToZero: boolean;

  constructor(private readonly mxcsr: number) {
    this.rounding = (mxcsr & Mxcsr.RC) >> RC_SHIFT;
    this.denormalsAreZeros = (mxcsr & Mxcsr.DAZ) !== 0;
    this.flushToZero = (mxcsr & Mxcsr.FTZ) !== 0;
  }

  private masked(flag: number): boolean {
    return (this.mxcsr & (flag << 7)) !== 0;
  }

  parts(f: FloatFormat, bits: bigint): Parts {
    const sign = Number(bits >> BigInt(f.bits - 1));
    const exponent = Number((bits >> BigInt(f.fraction)) & BigInt(exponentMask(f)));
    const fraction = bits & ((1n << BigInt(f.fraction)) - 1n);
    const scale = 1 - f.bias - f.fraction;
    if (exponent === 0) {
      if (fraction === 0n || this.denormalsAreZeros) return { bits: signBit(f, sign), sign, kind: Kind.ZERO, significand: 0n, scale };
      return { bits, sign, kind: Kind.DENORMAL, significand: fraction, scale };
    }
    if (exponent === exponentMask(f)) {
      const kind = fraction === 0n ? Kind.INFINITE : fraction >> BigInt(f.fraction - 1) ? Kind.QUIET_NAN : Kind.SIGNALLING_NAN;
      return { bits, sign, kind, significand: fraction, scale };
    }
    return { bits, sign, kind: Kind.NORMAL, significand: fraction | (1n << BigInt(f.fraction)), scale: scale + exponent - 1 };
  }

  invalid(f: FloatFormat): bigint {
    this.before |= Mxcsr.IE;
    return defaultNan(f);
  }
  /** The NaN that an operation on these yields, or undefined when neither is one. The first operand's comes first. */
  nan(f: FloatFormat, a: Parts, b: Parts): bigint | undefined {
    if (!isNan(a) && !isNan(b)) return undefined;
    if (a.kind === Kind.SIGNALLING_NAN || b.kind === Kind.SIGNALLING_NAN) this.before |= Mxcsr.IE;
    return quieted(f, isNan(a) ? a.bits : b.bits);
  }
  denormal(...operands: Parts[]): void {
    if (operands.some((x) => x.kind === Kind.DENORMAL)) this.before |= Mxcsr.DE;
  }

  /** Shifts right by `count` bits and rounds by `rounding`. */
  private shiftRound(sign: number, value: bigint, count: number, rounding = this.rounding): { value: bigint; inexact: boolean } {
    if (count <= 0) return { value: value << BigInt(-count), inexact: false };
    const kept = value >> BigInt(count);
    const rest = value - (kept << BigInt(count));
    if (rest === 0n) return { value: kept, inexact: false };
    const half = 1n << BigInt(count - 1);
    const up =
      rounding === Rounding.NEAREST ? rest > half || (rest === half && (kept & 1n) === 1n) : rounding === (sign ? Rounding.DOWN : Rounding.UP);
    return { value: up ? kept + 1n : kept, inexact: true };
  }

  /** Rounds significand * 2^scale, not zero, to the format. */
  round(f: FloatFormat, sign: number, significand: bigint, scale: number): bigint {
    const precision = f.fraction + 1;
    const length = bitLength(significand);
    const minimum = 1 - f.bias;
    let rounded = this.shiftRound(sign, significand, length - precision);
    let exponent = scale + length - 1;
    let unbounded = exponent;
    if (bitLength(rounded.value) > precision) unbounded++;
    if (unbounded > f.bias) {
      this.after |= Mxcsr.OE;
      if (this.masked(Mxcsr.OE) || rounded.inexact) this.after |= Mxcsr.PE;
      const toInfinity = this.rounding === Rounding.NEAREST || this.rounding === (sign ? Rounding.DOWN : Rounding.UP);
      return toInfinity ? infinityOf(f, sign) : largest(f, sign);
    }
    const tiny = unbounded < minimum;
    if (tiny && !this.masked(Mxcsr.UE)) {
      this.after |= Mxcsr.UE | (rounded.inexact ? Mxcsr.PE : 0);
      return signBit(f, sign);
    }
    if (tiny && this.flushToZero) {
      this.after |= Mxcsr.UE | Mxcsr.PE;
      return signBit(f, sign);
    }
    if (exponent < minimum) {
      rounded = this.shiftRound(sign, significand, minimum - f.fraction - scale);
      exponent = minimum;
      if (tiny && rounded.inexact) this.after |= Mxcsr.UE;
    }
    if (rounded.inexact) this.after |= Mxcsr.PE;
    // A carry out of the significand runs into the exponent field, as it should; so does a denormal's lack of its top bit.
    return signBit(f, sign) | (rounded.value + (BigInt(exponent - minimum) << BigInt(f.fraction)));
  }

  add(f: FloatFormat, aBits: bigint, bBits: bigint, subtract = false): bigint {
    const a = this.parts(f, aBits);
    const b = this.parts(f, bBits);
    const nan = this.nan(f, a, b);
    if (nan !== undefined) return nan;
    const bSign = b.sign ^ (subtract ? 1 : 0);
    if (a.kind === Kind.INFINITE || b.kind === Kind.INFINITE) {
      if (a.kind === b.kind && a.sign !== bSign) return this.invalid(f);
      this.denormal(a, b);
      return infinityOf(f, a.kind === Kind.INFINITE ? a.sign : bSign);
    }
    this.denormal(a, b);
    const scale = Math.min(a.scale, b.scale);
    const signed = (x: Parts, sign: number): bigint => (sign ? -1n : 1n) * (x.significand << BigInt(x.scale - scale));
    const sum = signed(a, a.sign) + signed(b, bSign);
    if (sum === 0n) {
      const bothNegative = a.sign === 1 && bSign === 1;
      const zeros = a.kind === Kind.ZERO && b.kind === Kind.ZERO;
      if (zeros && a.sign === bSign) return zeroOf(f, bothNegative ? 1 : 0);
      return zeroOf(f, this.rounding === Rounding.DOWN ? 1 : 0);
    }
    return this.round(f, sum < 0n ? 1 : 0, sum < 0n ? -sum : sum, scale);
  }

  multiply(f: FloatFormat, aBits: bigint, bBits: bigint): bigint {
    const a = this.parts(f, aBits);
    const b = this.parts(f, bBits);
    const nan = this.nan(f, a, b);
    if (nan !== undefined) return nan;
    const sign = a.sign ^ b.sign;
    if (a.kind === Kind.INFINITE || b.kind === Kind.INFINITE) {
      if (a.kind === Kind.ZERO || b.kind === Kind.ZERO) return this.invalid(f);
      this.denormal(a, b);
      return infinityOf(f, sign);
    }
    this.denormal(a, b);
    if (a.kind === Kind.ZERO || b.kind === Kind.ZERO) return zeroOf(f, sign);
    return this.round(f, sign, a.significand * b.significand, a.scale + b.scale);
  }

  /** a * b + c, rounded once; the product or the addend negated first. A NaN keeps its sign. */
  fusedMultiplyAdd(f: FloatFormat, aBits: bigint, bBits: bigint, cBits: bigint, negateProduct: boolean, negateAddend: boolean): bigint {
    const a = this.parts(f, aBits);
    const b = this.parts(f, bBits);
    const c = this.parts(f, cBits);
    const infiniteProduct = a.kind === Kind.INFINITE || b.kind === Kind.INFINITE;
    const noProduct = infiniteProduct && (a.kind === Kind.ZERO || b.kind === Kind.ZERO);
    if (isNan(a) || isNan(b) || isNan(c)) {
      if ([a, b, c].some((x) => x.kind === Kind.SIGNALLING_NAN)) this.before |= Mxcsr.IE;
      return quieted(f, (isNan(a) ? a : isNan(b) ? b : c).bits);
    }
    if (noProduct) return this.invalid(f);
    const sign = a.sign ^ b.sign ^ (negateProduct ? 1 : 0);
    const addendSign = c.sign ^ (negateAddend ? 1 : 0);
    if (infiniteProduct || c.kind === Kind.INFINITE) {
      if (infiniteProduct && c.kind === Kind.INFINITE && sign !== addendSign) return this.invalid(f);
      this.denormal(a, b, c);
      return infinityOf(f, infiniteProduct ? sign : addendSign);
    }
    this.denormal(a, b, c);
    const product = a.significand * b.significand;
    const productScale = a.scale + b.scale;
    const scale = Math.min(productScale, c.scale);
    const signed = (value: bigint, at: number, negative: number): bigint => (negative ? -1n : 1n) * (value << BigInt(at - scale));
    const sum = signed(product, productScale, sign) + signed(c.significand, c.scale, addendSign);
    if (sum === 0n) {
      if (product === 0n && c.kind === Kind.ZERO && sign === addendSign) return zeroOf(f, sign);
      return zeroOf(f, this.rounding === Rounding.DOWN ? 1 : 0);
    }
    return this.round(f, sum < 0n ? 1 : 0, sum < 0n ? -sum : sum, scale);
  }

  divide(f: FloatFormat, aBits: bigint, bBits: bigint): bigint {
    const a = this.parts(f, aBits);
    const b = this.parts(f, bBits);
    const nan = this.nan(f, a, b);
    if (nan !== undefined) return nan;
    const sign = a.sign ^ b.sign;
    if (a.kind === Kind.INFINITE) {
      if (b.kind === Kind.INFINITE) return this.invalid(f);
      this.denormal(b);
      return infinityOf(f, sign);
    }
    if (b.kind === Kind.ZERO) {
      if (a.kind === Kind.ZERO) return this.invalid(f);
      this.before |= Mxcsr.ZE;
      return infinityOf(f, sign);
    }
    this.denormal(a, b);
    if (a.kind === Kind.ZERO || b.kind === Kind.INFINITE) return zeroOf(f, sign);
    // Enough quotient bits that the one below the rounding position, together with the rest, decides.
    const extra = 2 * f.fraction + 8;
    const dividend = a.significand << BigInt(extra);
    const quotient = dividend / b.significand;
    const sticky = quotient * b.significand !== dividend ? 1n : 0n;
    return this.round(f, sign, (quotient << 1n) | sticky, a.scale - b.scale - extra - 1);
  }

  squareRoot(f: FloatFormat, bits: bigint): bigint {
    const x = this.parts(f, bits);
    const nan = this.nan(f, x, x);
    if (nan !== undefined) return nan;
    if (x.kind === Kind.ZERO) return x.bits;
    if (x.sign) return this.invalid(f);
    if (x.kind === Kind.INFINITE) return x.bits;
    this.denormal(x);
    let shift = 2 * f.fraction + 8;
    if ((x.scale - shift) & 1) shift++;
    const radicand = x.significand << BigInt(shift);
    const root = integerRoot(radicand);
    const sticky = root * root !== radicand ? 1n : 0n;
    return this.round(f, 0, (root << 1n) | sticky, (x.scale - shift) / 2 - 1);
  }

  /** -1, 0 or 1, or undefined when unordered; NaNs raise IE as `quietToo` says. */
  compare(f: FloatFormat, aBits: bigint, bBits: bigint, quietToo: boolean): number | undefined {
    const a = this.parts(f, aBits);
    const b = this.parts(f, bBits);
    if (isNan(a) || isNan(b)) {
      if (quietToo || a.kind === Kind.SIGNALLING_NAN || b.kind === Kind.SIGNALLING_NAN) this.before |= Mxcsr.IE;
      return undefined;
    }
    this.denormal(a, b);
    const ordered = (x: Parts): bigint => (x.sign ? -1n : 1n) * (x.bits & (signBit(f, 1) - 1n));
    const difference = ordered(a) - ordered(b);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }

  /** MIN (or MAX): the second operand whenever the comparison does not hold. */
  minimum(f: FloatFormat, aBits: bigint, bBits: bigint, maximum: boolean): bigint {
    const order = this.compare(f, aBits, bBits, true);
    const first = order === (maximum ? 1 : -1);
    const chosen = this.parts(f, first ? aBits : bBits);
    return isNan(chosen) ? (first ? aBits : bBits) : chosen.bits;
  }

  /** To a signed integer of `bits` bits; what does not fit becomes the integer indefinite. */
  toInteger(f: FloatFormat, value: bigint, bits: number, rounding: number): bigint {
    const x = this.parts(f, value);
    const indefinite = 1n << BigInt(bits - 1);
    if (x.kind >= Kind.INFINITE) {
      this.before |= Mxcsr.IE;
      return indefinite;
    }
    const rounded = this.shiftRound(x.sign, x.significand, -x.scale, rounding);
    const result = x.sign ? -rounded.value : rounded.value;
    if (BigInt.asIntN(bits, result) !== result) {
      this.before |= Mxcsr.IE;
      return indefinite;
    }
    if (rounded.inexact) this.after |= Mxcsr.PE;
    return BigInt.asUintN(bits, result);
  }

  fromInteger(f: FloatFormat, value: bigint): bigint {
    if (value === 0n) return 0n;
    return this.round(f, value < 0n ? 1 : 0, value < 0n ? -value : value, 0);
  }

  convert(from: FloatFormat, to: FloatFormat, bits: bigint): bigint {
    const x = this.parts(from, bits);
    if (isNan(x)) {
      if (x.kind === Kind.SIGNALLING_NAN) this.before |= Mxcsr.IE;
      const shift = BigInt(to.fraction - from.fraction);
      const fraction = shift > 0n ? x.significand << shift : x.significand >> -shift;
      return quieted(to, infinityOf(to, x.sign) | fraction);
    }
    if (x.kind === Kind.INFINITE) return infinityOf(to, x.sign);
    if (x.kind === Kind.ZERO) return zeroOf(to, x.sign);
    this.denormal(x);
    return this.round(to, x.sign, x.significand, x.scale);
  }

  /** ROUNDPS and its kin: to an integral value in the same format. */
  roundToIntegral(f: FloatFormat, bits: bigint, rounding: number, reportInexact: boolean): bigint {
    const x = this.parts(f, bits);
    const nan = this.nan(f, x, x);
    if (nan !== undefined) return nan;
    if (x.kind === Kind.INFINITE || x.kind === Kind.ZERO || x.scale >= 0) return x.bits;
    const rounded = this.shiftRound(x.sign, x.significand, -x.scale, rounding);
    if (rounded.inexact && reportInexact) this.after |= Mxcsr.PE;
    if (rounded.value === 0n) return zeroOf(f, x.sign);
    const shift = f.fraction + 1 - bitLength(rounded.value);
    return signBit(f, x.sign) | ((rounded.value << BigInt(shift)) - (1n << BigInt(f.fraction)) + (BigInt(f.bias + f.fraction - shift) << BigInt(f.fraction)));
  }
}
