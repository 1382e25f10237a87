/**
 * Which copy of the source each row of a line table is in: the function itself, or one of the places where it was
 * inlined. A whole table is told apart in one pass over its units' DIEs, as a line of a kernel's header has thousands of rows.
 */
import { high32, low32 } from '../base/bits';
import type { Abbreviation } from './dwarf/abbreviations';
import { At, Tag } from './dwarf/constants';
import { Die } from './dwarf/die';
import { HOLDERS } from './dwarf/dieTree';
import type { LineSequence } from './dwarf/lineProgram';
import { PlainCode } from './dwarf/plainCode';
import { AddressRange, beginsAt, contains, rangesOf } from './dwarf/ranges';
import type { Unit } from './dwarf/unit';
import { countWhile, firstFrom } from './sorted';

const HALF = 2 ** 32;

/** A function or an inlined call. */
export interface Copy {
  /** Its DIE's. */
  readonly identity: number;
  /** Of a function: where it begins, and where the part that it begins with ends, from the start of its sequence. */
  readonly begins?: { readonly sequence: number; readonly low: number; readonly high: number; readonly needsNoPrologue: boolean };
}

export class Copies {
  /** Copies by number; number 0 is what is outside of functions. */
  readonly list: (Copy | undefined)[] = [undefined];
  /** The calls that were inlined: the identity of the function called, and where its copy begins, as two halves. */
  readonly inlined: { origins: number[]; addresses: number[] } = { origins: [], addresses: [] };
  /** Functions, blocks and inlined calls, as the number of the copy that each is or is in. */
  private readonly pieces = [0];
  /** The innermost piece of each row, by sequence. */
  private readonly rows: readonly Uint32Array[];
  private last = 0;
  /** Where sequences begin, in halves, and how many bytes they have. */
  private readonly starts: readonly { low: number; high: number; size: number }[];

  constructor(
    private readonly sequences: readonly LineSequence[],
    /** The addresses that matter, where not all do: other functions are not looked into. */
    private readonly wanted?: readonly bigint[],
  ) {
    this.starts = sequences.map(({ start, end }) => ({ low: low32(start), high: high32(start), size: Number(end - start) }));
    this.rows = sequences.map(({ offsets }) => new Uint32Array(offsets.length));
  }

  /** The number of the function or inlined call that a row is in; 0 outside of functions that are known. */
  at(sequence: number, row: number): number {
    return this.pieces[this.rows[sequence][row]];
  }

  private copy(copy: Copy): number {
    return this.pieces.push(this.list.push(copy) - 1) - 1;
  }

