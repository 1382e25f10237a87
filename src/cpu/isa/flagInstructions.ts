/** CLC, STC, CMC, CLD, STD, LAHF, SAHF. */
import { Value } from '../../wasm/value';
import { DF } from '../flags';
import { Gpr } from '../state';
import { type Emitter, type Semantics } from './emitter';
import { auxOfCarryOverflow, carry, condition, setCarryAlone } from './statusFlags';

const plain = (mnemonic: string, emit: (e: Emitter) => void): Semantics => ({ mnemonic, sizes: [1], forms: [''], sizeFrom: -2, emit });

const AH_SHIFT = 8n;

export const flagInstructions: Semantics[] = [
  plain('clc', (e) => setCarryAlone(e, Value.i32(0))),
  plain('stc', (e) => setCarryAlone(e, Value.i32(1))),
  plain('cmc', (e) => setCarryAlone(e, e.let(carry(e).xor(1)))),
  plain('cld', (e) => e.setOtherFlags(e.otherFlags().and(~DF))),
  plain('std', (e) => e.setOtherFlags(e.otherFlags().or(DF))),
  plain('lahf', (e) => {
    const af = e.aux().shrU(3).and(1);
    const ah = carry(e).or(2).or(condition(e, 10).shl(2)).or(af.shl(4)).or(condition(e, 4).shl(6)).or(condition(e, 8).shl(7));
    e.setFixed(Gpr.RAX, e.let(e.fixed(Gpr.RAX).and(~0xff00n).or(ah.extendU().shl(AH_SHIFT))));
  }),
  plain('sahf', (e) => {
    const ah = e.let(e.fixed(Gpr.RAX).shrU(AH_SHIFT).wrap());
    const at = (n: number): Value => ah.shrU(n).and(1);
    const of = e.let(condition(e, 0));
    const cf = at(0);
    e.setRes(at(6).eqz().extendU().shl(8));
    e.setAux(auxOfCarryOverflow(cf, of).or(at(2).xor(1).shl(8)).or(at(4).shl(3)).or(at(7)));
  }),
];
