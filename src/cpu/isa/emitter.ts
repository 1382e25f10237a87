/**
 * What an instruction's meaning is written against. An emitter turns it into WebAssembly: the interpreter's emitter
 * takes operands from a decoded record, a translator's would take them from the instruction at hand.
 *
 * The order inside every instruction is: read operands (which may fault), compute, store (which may fault), then
 * registers and flags. A fault so leaves the state as it was before the instruction.
 *
 * Values of 1, 2 and 4 bytes are i32, zero-extended; values of 8 bytes are i64.
 */
import { AccessFlag } from '../accessFlags';
import type { FunctionBuilder, ValueType } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { Gpr, PORT_ANSWER, PortAnswer } from '../state';

export type Width = 1 | 2 | 4 | 8 | 16 | 32;
export const typeOf = (size: number): ValueType => (size === 16 ? 'v128' : size === 8 ? 'i64' : 'i32');

/** A function of its own in the generated module, for what is too long to stand in every handler that needs it. */
export interface Routine {
  /** Distinct for every routine. */
  name: string;
  parameters: readonly ValueType[];
  result: ValueType;
  /** Writes the body; `call` calls other routines. */
  build(f: FunctionBuilder, call: CallRoutine): void;
}
export type CallRoutine = (routine: Routine, ...args: Value[]) => Value;

/** Operations whose operands may be kept for their flags. */
export type DeferredOperation = 'add' | 'sub' | 'product' | 'shl' | 'shr' | 'sar';

export abstract class Emitter {
  /** Operand width in bytes of the instruction at hand. */
  size: Width = 4;
  /** One letter per operand: r general-purpose register, x XMM or YMM register, s segment register, m memory, i immediate, d and o destination and origin of a string. */
  form = '';
  /** What else tells handlers of one mnemonic apart: see Semantics.variant. */
  variant = 0;

  constructor(readonly f: FunctionBuilder) {}

  /** Evaluates now and yields the local that holds the value. */
  let(value: Value): Value {
    const local = this.f.temporary(value.type);
    value.emit(this.f);
    this.f.set(local);
    return Value.local(local, value.type);
  }

  /** Bits of the operand width kept, as an i32 operation on a narrower width needs. */
  narrow(value: Value, size: number = this.size): Value {
    return size === 1 ? value.and(0xff) : size === 2 ? value.and(0xffff) : value;
  }
  /** Sign-extends a value of `size` bytes to i64. */
  signed64(value: Value, size: number = this.size): Value {
    if (size === 8) return value;
    return (size === 4 ? value : value.signExtend(size)).extendS();
  }
  /** The most significant bit of a value of `size` bytes, as i32 0 or 1. */
  signBit(value: Value, size: number = this.size): Value {
    return value.shrU(size * 8 - 1).wrap();
  }
  constant(value: number | bigint, size: number = this.size): Value {
    return size === 8 ? Value.i64(value) : Value.i32(Number(value));
  }

  // Registers by fixed number.

  /** A whole general-purpose register, i64. */
  abstract fixed(n: number): Value;
  abstract setFixed(n: number, value: Value): void;
  /** Low part of a fixed register as a value of `size` bytes. */
  fixedPart(n: number, size: number = this.size): Value {
    const whole = this.fixed(n);
    return size === 8 ? whole : this.narrow(whole.wrap(), size);
  }
  /** Writes `size` bytes by the rules of 64-bit mode: 4 bytes clear the upper half, fewer keep the rest. */
  setFixedPart(n: number, value: Value, size: number = this.size): void {
    if (size >= 4) return this.setFixed(n, value.extendU());
    const mask = size === 1 ? 0xffn : 0xffffn;
    this.setFixed(n, this.fixed(n).and(~mask).or(value.extendU().and(mask)));
  }

  // Operands of the instruction, numbered from 0 in the Intel order.

