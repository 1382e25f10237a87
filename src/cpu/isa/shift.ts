/**
 * SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD. The count is masked to 5 bits (6 for 64-bit operands); a masked count
 * of 0 changes no flag, which is done by selecting, not branching.
 */
import { Value } from '../../wasm/value';
import { type Emitter, type Semantics } from './emitter';
import { auxOfCarryOverflow, carry } from './statusFlags';

const ALL = [1, 2, 4, 8] as const;
/** The count is an immediate, or CL (register form). */
const FORMS = ['ri', 'rr', 'mi', 'mr'];

const bitsOf = (e: Emitter): number => e.size * 8;

/** The masked count, as a value of the operand's type. */
function count(e: Emitter, operand: number): Value {
  const n = e.read(operand, 1).and(e.size === 8 ? 63 : 31);
  return e.let(e.size === 8 ? n.extendU() : n);
}

/** Results and carries of a shift are worked out in 64 bits for all narrower operands. */
const wide = (value: Value): Value => value.extendU();
const isZero = (n: Value): Value => n.eqz();
const keepIfZero = (n: Value, old: Value, changed: Value): Value => Value.select(isZero(n), old, changed);
const lowBit = (value: Value): Value => value.wrap().and(1);

/** Whether an operand is known to be a count that does not leave the flags as they are. */
function isNotZero(e: Emitter, operand: number): boolean {
  const known = e.constantOperand(operand);
  return known !== undefined && (known & (e.size === 8 ? 63 : 31)) !== 0;
}

/** Sets the flags unless the masked count `n` (of an operand) is 0. */
function setShiftFlags(e: Emitter, operand: number, n: Value, aux: Value, res: Value): void {
  if (isNotZero(e, operand)) {
    e.setAux(aux);
    e.setRes(res);
    return;
  }
  e.setAux(keepIfZero(n, e.aux(), aux));
  e.setRes(keepIfZero(n, e.res(), res));
}

interface Shift {
  result(e: Emitter, a: Value, n: Value): Value;
  carry(e: Emitter, a: Value, n: Value): Value;
  overflow(e: Emitter, a: Value, r: Value, cf: Value): Value;
}

const shift = (mnemonic: 'shl' | 'shr' | 'sar', s: Shift): Semantics => ({
  mnemonic,
  sizes: ALL,
  forms: FORMS,
  emit(e) {
    const n = count(e, 1);
    let a!: Value;
    const r = e.modify(0, (old) => e.narrow(s.result(e, (a = old), n)));
    if (e.deferShift(mnemonic, a, n, r, isNotZero(e, 1))) return;
    const cf = e.let(s.carry(e, a, n));
    const of = e.let(s.overflow(e, a, r, cf));
    setShiftFlags(e, 1, n, auxOfCarryOverflow(cf, of), e.signed64(r));
  },
});

const shifts: Semantics[] = [
  shift('shl', {
    result: (e, a, n) => (e.size === 8 ? a.shl(n) : wide(a).shl(wide(n)).wrap()),
    carry: (e, a, n) => (e.size === 8 ? lowBit(a.shrU(Value.i64(64).sub(n))) : lowBit(wide(a).shl(wide(n)).shrU(bitsOf(e)))),
    overflow: (e, _a, r, cf) => e.signBit(r).xor(cf),
  }),
  shift('shr', {
    result: (_e, a, n) => a.shrU(n),
    carry: (_e, a, n) => lowBit(a.shrU(n.sub(1))),
    overflow: (e, a) => e.signBit(a),
  }),
  shift('sar', {
    result: (e, a, n) => (e.size === 8 ? a.shrS(n) : e.signed64(a).shrS(wide(n)).wrap()),
    carry: (e, a, n) => lowBit(e.signed64(a).shrS(wide(n).sub(1))),
    overflow: () => Value.i32(0),
  }),
];

/** Rotates write CF and OF only. `result` gets the count reduced to the rotation's period. */
const rotate = (
  mnemonic: string,
  period: (e: Emitter) => number,
  result: (e: Emitter, a: Value, n: Value) => Value,
  carryOf: (e: Emitter, a: Value, r: Value, n: Value) => Value,
  overflow: (e: Emitter, r: Value, cf: Value) => Value,
): Semantics => ({
  mnemonic,
  sizes: ALL,
  forms: FORMS,
  emit(e) {
    const masked = count(e, 1);
    const p = period(e);
    // Powers of two reduce by mask; RCL and RCR of 8 and 16 bits have periods 9 and 17; others cannot exceed theirs.
    const n = p === 9 || p === 17 ? e.let(masked.remU(p)) : p < 32 ? e.let(masked.and(p - 1)) : masked;
    let a!: Value;
    const r = e.modify(0, (old) => e.narrow(result(e, (a = old), n)));
    if ((mnemonic === 'rol' || mnemonic === 'ror') && e.deferRotation(mnemonic === 'ror', masked, r, isNotZero(e, 1))) return;
    const cf = e.let(carryOf(e, a, r, n));
    const of = overflow(e, r, cf);
    e.setAux(keepIfZero(masked, e.aux(), e.aux().and(0x3fff_ffff).or(auxOfCarryOverflow(cf, of))));
  },
});

