import { bytesOf, Frame, unsignedOf } from '../frame';
import { Location, Piece, unavailable } from '../location';
import { Reader } from '../reader';
import { frameRegister, REGISTER_NAMES } from '../registers';
import { At, Encoding } from './constants';
import { Die } from './die';
import type { Unit } from './unit';

/** What an expression may ask for besides registers and memory. */
export interface ExpressionContext {
  readonly frame: Pick<Frame, 'register' | 'memory'>;
  readonly machine: 'x86' | 'x86-64';
  readonly addressSize: number;
  /** Canonical frame address of the frame; undefined when the frame cannot be unwound. */
  cfa(): bigint | undefined;
  /** Value of the function's DW_AT_frame_base. */
  frameBase(): bigint | undefined;
  /** The unit the expression is part of; absent in CFI, which needs none. */
  readonly unit?: Unit;
  /** What a register, by the image's number, had when the function was entered; undefined when its caller's debug information does not say. */
  entryRegister?(register: number): bigint | undefined;
  /** What was passed for a parameter of the function, by the DIE that declares it. */
  entryParameter?(declared: Die): bigint | undefined;
  /** Address of the object whose member is asked for (DW_OP_push_object_address). */
  readonly objectAddress?: bigint;
}

/** Ends an evaluation with an answer for the user. */
class Unavailable extends Error {}

const give = (reason: string): never => {
  throw new Unavailable(reason);
};

/** A stack entry: bits of `size` bytes. Untyped entries are of address size and have no sign of their own. */
interface Entry {
  readonly bits: bigint;
  readonly size: number;
  readonly kind: 'generic' | 'signed' | 'unsigned' | 'float';
}

const signedOf = ({ bits, size }: Entry): bigint => BigInt.asIntN(size * 8, bits);

/** Operators take what DWARF says of generic values as signed: division, comparison, arithmetic shift. */
const numberOf = (entry: Entry): bigint => (entry.kind === 'unsigned' ? entry.bits : signedOf(entry));

/** Limit on branches, so that damaged debug information cannot hang the debugger. */
const MAX_OPERATIONS = 100_000;
const MAX_CALL_DEPTH = 16;

const ONLY_THE_CALLER = 'optimized out (only the caller knew it)';

class Machine {
  private stack: Entry[] = [];
  private pieces: Piece[] = [];
  private place: Location | undefined;
  private operations = 0;

  constructor(private readonly context: ExpressionContext) {}

  private push(bits: bigint, size = this.context.addressSize, kind: Entry['kind'] = 'generic'): void {
    this.stack.push({ bits: BigInt.asUintN(size * 8, bits), size, kind });
  }

  private pop(): Entry {
    return this.stack.pop() ?? give('its debug information is damaged (stack underflow)');
  }

  private pick(depth: number): Entry {
    return this.stack[this.stack.length - 1 - depth] ?? give('its debug information is damaged (stack underflow)');
  }

  private register(number: number): bigint {
    const register = frameRegister(number, this.context.machine);
    const value = this.context.frame.register(register);
    return value ?? give(`${REGISTER_NAMES[register] ?? `register ${register}`} is not known in this frame`);
  }

  private memory(address: bigint, size: number): bigint {
    const bytes = this.context.frame.memory(BigInt.asUintN(this.context.addressSize * 8, address), size);
    return bytes ? unsignedOf(bytes) : give(`cannot read memory at 0x${address.toString(16)}`);
  }

  private baseType(offset: number): { size: number; kind: Entry['kind'] } {
    const { unit, addressSize } = this.context;
    if (offset === 0) return { size: addressSize, kind: 'generic' };
    const die: Die | undefined = unit?.dieAt(unit.offset + offset);
    if (!die) return give('its debug information refers to a missing type');
    const encoding = die.number(At.encoding);
    const kind = encoding === Encoding.float ? 'float' : encoding === Encoding.signed || encoding === Encoding.signed_char ? 'signed' : 'unsigned';
    return { size: die.number(At.byte_size) ?? addressSize, kind };
  }

