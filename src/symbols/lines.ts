import { Unit } from './dwarf/unit';
import { behindPrologue, LineSequence, LineTable, readLineTable, ROW_EPILOGUE_BEGIN, ROW_IS_STMT, ROW_PROLOGUE_END } from './dwarf/lineProgram';
import { DwarfSections } from './dwarf/sections';
import { unitsCalling } from './fileSearch';
import { baseName, joinPath, normalisePath } from './paths';
import { countWhile } from './sorted';

/** A source file that an image's line tables name. One object per path and image. */
export interface SourceFile {
  /** Joined with the compilation directory and normalised. It may not exist on this machine, or anywhere. */
  readonly path: string;
  /** As the compiler wrote it, normalised: relative to the compilation directory where it was given so. */
  readonly written: string;
}

/** A file, and the units that name it, as far as files have been read. */
interface NamedFile {
  readonly file: SourceFile;
  /** Its name without a folder. */
  readonly base: string;
  readonly units: Unit[];
}

/** What the line table says about an address. */
export interface LineEntry {
  /** First address of the row that covers the address. */
  readonly address: bigint;
  /** First address behind that row. */
  readonly end: bigint;
  readonly file: SourceFile;
  /** 0 for code that belongs to no line. */
  readonly line: number;
  /** 0 when unknown. */
  readonly column: number;
  readonly isStmt: boolean;
  readonly prologueEnd: boolean;
  readonly epilogueBegin: boolean;
}

/** Where a line has code. */
export interface LineAddress {
  readonly address: bigint;
  readonly file: SourceFile;
  readonly line: number;
  readonly column: number;
}

/** What a map has for a key, made when it has nothing. */
export const entryOf = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
};

/** Index of the last row at or before an address. */
const rowAt = (sequence: LineSequence, address: bigint): number => {
  const wanted = Number(address - sequence.start);
  return Math.max(countWhile(sequence.offsets.length, (row) => sequence.offsets[row] <= wanted) - 1, 0);
};

/** The line tables of an image, each decoded when a question touches it. */
export class Lines {
  private readonly tablesAt = new Map<DwarfSections, Map<number, LineTable>>();
  /** The units of each table, as far as files have been read: as a rule one. */
  private readonly unitsByTable = new Map<LineTable, Unit[]>();
  private readonly filesByPath = new Map<string, NamedFile>();
  /** By compilation directory, folder and name as written: thousands of units name the same headers. */
  private readonly filesByGiven = new Map<string, Map<string, Map<string, NamedFile>>>();
  private readonly filesByTable = new WeakMap<LineTable, (NamedFile | undefined)[]>();
  /** By sections and compilation directory, the same by the keys of files. */
  private readonly filesByKey = new Map<DwarfSections, Map<string, Map<number, NamedFile>>>();
  private readonly named = new Map<SourceFile, NamedFile>();
  /** Those that have been read of units. */
  private readonly read = new Set<SourceFile>();
  private unitsByOffset: Map<DwarfSections, Map<number | undefined, Unit[]>> | undefined;
  /** Files by names that were searched for, and the units that name each. */
  private readonly searched = new Map<string, Map<SourceFile, Unit[]>>();
  private inlining: readonly Unit[] | undefined;
  private fileList: SourceFile[] | undefined;
  /** Units whose files have not been read. */
  private rest: IterableIterator<Unit> | undefined;

  constructor(
    private readonly units: () => readonly Unit[],
    private readonly unitsAt: (address: bigint) => readonly Unit[],
  ) {}

  /** The line table of a unit, undefined when it has none. */
  table(unit: Unit): LineTable | undefined {
    const offset = unit.lineOffset;
    const sections = unit.lineSections;
    if (offset === undefined || sections.size('.debug_line') === 0) return undefined;
    return entryOf(entryOf(this.tablesAt, sections, () => new Map<number, LineTable>()), offset, () => readLineTable(sections, offset));
  }

  /** Whether it has been read which files there are. */
  get isComplete(): boolean {
    return this.fileList !== undefined;
  }

  /** Every line table and the units that it is of, in the order of units. */
  tables(): ReadonlyMap<LineTable, readonly Unit[]> {
    this.files();
    return this.unitsByTable;
  }

