import { Variants, Variant, ArrayType, BaseType, EnumType, FunctionType, Member, PointerType, QualifiedType, sizeOf, StructType, Type, TypedefType, VOID } from '../types';
import { At, Encoding, Tag } from './constants';
import { Die } from './die';
import { compute } from './expression';
import { Reader } from '../reader';

const QUALIFIERS: Record<number, QualifiedType['qualifier']> = {
  [Tag.const_type]: 'const', [Tag.volatile_type]: 'volatile', [Tag.restrict_type]: 'restrict', [Tag.atomic_type]: '_Atomic',
};
const KEYWORDS: Record<number, StructType['keyword']> = { [Tag.structure_type]: 'struct', [Tag.union_type]: 'union', [Tag.class_type]: 'class' };
const SIGILS: Record<number, string> = { [Tag.pointer_type]: '*', [Tag.reference_type]: '&', [Tag.rvalue_reference_type]: '&&' };
const ENCODINGS: Record<number, BaseType['encoding']> = {
  [Encoding.boolean]: 'bool', [Encoding.complex_float]: 'complex', [Encoding.float]: 'float', [Encoding.signed]: 'signed', [Encoding.signed_char]: 'signed char',
  [Encoding.unsigned]: 'unsigned', [Encoding.unsigned_char]: 'unsigned char', [Encoding.UTF]: 'character', [Encoding.address]: 'unsigned',
};

const DW_LANG_Rust = 0x1c;
const DW_OP_plus_uconst = 0x23;
const DW_OP_constu = 0x10;

/** Calls a function once, when its value is first needed. */
const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

/** DW_AT_discr_list: single values and ranges. */
const discriminants = (block: Uint8Array): Variant['values'] => {
  const reader = new Reader(block, 'the debug information');
  const values: { low: bigint; high: bigint }[] = [];
  while (!reader.atEnd) {
    const isRange = reader.u8() !== 0; // DW_DSC_label 0, DW_DSC_range 1
    const low = reader.ulebBig();
    values.push({ low, high: isRange ? reader.ulebBig() : low });
  }
  return values;
};

/** Byte offset of a member: a constant, or in DWARF 2 an expression that adds one. */
const memberOffset = (die: Die): number => {
  const constant = die.number(At.data_member_location);
  if (constant !== undefined) return constant;
  const block = die.block(At.data_member_location);
  if (!block || (block[0] !== DW_OP_plus_uconst && block[0] !== DW_OP_constu)) return 0;
  return new Reader(block, 'the debug information', 1).uleb();
};

/** Where a virtual base is, which an expression computes from the address of the object; undefined for any other. */
const virtualPlace = (die: Die): Member['placeIn'] => {
  const block = die.block(At.data_member_location);
  if (!block || block[0] === DW_OP_plus_uconst || block[0] === DW_OP_constu) return undefined;
  const { unit } = die;
  return (address, reader) =>
    compute(block, { frame: { register: () => undefined, memory: (from, length) => reader.memory(from, length) }, machine: unit.sections.elf.machine, addressSize: unit.addressSize, unit, cfa: () => undefined, frameBase: () => undefined, objectAddress: address }, address);
};

/** Turns type DIEs into types; a DIE gives the same object every time. */
export class TypeReader {
  private readonly known = new Map<Die['identity'], Type>();

  constructor(
    /** Finds the complete definition of a struct that a unit only declares. */
    private readonly definition: (tag: number, name: string) => Die | undefined,
  ) {}

  /** The type DW_AT_type of a DIE (or of what it completes) names; void when there is none. */
  typeOf(die: Die): Type {
    const target = die.holder(At.type)?.reference(At.type);
    return target ? this.read(target) : VOID;
  }

  read(die: Die): Type {
    // A stand-in for a type that is in a type unit.
    const elsewhere = die.has(At.signature) ? die.reference(At.signature) : undefined;
    if (elsewhere) return this.read(elsewhere);
    const key = die.identity;
    let type = this.known.get(key);
    if (!type) this.known.set(key, (type = this.make(die)));
    return type;
  }

  private make(die: Die): Type {
    const { tag } = die;
    switch (tag) {
      case Tag.base_type: return this.base(die);
      case Tag.pointer_type: case Tag.reference_type: case Tag.rvalue_reference_type: return this.pointer(die);
      case Tag.structure_type: case Tag.union_type: case Tag.class_type: return this.struct(die);
      case Tag.array_type: return this.array(die);
      case Tag.enumeration_type: return this.enumeration(die);
      case Tag.subroutine_type: case Tag.subprogram: return this.function(die);
      case Tag.typedef: {
        const target = once(() => this.typeOf(die));
        return { kind: 'typedef', name: die.name ?? '', get target() { return target(); } } satisfies TypedefType;
      }
      case Tag.unspecified_type: return { kind: 'typedef', name: die.name ?? 'void', target: VOID };
    }
    const qualifier = QUALIFIERS[tag];
    if (!qualifier) return VOID;
    const target = once(() => this.typeOf(die));
    return { kind: 'qualified', qualifier, get target() { return target(); } } satisfies QualifiedType;
  }

  private base(die: Die): BaseType {
    const name = die.name ?? '';
    const encoding = ENCODINGS[die.number(At.encoding) ?? 0] ?? 'other';
    // Of 16 bytes only x87's format is known, which the encoding does not tell from IEEE's.
    return { kind: 'base', name, size: die.number(At.byte_size) ?? 0, encoding: encoding === 'float' && /float128/i.test(name) ? 'other' : encoding };
  }

  private pointer(die: Die): PointerType {
    const target = once(() => this.typeOf(die));
    return { kind: 'pointer', size: die.number(At.byte_size) ?? die.unit.addressSize, sigil: SIGILS[die.tag], get target() { return target(); } };
  }

