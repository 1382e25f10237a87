/**
 * String instructions as loaders and kernels use them most: MOVS, STOS and LODS without REP in 32-bit code with flat
 * segments, of which decompressors are made, and REP MOVS and REP STOS in 64-bit code inside of pages that the TLB has. All
 * else is TypeScript's (system/stringOperations.ts).
 */
import { Value } from '../../wasm/value';
import { DF, TF } from '../flags';
import { ADDEND, entryOf, liesBeside, tagOf, watchedTag } from '../mmu/tlbCode';
import { Gpr, Offset, Seg, Segment, SEGMENT_STRIDE } from '../state';
import { type Emitter, type Routine, type Semantics, typeOf, type Width } from './emitter';
import { routine, type RoutineBody } from './routine';

/** Values of the variant: which of the two kinds an instruction is. */
export const StringKind = { PLAIN_32: 0, REPEATED_64: 1 } as const;

const MASK32 = 0xffff_ffffn;
const PAGE = 0x1000;
const CPU = Value.local(0, 'i32');

/** Linear address of the string at a register. Leaves when the segment asks for more than its base. */
function stringAt(e: Emitter, seg: number, register: number): Value {
  const cache = Offset.SEGMENTS + seg * SEGMENT_STRIDE;
  e.leave(e.stateWord(cache + Segment.FLAT).eqz());
  return e.let(e.fixed(register).add(e.state().load('i64', 8, cache + Segment.BASE)).and(MASK32));
}

function advance(e: Emitter, ...registers: number[]): void {
  const step = e.let(Value.select(e.otherFlags().and(DF), Value.i64(-e.size), Value.i64(e.size)));
  for (const register of registers) e.setFixed(register, e.let(e.fixed(register).add(step).and(MASK32)));
}

/** Host address of `bytes` bytes (not 0) that the TLB has; ends the routine where it has them not, or not all. */
export function runAt(b: RoutineBody, linear: Value, bytes: Value, write: boolean): Value {
  const entry = b.let(entryOf(linear, CPU.load('i32', 4, Offset.TLB_BASE)));
  const present = b.let(entry.load('i64', 8, tagOf(write)));
  const wanted = b.let(linear.add(bytes.extendU()).sub(1).and(~0xfffn).or(CPU.load('i64', 8, Offset.GENERATION)));
  b.when(wanted.ne(present), () => {
    b.require(watchedTag(wanted).eq(present));
    b.require(liesBeside(entry, linear, bytes));
  });
  return b.let(linear.wrap().add(entry.load('i32', 4, ADDEND)));
}

const shiftOf = (size: number): number => 31 - Math.clz32(size);

/** Bytes of `count` elements; ends the routine with 1 when there are none, with 0 when they are more than a page. */
function bytesOf(b: RoutineBody, count: Value, size: number): Value {
  b.when(count.eqz(), () => b.end(Value.i32(1)));
  b.require(count.leU(PAGE / size));
  return b.let(count.wrap().shl(shiftOf(size)));
}

/** (cpu, linear, count, value) -> 1 + the bytes that were stored, or 0 with nothing done. */
const storeRun = (size: Width): Routine =>
  routine(`string.store${size}`, ['i32', 'i64', 'i64', 'i64'], 'i32', (b) => {
    const bytes = bytesOf(b, b.argument(2), size);
    const start = runAt(b, b.argument(1), bytes, true);
    const value = b.let(typeOf(size) === 'i64' ? b.argument(3) : b.argument(3).wrap());
    if (size === 1) b.fill(start, value, bytes);
    else b.each(start, bytes, size, (at) => b.store(at, value, size));
    return bytes.add(1);
  });

/** (cpu, from, to, count) -> 1 + the bytes that were moved, or 0 with nothing done. */
const moveRun = (size: Width): Routine =>
  routine(`string.move${size}`, ['i32', 'i64', 'i64', 'i64'], 'i32', (b) => {
    const bytes = bytesOf(b, b.argument(3), size);
    const from = runAt(b, b.argument(1), bytes, false);
    const to = runAt(b, b.argument(2), bytes, true);
    // A destination shortly behind the source repeats what was just written.
    b.require(to.sub(from).sub(1).geU(bytes.sub(1)));
    b.copy(to, from, bytes);
    return bytes.add(1);
  });

/** Runs are upwards, and nobody counts their iterations. */
const leaveUnlessWhole = (e: Emitter): void => e.leave(e.otherFlags().and(DF | TF).or(e.stateWord(Offset.STEPPING)));

function finishRun(e: Emitter, result: Value, ...registers: number[]): void {
  e.leave(result.eqz());
  const bytes = e.let(result.sub(1).extendU());
  for (const register of registers) e.setFixed(register, e.let(e.fixed(register).add(bytes)));
  e.setFixed(Gpr.RCX, Value.i64(0));
}

const plain = (mnemonic: string, form: string, emit: (e: Emitter) => void): Semantics => ({ mnemonic, sizes: [1, 4], forms: [form], variant: 'string', variants: [StringKind.PLAIN_32], emit });
const repeated = (mnemonic: string, form: string, emit: (e: Emitter) => void): Semantics => ({ mnemonic, sizes: [1, 4, 8], forms: [form], variant: 'string', variants: [StringKind.REPEATED_64], emit });

export const strings: readonly Semantics[] = [
  plain('movs', 'do', (e) => {
    const from = stringAt(e, Seg.DS, Gpr.RSI);
    const to = stringAt(e, Seg.ES, Gpr.RDI);
    e.store(to, e.load(from, e.size), e.size);
    advance(e, Gpr.RSI, Gpr.RDI);
  }),
  plain('stos', 'd', (e) => {
    e.store(stringAt(e, Seg.ES, Gpr.RDI), e.let(e.fixedPart(Gpr.RAX)), e.size);
    advance(e, Gpr.RDI);
  }),
  plain('lods', 'o', (e) => {
    e.setFixedPart(Gpr.RAX, e.load(stringAt(e, Seg.DS, Gpr.RSI), e.size));
    advance(e, Gpr.RSI);
  }),
  repeated('movs', 'do', (e) => {
    leaveUnlessWhole(e);
    finishRun(e, e.let(e.call(moveRun(e.size), e.state(), e.fixed(Gpr.RSI), e.fixed(Gpr.RDI), e.fixed(Gpr.RCX))), Gpr.RSI, Gpr.RDI);
  }),
  repeated('stos', 'd', (e) => {
    leaveUnlessWhole(e);
    finishRun(e, e.let(e.call(storeRun(e.size), e.state(), e.fixed(Gpr.RDI), e.fixed(Gpr.RCX), e.fixed(Gpr.RAX))), Gpr.RDI);
  }),
];
