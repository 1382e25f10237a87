/** SSE conversions between floating-point formats and integers; see sseArithmetic.ts for when TypeScript performs them. */
import { f32Constant, f64Constant, operation } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { SIMD_LEVEL } from '../simd/levels';
import type { Routine, Semantics } from './emitter';
import { type RoutineBody, routine } from './routine';
import { byRoutine } from './sseArithmetic';
import { aboveSmallest, always, both, constant, does, either, finite, type FloatType, isZero, loadFloat, ordinary, requireSilent, typeBySuffix } from './sseFloatTypes';

const { sse, sse2 } = SIMD_LEVEL;
const ps = typeBySuffix('ps');
const pd = typeBySuffix('pd');
const ss = typeBySuffix('ss');
const sd = typeBySuffix('sd');
const ADDRESSES = ['i32', 'i32', 'i32'] as const;
const DONE = Value.i32(1);

interface Parts {
  body: RoutineBody;
  cpu: Value;
  to: Value;
  from: Value;
}
const conversion = (name: string, convert: (p: Parts) => void): Routine =>
  routine(name, ADDRESSES, 'i32', (body) => {
    convert({ body, cpu: body.argument(0), to: body.argument(1), from: body.argument(2) });
    return DONE;
  });

/** A double that was a single is one that was zero, normal or infinite as a single. */
const SMALLEST_SINGLE = 2 ** -126;
const ordinarySingle = (t: FloatType, v: Value): Value => either(t, does(t, 'ge', does(t, 'abs', v), constant(t, SMALLEST_SINGLE)), isZero(t, v));

const widenScalar = conversion('cvtss2sd', ({ body, to, from }) => {
  const v = body.let(loadFloat(ss, from));
  body.require(ordinary(ss, v));
  body.store(to, operation('f64.promote_f32', v), 8);
});
const widenPacked = conversion('cvtps2pd', ({ body, to, from }) => {
  const v = body.let(operation('f64x2.promote_low_f32x4', operation('i64x2.splat', from.load('i64', 8))));
  body.require(always(pd, ordinarySingle(pd, v)));
  body.store(to, v, 16);
});
const narrowScalar = conversion('cvtsd2ss', ({ body, cpu, to, from }) => {
  const v = body.let(loadFloat(sd, from));
  const r = body.let(operation('f32.demote_f64', v));
  body.require(both(sd, ordinary(sd, v), finite(ss, r), either(sd, aboveSmallest(ss, r), isZero(sd, v))));
  requireSilent(body, cpu, () => does(sd, 'eq', operation('f64.promote_f32', r), v));
  body.store(to, r, 4);
});
const LARGEST_SINGLE = (2 - 2 ** -23) * 2 ** 127;
const narrowPacked = conversion('cvtpd2ps', ({ body, cpu, to, from }) => {
  const v = body.let(loadFloat(pd, from));
  const r = body.let(operation('f32x4.demote_f64x2_zero', v));
  const back = body.let(operation('f64x2.promote_low_f32x4', r));
  const size = body.let(does(pd, 'abs', back));
  const inRange = both(pd, does(pd, 'le', size, constant(pd, LARGEST_SINGLE)), either(pd, does(pd, 'gt', size, constant(pd, SMALLEST_SINGLE)), isZero(pd, v)));
  body.require(always(pd, both(pd, ordinary(pd, v), inRange)));
  requireSilent(body, cpu, () => always(pd, does(pd, 'eq', back, v)));
  body.store(to, r, 16);
});

const integersToSingles = conversion('cvtdq2ps', ({ body, cpu, to, from }) => {
  const v = body.let(from.load('v128', 16));
  const r = body.let(operation('f32x4.convert_i32x4_s', v));
  requireSilent(body, cpu, () => {
    const same = operation('i32x4.eq', operation('i32x4.trunc_sat_f32x4_s', r), v);
    return operation('i32x4.all_true', operation('v128.and', same, does(ps, 'lt', r, constant(ps, 2 ** 31))));
  });
  body.store(to, r, 16);
});
const integersToDoubles = conversion('cvtdq2pd', ({ body, to, from }) => body.store(to, operation('f64x2.convert_low_i32x4_s', operation('i64x2.splat', from.load('i64', 8))), 16));

