/** BMI1 and BMI2 between registers (SDM volume 2). Memory operands, PDEP and PEXT are TypeScript's: system/bmiOperations.ts. */
import { Value } from '../../wasm/value';
import { SIMD_LEVEL } from '../simd/levels';
import { Gpr } from '../state';
import type { Emitter, Semantics } from './emitter';
import { multiplyHighUnsigned } from './multiply';
import { auxOfCarryOverflow } from './statusFlags';

const NONE = Value.i32(0);

const bmi = (mnemonic: string, form: string, emit: (e: Emitter) => void): Semantics => ({ mnemonic, sizes: [4, 8], forms: [form], simd: SIMD_LEVEL.vex, emit });

/** Writes the destination and ZF, SF of it; OF is clear. */
function finish(e: Emitter, result: Value, carry: Value = NONE): void {
  const r = e.let(result);
  const cf = e.let(carry);
  e.write(0, r);
  e.setRes(e.signed64(r));
  e.setAux(auxOfCarryOverflow(cf, NONE));
}

/** BLSI, BLSMSK, BLSR. */
const lowest = (mnemonic: string, compute: (x: Value, e: Emitter) => Value, carryIfZero: boolean): Semantics =>
  bmi(mnemonic, 'rr', (e) => {
    const x = e.read(1);
    finish(e, compute(x, e), carryIfZero ? x.eqz() : x.eqz().eqz());
  });

/** Shifts by a register's count, without flags. */
const shift = (mnemonic: string, compute: (x: Value, count: Value) => Value): Semantics =>
  bmi(mnemonic, 'rrr', (e) => {
    const x = e.read(1);
    e.write(0, e.let(compute(x, e.read(2).and(e.size * 8 - 1))));
  });

/** The low `count` bits set, `count` up to 255. */
const lowBits = (e: Emitter, count: Value): Value => Value.select(count.ltU(e.size * 8), e.constant(1).shl(count).sub(1), e.constant(-1));

export const bmiInstructions: Semantics[] = [
  bmi('andn', 'rrr', (e) => finish(e, e.read(1).not().and(e.read(2)))),
  lowest('blsi', (x, e) => e.constant(0).sub(x).and(x), false),
  lowest('blsmsk', (x) => x.xor(x.sub(1)), true),
  lowest('blsr', (x) => x.and(x.sub(1)), true),
  bmi('bextr', 'rrr', (e) => {
    const x = e.read(1);
    const control = e.read(2);
    const start = e.let(control.and(0xff));
    const length = e.let(control.shrU(8).and(0xff));
    finish(e, Value.select(start.ltU(e.size * 8), x.shrU(start), e.constant(0)).and(lowBits(e, length)));
  }),
  bmi('bzhi', 'rrr', (e) => {
    const x = e.read(1);
    const index = e.let(e.read(2).and(0xff));
    finish(e, x.and(lowBits(e, index)), index.geU(e.size * 8));
  }),
  bmi('mulx', 'rrr', (e) => {
    const a = e.let(e.fixedPart(Gpr.RDX));
    const b = e.read(2);
    if (e.size === 4) {
      const product = e.let(a.extendU().mul(b.extendU()));
      e.write(1, product.wrap());
      return e.write(0, product.shrU(32).wrap());
    }
    const high = multiplyHighUnsigned(e, a, b);
    e.write(1, e.let(a.mul(b)));
    e.write(0, high);
  }),
  bmi('rorx', 'rri', (e) => e.write(0, e.let(e.read(1).rotr(e.size === 8 ? e.read(2, 1).extendU() : e.read(2, 1))))),
  shift('sarx', (x, count) => x.shrS(count)),
  shift('shlx', (x, count) => x.shl(count)),
  shift('shrx', (x, count) => x.shrU(count)),
];
