import { hex } from '../base/bits';
import { ExtendedReal } from './extendedReal';
import { bytesOf, Frame, unsignedOf } from './frame';
import { Location, partOf, readLocation, unavailable } from './location';
import { readable } from './rustValues';
import { ArrayType, BaseType, EnumType, Member, sizeOf, stripped, StructType, Type, typeName } from './types';

/** A value the user can look at: a variable, or a part of one. */
export interface Value {
  /** Variable, member, `[3]` for an element, `*p` for what a pointer points to. */
  readonly name: string;
  readonly type: Type;
  readonly location: Location;
  /** A bit-field: bits from bit 0 of the location. */
  readonly bitField?: { readonly offset: number; readonly size: number };
}

/** What values are read through: a frame, or machine memory for globals. */
export type ValueReader = Pick<Frame, 'register' | 'memory'>;

export interface FormatOptions {
  /** 10 by default. Pointers are always hexadecimal. */
  readonly radix?: 10 | 16;
  /** Names an address, such as `vmexit` or `guest_table+96`; undefined for no name. */
  symbol?(address: bigint): string | undefined;
}

/** Strings and summaries are cut here, with an ellipsis. */
const LONGEST_STRING = 200;
const SUMMARY_ITEMS = 10;
const SUMMARY_LENGTH = 160;
const SUMMARY_DEPTH = 2;
/** Bytes; the largest scalar C has is 32 (a complex long double), damaged files may claim anything. */
const LARGEST_SCALAR = 64;

const ESCAPES: Record<number, string> = { 0: '\\0', 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r', 27: '\\e', 92: '\\\\' };

/** A character as C writes it between quotes of a kind. */
export const character = (code: number, quote: string): string => {
  if (String.fromCharCode(code) === quote) return `\\${quote}`;
  return ESCAPES[code] ?? (code >= 32 && code < 127 ? String.fromCharCode(code) : `\\${code.toString(8).padStart(3, '0')}`);
};

/** Whether elements of the type are text. */
const isCharacter = (type: Type): boolean => {
  const bare = stripped(type);
  return bare.kind === 'base' && bare.size === 1 && (bare.encoding === 'signed char' || bare.encoding === 'unsigned char');
};

const isByte = (type: Type): boolean => {
  const bare = stripped(type);
  return bare.kind === 'base' && bare.encoding === 'unsigned char';
};

const quoted = (bytes: Uint8Array, cut: boolean): string => `"${Array.from(bytes, (byte) => character(byte, '"')).join('')}"${cut ? '...' : ''}`;

/** A zero-terminated string in memory, quoted and escaped; undefined when it cannot be read. */
export const readString = (reader: Pick<Frame, 'memory'>, address: bigint, limit = LONGEST_STRING): string | undefined => {
  const bytes: number[] = [];
  while (bytes.length < limit) {
    const at = BigInt.asUintN(64, address + BigInt(bytes.length));
    // Small steps that end at multiples of 16 never touch a page the string does not reach; a file ends anywhere.
    const part = reader.memory(at, Math.min(16 - Number(at & 15n), limit - bytes.length)) ?? reader.memory(at, 1);
    if (!part) return bytes.length > 0 ? quoted(Uint8Array.from(bytes), true) : undefined;
    const end = part.indexOf(0);
    bytes.push(...(end < 0 ? part : part.subarray(0, end)));
    if (end >= 0) return quoted(Uint8Array.from(bytes), false);
  }
  return quoted(Uint8Array.from(bytes), true);
};

/** A number as floating point of 4, 8, 10, 12 or 16 bytes, the last three being x87's format. */
export const encodeReal = (real: number | ExtendedReal, size: number): Uint8Array => {
  if (size > 8) return (real instanceof ExtendedReal ? real : ExtendedReal.of(real)).encode().slice(0, size);
  const number = real instanceof ExtendedReal ? real.toNumber() : real;
  const view = new DataView(new ArrayBuffer(size));
  if (size === 4) view.setFloat32(0, number, true);
  else view.setFloat64(0, number, true);
  return new Uint8Array(view.buffer);
};

/** What a value may be made of: an integer, or floating point. */
export type Numeric = bigint | number | ExtendedReal;

/** The integer that is left of a number without its fraction; undefined for what is none. */
export const truncatedReal = (real: number | ExtendedReal): bigint | undefined => (real instanceof ExtendedReal ? real.truncated() : Number.isFinite(real) ? BigInt(Math.trunc(real)) : undefined);

const decodeReal = (bytes: Uint8Array): number | ExtendedReal => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length === 4 ? view.getFloat32(0, true) : bytes.length === 8 ? view.getFloat64(0, true) : ExtendedReal.decode(bytes);
};

