/**
 * SSE floating-point arithmetic and comparisons. Each is a routine (processor, destination, source) that computes with
 * the host's arithmetic and yields 1, or changes nothing and yields 0 where that would not do (sseFloatTypes.ts); then
 * TypeScript computes exactly.
 */
import { operation, shuffle, vectorConstant } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { SIMD_LEVEL } from '../simd/levels';
import type { Routine, Semantics } from './emitter';
import { routine } from './routine';
import {
  aboveSmallest, always, both, does, either, type Exactness, finite, FLOAT_TYPES, floatMode, type FloatType, isPacked, isZero, loadFloat, ordinary, requireExactOrSilent, typeBySuffix,
} from './sseFloatTypes'; // prettier-ignore
import { bytesOf } from './sseInteger';

const { sse, sse2, sse3, 'sse4-1': sse41 } = SIMD_LEVEL;
const levelOf = (t: FloatType): number => (t.single ? sse : sse2);
const ADDRESSES = ['i32', 'i32', 'i32'] as const;
const DONE = Value.i32(1);

/** An instruction that its routine performs or leaves. */
export const byRoutine = (simd: number, mnemonic: string, r: Routine): Semantics => ({
  mnemonic,
  sizes: [16],
  sizeFrom: -3,
  simd,
  stages: true,
  forms: ['xx'],
  emit: (e) => e.leave(e.call(r, e.stateHost(), e.registerHost(0), e.registerHost(1)).eqz()),
});

/** The same with the immediate as fourth argument. */
export const byRoutineWithImmediate = (simd: number, mnemonic: string, r: Routine): Semantics => ({
  ...byRoutine(simd, mnemonic, r),
  forms: ['xxi'],
  emit: (e) => e.leave(e.call(r, e.stateHost(), e.registerHost(0), e.registerHost(1), e.read(2, 1)).eqz()),
});

/** What makes a result of zero or near it right. */
type ZeroRule = (t: FloatType, a: Value, b: Value, r: Value) => Value;
const OPERATIONS: readonly (readonly [name: string, kind: Exactness, zero: ZeroRule])[] = [
  ['add', 'sum', (t, _a, _b, r) => isZero(t, r)],
  ['sub', 'sum', (t, _a, _b, r) => isZero(t, r)],
  ['mul', 'product', (t, a, b) => either(t, isZero(t, a), isZero(t, b))],
  ['div', 'quotient', (t, a) => isZero(t, a)],
];

const binary = (t: FloatType, name: string, kind: Exactness, zero: ZeroRule): Routine =>
  routine(name + t.suffix, ADDRESSES, 'i32', (body) => {
    const [cpu, to, from] = [body.argument(0), body.argument(1), body.argument(2)];
    const a = body.let(loadFloat(t, to));
    const b = body.let(loadFloat(t, from));
    const r = body.let(does(t, name, a, b));
    body.require(always(t, both(t, ordinary(t, a), ordinary(t, b), finite(t, r), either(t, aboveSmallest(t, r), zero(t, a, b, r)))));
    requireExactOrSilent(body, cpu, t, kind, a, name === 'sub' ? does(t, 'neg', b) : b, r);
    body.store(to, r, t.size);
    return DONE;
  });

const squareRoot = (t: FloatType): Routine =>
  routine('sqrt' + t.suffix, ADDRESSES, 'i32', (body) => {
    const [cpu, to, from] = [body.argument(0), body.argument(1), body.argument(2)];
    const b = body.let(loadFloat(t, from));
    const r = body.let(does(t, 'sqrt', b));
    body.require(always(t, both(t, ordinary(t, b), finite(t, r)))); // of a negative number it is a NaN
    requireExactOrSilent(body, cpu, t, 'root', b, b, r);
    body.store(to, r, t.size);
    return DONE;
  });

/** MIN and MAX take the source where the comparison does not hold, so for zeros of either sign too. */
const extreme = (t: FloatType, name: 'min' | 'max'): Routine =>
  routine(name + t.suffix, ADDRESSES, 'i32', (body) => {
    const [to, from] = [body.argument(1), body.argument(2)];
    const a = body.let(loadFloat(t, to));
    const b = body.let(loadFloat(t, from));
    body.require(always(t, both(t, ordinary(t, a), ordinary(t, b))));
    const holds = does(t, name === 'min' ? 'lt' : 'gt', a, b);
    body.store(to, isPacked(t) ? operation('v128.bitselect', a, b, holds) : Value.select(holds, a, b), t.size);
    return DONE;
  });

/** Which of less, equal, greater (bits 0 to 2) satisfy each predicate, four bits per predicate; operands are ordered here. */
const PREDICATES = 0x7465_0312;

const compare = (t: FloatType): Routine =>
  routine('cmp' + t.suffix, [...ADDRESSES, 'i32'], 'i32', (body) => {
    const [to, from, immediate] = [body.argument(1), body.argument(2), body.argument(3)];
    const a = body.let(loadFloat(t, to));
    const b = body.let(loadFloat(t, from));
    body.require(always(t, both(t, ordinary(t, a), ordinary(t, b))));
    const wanted = body.let(Value.i32(PREDICATES).shrU(immediate.and(7).shl(2)));
    const relations = (['lt', 'eq', 'gt'] as const).map((name, bit) => {
      const holds = does(t, name, a, b);
      const selected = wanted.shrU(bit).and(1);
      return isPacked(t) ? operation('v128.and', holds, operation('i32x4.splat', Value.i32(0).sub(selected))) : holds.and(selected);
    });
    const result = either(t, ...relations);
    if (isPacked(t)) body.store(to, result, 16);
    else body.store(to, t.single ? Value.i32(0).sub(result) : Value.i64(0).sub(result.extendU()), t.size);
    return DONE;
  });

