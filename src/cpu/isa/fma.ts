/**
 * Fused multiply-add as generated code: the product and the sum with their rounding errors, which are numbers
 * themselves, put together so that only the last addition rounds (Boldo and Melquiond, "Emulation of a FMA and
 * Correctly-Rounded Sums: Proved Algorithms Using Rounding to Odd"). As in sseArithmetic.ts, what is not ordinary is
 * TypeScript's.
 */
import { f64Constant, lane, operation, vectorConstant } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { SIMD_LEVEL } from '../simd/levels';
import { Offset } from '../state';
import { clearUpper, sourceHost } from './avx';
import type { Emitter, Routine, Semantics, Width } from './emitter';
import { type RoutineBody, routine } from './routine';
import { requireSilent } from './sseFloatTypes';

const LANE = 16;
const f64 = (name: string, ...operands: Value[]): Value => operation(`f64.${name}`, ...operands);
const abs = (x: Value): Value => f64('abs', x);
const isZero = (x: Value): Value => f64('eq', x, f64Constant(0));
const within = (x: Value, low: number, high: number): Value => f64('ge', abs(x), f64Constant(low)).and(f64('le', abs(x), f64Constant(high)));
const DONE = Value.i32(1);

/** A sum and its rounding error. */
function twoSum(body: RoutineBody, a: Value, b: Value): readonly [sum: Value, error: Value] {
  const sum = body.let(f64('add', a, b));
  const part = body.let(f64('sub', sum, a));
  return [sum, body.let(f64('add', f64('sub', a, f64('sub', sum, part)), f64('sub', b, part)))];
}

/** Halves a significand: 2^27 + 1. */
const SPLITTER = 2 ** 27 + 1;
function split(body: RoutineBody, a: Value): readonly [high: Value, low: Value] {
  const t = body.let(f64('mul', a, f64Constant(SPLITTER)));
  const high = body.let(f64('sub', t, f64('sub', t, a)));
  return [high, body.let(f64('sub', a, high))];
}

/** A sum rounded to odd, given as its rounded value and the error: an inexact one gets an odd last bit. */
function toOdd(body: RoutineBody, sum: Value, error: Value): Value {
  const bits = body.let(operation('i64.reinterpret_f64', sum));
  const even = bits.wrap().and(1).eqz();
  const away = f64('gt', error, f64Constant(0)).eq(f64('gt', sum, f64Constant(0)));
  const moved = bits.add(Value.select(away, Value.i64(1), Value.i64(-1)));
  const odd = Value.select(f64('ne', error, f64Constant(0)).and(even), moved, bits);
  return body.let(operation('f64.reinterpret_i64', odd));
}

/** Magnitudes between which no product, error or sum leaves the range of normal numbers. */
const [SMALL, LARGE] = [2 ** -400, 2 ** 400];

/** (processor, address of the result, a, b, c): a * b + c in doubles; 0 where TypeScript has to. */
const fusedDouble = routine('fusedDouble', ['i32', 'i32', 'f64', 'f64', 'f64'], 'i32', (body) => {
  const [cpu, to, a, b, c] = [0, 1, 2, 3, 4].map((n) => body.argument(n)) as [Value, Value, Value, Value, Value];
  const usable = (x: Value): Value => isZero(x).or(within(x, SMALL, LARGE));
  body.require(usable(a).and(usable(b)).and(usable(c)));
  const product = body.let(f64('mul', a, b));
  const [ah, al] = split(body, a);
  const [bh, bl] = split(body, b);
  const rest = f64('add', f64('add', f64('sub', f64('mul', ah, bh), product), f64('mul', ah, bl)), f64('mul', al, bh));
  const error = body.let(f64('add', rest, f64('mul', al, bl)));
  const [th, tl] = twoSum(body, c, error);
  const [vh, vl] = twoSum(body, product, th);
  const [s, e] = twoSum(body, tl, vl);
  const small = body.let(toOdd(body, s, e));
  // Two zeros have the sign that their plain sum has.
  const zeros = isZero(product).and(isZero(c));
  const r = body.let(Value.select(zeros, f64('add', product, c), f64('add', vh, small)));
  requireSilent(body, cpu, () => isZero(s));
  body.store(to, r, 8);
  return DONE;
});

const [SMALLEST_SINGLE, LARGEST_SINGLE] = [2 ** -126, (2 - 2 ** -23) * 2 ** 127];

/** The same for singles, given as doubles: their product is exact. */
const fusedSingle = routine('fusedSingle', ['i32', 'i32', 'f64', 'f64', 'f64'], 'i32', (body) => {
  const [cpu, to, a, b, c] = [0, 1, 2, 3, 4].map((n) => body.argument(n)) as [Value, Value, Value, Value, Value];
  const usable = (x: Value): Value => isZero(x).or(within(x, SMALLEST_SINGLE, LARGEST_SINGLE));
  body.require(usable(a).and(usable(b)).and(usable(c)));
  const [sum, error] = twoSum(body, body.let(f64('mul', a, b)), c);
  const r = body.let(operation('f32.demote_f64', toOdd(body, sum, error)));
  const back = body.let(operation('f64.promote_f32', r));
  // At the smallest normal number the result may have been tiny before it was rounded.
  body.require(isZero(sum).or(f64('gt', abs(back), f64Constant(SMALLEST_SINGLE)).and(f64('le', abs(back), f64Constant(LARGEST_SINGLE)))));
  requireSilent(body, cpu, () => isZero(error).and(f64('eq', back, sum)));
  body.store(to, r, 4);
  return DONE;
});

