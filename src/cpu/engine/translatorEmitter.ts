/**
 * The emitter of translated regions: operands come from the records as they are now, so that registers are locals and
 * numbers are constants. What cannot be finished here (a fault, a device, TypeScript's cases) leaves before the
 * instruction, and the interpreter performs it.
 */
import type { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { AccessFlag } from '../accessFlags';
import { type CallRoutine, type Routine, typeOf } from '../isa/emitter';
import { ADDEND, entryOf, liesBeside, tagOf, watchedTag } from '../mmu/tlbCode';
import { Gpr, gprAt, type MemoryViews, Offset, Segment } from '../state';
import { someNotFlat, SS_CACHE, STACK_32 } from './flatSegments';
import type { LastPages, Slot } from './lastPages';
import { ADDRESS_SIZE_SHIFT, Field } from './record';
import { TranslatorFlags } from './translatorFlags';
import { CPU, TranslatorOperands } from './translatorOperands';

/** The budget of a region that was entered with segments it was not made for: no block is covered by it. */
const REFUSING = -0x4000_0000;

/** Functions that a region's module has. */
export interface RegionFunctions {
  /** (cpu, segment, offset, flags) -> 0 with the fault filled. 64-bit code has no need of it. */
  checkSegment?: number | undefined;
  /** (cpu, low, high, flags, budget) -> host address of plain RAM, or 0: the interpreter has to perform the instruction. Absent where a TLB miss leaves the region. */
  reach?: number | undefined;
  call: CallRoutine;
}

/** How the instruction at hand gets out of the region, and where its jumps go. */
export interface RegionControl {
  /** Leaves before the instruction, which the interpreter then performs. */
  leaveBefore(): void;
  /** The same for want of a translation in the TLB. */
  leaveAtMiss(): void;
  /** Goes to an offset of the page, with the record that is there when it is known (else 0). */
  jumpWithin(offset: number, record: number): void;
  /** Goes to an i64 RIP in a local. */
  jumpTo(rip: Value): void;
}

export class TranslatorEmitter extends TranslatorOperands {
  readonly budget: Value;
  readonly locals: { budget: number; tlb: number; generation: number; simdDisabled: number };
  readonly flags: TranslatorFlags;
  /** Whether the instruction's operands alone tell its result and flags. */
  exactFlags = true;
  /** Instructions of the block that are counted and not executed yet, the one at hand included. */
  ahead = 0;
  /** Segment caches that were used as flat ones. */
  private readonly assumed = new Set<number>();

  constructor(
    f: FunctionBuilder,
    views: MemoryViews,
    private readonly functions: RegionFunctions,
    private readonly control: RegionControl,
    /** State offsets of the caches of segments that may be taken for flat. */
    private readonly flat: ReadonlySet<number>,
    private readonly pages: LastPages,
  ) {
    super(f, views);
    this.locals = { budget: f.local('i32'), tlb: f.local('i32'), generation: f.local('i64'), simdDisabled: f.local('i32') };
    this.budget = Value.local(this.locals.budget, 'i32');
    this.flags = new TranslatorFlags(f, this, functions.call);
  }

  /** Loads what the region works on; written with another builder, once it is known. */
  loadState(f: FunctionBuilder): void {
    const load = (local: number, value: Value): void => {
      value.emit(f);
      f.set(local);
    };
    this.loadRegisters(load);
    load(this.locals.budget, CPU.load('i32', 4, Offset.BUDGET));
    load(this.flags.locals.res, CPU.load('i64', 8, Offset.RES));
    load(this.flags.locals.aux, CPU.load('i32', 4, Offset.AUX));
    load(this.locals.tlb, CPU.load('i32', 4, Offset.TLB_BASE));
    load(this.locals.generation, CPU.load('i64', 8, Offset.GENERATION));
    this.pages.empty(f);
    load(this.locals.simdDisabled, CPU.load('i32', 4, Offset.SIMD_DISABLED));
    const others = someNotFlat(CPU, this.assumed);
    if (others) load(this.locals.budget, Value.select(others, Value.i32(REFUSING), this.budget));
  }
  /** Where the region is left: what there is to do when it was entered with other segments, so that its first block has refused. */
  whenRefused(then: () => void): void {
    if (this.assumed.size === 0) return;
    this.when(this.budget.ltS(REFUSING >> 1), () => {
      this.set(this.locals.budget, CPU.load('i32', 4, Offset.BUDGET));
      then();
    });
  }
  private isFlat(segment: number): boolean {
    if (!this.flat.has(segment)) return false;
    this.assumed.add(segment);
    return true;
  }
  /** Puts back what it has changed. */
  storeState(): void {
    this.flags.settle();
    this.storeRegisters();
    CPU.store(this.f, this.budget, 4, Offset.BUDGET);
    CPU.store(this.f, this.flags.res, 8, Offset.RES);
    CPU.store(this.f, this.flags.aux, 4, Offset.AUX);
  }

  // Memory.

  /** An ADDRESS record: the linear address for the instruction's own record. `legacy` is 16- and 32-bit code. */
  computeAddress(record: number, legacy: boolean): void {
    this.record = record;
    const size = 2 << (this.u8(Field.SCALE) >>> ADDRESS_SIZE_SHIFT);
    const segment = this.u16(Field.SEGMENT);
    const sum = this.effectiveAddress(this.i64(Field.LONG_DISPLACEMENT));
    const masked = size === 8 ? sum : sum.and(size === 4 ? 0xffff_ffffn : 0xffffn);
    const base = CPU.load('i64', 8, segment + Segment.BASE);
    if (!legacy) return this.set(this.effectiveLocal, segment === Offset.NO_SEGMENT ? masked : masked.add(base));
    if (this.isFlat(segment)) return this.set(this.effectiveLocal, masked);
    const offset = this.let(masked);
    this.when(CPU.load('i32', 4, segment + Segment.FLAT).eqz(), () => {
      const checked = Value.call(this.functions.checkSegment!, 'i32', CPU, Value.i32(segment), offset.wrap(), Value.i32(this.u16(Field.ACCESS)));
      this.leave(checked.eqz());
    });
    this.set(this.effectiveLocal, base.add(offset).and(0xffff_ffffn));
  }
  /** A LOAD record: the memory operand goes where the instruction's own record reads it. */
  stageOperand(record: number, size: number): void {
    this.record = record;
    this.requireSimd(Value.i32(this.u16(Field.SIMD)));
    const linear = this.let(this.address());
    if (size === 16) this.requireAligned(linear);
    CPU.store(this.f, this.load(linear, size), size, Offset.SIMD_OPERAND);
  }

  /** The TLB entry for a page, and the tag that it has when it is the page's. */
  private entryFor(linear: Value, size: number): { entry: Value; tag: Value } {
    const entry = this.let(entryOf(linear, Value.local(this.locals.tlb, 'i32')));
    const last = size === 1 ? linear : linear.add(size - 1);
    return { entry, tag: last.and(~0xfffn).or(Value.local(this.locals.generation, 'i64')) };
  }
  /** Host address of `size` bytes: by the page that was accessed last, or by the TLB. */
  private host(linear: Value, size: number, flags: number): Value {
    const { f, functions, pages } = this;
    const write = (flags & AccessFlag.WRITE) !== 0;
    if (functions.reach !== undefined) return this.hostWithin(linear, size, flags);
    const slot = pages.slotOf(this.addressing, this.displacement, size, write);
    const meets = slot === undefined || slot.exact || !pages.isWatched(write) ? undefined : pages.meetsWatched(linear, size);
    if (meets) this.when(meets, () => this.control.leaveAtMiss());
    const find = (): Value => {
      const { entry, tag } = this.entryFor(linear, size);
      if (pages.isWatched(write)) this.leaveUnlessBeside(entry, tag, linear, size, write, slot);
      else this.when(tag.ne(entry.load('i64', 8, tagOf(write))), () => this.control.leaveAtMiss());
      const addend = entry.load('i32', 4, ADDEND);
      if (slot !== undefined) pages.keep(f, slot, linear, addend);
      return addend;
    };
    if (slot === undefined) return this.let(linear.wrap().add(find()));
    this.when(pages.isElsewhere(slot, linear, size), find);
    return this.let(pages.hostOf(slot, linear));
  }
  /** Leaves unless the entry lets the access by, beside watched bytes perhaps; with a page's slot, unless it lets by all that was not left before. */
  private leaveUnlessBeside(entry: Value, tag: Value, linear: Value, size: number, write: boolean, slot: Slot | undefined): void {
    const wanted = this.let(tag);
    const present = (): Value => entry.load('i64', 8, tagOf(write));
    const leaveWhen = (condition: Value): void => this.when(condition, () => this.control.leaveAtMiss());
    // One condition after the other: V8 needs no more registers for them than for a region that watches nothing.
    this.when(wanted.ne(present()), () => {
      leaveWhen(watchedTag(wanted).ne(present()));
      if (slot === undefined || slot.exact) leaveWhen(liesBeside(entry, linear, size).eqz());
      else for (const condition of this.pages.isOther(entry)) leaveWhen(condition);
    });
  }
  /** The same where TypeScript finds what the TLB has not: then anything may have changed. */
  private hostWithin(linear: Value, size: number, flags: number): Value {
    const { f } = this;
    const write = (flags & AccessFlag.WRITE) !== 0;
    const host = f.temporary('i32');
    const { entry, tag } = this.entryFor(linear, size);
    const watched = this.pages.isWatched(write);
    const wanted = watched ? this.let(tag) : tag;
    const setHost = (): void => this.set(host, linear.wrap().add(entry.load('i32', 4, ADDEND)));
    const reach = (): void => {
      this.set(host, Value.call(this.functions.reach!, 'i32', CPU, linear.wrap(), linear.shrU(32).wrap(), Value.i32(flags | size), this.budget.add(this.ahead - 1)));
      this.leave(Value.local(host, 'i32').eqz());
    };
    wanted.ne(entry.load('i64', 8, tagOf(write))).emit(f);
    f.if();
    if (watched) {
      watchedTag(wanted).eq(entry.load('i64', 8, tagOf(write))).and(liesBeside(entry, linear, size)).emit(f);
      f.if();
      setHost();
      f.else();
      reach();
      f.end();
    } else reach();
    f.else();
    setHost();
    f.end();
    return Value.local(host, 'i32');
  }
  load(linear: Value, size: number, flags = 0): Value {
    return this.let(this.host(linear, size, flags).load(typeOf(size), size));
  }
  store(linear: Value, value: Value, size: number, flags = 0): void {
    this.host(linear, size, flags | AccessFlag.WRITE).store(this.f, value, size);
  }
  modifyAt(linear: Value, compute: (old: Value) => Value, size: number): Value {
    const host = this.host(linear, size, AccessFlag.WRITE | AccessFlag.RMW);
    const result = this.let(compute(this.let(host.load(typeOf(size), size))));
    host.store(this.f, result, size);
    return result;
  }

  // SIMD: XMM registers stay in the state.

  requireSimd(levels: Value): void {
    this.leave(Value.local(this.locals.simdDisabled, 'i32').and(levels));
  }
  vector(operand: number): Value {
    return this.let(CPU.load('v128', 16, this.registerOffset(operand)));
  }
  setVector(operand: number, value: Value): void {
    CPU.store(this.f, value, 16, this.registerOffset(operand));
  }
  registerHost(operand: number): Value {
    const offset = this.registerOffset(operand);
    if (gprAt(offset) !== undefined) throw new Error('A general-purpose register of a region has no address.');
    return this.let(CPU.add(offset));
  }
  stateHost(): Value {
    return CPU;
  }
  requireAligned(linear: Value): void {
    this.leave(linear.wrap().and(15));
  }
  call(routine: Routine, ...args: Value[]): Value {
    return this.functions.call(routine, ...args);
  }

  // Flags and other state.

  override deferFlags(operation: 'add' | 'sub' | 'product' | 'logic', a: Value, b: Value, r: Value): boolean {
    this.flags.defer(operation, a, b, r, this.size, operation !== 'product' && this.exactFlags);
    return true;
  }
  override deferShift(operation: 'shl' | 'shr' | 'sar', a: Value, n: Value, r: Value, always: boolean): boolean {
    this.flags.deferShift(operation, a, n, r, this.size, always);
    return true;
  }
  override deferRotation(right: boolean, n: Value, r: Value, always: boolean): boolean {
    this.flags.deferRotation(right, n, r, this.size, always);
    return true;
  }
  override deferCarry(cf: Value): boolean {
    return this.flags.deferCarry(cf);
  }
  override directCondition(cc: number): Value | undefined {
    return this.flags.condition(cc);
  }
  res(): Value {
    this.flags.settle();
    return this.flags.res;
  }
  aux(): Value {
    this.flags.settle();
    return this.flags.aux;
  }
  setRes(value: Value): void {
    this.flags.setRes(value);
  }
  setAux(value: Value): void {
    this.flags.setAux(value);
  }
  otherFlags(): Value {
    return CPU.load('i32', 4, Offset.FLAGS);
  }
  setOtherFlags(value: Value): void {
    CPU.store(this.f, value, 4, Offset.FLAGS);
  }
  stateWord(offset: number): Value {
    return CPU.load('i32', 4, offset);
  }
  state(): Value {
    return CPU;
  }
  clock(): Value {
    return CPU.load('i64', 8, Offset.SLICE_END).sub(this.budget.add(this.ahead).extendU());
  }
  rip(): Value {
    return this.ripBase().add(this.u16(Field.OFFSET));
  }
  /** Of 1 byte: the interpreter asks where no answer is kept. */
  portIn(port: Value): Value {
    this.leave(this.answerIsKept(port).eqz());
    return this.let(this.keptAnswer());
  }
  portOut(): void {
    throw new Error('Port output is the interpreter\'s.');
  }
  invalidatePage(): void {
    throw new Error('Translations are the interpreter\'s.');
  }

  // Control.

  ripBase(): Value {
    return Value.local(this.ripBaseLocal, 'i64');
  }
  nextRip(): Value {
    return this.ripBase().add(this.u16(Field.OFFSET) + this.u8(Field.LENGTH));
  }
  jump(condition?: Value): void {
    const record = this.u32(Field.LINK);
    const go = (): void => {
      if (record !== 0) return this.control.jumpWithin(this.views.u16[(record + Field.OFFSET) >>> 1]!, record);
      const target = this.ripBase().add(this.i64(Field.IMMEDIATE));
      this.control.jumpTo(this.let(this.size === 8 ? target : target.and(this.size === 4 ? 0xffff_ffffn : 0xffffn)));
    };
    if (condition) this.when(condition, go);
    else go();
  }
  jumpTo(rip: Value): void {
    this.control.jumpTo(rip);
  }
  raise(_vector: number, condition?: Value): void {
    if (!condition) throw new Error('Generated code raises exceptions on a condition only.');
    this.leave(condition);
  }
  leave(condition: Value): void {
    this.when(condition, () => this.control.leaveBefore());
  }

  changePrivilege(): void {
    throw new Error('Privilege changes are the interpreter\'s.');
  }

  stackMask(): Value {
    if (this.isFlat(SS_CACHE)) return Value.i64(STACK_32);
    return CPU.load('i64', 8, Offset.SP_MASK);
  }
  stackLinear(offset: Value, size: number, write: boolean): Value {
    this.addressing = Gpr.RSP;
    if (this.longStack) return offset;
    if (this.isFlat(SS_CACHE)) return offset.and(STACK_32);
    const within = this.let(offset.and(this.stackMask()));
    this.when(CPU.load('i32', 4, SS_CACHE + Segment.FLAT).eqz(), () => {
      const flags = Value.i32(size | (write ? AccessFlag.WRITE : 0));
      this.leave(Value.call(this.functions.checkSegment!, 'i32', CPU, Value.i32(SS_CACHE), within.wrap(), flags).eqz());
    });
    return within.add(CPU.load('i64', 8, SS_CACHE + Segment.BASE)).and(0xffff_ffffn);
  }
}