  /** The units that have the same line table as one, itself among them. */
  sharing(unit: Unit): readonly Unit[] {
    if (!this.unitsByOffset) {
      this.unitsByOffset = new Map();
      for (const other of this.units()) entryOf(entryOf(this.unitsByOffset, other.lineSections, () => new Map<number | undefined, Unit[]>()), other.lineOffset, () => []).push(other);
    }
    return this.unitsByOffset.get(unit.lineSections)?.get(unit.lineOffset) ?? [unit];
  }

  /** The units in whose code functions may have been inlined that other units describe, as those of link-time optimisation are. */
  inliningOthers(): readonly Unit[] {
    return (this.inlining ??= this.units().filter((unit) => unit.inlinesOthers));
  }

  /** The units that name a file, in their order. */
  unitsOf(file: SourceFile): readonly Unit[] {
    this.files();
    return this.named.get(file)?.units ?? [];
  }

  /** The files of a name in any folder. Until all files have been read, only the tables are looked at that may name it. */
  called(name: string): readonly SourceFile[] {
    if (this.fileList) return this.fileList.filter((file) => baseName(file.path) === name);
    return [...entryOf(this.searched, name, () => this.search(name)).keys()];
  }

  private search(name: string): Map<SourceFile, Unit[]> {
    const found = new Map<SourceFile, Unit[]>();
    for (const unit of unitsCalling(this.units(), name)) {
      const table = this.table(unit);
      if (!table) continue;
      const known = this.listOf(table);
      const keys = this.keysOf(unit);
      for (let index = 0; index < table.files.length; index++) {
        const file = this.fileIn(unit, table, index, known, keys);
        const units = file?.base === name ? entryOf(found, file.file, () => []) : undefined;
        if (units && units.at(-1) !== unit) units.push(unit);
      }
    }
    return found;
  }

  /** The line tables that name a file, in the order of units, and the units of each. */
  tablesOf(file: SourceFile): ReadonlyMap<LineTable, readonly Unit[]> {
    const searched = this.fileList ? undefined : this.searched.get(baseName(file.path))?.get(file);
    const tables = new Map<LineTable, readonly Unit[]>();
    for (const unit of searched ?? this.unitsOf(file)) tables.set(this.table(unit)!, this.sharing(unit));
    return tables;
  }

  /** The file that a number of a unit's line table stands for; undefined where it stands for none. */
  fileOf(unit: Unit, table: LineTable, index: number): SourceFile | undefined {
    return this.fileIn(unit, table, index, this.listOf(table), this.keysOf(unit))?.file;
  }

  /** The files of a table that are known, by their numbers. */
  private listOf(table: LineTable): (NamedFile | undefined)[] {
    let files = this.filesByTable.get(table);
    if (!files) this.filesByTable.set(table, (files = []));
    return files;
  }

  /** Files by key, for the tables of a unit's sections and folder. */
  private keysOf(unit: Unit): Map<number, NamedFile> {
    return entryOf(entryOf(this.filesByKey, unit.lineSections, () => new Map<string, Map<number, NamedFile>>()), unit.compilationDirectory, () => new Map<number, NamedFile>());
  }

  private fileIn(unit: Unit, table: LineTable, index: number, known: (NamedFile | undefined)[], keys: Map<number, NamedFile>): NamedFile | undefined {
    let file = known[index];
    if (file) return file;
    const key = table.files.keyAt(index);
    file = key === undefined ? undefined : keys.get(key);
    if (!file) {
      file = this.readFile(unit, table, index);
      if (file && key !== undefined) keys.set(key, file);
    }
    return (known[index] = file);
  }

  private readFile(unit: Unit, table: LineTable, index: number): NamedFile | undefined {
    const file = table.files.at(index);
    if (!file) return undefined;
    const directory = unit.compilationDirectory;
    const folders = entryOf(this.filesByGiven, directory, () => new Map<string, Map<string, NamedFile>>());
    return entryOf(entryOf(folders, file.folder, () => new Map<string, NamedFile>()), file.name, () => {
      const path = joinPath(directory, file.written);
      return entryOf(this.filesByPath, path, () => this.newFile({ path, written: normalisePath(file.written) }));
    });
  }

  private newFile(file: SourceFile): NamedFile {
    const made = { file, base: baseName(file.path), units: [] };
    this.named.set(file, made);
    return made;
  }

  /** The file a DW_AT_decl_file or DW_AT_call_file of a unit means. */
  file(unit: Unit, index: number): SourceFile | undefined {
    const table = this.table(unit);
    return table && this.fileOf(unit, table, index);
  }

