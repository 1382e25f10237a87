/**
 * Expressions. A Value is a tree that leaves one value on the stack when it is emitted; integers read like arithmetic:
 * `a.add(b).and(0xff)`; what floating-point numbers and vectors do is in operation.ts. A tree is emitted as often as it is used, so what is used twice goes into a local first.
 */
import type { FunctionBuilder, ValueType } from './function';

export type Operand = Value | number | bigint;

/** Opcodes of the two integer types, side by side. */
const BINARY = {
  add: [0x6a, 0x7c],
  sub: [0x6b, 0x7d],
  mul: [0x6c, 0x7e],
  divS: [0x6d, 0x7f],
  divU: [0x6e, 0x80],
  remS: [0x6f, 0x81],
  remU: [0x70, 0x82],
  and: [0x71, 0x83],
  or: [0x72, 0x84],
  xor: [0x73, 0x85],
  shl: [0x74, 0x86],
  shrS: [0x75, 0x87],
  shrU: [0x76, 0x88],
  rotl: [0x77, 0x89],
  rotr: [0x78, 0x8a],
} as const;
const COMPARE = {
  eq: [0x46, 0x51],
  ne: [0x47, 0x52],
  ltS: [0x48, 0x53],
  ltU: [0x49, 0x54],
  gtS: [0x4a, 0x55],
  gtU: [0x4b, 0x56],
  leS: [0x4c, 0x57],
  leU: [0x4d, 0x58],
  geS: [0x4e, 0x59],
  geU: [0x4f, 0x5a],
} as const;
const UNARY = { clz: [0x67, 0x79], ctz: [0x68, 0x7a], popcnt: [0x69, 0x7b] } as const;

const LOAD: Record<string, number> = {
  i32_1u: 0x2d, i32_1s: 0x2c, i32_2u: 0x2f, i32_2s: 0x2e, i32_4u: 0x28, i32_4s: 0x28,
  i64_1u: 0x31, i64_1s: 0x30, i64_2u: 0x33, i64_2s: 0x32, i64_4u: 0x35, i64_4s: 0x34, i64_8u: 0x29, i64_8s: 0x29,
  f32_4u: 0x2a, f64_8u: 0x2b,
};
const STORE: Record<string, number> = { i32_1: 0x3a, i32_2: 0x3b, i32_4: 0x36, i64_1: 0x3c, i64_2: 0x3d, i64_4: 0x3e, i64_8: 0x37, f32_4: 0x38, f64_8: 0x39 };
/** Opcodes of v128.load and v128.store. */
const VECTOR_LOAD = 0;
const VECTOR_STORE = 11;

export class Value {
  constructor(
    readonly type: ValueType,
    readonly emit: (f: FunctionBuilder) => void,
  ) {}

  static i32(value: number): Value {
    return new Value('i32', (f) => f.i32(value));
  }
  static i64(value: bigint | number): Value {
    return new Value('i64', (f) => f.i64(BigInt(value)));
  }
  static local(index: number, type: ValueType): Value {
    return new Value(type, (f) => f.get(index));
  }
  static call(index: number, type: ValueType, ...args: Value[]): Value {
    return new Value(type, (f) => {
      for (const a of args) a.emit(f);
      f.call(index);
    });
  }
  /** `condition` (i32) not 0 ? yes : no; both are evaluated. */
  static select(condition: Value, yes: Value, no: Value): Value {
    return new Value(yes.type, (f) => {
      yes.emit(f);
      no.emit(f);
      condition.emit(f);
      f.op(0x1b);
    });
  }

  /** Loads `size` bytes at this i32 address. */
  load(type: ValueType, size: number, offset = 0, signed = false): Value {
    const opcode = LOAD[`${type}_${size}${signed ? 's' : 'u'}`]!;
    return new Value(type, (f) => {
      this.emit(f);
      if (type === 'v128') f.simdMemory(VECTOR_LOAD, offset);
      else f.memory(opcode, offset);
    });
  }
  /** Emits a store of the low `size` bytes of `value` at this i32 address. */
  store(f: FunctionBuilder, value: Value, size: number, offset = 0): void {
    this.emit(f);
    value.emit(f);
    if (value.type === 'v128') f.simdMemory(VECTOR_STORE, offset);
    else f.memory(STORE[`${value.type}_${size}`]!, offset);
  }