  /** Reads an operand into a local; memory is translated and checked. */
  abstract read(operand: number, size?: number): Value;
  /** Writes an operand. Memory is translated for writing only. */
  abstract write(operand: number, value: Value, size?: number): void;
  /** Reads an operand, computes, writes it back, with one translation. Yields the new value's local. */
  modify(operand: number, compute: (old: Value) => Value, size: number = this.size): Value {
    if (this.form[operand] === 'm') return this.modifyAt(this.let(this.address()), compute, size);
    const result = this.let(compute(this.read(operand, size)));
    this.write(operand, result, size);
    return result;
  }
  /** Linear address of the memory operand, i64. */
  address(): Value {
    return this.effectiveAddress();
  }
  /** The same, moved by as many bytes as a register says. */
  addressMoved(bytes: Value): Value {
    return this.address().add(bytes);
  }
  /** Base + index << scale + displacement without segment, i64 (LEA). */
  abstract effectiveAddress(): Value;
  /** Reads or writes memory at a linear address (i64 local). */
  abstract load(linear: Value, size: number, flags?: number): Value;
  abstract store(linear: Value, value: Value, size: number, flags?: number): void;
  abstract modifyAt(linear: Value, compute: (old: Value) => Value, size: number): Value;

  // SIMD. An XMM operand may also be one that was loaded from memory before: it is read in the same way.

  /** The 16 bytes of an XMM operand, in a local. */
  abstract vector(operand: number): Value;
  /** Writes an XMM register; the upper half of its YMM register stays. */
  abstract setVector(operand: number, value: Value): void;
  /** Host address of a register operand's bytes, i32 in a local: for parts of it and elements by number. */
  abstract registerHost(operand: number): Value;
  /** Host address of the processor's state, i32. */
  abstract stateHost(): Value;
  /** Leaves the instruction (it raises #GP) unless a linear address is a multiple of 16. */
  abstract requireAligned(linear: Value): void;
  /** Calls a routine of the module. */
  abstract call(routine: Routine, ...args: Value[]): Value;

  // Flags (flags.ts): res i64, aux i32.

  abstract res(): Value;
  abstract aux(): Value;
  abstract setRes(value: Value): void;
  abstract setAux(value: Value): void;
  /**
   * The flags of r = a + b, r = a - b (also with carry or borrow), r = a * b (a and b sign-extended) or of a logical result, in
   * whole. An emitter that knows what comes next may keep the operands and work `aux` out when it is asked for: then it returns true.
   */
  deferFlags(_operation: 'add' | 'sub' | 'product' | 'logic', _a: Value, _b: Value, _r: Value): boolean {
    return false;
  }
  /** The same for a shift of `a` by the masked count `n`. `always` says that n is not 0, with which the flags stay. */
  deferShift(_operation: 'shl' | 'shr' | 'sar', _a: Value, _n: Value, _r: Value, _always: boolean): boolean {
    return false;
  }
  /** The same for ROL and ROR, which write CF and OF alone. */
  deferRotation(_right: boolean, _n: Value, _r: Value, _always: boolean): boolean {
    return false;
  }
  /** The same for CF (i32 0 or 1) that replaces the one of kept operands. */
  deferCarry(_cf: Value): boolean {
    return false;
  }
  /** An even condition (of Jcc) straight from kept operands, i32 0 or 1; undefined when `res` and `aux` have to tell. */
  directCondition(_cc: number): Value | undefined {
    return undefined;
  }
  /** An immediate operand's value where the emitter knows it. */
  constantOperand(_operand: number): number | undefined {
    return undefined;
  }
  /** u32 of RFLAGS without the status flags. */
  abstract otherFlags(): Value;
  abstract setOtherFlags(value: Value): void;
  /** A u32 of the processor's state. */
  abstract stateWord(offset: number): Value;
  /** Base address of the processor's state, i32. */
  abstract state(): Value;
  /** Clock before the instruction at hand and its RIP, i64. */
  abstract clock(): Value;
  abstract rip(): Value;

  // Ports: the access, with no check. A value of the operand width.

  abstract portIn(port: Value): Value;
  /** Whether the answer of this 1-byte port is kept and still holds (i32), so that `keptAnswer` is it. Software waits by polling ports. */
  protected answerIsKept(port: Value): Value {
    const holds = this.clock().ltU(this.state().load('i64', 8, PORT_ANSWER + PortAnswer.UNTIL));
    return port.eq(this.state().load('i32', 4, PORT_ANSWER + PortAnswer.PORT)).and(holds);
  }
  protected keptAnswer(): Value {
    return this.state().load('i32', 4, PORT_ANSWER + PortAnswer.VALUE);
  }
  abstract portOut(port: Value, value: Value): void;

