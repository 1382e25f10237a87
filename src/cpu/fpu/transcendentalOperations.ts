/** The transcendental instructions around transcendental.ts: range and C2, pushes and pops. */
import type { SlowOperation } from '../processor';
import { unary } from './arithmeticOperations';
import { type Extended, INDEFINITE, isNan, classOf, one } from './extended';
import { begin, settle } from './frame';
import type { Numeric } from './numeric';
import { isEmpty, pop, push, readStack, setStatusWord, statusWord, writeStack } from './registers';
import { ofTwo } from './scaleOperations';
import { Status } from './statusWord';
import { angleOf, inRange, logarithmOfOnePlus, logarithmTimes, powerMinusOne, sineOf, tangentOf } from './transcendental';

/** An angle in ST(0): out of range sets C2 and leaves it; otherwise `results` replace it, the last being pushed. */
const trigonometric =
  (results: (env: Numeric, x: Extended) => readonly Extended[], pushes: boolean): SlowOperation =>
  (cpu, insn) => {
    const env = begin(cpu);
    const s = cpu.state;
    const x = readStack(s, 0);
    const codes = (c2: number): void => setStatusWord(s, (statusWord(s) & ~Status.C2) | c2);
    let values: readonly Extended[] = pushes ? [INDEFINITE, INDEFINITE] : [INDEFINITE];
    if (isEmpty(s, 0)) env.stackUnderflow();
    else if (pushes && !isEmpty(s, -1)) env.stackOverflow();
    else if (!inRange(x)) {
      settle(cpu, insn, env);
      return codes(Status.C2);
    } else values = results(env, x);
    const done = settle(cpu, insn, env);
    codes(0);
    if (!done) return;
    writeStack(s, 0, values[0]!);
    if (pushes) push(s, values[1]!);
  };

/** An operation on ST(0) and ST(1) that replaces ST(1) and pops. */
const intoSecond = (operation: (env: Numeric, x: Extended, y: Extended) => Extended): SlowOperation =>
  ofTwo(operation, (s, result) => {
    writeStack(s, 1, result);
    pop(s);
  });

/** FPTAN pushes 1 after the tangent, or the same NaN. */
const tangentAndOne = (env: Numeric, x: Extended): readonly Extended[] => {
  const tangent = tangentOf(env, x);
  return [tangent, isNan(classOf(tangent)) ? tangent : one(0)];
};

export const transcendentalOperations: Record<string, SlowOperation> = {
  fsin: trigonometric((env, x) => [sineOf(env, x, 0)], false),
  fcos: trigonometric((env, x) => [sineOf(env, x, 1)], false),
  fsincos: trigonometric((env, x) => [sineOf(env, x, 0), sineOf(env, x, 1)], true),
  fptan: trigonometric(tangentAndOne, true),
  fpatan: intoSecond(angleOf),
  f2xm1: unary(powerMinusOne),
  fyl2x: intoSecond(logarithmTimes),
  fyl2xp1: intoSecond(logarithmOfOnePlus),
};
