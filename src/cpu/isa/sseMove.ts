/** SSE moves: MOVAPS, MOVUPS, MOVDQA, MOVSS, MOVSD, MOVQ, MOVD, MOVLPS, MOVHPS and their kin, and the sign masks. */
import { operation, replaceLane, shuffle, vectorConstant } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { SIMD_LEVEL } from '../simd/levels';
import type { Emitter, Semantics } from './emitter';

const { sse, sse2, sse3, 'sse4-1': sse41 } = SIMD_LEVEL;
const zero = vectorConstant(new Uint8Array(16));
const ZERO64 = Value.i64(0);

type Shape = Pick<Semantics, 'forms' | 'emit'> & { stages?: boolean };
const move = (simd: number, mnemonics: readonly string[], shape: Shape): Semantics[] =>
  mnemonics.map((mnemonic) => ({ mnemonic, sizes: [16], sizeFrom: -3, simd, ...shape }));

/** Linear address of the memory operand, which has to be aligned. */
function alignedAddress(e: Emitter): Value {
  const linear = e.let(e.address());
  e.requireAligned(linear);
  return linear;
}

/** All 16 bytes, registers or memory. */
const whole = (aligned: boolean, forms: readonly string[]): Shape => ({
  forms,
  emit(e) {
    if (e.form === 'xx') return e.setVector(0, e.vector(1));
    const linear = aligned ? alignedAddress(e) : e.let(e.address());
    if (e.form === 'xm') e.setVector(0, e.load(linear, 16));
    else e.store(linear, e.vector(1), 16);
  },
});

/** A scalar: between registers the rest of the destination stays, from memory it becomes zero. */
const scalar = (size: 4 | 8): Shape => ({
  forms: ['xx', 'xm', 'mx'],
  emit(e) {
    if (e.form === 'xm') {
      const value = e.read(1, size);
      return e.setVector(0, size === 8 ? replaceLane('i64x2', zero, 0, value) : replaceLane('i32x4', zero, 0, value));
    }
    const value = e.let(e.registerHost(1).load(size === 8 ? 'i64' : 'i32', size));
    if (e.form === 'mx') e.write(0, value, size);
    else e.registerHost(0).store(e.f, value, size);
  },
});

/** One half of a register and memory. */
const half = (high: boolean): Shape => ({
  forms: ['xm', 'mx'],
  emit(e) {
    const at = high ? 8 : 0;
    if (e.form === 'xm') {
      const value = e.read(1, 8);
      e.registerHost(0).store(e.f, value, 8, at);
    } else e.write(0, e.let(e.registerHost(1).load('i64', 8, at)), 8);
  },
});

/** Half of one register to half of another. */
const across = (from: number, to: number): Shape => ({
  forms: ['xx'],
  emit: (e) => e.registerHost(0).store(e.f, e.let(e.registerHost(1).load('i64', 8, from)), 8, to),
});

/** The low `size` bytes with zeros above, between XMM, general-purpose registers and memory. */
const zeroing = (size: 4 | 8, forms: readonly string[]): Shape => ({
  forms,
  emit(e) {
    const value = e.form[1] === 'x' ? e.let(e.registerHost(1).load(size === 8 ? 'i64' : 'i32', size)) : e.read(1, size);
    if (e.form[0] !== 'x') return e.write(0, value, size);
    const to = e.registerHost(0);
    to.store(e.f, value.extendU(), 8);
    to.store(e.f, ZERO64, 8, 8);
  },
});

/** Elements duplicated: the indices are of 32-bit elements. */
const duplicate = (...elements: readonly number[]): Shape => ({
  forms: ['xx'],
  stages: true,
  emit(e) {
    const source = e.vector(1);
    e.setVector(0, shuffle(source, source, elements.flatMap((n) => [n * 4, n * 4 + 1, n * 4 + 2, n * 4 + 3])));
  },
});

/** The sign bits of the elements, into a general-purpose register. */
const signMask = (elements: string): Shape => ({
  forms: ['rx'],
  emit: (e) => e.write(0, e.let(operation(`${elements}.bitmask`, e.vector(1))), 4),
});

export const sseMoves: Semantics[] = [
  ...move(sse, ['movups'], whole(false, ['xx', 'xm', 'mx'])),
  ...move(sse2, ['movupd', 'movdqu'], whole(false, ['xx', 'xm', 'mx'])),
  ...move(sse3, ['lddqu'], whole(false, ['xm'])),
  ...move(sse, ['movaps'], whole(true, ['xx', 'xm', 'mx'])),
  ...move(sse2, ['movapd', 'movdqa'], whole(true, ['xx', 'xm', 'mx'])),
  ...move(sse, ['movntps'], whole(true, ['mx'])),
  ...move(sse2, ['movntpd', 'movntdq'], whole(true, ['mx'])),
  ...move(sse41, ['movntdqa'], whole(true, ['xm'])),
  ...move(sse, ['movss'], scalar(4)),
  ...move(sse2, ['movsd'], scalar(8)),
  ...move(sse, ['movlps'], half(false)),
  ...move(sse2, ['movlpd'], half(false)),
  ...move(sse, ['movhps'], half(true)),
  ...move(sse2, ['movhpd'], half(true)),
  ...move(sse, ['movhlps'], across(8, 0)),
  ...move(sse, ['movlhps'], across(0, 8)),
  ...move(sse2, ['movd'], zeroing(4, ['xr', 'xm', 'rx', 'mx'])),
  ...move(sse2, ['movq'], zeroing(8, ['xx', 'xr', 'xm', 'rx', 'mx'])),
  ...move(sse3, ['movsldup'], duplicate(0, 0, 2, 2)),
  ...move(sse3, ['movshdup'], duplicate(1, 1, 3, 3)),
  ...move(sse3, ['movddup'], duplicate(0, 1, 0, 1)),
  ...move(sse, ['movmskps'], signMask('i32x4')),
  ...move(sse2, ['movmskpd'], signMask('i64x2')),
  ...move(sse2, ['pmovmskb'], signMask('i8x16')),
];