  private constant(b: Operand): Value {
    if (b instanceof Value) return b;
    return this.type === 'i32' ? Value.i32(Number(b)) : Value.i64(b);
  }
  private two(opcodes: readonly [number, number], b: Operand, result: ValueType): Value {
    const right = this.constant(b);
    const opcode = opcodes[this.type === 'i32' ? 0 : 1];
    return new Value(result, (f) => {
      this.emit(f);
      right.emit(f);
      f.op(opcode);
    });
  }
  private one(opcode: number, result: ValueType): Value {
    return new Value(result, (f) => {
      this.emit(f);
      f.op(opcode);
    });
  }

  add(b: Operand): Value { return this.two(BINARY.add, b, this.type); }
  sub(b: Operand): Value { return this.two(BINARY.sub, b, this.type); }
  mul(b: Operand): Value { return this.two(BINARY.mul, b, this.type); }
  divS(b: Operand): Value { return this.two(BINARY.divS, b, this.type); }
  divU(b: Operand): Value { return this.two(BINARY.divU, b, this.type); }
  remS(b: Operand): Value { return this.two(BINARY.remS, b, this.type); }
  remU(b: Operand): Value { return this.two(BINARY.remU, b, this.type); }
  and(b: Operand): Value { return this.two(BINARY.and, b, this.type); }
  or(b: Operand): Value { return this.two(BINARY.or, b, this.type); }
  xor(b: Operand): Value { return this.two(BINARY.xor, b, this.type); }
  shl(b: Operand): Value { return this.two(BINARY.shl, b, this.type); }
  shrS(b: Operand): Value { return this.two(BINARY.shrS, b, this.type); }
  shrU(b: Operand): Value { return this.two(BINARY.shrU, b, this.type); }
  rotl(b: Operand): Value { return this.two(BINARY.rotl, b, this.type); }
  rotr(b: Operand): Value { return this.two(BINARY.rotr, b, this.type); }
  eq(b: Operand): Value { return this.two(COMPARE.eq, b, 'i32'); }
  ne(b: Operand): Value { return this.two(COMPARE.ne, b, 'i32'); }
  ltS(b: Operand): Value { return this.two(COMPARE.ltS, b, 'i32'); }
  ltU(b: Operand): Value { return this.two(COMPARE.ltU, b, 'i32'); }
  gtS(b: Operand): Value { return this.two(COMPARE.gtS, b, 'i32'); }
  gtU(b: Operand): Value { return this.two(COMPARE.gtU, b, 'i32'); }
  leS(b: Operand): Value { return this.two(COMPARE.leS, b, 'i32'); }
  leU(b: Operand): Value { return this.two(COMPARE.leU, b, 'i32'); }
  geS(b: Operand): Value { return this.two(COMPARE.geS, b, 'i32'); }
  geU(b: Operand): Value { return this.two(COMPARE.geU, b, 'i32'); }
  clz(): Value { return this.one(UNARY.clz[this.type === 'i32' ? 0 : 1], this.type); }
  ctz(): Value { return this.one(UNARY.ctz[this.type === 'i32' ? 0 : 1], this.type); }
  popcnt(): Value { return this.one(UNARY.popcnt[this.type === 'i32' ? 0 : 1], this.type); }
  eqz(): Value { return this.one(this.type === 'i32' ? 0x45 : 0x50, 'i32'); }
  not(): Value { return this.xor(-1); }

  /** i64 to i32: the low half. An i32 stays what it is. */
  wrap(): Value { return this.type === 'i32' ? this : this.one(0xa7, 'i32'); }
  /** i32 to i64, zero-extended. An i64 stays what it is. */
  extendU(): Value { return this.type === 'i64' ? this : this.one(0xad, 'i64'); }
  /** i32 to i64, sign-extended. An i64 stays what it is. */
  extendS(): Value { return this.type === 'i64' ? this : this.one(0xac, 'i64'); }
  /** Sign-extends the low `size` bytes within the type. */
  signExtend(size: number): Value {
    if (this.type === 'i32') return size === 4 ? this : this.one(size === 1 ? 0xc0 : 0xc1, 'i32');
    return size === 8 ? this : this.one(size === 1 ? 0xc2 : size === 2 ? 0xc3 : 0xc4, 'i64');
  }
}