/** A value of floating point, one of x87's format as an ExtendedReal; undefined for all others and for what cannot be read. */
export const realOf = (value: Value, reader: ValueReader): number | ExtendedReal | undefined => {
  const bare = stripped(value.type);
  if (bare.kind !== 'base' || bare.encoding !== 'float' || ![4, 8, 10, 12, 16].includes(bare.size)) return undefined;
  const read = readValue(value, reader);
  return 'reason' in read ? undefined : decodeReal(read.bytes);
};

const float = (bytes: Uint8Array): string => {
  // Neither IEEE's formats nor x87's.
  if (bytes.length !== 4 && bytes.length < 8) return hex(unsignedOf(bytes));
  const number = decodeReal(bytes);
  if (Object.is(number, -0)) return '-0';
  return String(typeof number === 'number' && bytes.length === 4 ? Number(number.toPrecision(9)) : number);
};

/** Real and imaginary part, as C writes them. */
const complex = (bytes: Uint8Array): string => {
  const imaginary = float(bytes.subarray(bytes.length / 2));
  return `${float(bytes.subarray(0, bytes.length / 2))} ${imaginary.startsWith('-') ? '-' : '+'} ${imaginary.replace('-', '')}i`;
};

const integer = (bits: bigint, width: number, signed: boolean, radix: 10 | 16): string => {
  if (radix === 16) return `0x${BigInt.asUintN(width, bits).toString(16)}`;
  return (signed ? BigInt.asIntN(width, bits) : BigInt.asUintN(width, bits)).toString();
};

const enumerated = (type: EnumType, bits: bigint, width: number, radix: 10 | 16): string => {
  const value = type.signed ? BigInt.asIntN(width, bits) : BigInt.asUintN(width, bits);
  const exact = type.enumerators.find((enumerator) => enumerator.value === value);
  if (exact) return exact.name;
  // Distinct single bits are flags: shown as the set of their names.
  const flags = type.enumerators.filter((e) => e.value > 0n && (e.value & (e.value - 1n)) === 0n && (e.value & value) === e.value);
  const covered = flags.reduce((all, flag) => all | flag.value, 0n);
  const number = integer(bits, width, type.signed, radix);
  const isFlagSet = type.enumerators.length > 0 && type.enumerators.every((e) => e.value === 0n || (e.value > 0n && (e.value & (e.value - 1n)) === 0n));
  if (!isFlagSet || value <= 0n || covered === 0n) return number;
  const names = flags.map((flag) => flag.name);
  if (covered === value) return `${names.join(' | ')} (${number})`;
  // Two flags may as well be the first numbers of a list; of more it is clear, and bits without a name are told.
  const count = type.enumerators.filter((e) => e.value > 0n).length;
  return count > 2 ? `${[...names, hex(value & ~covered)].join(' | ')} (${number})` : number;
};

const base = (type: BaseType, bytes: Uint8Array, bits: bigint, width: number, radix: 10 | 16): string => {
  switch (type.encoding) {
    case 'bool': return bits === 0n ? 'false' : bits === 1n ? 'true' : integer(bits, width, false, radix);
    case 'signed char': case 'unsigned char': return `${integer(bits, width, type.encoding === 'signed char', radix)} '${character(Number(bits & 0xffn), "'")}'`;
    case 'float': return float(bytes);
    case 'complex': return complex(bytes);
    case 'character': return `${integer(bits, width, false, radix)} '${bits > 126n && bits < 0x11_0000n && (bits < 0xd800n || bits > 0xdfffn) ? String.fromCodePoint(Number(bits)) : character(Number(bits), "'")}'`;
    case 'other': return `0x${bits.toString(16)}`;
    default: return integer(bits, width, type.encoding === 'signed', radix);
  }
};

