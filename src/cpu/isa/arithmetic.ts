/** ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG, NOT. */
import { Value } from '../../wasm/value';
import { type Emitter, type Semantics } from './emitter';
import { carry, flagsOfAdd, flagsOfResult, flagsOfSub, setCarryAlone } from './statusFlags';

const ALL = [1, 2, 4, 8] as const;
const TWO_OPERANDS = ['rr', 'ri', 'rm', 'mr', 'mi'];
const ONE_OPERAND = ['r', 'm'];

const carryIn = (e: Emitter): Value => (e.size === 8 ? carry(e).extendU() : carry(e));

type Flags = (e: Emitter, a: Value, b: Value, r: Value) => void;
const logic: Flags = (e, _a, _b, r) => flagsOfResult(e, r);

/** destination = destination op source */
const binary = (mnemonic: string, compute: (e: Emitter, a: Value, b: Value) => Value, flags: Flags): Semantics => ({
  mnemonic,
  sizes: ALL,
  forms: TWO_OPERANDS,
  emit(e) {
    const b = e.read(1);
    let a!: Value;
    const r = e.modify(0, (old) => e.narrow(compute(e, (a = old), b)));
    flags(e, a, b, r);
  },
});

/** flags of destination op source; nothing is written */
const compare = (mnemonic: string, compute: (a: Value, b: Value) => Value, flags: Flags): Semantics => ({
  mnemonic,
  sizes: ALL,
  forms: TWO_OPERANDS,
  emit(e) {
    const b = e.read(1);
    const a = e.read(0);
    flags(e, a, b, e.let(e.narrow(compute(a, b))));
  },
});

/** INC and DEC: arithmetic with 1 that keeps CF. */
const step = (mnemonic: string, compute: (a: Value, b: Value) => Value, flags: Flags): Semantics => ({
  mnemonic,
  sizes: ALL,
  forms: ONE_OPERAND,
  emit(e) {
    const one = e.constant(1);
    let a!: Value;
    const r = e.modify(0, (old) => e.narrow(compute((a = old), one)));
    const cf = e.let(carry(e));
    flags(e, a, one, r);
    setCarryAlone(e, cf);
  },
});

export const arithmetic: Semantics[] = [
  binary('add', (_e, a, b) => a.add(b), flagsOfAdd),
  binary('adc', (e, a, b) => a.add(b).add(carryIn(e)), flagsOfAdd),
  binary('sub', (_e, a, b) => a.sub(b), flagsOfSub),
  binary('sbb', (e, a, b) => a.sub(b).sub(carryIn(e)), flagsOfSub),
  binary('and', (_e, a, b) => a.and(b), logic),
  binary('or', (_e, a, b) => a.or(b), logic),
  binary('xor', (_e, a, b) => a.xor(b), logic),
  compare('cmp', (a, b) => a.sub(b), flagsOfSub),
  compare('test', (a, b) => a.and(b), logic),
  step('inc', (a, b) => a.add(b), flagsOfAdd),
  step('dec', (a, b) => a.sub(b), flagsOfSub),
  {
    mnemonic: 'neg',
    sizes: ALL,
    forms: ONE_OPERAND,
    emit(e) {
      const zero = e.constant(0);
      let a!: Value;
      const r = e.modify(0, (old) => e.narrow(zero.sub((a = old))));
      flagsOfSub(e, zero, a, r);
    },
  },
  {
    mnemonic: 'not',
    sizes: ALL,
    forms: ONE_OPERAND,
    emit(e) {
      e.modify(0, (a) => e.narrow(a.not()));
    },
  },
];
