/** SSE2 to SSE4.1: elements moved to other places, inserted, extracted, blended, widened. */
import { operation, shuffle, vectorConstant } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { SIMD_LEVEL } from '../simd/levels';
import { Offset } from '../state';
import type { Emitter, Semantics } from './emitter';
import { bytesOf, packed } from './sseInteger';

const { sse, sse2, ssse3, 'sse4-1': sse41 } = SIMD_LEVEL;
const SCRATCH = Offset.SIMD_SCRATCH;

/** Low or high elements of destination and source in turn. */
const interleave = (simd: number, mnemonic: string, size: number, high: boolean): Semantics => {
  const count = 16 / size;
  const first = high ? count / 2 : 0;
  const elements = Array.from({ length: count }, (_, i) => first + (i >> 1) + (i & 1 ? count : 0));
  return packed(simd, mnemonic, (a, b) => shuffle(a, b, bytesOf(size, elements)));
};

const withImmediate = (simd: number, mnemonic: string, emit: (e: Emitter) => void, form = 'xxi'): Semantics => ({ mnemonic, sizes: [16], sizeFrom: -3, simd, stages: true, forms: [form], emit });

const immediate = (e: Emitter, operand = 2): Value => e.read(operand, 1);

/** Writes the 16 bytes that lie in the scratch at `at` to the destination. */
const fromScratch = (e: Emitter, at: number): void => e.setVector(0, e.stateHost().load('v128', 16, SCRATCH + at));

/** Element `n` of an immediate's fields of `bits` bits, as a byte offset of elements of `size` bytes. */
const chosen = (imm: Value, n: number, bits: number, size: number): Value =>
  imm.shrU(n * bits).and((1 << bits) - 1).mul(size);

/** Four elements chosen by an immediate out of eight bytes (words) or a whole vector (doublewords), written at `to` in the scratch. */
function choose(e: Emitter, source: Value, size: 2 | 4, from: number, to: number): void {
  const imm = immediate(e);
  for (let n = 0; n < 4; n++) {
    e.stateHost().store(e.f, source.add(chosen(imm, n, 2, size)).load('i32', size, from), size, SCRATCH + to + n * size);
  }
}

/** PSHUFHW, PSHUFLW: four words of one half chosen, the other half copied. */
const shuffleHalf = (high: boolean) => (e: Emitter): void => {
  const source = e.registerHost(1);
  const half = high ? 8 : 0;
  choose(e, source, 2, half, half);
  e.stateHost().store(e.f, source.load('i64', 8, 8 - half), 8, SCRATCH + 8 - half);
  fromScratch(e, 0);
};

/** SHUFPS: two elements of the destination, then two of the source. */
function shuffleSingles(e: Emitter): void {
  const imm = immediate(e);
  for (let n = 0; n < 4; n++) {
    const host = e.registerHost(n < 2 ? 0 : 1);
    e.stateHost().store(e.f, host.add(chosen(imm, n, 2, 4)).load('i32', 4), 4, SCRATCH + n * 4);
  }
  fromScratch(e, 0);
}

function shuffleDoubles(e: Emitter): void {
  const imm = immediate(e);
  const low = e.let(e.registerHost(0).add(chosen(imm, 0, 1, 8)).load('i64', 8));
  const high = e.let(e.registerHost(1).add(chosen(imm, 1, 1, 8)).load('i64', 8));
  const to = e.registerHost(0);
  to.store(e.f, low, 8);
  to.store(e.f, high, 8, 8);
}

/** A count, at most `limit`. */
const atMost = (e: Emitter, count: Value, limit: number): Value => e.let(Value.select(count.ltU(limit), count, Value.i32(limit)));

/** PALIGNR: 16 bytes of destination:source from a byte on; zeros beyond. */
function alignRight(e: Emitter): void {
  const host = e.stateHost();
  host.store(e.f, e.vector(1), 16, SCRATCH);
  host.store(e.f, e.vector(0), 16, SCRATCH + 16);
  host.store(e.f, vectorConstant(new Uint8Array(16)), 16, SCRATCH + 32);
  e.setVector(0, host.add(atMost(e, immediate(e), 32)).load('v128', 16, SCRATCH));
}

/** PSLLDQ, PSRLDQ. */
const shiftBytes = (left: boolean) => (e: Emitter): void => {
  const host = e.stateHost();
  const zero = vectorConstant(new Uint8Array(16));
  host.store(e.f, left ? zero : e.vector(0), 16, SCRATCH);
  host.store(e.f, left ? e.vector(0) : zero, 16, SCRATCH + 16);
  const count = atMost(e, immediate(e, 1), 16);
  e.setVector(0, host.add(left ? Value.i32(16).sub(count) : count).load('v128', 16, SCRATCH));
};

/** Elements of the source where the mask's elements are all ones. */
const blend = (e: Emitter, mask: Value): void => {
  const b = e.vector(1);
  e.setVector(0, operation('v128.bitselect', b, e.vector(0), mask));
};
const xmm0 = (e: Emitter): Value => e.stateHost().load('v128', 16, Offset.YMM);
const signs = (e: Emitter, shape: string, bits: number): Value => operation(`${shape}.shr_s`, xmm0(e), Value.i32(bits - 1));

/** A mask from the immediate's bits, one per element. */
function bitsMask(e: Emitter, shape: 'i16x8' | 'i32x4' | 'i64x2'): Value {
  const size = { i16x8: 2, i32x4: 4, i64x2: 8 }[shape];
  const bytes = new Uint8Array(16);
  for (let n = 0; n < 16 / size; n++) bytes[n * size] = 1 << n;
  const weights = vectorConstant(bytes);
  const value = shape === 'i64x2' ? immediate(e).extendU() : immediate(e);
  return operation(`${shape}.eq`, operation('v128.and', operation(`${shape}.splat`, value), weights), weights);
}

