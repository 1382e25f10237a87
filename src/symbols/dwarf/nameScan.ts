/**
 * Reads the names at file scope of a unit straight from its bytes. A kernel has millions of DIEs at file scope, nearly
 * all of them types that thousands of units repeat: no objects are made of them, and what has children is stepped over
 * by DW_AT_sibling.
 */
import { Reader } from '../reader';
import { At, Form, Tag } from './constants';
import { fixedSize, skipForm } from './forms';
import type { Unit } from './unit';

/** What a scan tells of a DIE. */
export interface NameVisitor {
  /**
   * `name` is an offset in .debug_str, or a text where the name stands in the DIE itself or is found through an index.
   * `offset` is the DIE's. For an enumerator it is its enumeration's.
   */
  visit(kind: NameKind, tag: number, name: number | string, offset: number): void;
}

/** `inlined` are functions that have copies in others, `declared` variables that a unit knows and does not define. */
export type NameKind = 'function' | 'inlined' | 'global' | 'declared' | 'type' | 'enumerator';

const TYPE_TAGS = new Set<number>([Tag.structure_type, Tag.union_type, Tag.class_type, Tag.enumeration_type, Tag.typedef, Tag.base_type]);

/**
 * What an abbreviation tells of its DIEs. `specs` are pairs of attribute and form, and two zeros. Of DIEs that all have one size,
 * as most have, it says where the few things are that are wanted of them, in bytes from behind the code; -1 for what they have not.
 */
interface Shape {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly specs: readonly number[];
  /** What a DIE of it is at file scope. */
  readonly kind: NameKind | undefined;
  readonly isEnumeration: boolean;
  /** -1 where the size is in the data, or something is in a form that is rare. */
  readonly size: number;
  readonly nameAt: number;
  readonly siblingAt: number;
  readonly originAt: number;
}

/** The attributes that tell what a DIE is, as bits. */
const Has = { CODE: 1, INLINE: 2, PLACE: 4, DECLARATION: 8 } as const;

const HAS: Readonly<Record<number, number>> = { [At.low_pc]: Has.CODE, [At.ranges]: Has.CODE, [At.inline]: Has.INLINE, [At.location]: Has.PLACE, [At.const_value]: Has.PLACE, [At.declaration]: Has.DECLARATION };

/** Of link-time optimisation nothing but that it is no declaration tells a function that may have been inlined. */
const kindOf = (tag: number, has: number): NameKind | undefined => {
  if (tag === Tag.subprogram) return has & Has.CODE ? 'function' : has & Has.INLINE || !(has & Has.DECLARATION) ? 'inlined' : undefined;
  if (tag === Tag.variable) return has & Has.PLACE ? 'global' : has & Has.DECLARATION ? 'declared' : undefined;
  return TYPE_TAGS.has(tag) && !(has & Has.DECLARATION) ? 'type' : undefined;
};

/** Reads an abbreviation from behind its code. */
const readShape = (reader: Reader, unit: Unit): Shape => {
  const tag = reader.uleb();
  const hasChildren = reader.u8() !== 0;
  const specs: number[] = [];
  let has = 0;
  let size = 0;
  let nameAt = -1;
  let siblingAt = -1;
  let originAt = -1;
  for (;;) {
    const attribute = reader.uleb();
    const form = reader.uleb();
    specs.push(attribute, form);
    if (attribute === 0 && form === 0) break;
    if (form === Form.implicit_const) reader.skipLeb();
    has |= HAS[attribute] ?? 0;
    if (size < 0) continue;
    const bytes = fixedSize(form, unit) ?? -1;
    let isPlain = bytes >= 0;
    switch (attribute) {
      case At.name:
        nameAt = size;
        isPlain &&= form === Form.strp && unit.offsetSize === 4;
        break;
      case At.sibling:
        siblingAt = size;
        isPlain &&= form === Form.ref4;
        break;
      case At.abstract_origin: case At.specification:
        originAt = size;
        isPlain &&= form === Form.ref4;
        break;
    }
    size = isPlain ? size + bytes : -1;
  }
  const kind = kindOf(tag, has);
  return { tag, hasChildren, specs, kind, isEnumeration: kind === 'type' && tag === Tag.enumeration_type && hasChildren, size, nameAt, siblingAt, originAt };
};

/** The shapes of a unit by their codes, of which many are of what is inside of functions: each is read when a DIE has it. */
class Shapes {
  private readonly known: Shape[] = [];
  /** Where each is, from behind its code. */
  private readonly places: number[] = [];
  private readonly reader: Reader;

  constructor(private readonly unit: Unit) {
    const { bytes, position } = (this.reader = unit.abbreviationReader);
    let at = position;
    const uleb = (): number => {
      let value = bytes[at++];
      if (value < 0x80) return value;
      value &= 0x7f;
      for (let scale = 128; ; scale *= 128) {
        const byte = bytes[at++];
        value += (byte & 0x7f) * scale;
        if (!(byte & 0x80)) return value;
      }
    };
    while (at < bytes.length) {
      const code = uleb();
      if (code === 0) return;
      this.places[code] = at;
      uleb(); // tag
      at++; // whether it has children
      for (;;) {
        const attribute = uleb();
        const form = uleb();
        if (attribute === 0 && form === 0) break;
        if (form === Form.implicit_const) uleb();
        else if (at >= bytes.length) break;
      }
    }
    this.reader.position = bytes.length;
    this.reader.damaged();
  }

