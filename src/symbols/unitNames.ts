/** Reads the names of units: those of C at file scope, those of C++ and Rust in their namespaces too. */
import { At, Tag } from './dwarf/constants';
import { Die } from './dwarf/die';
import { NameKind, NameVisitor, scanNames } from './dwarf/nameScan';
import type { DwarfSections } from './dwarf/sections';
import { Unit } from './dwarf/unit';

/** Thousands of units define the same type: so many definitions of a name and kind are kept. */
const MOST_DEFINITIONS = 4;

const TYPE_TAGS: readonly number[] = [Tag.structure_type, Tag.union_type, Tag.class_type, Tag.enumeration_type, Tag.typedef, Tag.base_type];

/** More than the offsets that a unit's DIEs have. */
const OFFSETS = 2 ** 33;

/** Where names are defined: of a kernel a million places, each a number that is made of its unit's number and its offset. */
type PlacesByKind = Record<NameKind, Map<string, number[]>>;

const placeOf = (unit: number, offset: number): number => unit * OFFSETS + offset;

/** The number of a place's unit, and the DIE's offset. */
export const partsOf = (place: number): { unit: number; offset: number } => ({ unit: Math.floor(place / OFFSETS), offset: place % OFFSETS });

const add = (places: Map<string, number[]>, name: string, place: number): void => {
  const list = places.get(name);
  if (!list) places.set(name, [place]);
  else if (list.at(-1) !== place) list.push(place);
};

const KINDS: readonly NameKind[] = ['function', 'inlined', 'global', 'declared', 'type', 'enumerator'];

const NOT_COUNTED = -1;
/** In .debug_str a name has so many bytes on an average, or more. */
const BYTES_OF_NAME = 12;

/**
 * Names that stand in a .debug_str, as nearly all do, by where they stand there: none is decoded before somebody asks for it.
 * Lists are chains: of the names that have the same hash, and of the places of a name.
 */
class PooledNames {
  /** By place in the section: the number of the name that is there, from 1. Not needed any more when all has been read. */
  private numbers: Uint32Array;
  /** By hash: the number of the last name that has it. */
  private readonly heads: Uint32Array;
  /** By number of a name: where it stands, the name before it with its hash, its last definition, and how many of each kind have been seen. */
  private readonly offsets = [0];
  private readonly before = [0];
  private readonly lastOf = [0];
  private readonly seen = [0];
  /** By number of a definition: its place and kind, and the definition before it of its name. */
  private readonly places = [0];
  private readonly kinds = [0];
  private readonly earlier = [0];

  constructor(private readonly bytes: Uint8Array) {
    this.numbers = new Uint32Array(bytes.length);
    this.heads = new Uint32Array(2 ** Math.ceil(Math.log2(bytes.length / BYTES_OF_NAME + 1)));
  }

  /** Adds a definition; with `shift` no more than some, which are counted there. */
  add(offset: number, kind: NameKind, place: number, shift: number): void {
    const number = this.numbers[offset] || this.number(offset);
    if (number === 0) return;
    if (shift !== NOT_COUNTED) {
      if (((this.seen[number] >>> shift) & 7) >= MOST_DEFINITIONS) return;
      this.seen[number] += 1 << shift;
    }
    this.earlier.push(this.lastOf[number]);
    this.kinds.push(KINDS.indexOf(kind));
    this.lastOf[number] = this.places.push(place) - 1;
  }

  /** Gives a name a number; 0 where there is none. */
  private number(offset: number): number {
    if (!this.bytes[offset]) return 0;
    const slot = this.slot(this.bytes, offset);
    const number = this.offsets.push(offset) - 1;
    this.before.push(this.heads[slot]);
    this.lastOf.push(0);
    this.seen.push(0);
    this.heads[slot] = number;
    return (this.numbers[offset] = number);
  }

  /** FNV-1a of the bytes up to a zero byte or the end. */
  private slot(bytes: Uint8Array, at: number): number {
    let hash = 0x811c9dc5;
    for (; bytes[at]; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
    return (hash >>> 0) & (this.heads.length - 1);
  }

  /** All has been read. */
  close(): void {
    this.numbers = new Uint32Array(0);
  }

  /** Adds the places of a name. */
  find(kind: NameKind, name: string, found: number[]): void {
    const wanted = new TextEncoder().encode(name);
    const number = KINDS.indexOf(kind);
    for (let i = this.heads[this.slot(wanted, 0)]; i > 0; i = this.before[i]) {
      let same = 0;
      while (same < wanted.length && this.bytes[this.offsets[i] + same] === wanted[same]) same++;
      if (same < wanted.length || this.bytes[this.offsets[i] + same]) continue;
      for (let at = this.lastOf[i]; at > 0; at = this.earlier[at]) if (this.kinds[at] === number) found.push(this.places[at]);
    }
  }

  /** The names of a kind, by the first place of each. */
  *first(kind: NameKind): IterableIterator<[place: number, offset: number]> {
    const number = KINDS.indexOf(kind);
    for (let i = 1; i < this.offsets.length; i++) {
      let first = 0;
      for (let at = this.lastOf[i]; at > 0; at = this.earlier[at]) if (this.kinds[at] === number) first = at;
      if (first > 0) yield [this.places[first], this.offsets[i]];
    }
  }
}

/** Reads units one after the other, and keeps the names of all. */
export class UnitNames {
  private readonly maps: PlacesByKind = { function: new Map(), inlined: new Map(), global: new Map(), declared: new Map(), type: new Map(), enumerator: new Map() };
  private readonly pools = new Map<DwarfSections, PooledNames>();
  private readonly flat = new FlatNames(this.maps, this.pools);
  private readonly lists = new Map<NameKind, readonly string[]>();

