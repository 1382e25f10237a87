/** JMP, Jcc, CALL, RET (near), LOOPcc, JCXZ. Far transfers are in system/. */
import { Value } from '../../wasm/value';
import { Gpr } from '../state';
import { type Emitter, type Semantics, stacked } from './emitter';
import { condition } from './statusFlags';

const CONDITIONS = Array.from({ length: 16 }, (_, cc) => cc);
const NEAR = [2, 4, 8] as const;

/** RIP from a value of the operand size. */
const ripOf = (e: Emitter, v: Value): Value => e.let(e.narrow(v).extendU());

const returnAddress = (e: Emitter): Value => {
  const next = e.let(e.nextRip());
  return e.size === 8 ? next : e.let(e.narrow(next.wrap()));
};

const loop = (mnemonic: string, also: (e: Emitter, counted: Value) => Value, counts = true): Semantics => ({
  mnemonic,
  sizes: NEAR,
  forms: ['j'],
  sizeFrom: -1,
  variant: 'address',
  variants: [2, 4, 8],
  emit(e) {
    const size = e.variant;
    const part = e.fixedPart(Gpr.RCX, size);
    const counted = e.let(counts ? e.narrow(part.sub(1), size) : part);
    const taken = e.let(also(e, counted));
    if (counts) e.setFixedPart(Gpr.RCX, counted, size);
    e.jump(taken);
  },
});

const notZero = (v: Value): Value => v.eqz().eqz();

export const branches: Semantics[] = [
  { mnemonic: 'jmp', sizes: NEAR, forms: ['j'], sizeFrom: -1, ends: true, emit: (e) => e.jump() },
  { mnemonic: 'jcc', sizes: NEAR, forms: ['j'], sizeFrom: -1, variant: 'condition', variants: CONDITIONS, emit: (e) => e.jump(condition(e, e.variant)) },
  { mnemonic: 'jmp_near', sizes: NEAR, forms: ['r', 'm'], sizeFrom: -1, ends: true, emit: (e) => e.jumpTo(ripOf(e, e.read(0))) },
  ...stacked({
    mnemonic: 'call',
    forms: ['j'],
    ends: true,
    emit(e) {
      e.push(returnAddress(e));
      e.jump();
    },
  }),
  ...stacked({
    mnemonic: 'call_near',
    forms: ['r', 'm'],
    ends: true,
    emit(e) {
      const target = ripOf(e, e.read(0));
      e.push(returnAddress(e));
      e.jumpTo(target);
    },
  }),
  ...stacked({
    mnemonic: 'ret',
    forms: ['', 'i'],
    ends: true,
    emit(e) {
      const target = ripOf(e, e.top());
      if (e.form === 'i') e.dropStack(e.let(e.read(0, 4).add(e.size).extendU()));
      else e.dropStack(e.size);
      e.jumpTo(target);
    },
  }),
  loop('loop', (_e, n) => notZero(n)),
  loop('loope', (e, n) => notZero(n).and(condition(e, 4))),
  loop('loopne', (e, n) => notZero(n).and(condition(e, 5))),
  loop('jcxz', (_e, n) => n.eqz(), false),
];
