/** Operands in a translated region: what records say is read now, so that registers are locals and numbers are constants. */
import type { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { Emitter, typeOf } from '../isa/emitter';
import { GPR_COUNT, gprAt, type MemoryViews, Offset } from '../state';
import { type AddressedBy, addressedBy } from './lastPages';
import { Field } from './record';

/** Address of the processor's state: the first parameter of a region's function. */
export const CPU = Value.local(0, 'i32');

export abstract class TranslatorOperands extends Emitter {
  private readonly registers: number[] = [];
  /** General-purpose registers that the region reads or writes, and those that it writes, as bits. */
  private used = 0;
  private written = 0;
  /** Record of the instruction at hand. */
  protected record = 0;
  /** By what its memory is addressed; what an ADDRESS record tells stays for the instruction's own. */
  protected addressing: AddressedBy;
  /** And what is added to that; undefined where no operand tells the address. */
  protected displacement: bigint | undefined;
  /** RIP of byte 0 of the page, and what an ADDRESS record has computed. */
  protected readonly ripBaseLocal: number;
  protected readonly effectiveLocal: number;

  constructor(
    f: FunctionBuilder,
    protected readonly views: MemoryViews,
  ) {
    super(f);
    for (let n = 0; n < GPR_COUNT; n++) this.registers.push(f.local('i64'));
    this.ripBaseLocal = f.local('i64');
    this.effectiveLocal = f.local('i64');
  }

  /** The first record of an instruction. */
  begin(record: number): void {
    this.addressing = undefined;
    this.displacement = undefined;
    this.at(record);
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

  /** What the region reads first: the registers that it uses, into their locals by `load`. */
  protected loadRegisters(load: (local: number, value: Value) => void): void {
    for (let n = 0; n < GPR_COUNT; n++) if ((this.used >> n) & 1) load(this.registers[n]!, CPU.load('i64', 8, Offset.GPR + n * 8));
    load(this.ripBaseLocal, CPU.load('i64', 8, Offset.RIP_BASE));
  }
  protected storeRegisters(): void {
    for (let n = 0; n < GPR_COUNT; n++) if ((this.written >> n) & 1) CPU.store(this.f, Value.local(this.registers[n]!, 'i64'), 8, Offset.GPR + n * 8);
  }

  // Fields of the record.

  protected u8(field: number): number {
    return this.views.u8[this.record + field]!;
  }
  protected u16(field: number): number {
    return this.views.u16[(this.record + field) >>> 1]!;
  }
  protected u32(field: number): number {
    return this.views.u32[(this.record + field) >>> 2]!;
  }
  protected i64(field: number): bigint {
    return (BigInt(this.u32(field + 4) | 0) << 32n) | BigInt(this.u32(field));
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
  /** A u64 of the state by its offset, as address records name it. */
  private stateValue(offset: number): Value {
    const register = gprAt(offset);
    if (register !== undefined) return this.fixed(register);
    switch (offset) {
      case Offset.ZERO:
        return Value.i64(0);
      case Offset.RIP_BASE:
        return Value.local(this.ripBaseLocal, 'i64');
      case Offset.EFFECTIVE_ADDRESS:
        return Value.local(this.effectiveLocal, 'i64');
    }
    throw new Error(`State offset ${offset} is no part of an address.`);
  }
  protected registerOffset(operand: number): number {
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
        const n = gprAt(offset);
        if (n === undefined) return this.let(CPU.load(typeOf(size), size, offset));
        const whole = this.fixed(n);
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
    const low = this.u32(Field.IMMEDIATE);
    if (size === 8) return Value.i64(this.form.includes('m') ? low | 0 : this.i64(Field.IMMEDIATE));
    return Value.i32(size === 4 ? low | 0 : size === 2 ? low & 0xffff : low & 0xff);
  }
  write(operand: number, value: Value, size: number = this.size): void {
    if (this.form[operand] === 'm') return this.store(this.let(this.address()), value, size);
    const offset = this.registerOffset(operand);
    const n = gprAt(offset);
    if (n === undefined) return CPU.store(this.f, size === 4 ? value.extendU() : value, size === 4 ? 8 : size, offset);
    if (size >= 4) return this.setFixed(n, value.extendU());
    const shift = (offset & 1) * 8;
    const mask = (size === 1 ? 0xffn : 0xffffn) << BigInt(shift);
    const part = this.narrow(value.wrap(), size).extendU();
    this.setFixed(n, this.fixed(n).and(~mask).or(shift === 0 ? part : part.shl(shift)));
  }

  override addressMoved(bytes: Value): Value {
    const moved = super.addressMoved(bytes);
    this.displacement = undefined;
    return moved;
  }
  effectiveAddress(displacement = BigInt(this.u32(Field.DISPLACEMENT) | 0)): Value {
    const base = this.u16(Field.BASE);
    const index = this.u16(Field.INDEX);
    if (base !== Offset.EFFECTIVE_ADDRESS) {
      this.addressing = addressedBy(this.views, this.record);
      this.displacement = displacement;
    }
    let sum = base === Offset.ZERO ? undefined : this.stateValue(base);
    if (index !== Offset.ZERO) {
      const scale = this.u8(Field.SCALE) & 3;
      const scaled = scale === 0 ? this.stateValue(index) : this.stateValue(index).shl(scale);
      sum = sum ? sum.add(scaled) : scaled;
    }
    if (!sum) return Value.i64(displacement);
    return displacement === 0n ? sum : sum.add(displacement);
  }
}
