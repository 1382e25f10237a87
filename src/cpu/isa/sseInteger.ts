/** SSE2 to SSE4.2 on packed integers: element by element, and across pairs. Memory operands are aligned and loaded before. */
import { operation, shuffle } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { SIMD_LEVEL } from '../simd/levels';
import type { Emitter, Semantics } from './emitter';

const { sse, sse2, ssse3, 'sse4-1': sse41, 'sse4-2': sse42 } = SIMD_LEVEL;

type Binary = (a: Value, b: Value, e: Emitter) => Value;

/** destination = f(destination, source) */
export const packed = (simd: number, mnemonic: string, compute: Binary): Semantics => ({
  mnemonic,
  sizes: [16],
  sizeFrom: -3,
  simd,
  stages: true,
  forms: ['xx'],
  emit(e) {
    const b = e.vector(1);
    e.setVector(0, compute(e.vector(0), b, e));
  },
});

/** Instructions that are one WebAssembly operation on destination and source. */
const direct = (simd: number, names: Record<string, string>): Semantics[] =>
  Object.entries(names).map(([mnemonic, name]) => packed(simd, mnemonic, (a, b) => operation(name, a, b)));

/** Operations on the source alone. */
const unary = (simd: number, names: Record<string, string>): Semantics[] =>
  Object.entries(names).map(([mnemonic, name]) => packed(simd, mnemonic, (_a, b) => operation(name, b)));

const splat = (shape: string, value: number): Value => operation(`${shape}.splat`, Value.i32(value));

/** Byte indices of elements, for shuffle: element numbers count through both vectors. */
export const bytesOf = (elementSize: number, elements: readonly number[]): number[] =>
  elements.flatMap((n) => Array.from({ length: elementSize }, (_, i) => n * elementSize + i));

const EVEN_WORDS = bytesOf(2, [0, 2, 4, 6, 8, 10, 12, 14]);
const ODD_WORDS = bytesOf(2, [1, 3, 5, 7, 9, 11, 13, 15]);
const EVEN_DWORDS = bytesOf(4, [0, 2, 4, 6]);
const ODD_DWORDS = bytesOf(4, [1, 3, 5, 7]);
const EVEN_IN_LOW = bytesOf(4, [0, 2, 0, 2]);

/** The high words of the products of words. */
const highProducts =
  (sign: 's' | 'u'): Binary =>
  (a, b) =>
    shuffle(operation(`i32x4.extmul_low_i16x8_${sign}`, a, b), operation(`i32x4.extmul_high_i16x8_${sign}`, a, b), ODD_WORDS);

/** Products of the even 32-bit elements. */
const evenProducts =
  (sign: 's' | 'u'): Binary =>
  (a, b) =>
    operation(`i64x2.extmul_low_i32x4_${sign}`, shuffle(a, a, EVEN_IN_LOW), shuffle(b, b, EVEN_IN_LOW));

/** Sums of the absolute differences of bytes, of each half. */
const absoluteDifferences: Binary = (a, b, e) => {
  const differences = operation('i8x16.sub', operation('i8x16.max_u', a, b), operation('i8x16.min_u', a, b));
  const sums = e.let(operation('i32x4.extadd_pairwise_i16x8_u', operation('i16x8.extadd_pairwise_i8x16_u', differences)));
  const high = operation('i64x2.shr_u', sums, Value.i32(32));
  return operation('i64x2.add', high, operation('i64x2.shr_u', operation('i64x2.shl', sums, Value.i32(32)), Value.i32(32)));
};

/** Unsigned bytes of the destination times signed bytes of the source, neighbours added with saturation. */
const multiplyAddBytes: Binary = (a, b) => {
  const eight = Value.i32(8);
  const even = operation('i16x8.mul', operation('v128.and', a, splat('i16x8', 0xff)), operation('i16x8.shr_s', operation('i16x8.shl', b, eight), eight));
  const odd = operation('i16x8.mul', operation('i16x8.shr_u', a, eight), operation('i16x8.shr_s', b, eight));
  return operation('i16x8.add_sat_s', even, odd);
};

