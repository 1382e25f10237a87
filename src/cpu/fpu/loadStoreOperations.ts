/** FLD, FST, FSTP, FILD, FIST, FISTP, FISTTP, FBLD, FBSTP, FXCH, FCMOVcc. */
import { Kind } from '../decode/instruction';
import { CF, PF, readFlags, ZF } from '../flags';
import type { SlowOperation } from '../processor';
import { type Extended, INDEFINITE } from './extended';
import { BCD_INDEFINITE, fromBcd, fromInteger, narrow, storeInteger, toBcd, widen } from './formats';
import { begin, requiring, settle } from './frame';
import { load80, loadAt, operandOffset, pack80, store80, storeAt, unpack80 } from './memoryOperand';
import { nanOf, noteDenormals } from './nan';
import type { Numeric } from './numeric';
import { isEmpty, pop, push, readStack, writeStack } from './registers';
import { Exception, RoundingControl } from './statusWord';
import type { Instruction } from '../decode/instruction';
import type { Processor } from '../processor';

/** Pushes what `read` yields, or the indefinite on a stack overflow. */
export const loading =
  (read: (cpu: Processor, insn: Instruction, env: Numeric) => Extended, memory: boolean): SlowOperation =>
  (cpu, insn) => {
    const env = begin(cpu);
    const overflow = !isEmpty(cpu.state, -1);
    let value = read(cpu, insn, env);
    if (overflow) {
      env.raised = 0;
      env.stackOverflow();
      value = INDEFINITE;
    }
    settle(cpu, insn, env, memory ? operandOffset(cpu, insn) : undefined);
    // An unmasked denormal-operand exception is reported later, but does not prevent the push.
    if (env.masked(env.raised & Exception.INVALID)) push(cpu.state, value);
  };

const loadFloat = loading((cpu, insn, env) => {
  const { size } = insn.operands[0];
  if (size === 10) return unpack80(load80(cpu, insn));
  const value = widen(loadAt(cpu, insn, 0, size), size);
  const nan = nanOf(env, value);
  if (nan) return nan;
  noteDenormals(env, value);
  return { sign: value.sign, exponent: value.exponent, significand: value.significand };
}, true);

const loadRegister: SlowOperation = (cpu, insn) => {
  const env = begin(cpu);
  const s = cpu.state;
  const i = insn.operands[0].number;
  const value = isEmpty(s, i) || !isEmpty(s, -1) ? INDEFINITE : readStack(s, i);
  if (isEmpty(s, i)) env.stackUnderflow();
  else if (!isEmpty(s, -1)) env.stackOverflow();
  if (settle(cpu, insn, env)) push(s, value);
};

/** Stores ST(0): `convert` yields the bits, or undefined when an unmasked exception forbids the store. */
const storing =
  (convert: (env: Numeric, x: Extended, size: number) => bigint | undefined, indefinite: (size: number) => bigint, popping: boolean): SlowOperation =>
  (cpu, insn) => {
    const env = begin(cpu);
    const s = cpu.state;
    const { size } = insn.operands[0];
    let bits: bigint | undefined;
    if (isEmpty(s, 0)) {
      env.stackUnderflow();
      bits = indefinite(size);
    } else bits = convert(env, readStack(s, 0), size);
    const offset = operandOffset(cpu, insn);
    // The store comes first: a page fault must leave status and stack as they were.
    const stored = bits !== undefined && env.masked(env.raised & 1);
    if (stored && size === 10) store80(cpu, insn, bits!);
    else if (stored) storeAt(cpu, insn, 0, size, bits!);
    settle(cpu, insn, env, offset);
    if (stored && popping) pop(s);
  };

const REAL_INDEFINITE: Readonly<Record<number, bigint>> = { 4: 0xffc0_0000n, 8: 0xfff8_0000_0000_0000n, 10: pack80(INDEFINITE) };

function floatBits(env: Numeric, x: Extended, size: number): bigint | undefined {
  if (size === 10) return pack80(x);
  return narrow(env, x, size); // a denormal in the register raises underflow only
}