  /** Every file any line table names, headers included. */
  files(): readonly SourceFile[] {
    if (this.fileList) return this.fileList;
    for (const pieces = this.readFiles(); !pieces.next().done;);
    this.searched.clear();
    return (this.fileList = [...this.read]);
  }

  /** Reads which files there are, unit by unit, each time that the next is asked for. */
  *readFiles(): IterableIterator<void> {
    this.rest ??= this.units().values();
    for (let next = this.rest.next(); !next.done; next = this.rest.next()) {
      const unit = next.value;
      const table = this.table(unit);
      if (!table) continue;
      entryOf(this.unitsByTable, table, () => []).push(unit);
      const known = this.listOf(table);
      const keys = this.keysOf(unit);
      for (let index = 0; index < table.files.length; index++) {
        const file = this.fileIn(unit, table, index, known, keys);
        if (!file) continue;
        if (file.units.length === 0) this.read.add(file.file);
        if (file.units[file.units.length - 1] !== unit) file.units.push(unit);
      }
      yield;
    }
  }

  /** The files the compiler was called with for the units that use a file: itself, or what includes or renames it. */
  primaryFilesOf(file: SourceFile): SourceFile[] {
    const primaries = new Set<SourceFile>();
    for (const unit of this.unitsOf(file)) {
      const path = joinPath(unit.compilationDirectory, unit.name);
      primaries.add(this.filesByPath.get(path)?.file ?? { path, written: normalisePath(unit.name) });
    }
    return [...primaries];
  }

  private sequencesAt(address: bigint): { unit: Unit; table: LineTable; sequence: LineSequence } | undefined {
    for (const unit of this.unitsAt(address)) {
      const table = this.table(unit);
      const sequence = table?.sequences.find(({ start, end }) => address >= start && address < end);
      if (table && sequence) return { unit, table, sequence };
    }
    return undefined;
  }

  private entry(unit: Unit, table: LineTable, sequence: LineSequence, row: number): LineEntry | undefined {
    const file = this.fileOf(unit, table, sequence.files[row]);
    if (!file) return undefined;
    let next = row + 1;
    while (next < sequence.offsets.length && sequence.offsets[next] === sequence.offsets[row]) next++;
    const flags = sequence.flags[row];
    return {
      address: sequence.start + BigInt(sequence.offsets[row]),
      end: next < sequence.offsets.length ? sequence.start + BigInt(sequence.offsets[next]) : sequence.end,
      file,
      line: sequence.lines[row],
      column: sequence.columns[row],
      isStmt: (flags & ROW_IS_STMT) !== 0,
      prologueEnd: (flags & ROW_PROLOGUE_END) !== 0,
      epilogueBegin: (flags & ROW_EPILOGUE_BEGIN) !== 0,
    };
  }

  /**
   * The row that covers an address. Of several rows for one address the last that starts a statement counts, as it is
   * the one whose code really is there.
   */
  at(address: bigint): LineEntry | undefined {
    const found = this.sequencesAt(address);
    if (!found) return undefined;
    const { unit, table, sequence } = found;
    const last = rowAt(sequence, address);
    let row = last;
    while (!(sequence.flags[row] & ROW_IS_STMT) && row > 0 && sequence.offsets[row - 1] === sequence.offsets[last]) row--;
    if (!(sequence.flags[row] & ROW_IS_STMT)) row = last;
    return this.entry(unit, table, sequence, row);
  }

  /** The rows from `low` up to `high`, in order; several may have the same address. */
  *rows(low: bigint, high: bigint): IterableIterator<LineEntry> {
    const found = this.sequencesAt(low);
    if (!found) return;
    const { unit, table, sequence } = found;
    let row = rowAt(sequence, low);
    while (row > 0 && sequence.offsets[row - 1] === sequence.offsets[row]) row--;
    for (; row < sequence.offsets.length && sequence.start + BigInt(sequence.offsets[row]) < high; row++) {
      const entry = this.entry(unit, table, sequence, row);
      if (entry) yield entry;
    }
  }

  /** The first address behind the prologue of code from `low` up to `high`; undefined where the rows do not tell. */
  behindPrologue(low: bigint, high: bigint): bigint | undefined {
    const found = this.sequencesAt(low);
    if (!found) return undefined;
    const { sequence, unit } = found;
    const { start } = sequence;
    const offset = behindPrologue(sequence, Number(low - start), Number(high - start), unit.needsNoPrologue);
    return offset === undefined ? undefined : start + BigInt(offset);
  }
}
