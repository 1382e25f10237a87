/**
 * Operations on floating-point numbers and on 128-bit vectors, by their names in the WebAssembly specification
 * ("Binary Format", "Numeric Instructions" and "Vector Instructions"): `operation('f64x2.add', a, b)`.
 */
import type { ValueType } from './function';
import { Value } from './value';

/** Vector opcodes by shape: name to opcode. Comparisons and arithmetic yield a vector. */
const VECTOR: Record<string, Record<string, number>> = {
  v128: { not: 77, and: 78, andnot: 79, or: 80, xor: 81, bitselect: 82 },
  i8x16: {
    swizzle: 14, splat: 15, eq: 35, ne: 36, lt_s: 37, lt_u: 38, gt_s: 39, gt_u: 40, le_s: 41, le_u: 42, ge_s: 43, ge_u: 44, abs: 96, neg: 97, popcnt: 98,
    narrow_i16x8_s: 101, narrow_i16x8_u: 102, shl: 107, shr_s: 108, shr_u: 109, add: 110, add_sat_s: 111, add_sat_u: 112, sub: 113, sub_sat_s: 114,
    sub_sat_u: 115, min_s: 118, min_u: 119, max_s: 120, max_u: 121, avgr_u: 123,
  },
  i16x8: {
    splat: 16, eq: 45, ne: 46, lt_s: 47, lt_u: 48, gt_s: 49, gt_u: 50, le_s: 51, le_u: 52, ge_s: 53, ge_u: 54, extadd_pairwise_i8x16_s: 124,
    extadd_pairwise_i8x16_u: 125, abs: 128, neg: 129, q15mulr_sat_s: 130, narrow_i32x4_s: 133, narrow_i32x4_u: 134, extend_low_i8x16_s: 135,
    extend_high_i8x16_s: 136, extend_low_i8x16_u: 137, extend_high_i8x16_u: 138, shl: 139, shr_s: 140, shr_u: 141, add: 142, add_sat_s: 143,
    add_sat_u: 144, sub: 145, sub_sat_s: 146, sub_sat_u: 147, mul: 149, min_s: 150, min_u: 151, max_s: 152, max_u: 153, avgr_u: 155,
    extmul_low_i8x16_s: 156, extmul_high_i8x16_s: 157, extmul_low_i8x16_u: 158, extmul_high_i8x16_u: 159,
  },
  i32x4: {
    splat: 17, eq: 55, ne: 56, lt_s: 57, lt_u: 58, gt_s: 59, gt_u: 60, le_s: 61, le_u: 62, ge_s: 63, ge_u: 64, extadd_pairwise_i16x8_s: 126,
    extadd_pairwise_i16x8_u: 127, abs: 160, neg: 161, extend_low_i16x8_s: 167, extend_high_i16x8_s: 168, extend_low_i16x8_u: 169,
    extend_high_i16x8_u: 170, shl: 171, shr_s: 172, shr_u: 173, add: 174, sub: 177, mul: 181, min_s: 182, min_u: 183, max_s: 184, max_u: 185,
    dot_i16x8_s: 186, extmul_low_i16x8_s: 188, extmul_high_i16x8_s: 189, extmul_low_i16x8_u: 190, extmul_high_i16x8_u: 191,
    trunc_sat_f32x4_s: 248, trunc_sat_f64x2_s_zero: 252,
  },
  i64x2: {
    splat: 18, abs: 192, neg: 193, extend_low_i32x4_s: 199, extend_high_i32x4_s: 200, extend_low_i32x4_u: 201, extend_high_i32x4_u: 202, shl: 203,
    shr_s: 204, shr_u: 205, add: 206, sub: 209, mul: 213, eq: 214, ne: 215, lt_s: 216, gt_s: 217, le_s: 218, ge_s: 219, extmul_low_i32x4_s: 220,
    extmul_high_i32x4_s: 221, extmul_low_i32x4_u: 222, extmul_high_i32x4_u: 223,
  },
  f32x4: {
    splat: 19, eq: 65, ne: 66, lt: 67, gt: 68, le: 69, ge: 70, demote_f64x2_zero: 94, ceil: 103, floor: 104, trunc: 105, nearest: 106, abs: 224,
    neg: 225, sqrt: 227, add: 228, sub: 229, mul: 230, div: 231, min: 232, max: 233, pmin: 234, pmax: 235, convert_i32x4_s: 250,
  },
  f64x2: {
    splat: 20, eq: 71, ne: 72, lt: 73, gt: 74, le: 75, ge: 76, promote_low_f32x4: 95, ceil: 116, floor: 117, trunc: 122, nearest: 148, abs: 236,
    neg: 237, sqrt: 239, add: 240, sub: 241, mul: 242, div: 243, min: 244, max: 245, pmin: 246, pmax: 247, convert_low_i32x4_s: 254,
  },
}; // prettier-ignore

/** Vector operations that yield an i32. */
const TESTS: Record<string, number> = {
  'v128.any_true': 83, 'i8x16.all_true': 99, 'i8x16.bitmask': 100, 'i16x8.all_true': 131, 'i16x8.bitmask': 132, 'i32x4.all_true': 163,
  'i32x4.bitmask': 164, 'i64x2.all_true': 195, 'i64x2.bitmask': 196,
}; // prettier-ignore

