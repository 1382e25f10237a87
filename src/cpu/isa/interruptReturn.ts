/**
 * IRETQ as kernels use it: at CPL 0 from 64-bit to 64-bit code, with a frame and descriptors that the TLB has. One routine
 * makes all checks before it changes anything; where one does not pass, TypeScript tells what is wrong
 * (system/interruptReturn.ts).
 */
import { Value } from '../../wasm/value';
import { AC, DF, ID, IF, IOPL, NT, RF, STATUS_FLAGS, TF, VIF, VIP, VM } from '../flags';
import { ACCESS_UNUSABLE, Gpr, Offset, PRIVILEGE_STRIDE, Seg, Segment, SEGMENT_STRIDE, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../state';
import { type Semantics } from './emitter';
import { ALWAYS_ONE, setFlagsImage } from './flagsImage';
import { leaveUnless, Permitted } from './permitted';
import { routine, type RoutineBody } from './routine';

const FRAME_BYTES = 40;
const DESCRIPTOR_BYTES = 8;
const BLOCKING_NMI = 8;
/** The flags that IRETQ takes from the stack at CPL 0. */
const TAKEN = STATUS_FLAGS | ALWAYS_ONE | TF | IF | DF | IOPL | NT | RF | AC | VIF | VIP | ID;

/** Bits of a descriptor's upper half, as far as they are asked: type, S, DPL, P, L, D. What is accessed needs no write. */
const CODE_MASK = 0x0060_9f00;
const CODE_RIGHTS = 0x0020_9b00;
const CODE_READABLE = 0x0000_0200;
const DATA_MASK = 0x0000_9b00;
const DATA_RIGHTS = 0x0000_9300;
const EXPAND_DOWN = 0x0000_0400;
const DPL_SHIFT = 13;
const GRANULARITY = 0x0080_0000;
/** Rights as a segment register holds them. */
const ACCESS_SHIFT = 8;
const ACCESS_MASK = 0xf0ff;
const ACCESS_DPL3 = 0x60;

const CPU = Value.local(0, 'i32');
const word = (offset: number): Value => CPU.load('i32', 4, offset);

/** Host address of bytes that the TLB has for reading; ends the routine otherwise. */
function hostOf(b: RoutineBody, linear: Value, size: number): Value {
  const entry = b.let(linear.wrap().shrU(7).and((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).add(word(Offset.TLB_BASE)));
  b.require(linear.add(size - 1).and(~0xfffn).or(CPU.load('i64', 8, Offset.GENERATION)).eq(entry.load('i64', 8)));
  return b.let(linear.wrap().add(entry.load('i32', 4, 16)));
}

/** Host address of a selector's descriptor in the GDT; ends the routine otherwise. */
function descriptorOf(b: RoutineBody, selector: Value): Value {
  b.require(selector.and(4).eqz());
  const offset = b.let(selector.and(0xfff8));
  b.require(offset.add(DESCRIPTOR_BYTES - 1).leU(word(Offset.GDTR_LIMIT)));
  return hostOf(b, b.let(CPU.load('i64', 8, Offset.GDTR_BASE).add(offset.extendU())), DESCRIPTOR_BYTES);
}

/** Fills a segment register from a descriptor's halves. */
function setSegment(b: RoutineBody, seg: number, selector: Value, low: Value, high: Value, flat: (limit: Value) => Value): void {
  const cache = Offset.SEGMENTS + seg * SEGMENT_STRIDE;
  const raw = b.let(low.and(0xffff).or(high.and(0xf_0000)));
  const limit = b.let(Value.select(high.and(GRANULARITY), raw.shl(12).or(0xfff), raw));
  b.store(CPU, selector, 2, cache + Segment.SELECTOR);
  b.store(CPU, high.shrU(ACCESS_SHIFT).and(ACCESS_MASK), 4, cache + Segment.ACCESS);
  b.store(CPU, limit, 4, cache + Segment.LIMIT);
  b.store(CPU, flat(limit), 4, cache + Segment.FLAT);
  b.store(CPU, low.shrU(16).or(high.and(0xff).shl(16)).or(high.and(0xff00_0000 | 0)).extendU(), 8, cache + Segment.BASE);
}

/** (cpu) -> the new RFLAGS with RIP, RSP, CS, SS and CPL loaded, or 0 with nothing changed. */
const interruptReturn = routine('system.iret', ['i32'], 'i32', (b) => {
  b.require(word(Offset.FLAGS).and(NT | TF | VM).or(word(Offset.INTERRUPTIBILITY).and(BLOCKING_NMI)).eqz());
  b.require(word(Offset.CPL).eqz());
  const top = b.let(CPU.load('i64', 8, Offset.GPR + Gpr.RSP * 8));
  b.require(top.wrap().and(7).eqz());
  const frame = hostOf(b, top, FRAME_BYTES);
  const rip = b.let(frame.load('i64', 8));
  const cs = b.let(frame.load('i32', 2, 8));
  const flags = b.let(frame.load('i32', 4, 16));
  const ss = b.let(frame.load('i32', 2, 32));
  const rpl = b.let(cs.and(3));
  const user = b.let(rpl.eq(3));
  b.require(rip.shrS(47).add(1).leU(1));
  b.require(flags.and(TF | RF | VM | NT).or(user.mul(AC).and(flags)).eqz());
  b.require(b.let(flags.and(IF).ne(0)).and(word(Offset.AWAITED).ne(0)).eqz());
  b.require(rpl.add(1).and(2).eqz()); // 0 or 3
  b.require(ss.and(3).eq(rpl).and(cs.and(0xfffc).ne(0)));

  const code = descriptorOf(b, cs);
  const codeHigh = b.let(code.load('i32', 4, 4));
  b.require(codeHigh.or(CODE_READABLE).and(CODE_MASK).eq(CODE_RIGHTS).and(codeHigh.shrU(DPL_SHIFT).and(3).eq(rpl)));
  const noStack = b.let(ss.and(0xfffc).eqz());
  b.require(noStack.and(user).eqz());
  // The null selector's place holds the code's descriptor, of which nothing is used.
  const stack = descriptorOf(b, b.let(Value.select(noStack, cs, ss)));
  const stackHigh = b.let(stack.load('i32', 4, 4));
  b.require(noStack.or(stackHigh.and(DATA_MASK).eq(DATA_RIGHTS).and(stackHigh.shrU(DPL_SHIFT).and(3).eq(rpl))));
  b.require(CPU.add(user.mul(PRIVILEGE_STRIDE)).load('i32', 4, Offset.PRIVILEGES));
  // Data segments that user code may not keep become null, and null selectors 0: TypeScript does that.
  b.when(user, () => {
    for (const seg of [Seg.ES, Seg.DS, Seg.FS, Seg.GS]) {
      const cache = Offset.SEGMENTS + seg * SEGMENT_STRIDE;
      const access = b.let(word(cache + Segment.ACCESS));
      const none = access.and(ACCESS_UNUSABLE).ne(0).and(CPU.load('i32', 2, cache + Segment.SELECTOR).eqz());
      b.require(none.or(access.and(ACCESS_UNUSABLE | ACCESS_DPL3).eq(ACCESS_DPL3)));
    }
  });

  b.store(CPU, rip, 8, Offset.RIP);
  b.store(CPU, frame.load('i64', 8, 24), 8, Offset.GPR + Gpr.RSP * 8);
  setSegment(b, Seg.CS, cs, b.let(code.load('i32', 4)), codeHigh, () => Value.i32(0));
  b.when(noStack.eqz(), () => setSegment(b, Seg.SS, ss, b.let(stack.load('i32', 4)), stackHigh, (limit) => limit.eq(-1).and(stackHigh.and(EXPAND_DOWN).eqz())));
  b.when(noStack, () => {
    const cache = Offset.SEGMENTS + Seg.SS * SEGMENT_STRIDE;
    b.store(CPU, ss, 2, cache + Segment.SELECTOR);
    b.store(CPU, Value.i32(ACCESS_UNUSABLE), 4, cache + Segment.ACCESS);
    b.store(CPU, Value.i32(0), 4, cache + Segment.LIMIT);
    b.store(CPU, Value.i32(0), 4, cache + Segment.FLAT);
    b.store(CPU, Value.i64(0), 8, cache + Segment.BASE);
  });
  b.store(CPU, rpl, 4, Offset.CPL);
  return flags.and(TAKEN).or(ALWAYS_ONE);
});

export const interruptReturns: readonly Semantics[] = [
  {
    mnemonic: 'iret',
    sizes: [8],
    forms: [''],
    sizeFrom: -1,
    ends: true,
    emit(e) {
      leaveUnless(e, Permitted.IRET);
      const flags = e.let(e.call(interruptReturn, e.state()));
      e.leave(flags.eqz());
      setFlagsImage(e, flags);
      e.changePrivilege(e.let(e.stateWord(Offset.CPL)));
      e.jumpTo(e.let(e.state().load('i64', 8, Offset.RIP)));
    },
  },
];
