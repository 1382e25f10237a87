/** CLC, STC, CMC, CLD, STD, LAHF, SAHF; PUSHF, POPF and CLI as far as they concern nobody but the flags. */
import { Value } from '../../wasm/value';
import { DF, IF, RF, STATUS_FLAGS, VM } from '../flags';
import { Gpr, Offset } from '../state';
import { type Emitter, type Semantics, stacked } from './emitter';
import { auxOfCarryOverflow, carry, condition, setCarryAlone } from './statusFlags';

const plain = (mnemonic: string, emit: (e: Emitter) => void): Semantics => ({ mnemonic, sizes: [1], forms: [''], sizeFrom: -2, emit });

const AH_SHIFT = 8n;
const ALWAYS_ONE = 2;
const OVERFLOW_BIT = 11;

/** SF, ZF, AF, PF and CF where AH and FLAGS have them, i32. */
function lowFlags(e: Emitter): Value {
  const af = e.aux().shrU(3).and(1);
  return carry(e).or(ALWAYS_ONE).or(condition(e, 10).shl(2)).or(af.shl(4)).or(condition(e, 4).shl(6)).or(condition(e, 8).shl(7));
}

/** The reverse, with OF (i32 0 or 1) given. */
function setLowFlags(e: Emitter, flags: Value, of: Value): void {
  const at = (n: number): Value => flags.shrU(n).and(1);
  e.setRes(at(6).eqz().extendU().shl(8));
  e.setAux(auxOfCarryOverflow(at(0), of).or(at(2).xor(1).shl(8)).or(at(4).shl(3)).or(at(7)));
}

export const flagInstructions: Semantics[] = [
  plain('clc', (e) => setCarryAlone(e, Value.i32(0))),
  plain('stc', (e) => setCarryAlone(e, Value.i32(1))),
  plain('cmc', (e) => setCarryAlone(e, e.let(carry(e).xor(1)))),
  plain('cld', (e) => e.setOtherFlags(e.otherFlags().and(~DF))),
  plain('std', (e) => e.setOtherFlags(e.otherFlags().or(DF))),
  plain('lahf', (e) => {
    e.setFixed(Gpr.RAX, e.let(e.fixed(Gpr.RAX).and(~0xff00n).or(lowFlags(e).extendU().shl(AH_SHIFT))));
  }),
  plain('sahf', (e) => {
    const ah = e.let(e.fixed(Gpr.RAX).shrU(AH_SHIFT).wrap());
    setLowFlags(e, ah, e.let(condition(e, 0)));
  }),
  // At CPL 0 outside virtual-8086 mode CLI is allowed and nothing can be waiting for it.
  plain('cli', (e) => {
    e.leave(e.stateWord(Offset.CPL).or(e.otherFlags().and(VM)));
    e.setOtherFlags(e.otherFlags().and(~IF));
  }),
  ...stacked({
    mnemonic: 'pushf',
    forms: [''],
    emit(e) {
      e.leave(e.otherFlags().and(VM));
      const flags = e.let(lowFlags(e).or(condition(e, 0).shl(OVERFLOW_BIT)).or(e.otherFlags().and(~(RF | VM))));
      e.push(e.size === 8 ? flags.extendU() : e.narrow(flags));
    },
  }),
  // POPF that changes status flags and DF alone; TypeScript does the rest, with its privilege rules and what follows from them.
  ...stacked({
    mnemonic: 'popf',
    forms: [''],
    emit(e) {
      const flags = e.let(e.top().wrap());
      const others = ~(STATUS_FLAGS | DF | ALWAYS_ONE);
      e.leave(e.narrow(flags.xor(e.otherFlags()).and(others)).or(e.otherFlags().and(VM)));
      e.dropStack(e.size);
      e.setOtherFlags(e.let(e.otherFlags().and(~DF).or(flags.and(DF))));
      setLowFlags(e, flags, e.let(flags.shrU(OVERFLOW_BIT).and(1)));
    },
  }),
];