  /** Undefined for a code that there is not. */
  get(code: number): Shape | undefined {
    return this.known[code] ?? this.read(code);
  }

  private read(code: number): Shape | undefined {
    const place = this.places[code];
    return place === undefined ? undefined : (this.known[code] = readShape(this.reader.at(place), this.unit));
  }
}

/** The name of a DIE, from another DIE that it completes where it has none. */
class Names {
  constructor(
    private readonly unit: Unit,
    private readonly shapes: Shapes,
  ) {}

  /** Reads a reference of four bytes, as compilers write it, to the name of what it refers to. */
  through(offset: number, depth = 0): number | string | undefined {
    if (depth > 4) return undefined;
    const { unit } = this;
    const reader = unit.reader(offset);
    const shape = this.shapes.get(reader.uleb());
    if (shape === undefined) return undefined;
    const { specs } = shape;
    let origin = 0;
    for (let at = 0; specs[at] !== 0 || specs[at + 1] !== 0; at += 2) {
      const form = specs[at + 1];
      if (specs[at] === At.name && form === Form.strp && unit.offsetSize === 4) return reader.u32();
      if (specs[at] === At.name && form === Form.string) return reader.string();
      if ((specs[at] === At.abstract_origin || specs[at] === At.specification) && form === Form.ref4) {
        origin = unit.offset + reader.u32();
        continue;
      }
      skipForm(form, reader, unit);
    }
    // Rarer forms of names and references are worth an object.
    return origin > 0 ? this.through(origin, depth + 1) : unit.dieAt(offset)?.name;
  }
}

/** What has been read of a DIE whose size is in its data. */
interface Rare {
  name: number | string | undefined;
  sibling: number;
  /** 0 for none; the DIE itself where its origin is in a form that is rare. */
  origin: number;
}

/** Reads the attributes of a DIE; its name only where it is wanted. */
const readRare = (reader: Reader, unit: Unit, { specs }: Shape, offset: number, isNamed: boolean): Rare => {
  const rare: Rare = { name: undefined, sibling: 0, origin: 0 };
  for (let at = 0; ; at += 2) {
    const attribute = specs[at];
    const form = specs[at + 1];
    if (attribute === 0 && form === 0) return rare;
    if (attribute === At.name && isNamed) {
      rare.name = form === Form.strp && unit.offsetSize === 4 ? reader.at(reader.position, unit.end).u32() : unit.text(form, reader.at(reader.position, unit.end));
    } else if (form === Form.ref4 && attribute === At.sibling) rare.sibling = unit.offset + reader.at(reader.position, unit.end).u32();
    else if (attribute === At.abstract_origin || attribute === At.specification) rare.origin = form === Form.ref4 ? unit.offset + reader.at(reader.position, unit.end).u32() : offset;
    skipForm(form, reader, unit);
  }
};

/** Tells a visitor the names at file scope of a unit of C or assembly. */
export const scanNames = (unit: Unit, visitor: NameVisitor): void => {
  const shapes = new Shapes(unit);
  const names = new Names(unit, shapes);
  const reader = unit.reader(unit.firstDie);
  const { bytes } = reader;
  const { end } = unit;
  const u32 = (at: number): number => (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
  let at = unit.firstDie;
  let depth = 0;
  /** The enumeration whose enumerators come, and the depth that they are at. */
  let enumeration = -1;
  while (at < end) {
    const offset = at;
    let code = bytes[at++];
    if (code === 0) {
      if (--depth <= 1) enumeration = -1;
      if (depth <= 0) return;
      continue;
    }
    if (code >= 0x80) {
      reader.position = offset;
      code = reader.uleb();
      at = reader.position;
    }
    const shape = shapes.get(code) ?? reader.at(offset).damaged();
    const { kind, size } = shape;
    const isEnumerator = enumeration >= 0 && shape.tag === Tag.enumerator;
    const isNamed = isEnumerator || (depth === 1 && kind !== undefined);
    let name: number | string | undefined;
    let sibling = 0;
    let origin = 0;
    if (size >= 0) {
      if (isNamed) {
        if (shape.nameAt >= 0) name = u32(at + shape.nameAt);
        else if (shape.originAt >= 0) origin = unit.offset + u32(at + shape.originAt);
      }
      if (shape.siblingAt >= 0) sibling = unit.offset + u32(at + shape.siblingAt);
      at += size;
      if (at > end) reader.at(offset).damaged();
    } else {
      reader.position = at;
      ({ name, sibling, origin } = readRare(reader, unit, shape, offset, isNamed));
      at = reader.position;
    }
    if (isEnumerator) {
      if (name !== undefined) visitor.visit('enumerator', shape.tag, name, enumeration);
    } else if (isNamed) {
      if (name === undefined && origin > 0) name = origin === offset ? unit.dieAt(offset)?.name : names.through(origin);
      if (name !== undefined) visitor.visit(kind!, shape.tag, name, offset);
    }
    if (!shape.hasChildren) {
      if (depth === 0) return;
      continue;
    }
    const isEnumeration = depth === 1 && shape.isEnumeration;
    if (isEnumeration) enumeration = offset;
    // What is inside functions and structs is nobody's name here.
    if (depth >= 1 && !isEnumeration && sibling > offset && sibling <= end) at = sibling;
    else depth++;
  }
};