const pointer = (target: Type, address: bigint, reader: ValueReader, options: FormatOptions): string => {
  let text = hex(address);
  if (address === 0n) return text;
  const symbol = options.symbol?.(address);
  if (symbol) text += ` <${symbol}>`;
  const string = isCharacter(target) ? readString(reader, address) : undefined;
  return string === undefined ? text : `${text} ${string}`;
};

/** The bytes of a scalar, or why they are not to be had. A bit-field's are shifted into place. */
export const readValue = (value: Value, reader: ValueReader): { bytes: Uint8Array } | { reason: string } => {
  const size = sizeOf(value.type);
  if (size === undefined) return { reason: 'incomplete type' };
  if (size > LARGEST_SCALAR) return { reason: 'too large to be one value' };
  const { bitField } = value;
  if (!bitField) return readLocation(value.location, size, reader);
  const raw = readLocation(value.location, Math.ceil((bitField.offset + bitField.size) / 8), reader);
  if ('reason' in raw) return raw;
  const bits = (unsignedOf(raw.bytes) >> BigInt(bitField.offset)) & ((1n << BigInt(bitField.size)) - 1n);
  return { bytes: bytesOf(bits, size) };
};

/** A struct or array in one line, as far as it fits. */
const summary = (value: Value, reader: ValueReader, options: FormatOptions, depth: number, nameless = stripped(value.type).kind === 'array'): string => {
  if (depth >= SUMMARY_DEPTH) return '{...}';
  const count = childCount(value);
  const parts: string[] = [];
  let length = 0;
  for (const child of children(value, reader, 0, Math.min(count, SUMMARY_ITEMS))) {
    const text = show(child, reader, options, depth + 1);
    const part = nameless || child.name === '' ? text : `${child.name} = ${text}`;
    if (length + part.length > SUMMARY_LENGTH) break;
    length += part.length + 2;
    parts.push(part);
  }
  if (parts.length < count) parts.push('...');
  return `{${parts.join(', ')}}`;
};

/** A struct of Rust as Rust writes it: `Io {port = 1}`, `Gpa(0x1000)`, `(1, 2)`, `Nothing`. */
const rust = (value: Value, type: StructType, reader: ValueReader, options: FormatOptions, depth: number): string => {
  const isTuple = type.members.length > 0 && type.members.every(({ name }) => /^__\d+$/.test(name));
  const name = type.variant ?? (isTuple && !type.name?.startsWith('(') ? (type.name ?? '') : '');
  if (type.members.length === 0) return name === '' ? (type.variants ? '<of no variant>' : '{}') : name;
  const members = summary(value, reader, options, depth, isTuple);
  if (isTuple) return `${name}(${members.slice(1, -1)})`;
  return name === '' ? members : `${name} ${members}`;
};

const text = (type: ArrayType, value: Value, reader: ValueReader): string | undefined => {
  const count = Math.min(type.count ?? 0, LONGEST_STRING);
  const read = readLocation(value.location, count, reader);
  if ('reason' in read) return undefined;
  const end = read.bytes.indexOf(0);
  return quoted(end < 0 ? read.bytes : read.bytes.subarray(0, end), end < 0 && count < (type.count ?? 0));
};