  private binary(operation: (a: Entry, b: Entry) => bigint): void {
    const b = this.pop();
    const a = this.pop();
    if (a.kind === 'float' || b.kind === 'float') give('it is computed in floating point');
    this.push(operation(a, b), a.size, a.kind);
  }

  private compare(operation: (a: bigint, b: bigint) => boolean): void {
    const b = this.pop();
    const a = this.pop();
    if (a.kind === 'float' || b.kind === 'float') give('it is computed in floating point');
    this.push(operation(numberOf(a), numberOf(b)) ? 1n : 0n);
  }

  private convert(entry: Entry, offset: number): void {
    const { size, kind } = this.baseType(offset);
    if ((kind === 'float' || entry.kind === 'float') && (kind !== entry.kind || size !== entry.size)) give('it is computed in floating point');
    this.push(entry.kind === 'signed' ? signedOf(entry) : entry.bits, size, kind);
  }

  private call(die: Die | undefined, depth: number): void {
    const expression = die?.block(At.location);
    if (expression) this.run(expression, depth + 1);
  }

  /** What the stack and the place opcodes have made up to now. */
  private current(): Location {
    const place = this.place;
    this.place = undefined;
    if (place) return place;
    const top = this.stack.pop();
    return top ? { kind: 'memory', address: top.bits } : unavailable('optimized out');
  }

