/**
 * SYSCALL, SYSRET and SWAPGS of 64-bit code, which kernels execute at every system call. Where a debug exception, alignment
 * checks or an interrupt could follow, and wherever a fault does, TypeScript performs them (system/transferOperations.ts).
 */
import { Value } from '../../wasm/value';
import { AC, DF, ID, IF, IOPL, NT, RF, STATUS_FLAGS, TF, VIF, VIP } from '../flags';
import { Gpr, Offset, PRIVILEGE_STRIDE, Seg, Segment, SEGMENT_STRIDE } from '../state';
import { type Emitter, type Semantics } from './emitter';
import { ALWAYS_ONE, flagsImage, setFlagsImage } from './flagsImage';
import { leaveUnless, Permitted } from './permitted';

const CODE64 = 0xa09b;
const DATA = 0xc093;
const DPL3 = 0x60;
const MAXIMUM_LIMIT = -1;

/** The flags that SYSRET takes from R11. */
const SYSRET_FLAGS = STATUS_FLAGS | ALWAYS_ONE | TF | IF | DF | IOPL | NT | AC | VIF | VIP | ID;

/** Loads a segment register with a flat segment, whatever the descriptors say. `flat` is what generated code may assume of it. */
function setFlat(e: Emitter, seg: number, selector: Value, access: number, flat: boolean): void {
  const cache = Offset.SEGMENTS + seg * SEGMENT_STRIDE;
  const store = (value: Value, size: number, offset: number): void => e.state().store(e.f, value, size, cache + offset);
  store(selector, 2, Segment.SELECTOR);
  store(Value.i32(access), 4, Segment.ACCESS);
  store(Value.i32(MAXIMUM_LIMIT), 4, Segment.LIMIT);
  store(Value.i32(flat ? 1 : 0), 4, Segment.FLAT);
  store(Value.i64(0), 8, Segment.BASE);
}

const system = (mnemonic: string, sizes: Semantics['sizes'], ends: boolean, emit: (e: Emitter) => void): Semantics => ({ mnemonic, sizes, forms: [''], sizeFrom: sizes[0] === 1 ? -2 : -1, ends, emit });

export const systemCalls: readonly Semantics[] = [
  system('syscall', [1], true, (e) => {
    leaveUnless(e, Permitted.SYSCALL);
    e.leave(e.otherFlags().and(TF | AC));
    e.leave(e.state().load('i32', 4, Offset.PRIVILEGES).eqz());
    const flags = e.let(flagsImage(e).and(~RF));
    const selector = e.let(e.stateWord(Offset.STAR + 4));
    e.setFixed(Gpr.RCX, e.nextRip());
    e.setFixed(Gpr.R11, flags.extendU());
    setFlat(e, Seg.CS, selector.and(0xfffc), CODE64, false);
    setFlat(e, Seg.SS, selector.add(8).and(0xfffc), DATA, true);
    setFlagsImage(e, e.let(flags.and(e.stateWord(Offset.FMASK).not())));
    e.changePrivilege(Value.i32(0));
    e.jumpTo(e.let(e.state().load('i64', 8, Offset.LSTAR)));
  }),
  // To 64-bit code alone: the other operand size returns to compatibility mode.
  system('sysret', [8], true, (e) => {
    leaveUnless(e, Permitted.SYSRET);
    const flags = e.let(e.fixed(Gpr.R11).wrap().and(SYSRET_FLAGS));
    const rip = e.let(e.fixed(Gpr.RCX));
    const sign = e.let(rip.shrS(47));
    e.leave(e.otherFlags().or(flags).and(TF).or(flags.and(AC)));
    e.leave(e.let(flags.and(IF).ne(0)).and(e.stateWord(Offset.AWAITED)));
    e.leave(sign.add(1).gtU(1));
    e.leave(e.state().load('i32', 4, Offset.PRIVILEGES + PRIVILEGE_STRIDE).eqz());
    const selector = e.let(e.stateWord(Offset.STAR + 4).shrU(16));
    setFlat(e, Seg.CS, selector.add(16).or(3), CODE64 | DPL3, false);
    setFlat(e, Seg.SS, selector.add(8).or(3), DATA | DPL3, true);
    setFlagsImage(e, flags);
    e.changePrivilege(Value.i32(3));
    e.jumpTo(rip);
  }),
  system('swapgs', [1], false, (e) => {
    leaveUnless(e, Permitted.SWAPGS);
    const base = Offset.SEGMENTS + Seg.GS * SEGMENT_STRIDE + Segment.BASE;
    const old = e.let(e.state().load('i64', 8, base));
    e.state().store(e.f, e.state().load('i64', 8, Offset.KERNEL_GS_BASE), 8, base);
    e.state().store(e.f, old, 8, Offset.KERNEL_GS_BASE);
  }),
];