const storeFloat = (popping: boolean): SlowOperation => {
  const toMemory = storing(floatBits, (size) => REAL_INDEFINITE[size]!, popping);
  return (cpu, insn) => {
    if (insn.operands[0].kind === Kind.MEM) return toMemory(cpu, insn);
    if (isSilentTwin(insn)) return storeSilently(cpu, insn);
    const env = begin(cpu);
    const s = cpu.state;
    let value = readStack(s, 0);
    if (isEmpty(s, 0)) {
      env.stackUnderflow();
      value = INDEFINITE;
    }
    if (!settle(cpu, insn, env)) return;
    writeStack(s, insn.operands[0].number, value);
    if (popping) pop(s);
  };
};

/** D9 D8+i, an undocumented twin of FSTP ST(i), does not look whether ST(0) is empty. */
const isSilentTwin = (insn: Instruction): boolean => insn.opcode === 0xd9 && insn.modrm >= 0xd8;

const storeSilently: SlowOperation = (cpu, insn) => {
  const env = begin(cpu);
  const s = cpu.state;
  settle(cpu, insn, env);
  if (!isEmpty(s, 0)) writeStack(s, insn.operands[0].number, readStack(s, 0));
  pop(s);
};

const integerIndefinite = (size: number): bigint => 1n << BigInt(size * 8 - 1);
const integerStore = (popping: boolean, rounding?: number): SlowOperation => storing((env, x, size) => storeInteger(env, x, size, rounding), integerIndefinite, popping);

const exchange: SlowOperation = (cpu, insn) => {
  const env = begin(cpu);
  const s = cpu.state;
  const i = insn.operands[0].number;
  const emptyTop = isEmpty(s, 0);
  const emptyOther = isEmpty(s, i);
  if (emptyTop || emptyOther) env.stackUnderflow();
  if (!settle(cpu, insn, env)) return;
  const a = emptyTop ? INDEFINITE : readStack(s, 0);
  const b = emptyOther ? INDEFINITE : readStack(s, i);
  writeStack(s, 0, b);
  writeStack(s, i, a);
};

const conditionalMove = (flags: number, wanted: boolean): SlowOperation =>
  requiring('cmov', (cpu, insn) => {
    const env = begin(cpu);
    const s = cpu.state;
    const i = insn.operands[1].number;
    env.keepsC1 = true;
    const underflow = isEmpty(s, 0) || isEmpty(s, i);
    if (underflow) env.stackUnderflow();
    if (!settle(cpu, insn, env)) return;
    if (((readFlags(s) & flags) !== 0) !== wanted) {
      if (underflow) writeStack(s, 0, INDEFINITE);
      return;
    }
    writeStack(s, 0, underflow ? INDEFINITE : readStack(s, i));
  });

export const loadStoreOperations: Record<string, SlowOperation> = {
  fld: (cpu, insn) => (insn.operands[0].kind === Kind.MEM ? loadFloat : loadRegister)(cpu, insn),
  fst: storeFloat(false),
  fstp: storeFloat(true),
  fild: loading((cpu, insn) => {
    const { size } = insn.operands[0];
    return fromInteger(BigInt.asIntN(size * 8, loadAt(cpu, insn, 0, size)));
  }, true),
  fist: integerStore(false),
  fistp: integerStore(true),
  fisttp: requiring('sse3', integerStore(true, RoundingControl.ZERO)),
  fbld: loading((cpu, insn) => fromBcd(load80(cpu, insn)), true),
  fbstp: storing(toBcd, () => BCD_INDEFINITE, true),
  fxch: exchange,
  fcmovb: conditionalMove(CF, true),
  fcmove: conditionalMove(ZF, true),
  fcmovbe: conditionalMove(CF | ZF, true),
  fcmovu: conditionalMove(PF, true),
  fcmovnb: conditionalMove(CF, false),
  fcmovne: conditionalMove(ZF, false),
  fcmovnbe: conditionalMove(CF | ZF, false),
  fcmovnu: conditionalMove(PF, false),
};
