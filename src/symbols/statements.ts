/**
 * Where the statements of each line begin, by file: what breakpoints on lines ask for. A line of a header may have thousands
 * of places in hundreds of units, so it is kept ready what the answer is made of: of every line the lowest address in each
 * copy of the code, once for a function and once for each call that was inlined.
 */
import { Copies } from './copies';
import { behindPrologue, LineSequence, LineTable, ROW_IS_STMT } from './dwarf/lineProgram';
import type { Unit } from './dwarf/unit';
import { entryOf, type LineAddress, type Lines, type SourceFile } from './lines';
import { firstFrom } from './sorted';

/** The statements of a line table: file by file, in the order of lines, and those of a line in the order of addresses. */
interface TableStatements {
  readonly lines: Uint32Array;
  readonly columns: Uint16Array;
  /** Identity of the function or inlined call, -1 where none is known. */
  readonly copies: Float64Array;
  readonly addresses: BigUint64Array;
}

/** Those of a file in one table: from `from` up to `to`. */
interface FileStatements {
  readonly table: TableStatements;
  readonly from: number;
  readonly to: number;
  /** Tells which of the image's units is before another. */
  readonly order: number;
}

/** The calls of a line table's code that were inlined: the identity of the function, and where its copy begins. */
interface InlinedCopies {
  readonly origins: Float64Array;
  readonly addresses: BigUint64Array;
}

/** Columns beyond this count as this. */
const LAST_COLUMN = 0xffff;
const NO_COPY = -1;
const NO_TABLES: ReadonlyMap<LineTable, readonly Unit[]> = new Map();
const NOTHING_INLINED: InlinedCopies = { origins: new Float64Array(0), addresses: new BigUint64Array(0) };

/** The first of sorted columns from `wanted` on, or else the last one. */
const nearestColumn = (sorted: readonly number[], wanted: number): number | undefined => sorted.find((column) => column >= wanted) ?? sorted.at(-1);

/** Where statements are put while a table is read, and what has been seen of the line at hand. */
class Collected {
  private readonly lines: Uint32Array;
  private readonly columns: Uint16Array;
  private readonly copies: Float64Array;
  private readonly addresses: BigUint64Array;
  /** The same in halves, as that makes no bigints. */
  private readonly halves: Uint32Array;
  /** The last statement of each copy, and for each statement the one before of its copy, counted from 1; 0 for none. */
  private readonly lastOf: Int32Array;
  private readonly before: Int32Array;
  private count = 0;
  /** How many there are before the line at hand. */
  private beforeLine = 0;
  private line = 0;

  constructor(
    most: number,
    private readonly known: Copies,
  ) {
    this.lines = new Uint32Array(most);
    this.columns = new Uint16Array(most);
    this.copies = new Float64Array(most);
    this.addresses = new BigUint64Array(most);
    this.halves = new Uint32Array(this.addresses.buffer);
    this.lastOf = new Int32Array(known.list.length);
    this.before = new Int32Array(most + 1);
  }

  /** Adds a statement, unless its copy has one of its line and column. The address is told in halves. */
  add(line: number, column: number, copy: number, low: number, high: number): void {
    const { count, columns, lastOf, before } = this;
    if (line !== this.line) {
      this.line = line;
      this.beforeLine = count;
    }
    if (copy > 0) {
      for (let at = lastOf[copy]; at > this.beforeLine; at = before[at]) if (columns[at - 1] === column) return;
      before[count + 1] = lastOf[copy];
      lastOf[copy] = count + 1;
    }
    this.lines[count] = line;
    columns[count] = column;
    this.copies[count] = this.known.list[copy]?.identity ?? NO_COPY;
    this.halves[2 * count] = low;
    this.halves[2 * count + 1] = high;
    this.count++;
  }

  /** Begins another file. Yields how many statements there are so far. */
  file(): number {
    this.beforeLine = this.count;
    this.line = 0;
    return this.count;
  }

  statements(): TableStatements {
    const { count } = this;
    return { lines: this.lines.slice(0, count), columns: this.columns.slice(0, count), copies: this.copies.slice(0, count), addresses: this.addresses.slice(0, count) };
  }
}