const show = (original: Value, reader: ValueReader, options: FormatOptions, depth: number): string => {
  const value = readable(original, reader);
  const bare = stripped(value.type);
  if (value.location.kind === 'unavailable') return `<${value.location.reason}>`;
  if (bare.kind === 'void') return '<void>';
  if (bare.kind === 'base' && bare.size === 0) return bare.name;
  if (bare.kind === 'function') return value.location.kind === 'memory' ? `{${typeName(bare)}} ${pointer(bare, value.location.address, reader, options)}` : '<function>';
  if (bare.kind === 'struct') return bare.incomplete ? '<incomplete type>' : bare.isRust ? rust(value, bare, reader, options, depth) : summary(value, reader, options, depth);
  if (bare.kind === 'array') {
    if (bare.count === undefined) return value.location.kind === 'memory' ? `${hex(value.location.address)} <length unknown>` : '<length unknown>';
    // Who wants bytes in hexadecimal looks for no text.
    const isText = isCharacter(bare.element) && !(options.radix === 16 && isByte(bare.element));
    return (isText ? text(bare, value, reader) : undefined) ?? summary(value, reader, options, depth);
  }
  const read = readValue(value, reader);
  if ('reason' in read) return `<${read.reason}>`;
  const bits = unsignedOf(read.bytes);
  const width = value.bitField?.size ?? read.bytes.length * 8;
  const radix = options.radix ?? 10;
  switch (bare.kind) {
    case 'pointer': return pointer(bare.target, bits, reader, options);
    case 'enum': return enumerated(bare, bits, width, radix);
    case 'base': return base(bare, read.bytes, bits, width, radix);
  }
};

/** A value as a debugger shows it in one line; `<reason>` where it cannot be read. */
export const formatValue = (value: Value, reader: ValueReader, options: FormatOptions = {}): string => show(value, reader, options, 0);

const isPointee = (type: Type): boolean => {
  const bare = stripped(type);
  return bare.kind !== 'void' && bare.kind !== 'function' && !(bare.kind === 'struct' && bare.incomplete);
};

/** How many children a value (of Rust, a `readable` one) has: members, elements, or 1 for a pointer to an object. */
export const childCount = (value: Value): number => {
  const bare = stripped(value.type);
  if (value.location.kind === 'unavailable') return 0;
  if (bare.kind === 'struct') return bare.members.length;
  if (bare.kind === 'array') return bare.count ?? 0;
  return bare.kind === 'pointer' && isPointee(bare.target) ? 1 : 0;
};

/** Where a virtual base is in an object. */
const virtualBase = (place: NonNullable<Member['placeIn']>, location: Location, reader: ValueReader): Location => {
  if (location.kind === 'unavailable') return location;
  const address = location.kind === 'memory' ? place(location.address, reader) : undefined;
  return address === undefined ? unavailable('the object does not tell where its virtual base is') : { kind: 'memory', address };
};

const memberValue = (type: StructType, index: number, location: Location, reader: ValueReader): Value => {
  const { name, type: its, offset, bitField, placeIn } = type.members[index];
  return { name, type: its, location: placeIn ? virtualBase(placeIn, location, reader) : partOf(location, offset), bitField };
};

/** Children `start` up to `start + count` of a value: members, elements, or what a pointer points to. */
export const children = (original: Value, reader: ValueReader, start = 0, count = Infinity): Value[] => {
  const value = readable(original, reader);
  const bare = stripped(value.type);
  const end = Math.min(childCount(value), start + count);
  const list: Value[] = [];
  if (bare.kind === 'struct') for (let i = start; i < end; i++) list.push(memberValue(bare, i, value.location, reader));
  else if (bare.kind === 'array') {
    const size = sizeOf(bare.element) ?? 0;
    for (let i = start; i < end; i++) list.push({ name: `[${i}]`, type: bare.element, location: partOf(value.location, i * size) });
  } else if (bare.kind === 'pointer' && end > start) {
    const target = dereference(value, reader);
    if (target) list.push(target);
  }
  return list;
};

/** What a pointer points to, undefined when it is null, unreadable, or points to no object. */
export const dereference = (value: Value, reader: ValueReader): Value | undefined => {
  const bare = stripped(value.type);
  if (bare.kind !== 'pointer' || !isPointee(bare.target)) return undefined;
  const read = readValue(value, reader);
  if ('reason' in read) return undefined;
  const address = unsignedOf(read.bytes);
  return address === 0n ? undefined : { name: `*${value.name}`, type: bare.target, location: { kind: 'memory', address } };
};

