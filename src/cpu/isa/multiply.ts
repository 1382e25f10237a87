/** MUL, IMUL, DIV, IDIV. Flags that the SDM leaves undefined follow the low half of the product. */
import { Value } from '../../wasm/value';
import { Vector } from '../fault';
import { Gpr } from '../state';
import { type Emitter, type Semantics } from './emitter';

/** What evaluates into locals. */
type Lets = { let(value: Value): Value };

const ALL = [1, 2, 4, 8] as const;

/** High 64 bits of the unsigned product of two i64 locals. */
export function multiplyHighUnsigned(e: Lets, a: Value, b: Value): Value {
  const low = (v: Value): Value => v.and(0xffff_ffffn);
  const [al, ah, bl, bh] = [e.let(low(a)), e.let(a.shrU(32)), e.let(low(b)), e.let(b.shrU(32))];
  const middle = e.let(ah.mul(bl).add(al.mul(bl).shrU(32)));
  const other = e.let(al.mul(bh).add(low(middle)));
  return e.let(ah.mul(bh).add(middle.shrU(32)).add(other.shrU(32)));
}

/** High 64 bits of the signed product. */
export function multiplyHighSigned(e: Lets, a: Value, b: Value): Value {
  return e.let(multiplyHighUnsigned(e, a, b).sub(a.shrS(63).and(b)).sub(b.shrS(63).and(a)));
}

/** CF = OF = the product does not fit; both bits of aux then are CF and CF xor OF = 0. */
function flagsOfProduct(e: Emitter, low: Value, overflow: Value): void {
  e.setAux(overflow.shl(31));
  e.setRes(e.signed64(low));
}

/** One-operand MUL and IMUL: rDX:rAX = rAX * operand, AX = AL * operand for bytes. */
const widening = (mnemonic: string, signed: boolean): Semantics => ({
  mnemonic,
  sizes: ALL,
  forms: ['r', 'm'],
  emit(e) {
    const b = e.read(0);
    const a = e.let(e.fixedPart(Gpr.RAX));
    if (e.size === 8) {
      const high = signed ? multiplyHighSigned(e, a, b) : multiplyHighUnsigned(e, a, b);
      const low = e.let(a.mul(b));
      e.setFixed(Gpr.RAX, low);
      e.setFixed(Gpr.RDX, high);
      flagsOfProduct(e, low, signed ? high.ne(low.shrS(63)) : high.eqz().eqz());
      return;
    }
    const bits = e.size * 8;
    const widen = (v: Value): Value => (signed ? e.signed64(v) : v.extendU());
    const product = e.let(widen(a).mul(widen(b)));
    const low = e.let(e.narrow(product.wrap()));
    const high = e.let(e.narrow(product.shrU(bits).wrap()));
    if (e.size === 1) {
      e.setFixedPart(Gpr.RAX, e.let(product.wrap().and(0xffff)), 2);
    } else {
      e.setFixedPart(Gpr.RAX, low);
      e.setFixedPart(Gpr.RDX, high);
    }
    flagsOfProduct(e, low, signed ? product.ne(e.signed64(low)) : high.eqz().eqz());
  },
});

/** DIV and IDIV. A 128-bit dividend that does not fit in 64 bits goes to TypeScript (system/divide.ts). */
const divide = (mnemonic: string, signed: boolean): Semantics => ({
  mnemonic,
  sizes: ALL,
  forms: ['r', 'm'],
  emit(e) {
    const divisor = e.read(0);
    e.raise(Vector.DE, divisor.eqz());
    const quotientOf = (a: Value, b: Value): Value => (signed ? a.divS(b) : a.divU(b));
    const remainderOf = (a: Value, b: Value): Value => (signed ? a.remS(b) : a.remU(b));
    /** The most negative dividend by -1 overflows, in WebAssembly too. */
    const overflows = (a: Value, b: Value, minimum: bigint): Value => a.eq(minimum).and(b.eq(-1n));
    if (e.size === 8) {
      const a = e.let(e.fixed(Gpr.RAX));
      e.leave(signed ? e.fixed(Gpr.RDX).ne(a.shrS(63)) : e.fixed(Gpr.RDX).eqz().eqz());
      if (signed) e.raise(Vector.DE, overflows(a, divisor, -(1n << 63n)));
      const q = e.let(quotientOf(a, divisor));
      e.setFixed(Gpr.RDX, e.let(remainderOf(a, divisor)));
      e.setFixed(Gpr.RAX, q);
      return;
    }
    const bits = e.size * 8;
    const dividend = e.let(
      e.size === 1
        ? signed ? e.signed64(e.fixedPart(Gpr.RAX, 2), 2) : e.fixedPart(Gpr.RAX, 2).extendU()
        : e.size === 2
          ? signed
            ? e.signed64(e.fixedPart(Gpr.RDX, 2).shl(16).or(e.fixedPart(Gpr.RAX, 2)), 4)
            : e.fixedPart(Gpr.RDX, 2).shl(16).or(e.fixedPart(Gpr.RAX, 2)).extendU()
          : e.fixed(Gpr.RDX).shl(32).or(e.fixed(Gpr.RAX).and(0xffff_ffffn)),
    );
    const b = e.let(signed ? e.signed64(divisor) : divisor.extendU());
    if (signed) e.raise(Vector.DE, overflows(dividend, b, -(1n << 63n)));
    const q = e.let(quotientOf(dividend, b));
    const r = e.let(remainderOf(dividend, b));
    e.raise(Vector.DE, signed ? q.ne(e.size === 4 ? q.signExtend(4) : e.signed64(q.wrap())) : q.shrU(bits).eqz().eqz());
    if (e.size === 1) {
      e.setFixedPart(Gpr.RAX, e.let(q.wrap().and(0xff).or(r.wrap().and(0xff).shl(8))), 2);
    } else {
      e.setFixedPart(Gpr.RAX, e.let(e.narrow(q.wrap())));
      e.setFixedPart(Gpr.RDX, e.let(e.narrow(r.wrap())));
    }
  },
});

export const multiplyAndDivide: Semantics[] = [
  widening('mul', false),
  widening('imul1', true),
  divide('div', false),
  divide('idiv', true),
  {
    // Two operands: r = r * s. Three: r = s * immediate.
    mnemonic: 'imul',
    sizes: [2, 4, 8],
    forms: ['rr', 'rm', 'rri', 'rmi'],
    emit(e) {
      const three = e.form.length === 3;
      const a = e.read(1);
      const b = e.read(three ? 2 : 0);
      const low = e.let(e.narrow(a.mul(b)));
      if (e.deferFlags('product', e.signed64(a), e.signed64(b), low)) return e.write(0, low);
      const overflow = e.size === 8 ? multiplyHighSigned(e, a, b).ne(low.shrS(63)) : e.signed64(a).mul(e.signed64(b)).ne(e.signed64(low));
      const flag = e.let(overflow);
      e.write(0, low);
      flagsOfProduct(e, low, flag);
    },
  },
];
