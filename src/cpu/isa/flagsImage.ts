/** RFLAGS as software sees it, from the pair `res` and `aux` (../flags.ts) and the word of the other flags, and back. */
import { Value } from '../../wasm/value';
import { STATUS_FLAGS, VM } from '../flags';
import { type Emitter } from './emitter';
import { auxOfCarryOverflow, carry, condition, overflowOf, parityOf, signOf } from './statusFlags';

export const ALWAYS_ONE = 2;
export const OVERFLOW_BIT = 11;

/** Flags (i32 0 or 1) where AH and FLAGS have them. */
const inPlace = (cf: Value, pf: Value, af: Value, zf: Value, sf: Value): Value => cf.or(ALWAYS_ONE).or(pf.shl(2)).or(af.shl(4)).or(zf.shl(6)).or(sf.shl(7));
const adjustOf = (aux: Value): Value => aux.shrU(3).and(1);

/** SF, ZF, AF, PF and CF where AH and FLAGS have them, i32. */
export function lowFlags(e: Emitter): Value {
  const af = adjustOf(e.aux());
  return inPlace(carry(e), condition(e, 10), af, condition(e, 4), condition(e, 8));
}

/** All status flags where RFLAGS has them, from the pair in locals, i32. */
export const statusImage = (aux: Value, res: Value): Value =>
  inPlace(aux.shrU(31), parityOf(aux, res), adjustOf(aux), res.eqz(), signOf(aux, res)).or(overflowOf(aux).shl(OVERFLOW_BIT));

const bitOf = (flags: Value, n: number): Value => flags.shrU(n).and(1);

/** The pair for flags as AH and FLAGS have them and OF (i32 0 or 1), which is given. `flags` is used more than once. */
const resFor = (flags: Value): Value => bitOf(flags, 6).eqz().extendU().shl(8);
const auxFor = (flags: Value, of: Value): Value => auxOfCarryOverflow(bitOf(flags, 0), of).or(bitOf(flags, 2).xor(1).shl(8)).or(bitOf(flags, 4).shl(3)).or(bitOf(flags, 7));

/** The pair for RFLAGS in a local, and the word of the other flags. */
export const partsFor = (flags: Value): { res: Value; aux: Value; others: Value } => ({ res: resFor(flags), aux: auxFor(flags, bitOf(flags, OVERFLOW_BIT)), others: flags.and(~STATUS_FLAGS).or(ALWAYS_ONE) });

/** The reverse of `lowFlags`, with OF (i32 0 or 1) given. `flags` is used more than once. */
export function setLowFlags(e: Emitter, flags: Value, of: Value): void {
  e.setRes(resFor(flags));
  e.setAux(auxFor(flags, of));
}

/** RFLAGS without VM, i32. RF may be a stale one (engine/debugUnit.ts). */
export const flagsImage = (e: Emitter): Value => lowFlags(e).or(condition(e, 0).shl(OVERFLOW_BIT)).or(e.otherFlags().and(~VM));

/** Replaces RFLAGS by an i32 in a local, which has no bits set that do not exist. */
export function setFlagsImage(e: Emitter, flags: Value): void {
  e.setOtherFlags(partsFor(flags).others);
  setLowFlags(e, flags, e.let(bitOf(flags, OVERFLOW_BIT)));
}
