/** CMPXCHG, CMPXCHG16B, XADD. Processors take turns by instruction, so LOCK needs nothing more. */
import { lane, replaceLane, vectorConstant } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { Gpr } from '../state';
import { type Semantics } from './emitter';
import { flagsOfAdd, flagsOfSub, setZeroAlone } from './statusFlags';

const ALL = [1, 2, 4, 8] as const;
const NOTHING = vectorConstant(new Uint8Array(16));

export const exchanges: Semantics[] = [
  {
    mnemonic: 'cmpxchg',
    sizes: ALL,
    forms: ['rr', 'mr'],
    emit(e) {
      const source = e.read(1);
      const whole = e.let(e.fixed(Gpr.RAX));
      const accumulator = e.let(e.fixedPart(Gpr.RAX));
      let old!: Value;
      if (e.form === 'rr' && e.size === 4) {
        // A 32-bit register destination that is not exchanged keeps its upper half too.
        const destination = e.read(0, 8);
        old = e.let(destination.wrap());
        e.write(0, e.let(Value.select(accumulator.eq(old), source.extendU(), destination)), 8);
      } else {
        e.modify(0, (v) => {
          old = v;
          return Value.select(accumulator.eq(v), source, v);
        });
      }
      const equal = e.let(accumulator.eq(old));
      const loaded = e.size >= 4 ? old.extendU() : whole.and(e.size === 1 ? ~0xffn : ~0xffffn).or(old.extendU());
      // When both are equal rAX keeps even its upper half; a register destination that is rAX was just written with the source.
      e.setFixed(Gpr.RAX, e.let(Value.select(equal, e.fixed(Gpr.RAX), loaded)));
      flagsOfSub(e, accumulator, old, e.let(e.narrow(accumulator.sub(old))));
    },
  },
  {
    // Linux's allocator does it at every allocation.
    mnemonic: 'cmpxchg16b',
    sizes: [16],
    forms: ['m'],
    emit(e) {
      const linear = e.let(e.address());
      e.requireAligned(linear);
      const found: Value[] = [];
      let equal!: Value;
      e.modifyAt(linear, (old) => {
        for (const n of [0, 1]) found.push(e.let(lane('i64x2', old, n)));
        equal = e.let(found[0]!.xor(e.fixed(Gpr.RAX)).or(found[1]!.xor(e.fixed(Gpr.RDX))).eqz());
        const pair = replaceLane('i64x2', replaceLane('i64x2', NOTHING, 0, e.fixed(Gpr.RBX)), 1, e.fixed(Gpr.RCX));
        return Value.select(equal, pair, old);
      }, 16);
      [Gpr.RAX, Gpr.RDX].forEach((register, n) => e.setFixed(register, e.let(Value.select(equal, e.fixed(register), found[n]!))));
      setZeroAlone(e, equal);
    },
  },
  {
    mnemonic: 'xadd',
    sizes: ALL,
    forms: ['rr', 'mr'],
    emit(e) {
      const b = e.read(1);
      let a!: Value;
      let r!: Value;
      if (e.form === 'rr') {
        a = e.read(0);
        r = e.let(e.narrow(a.add(b)));
        e.write(1, a);
        e.write(0, r);
      } else {
        r = e.modify(0, (v) => e.narrow((a = v).add(b)));
        e.write(1, a);
      }
      flagsOfAdd(e, a, b, r);
    },
  },
];