  run(expression: Uint8Array, depth = 0): void {
    if (depth > MAX_CALL_DEPTH) give('its debug information calls itself');
    const { context } = this;
    const reader = new Reader(expression, 'the debug information');
    const size = context.addressSize;
    while (!reader.atEnd) {
      if (++this.operations > MAX_OPERATIONS) give('its debug information never ends');
      const op = reader.u8();
      if (op >= 0x30 && op <= 0x4f) { this.push(BigInt(op - 0x30)); continue; } // DW_OP_lit0 to lit31
      if (op >= 0x50 && op <= 0x6f) { this.setRegister(op - 0x50); continue; } // reg0 to reg31
      if (op >= 0x70 && op <= 0x8f) { this.push(this.register(op - 0x70) + reader.slebBig()); continue; } // breg0 to breg31
      switch (op) {
        case 0x03: this.push(reader.unsigned(size)); break; // addr
        case 0x06: this.push(this.memory(this.pop().bits, size)); break; // deref
        case 0x08: this.push(BigInt(reader.u8())); break; // const1u
        case 0x09: this.push(BigInt(reader.i8())); break; // const1s
        case 0x0a: this.push(BigInt(reader.u16())); break; // const2u
        case 0x0b: this.push(BigInt.asIntN(16, BigInt(reader.u16()))); break; // const2s
        case 0x0c: this.push(BigInt(reader.u32())); break; // const4u
        case 0x0d: this.push(BigInt.asIntN(32, BigInt(reader.u32()))); break; // const4s
        case 0x0e: case 0x0f: this.push(reader.u64()); break; // const8u, const8s
        case 0x10: this.push(reader.ulebBig()); break; // constu
        case 0x11: this.push(reader.slebBig()); break; // consts
        case 0x12: this.stack.push(this.pick(0)); break; // dup
        case 0x13: this.pop(); break; // drop
        case 0x14: this.stack.push(this.pick(1)); break; // over
        case 0x15: this.stack.push(this.pick(reader.u8())); break; // pick
        case 0x16: { // swap
          const [b, a] = [this.pop(), this.pop()];
          this.stack.push(b, a);
          break;
        }
        case 0x17: { // rot
          const [c, b, a] = [this.pop(), this.pop(), this.pop()];
          this.stack.push(c, a, b);
          break;
        }
        case 0x19: { // abs
          const a = this.pop();
          const value = numberOf(a);
          this.push(value < 0n ? -value : value, a.size, a.kind);
          break;
        }
        case 0x1a: this.binary((a, b) => a.bits & b.bits); break; // and
        case 0x1b: this.binary((a, b) => (b.bits === 0n ? give('it divides by zero') : numberOf(a) / numberOf(b))); break; // div
        case 0x1c: this.binary((a, b) => a.bits - b.bits); break; // minus
        case 0x1d: this.binary((a, b) => (b.bits === 0n ? give('it divides by zero') : a.kind === 'signed' ? signedOf(a) % signedOf(b) : a.bits % b.bits)); break; // mod
        case 0x1e: this.binary((a, b) => a.bits * b.bits); break; // mul
        case 0x1f: { // neg
          const a = this.pop();
          this.push(-a.bits, a.size, a.kind);
          break;
        }
        case 0x20: { // not
          const a = this.pop();
          this.push(~a.bits, a.size, a.kind);
          break;
        }
        case 0x21: this.binary((a, b) => a.bits | b.bits); break; // or
        case 0x22: this.binary((a, b) => a.bits + b.bits); break; // plus
        case 0x23: { // plus_uconst
          const a = this.pop();
          this.push(a.bits + reader.ulebBig(), a.size, a.kind);
          break;
        }
        case 0x24: this.binary((a, b) => (b.bits >= BigInt(a.size * 8) ? 0n : a.bits << b.bits)); break; // shl
        case 0x25: this.binary((a, b) => (b.bits >= BigInt(a.size * 8) ? 0n : a.bits >> b.bits)); break; // shr
        case 0x26: this.binary((a, b) => signedOf(a) >> (b.bits >= BigInt(a.size * 8) ? BigInt(a.size * 8 - 1) : b.bits)); break; // shra
        case 0x27: this.binary((a, b) => a.bits ^ b.bits); break; // xor
        case 0x28: { // bra
          const distance = (reader.u16() << 16) >> 16;
          if (this.pop().bits !== 0n) reader.position += distance;
          break;
        }
        case 0x29: this.compare((a, b) => a === b); break; // eq
        case 0x2a: this.compare((a, b) => a >= b); break; // ge
        case 0x2b: this.compare((a, b) => a > b); break; // gt
        case 0x2c: this.compare((a, b) => a <= b); break; // le
        case 0x2d: this.compare((a, b) => a < b); break; // lt
        case 0x2e: this.compare((a, b) => a !== b); break; // ne
        case 0x2f: { // skip
          const distance = (reader.u16() << 16) >> 16;
          reader.position += distance;
          break;
        }
        case 0x90: this.setRegister(reader.uleb()); break; // regx
        case 0x91: { // fbreg
          const offset = reader.slebBig();
          this.push((context.frameBase() ?? give('its frame cannot be found')) + offset);
          break;
        }
        case 0x92: { // bregx
          const register = this.register(reader.uleb());
          this.push(register + reader.slebBig());
          break;
        }
        case 0x93: this.addPiece(reader.uleb() * 8, 0); break; // piece
        case 0x94: this.push(this.memory(this.pop().bits, reader.u8())); break; // deref_size
        case 0x96: break; // nop
        case 0x97: this.push(context.objectAddress ?? give('it depends on the object it is part of')); break; // push_object_address
        case 0x98: this.call(context.unit?.dieAt(context.unit.offset + reader.u16()), depth); break; // call2
        case 0x99: this.call(context.unit?.dieAt(context.unit.offset + reader.u32()), depth); break; // call4
        case 0x9a: this.call(context.unit?.set.dieAt(reader.offset(context.unit.offsetSize)), depth); break; // call_ref
        case 0x9b: case 0xe0: give('it is thread-local'); break; // form_tls_address
        case 0x9c: this.push(context.cfa() ?? give('its frame cannot be found')); break; // call_frame_cfa
        case 0x9d: { // bit_piece
          const bits = reader.uleb();
          this.addPiece(bits, reader.uleb());
          break;
        }
        case 0x9e: this.place = { kind: 'value', bytes: reader.block(reader.uleb()) }; break; // implicit_value
        case 0x9f: { // stack_value
          const top = this.pop();
          this.place = { kind: 'value', bytes: bytesOf(numberOf(top), Math.max(top.size, 8)) };
          break;
        }
        case 0xa0: case 0xf2: give('optimized out (it points to something that has no address)'); break; // implicit_pointer
        case 0xa1: case 0xfb: this.push(this.indexedAddress(reader.uleb())); break; // addrx
        case 0xa2: case 0xfc: this.push(this.indexedAddress(reader.uleb())); break; // constx
        case 0xa3: case 0xf3: this.push(this.entryValue(reader.block(reader.uleb()))); break; // entry_value
        case 0xa4: case 0xf4: { // const_type
          const { size: typeSize, kind } = this.baseType(reader.uleb());
          this.push(unsignedOf(reader.block(reader.u8())), typeSize, kind);
          break;
        }
        case 0xa5: case 0xf5: { // regval_type
          const value = this.register(reader.uleb());
          const { size: typeSize, kind } = this.baseType(reader.uleb());
          this.push(value, typeSize, kind);
          break;
        }
        case 0xa6: case 0xf6: { // deref_type
          const length = reader.u8();
          const { size: typeSize, kind } = this.baseType(reader.uleb());
          this.push(this.memory(this.pop().bits, length), typeSize, kind);
          break;
        }
        case 0xa8: case 0xf7: this.convert(this.pop(), reader.uleb()); break; // convert
        case 0xa9: case 0xf9: { // reinterpret
          const entry = this.pop();
          const { size: typeSize, kind } = this.baseType(reader.uleb());
          this.push(entry.bits, typeSize, kind);
          break;
        }
        case 0xf0: break; // GNU_uninit: the value may be uninitialised
        case 0xfa: { // GNU_parameter_ref
          const declared = context.unit?.dieAt(context.unit.offset + reader.u32());
          this.push((declared && context.entryParameter?.(declared)) ?? give(ONLY_THE_CALLER));
          break;
        }
        case 0xfd: give('optimized out (its length is known only while it runs)'); break; // GNU_variable_value
        default: give(`its debug information uses the unknown operation 0x${op.toString(16)}`);
      }
    }
  }

