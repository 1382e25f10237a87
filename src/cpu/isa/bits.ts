/** BT, BTS, BTR, BTC, BSF, BSR, TZCNT, LZCNT, POPCNT. */
import { Value } from '../../wasm/value';
import { type Emitter, type Semantics } from './emitter';
import { auxOfCarryOverflow, flagsOfResult, setCarryAlone } from './statusFlags';

const WORDS = [2, 4, 8] as const;
const shiftOf = { 2: 4, 4: 5, 8: 6 } as Record<number, number>;

/** What becomes of the tested bit; undefined for BT. */
const bitTest = (mnemonic: string, change?: (a: Value, mask: Value) => Value): Semantics => ({
  mnemonic,
  sizes: WORDS,
  forms: ['rr', 'ri', 'mr', 'mi'],
  bitString: true,
  emit(e) {
    const bits = e.size * 8;
    const index = e.read(1);
    const n = e.let(index.and(bits - 1));
    const mask = e.constant(1).shl(n);
    const tested = (a: Value): Value => a.shrU(n).wrap().and(1);
    let old!: Value;
    const compute = (a: Value): Value => change!((old = a), mask);
    if (e.form === 'mr') {
      // A register index reaches beyond the operand: the address moves by whole operands, forwards or backwards.
      const elements = e.signed64(index).shrS(shiftOf[e.size]!);
      const linear = e.let(e.addressMoved(elements.shl(shiftOf[e.size]! - 3)));
      if (change) e.modifyAt(linear, compute, e.size);
      else old = e.load(linear, e.size);
    } else if (change) {
      e.modify(0, (a) => e.narrow(compute(a)));
    } else {
      old = e.read(0);
    }
    setCarryAlone(e, e.let(tested(old)));
  },
});

/** BSF and BSR leave the destination, all 64 bits of it, alone when the source is 0. */
const scan = (mnemonic: string, position: (e: Emitter, v: Value) => Value): Semantics => ({
  mnemonic,
  sizes: WORDS,
  forms: ['rr', 'rm'],
  emit(e) {
    const v = e.read(1);
    const whole = e.size === 2 ? 2 : 8;
    const found = position(e, v);
    e.write(0, e.let(Value.select(v.eqz(), e.read(0, whole), whole === 8 ? found.extendU() : found)), whole);
    flagsOfResult(e, v);
  },
});

const top = (e: Emitter): number => (e.size === 8 ? 63 : 31);

/** TZCNT and LZCNT: CF says that the source was 0, ZF that the count is. */
const count = (mnemonic: string, counted: (e: Emitter, v: Value) => Value): Semantics => ({
  mnemonic,
  sizes: WORDS,
  forms: ['rr', 'rm'],
  emit(e) {
    const v = e.read(1);
    const n = e.let(counted(e, v));
    e.write(0, n);
    const cf = v.eqz();
    e.setAux(auxOfCarryOverflow(cf, Value.i32(0)));
    e.setRes(e.signed64(n));
  },
});

export const bitInstructions: Semantics[] = [
  bitTest('bt'),
  bitTest('bts', (a, mask) => a.or(mask)),
  bitTest('btr', (a, mask) => a.and(mask.not())),
  bitTest('btc', (a, mask) => a.xor(mask)),
  scan('bsf', (_e, v) => v.ctz()),
  scan('bsr', (e, v) => e.constant(top(e)).sub(v.clz())),
  count('tzcnt', (e, v) => (e.size === 2 ? v.or(0x10000).ctz() : v.ctz())),
  count('lzcnt', (e, v) => (e.size === 2 ? v.clz().sub(16) : v.clz())),
  {
    mnemonic: 'popcnt',
    sizes: WORDS,
    forms: ['rr', 'rm'],
    emit(e) {
      const n = e.let(e.read(1).popcnt());
      e.write(0, n);
      // All flags but ZF are clear: the parity delta makes up for a count of even parity.
      e.setAux(n.popcnt().wrap().and(1).xor(1).shl(8));
      e.setRes(e.signed64(n));
    },
  },
];
