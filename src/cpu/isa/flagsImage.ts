/** RFLAGS as software sees it, from the pair `res` and `aux` (../flags.ts) and the word of the other flags, and back. */
import { Value } from '../../wasm/value';
import { STATUS_FLAGS, VM } from '../flags';
import { type Emitter } from './emitter';
import { auxOfCarryOverflow, carry, condition } from './statusFlags';

export const ALWAYS_ONE = 2;
export const OVERFLOW_BIT = 11;

/** SF, ZF, AF, PF and CF where AH and FLAGS have them, i32. */
export function lowFlags(e: Emitter): Value {
  const af = e.aux().shrU(3).and(1);
  return carry(e).or(ALWAYS_ONE).or(condition(e, 10).shl(2)).or(af.shl(4)).or(condition(e, 4).shl(6)).or(condition(e, 8).shl(7));
}

/** The reverse, with OF (i32 0 or 1) given. `flags` is used more than once. */
export function setLowFlags(e: Emitter, flags: Value, of: Value): void {
  const at = (n: number): Value => flags.shrU(n).and(1);
  e.setRes(at(6).eqz().extendU().shl(8));
  e.setAux(auxOfCarryOverflow(at(0), of).or(at(2).xor(1).shl(8)).or(at(4).shl(3)).or(at(7)));
}

/** RFLAGS without VM, i32. RF may be a stale one (engine/debugUnit.ts). */
export const flagsImage = (e: Emitter): Value => lowFlags(e).or(condition(e, 0).shl(OVERFLOW_BIT)).or(e.otherFlags().and(~VM));

/** Replaces RFLAGS by an i32 in a local, which has no bits set that do not exist. */
export function setFlagsImage(e: Emitter, flags: Value): void {
  e.setOtherFlags(flags.and(~STATUS_FLAGS).or(ALWAYS_ONE));
  setLowFlags(e, flags, e.let(flags.shrU(OVERFLOW_BIT).and(1)));
}