  private indexedAddress(index: number): bigint {
    return this.context.unit?.indexedAddress(index) ?? give('its debug information refers to a missing address');
  }

  /** What an expression would have yielded when the function was entered: memory may have changed since. */
  private entryValue(expression: Uint8Array): bigint {
    const { context } = this;
    const frame = {
      register: (number: number) => context.entryRegister?.(number),
      memory: () => undefined,
    };
    // The numbers of registers go through as they are: the image's own are what the caller's entries name.
    const entry = new Machine({ ...context, machine: 'x86-64', frame, cfa: () => undefined, frameBase: () => undefined });
    try {
      return entry.value(undefined, expression);
    } catch (error) {
      if (error instanceof Unavailable) return give(ONLY_THE_CALLER);
      throw error;
    }
  }

  private setRegister(number: number): void {
    this.place = { kind: 'register', register: frameRegister(number, this.context.machine), offset: 0 };
  }

  private addPiece(bits: number, bitOffset: number): void {
    this.pieces.push({ location: this.current(), bits, bitOffset });
  }

  location(): Location {
    return this.pieces.length > 0 ? { kind: 'pieces', pieces: this.pieces } : this.current();
  }

  /** The number an expression computes, for frame bases and call frame information. */
  value(initial: bigint | undefined, expression: Uint8Array): bigint {
    if (initial !== undefined) this.push(initial);
    this.run(expression);
    if (this.place?.kind === 'register') return this.context.frame.register(this.place.register) ?? give('its frame cannot be found');
    return this.place?.kind === 'value' ? unsignedOf(this.place.bytes) : this.pop().bits;
  }
}

/** Evaluates a location expression (DWARF 5, "DWARF Expressions"). An empty one means optimised out. */
export const locate = (expression: Uint8Array, context: ExpressionContext): Location => {
  try {
    const machine = new Machine(context);
    machine.run(expression);
    return machine.location();
  } catch (error) {
    if (error instanceof Unavailable) return unavailable(error.message);
    throw error;
  }
};

/** Evaluates an expression that yields a number; undefined when it needs something that is not known. */
export const compute = (expression: Uint8Array, context: ExpressionContext, initial?: bigint): bigint | undefined => {
  try {
    return BigInt.asUintN(context.addressSize * 8, new Machine(context).value(initial, expression));
  } catch (error) {
    if (error instanceof Unavailable) return undefined;
    throw error;
  }
};
