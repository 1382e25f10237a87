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

/** Abbreviations as numbers: `starts[code]` is where in `specs` its tag, its flag for children, and its pairs of attribute and form are. */
interface Shapes {
  readonly starts: readonly number[];
  readonly specs: readonly number[];
}

const shapesOf = (reader: Reader): Shapes => {
  const starts: number[] = [];
  const specs: number[] = [];
  for (;;) {
    const code = reader.uleb();
    if (code === 0) return { starts, specs };
    starts[code] = specs.length;
    specs.push(reader.uleb(), reader.u8());
    for (;;) {
      const attribute = reader.uleb();
      const form = reader.uleb();
      if (attribute === 0 && form === 0) break;
      if (form === Form.implicit_const) reader.skipLeb();
      specs.push(attribute, form);
    }
    specs.push(0, 0);
  }
};

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
    const { specs, starts } = this.shapes;
    let at = starts[reader.uleb()];
    if (at === undefined) return undefined;
    let origin = 0;
    for (at += 2; specs[at] !== 0 || specs[at + 1] !== 0; at += 2) {
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

/** Tells a visitor the names at file scope of a unit of C or assembly. */
export const scanNames = (unit: Unit, visitor: NameVisitor): void => {
  const shapes = shapesOf(unit.abbreviationReader);
  const { starts, specs } = shapes;
  const names = new Names(unit, shapes);
  const reader = unit.reader(unit.firstDie);
  const { end } = unit;
  let depth = 0;
  /** The enumeration whose enumerators come, and the depth that they are at. */
  let enumeration = -1;
  while (reader.position < end) {
    const offset = reader.position;
    const code = reader.uleb();
    if (code === 0) {
      if (--depth <= 1) enumeration = -1;
      if (depth <= 0) return;
      continue;
    }
    let at = starts[code] ?? reader.damaged();
    const tag = specs[at];
    const hasChildren = specs[at + 1] !== 0;
    let name: number | string | undefined;
    let sibling = 0;
    let origin = 0;
    let hasCode = false;
    let hasPlace = false;
    let isDeclaration = false;
    let isInlined = false;
    for (at += 2; ; at += 2) {
      const attribute = specs[at];
      const form = specs[at + 1];
      if (attribute === 0 && form === 0) break;
      switch (attribute) {
        case At.name:
          if (form === Form.strp && unit.offsetSize === 4) {
            name = reader.u32();
            continue;
          }
          if (form === Form.string) {
            // Only where it is wanted is it worth being decoded.
            if (depth === 1 || enumeration >= 0) name = reader.string();
            else reader.skipString();
            continue;
          }
          name = depth === 1 || enumeration >= 0 ? unit.text(form, reader.at(reader.position, end)) : undefined;
          break;
        case At.sibling:
          if (form === Form.ref4) {
            sibling = unit.offset + reader.u32();
            continue;
          }
          break;
        case At.abstract_origin: case At.specification:
          if (form === Form.ref4) {
            origin = unit.offset + reader.u32();
            continue;
          }
          origin = offset;
          break;
        case At.low_pc: case At.ranges: hasCode = true; break;
        case At.location: case At.const_value: hasPlace = true; break;
        case At.declaration: isDeclaration = true; break;
        case At.inline: isInlined = true; break;
      }
      const size = fixedSize(form, unit);
      if (size !== undefined) reader.position += size;
      else skipForm(form, reader, unit);
    }
    if (enumeration >= 0 && tag === Tag.enumerator) {
      if (name !== undefined) visitor.visit('enumerator', tag, name, enumeration);
    } else if (depth === 1) {
      const kind = tag === Tag.subprogram ? (hasCode ? 'function' : isInlined ? 'inlined' : undefined) : tag === Tag.variable ? (hasPlace ? 'global' : isDeclaration ? 'declared' : undefined) : TYPE_TAGS.has(tag) && !isDeclaration ? 'type' : undefined;
      if (kind !== undefined) {
        if (name === undefined && origin > 0) name = origin === offset ? unit.dieAt(offset)?.name : names.through(origin);
        if (name !== undefined) visitor.visit(kind, tag, name, offset);
      }
    }
    if (!hasChildren) {
      if (depth === 0) return;
      continue;
    }
    const isEnumeration = depth === 1 && tag === Tag.enumeration_type && !isDeclaration;
    if (isEnumeration) enumeration = offset;
    // What is inside functions and structs is nobody's name here.
    if (depth >= 1 && !isEnumeration && sibling > offset && sibling <= end) reader.position = sibling;
    else depth++;
  }
};