/** Element `index` of an array, or of what a pointer points to as an array. */
export const elementOf = (original: Value, index: number, reader: ValueReader): Value | undefined => {
  const value = readable(original, reader);
  const bare = stripped(value.type);
  if (bare.kind === 'array') return { name: `[${index}]`, type: bare.element, location: partOf(value.location, index * (sizeOf(bare.element) ?? 0)) };
  const target = dereference(value, reader);
  const size = target && sizeOf(target.type);
  return target && size !== undefined ? { name: `[${index}]`, type: target.type, location: partOf(target.location, index * size) } : undefined;
};

/** A member by name, looking into anonymous structs and unions and through one pointer. */
export const memberOf = (value: Value, name: string, reader: ValueReader): Value | undefined => {
  const bare = stripped(value.type);
  if (bare.kind === 'pointer') {
    const target = dereference(value, reader);
    return target && stripped(target.type).kind === 'struct' ? memberOf(target, name, reader) : undefined;
  }
  const whole = stripped(readable(value, reader).type);
  const struct = whole.kind === 'struct' ? whole : bare;
  if (struct.kind !== 'struct') return undefined;
  for (let i = 0; i < struct.members.length; i++) {
    const member = memberValue(struct, i, value.location, reader);
    if (member.name === name) return member;
    const inner = member.name === '' ? memberOf(member, name, reader) : undefined;
    if (inner) return inner;
  }
  return undefined;
};

/** A scalar as a number (enums and pointers included), undefined for aggregates and floating point. */
export const integerOf = (value: Value, reader: ValueReader): bigint | undefined => {
  const bare = stripped(value.type);
  if (bare.kind !== 'base' && bare.kind !== 'enum' && bare.kind !== 'pointer') return undefined;
  if (bare.kind === 'base' && (bare.encoding === 'float' || bare.encoding === 'complex')) return undefined;
  const read = readValue(value, reader);
  if ('reason' in read) return undefined;
  const bits = unsignedOf(read.bytes);
  const signed = bare.kind === 'enum' ? bare.signed : bare.kind === 'base' && (bare.encoding === 'signed' || bare.encoding === 'signed char');
  return signed ? BigInt.asIntN(value.bitField?.size ?? read.bytes.length * 8, bits) : bits;
};

/**
 * The bytes to store at the value's location to give it a number, or why that cannot be done. A bit-field's bytes keep
 * their neighbours.
 */
export const encodeNumber = (value: Value, number: Numeric, reader: ValueReader): { bytes: Uint8Array } | { reason: string } => {
  const bare = stripped(value.type);
  if (bare.kind !== 'base' && bare.kind !== 'enum' && bare.kind !== 'pointer') return { reason: `a ${typeName(value.type)} cannot be assigned as a whole` };
  if (value.location.kind !== 'memory' && value.location.kind !== 'register') return { reason: 'it has no place of its own to be changed' };
  const size = sizeOf(value.type) ?? 0;
  if (bare.kind === 'base' && bare.encoding === 'float') {
    if (![4, 8, 10, 12, 16].includes(size)) return { reason: `a ${typeName(value.type)} cannot be assigned` };
    return { bytes: encodeReal(typeof number !== 'bigint' ? number : size > 8 ? ExtendedReal.ofInteger(number) : Number(number), size) };
  }
  const whole = typeof number === 'bigint' ? number : truncatedReal(number);
  if (whole === undefined) return { reason: `it cannot hold ${number}` };
  const integer = BigInt.asIntN(128, whole);
  const { bitField } = value;
  if (!bitField) return { bytes: bytesOf(BigInt.asUintN(size * 8, integer), size) };
  const bytes = Math.ceil((bitField.offset + bitField.size) / 8);
  const old = readLocation(value.location, bytes, reader);
  if ('reason' in old) return old;
  const mask = ((1n << BigInt(bitField.size)) - 1n) << BigInt(bitField.offset);
  const mixed = (unsignedOf(old.bytes) & ~mask) | ((integer << BigInt(bitField.offset)) & mask);
  return { bytes: bytesOf(mixed, bytes) };
};
