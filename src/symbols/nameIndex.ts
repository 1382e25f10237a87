import { At, Tag } from './dwarf/constants';
import { Die } from './dwarf/die';
import { NameKind, NameVisitor, scanNames } from './dwarf/nameScan';
import { Unit } from './dwarf/unit';
import { UnitIndex } from './dwarf/unitIndex';

/** Thousands of units define the same type: so many definitions of a name and kind are kept. */
const MOST_DEFINITIONS = 4;

const TYPE_TAGS: readonly number[] = [Tag.structure_type, Tag.union_type, Tag.class_type, Tag.enumeration_type, Tag.typedef, Tag.base_type];

/** Where a name is defined. */
export interface Entry {
  readonly unit: Unit;
  readonly offset: number;
}

type Entries = Map<string, Entry[]>;

/**
 * Functions, variables, types and enumerators of an image by name, read once for the whole image when a name is first
 * asked for. Names of C++ and Rust are in it as they stand in their namespace, and with it: `Vec` and `alloc::vec::Vec`.
 */
export class NameIndex {
  private readonly maps = { function: new Map(), inlined: new Map(), global: new Map(), declared: new Map(), type: new Map(), enumerator: new Map() } satisfies Record<NameKind, Entries>;
  private readonly flat = new FlatNames(this.maps);
  /** Units that have not been read. */
  private rest: IterableIterator<Unit> | undefined;

  constructor(private readonly units: UnitIndex) {}

  /** DIEs of a kind and name, in the order of the file. */
  find(kind: NameKind, name: string): Die[] {
    return this.entries(kind, name).map(({ unit, offset }) => unit.dieAt(offset)!);
  }

  /** The same, of which nothing has been read yet: a name may have thousands of definitions. */
  entries(kind: NameKind, name: string): readonly Entry[] {
    const entries = this.read()[kind];
    const exact = entries.get(name);
    if (exact || !name.includes('::')) return exact ?? [];
    // The last parts of a path are enough: `Reason::Vmcall`.
    for (const [path, list] of entries) if (path.endsWith(`::${name}`)) return list;
    return [];
  }

  /** All names of a kind. */
  names(kind: NameKind): IterableIterator<string> {
    return this.read()[kind].keys();
  }

  private read(): Record<NameKind, Entries> {
    for (const pieces = this.readAhead(); !pieces.next().done;);
    return this.maps;
  }

  /** Reads names, unit by unit, each time that the next is asked for; what has not been read when a name is asked for is read then. */
  *readAhead(): IterableIterator<void> {
    this.rest ??= this.units.namingUnits.values();
    for (let next = this.rest.next(); !next.done; next = this.rest.next()) {
      const unit = next.value;
      if (unit.nests) new NestedNames(unit, this.maps).scan();
      else this.flat.scan(unit);
      yield;
    }
  }
}

const add = (entries: Entries, name: string, entry: Entry): void => {
  const list = entries.get(name);
  if (!list) entries.set(name, [entry]);
  else if (list.at(-1)!.unit !== entry.unit || !list.some(({ unit, offset }) => unit === entry.unit && offset === entry.offset)) list.push(entry);
};

/** Names of C. A name that has been seen often enough costs no more than a look into an array by its place in .debug_str. */
class FlatNames implements NameVisitor {
  private unit!: Unit;
  private pool!: Uint32Array;
  private readonly pools = new Map<object, Uint32Array>();

  constructor(private readonly maps: Record<NameKind, Entries>) {}

  scan(unit: Unit): void {
    this.unit = unit;
    const { sections } = unit;
    let pool = this.pools.get(sections);
    if (!pool) this.pools.set(sections, (pool = new Uint32Array(sections.size('.debug_str'))));
    this.pool = pool;
    scanNames(unit, this);
  }

  visit(kind: NameKind, tag: number, name: number | string, offset: number): void {
    const { unit, pool } = this;
    if (typeof name === 'number') {
      // Functions and variables are all kept: static ones of the same name are different ones.
      if (kind === 'type' || kind === 'enumerator' || kind === 'declared') {
        const shift = kind === 'declared' ? 28 : kind === 'enumerator' ? 24 : TYPE_TAGS.indexOf(tag) * 4;
        const seen = (pool[name] >>> shift) & 7;
        if (seen >= MOST_DEFINITIONS) return;
        pool[name] += 1 << shift;
      }
      name = unit.sections.string('.debug_str', name);
    } else if (kind === 'type' || kind === 'enumerator' || kind === 'declared') {
      const known = this.maps[kind].get(name);
      if (known && known.length >= MOST_DEFINITIONS * TYPE_TAGS.length) return;
    }
    if (name !== '') add(this.maps[kind], name, { unit, offset });
  }
}

/** Names of languages with namespaces, which types have too. */
class NestedNames {
  constructor(
    private readonly unit: Unit,
    private readonly maps: Record<NameKind, Entries>,
  ) {}

  scan(): void {
    this.visit(this.unit.root, '');
  }

  private add(kind: NameKind, die: Die, name: string | undefined, prefix: string): void {
    if (name === undefined || name === '') return;
    const entry = { unit: die.unit, offset: die.offset };
    add(this.maps[kind], name, entry);
    if (prefix !== '') add(this.maps[kind], prefix + name, entry);
  }

  private visit(parent: Die, prefix: string): void {
    for (const die of parent.children()) {
      const name = die.string(At.name);
      switch (die.tag) {
        case Tag.namespace: this.visit(die, name === undefined ? prefix : `${prefix}${name}::`); break;
        case Tag.subprogram: {
          const hasCode = die.has(At.low_pc) || die.has(At.ranges);
          if (!hasCode && !die.has(At.inline)) break;
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
    if (name !== undefined && (parent.tag === Tag.namespace || TYPE_TAGS.includes(parent.tag))) prefix = `${name}::${prefix}`;
  }
  return prefix;
};