/** Rounded high product; the one product that does not fit wraps to 0x8000. */
const roundedProduct: Binary = (a, b) => {
  const lowest = splat('i16x8', -0x8000);
  const both = operation('v128.and', operation('i16x8.eq', a, lowest), operation('i16x8.eq', b, lowest));
  return operation('v128.xor', operation('i16x8.q15mulr_sat_s', a, b), both);
};

/** Neighbours of destination, then source, combined. */
const horizontal =
  (name: string, even: readonly number[], odd: readonly number[]): Binary =>
  (a, b) =>
    operation(name, shuffle(a, b, even), shuffle(a, b, odd));

/** PSIGN: negated where the source is negative, zero where it is zero. */
const sign =
  (shape: string, bits: number): Binary =>
  (a, b, e) => {
    const negative = e.let(operation(`${shape}.shr_s`, b, Value.i32(bits - 1)));
    const signed = operation(`${shape}.sub`, operation('v128.xor', a, negative), negative);
    return operation('v128.andnot', signed, operation(`${shape}.eq`, b, splat(shape, 0)));
  };

/** Shift counts beyond the width clear the element, or fill it with its sign. */
function shift(shape: string, bits: number, name: 'shl' | 'shr_u' | 'shr_s'): (e: Emitter) => void {
  return (e) => {
    const large = e.let(e.form === 'xx' ? e.registerHost(1).load('i64', 8) : e.read(1, 1).extendU());
    const inside = e.let(large.ltU(BigInt(bits)));
    const a = e.vector(0);
    if (name === 'shr_s') {
      const count = Value.select(inside, large.wrap(), Value.i32(bits - 1));
      return e.setVector(0, operation(`${shape}.shr_s`, a, count));
    }
    const mask = operation('i32x4.splat', Value.i32(0).sub(inside));
    e.setVector(0, operation('v128.and', operation(`${shape}.${name}`, a, large.wrap()), mask));
  };
}

const shifts: Semantics[] = (
  [
    ['psllw', 'i16x8', 16, 'shl'],
    ['pslld', 'i32x4', 32, 'shl'],
    ['psllq', 'i64x2', 64, 'shl'],
    ['psrlw', 'i16x8', 16, 'shr_u'],
    ['psrld', 'i32x4', 32, 'shr_u'],
    ['psrlq', 'i64x2', 64, 'shr_u'],
    ['psraw', 'i16x8', 16, 'shr_s'],
    ['psrad', 'i32x4', 32, 'shr_s'],
  ] as const
).map(([mnemonic, shape, bits, name]): Semantics => ({ mnemonic, sizes: [16], sizeFrom: -3, simd: sse2, stages: true, forms: ['xx', 'xi'], emit: shift(shape, bits, name) }));

/** ZF when source AND destination is zero, CF when source AND NOT destination is. The other status flags become 0. */
const test: Semantics = {
  mnemonic: 'ptest',
  sizes: [16],
  sizeFrom: -3,
  simd: sse41,
  stages: true,
  forms: ['xx'],
  emit(e) {
    const b = e.vector(1);
    const a = e.vector(0);
    const nonZero = e.let(operation('v128.any_true', operation('v128.and', a, b)));
    const noCarry = operation('v128.any_true', operation('v128.andnot', b, a));
    // Bit 8 of aux makes the parity odd where the result is 0 (flags.ts).
    e.setAux(Value.select(noCarry, Value.i32(0), Value.i32(0xc000_0000 | 0)).or(nonZero.eqz().shl(8)));
    e.setRes(nonZero.extendU());
  },
};

const MINIMUM_AND_MAXIMUM: Record<string, string> = {
  pminsb: 'i8x16.min_s', pminsd: 'i32x4.min_s', pminuw: 'i16x8.min_u', pminud: 'i32x4.min_u',
  pmaxsb: 'i8x16.max_s', pmaxsd: 'i32x4.max_s', pmaxuw: 'i16x8.max_u', pmaxud: 'i32x4.max_u',
}; // prettier-ignore