/** Scalar floating point: opcodes of f32 and f64, and what they yield (their own type when absent). */
const FLOAT: Record<string, readonly [f32: number, f64: number, result?: ValueType]> = {
  eq: [0x5b, 0x61, 'i32'], ne: [0x5c, 0x62, 'i32'], lt: [0x5d, 0x63, 'i32'], gt: [0x5e, 0x64, 'i32'], le: [0x5f, 0x65, 'i32'], ge: [0x60, 0x66, 'i32'],
  abs: [0x8b, 0x99], neg: [0x8c, 0x9a], ceil: [0x8d, 0x9b], floor: [0x8e, 0x9c], trunc: [0x8f, 0x9d], nearest: [0x90, 0x9e], sqrt: [0x91, 0x9f],
  add: [0x92, 0xa0], sub: [0x93, 0xa1], mul: [0x94, 0xa2], div: [0x95, 0xa3], min: [0x96, 0xa4], max: [0x97, 0xa5], copysign: [0x98, 0xa6],
  convert_i32_s: [0xb2, 0xb7], convert_i64_s: [0xb4, 0xb9], reinterpret_i32: [0xbe, 0], reinterpret_i64: [0, 0xbf],
}; // prettier-ignore

/** Conversions between the scalar types. */
const CONVERT: Record<string, readonly [opcode: number, result: ValueType]> = {
  'f32.demote_f64': [0xb6, 'f32'],
  'f64.promote_f32': [0xbb, 'f64'],
  'i32.reinterpret_f32': [0xbc, 'i32'],
  'i64.reinterpret_f64': [0xbd, 'i64'],
};
/** Saturating conversions stand behind a prefix of their own. */
const SATURATING: Record<string, readonly [opcode: number, result: ValueType]> = {
  'i32.trunc_sat_f32_s': [0, 'i32'],
  'i32.trunc_sat_f64_s': [2, 'i32'],
  'i64.trunc_sat_f32_s': [4, 'i64'],
  'i64.trunc_sat_f64_s': [6, 'i64'],
};
const SATURATING_PREFIX = 0xfc;

interface Encoding {
  result: ValueType;
  prefix: number;
  opcode: number;
}

const ENCODINGS = new Map<string, Encoding>();
for (const [shape, names] of Object.entries(VECTOR)) for (const [name, opcode] of Object.entries(names)) ENCODINGS.set(`${shape}.${name}`, { result: 'v128', prefix: 0xfd, opcode });
for (const [name, opcode] of Object.entries(TESTS)) ENCODINGS.set(name, { result: 'i32', prefix: 0xfd, opcode });
for (const [name, [f32, f64, result]] of Object.entries(FLOAT)) {
  if (f32) ENCODINGS.set(`f32.${name}`, { result: result ?? 'f32', prefix: 0, opcode: f32 });
  if (f64) ENCODINGS.set(`f64.${name}`, { result: result ?? 'f64', prefix: 0, opcode: f64 });
}
for (const [name, [opcode, result]] of Object.entries(CONVERT)) ENCODINGS.set(name, { result, prefix: 0, opcode });
for (const [name, [opcode, result]] of Object.entries(SATURATING)) ENCODINGS.set(name, { result, prefix: SATURATING_PREFIX, opcode });

/** An operation on its operands, in their order. Throws for a name that the tables above do not have. */
export function operation(name: string, ...operands: Value[]): Value {
  const encoding = ENCODINGS.get(name);
  if (!encoding) throw new Error(`There is no WebAssembly operation "${name}" in src/wasm/operation.ts.`);
  const { result, prefix, opcode } = encoding;
  return new Value(result, (f) => {
    for (const operand of operands) operand.emit(f);
    if (prefix) f.op(prefix).code.u32(opcode);
    else f.op(opcode);
  });
}

/** Opcodes of extract_lane (unsigned where lanes are narrow) and replace_lane, by shape. */
const LANES: Record<string, readonly [extract: number, replace: number, type: ValueType]> = {
  i8x16: [22, 23, 'i32'],
  i16x8: [25, 26, 'i32'],
  i32x4: [27, 28, 'i32'],
  i64x2: [29, 30, 'i64'],
  f32x4: [31, 32, 'f32'],
  f64x2: [33, 34, 'f64'],
};

/** Lane `n` of a vector; lanes of 8 and 16 bits zero-extended. */
export function lane(shape: keyof typeof LANES & string, vector: Value, n: number): Value {
  const [opcode, , type] = LANES[shape]!;
  return new Value(type, (f) => {
    vector.emit(f);
    f.simd(opcode).code.u8(n);
  });
}

/** A vector with lane `n` replaced. */
export function replaceLane(shape: keyof typeof LANES & string, vector: Value, n: number, value: Value): Value {
  const [, opcode] = LANES[shape]!;
  return new Value('v128', (f) => {
    vector.emit(f);
    value.emit(f);
    f.simd(opcode).code.u8(n);
  });
}

const VECTOR_CONSTANT = 12;
const SHUFFLE = 13;

/** A constant vector of 16 bytes. */
export const vectorConstant = (bytes: ArrayLike<number>): Value =>
  new Value('v128', (f) => {
    f.simd(VECTOR_CONSTANT);
    for (let i = 0; i < 16; i++) f.code.u8(bytes[i]!);
  });

/** The bytes of two vectors (0 to 15 the first's, 16 to 31 the second's) chosen by 16 constant indices. */
export const shuffle = (a: Value, b: Value, indices: readonly number[]): Value =>
  new Value('v128', (f) => {
    a.emit(f);
    b.emit(f);
    f.simd(SHUFFLE);
    for (const index of indices) f.code.u8(index);
  });

export const f32Constant = (value: number): Value => new Value('f32', (f) => f.f32(value));
export const f64Constant = (value: number): Value => new Value('f64', (f) => f.f64(value));