const HALF = 2 ** 32;

/** So many lines are looked for one by one in tables that have not been read. */
const MOST_LOOKS = 2;
/** Fewer tables are read whole. */
const MANY_TABLES = 8;

/** A line of which alone the statements are read. */
interface WantedLine {
  readonly file: SourceFile;
  readonly line: number;
}

const packed = ({ origins, addresses }: Copies['inlined']): InlinedCopies => (origins.length === 0 ? NOTHING_INLINED : { origins: Float64Array.from(origins), addresses: new BigUint64Array(Uint32Array.from(addresses).buffer) });

/** The inlined calls of units whose lines are not wanted. */
const inlinedIn = (units: readonly Unit[]): InlinedCopies => {
  const copies = new Copies([]);
  for (const unit of units) copies.add(unit);
  return packed(copies.inlined);
};

/** Where the rows are that keys of `sorted` stand for. */
const addressesOf = (keys: Float64Array, sequences: readonly LineSequence[], total: number): bigint[] => {
  const numbers = [...keys].map((key) => key % total).sort((a, b) => a - b);
  const addresses: bigint[] = [];
  let before = 0;
  let next = 0;
  for (const { start, offsets } of sequences) {
    for (; next < numbers.length && numbers[next] < before + offsets.length; next++) addresses.push(start + BigInt(offsets[numbers[next] - before]));
    before += offsets.length;
  }
  return addresses;
};

/** The statements of the first line from one on that has some, which begin each part. */
const firstOf = (all: readonly FileStatements[], line: number): { found: number; parts: FileStatements[] } => {
  let found = Infinity;
  let parts: FileStatements[] = [];
  for (const part of all) {
    const { lines } = part.table;
    const first = firstFrom(lines, line, part.from, part.to);
    if (first === part.to || lines[first] > found) continue;
    if (lines[first] < found) parts = [];
    found = lines[first];
    parts.push({ ...part, from: first });
  }
  return { found, parts };
};

export class StatementIndex {
  private readonly byFile = new Map<SourceFile, FileStatements[]>();
  private readonly read = new Set<LineTable>();
  private readonly inlined = new Map<LineTable, InlinedCopies>();
  /** How many lines have been looked for in tables that had not been read. */
  private looks = 0;

  constructor(private readonly lines: Lines) {}

  /** Reads which statements there are, table by table, each time that the next is asked for. */
  *readAhead(): IterableIterator<void> {
    for (const [table, units] of this.lines.tables()) {
      this.readTable(table, units);
      yield;
    }
  }

  private readTable(table: LineTable, units: readonly Unit[]): void {
    if (this.read.has(table)) return;
    this.read.add(table);
    const { copies, statements } = this.statementsOf(table, units);
    entryOf(this.inlined, table, () => packed(copies.inlined));
    for (const { file, ...part } of statements) entryOf(this.byFile, file, () => []).push(part);
  }

  /** The statements of a table, or those of one line alone: then no more is looked at than the functions that have its code. */
  private statementsOf(table: LineTable, units: readonly Unit[], wanted?: WantedLine): { copies: Copies; statements: (FileStatements & { readonly file: SourceFile })[] } {
    const sequences = table.decode();
    const { keys, files, total } = this.sorted(table, units[0], sequences, wanted);
    const copies = new Copies(sequences, wanted && addressesOf(keys, sequences, total));
    if (keys.length > 0 || !wanted) for (const unit of units) copies.add(unit);
    const collected = new Collected(keys.length, copies);
    const starts = sequences.map(({ start }) => ({ low: Number(start & 0xffff_ffffn), high: Number(start >> 32n) }));
    const order = (units[0].skeleton ?? units[0]).offset;
    /** How many rows there are up to the end of each sequence. */
    const ends = new Uint32Array(sequences.length);
    for (const [i, { lines }] of sequences.entries()) ends[i] = (ends[i - 1] ?? 0) + lines.length;
    const parts: { file: SourceFile; from: number; to: number }[] = [];
    for (const { file, from, to } of files) {
      const first = collected.file();
      let at = 0;
      for (let i = from; i < to; i++) {
        const line = Math.floor(keys[i] / total);
        const number = keys[i] - line * total;
        // Neighbours are often of the same sequence.
        if (number >= ends[at] || (at > 0 && number < ends[at - 1])) at = firstFrom(ends, number + 1);
        const sequence = sequences[at];
        const row = number - (at > 0 ? ends[at - 1] : 0);
        const copy = copies.at(at, row);
        const begins = copies.list[copy]?.begins;
        let offset = sequence.offsets[row];
        // On the line that opens a function one stops behind the prologue.
        if (begins && begins.sequence === at && begins.low === offset) offset = behindPrologue(sequence, offset, begins.high, begins.needsNoPrologue) ?? offset;
        const low = starts[at].low + offset;
        collected.add(line, Math.min(sequence.columns[row], LAST_COLUMN), copy, low % HALF, starts[at].high + Math.floor(low / HALF));
      }
      parts.push({ file, from: first, to: collected.file() });
    }
    const statements = collected.statements();
    return { copies, statements: parts.map((part) => ({ ...part, table: statements, order })) };
  }

