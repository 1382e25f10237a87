/**
 * What Rust has and C has not, as what C has: the variant an enum holds as a struct, slices, &str, Vec and String as
 * arrays of what they hold. Names of members are those that rustc gives.
 */
import { bytesOf, unsignedOf } from './frame';
import { Location, partOf, readLocation } from './location';
import { BaseType, sizeOf, stripped, StructType, Type, Variant } from './types';
import type { Value, ValueReader } from './values';

/** More elements than these no slice really has: its length was never written. */
const MOST_ELEMENTS = 2 ** 24;

const TEXT_BYTE: BaseType = { kind: 'base', name: 'u8', size: 1, encoding: 'unsigned char' };

const memberNamed = (type: StructType, name: string): StructType['members'][number] | undefined => type.members.find((member) => member.name === name);

/** The number in a member that is a base type, an enum or a pointer. */
const numberAt = (location: Location, type: Type, reader: ValueReader): bigint | undefined => {
  const size = sizeOf(type);
  if (size === undefined || size > 8) return undefined;
  const read = readLocation(location, size, reader);
  return 'bytes' in read ? unsignedOf(read.bytes) : undefined;
};

/** The variant that an enum holds; undefined where its discriminant cannot be read or says nothing. */
const variantOf = (value: Value, type: StructType, reader: ValueReader): Variant | undefined => {
  const { discriminant, cases } = type.variants!;
  if (!discriminant) return cases[0];
  const number = numberAt(partOf(value.location, discriminant.offset), discriminant.type, reader);
  if (number === undefined) return undefined;
  const width = (sizeOf(discriminant.type) ?? 8) * 8;
  const matches = ({ low, high }: { low: bigint; high: bigint }): boolean => number >= BigInt.asUintN(width, low) && number <= BigInt.asUintN(width, high);
  return cases.find((variant) => variant.values.some(matches)) ?? cases.find((variant) => variant.values.length === 0);
};

/** The first pointer inside a struct, through any depth of structs: what a Vec's buffer comes down to. */
const pointerIn = (type: Type, location: Location, depth = 0): { type: Type; location: Location } | undefined => {
  const bare = stripped(type);
  if (bare.kind === 'pointer') return { type: bare.target, location };
  if (bare.kind !== 'struct' || depth > 8) return undefined;
  for (const member of bare.members) {
    const found = pointerIn(member.type, partOf(location, member.offset), depth + 1);
    if (found) return found;
  }
  return undefined;
};

interface Sequence {
  element: Type;
  address: bigint;
  count: number;
}

const sequence = (pointer: { type: Type; location: Location } | undefined, length: { type: Type; location: Location } | undefined, element: Type | undefined, reader: ValueReader): Sequence | undefined => {
  if (!pointer || !length) return undefined;
  const address = numberAt(pointer.location, { kind: 'pointer', size: 8, sigil: '*', target: pointer.type }, reader);
  const count = numberAt(length.location, length.type, reader);
  if (address === undefined || count === undefined || count > MOST_ELEMENTS) return undefined;
  return { element: element ?? pointer.type, address, count: Number(count) };
};

/** The elements of a slice, a string or a Vec. */
const sequenceOf = (type: StructType, location: Location, reader: ValueReader): Sequence | undefined => {
  const part = (name: string): { type: Type; location: Location } | undefined => {
    const member = memberNamed(type, name);
    return member && { type: member.type, location: partOf(location, member.offset) };
  };
  const name = type.name ?? '';
  if (name.startsWith('&') || name.startsWith('*') || name.startsWith('alloc::boxed::Box<[') || name.startsWith('Box<')) {
    const data = part('data_ptr');
    const bare = data && stripped(data.type);
    return bare?.kind === 'pointer' ? sequence({ type: bare.target, location: data!.location }, part('length'), /\bstr\b/.test(name) ? TEXT_BYTE : undefined, reader) : undefined;
  }
  if (/^Vec</.test(name)) {
    const buffer = part('buf');
    return sequence(buffer && pointerIn(buffer.type, buffer.location), part('len'), type.parameters[0], reader);
  }
  if (name === 'String') {
    const bytes = part('vec');
    const bare = bytes && stripped(bytes.type);
    const inner = bare?.kind === 'struct' ? sequenceOf(bare, bytes!.location, reader) : undefined;
    return inner && { ...inner, element: TEXT_BYTE };
  }
  return undefined;
};

/** A value of Rust in C's terms; any other value as it is. */
export const readable = (value: Value, reader: ValueReader): Value => {
  const bare = stripped(value.type);
  if (bare.kind !== 'struct' || value.location.kind === 'unavailable' || !bare.isRust) return value;
  if (bare.variants) {
    const variant = variantOf(value, bare, reader);
    const inner = variant && stripped(variant.member.type);
    if (!variant || inner?.kind !== 'struct') return value;
    return { ...value, type: { ...plain(bare), variant: variant.member.name, members: inner.members.map((member) => ({ ...member, offset: member.offset + variant.member.offset })) } };
  }
  const found = sequenceOf(bare, value.location, reader);
  if (!found) return value;
  const type: Type = { kind: 'array', element: found.element, count: found.count };
  // Nothing is read where there is nothing: the address of an empty slice is none.
  const location: Location = found.count === 0 ? { kind: 'value', bytes: bytesOf(0n, 1) } : { kind: 'memory', address: found.address };
  return { ...value, type, location };
};

/** A struct without what is computed when it is asked for. */
const plain = ({ name, size }: StructType): StructType => ({ kind: 'struct', keyword: 'class', name, size, incomplete: false, isRust: true, variants: undefined, parameters: [], members: [] });