  /** Drops the cached translations of the page at a linear address (i64 in a local), which need not be canonical. */
  abstract invalidatePage(linear: Value): void;

  // Control.

  /** RIP of the next instruction, i64. */
  abstract nextRip(): Value;
  /** Goes to the instruction's direct target when `condition` holds (or always). Falls through otherwise. */
  abstract jump(condition?: Value): void;
  /** Goes to an i64 RIP, already masked to the operand size. */
  abstract jumpTo(rip: Value): void;
  /** Raises an exception without error code when the i32 condition holds. */
  abstract raise(vector: number, condition?: Value): void;
  /** Leaves the instruction to its TypeScript operation when the condition holds. */
  abstract leave(condition: Value): void;

  /** Goes on with what Offset.PRIVILEGES has for a privilege level (an i32 in a local, 0 or 3), which can be entered. A jump follows. */
  abstract changePrivilege(level: Value): void;

  // The stack.

  /** True in handlers for 64-bit code: stack pointer of 64 bits, flat stack. */
  get longStack(): boolean {
    return this.variant === 1;
  }
  /** Mask of the stack pointer, i64. */
  abstract stackMask(): Value;
  /** Linear address of SS:offset, checked against the limit. */
  abstract stackLinear(offset: Value, size: number, write: boolean): Value;

  /** The stack pointer after `delta` is added, wrapped as the stack's size asks; i64 local of the whole RSP. */
  movedStack(delta: number | Value): Value {
    const sp = this.fixed(Gpr.RSP);
    if (this.longStack) return this.let(sp.add(delta));
    const mask = this.let(this.stackMask());
    return this.let(sp.and(mask.not()).or(sp.add(delta).and(mask)));
  }
  /** Pushes a value; `beforeCommit` may do what can still fault. */
  push(value: Value, size: number = this.size): void {
    const sp = this.movedStack(-size);
    this.store(this.let(this.stackLinear(sp, size, true)), value, size, AccessFlag.STACK);
    this.setFixed(Gpr.RSP, sp);
  }
  /** Reads the top of the stack; the caller commits by `dropStack`. */
  top(size: number = this.size): Value {
    return this.load(this.let(this.stackLinear(this.let(this.fixed(Gpr.RSP)), size, false)), size, AccessFlag.STACK);
  }
  dropStack(bytes: number | Value): void {
    this.setFixed(Gpr.RSP, this.movedStack(bytes));
  }
}

/** One instruction (or family) of the hot set. */
export interface Semantics {
  /** The decoder's mnemonic. */
  mnemonic: string;
  /** Other mnemonics that mean the same: they share its cases. */
  aliases?: readonly string[];
  /** Operand widths that exist. */
  sizes: readonly Width[];
  /** Operand forms that exist, one letter per operand. */
  forms: readonly string[];
  /**
   * What else chooses a handler: `condition` 0 to 15, `source` the source's width, `stack` 1 in 64-bit code and 0
   * elsewhere, `address` the address size, `string` one of strings.ts's kinds.
   */
  variant?: 'condition' | 'source' | 'stack' | 'address' | 'string';
  /** Values of the variant; 0 alone where there is none. */
  variants?: readonly number[];
  /** Which operand's width is the instruction's; -1 takes the effective operand size; -3 is always 16. 0 when absent. */
  sizeFrom?: number;
  /** Bit of simd/levels.ts: tested before the instruction does anything. */
  simd?: number;
  /** A memory operand 1 is loaded by a record before, and the register form then serves it. */
  stages?: boolean;
  /** With memory and a register index (a bit string): only where neither a segment nor the address size confines the address. */
  bitString?: boolean;
  /** The instruction ends a run: what follows is not executed by falling through. */
  ends?: boolean;
  emit(e: Emitter): void;
}

/** An instruction of the stack's width: 64-bit code moves 8 or 2 bytes (variant 1), other code 4 or 2 (variant 0). */
export const stacked = (s: Omit<Semantics, 'sizes' | 'variant' | 'variants' | 'sizeFrom'>): Semantics[] => [
  { ...s, sizes: [2, 8], variant: 'stack', variants: [1], sizeFrom: -1 },
  { ...s, sizes: [2, 4], variant: 'stack', variants: [0], sizeFrom: -1 },
];