  /**
   * The rows of a table that begin statements, by file and in the order of lines: of each file the keys from `from` up to
   * `to`, each a line times `total` and the number of the row among all of them.
   */
  private sorted(table: LineTable, unit: Unit, sequences: readonly LineSequence[], wanted: WantedLine | undefined): { keys: Float64Array; files: { file: SourceFile; from: number; to: number }[]; total: number } {
    const isStatement = ({ lines, flags }: LineSequence, row: number): boolean => lines[row] !== 0 && (flags[row] & ROW_IS_STMT) !== 0 && (wanted === undefined || lines[row] === wanted.line);
    const counts: number[] = [];
    let total = 0;
    for (const sequence of sequences) {
      total += sequence.lines.length;
      for (let row = 0; row < sequence.lines.length; row++) if (isStatement(sequence, row)) counts[sequence.files[row]] = (counts[sequence.files[row]] ?? 0) + 1;
    }
    // A file may have several numbers in a table.
    const places = new Map<SourceFile, { file: SourceFile; from: number; to: number }>();
    const placeOf: ({ to: number } | undefined)[] = [];
    for (const [index, count] of counts.entries()) {
      const file = count > 0 ? this.lines.fileOf(unit, table, index) : undefined;
      if (!file || (wanted && file !== wanted.file)) continue;
      const place = (placeOf[index] = entryOf(places, file, () => ({ file, from: 0, to: 0 })));
      place.from += count;
    }
    let end = 0;
    for (const place of places.values()) {
      const count = place.from;
      place.from = place.to = end;
      end += count;
    }
    const keys = new Float64Array(end);
    let number = 0;
    for (const sequence of sequences) {
      for (let row = 0; row < sequence.lines.length; row++, number++) {
        const place = isStatement(sequence, row) ? placeOf[sequence.files[row]] : undefined;
        if (place) keys[place.to++] = sequence.lines[row] * total + number;
      }
    }
    for (const { from, to } of places.values()) keys.subarray(from, to).sort();
    return { keys, files: [...places.values()], total };
  }

  /** What is known of a file, in the order of its units. */
  private of(file: SourceFile): readonly FileStatements[] {
    for (const [table, units] of this.unread(file)) this.readTable(table, units);
    return (this.byFile.get(file) ?? []).sort((a, b) => a.order - b.order);
  }

  /** The tables that name a file and have not been read. */
  private unread(file: SourceFile): ReadonlyMap<LineTable, readonly Unit[]> {
    if (this.lines.isComplete && this.read.size === this.lines.tables().size) return NO_TABLES;
    return new Map([...this.lines.tablesOf(file)].filter(([table]) => !this.read.has(table)));
  }