  /** Tells apart the rows that are of a unit's code. */
  add(unit: Unit): void {
    /** What has been entered: numbers of pieces, 0 for what only holds functions. */
    const open: number[] = [];
    const plain = new PlainCode(unit);
    const { nests } = unit;
    const enter = (offset: number, abbreviation: Abbreviation, attributesAt: number): boolean => {
      const { tag, hasChildren } = abbreviation;
      const above = open.at(-1) ?? 0;
      let number = 0;
      if (tag === Tag.subprogram) {
        const die = new Die(unit, offset, abbreviation, attributesAt);
        const ranges = rangesOf(die);
        // What is declared, or was only inlined, has nothing below it that has code.
        if (ranges.length === 0 || (this.wanted && !this.wanted.some((address) => contains(ranges, address)))) return false;
        number = this.copy({ identity: die.identity, begins: this.beginning(die, ranges) });
        this.mark(ranges, number, 0);
      } else if (above > 0 && (tag === Tag.inlined_subroutine || tag === Tag.lexical_block)) {
        if (plain.read(abbreviation, attributesAt)) {
          number = tag === Tag.inlined_subroutine ? this.copy({ identity: unit.firstIdentity + offset }) : this.pieces.push(this.pieces[above]) - 1;
          const { lows, highs, sizes, hasEntry, entryLow, entryHigh } = plain;
          for (let i = 0; i < plain.count; i++) this.markPlain(lows[i], highs[i], sizes[i], number, above);
          if (tag === Tag.inlined_subroutine) {
            this.addInlined(plain.origin === 0 ? 0 : unit.firstIdentity + plain.origin, hasEntry ? entryLow : lows[0], hasEntry ? entryHigh : highs[0]);
            if (hasEntry) this.markPlain(entryLow, entryHigh, 1, number, above); // as beginsAt() tells
          }
          if (hasChildren) open.push(number);
          return true;
        }
        const die = new Die(unit, offset, abbreviation, attributesAt);
        const ranges = rangesOf(die);
        // A block without code of its own may still contain some.
        number = ranges.length === 0 ? above : tag === Tag.inlined_subroutine ? this.copy({ identity: die.identity }) : this.pieces.push(this.pieces[above]) - 1;
        this.mark(ranges, number, above);
        const entry = ranges.length > 0 && die.has(At.ranges) ? die.address(At.entry_pc) : undefined;
        if (tag === Tag.inlined_subroutine && ranges.length > 0) {
          const begin = entry ?? ranges[0].low;
          this.addInlined(die.referredIdentity(At.abstract_origin) ?? 0, low32(begin), high32(begin));
        }
        if (entry !== undefined && beginsAt(die, entry)) this.mark([{ low: entry, high: entry + 1n }], number, above);
      } else if (above > 0 || !nests || !HOLDERS.has(tag)) return false;
      if (hasChildren) open.push(number);
      return true;
    };
    unit.lookOnce(() => unit.tree.visit(unit.root, enter, () => void open.pop()));
  }

  private addInlined(origin: number, low: number, high: number): void {
    this.inlined.origins.push(origin);
    this.inlined.addresses.push(low, high);
  }

  private beginning(die: Die, ranges: readonly AddressRange[]): Copy['begins'] {
    const low = die.address(At.low_pc) ?? die.address(At.entry_pc) ?? ranges[0].low;
    const range = ranges.find((r) => low >= r.low && low < r.high);
    const sequence = range ? this.sequenceAt(low) : -1;
    if (!range || sequence < 0) return undefined;
    const { start } = this.sequences[sequence];
    return { sequence, low: Number(low - start), high: Number(range.high - start), needsNoPrologue: die.unit.needsNoPrologue };
  }

  /** Marks the rows of a piece that are still those of what it is in: where pieces beside each other have the same code it is the first one's. */
  private mark(ranges: readonly AddressRange[], number: number, above: number): void {
    if (this.sequences.length === 0) return;
    for (const { low, high } of ranges) {
      const index = this.sequenceAt(low);
      if (index < 0) continue;
      const { start } = this.sequences[index];
      this.markRows(index, Number(low - start), Number(high - start), number, above);
    }
  }
  /** The same for one part, of which the address is in halves. */
  private markPlain(low: number, high: number, size: number, number: number, above: number): void {
    if (this.sequences.length === 0) return;
    const offsetIn = (index: number): number => (high - this.starts[index].high) * HALF + (low - this.starts[index].low);
    const offset = offsetIn(this.last);
    const index = offset >= 0 && offset < this.starts[this.last].size ? this.last : this.sequenceAt((BigInt(high) << 32n) | BigInt(low));
    if (index >= 0) this.markRows(index, offsetIn(index), offsetIn(index) + size, number, above);
  }
  private markRows(index: number, from: number, to: number, number: number, above: number): void {
    const { offsets } = this.sequences[index];
    const rows = this.rows[index];
    for (let row = firstFrom(offsets, from); row < rows.length && offsets[row] < to; row++) if (rows[row] === above) rows[row] = number;
  }

  /** The sequence that an address is in, -1 for none; functions follow each other. */
  private sequenceAt(address: bigint): number {
    const { sequences } = this;
    const covers = (at: number): boolean => at < sequences.length && address >= sequences[at].start && address < sequences[at].end;
    if (covers(this.last)) return this.last;
    const last = Math.max(countWhile(sequences.length, (i) => sequences[i].start <= address) - 1, 0);
    return covers(last) ? (this.last = last) : -1;
  }
}
