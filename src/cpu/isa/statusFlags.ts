/** How results become the lazy pair `res` and `aux` (see ../flags.ts), and how conditions are read from it. */
import { Value } from '../../wasm/value';
import { type Emitter } from './emitter';

/** Bits of `aux` that arithmetic sets: CF, CF xor OF, AF. */
const CARRIES = 0xc000_0008;

/** Turns a vector of carries out of each bit of an operand of `size` bytes into `aux`; it is used more than once. */
export function auxOfCarries(c: Value, size: number): Value {
  switch (size) {
    case 8:
      return c.shrU(32).wrap().and(0xc000_0000).or(c.wrap().and(8));
    case 4:
      return c.and(CARRIES);
    default:
      return c.shl(32 - 8 * size).and(0xc000_0000).or(c.and(8));
  }
}
const auxOf = (e: Emitter, carries: Value): Value => auxOfCarries(e.let(carries), e.size);

/** Carries out of each bit of r = a + b (+ carry), and borrows of r = a - b (- borrow). */
export const carriesOfAdd = (a: Value, b: Value, r: Value): Value => a.and(b).or(a.or(b).and(r.not()));
export const carriesOfSub = (a: Value, b: Value, r: Value): Value => a.not().and(b).or(a.xor(b).not().and(r));

/** After r = a + b (+ carry). */
export function flagsOfAdd(e: Emitter, a: Value, b: Value, r: Value): void {
  if (e.deferFlags('add', a, b, r)) return;
  e.setAux(auxOf(e, carriesOfAdd(a, b, r)));
  e.setRes(e.signed64(r));
}

/** After r = a - b (- borrow). */
export function flagsOfSub(e: Emitter, a: Value, b: Value, r: Value): void {
  if (e.deferFlags('sub', a, b, r)) return;
  e.setAux(auxOf(e, carriesOfSub(a, b, r)));
  e.setRes(e.signed64(r));
}

/** After a logical operation: CF, OF and AF clear. */
export function flagsOfResult(e: Emitter, r: Value): void {
  if (e.deferFlags('logic', r, r, r)) return;
  e.setAux(Value.i32(0));
  e.setRes(e.signed64(r));
}

/** `aux` for given CF and OF (i32 0 or 1), AF clear. */
export const auxOfCarryOverflow = (cf: Value, of: Value): Value => cf.shl(31).or(cf.xor(of).shl(30));

/** The condition "below" (CF). */
const CARRY = 2;

/** CF as i32 0 or 1. */
export const carry = (e: Emitter): Value => e.directCondition(CARRY) ?? e.aux().shrU(31);

/** Sets CF (i32 0 or 1) and keeps every other flag: OF is stored against CF, so both bits flip together. */
export function setCarryAlone(e: Emitter, cf: Value): void {
  if (e.deferCarry(cf)) return;
  e.setAux(e.aux().xor(cf.xor(carry(e)).mul(0xc000_0000 | 0)));
}

/** Sets ZF (i32 0 or 1, in a local) and keeps every other flag. */
export function setZeroAlone(e: Emitter, zf: Value): void {
  const [aux, res] = [e.let(e.aux()), e.let(e.res())];
  e.setAux(aux.and(CARRIES | 0).or(parityOf(aux, res).eqz().shl(8)).or(signOf(aux, res)));
  e.setRes(zf.eqz().shl(8).extendU());
}

/** Flags from the pair, i32 0 or 1. */
export const signOf = (aux: Value, res: Value): Value => res.shrU(63).wrap().xor(aux).and(1);
export const overflowOf = (aux: Value): Value => aux.xor(aux.shl(1)).shrU(31);
export const parityOf = (aux: Value, res: Value): Value => res.wrap().xor(aux.shrU(8)).and(0xff).popcnt().and(1).eqz();

const sign = (e: Emitter): Value => signOf(e.aux(), e.res());
const overflow = (e: Emitter): Value => overflowOf(e.aux());
const zero = (e: Emitter): Value => e.res().eqz();
const parity = (e: Emitter): Value => parityOf(e.aux(), e.res());

/** Condition `cc` of Jcc, SETcc, CMOVcc (SDM volume 1, "EFLAGS Condition Codes"), i32 0 or 1. */
export function condition(e: Emitter, cc: number): Value {
  const direct = e.directCondition(cc & ~1);
  if (direct) return cc & 1 ? direct.eqz() : direct;
  const positive = [
    () => overflow(e),
    () => carry(e),
    () => zero(e),
    () => carry(e).or(zero(e)),
    () => sign(e),
    () => parity(e),
    () => sign(e).xor(overflow(e)),
    () => sign(e).xor(overflow(e)).or(zero(e)),
  ][cc >> 1]!();
  return cc & 1 ? positive.eqz() : positive;
}
