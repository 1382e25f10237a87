/**
 * The four shapes of floating-point operands, and when the host's arithmetic is SSE's: operands and result are zero or
 * normal numbers, so that no exception but inexactness is possible and neither DAZ nor FTZ matters; and inexactness is
 * already recorded, or the result is exact.
 */
import { f32Constant, f64Constant, lane, operation, vectorConstant } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { SimdFloat } from '../simd/mxcsr';
import { Offset } from '../state';
import { type RoutineBody, routine } from './routine';

export interface FloatType {
  /** Suffix of the mnemonics. */
  suffix: 'ps' | 'pd' | 'ss' | 'sd';
  /** Shape of WebAssembly's operations. */
  shape: 'f32' | 'f64' | 'f32x4' | 'f64x2';
  /** Bytes of an operand. */
  size: 4 | 8 | 16;
  single: boolean;
  /** Elements. */
  count: number;
}
export const FLOAT_TYPES: readonly FloatType[] = [
  { suffix: 'ps', shape: 'f32x4', size: 16, single: true, count: 4 },
  { suffix: 'pd', shape: 'f64x2', size: 16, single: false, count: 2 },
  { suffix: 'ss', shape: 'f32', size: 4, single: true, count: 1 },
  { suffix: 'sd', shape: 'f64', size: 8, single: false, count: 1 },
];
export const typeBySuffix = (suffix: FloatType['suffix']): FloatType => FLOAT_TYPES.find((t) => t.suffix === suffix)!;

const SMALLEST_SINGLE = 2 ** -126;
const SMALLEST_DOUBLE = 2 ** -1022;
const LARGEST_SINGLE = (2 - 2 ** -23) * 2 ** 127;

export const isPacked = (t: FloatType): boolean => t.count > 1;
export const does = (t: FloatType, name: string, ...operands: Value[]): Value => operation(`${t.shape}.${name}`, ...operands);
export const loadFloat = (t: FloatType, address: Value): Value => address.load(isPacked(t) ? 'v128' : t.single ? 'f32' : 'f64', t.size);

/** A constant in every element. */
export function constant(t: FloatType, value: number): Value {
  if (t.shape === 'f32') return f32Constant(value);
  if (t.shape === 'f64') return f64Constant(value);
  const array = t.single ? Float32Array.of(value, value, value, value) : Float64Array.of(value, value);
  return vectorConstant(new Uint8Array(array.buffer));
}

// Truth values: vectors of ones and zeros for packed types, i32 for scalars.
export const both = (t: FloatType, ...values: Value[]): Value => values.reduce((a, b) => (isPacked(t) ? operation('v128.and', a, b) : a.and(b)));
export const either = (t: FloatType, ...values: Value[]): Value => values.reduce((a, b) => (isPacked(t) ? operation('v128.or', a, b) : a.or(b)));
/** Whether a truth value holds in every element, i32. */
export const always = (t: FloatType, value: Value): Value => (isPacked(t) ? operation(t.single ? 'i32x4.all_true' : 'i64x2.all_true', value) : value);

export const isZero = (t: FloatType, v: Value): Value => does(t, 'eq', v, constant(t, 0));
/** Zero, normal or infinite: neither a denormal nor a NaN. */
export const ordinary = (t: FloatType, v: Value): Value =>
  either(t, does(t, 'ge', does(t, 'abs', v), constant(t, t.single ? SMALLEST_SINGLE : SMALLEST_DOUBLE)), isZero(t, v));
/** Above the smallest normal number: at it, a rounded result may have been tiny. */
export const aboveSmallest = (t: FloatType, v: Value): Value => does(t, 'gt', does(t, 'abs', v), constant(t, t.single ? SMALLEST_SINGLE : SMALLEST_DOUBLE));
export const finite = (t: FloatType, v: Value): Value => does(t, 'le', does(t, 'abs', v), constant(t, t.single ? LARGEST_SINGLE : Number.MAX_VALUE));

/** Element `n` as a double. */
const element = (t: FloatType, v: Value, n: number): Value => {
  const own = t.shape === 'f32x4' ? lane('f32x4', v, n) : t.shape === 'f64x2' ? lane('f64x2', v, n) : v;
  return t.single ? operation('f64.promote_f32', own) : own;
};

const f64 = (name: string, ...operands: Value[]): Value => operation(`f64.${name}`, ...operands);
const DOUBLES = ['f64', 'f64', 'f64'] as const;
const FRACTION_BITS = 52n;
const PRECISION = 53;

/** r = a + b holds exactly: the rounding error of the sum, itself a double, is zero. */
const exactSum = routine('exactSum', DOUBLES, 'i32', (b) => {
  const [x, y, r] = [b.argument(0), b.argument(1), b.argument(2)];
  const sum = b.let(f64('add', x, y));
  const part = b.let(f64('sub', sum, x));
  const error = f64('add', f64('sub', x, f64('sub', sum, part)), f64('sub', y, part));
  return f64('eq', error, f64Constant(0)).and(f64('eq', sum, r));
});

/** Zeros at the low end of the significand. */
const trailingZeros = (x: Value): Value => operation('i64.reinterpret_f64', x).or(1n << FRACTION_BITS).ctz().wrap();
/** The product of two doubles has at most 53 bits. (One that has more bits than this says may be exact too: TypeScript decides.) */
const fewBits = (x: Value, y: Value): Value => trailingZeros(x).add(trailingZeros(y)).geU(PRECISION);

const exactProduct = routine('exactProduct', DOUBLES, 'i32', (b) => {
  const [x, y, r] = [b.argument(0), b.argument(1), b.argument(2)];
  return f64('eq', r, f64Constant(0)).or(fewBits(x, y));
});
/** Two singles' product fits a double. */
const exactSingleProduct = routine('exactSingleProduct', DOUBLES, 'i32', (b) => f64('eq', f64('mul', b.argument(0), b.argument(1)), b.argument(2)));

export type Exactness = 'sum' | 'product' | 'quotient' | 'root';

/** Whether r is the exact result of every element. */
function exact(body: RoutineBody, t: FloatType, kind: Exactness, a: Value, b: Value, r: Value): Value {
  const product = t.single ? exactSingleProduct : exactProduct;
  const checks = Array.from({ length: t.count }, (_, n) => {
    const [x, y, z] = [element(t, a, n), element(t, b, n), element(t, r, n)];
    switch (kind) {
      case 'sum':
        return body.call(exactSum, x, y, z);
      case 'product':
        return body.call(product, x, y, z);
      case 'quotient':
        return f64('eq', f64('mul', z, y), x).and(body.call(product, z, y, x));
      case 'root':
        return f64('eq', f64('mul', z, z), y).and(body.call(product, z, z, y));
    }
  });
  return checks.reduce((all, check) => all.and(check));
}

export const floatMode = (cpu: Value): Value => cpu.load('i32', 4, Offset.SIMD_FLOAT);

/** Ends the routine with 0 unless rounding is to nearest, and inexactness is recorded or `isExact` holds. */
export function requireSilent(body: RoutineBody, cpu: Value, isExact: () => Value): void {
  const mode = body.let(floatMode(cpu));
  body.require(mode);
  body.when(mode.eq(SimdFloat.EXACT), () => body.require(isExact()));
}

export const requireExactOrSilent = (body: RoutineBody, cpu: Value, t: FloatType, kind: Exactness, a: Value, b: Value, r: Value): void =>
  requireSilent(body, cpu, () => exact(body, t, kind, a, b, r));
