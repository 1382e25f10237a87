/** The emitter of the interpreter: operands come from the decoded record at run time. */
import { AccessFlag } from '../accessFlags';
import type { FunctionBuilder, Label, ValueType } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { type CallRoutine, Emitter, type Routine, typeOf } from '../isa/emitter';
import { Vector } from '../fault';
import { Offset, PRIVILEGE_STRIDE, Privileged, Segment, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../state';
import { SS_CACHE } from './flatSegments';
import { RECORDS_BASE } from './layout';
import { Exit, Field, RECORD_SIZE } from './record';

/** Indices of the functions that handlers call. */
export interface HelperFunctions {
  /** (cpu, low, high, flags, budget) -> host address: the TLB miss. */
  access: number;
  /** (cpu, linear i64, flags, budget) -> host address with the hit test, per direction and width. */
  translate: Record<string, number>;
  /** (cpu) */
  commit: number;
  /** (cpu, port, size, budget) -> value, and (cpu, port, size, value, budget). */
  portIn: number;
  portOut: number;
  /** (cpu, low, high) */
  invalidatePage: number;
  /** (cpu, rip i64) -> record or 0 with RIP stored. */
  lookup: number;
  /** Type of a region's function: (cpu, entry) -> Left. */
  regionType: number;
  /** (cpu, segment, offset, flags) -> 0 with the fault filled. */
  checkSegment: number;
  /** Calls a routine; it is added to the module when it is first called. */
  call: CallRoutine;
}

/** Locals of the interpreter function. */
export interface Locals {
  cpu: number;
  record: number;
  budget: number;
  res: number;
  aux: number;
  exitCode: number;
  /** The selected TLB bank and its generation: they change outside generated code and by `changePrivilege`. */
  tlb: number;
  generation: number;
}

export class InterpreterEmitter extends Emitter {
  readonly cpu: Value;
  readonly record: Value;
  readonly budget: Value;
  /** Top of the interpreter's loop, and the exit behind it; set by the generator. */
  loopLabel: Label = 0;
  exitLabel: Label = 0;
  /** Leaves with Exit.SLOW. */
  slowLabel: Label = 0;

  constructor(
    f: FunctionBuilder,
    private readonly helpers: HelperFunctions,
    readonly locals: Locals,
  ) {
    super(f);
    this.cpu = Value.local(locals.cpu, 'i32');
    this.record = Value.local(locals.record, 'i32');
    this.budget = Value.local(locals.budget, 'i32');
  }

  set(local: number, value: Value): void {
    value.emit(this.f);
    this.f.set(local);
  }
  field(offset: number, size: number, type: ValueType = 'i32', signed = false): Value {
    return this.record.load(type, size, offset, signed);
  }
  /** Leaves the interpreter; `retired` false gives the instruction's count back. */
  exit(code: number, retired: boolean): void {
    if (!retired) this.set(this.locals.budget, this.budget.add(1));
    this.set(this.locals.exitCode, Value.i32(code));
    this.f.branch(this.exitLabel);
  }
  goTo(record: Value): void {
    this.set(this.locals.record, record);
    this.f.branch(this.loopLabel);
  }
  goOn(): void {
    this.goTo(this.record.add(RECORD_SIZE));
  }
  /** Gives the count back that a record took which is no instruction. */
  uncount(): void {
    this.set(this.locals.budget, this.budget.add(1));
  }
  when(condition: Value, then: () => void): void {
    condition.emit(this.f);
    this.f.if();
    then();
    this.f.end();
  }

  /** What a region's function takes over and hands back. */
  storeProgress(): void {
    this.cpu.store(this.f, this.res(), 8, Offset.RES);
    this.cpu.store(this.f, this.aux(), 4, Offset.AUX);
    this.cpu.store(this.f, this.budget, 4, Offset.BUDGET);
  }
  loadProgress(): void {
    this.set(this.locals.res, this.cpu.load('i64', 8, Offset.RES));
    this.set(this.locals.aux, this.cpu.load('i32', 4, Offset.AUX));
    this.set(this.locals.budget, this.cpu.load('i32', 4, Offset.BUDGET));
  }

  fixed(n: number): Value {
    return this.cpu.load('i64', 8, Offset.GPR + n * 8);
  }
  setFixed(n: number, value: Value): void {
    this.cpu.store(this.f, value, 8, Offset.GPR + n * 8);
  }

  private registerAddress(operand: number): Value {
    return this.field(Field.REGISTER + operand * 2, 2).add(this.cpu);
  }
  private isMemory(operand: number): boolean {
    return this.form[operand] === 'm';
  }

  read(operand: number, size: number = this.size): Value {
    switch (this.form[operand]) {
      case 'r':
      case 'x':
      case 's':
        return this.let(this.registerAddress(operand).load(typeOf(size), size));
      case 'i':
        if (size === 8 && this.form.includes('m')) return this.let(this.field(Field.IMMEDIATE, 4, 'i64', true));
        return this.let(this.field(Field.IMMEDIATE, size, typeOf(size)));
      case 'm':
        return this.load(this.let(this.address()), size);
    }
    throw new Error(`Operand ${operand} of form "${this.form}" cannot be read.`);
  }
  write(operand: number, value: Value, size: number = this.size): void {
    if (this.isMemory(operand)) return this.store(this.let(this.address()), value, size);
    const wide = size === 4;
    this.registerAddress(operand).store(this.f, wide ? value.extendU() : value, wide ? 8 : size);
  }
  effectiveAddress(displacement = this.field(Field.DISPLACEMENT, 4, 'i64', true)): Value {
    const register = (field: number): Value => this.field(field, 2).add(this.cpu).load('i64', 8);
    const scaled = register(Field.INDEX).shl(this.field(Field.SCALE, 1, 'i64'));
    return register(Field.BASE).add(displacement).add(scaled);
  }

  /** Translates by the helper, for accesses that are not worth their own copy of the hit test. */
  private translate(linear: Value, size: number, flags: number): Value {
    const helper = this.helpers.translate[(flags & AccessFlag.WRITE ? 'w' : 'r') + size]!;
    return this.let(Value.call(helper, 'i32', this.cpu, linear, Value.i32(flags | size), this.budget));
  }
  /**
   * Translates and uses the host address. Up to 8 bytes the hit test is inline: one comparison tells that the TLB has the
   * page and that the access does not cross into another. `slow` uses may be of the scratch bytes; a fault has left
   * before them.
   */
  private access(linear: Value, size: number, flags: number, use: (host: Value, slow: boolean) => void): void {
    const faultWhenZero = (host: Value): void => this.when(host.eqz(), () => this.exit(Exit.FAULT, false));
    if (size > 8) {
      const host = this.translate(linear, size, flags);
      faultWhenZero(host);
      use(host, true);
      return;
    }
    const entry = this.let(linear.wrap().shrU(7).and((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).add(Value.local(this.locals.tlb, 'i32')));
    const last = size === 1 ? linear : linear.add(size - 1);
    const tag = last.and(~0xfffn).or(Value.local(this.locals.generation, 'i64'));
    tag.eq(entry.load('i64', 8, flags & AccessFlag.WRITE ? 8 : 0)).emit(this.f);
    this.f.if();
    use(this.let(linear.wrap().add(entry.load('i32', 4, 16))), false);
    this.f.else();
    const miss = Value.call(this.helpers.access, 'i32', this.cpu, linear.wrap(), linear.shrU(32).wrap(), Value.i32(flags | size), this.budget);
    const host = this.let(miss);
    faultWhenZero(host);
    use(host, true);
    this.f.end();
  }
  /** After a device was reached: stop behind this instruction if it asked for that. */
  private stopIfCut(): void {
    this.when(this.cpu.load('i32', 4, Offset.CUT).eq(1), () => {
      this.cpu.store(this.f, Value.i32(2), 4, Offset.CUT);
      this.cpu.store(this.f, this.budget, 4, Offset.CUT_BUDGET);
      this.set(this.locals.budget, Value.i32(0));
    });
  }
  /** Puts what was written to the scratch bytes where it belongs. A host address below the records is no RAM. */
  private commitScratch(host: Value): void {
    this.when(host.ltU(RECORDS_BASE), () => {
      this.cpu.emit(this.f);
      this.f.call(this.helpers.commit);
      this.stopIfCut();
    });
  }
  load(linear: Value, size: number, flags = 0): Value {
    const result = this.f.temporary(typeOf(size));
    this.access(linear, size, flags, (host, slow) => {
      this.set(result, host.load(typeOf(size), size));
      if (slow) this.stopIfCut();
    });
    return Value.local(result, typeOf(size));
  }
  store(linear: Value, value: Value, size: number, flags = 0): void {
    this.access(linear, size, flags | AccessFlag.WRITE, (host, slow) => {
      host.store(this.f, value, size);
      if (slow) this.commitScratch(host);
    });
  }
  modifyAt(linear: Value, compute: (old: Value) => Value, size: number): Value {
    const at = this.f.temporary('i32');
    const host = Value.local(at, 'i32');
    this.access(linear, size, AccessFlag.WRITE | AccessFlag.RMW, (found) => this.set(at, found));
    const result = this.let(compute(this.let(host.load(typeOf(size), size))));
    host.store(this.f, result, size);
    this.commitScratch(host);
    return result;
  }

  res(): Value {
    return Value.local(this.locals.res, 'i64');
  }
  aux(): Value {
    return Value.local(this.locals.aux, 'i32');
  }
  setRes(value: Value): void {
    this.set(this.locals.res, value);
  }
  setAux(value: Value): void {
    this.set(this.locals.aux, value);
  }
  otherFlags(): Value {
    return this.cpu.load('i32', 4, Offset.FLAGS);
  }
  setOtherFlags(value: Value): void {
    this.cpu.store(this.f, value, 4, Offset.FLAGS);
  }

  stateWord(offset: number): Value {
    return this.cpu.load('i32', 4, offset);
  }

  state(): Value {
    return this.cpu;
  }
  clock(): Value {
    return this.cpu.load('i64', 8, Offset.SLICE_END).sub(this.budget.add(1).extendU());
  }
  rip(): Value {
    return this.ripBase().add(this.field(Field.OFFSET, 2, 'i64'));
  }
  /** The clock that a device sees is the one before the instruction: its count is given back for the call. */
  portIn(port: Value): Value {
    const value = this.f.temporary('i32');
    const ask = (): void => {
      this.set(value, Value.call(this.helpers.portIn, 'i32', this.cpu, port, Value.i32(this.size), this.budget.add(1)));
      this.stopIfCut();
    };
    if (this.size !== 1) ask();
    else {
      this.answerIsKept(port).emit(this.f);
      this.f.if();
      this.set(value, this.keptAnswer());
      this.f.else();
      ask();
      this.f.end();
    }
    return Value.local(value, 'i32');
  }
  portOut(port: Value, value: Value): void {
    for (const argument of [this.cpu, port, Value.i32(this.size), value, this.budget.add(1)]) argument.emit(this.f);
    this.f.call(this.helpers.portOut);
    this.stopIfCut();
  }
  invalidatePage(linear: Value): void {
    for (const argument of [this.cpu, linear.wrap(), linear.shrU(32).wrap()]) argument.emit(this.f);
    this.f.call(this.helpers.invalidatePage);
    this.stopIfCut();
  }

  ripBase(): Value {
    return this.cpu.load('i64', 8, Offset.RIP_BASE);
  }
  nextRip(): Value {
    return this.rip().add(this.field(Field.LENGTH, 1, 'i64'));
  }
  jump(condition?: Value): void {
    const go = (): void => {
      const link = this.let(this.field(Field.LINK, 4));
      this.when(link, () => this.goTo(link));
      const target = this.ripBase().add(this.field(Field.IMMEDIATE, 8, 'i64'));
      this.jumpTo(this.let(this.size === 8 ? target : target.and(this.size === 4 ? 0xffff_ffffn : 0xffffn)));
    };
    if (condition) this.when(condition, go);
    else go();
  }
  jumpTo(rip: Value): void {
    const found = this.let(Value.call(this.helpers.lookup, 'i32', this.cpu, rip));
    this.when(found, () => this.goTo(found));
    this.exit(Exit.LOOKUP, true);
  }
  raise(vector: number, condition?: Value): void {
    if (vector !== Vector.DE || !condition) throw new Error('Generated code raises #DE only; other exceptions come from TypeScript.');
    this.when(condition, () => this.exit(Exit.DIVIDE, false));
  }
  leave(condition: Value): void {
    condition.emit(this.f);
    this.f.branchIf(this.slowLabel);
  }
  changePrivilege(level: Value): void {
    const from = this.let(this.cpu.add(level.and(1).mul(PRIVILEGE_STRIDE)));
    this.cpu.store(this.f, from.load('i64', 8, Offset.PRIVILEGES + Privileged.TLB_BASE), 8, Offset.TLB_BASE);
    this.cpu.store(this.f, from.load('i64', 8, Offset.PRIVILEGES + Privileged.GENERATION), 8, Offset.GENERATION);
    this.cpu.store(this.f, from.load('i32', 4, Offset.PRIVILEGES + Privileged.PERMITTED), 4, Offset.PERMITTED);
    this.cpu.store(this.f, level, 4, Offset.CPL);
    this.loadTranslations();
  }
  /** Takes over which TLB bank is in use, and its generation. */
  loadTranslations(): void {
    this.set(this.locals.tlb, this.cpu.load('i32', 4, Offset.TLB_BASE));
    this.set(this.locals.generation, this.cpu.load('i64', 8, Offset.GENERATION));
  }

  requireSimd(levels: Value): void {
    this.leave(this.stateWord(Offset.SIMD_DISABLED).and(levels));
  }
  vector(operand: number): Value {
    return this.let(this.registerAddress(operand).load('v128', 16));
  }
  setVector(operand: number, value: Value): void {
    this.registerAddress(operand).store(this.f, value, 16);
  }
  registerHost(operand: number): Value {
    return this.let(this.registerAddress(operand));
  }
  stateHost(): Value {
    return this.cpu;
  }
  requireAligned(linear: Value): void {
    this.leave(linear.wrap().and(15));
  }
  call(routine: Routine, ...args: Value[]): Value {
    return this.helpers.call(routine, ...args);
  }

  stackMask(): Value {
    return this.cpu.load('i64', 8, Offset.SP_MASK);
  }
  stackLinear(offset: Value, size: number, write: boolean): Value {
    if (this.longStack) return offset;
    const within = this.let(offset.and(this.stackMask()));
    this.when(this.cpu.load('i32', 4, SS_CACHE + Segment.FLAT).eqz(), () => {
      const flags = Value.i32(size | (write ? AccessFlag.WRITE : 0));
      this.when(Value.call(this.helpers.checkSegment, 'i32', this.cpu, Value.i32(SS_CACHE), within.wrap(), flags).eqz(), () => this.exit(Exit.FAULT, false));
    });
    return within.add(this.cpu.load('i64', 8, SS_CACHE + Segment.BASE)).and(0xffff_ffffn);
  }
}