/** Control bits: the product is negated; the addend is, in even and in odd elements. */
const Control = { PRODUCT: 1, EVEN: 2, ODD: 4 } as const;

/** The sign bits of the even or odd elements. */
function signs(size: 4 | 8, odd: boolean): Value {
  const bytes = new Uint8Array(LANE);
  for (let at = (odd ? size : 0) + size - 1; at < LANE; at += 2 * size) bytes[at] = 0x80;
  return vectorConstant(bytes);
}
const flipIf = (vector: Value, bits: Value, condition: Value): Value => operation('v128.xor', vector, operation('v128.and', bits, operation('i32x4.splat', Value.i32(0).sub(condition))));

const FUSED_PARAMETERS = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;
/** (processor, result, a, b, c, control) with addresses of up to 16 bytes. */
const fusedLane = (suffix: string, size: 4 | 8, count: number): Routine =>
  routine('fused' + suffix, FUSED_PARAMETERS, 'i32', (body) => {
    const [cpu, to, control] = [body.argument(0), body.argument(1), body.argument(5)];
    const load = (n: number): Value => body.argument(n).load('v128', LANE);
    const bit = (mask: number): Value => control.and(mask).eqz().eqz();
    const a = body.let(flipIf(flipIf(load(2), signs(size, false), bit(Control.PRODUCT)), signs(size, true), bit(Control.PRODUCT)));
    const b = body.let(load(3));
    const c = body.let(flipIf(flipIf(load(4), signs(size, false), bit(Control.EVEN)), signs(size, true), bit(Control.ODD)));
    for (let n = 0; n < count; n++) {
      const element = (v: Value): Value => (size === 4 ? operation('f64.promote_f32', lane('f32x4', v, n)) : lane('f64x2', v, n));
      body.require(body.call(size === 4 ? fusedSingle : fusedDouble, cpu, to.add(n * size), element(a), element(b), element(c)));
    }
    return DONE;
  });

const KINDS = ['ps', 'pd', 'ss', 'sd'];
const LANES = [fusedLane('ps', 4, 4), fusedLane('pd', 8, 2), fusedLane('ss', 4, 1), fusedLane('sd', 8, 1)];
/** The lane of a kind, its number as first argument. */
const anyLane: Routine = routine('fused', ['i32', ...FUSED_PARAMETERS], 'i32', (body) => {
  const rest = FUSED_PARAMETERS.map((_type, n) => body.argument(n + 1));
  LANES.slice(1).forEach((own, n) => body.when(body.argument(0).eq(n + 1), () => body.end(body.call(own, ...rest))));
  return body.call(LANES[0]!, ...rest);
});

/** Fields of a record's immediate: operand order, kind, control. */
const ORDERS = ['132', '213', '231'];
const Information = { ORDER: 8, KIND: 10, CONTROL: 12 } as const;

function emitFused(e: Emitter): void {
  const wide = e.size === 32;
  const source = sourceHost(e);
  const [destination, first] = [e.registerHost(0), e.registerHost(1)];
  const information = e.let(e.read(3, 4));
  const order = e.let(information.shrU(Information.ORDER).and(3));
  const a = e.let(Value.select(order.eqz(), destination, first));
  const b = e.let(Value.select(order.eq(1), destination, source));
  const c = e.let(Value.select(order.eqz(), first, Value.select(order.eq(1), source, destination)));
  const host = e.stateHost();
  host.store(e.f, e.vector(0), LANE, Offset.SIMD_RESULT); // scalars leave the rest of it
  for (let at = 0; at < (wide ? 2 * LANE : LANE); at += LANE) {
    const at16 = (x: Value): Value => (at === 0 ? x : x.add(at));
    const kind = information.shrU(Information.KIND).and(3);
    e.leave(e.call(anyLane, kind, host, host.add(Offset.SIMD_RESULT + at), at16(a), at16(b), at16(c), information.shrU(Information.CONTROL)).eqz());
  }
  e.setVector(0, host.load('v128', LANE, Offset.SIMD_RESULT));
  if (wide) e.registerHost(0).store(e.f, host.load('v128', LANE, Offset.SIMD_RESULT + LANE), LANE, LANE);
  else clearUpper(e);
}

const fused = (size: Width, variants: readonly number[]): Semantics => ({ mnemonic: 'fma', sizes: [size], forms: ['xxxi', 'xxmi'], variants, simd: SIMD_LEVEL.avx, emit: emitFused });
/** The cases that all of FMA shares, by vector length and width of the memory operand. */
export const FUSED: readonly Semantics[] = [fused(16, [4, 8, 16]), fused(32, [32])];

const NAME = /^vf(n?)m(add|sub|addsub|subadd)(132|213|231)(ps|pd|ss|sd)$/;
const ADDENDS: Record<string, number> = { add: 0, sub: Control.EVEN | Control.ODD, addsub: Control.EVEN, subadd: Control.ODD };

/** A record's immediate for an instruction of FMA, or undefined for others. */
export function fusedInformation(mnemonic: string): number | undefined {
  const [, negative, kind, order, suffix] = NAME.exec(mnemonic) ?? [];
  if (suffix === undefined) return undefined;
  const control = ADDENDS[kind!]! | (negative ? Control.PRODUCT : 0);
  return (ORDERS.indexOf(order!) << Information.ORDER) | (KINDS.indexOf(suffix) << Information.KIND) | (control << Information.CONTROL);
}
