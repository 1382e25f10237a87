/**
 * The emitter of translated regions: operands come from the records as they are now, so that registers are locals and
 * numbers are constants. What cannot be finished here (a fault, a device, TypeScript's cases) leaves before the
 * instruction, and the interpreter performs it.
 */
import type { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { AccessFlag } from '../accessFlags';
import { type CallRoutine, Emitter, type Routine, typeOf } from '../isa/emitter';
import { routine } from '../isa/routine';
import { auxOfCarries, carriesOfAdd, carriesOfSub } from '../isa/statusFlags';
import { type MemoryViews, Offset, Seg, Segment, SEGMENT_STRIDE, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../state';
import { Field } from './record';

/** Kinds of flags whose `aux` is not worked out: bits 1:0 the operands' size as a power of 2, SUB for a subtraction, CF replaced. 0: `aux` is valid. */
const Kept = { ADD: 16, SUB: 16 | 4, CARRY: 8 } as const;

/** Works `aux` out of the kind (not 0), the operands and the sign-extended result; `cf` counts when it is replaced. */
const keptAux = routine('flags.aux', ['i32', 'i64', 'i64', 'i64', 'i32'], 'i32', (r) => {
  const [kind, a, b, res, cf] = [r.argument(0), r.argument(1), r.argument(2), r.argument(3), r.argument(4)];
  const carries = r.let(Value.select(kind.and(4), carriesOfSub(a, b, res), carriesOfAdd(a, b, res)));
  const topTwo = Value.i32(8).shl(kind.and(3)).sub(2);
  const aux = r.let(carries.shrU(topTwo.extendU()).wrap().shl(30).or(carries.wrap().and(8)));
  return Value.select(kind.and(Kept.CARRY), withCarry(aux, cf), aux);
});

/** `aux` with another CF and the same OF. */
const withCarry = (aux: Value, cf: Value): Value => aux.xor(aux.shrU(31).xor(cf).mul(0xc000_0000 | 0));

/** What is known of the flags at a place in a block. */
type Flags =
  | { state: 'unknown' }
  /** `res` and `aux` hold them. */
  | { state: 'settled' }
  | { state: 'logic' }
  | { state: 'kept'; operation: 'add' | 'sub'; size: number; exact: boolean; carry: boolean };

/** Even conditions of Jcc. */
const Condition = { O: 0, B: 2, E: 4, BE: 6, S: 8, L: 12, LE: 14 } as const;

const GPR_COUNT = 16;
const GPR_END = Offset.GPR + GPR_COUNT * 8;
const SS_CACHE = Offset.SEGMENTS + Seg.SS * SEGMENT_STRIDE;
/** Address of the processor's state: the first parameter of a region's function. */
const CPU = Value.local(0, 'i32');

/** Indices of the functions that a region's module has. */
export interface RegionFunctions {
  /** (cpu, low, high, flags, budget) -> host address of plain RAM, or 0: the interpreter has to perform the instruction. */
  reach: number;
  /** (cpu, segment, offset, flags) -> 0 with the fault filled. */
  checkSegment: number;
  call: CallRoutine;
}

/** How the instruction at hand gets out of the region, and where its jumps go. */
export interface RegionControl {
  /** Leaves before the instruction, which the interpreter then performs. */
  leaveBefore(): void;
  /** Goes to an offset of the page, with the record that is there when it is known (else 0). */
  jumpWithin(offset: number, record: number): void;
  /** Goes to an i64 RIP in a local. */
  jumpTo(rip: Value): void;
}

export class TranslatorEmitter extends Emitter {
  readonly budget: Value;
  readonly locals: { budget: number; res: number; aux: number; tlb: number; generation: number; ripBase: number; simdDisabled: number; effective: number; kind: number; a: number; b: number; cf: number };
  private readonly registers: number[] = [];
  /** General-purpose registers that the region reads or writes, and those that it writes, as bits. */
  used = 0;
  written = 0;
  /** Record of the instruction at hand. */
  private record = 0;
  /** Instructions of the block that are counted and not executed yet, the one at hand included. */
  ahead = 0;

  constructor(
    f: FunctionBuilder,
    private readonly views: MemoryViews,
    private readonly functions: RegionFunctions,
    private readonly control: RegionControl,
  ) {
    super(f);
    for (let n = 0; n < GPR_COUNT; n++) this.registers.push(f.local('i64'));
    this.locals = { budget: f.local('i32'), res: f.local('i64'), aux: f.local('i32'), tlb: f.local('i32'), generation: f.local('i64'), ripBase: f.local('i64'), simdDisabled: f.local('i32'), effective: f.local('i64'), kind: f.local('i32'), a: f.local('i64'), b: f.local('i64'), cf: f.local('i32') };
    this.budget = Value.local(this.locals.budget, 'i32');
  }

  /** The instruction's record; its operands are read from there. */
  at(record: number): void {
    this.record = record;
    this.f.releaseTemporaries();
  }

  set(local: number, value: Value): void {
    value.emit(this.f);
    this.f.set(local);
  }
  when(condition: Value, then: () => void): void {
    condition.emit(this.f);
    this.f.if();
    then();
    this.f.end();
  }

  /** Loads what the region works on; written with another builder, once it is known. */
  loadState(f: FunctionBuilder): void {
    const load = (local: number, value: Value): void => {
      value.emit(f);
      f.set(local);
    };
    for (let n = 0; n < GPR_COUNT; n++) if ((this.used >> n) & 1) load(this.registers[n]!, CPU.load('i64', 8, Offset.GPR + n * 8));
    load(this.locals.budget, CPU.load('i32', 4, Offset.BUDGET));
    load(this.locals.res, CPU.load('i64', 8, Offset.RES));
    load(this.locals.aux, CPU.load('i32', 4, Offset.AUX));
    load(this.locals.tlb, CPU.load('i32', 4, Offset.TLB_BASE));
    load(this.locals.generation, CPU.load('i64', 8, Offset.GENERATION));
    load(this.locals.ripBase, CPU.load('i64', 8, Offset.RIP_BASE));
    load(this.locals.simdDisabled, CPU.load('i32', 4, Offset.SIMD_DISABLED));
  }
  /** Puts back what it has changed. */
  storeState(): void {
    this.settleFlags();
    for (let n = 0; n < GPR_COUNT; n++) if ((this.written >> n) & 1) CPU.store(this.f, Value.local(this.registers[n]!, 'i64'), 8, Offset.GPR + n * 8);
    CPU.store(this.f, this.budget, 4, Offset.BUDGET);
    CPU.store(this.f, Value.local(this.locals.res, 'i64'), 8, Offset.RES);
    CPU.store(this.f, Value.local(this.locals.aux, 'i32'), 4, Offset.AUX);
  }

  // Fields of the record.

  private u8(field: number): number {
    return this.views.u8[this.record + field]!;
  }
  private u16(field: number): number {
    return this.views.u16[(this.record + field) >>> 1]!;
  }
  private u32(field: number): number {
    return this.views.u32[(this.record + field) >>> 2]!;
  }
  private i64(field: number): bigint {
    return BigInt.asIntN(64, this.views.u64[(this.record + field) >>> 3]!);
  }

  // Registers.

  fixed(n: number): Value {
    this.used |= 1 << n;
    return Value.local(this.registers[n]!, 'i64');
  }
  setFixed(n: number, value: Value): void {
    this.used |= 1 << n; // entries that skip the write must hand back what was there
    this.written |= 1 << n;
    this.set(this.registers[n]!, value);
  }
  private isGpr(offset: number): boolean {
    return offset >= Offset.GPR && offset < GPR_END;
  }
  /** A u64 of the state by its offset, as address records name it. */
  private stateValue(offset: number): Value {
    if (this.isGpr(offset)) return this.fixed((offset - Offset.GPR) >>> 3);
    switch (offset) {
      case Offset.ZERO:
        return Value.i64(0);
      case Offset.RIP_BASE:
        return Value.local(this.locals.ripBase, 'i64');
      case Offset.EFFECTIVE_ADDRESS:
        return Value.local(this.locals.effective, 'i64');
    }
    throw new Error(`State offset ${offset} is no part of an address.`);
  }
  private registerOffset(operand: number): number {
    return this.u16(Field.REGISTER + operand * 2);
  }

  read(operand: number, size: number = this.size): Value {
    switch (this.form[operand]) {
      case 'i':
        return this.immediate(size);
      case 'm':
        return this.load(this.let(this.address()), size);
      case 'r':
      case 'x':
      case 's': {
        const offset = this.registerOffset(operand);
        if (!this.isGpr(offset)) return this.let(CPU.load(typeOf(size), size, offset));
        const whole = this.fixed((offset - Offset.GPR) >>> 3);
        const high = (offset & 1) * 8;
        return this.let(size === 8 ? whole : this.narrow((high === 0 ? whole : whole.shrU(high)).wrap(), size));
      }
    }
    throw new Error(`Operand ${operand} of form "${this.form}" cannot be read.`);
  }
  override constantOperand(operand: number): number | undefined {
    return this.form[operand] === 'i' ? this.u32(Field.IMMEDIATE) & 0xff : undefined;
  }
  private immediate(size: number): Value {
    if (size === 8) return Value.i64(this.i64(Field.IMMEDIATE));
    const low = this.u32(Field.IMMEDIATE);
    return Value.i32(size === 4 ? low | 0 : size === 2 ? low & 0xffff : low & 0xff);
  }
  write(operand: number, value: Value, size: number = this.size): void {
    if (this.form[operand] === 'm') return this.store(this.let(this.address()), value, size);
    const offset = this.registerOffset(operand);
    if (!this.isGpr(offset)) return CPU.store(this.f, size === 4 ? value.extendU() : value, size === 4 ? 8 : size, offset);
    const n = (offset - Offset.GPR) >>> 3;
    if (size >= 4) return this.setFixed(n, value.extendU());
    const shift = (offset & 1) * 8;
    const mask = (size === 1 ? 0xffn : 0xffffn) << BigInt(shift);
    const part = this.narrow(value.wrap(), size).extendU();
    this.setFixed(n, this.fixed(n).and(~mask).or(shift === 0 ? part : part.shl(shift)));
  }

  // Memory.

  effectiveAddress(): Value {
    const base = this.u16(Field.BASE);
    const index = this.u16(Field.INDEX);
    const displacement = this.i64(Field.DISPLACEMENT);
    let sum = base === Offset.ZERO ? undefined : this.stateValue(base);
    if (index !== Offset.ZERO) {
      const scale = this.u8(Field.SCALE);
      const scaled = scale === 0 ? this.stateValue(index) : this.stateValue(index).shl(scale);
      sum = sum ? sum.add(scaled) : scaled;
    }
    if (!sum) return Value.i64(displacement);
    return displacement === 0n ? sum : sum.add(displacement);
  }

  /** An ADDRESS record: the linear address for the instruction's own record. `legacy` is 16- and 32-bit code. */
  computeAddress(record: number, legacy: boolean): void {
    this.record = record;
    const size = this.u8(Field.ADDRESS_SIZE);
    const segment = this.u16(Field.SEGMENT);
    const sum = this.effectiveAddress();
    const masked = size === 8 ? sum : sum.and(size === 4 ? 0xffff_ffffn : 0xffffn);
    const base = CPU.load('i64', 8, segment + Segment.BASE);
    if (!legacy) return this.set(this.locals.effective, segment === Offset.NO_SEGMENT ? masked : masked.add(base));
    const offset = this.let(masked);
    this.when(CPU.load('i32', 4, segment + Segment.FLAT).eqz(), () => {
      const checked = Value.call(this.functions.checkSegment, 'i32', CPU, Value.i32(segment), offset.wrap(), Value.i32(this.u16(Field.ACCESS)));
      this.leave(checked.eqz());
    });
    this.set(this.locals.effective, base.add(offset).and(0xffff_ffffn));
  }
  /** A LOAD record: the memory operand goes where the instruction's own record reads it. */
  stageOperand(record: number, size: number): void {
    this.record = record;
    this.requireSimd(Value.i32(this.u16(Field.SIMD)));
    const linear = this.let(this.address());
    if (size === 16) this.requireAligned(linear);
    CPU.store(this.f, this.load(linear, size), size, Offset.SIMD_OPERAND);
  }

  /** Host address of `size` bytes: by the TLB, or by `reach`. */
  private host(linear: Value, size: number, flags: number): Value {
    const { f, locals } = this;
    const host = f.temporary('i32');
    const entry = this.let(linear.wrap().shrU(7).and((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).add(Value.local(locals.tlb, 'i32')));
    const last = size === 1 ? linear : linear.add(size - 1);
    const tag = last.and(~0xfffn).or(Value.local(locals.generation, 'i64'));
    tag.eq(entry.load('i64', 8, flags & AccessFlag.WRITE ? 8 : 0)).emit(f);
    f.if();
    this.set(host, linear.wrap().add(entry.load('i32', 4, 16)));
    f.else();
    this.set(host, Value.call(this.functions.reach, 'i32', CPU, linear.wrap(), linear.shrU(32).wrap(), Value.i32(flags | size), this.budget.add(this.ahead - 1)));
    this.leave(Value.local(host, 'i32').eqz());
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
    if (this.isGpr(offset)) throw new Error('A general-purpose register of a region has no address.');
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

  /** Whether the instruction's operands alone tell its flags. */
  exactFlags = true;
  private flags: Flags = { state: 'unknown' };

  /** Code comes together here: what is known of the flags holds no more. */
  forgetFlags(): void {
    this.flags = { state: 'unknown' };
  }
  override deferFlags(operation: 'add' | 'sub' | 'logic', a: Value, b: Value, r: Value): boolean {
    const { locals, size } = this;
    if (operation === 'logic') {
      this.set(locals.aux, Value.i32(0));
      this.set(locals.kind, Value.i32(0));
      this.flags = { state: 'logic' };
    } else {
      this.set(locals.a, a.extendU());
      this.set(locals.b, b.extendU());
      this.set(locals.kind, Value.i32((operation === 'add' ? Kept.ADD : Kept.SUB) | (31 - Math.clz32(size))));
      this.flags = { state: 'kept', operation, size, exact: this.exactFlags, carry: false };
    }
    this.set(locals.res, this.signed64(r));
    return true;
  }
  override deferCarry(cf: Value): boolean {
    const { flags, locals } = this;
    if (flags.state !== 'kept') return false;
    this.set(locals.cf, cf);
    this.set(locals.kind, Value.i32((flags.operation === 'add' ? Kept.ADD : Kept.SUB) | Kept.CARRY | (31 - Math.clz32(flags.size))));
    this.flags = { ...flags, carry: true };
    return true;
  }
  override directCondition(cc: number): Value | undefined {
    const { flags, locals } = this;
    if (flags.state === 'unknown') return cc === Condition.B ? this.unknownCarry() : undefined;
    if (flags.state === 'settled') return undefined;
    const res = Value.local(locals.res, 'i64');
    if (cc === Condition.E) return res.eqz();
    if (cc === Condition.S) return res.ltS(0n);
    if (flags.state === 'logic') {
      if (cc === Condition.O || cc === Condition.B) return Value.i32(0);
      return cc === Condition.BE ? res.eqz() : cc === Condition.L ? res.ltS(0n) : cc === Condition.LE ? res.leS(0n) : undefined;
    }
    if (flags.carry && cc === Condition.B) return Value.local(locals.cf, 'i32');
    if (!flags.exact) return undefined;
    const { size } = flags;
    const part = (local: number): Value => (size === 8 ? Value.local(local, 'i64') : Value.local(local, 'i64').wrap());
    const [a, b] = [part(locals.a), part(locals.b)];
    if (flags.operation === 'add') {
      if (cc !== Condition.B || size < 4) return undefined;
      return (size === 8 ? res : res.wrap()).ltU(a);
    }
    if (!flags.carry && cc === Condition.B) return a.ltU(b);
    if (!flags.carry && cc === Condition.BE) return a.leU(b);
    const signed = (v: Value): Value => (size < 4 ? v.signExtend(size) : v);
    if (cc === Condition.L) return signed(a).ltS(signed(b));
    if (cc === Condition.LE) return signed(a).leS(signed(b));
    return undefined;
  }
  /** CF where code comes together: INC and DEC in a loop keep it and nothing else. */
  private unknownCarry(): Value {
    const { f, locals } = this;
    const found = f.temporary('i32');
    const kind = Value.local(locals.kind, 'i32');
    kind.and(Kept.CARRY).emit(f);
    f.if();
    this.set(found, Value.local(locals.cf, 'i32'));
    f.else();
    this.set(found, Value.local(locals.aux, 'i32').shrU(31));
    this.when(kind, () => this.set(found, this.callAux().shrU(31)));
    f.end();
    return Value.local(found, 'i32');
  }
  private callAux(): Value {
    const { locals } = this;
    return this.functions.call(keptAux, Value.local(locals.kind, 'i32'), Value.local(locals.a, 'i64'), Value.local(locals.b, 'i64'), Value.local(locals.res, 'i64'), Value.local(locals.cf, 'i32'));
  }
  /** Makes `aux` valid. */
  settleFlags(): void {
    const { flags, locals } = this;
    if (flags.state === 'settled' || flags.state === 'logic') return;
    this.flags = { state: 'settled' };
    if (flags.state === 'unknown') {
      this.when(Value.local(locals.kind, 'i32'), () => {
        this.set(locals.aux, this.callAux());
        this.set(locals.kind, Value.i32(0));
      });
      return;
    }
    const [a, b, res] = [Value.local(locals.a, 'i64'), Value.local(locals.b, 'i64'), Value.local(locals.res, 'i64')];
    const { size } = flags;
    const carries = flags.operation === 'add' ? carriesOfAdd(a, b, res) : carriesOfSub(a, b, res);
    const aux = this.let(auxOfCarries(this.let(size === 8 ? carries : carries.wrap()), size));
    this.set(locals.aux, flags.carry ? withCarry(aux, Value.local(locals.cf, 'i32')) : aux);
    this.set(locals.kind, Value.i32(0));
  }
  res(): Value {
    return Value.local(this.locals.res, 'i64');
  }
  aux(): Value {
    this.settleFlags();
    return Value.local(this.locals.aux, 'i32');
  }
  setRes(value: Value): void {
    if (this.flags.state !== 'settled') this.settleFlags(); // kept operands go together with their result
    this.set(this.locals.res, value);
    this.flags = { state: 'settled' };
  }
  setAux(value: Value): void {
    this.set(this.locals.aux, value);
    this.set(this.locals.kind, Value.i32(0));
    this.flags = { state: 'settled' };
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

  // Control.

  ripBase(): Value {
    return Value.local(this.locals.ripBase, 'i64');
  }
  nextRip(): Value {
    return this.ripBase().add(this.u16(Field.NEXT));
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
    return CPU.load('i64', 8, Offset.SP_MASK);
  }
  stackLinear(offset: Value, size: number, write: boolean): Value {
    if (this.longStack) return offset;
    const within = this.let(offset.and(this.stackMask()));
    this.when(CPU.load('i32', 4, SS_CACHE + Segment.FLAT).eqz(), () => {
      const flags = Value.i32(size | (write ? AccessFlag.WRITE : 0));
      this.leave(Value.call(this.functions.checkSegment, 'i32', CPU, Value.i32(Seg.SS), within.wrap(), flags).eqz());
    });
    return within.add(CPU.load('i64', 8, SS_CACHE + Segment.BASE)).and(0xffff_ffffn);
  }

}