  /**
   * The statements of the first line of a file from one on that has some. Of a header that hundreds of tables name, no more
   * is read of those than that line, while that is asked for a few lines: each takes a third of what it takes to read all.
   */
  private ofLine(file: SourceFile, line: number): { found: number; parts: FileStatements[] } {
    const unread = this.looks < MOST_LOOKS ? this.unread(file) : undefined;
    if (!unread || unread.size < MANY_TABLES) return firstOf(this.of(file), line);
    this.looks++;
    const known = firstOf(this.byFile.get(file) ?? [], line);
    let { found } = known;
    const having = new Map<LineTable, number>();
    for (const [table, units] of unread) {
      const first = this.firstLine(table, units[0], file, line);
      having.set(table, first);
      if (first < found) found = first;
    }
    const parts = known.found === found ? known.parts : [];
    for (const [table, units] of unread) if (found < Infinity && having.get(table) === found) parts.push(...this.statementsOf(table, units, { file, line: found }).statements);
    return { found, parts: parts.sort((a, b) => a.order - b.order) };
  }

  /** The first line from one on of which a table has statements in a file. */
  private firstLine(table: LineTable, unit: Unit, file: SourceFile, line: number): number {
    let found = Infinity;
    const isWanted: (boolean | undefined)[] = [];
    for (const { files, lines, flags } of table.decode()) {
      for (let row = 0; row < lines.length; row++) {
        if (lines[row] < line || lines[row] >= found || !(flags[row] & ROW_IS_STMT) || lines[row] === 0) continue;
        if (isWanted[files[row]] ??= this.lines.fileOf(unit, table, files[row]) === file) found = lines[row];
      }
    }
    return found;
  }

  /** Where the copies begin of a function that was inlined in others; `origin` is the identity of its DIE, which a unit has. */
  inlinedCopies(unit: Unit, origin: number): bigint[] {
    const found: bigint[] = [];
    for (const { origins, addresses } of this.inlinedOf([unit, ...this.lines.inliningOthers()])) {
      for (let at = origins.indexOf(origin); at >= 0; at = origins.indexOf(origin, at + 1)) found.push(addresses[at]);
    }
    return found;
  }

  /** The inlined calls of the code of units. */
  private inlinedOf(units: readonly Unit[]): Set<InlinedCopies> {
    const all = new Set<InlinedCopies>();
    for (const unit of units) {
      const table = this.lines.table(unit);
      if (table) all.add(entryOf(this.inlined, table, () => inlinedIn(this.lines.sharing(unit))));
    }
    return all;
  }

  /** Lines of a file that have code, ascending. */
  executableLines(file: SourceFile): number[] {
    const all = new Set<number>();
    for (const { table, from, to } of this.of(file)) for (let i = from; i < to; i++) all.add(table.lines[i]);
    return [...all].sort((a, b) => a - b);
  }

  /** The columns at which statements of a line begin, ascending; empty when the line has no code. */
  columnsOf(file: SourceFile, line: number): number[] {
    const columns = new Set<number>();
    for (const { table, from, to } of this.of(file)) for (let i = firstFrom(table.lines, line, from, to); i < to && table.lines[i] === line; i++) columns.add(table.columns[i]);
    columns.delete(0);
    return [...columns].sort((a, b) => a - b);
  }

  /**
   * Where to stop for a line: `SymbolImage.addressesOf`. `copyAt` tells which function an address is in where that is not
   * known here: of what the debug information describes in unusual ways, or not at all.
   */
  addressesOf(file: SourceFile, line: number, column: number | undefined, copyAt: (address: bigint) => number | undefined): LineAddress[] {
    const { found, parts } = column === undefined ? this.ofLine(file, line) : firstOf(this.of(file), line);
    const wanted = column === undefined ? undefined : nearestColumn(this.columnsOf(file, found), column);
    const chosen = new Set<number>();
    const places: LineAddress[] = [];
    for (const { table, from, to } of parts) {
      const { lines, columns, copies, addresses } = table;
      for (let at = from; at < to && lines[at] === found; at++) {
        if (wanted !== undefined && columns[at] !== wanted) continue;
        const address = addresses[at];
        const copy = copies[at] === NO_COPY ? copyAt(address) : copies[at];
        // One stop per copy of the code, the lowest: `for (...)` has rows before and behind its body.
        if (copy !== undefined && chosen.has(copy)) continue;
        if (copy !== undefined) chosen.add(copy);
        places.push({ address, file, line: found, column: columns[at] });
      }
    }
    return places;
  }
}
