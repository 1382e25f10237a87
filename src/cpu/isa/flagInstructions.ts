/** CLC, STC, CMC, CLD, STD, LAHF, SAHF; CLI, STI, PUSHF and POPF where nothing else follows from the flags. */
import { Value } from '../../wasm/value';
import { DF, IF, RF, STATUS_FLAGS, VM } from '../flags';
import { Gpr, Offset } from '../state';
import { type Emitter, type Semantics, stacked } from './emitter';
import { ALWAYS_ONE, flagsImage, lowFlags, OVERFLOW_BIT, setLowFlags } from './flagsImage';
import { carry, condition, setCarryAlone } from './statusFlags';

const plain = (mnemonic: string, emit: (e: Emitter) => void): Semantics => ({ mnemonic, sizes: [1], forms: [''], sizeFrom: -2, emit });

const AH_SHIFT = 8n;

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
  // At CPL 0 outside virtual-8086 mode CLI and STI are allowed, and nothing can be waiting for CLI.
  plain('cli', (e) => {
    e.leave(e.stateWord(Offset.CPL).or(e.otherFlags().and(VM)));
    e.setOtherFlags(e.otherFlags().and(~IF));
  }),
  plain('sti', (e) => {
    const enabled = e.let(e.otherFlags().and(IF));
    e.leave(e.stateWord(Offset.CPL).or(enabled.eqz().and(e.stateWord(Offset.AWAITED))));
    // The run loop ends the blocking when the next instruction has retired; until something waits nobody asks for it.
    const state = e.state();
    const blocking = e.let(e.stateWord(Offset.INTERRUPTIBILITY));
    state.store(e.f, blocking.or(enabled.eqz()), 4, Offset.INTERRUPTIBILITY);
    state.store(e.f, Value.select(enabled, state.load('i64', 8, Offset.STI_CLOCK), e.clock().add(1)), 8, Offset.STI_CLOCK);
    e.setOtherFlags(e.otherFlags().or(IF));
  }),
  ...stacked({
    mnemonic: 'pushf',
    forms: [''],
    emit(e) {
      e.leave(e.otherFlags().and(VM));
      const flags = e.let(flagsImage(e).and(~RF));
      e.push(e.size === 8 ? flags.extendU() : e.narrow(flags));
    },
  }),
  // POPF that changes status flags, DF and, at CPL 0, IF with nothing waiting. TypeScript does the rest, with its privilege rules and what follows from them.
  ...stacked({
    mnemonic: 'popf',
    forms: [''],
    emit(e) {
      const flags = e.let(e.top().wrap());
      const changed = e.let(e.narrow(flags.xor(e.otherFlags())));
      const others = e.let(changed.and(~(STATUS_FLAGS | DF | IF | ALWAYS_ONE)).or(e.otherFlags().and(VM)));
      const awaited = e.stateWord(Offset.CPL).or(e.let(flags.and(IF).ne(0)).and(e.stateWord(Offset.AWAITED)));
      e.leave(others.or(e.let(changed.and(IF).ne(0)).and(e.let(awaited.ne(0)))));
      e.dropStack(e.size);
      e.setOtherFlags(e.let(e.otherFlags().and(~(DF | IF)).or(flags.and(DF | IF))));
      setLowFlags(e, flags, e.let(flags.shrU(OVERFLOW_BIT).and(1)));
    },
  }),
];