  private struct(die: Die): StructType {
    const name = die.name;
    const whole = once(() => {
      if (!die.flag(At.declaration)) return die;
      // Another unit may define what this one only declares.
      return die.reference(At.specification) ?? (name === undefined ? undefined : this.definition(die.tag, name));
    });
    const members = once(() => (whole() ? this.members(whole()!) : []));
    const isRust = die.unit.root.number(At.language) === DW_LANG_Rust;
    const variants = once(() => (isRust && whole() ? this.variants(whole()!) : undefined));
    const parameters = once(() => [...(whole()?.children() ?? [])].filter(({ tag }) => tag === Tag.template_type_parameter).map((child) => this.typeOf(child)));
    return {
      kind: 'struct',
      // Rust writes none in front of a name either.
      keyword: isRust ? 'class' : KEYWORDS[die.tag],
      name,
      get size() { return whole()?.number(At.byte_size); },
      get incomplete() { return whole() === undefined; },
      get members() { return members(); },
      isRust,
      get variants() { return variants(); },
      get parameters() { return parameters(); },
    };
  }

  /** DW_TAG_variant_part: the member that discriminates, and the variants with the values of it that mean them. */
  private variants(die: Die): Variants | undefined {
    const part = [...die.children()].find((child) => child.tag === Tag.variant_part);
    if (!part) return undefined;
    const discriminant = part.reference(At.discr);
    const cases: Variant[] = [];
    for (const child of part.children()) {
      const member = child.tag === Tag.variant ? [...child.children()].find(({ tag }) => tag === Tag.member) : undefined;
      if (!member) continue;
      const value = child.constant(At.discr_value);
      const list = child.block(At.discr_list);
      cases.push({ values: value !== undefined ? [{ low: value, high: value }] : list ? discriminants(list) : [], member: this.member(member) });
    }
    return { discriminant: discriminant && this.member(discriminant), cases };
  }

  private members(die: Die): Member[] {
    const members: Member[] = [];
    for (const child of die.children()) {
      if (child.tag === Tag.inheritance) {
        const type = this.typeOf(child);
        members.push({ name: '', type, offset: memberOffset(child), placeIn: virtualPlace(child) });
      }
      // A static member of a class has no place in the object.
      if (child.tag !== Tag.member || child.flag(At.external)) continue;
      members.push(this.member(child));
    }
    return members;
  }

  private member(die: Die): Member {
    const name = die.name ?? '';
    const type = this.typeOf(die);
    const offset = memberOffset(die);
    const size = die.number(At.bit_size);
    if (size === undefined) return { name, type, offset };
    // Since DWARF 4 bits count from the start of the struct; before, from the storage unit's most significant bit.
    const fromStruct = die.number(At.data_bit_offset);
    const fromTop = die.number(At.bit_offset);
    let first = fromStruct ?? 0;
    if (fromStruct === undefined && fromTop !== undefined) {
      const storage = die.number(At.byte_size) ?? sizeOf(type) ?? 0;
      first = offset * 8 + storage * 8 - fromTop - size;
    } else if (fromStruct === undefined) first = offset * 8;
    return { name, type, offset: first >> 3, bitField: { offset: first & 7, size } };
  }

  private array(die: Die): Type {
    const counts: (number | undefined)[] = [];
    for (const child of die.children()) {
      if (child.tag !== Tag.subrange_type && child.tag !== Tag.enumeration_type) continue;
      const count = child.number(At.count);
      const upper = child.constant(At.upper_bound);
      const lower = child.constant(At.lower_bound) ?? 0n;
      // gcc writes an upper bound of all ones for an array of length 0.
      const length = upper === undefined ? undefined : Number(BigInt.asIntN(child.unit.addressSize * 8, upper) - lower) + 1;
      counts.push(count ?? (length === undefined ? undefined : Math.max(length >= 0xffffffff ? 0 : length, 0)));
    }
    if (counts.length === 0) counts.push(undefined);
    const innermost = once(() => this.typeOf(die));
    const nested = (dimension: number): Type => {
      if (dimension === counts.length) return innermost();
      const element = once(() => nested(dimension + 1));
      return { kind: 'array', count: counts[dimension], get element() { return element(); } } satisfies ArrayType;
    };
    return nested(0);
  }

  private enumeration(die: Die): EnumType {
    const size = die.number(At.byte_size) ?? 4;
    const raw = [...die.children()].filter((child) => child.tag === Tag.enumerator);
    const target = die.reference(At.type);
    const encoding = target?.number(At.encoding);
    const values = raw.map((child) => ({ name: child.name ?? '', value: child.constant(At.const_value) ?? 0n }));
    const signed = encoding === undefined ? values.some(({ value }) => value < 0n) : encoding === Encoding.signed || encoding === Encoding.signed_char;
    // Forms without a sign of their own carry negative values of a signed enum as unsigned ones.
    const enumerators = values.map(({ name, value }) => ({ name, value: signed ? BigInt.asIntN(size * 8, value) : BigInt.asUintN(size * 8, value) }));
    return { kind: 'enum', name: die.name, size, signed, enumerators };
  }

  private function(die: Die): FunctionType {
    const returns = once(() => this.typeOf(die));
    const parameters = once(() => [...die.children()].filter((child) => child.tag === Tag.formal_parameter).map((child) => this.typeOf(child)));
    const variadic = [...die.children()].some((child) => child.tag === Tag.unspecified_parameters);
    return {
      kind: 'function',
      get returns() { return returns(); },
      get parameters() { return parameters(); },
      variadic,
      prototyped: die.holder(At.prototyped)?.flag(At.prototyped) ?? false,
    };
  }
}
