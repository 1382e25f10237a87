/** FPREM and FPREM1: exact partial remainders (SDM volume 2, "FPREM—Partial Remainder"). */
import type { SlowOperation } from '../processor';
import { Class, classOf, type Extended, exponentOf, extended, INDEFINITE, INTEGER_BIT, scaleOf, zero } from './extended';
import { begin, settle } from './frame';
import { invalid, nanOfTwo, noteDenormals } from './nan';
import { type Numeric, roundExtended } from './numeric';
import { isEmpty, readStack, setStatusWord, statusWord, writeStack } from './registers';
import { CONDITION_CODES, Status } from './statusWord';

/** No quotient: C0 and C3 stay as they were. */
const NONE = -2;

interface Remainder {
  value: Extended;
  /** Low three bits of the quotient; -1 when the reduction is not complete, NONE for NaNs and invalid operands. */
  quotient: number;
}

/** Exponents that differ by this much or more are reduced by so many bits at a time that the rest is a multiple of 32 less. */
const COMPLETE_BELOW = 64;

function remainder(env: Numeric, a: Extended, b: Extended, nearest: boolean): Remainder {
  const nan = nanOfTwo(env, a, b);
  if (nan) return { value: nan, quotient: NONE };
  const kindA = classOf(a);
  const kindB = classOf(b);
  if (kindA === Class.INFINITY || kindB === Class.ZERO) return { value: invalid(env), quotient: NONE };
  noteDenormals(env, a, b);
  if (kindA === Class.ZERO) return { value: a, quotient: 0 };
  // A pseudo-denormal comes out as the normal number that it stands for.
  if (kindB === Class.INFINITY) return { value: a.exponent === 0 && a.significand & INTEGER_BIT ? extended(a.sign, 1, a.significand) : a, quotient: 0 };
  const distance = exponentOf(a) - exponentOf(b);
  // Of finite numbers even an unchanged denormal is rounded: it may underflow.
  if (distance < -1) return { value: roundExtended(env, a.sign, a.significand, scaleOf(a), 64), quotient: 0 };
  const bottom = Math.min(scaleOf(a), scaleOf(b));
  const divisor = b.significand << BigInt(scaleOf(b) - bottom);
  let rest = a.significand << BigInt(scaleOf(a) - bottom);
  let { sign } = a;
  let quotient = -1;
  if (distance >= COMPLETE_BELOW) {
    const step = BigInt(distance - ((distance & 31) | 32));
    rest %= divisor << step;
  } else {
    let whole = rest / divisor;
    rest -= whole * divisor;
    const twice = rest << 1n;
    if (nearest && (twice > divisor || (twice === divisor && (whole & 1n) === 1n))) {
      whole += 1n;
      rest = divisor - rest;
      sign ^= 1;
    }
    quotient = Number(whole & 7n);
  }
  return { value: rest === 0n ? zero(a.sign) : roundExtended(env, sign, rest, bottom, 64), quotient };
}

/** Quotient bits: Q2 in C0, Q1 in C3, Q0 in C1. */
const codesOf = (quotient: number): number =>
  quotient < 0 ? Status.C2 : (quotient & 4 ? Status.C0 : 0) | (quotient & 2 ? Status.C3 : 0) | (quotient & 1 ? Status.C1 : 0);

const operation =
  (nearest: boolean): SlowOperation =>
  (cpu, insn) => {
    const env = begin(cpu);
    const s = cpu.state;
    let result: Remainder = { value: INDEFINITE, quotient: NONE };
    if (isEmpty(s, 0) || isEmpty(s, 1)) env.stackUnderflow();
    else result = remainder(env, readStack(s, 0), readStack(s, 1), nearest);
    const done = settle(cpu, insn, env);
    setStatusWord(s, statusWord(s) & ~Status.C2);
    if (!done) return;
    if (result.quotient !== NONE) setStatusWord(s, (statusWord(s) & ~CONDITION_CODES) | codesOf(result.quotient));
    writeStack(s, 0, result.value);
  };

export const remainderOperations: Record<string, SlowOperation> = { fprem: operation(false), fprem1: operation(true) };