export const sseIntegers: Semantics[] = [
  ...direct(sse2, {
    paddb: 'i8x16.add', paddw: 'i16x8.add', paddd: 'i32x4.add', paddq: 'i64x2.add', psubb: 'i8x16.sub', psubw: 'i16x8.sub', psubd: 'i32x4.sub',
    psubq: 'i64x2.sub', paddsb: 'i8x16.add_sat_s', paddsw: 'i16x8.add_sat_s', paddusb: 'i8x16.add_sat_u', paddusw: 'i16x8.add_sat_u',
    psubsb: 'i8x16.sub_sat_s', psubsw: 'i16x8.sub_sat_s', psubusb: 'i8x16.sub_sat_u', psubusw: 'i16x8.sub_sat_u', pminub: 'i8x16.min_u',
    pmaxub: 'i8x16.max_u', pminsw: 'i16x8.min_s', pmaxsw: 'i16x8.max_s', pavgb: 'i8x16.avgr_u', pavgw: 'i16x8.avgr_u', pcmpeqb: 'i8x16.eq',
    pcmpeqw: 'i16x8.eq', pcmpeqd: 'i32x4.eq', pcmpgtb: 'i8x16.gt_s', pcmpgtw: 'i16x8.gt_s', pcmpgtd: 'i32x4.gt_s', pand: 'v128.and', por: 'v128.or',
    pxor: 'v128.xor', andpd: 'v128.and', orpd: 'v128.or', xorpd: 'v128.xor', pmullw: 'i16x8.mul', pmaddwd: 'i32x4.dot_i16x8_s',
    packsswb: 'i8x16.narrow_i16x8_s', packuswb: 'i8x16.narrow_i16x8_u', packssdw: 'i16x8.narrow_i32x4_s',
  }),
  ...direct(sse, { andps: 'v128.and', orps: 'v128.or', xorps: 'v128.xor' }),
  packed(sse, 'andnps', (a, b) => operation('v128.andnot', b, a)),
  packed(sse2, 'andnpd', (a, b) => operation('v128.andnot', b, a)),
  packed(sse2, 'pandn', (a, b) => operation('v128.andnot', b, a)),
  packed(sse2, 'pmulhw', highProducts('s')),
  packed(sse2, 'pmulhuw', highProducts('u')),
  packed(sse2, 'pmuludq', evenProducts('u')),
  packed(sse2, 'psadbw', absoluteDifferences),
  ...shifts,
  ...unary(ssse3, { pabsb: 'i8x16.abs', pabsw: 'i16x8.abs', pabsd: 'i32x4.abs' }),
  packed(ssse3, 'pmaddubsw', multiplyAddBytes),
  packed(ssse3, 'pmulhrsw', roundedProduct),
  packed(ssse3, 'phaddw', horizontal('i16x8.add', EVEN_WORDS, ODD_WORDS)),
  packed(ssse3, 'phaddsw', horizontal('i16x8.add_sat_s', EVEN_WORDS, ODD_WORDS)),
  packed(ssse3, 'phaddd', horizontal('i32x4.add', EVEN_DWORDS, ODD_DWORDS)),
  packed(ssse3, 'phsubw', horizontal('i16x8.sub', EVEN_WORDS, ODD_WORDS)),
  packed(ssse3, 'phsubsw', horizontal('i16x8.sub_sat_s', EVEN_WORDS, ODD_WORDS)),
  packed(ssse3, 'phsubd', horizontal('i32x4.sub', EVEN_DWORDS, ODD_DWORDS)),
  packed(ssse3, 'psignb', sign('i8x16', 8)),
  packed(ssse3, 'psignw', sign('i16x8', 16)),
  packed(ssse3, 'psignd', sign('i32x4', 32)),
  ...direct(sse41, { ...MINIMUM_AND_MAXIMUM, pcmpeqq: 'i64x2.eq', packusdw: 'i16x8.narrow_i32x4_u', pmulld: 'i32x4.mul' }),
  packed(sse41, 'pmuldq', evenProducts('s')),
  test,
  ...direct(sse42, { pcmpgtq: 'i64x2.gt_s' }),
];

