/** FABS, FCHS, FRNDINT, FSCALE, FXTRACT. */
import type { SlowOperation } from '../processor';
import type { CpuState } from '../state';
import { unary } from './arithmeticOperations';
import { BIAS, Class, classOf, type Extended, exponentOf, extended, INDEFINITE, infinity, INTEGER_BIT, isNan, normalized, scaleOf, withSign, zero } from './extended';
import { fromInteger, toInteger } from './formats';
import { begin, settle } from './frame';
import { invalid, nanOf, nanOfTwo, noteDenormals } from './nan';
import { type Numeric, roundExtended } from './numeric';
import { isEmpty, push, readStack, writeStack } from './registers';
import { Exception } from './statusWord';

const signOperation = (sign: (old: number) => number): SlowOperation => unary((_env, a) => withSign(a, sign(a.sign)));

function roundToIntegral(env: Numeric, a: Extended): Extended {
  const nan = nanOf(env, a);
  if (nan) return nan;
  noteDenormals(env, a);
  if (classOf(a) === Class.INFINITY || scaleOf(a) >= 0) return a;
  const { value, inexact, up } = toInteger(a, env.rounding)!;
  if (inexact) env.raise(Exception.PRECISION);
  env.c1 = up;
  return withSign(fromInteger(value), a.sign);
}

/** More than any scale that keeps a finite number in range. */
const SCALE_LIMIT = 0x10000;

/** ST(0) times 2 to the power of ST(1), cut off to an integer. */
function scale(env: Numeric, a: Extended, b: Extended): Extended {
  const nan = nanOfTwo(env, a, b);
  if (nan) return nan;
  const kindA = classOf(a);
  const kindB = classOf(b);
  if (kindB === Class.INFINITY) {
    if (b.sign ? kindA === Class.INFINITY : kindA === Class.ZERO) return invalid(env);
    noteDenormals(env, a);
    if (kindA === Class.INFINITY || kindA === Class.ZERO) return a;
    return b.sign ? zero(a.sign) : infinity(a.sign);
  }
  noteDenormals(env, a, b);
  if (kindA === Class.INFINITY || kindA === Class.ZERO) return a;
  // A scale of zero leaves even a denormal as it is, without #U (one that is cut off to zero does not); of a pseudo-denormal the exponent becomes what it counts as.
  if (kindB === Class.ZERO) return a.exponent === 0 && a.significand >= INTEGER_BIT ? extended(a.sign, 1, a.significand) : a;
  const power = exponentOf(b) < 0 ? 0 : exponentOf(b) > 16 ? SCALE_LIMIT : Number(b.significand >> BigInt(-scaleOf(b)));
  if (power === 0 && kindA !== Class.DENORMAL) return a;
  return roundExtended(env, a.sign, a.significand, scaleOf(a) + (b.sign ? -power : power), 64);
}

/** ST(0) becomes the exponent, and the significand as a number between 1 and 2 is pushed. */
const extract: SlowOperation = (cpu, insn) => {
  const env = begin(cpu);
  const s = cpu.state;
  const a = readStack(s, 0);
  let exponent: Extended = INDEFINITE;
  let significand: Extended = INDEFINITE;
  if (isEmpty(s, 0)) env.stackUnderflow();
  else if (!isEmpty(s, -1)) env.stackOverflow();
  else {
    const kind = classOf(a);
    if (isNan(kind) || kind === Class.UNSUPPORTED) exponent = significand = nanOf(env, a)!;
    else if (kind === Class.ZERO) {
      env.raise(Exception.ZERO_DIVIDE);
      exponent = infinity(1);
      significand = a;
    } else if (kind === Class.INFINITY) {
      exponent = infinity(0);
      significand = a;
    } else {
      noteDenormals(env, a);
      exponent = fromInteger(BigInt(exponentOf(a)));
      significand = extended(a.sign, BIAS, normalized(a).significand);
    }
  }
  if (!settle(cpu, insn, env)) return;
  writeStack(s, 0, exponent);
  push(s, significand);
};

/** An operation on ST(0) and ST(1); `keep` puts its result where it belongs. */
export const ofTwo =
  (operation: (env: Numeric, a: Extended, b: Extended) => Extended, keep: (s: CpuState, result: Extended) => void): SlowOperation =>
  (cpu, insn) => {
    const env = begin(cpu);
    const s = cpu.state;
    let result: Extended = INDEFINITE;
    if (isEmpty(s, 0) || isEmpty(s, 1)) env.stackUnderflow();
    else result = operation(env, readStack(s, 0), readStack(s, 1));
    if (settle(cpu, insn, env)) keep(s, result);
  };

export const scaleOperations: Record<string, SlowOperation> = {
  fabs: signOperation(() => 0),
  fchs: signOperation((sign) => sign ^ 1),
  frndint: unary(roundToIntegral),
  fscale: ofTwo(scale, (s, result) => writeStack(s, 0, result)),
  fxtract: extract,
};
