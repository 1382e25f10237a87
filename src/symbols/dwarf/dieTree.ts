import { Reader } from '../reader';
import { Abbreviation } from './abbreviations';
import { Tag } from './constants';
import { Die } from './die';
import { skipForm } from './forms';
import type { Unit } from './unit';
import { firstFrom } from '../sorted';

/** What may have functions inside of it, other than functions. */
export const HOLDERS: ReadonlySet<number> = new Set([Tag.namespace, Tag.module, Tag.structure_type, Tag.class_type, Tag.union_type, Tag.enumeration_type]);
const SUBPROGRAM: ReadonlySet<number> = new Set([Tag.subprogram]);
const SUBPROGRAM_AND_HOLDERS: ReadonlySet<number> = new Set([Tag.subprogram, ...HOLDERS]);

/** Whether the children of a DIE are to be visited; `attributesAt` is where its attributes begin. */
export type Enter = (offset: number, abbreviation: Abbreviation, attributesAt: number) => boolean;

/** Every DIE of a unit but the first, and the one above it, both as offsets, in the order of the file. */
interface Parents {
  readonly offsets: Uint32Array;
  readonly parents: Uint32Array;
}

/**
 * The DIEs of a unit as a tree. A unit of a kernel has a hundred thousand of them, of which a question touches a few: what
 * is not asked for is stepped over, by DW_AT_sibling where the compiler writes it.
 */
export class DieTree {
  /** Where the next DIE of the same parent is, for DIEs that had to be walked through to know it. */
  private readonly next = new Map<number, number>();
  private parentTable: Parents | undefined;

  constructor(private readonly unit: Unit) {}

  /** Forgets what walking through it has shown. */
  forget(): void {
    this.next.clear();
    this.parentTable = undefined;
  }

  /** The DIE at an offset of the section; undefined where none can be. */
  at(offset: number): Die | undefined {
    const { unit } = this;
    if (offset < unit.firstDie || offset >= unit.end) return undefined;
    const reader = unit.reader(offset);
    const abbreviation = unit.abbreviations.get(reader.uleb());
    return abbreviation && new Die(unit, offset, abbreviation, reader.position);
  }

  /** Steps over a DIE's attributes. Yields where it says that its next sibling is, 0 where it does not say. */
  private stepOver(abbreviation: Abbreviation, reader: Reader): number {
    const { unit } = this;
    const { steps, sibling } = abbreviation.steps;
    let next = 0;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i];
      if (i === sibling) next = unit.offset + reader.u32();
      else if (step > 0) reader.position += step;
      else skipForm(-step, reader, unit);
    }
    if (reader.position > reader.end) reader.damaged();
    return next;
  }

  /** Moves a reader from a DIE's attributes to behind its last descendant. */
  private skip(offset: number, abbreviation: Abbreviation, reader: Reader): void {
    const sibling = this.stepOver(abbreviation, reader);
    if (!abbreviation.hasChildren) return;
    const next = sibling > offset && sibling <= this.unit.end ? sibling : this.next.get(offset);
    if (next !== undefined) reader.position = next;
    else {
      this.walk(reader);
      this.next.set(offset, reader.position);
    }
  }

  /** Moves a reader from the first of a DIE's children to behind all of them. */
  private walk(reader: Reader): void {
    this.visitFrom(reader, () => true);
  }

  /**
   * Tells of the DIEs below one, in the order of the file. What is below a DIE of which `enter` says false is stepped
   * over; `leave` is told when the children of one that was entered have come to an end.
   */
  visit(top: Die, enter: Enter, leave?: () => void): void {
    if (!top.hasChildren) return;
    const reader = this.unit.reader(top.attributesAt);
    this.stepOver(top.abbreviation, reader);
    this.visitFrom(reader, enter, leave);
  }

  /** The same from the first of the children on. */
  private visitFrom(reader: Reader, enter: Enter, leave?: () => void): void {
    const { abbreviations } = this.unit;
    for (let depth = 1; !reader.atEnd;) {
      const offset = reader.position;
      const code = reader.uleb();
      if (code === 0) {
        if (--depth === 0) return;
        leave?.();
        continue;
      }
      const abbreviation = abbreviations.get(code) ?? reader.damaged();
      if (!enter(offset, abbreviation, reader.position)) this.skip(offset, abbreviation, reader);
      else {
        this.stepOver(abbreviation, reader);
        if (abbreviation.hasChildren) depth++;
      }
    }
  }

  *children(die: Die, tags?: ReadonlySet<number>): IterableIterator<Die> {
    if (!die.hasChildren) return;
    const { abbreviations } = this.unit;
    const reader = this.unit.reader(die.attributesAt);
    this.stepOver(die.abbreviation, reader);
    while (!reader.atEnd) {
      const offset = reader.position;
      const code = reader.uleb();
      if (code === 0) return;
      const abbreviation = abbreviations.get(code) ?? reader.damaged();
      const attributesAt = reader.position;
      if (!tags || tags.has(abbreviation.tag)) yield new Die(this.unit, offset, abbreviation, attributesAt, die);
      this.skip(offset, abbreviation, reader);
    }
  }

  /** The unit's functions, declared and defined ones, but those inside of functions. */
  *functions(holder = this.unit.root): IterableIterator<Die> {
    const isNested = HOLDERS.has(holder.tag);
    for (const die of holder.children(this.unit.nests || isNested ? SUBPROGRAM_AND_HOLDERS : SUBPROGRAM)) {
      if (die.tag === Tag.subprogram) yield die;
      else yield* this.functions(die);
    }
  }

  /** The functions inside of functions, as GNU C has them. All functions of the unit are read for them. */
  functionsInFunctions(): Die[] {
    const { unit } = this;
    const found: Die[] = [];
    /** What has been entered: whether each is a function. */
    const open: boolean[] = [];
    const { nests } = unit;
    let functions = 0;
    const enter: Enter = (offset, abbreviation, attributesAt) => {
      const { tag } = abbreviation;
      const isFunction = tag === Tag.subprogram;
      if (isFunction && functions > 0) found.push(new Die(unit, offset, abbreviation, attributesAt));
      if (!isFunction && !(functions > 0 && tag === Tag.lexical_block) && !(nests && HOLDERS.has(tag))) return false;
      if (abbreviation.hasChildren) open.push(isFunction);
      if (abbreviation.hasChildren && isFunction) functions++;
      return true;
    };
    this.visit(unit.root, enter, () => {
      if (open.pop()) functions--;
    });
    return found;
  }

  /** The DIE above one; undefined for the unit's own. */
  parent(die: Die): Die | undefined {
    const { offsets, parents } = (this.parentTable ??= this.readParents());
    const at = firstFrom(offsets, die.offset);
    return offsets[at] === die.offset && parents[at] > 0 ? this.at(parents[at]) : undefined;
  }

  private readParents(): Parents {
    const { unit } = this;
    const offsets: number[] = [];
    const parents: number[] = [];
    const open = [unit.firstDie];
    const enter: Enter = (offset, abbreviation) => {
      offsets.push(offset);
      parents.push(open.at(-1)!);
      if (abbreviation.hasChildren) open.push(offset);
      return true;
    };
    this.visit(unit.root, enter, () => void open.pop());
    return { offsets: Uint32Array.from(offsets), parents: Uint32Array.from(parents) };
  }
}