  /** Reads a unit that is known by a number. */
  read(unit: Unit, number: number): void {
    if (unit.nests) new NestedNames(unit, this.maps, number).scan();
    else this.flat.scan(unit, number);
  }

  /** All units have been read. */
  close(): void {
    for (const names of this.pools.values()) names.close();
  }

  /** The places of a name, in the order of units. */
  find(kind: NameKind, name: string): readonly number[] {
    const found = [...(this.maps[kind].get(name) ?? [])];
    for (const names of this.pools.values()) names.find(kind, name, found);
    return found.sort((a, b) => a - b);
  }

  /** All names of a kind, in the order of units. */
  names(kind: NameKind): readonly string[] {
    let list = this.lists.get(kind);
    if (!list) this.lists.set(kind, (list = this.list(kind)));
    return list;
  }

  private list(kind: NameKind): string[] {
    const first = new Map<string, number>();
    const note = (name: string, place: number): void => {
      const known = first.get(name);
      if (known === undefined || place < known) first.set(name, place);
    };
    for (const [name, [place]] of this.maps[kind]) note(name, place);
    for (const [sections, names] of this.pools) for (const [place, offset] of names.first(kind)) note(sections.string('.debug_str', offset), place);
    return [...first].sort(([, a], [, b]) => a - b).map(([name]) => name);
  }
}

/** Names of C. */
class FlatNames implements NameVisitor {
  private firstPlace = 0;
  private names!: PooledNames;

  constructor(
    private readonly maps: PlacesByKind,
    private readonly pools: Map<DwarfSections, PooledNames>,
  ) {}

  scan(unit: Unit, number: number): void {
    this.firstPlace = placeOf(number, 0);
    const { sections } = unit;
    let names = this.pools.get(sections);
    if (!names) this.pools.set(sections, (names = new PooledNames(sections.reader('.debug_str').bytes)));
    this.names = names;
    scanNames(unit, this);
  }

  visit(kind: NameKind, tag: number, name: number | string, offset: number): void {
    const place = this.firstPlace + offset;
    // Functions and variables are all kept: static ones of the same name are different ones.
    const isCounted = kind === 'type' || kind === 'enumerator' || kind === 'declared';
    if (typeof name === 'number') {
      const shift = kind === 'declared' ? 28 : kind === 'enumerator' ? 24 : TYPE_TAGS.indexOf(tag) * 4;
      this.names.add(name, kind, place, isCounted ? shift : NOT_COUNTED);
    } else if (name !== '' && (!isCounted || (this.maps[kind].get(name)?.length ?? 0) < MOST_DEFINITIONS * TYPE_TAGS.length)) add(this.maps[kind], name, place);
  }
}

/** Names of languages with namespaces, which types have too. */
class NestedNames {
  constructor(
    private readonly unit: Unit,
    private readonly maps: PlacesByKind,
    private readonly number: number,
  ) {}

  scan(): void {
    this.visit(this.unit.root, '');
  }

  private add(kind: NameKind, die: Die, name: string | undefined, prefix: string): void {
    if (name === undefined || name === '') return;
    const place = placeOf(this.number, die.offset);
    add(this.maps[kind], name, place);
    if (prefix !== '') add(this.maps[kind], prefix + name, place);
  }

  private visit(parent: Die, prefix: string): void {
    for (const die of parent.children()) {
      const name = die.string(At.name);
      switch (die.tag) {
        case Tag.namespace: case Tag.module: this.visit(die, name === undefined ? prefix : `${prefix}${name}::`); break;
        case Tag.subprogram: {
          const hasCode = die.has(At.low_pc) || die.has(At.ranges);
          if (!hasCode && !die.has(At.inline) && die.flag(At.declaration)) break;
          const declared = [...die.origins()].pop()!;
          this.add(hasCode ? 'function' : 'inlined', die, die.name, declared === die ? prefix : qualifier(declared));
          break;
        }
        case Tag.variable: {
          if (!die.has(At.location) && !die.has(At.const_value)) break;
          const declared = [...die.origins()].pop()!;
          this.add('global', die, die.name, declared === die ? prefix : qualifier(declared));
          break;
        }
        default:
          if (!TYPE_TAGS.includes(die.tag)) break;
          if (!die.flag(At.declaration)) this.add('type', die, name, prefix);
          if (die.tag === Tag.enumeration_type) for (const child of die.children()) this.add('enumerator', die, child.name, `${prefix}${name === undefined ? '' : `${name}::`}`);
          // Methods and nested types.
          else if (die.hasChildren && name !== undefined) this.visit(die, `${prefix}${name}::`);
      }
    }
  }
}

/** The namespaces and types that a DIE is in, each with `::` behind it. */
export const qualifier = (die: Die): string => {
  let prefix = '';
  for (let parent = die.parent; parent && parent.tag !== Tag.compile_unit; parent = parent.parent) {
    const name = parent.string(At.name);
    if (name !== undefined && (parent.tag === Tag.namespace || parent.tag === Tag.module || TYPE_TAGS.includes(parent.tag))) prefix = `${name}::${prefix}`;
  }
  return prefix;
};