const EVEN = (t: FloatType): number[] => (t.single ? bytesOf(4, [0, 2, 4, 6]) : bytesOf(8, [0, 2]));
const ODD = (t: FloatType): number[] => (t.single ? bytesOf(4, [1, 3, 5, 7]) : bytesOf(8, [1, 3]));

/** Sums whose operands have been put side by side. */
const sums = (t: FloatType, name: string, arrange: (a: Value, b: Value) => readonly [Value, Value]): Routine =>
  routine(name + t.suffix, ADDRESSES, 'i32', (body) => {
    const [cpu, to, from] = [body.argument(0), body.argument(1), body.argument(2)];
    const [first, second] = arrange(body.let(loadFloat(t, to)), body.let(loadFloat(t, from)));
    const a = body.let(first);
    const b = body.let(second);
    const r = body.let(does(t, 'add', a, b));
    body.require(always(t, both(t, ordinary(t, a), ordinary(t, b), finite(t, r), either(t, aboveSmallest(t, r), isZero(t, r)))));
    requireExactOrSilent(body, cpu, t, 'sum', a, b, r);
    body.store(to, r, 16);
    return DONE;
  });

/** The sign bits of the even elements. */
const evenSigns = (t: FloatType): Value => {
  const bytes = new Uint8Array(16);
  for (let at = t.size / t.count - 1; at < 16; at += t.single ? 8 : 16) bytes[at] = 0x80;
  return vectorConstant(bytes);
};

/** 1 greater, 2 equal, 3 less; 0 where TypeScript has to look. */
const order = (t: FloatType): Routine =>
  routine('order' + t.suffix, ['i32', 'i32'], 'i32', (body) => {
    const a = body.let(loadFloat(t, body.argument(0)));
    const b = body.let(loadFloat(t, body.argument(1)));
    body.require(ordinary(t, a).and(ordinary(t, b)));
    return Value.i32(2).sub(does(t, 'gt', a, b)).add(does(t, 'lt', a, b));
  });

/** COMISS and its kin set ZF, PF and CF and clear the others. */
const compareFlags = (t: FloatType, mnemonic: string): Semantics => ({
  mnemonic,
  sizes: [16],
  sizeFrom: -3,
  simd: levelOf(t),
  stages: true,
  forms: ['xx'],
  emit(e) {
    const found = e.let(e.call(order(t), e.registerHost(0), e.registerHost(1)));
    e.leave(found.eqz());
    const equal = e.let(found.eq(2));
    // Bit 8 of aux makes the parity odd where the result is 0 (flags.ts).
    e.setAux(found.eq(3).mul(0xc000_0000 | 0).or(equal.shl(8)));
    e.setRes(equal.xor(1).extendU());
  },
});

/** ROUNDPS and its kin: the immediate's bits 1:0 round, bit 2 takes MXCSR's rounding, bit 3 keeps PE as it is. */
const round = (t: FloatType): Routine =>
  routine('round' + t.suffix, [...ADDRESSES, 'i32'], 'i32', (body) => {
    const [cpu, to, from, immediate] = [body.argument(0), body.argument(1), body.argument(2), body.argument(3)];
    const b = body.let(loadFloat(t, from));
    body.require(always(t, ordinary(t, b)));
    const mode = body.let(floatMode(cpu));
    const byMxcsr = body.let(immediate.and(4));
    body.require(mode.or(byMxcsr.eqz()));
    const control = body.let(Value.select(byMxcsr, Value.i32(0), immediate.and(3)));
    const choose = (n: number, yes: Value, no: Value): Value => Value.select(control.eq(n), yes, no);
    const r = body.let(choose(0, does(t, 'nearest', b), choose(1, does(t, 'floor', b), choose(2, does(t, 'ceil', b), does(t, 'trunc', b)))));
    body.require(immediate.and(8).or(mode.eq(1)).or(always(t, does(t, 'eq', r, b))));
    body.store(to, r, t.size);
    return DONE;
  });

const horizontals: Semantics[] = [typeBySuffix('ps'), typeBySuffix('pd')].flatMap((t) => [
  byRoutine(sse3, `hadd${t.suffix}`, sums(t, 'hadd', (a, b) => [shuffle(a, b, EVEN(t)), shuffle(a, b, ODD(t))])),
  byRoutine(sse3, `hsub${t.suffix}`, sums(t, 'hsub', (a, b) => [shuffle(a, b, EVEN(t)), does(t, 'neg', shuffle(a, b, ODD(t)))])),
  byRoutine(sse3, `addsub${t.suffix}`, sums(t, 'addsub', (a, b) => [a, operation('v128.xor', b, evenSigns(t))])),
]);

export const sseArithmetic: Semantics[] = [
  ...FLOAT_TYPES.flatMap((t) => [
    ...OPERATIONS.map(([name, kind, zero]) => byRoutine(levelOf(t), name + t.suffix, binary(t, name, kind, zero))),
    byRoutine(levelOf(t), 'sqrt' + t.suffix, squareRoot(t)),
    byRoutine(levelOf(t), 'min' + t.suffix, extreme(t, 'min')),
    byRoutine(levelOf(t), 'max' + t.suffix, extreme(t, 'max')),
    byRoutineWithImmediate(levelOf(t), 'cmp' + t.suffix, compare(t)),
    byRoutineWithImmediate(sse41, 'round' + t.suffix, round(t)),
  ]),
  ...horizontals,
  ...[typeBySuffix('ss'), typeBySuffix('sd')].flatMap((t) => [compareFlags(t, `comi${t.suffix}`), compareFlags(t, `ucomi${t.suffix}`)]),
];