const WIDENINGS: readonly (readonly [name: string, ...steps: string[]])[] = [
  ['bw', 'i16x8.extend_low_i8x16'],
  ['bd', 'i16x8.extend_low_i8x16', 'i32x4.extend_low_i16x8'],
  ['bq', 'i16x8.extend_low_i8x16', 'i32x4.extend_low_i16x8', 'i64x2.extend_low_i32x4'],
  ['wd', 'i32x4.extend_low_i16x8'],
  ['wq', 'i32x4.extend_low_i16x8', 'i64x2.extend_low_i32x4'],
  ['dq', 'i64x2.extend_low_i32x4'],
];
const widenings: Semantics[] = WIDENINGS.flatMap(([name, ...steps]) =>
  (['s', 'u'] as const).map((sign) =>
    packed(sse41, `pmov${sign === 's' ? 'sx' : 'zx'}${name}`, (_a, b) => steps.reduce((value, step) => operation(`${step}_${sign}`, value), b)),
  ),
);

/** An element chosen by the immediate, to a general-purpose register (zero-extended) or memory. */
const extract = (simd: number, mnemonic: string, size: 1 | 2 | 4 | 8): Semantics => ({
  mnemonic,
  sizes: [16],
  sizeFrom: -3,
  simd,
  forms: ['rxi', 'mxi'],
  emit(e) {
    const at = immediate(e).and(16 / size - 1).mul(size);
    const value = e.let(e.registerHost(1).add(at).load(size === 8 ? 'i64' : 'i32', size));
    if (e.form[0] === 'm') e.write(0, value, size);
    else e.write(0, value, size === 8 ? 8 : 4);
  },
});

/** An element chosen by the immediate, from a general-purpose register or memory. */
const insert = (simd: number, mnemonic: string, size: 1 | 2 | 4 | 8): Semantics =>
  withImmediate(
    simd,
    mnemonic,
    (e) => {
      const value = e.read(1, size);
      e.registerHost(0).add(immediate(e).and(16 / size - 1).mul(size)).store(e.f, value, size);
    },
    'xri',
  );

/** INSERTPS: an element of the source (memory has only one) into one of the destination, then elements cleared. */
const insertSingle: Semantics = {
  mnemonic: 'insertps',
  sizes: [16],
  sizeFrom: -3,
  simd: sse41,
  forms: ['xxi', 'xmi'],
  emit(e) {
    const imm = immediate(e);
    const value = e.form === 'xmi' ? e.read(1, 4) : e.let(e.registerHost(1).add(imm.shrU(6).mul(4)).load('i32', 4));
    e.registerHost(0).add(chosen(imm, 2, 2, 4)).store(e.f, value, 4);
    e.setVector(0, operation('v128.andnot', e.vector(0), bitsMask(e, 'i32x4')));
  },
};

export const sseShuffles: Semantics[] = [
  ...(['bw', 'wd', 'dq', 'qdq'] as const).flatMap((name, i) => [interleave(sse2, `punpckl${name}`, 1 << i, false), interleave(sse2, `punpckh${name}`, 1 << i, true)]),
  interleave(sse, 'unpcklps', 4, false),
  interleave(sse, 'unpckhps', 4, true),
  interleave(sse2, 'unpcklpd', 8, false),
  interleave(sse2, 'unpckhpd', 8, true),
  withImmediate(sse2, 'pshufd', (e) => {
    choose(e, e.registerHost(1), 4, 0, 0);
    fromScratch(e, 0);
  }),
  withImmediate(sse2, 'pshuflw', shuffleHalf(false)),
  withImmediate(sse2, 'pshufhw', shuffleHalf(true)),
  withImmediate(sse, 'shufps', shuffleSingles),
  withImmediate(sse2, 'shufpd', shuffleDoubles),
  withImmediate(sse2, 'pslldq', shiftBytes(true), 'xi'),
  withImmediate(sse2, 'psrldq', shiftBytes(false), 'xi'),
  // Indices with bit 7 set yield zero, as WebAssembly's beyond 15 do.
  packed(ssse3, 'pshufb', (a, b) => operation('i8x16.swizzle', a, operation('v128.and', b, operation('i8x16.splat', Value.i32(0x8f))))),
  withImmediate(ssse3, 'palignr', alignRight),
  packed(sse41, 'pblendvb', (a, b, e) => operation('v128.bitselect', b, a, signs(e, 'i8x16', 8))),
  packed(sse41, 'blendvps', (a, b, e) => operation('v128.bitselect', b, a, signs(e, 'i32x4', 32))),
  packed(sse41, 'blendvpd', (a, b, e) => operation('v128.bitselect', b, a, signs(e, 'i64x2', 64))),
  withImmediate(sse41, 'pblendw', (e) => blend(e, bitsMask(e, 'i16x8'))),
  withImmediate(sse41, 'blendps', (e) => blend(e, bitsMask(e, 'i32x4'))),
  withImmediate(sse41, 'blendpd', (e) => blend(e, bitsMask(e, 'i64x2'))),
  ...widenings,
  extract(sse41, 'pextrb', 1),
  extract(sse2, 'pextrw', 2),
  extract(sse41, 'pextrd', 4),
  extract(sse41, 'pextrq', 8),
  extract(sse41, 'extractps', 4),
  insert(sse41, 'pinsrb', 1),
  insert(sse2, 'pinsrw', 2),
  insert(sse41, 'pinsrd', 4),
  insert(sse41, 'pinsrq', 8),
  insertSingle,
];