const secondHighest = (e: Emitter, r: Value): Value => r.shrU(bitsOf(e) - 2).wrap().and(1);
const topTwoDiffer = (e: Emitter, r: Value): Value => e.signBit(r).xor(secondHighest(e, r));
const signDiffersFromCarry = (e: Emitter, r: Value, cf: Value): Value => e.signBit(r).xor(cf);

/** CF above the operand as one number of bits + 1 bits, in 64 bits (operands up to 32 bits). */
const withCarry = (e: Emitter, a: Value): Value => e.let(wide(a).or(carry(e).extendU().shl(bitsOf(e))));

const rotates: Semantics[] = [
  rotate('rol', bitsOf, (e, a, n) => (e.size >= 4 ? a.rotl(n) : a.shl(n).or(a.shrU(Value.i32(bitsOf(e)).sub(n)))), (_e, _a, r) => lowBit(r), signDiffersFromCarry),
  rotate('ror', bitsOf, (e, a, n) => (e.size >= 4 ? a.rotr(n) : a.shrU(n).or(a.shl(Value.i32(bitsOf(e)).sub(n)))), (e, _a, r) => e.signBit(r), topTwoDiffer),
  rotate(
    'rcl',
    (e) => bitsOf(e) + 1,
    (e, a, n) => {
      if (e.size === 8) {
        const moved = a.shl(n).or(carry(e).extendU().shl(n.sub(1))).or(a.shrU(1).shrU(Value.i64(64).sub(n)));
        return keepIfZero(n, a, moved);
      }
      const x = withCarry(e, a);
      return x.shl(wide(n)).or(x.shrU(Value.i64(bitsOf(e) + 1).sub(wide(n)))).wrap();
    },
    (e, a, _r, n) =>
      e.size === 8
        ? keepIfZero(n, carry(e), lowBit(a.shrU(Value.i64(64).sub(n))))
        : keepIfZero(n, carry(e), lowBit(wide(a).shrU(Value.i64(bitsOf(e)).sub(wide(n))))),
    signDiffersFromCarry,
  ),
  rotate(
    'rcr',
    (e) => bitsOf(e) + 1,
    (e, a, n) => {
      if (e.size === 8) {
        const moved = a.shrU(n).or(carry(e).extendU().shl(Value.i64(64).sub(n))).or(a.shl(1).shl(Value.i64(64).sub(n)));
        return keepIfZero(n, a, moved);
      }
      const x = withCarry(e, a);
      return x.shrU(wide(n)).or(x.shl(Value.i64(bitsOf(e) + 1).sub(wide(n)))).wrap();
    },
    (e, a, _r, n) => keepIfZero(n, carry(e), lowBit((e.size === 8 ? a : wide(a)).shrU((e.size === 8 ? n : wide(n)).sub(1)))),
    topTwoDiffer,
  ),
];

/** SHLD and SHRD: the source's bits move in. For 16-bit operands and counts above 16 the result is undefined by the SDM. */
const double = (mnemonic: string, left: boolean): Semantics => ({
  mnemonic,
  sizes: [2, 4, 8],
  forms: ['rri', 'rrr', 'mri', 'mrr'],
  emit(e) {
    const n = count(e, 2);
    const b = e.read(1);
    const bits = bitsOf(e);
    let a!: Value;
    const r = e.modify(0, (old) => {
      a = old;
      if (e.size === 8) {
        const rest = Value.i64(64).sub(n);
        return keepIfZero(n, a, left ? a.shl(n).or(b.shrU(rest)) : a.shrU(n).or(b.shl(rest)));
      }
      // Three operands wide for 16 bits, so that counts up to 31 shift the destination's own bits back in.
      const three = e.size === 2;
      if (left) {
        const joined = three ? wide(a).shl(32).or(wide(b).shl(16)).or(wide(a)) : wide(a).shl(32).or(wide(b));
        return e.narrow(joined.shl(wide(n)).shrU(32).wrap());
      }
      const joined = three ? wide(a).shl(32).or(wide(b).shl(16)).or(wide(a)) : wide(b).shl(32).or(wide(a));
      return e.narrow(joined.shrU(wide(n)).wrap());
    });
    const w = e.size === 8 ? n : wide(n);
    const source = e.size === 8 ? a : wide(a);
    const cf = e.let(lowBit(left ? source.shrU(Value.i64(bits).sub(w)) : source.shrU(w.sub(1))));
    const of = e.signBit(r).xor(e.signBit(a));
    setShiftFlags(e, 2, n, auxOfCarryOverflow(cf, of), e.signed64(r));
  },
});

export const shiftsAndRotates: Semantics[] = [...shifts, ...rotates, double('shld', true), double('shrd', false)];