/** Elements to 32-bit integers; `rounding` is nearest or trunc. */
const toIntegers = (name: string, t: FloatType, rounding: string): Routine =>
  conversion(name, ({ body, cpu, to, from }) => {
    const v = body.let(loadFloat(t, from));
    const r = body.let(does(t, rounding, v));
    body.require(always(t, both(t, does(t, 'ge', r, constant(t, -(2 ** 31))), does(t, 'lt', r, constant(t, 2 ** 31)))));
    requireSilent(body, cpu, () => always(t, does(t, 'eq', r, v)));
    body.store(to, operation(t.single ? 'i32x4.trunc_sat_f32x4_s' : 'i32x4.trunc_sat_f64x2_s_zero', r), 16);
  });

/** Whether a double, rounded to an integer, fits `bits` bits and nothing has to be reported. */
const fits = (rounding: string, bits: 32 | 64): Routine =>
  routine(`fits${rounding}${bits}`, ['i32', 'f64'], 'i32', (body) => {
    const v = body.argument(1);
    const r = body.let(does(sd, rounding, v));
    body.require(does(sd, 'ge', r, f64Constant(-(2 ** (bits - 1)))).and(does(sd, 'lt', r, f64Constant(2 ** (bits - 1)))));
    requireSilent(body, body.argument(0), () => does(sd, 'eq', r, v));
    return DONE;
  });

const toGeneral = (mnemonic: string, t: FloatType, rounding: string): Semantics => ({
  mnemonic,
  sizes: [4, 8],
  simd: t.single ? sse : sse2,
  stages: true,
  forms: ['rx'],
  emit(e) {
    const own = loadFloat(t, e.registerHost(1));
    const v = e.let(t.single ? operation('f64.promote_f32', own) : own);
    e.leave(e.call(fits(rounding, e.size === 8 ? 64 : 32), e.stateHost(), v).eqz());
    e.write(0, e.let(operation(`${e.size === 8 ? 'i64' : 'i32'}.trunc_sat_f64_s`, does(sd, rounding, v))));
  },
});

/** The conversion of an integer back: equal where it was exact. The largest results would saturate. */
export const exactInteger = (single: boolean, size: 4 | 8): Routine =>
  routine(`fromInteger${single ? 's' : 'd'}${size}`, ['i32', 'i32', size === 8 ? 'i64' : 'i32'], 'i32', (body) => {
    const [cpu, to, v] = [body.argument(0), body.argument(1), body.argument(2)];
    const [float, integer] = [single ? 'f32' : 'f64', size === 8 ? 'i64' : 'i32'];
    const r = body.let(operation(`${float}.convert_${integer}_s`, v));
    const limit = (single ? f32Constant : f64Constant)(2 ** (size * 8 - 1));
    requireSilent(body, cpu, () => operation(`${integer}.trunc_sat_${float}_s`, r).eq(v).and(operation(`${float}.lt`, r, limit)));
    body.store(to, r, single ? 4 : 8);
    return DONE;
  });

const fromGeneral = (mnemonic: string, single: boolean): Semantics => ({
  mnemonic,
  sizes: [4, 8],
  sizeFrom: 1,
  simd: single ? sse : sse2,
  stages: true,
  forms: ['xr'],
  emit(e) {
    const v = e.read(1);
    if (!single && e.size === 4) return e.registerHost(0).store(e.f, operation('f64.convert_i32_s', v), 8); // always exact
    e.leave(e.call(exactInteger(single, e.size as 4 | 8), e.stateHost(), e.registerHost(0), v).eqz());
  },
});

export const sseConversions: Semantics[] = [
  byRoutine(sse2, 'cvtss2sd', widenScalar),
  byRoutine(sse2, 'cvtsd2ss', narrowScalar),
  byRoutine(sse2, 'cvtps2pd', widenPacked),
  byRoutine(sse2, 'cvtpd2ps', narrowPacked),
  byRoutine(sse2, 'cvtdq2ps', integersToSingles),
  byRoutine(sse2, 'cvtdq2pd', integersToDoubles),
  byRoutine(sse2, 'cvtps2dq', toIntegers('cvtps2dq', ps, 'nearest')),
  byRoutine(sse2, 'cvttps2dq', toIntegers('cvttps2dq', ps, 'trunc')),
  byRoutine(sse2, 'cvtpd2dq', toIntegers('cvtpd2dq', pd, 'nearest')),
  byRoutine(sse2, 'cvttpd2dq', toIntegers('cvttpd2dq', pd, 'trunc')),
  toGeneral('cvtss2si', ss, 'nearest'),
  toGeneral('cvttss2si', ss, 'trunc'),
  toGeneral('cvtsd2si', sd, 'nearest'),
  toGeneral('cvttsd2si', sd, 'trunc'),
  fromGeneral('cvtsi2ss', true),
  fromGeneral('cvtsi2sd', false),
];
