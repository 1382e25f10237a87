/**
 * The symbols of one ELF file. This is the door to src/symbols: `SymbolImage.open` parses headers only, everything
 * else is read when a question touches it, so opening costs milliseconds whatever the size.
 *
 *   const image = SymbolImage.open('obj/kern/kernel', bytes);
 *   image.lineAt(pc)                   file, line and column of an address
 *   image.addressesOf(file, line)      where to put a breakpoint; slides to the next line that has code
 *   image.functionAt(pc)               the function, image.inlinedAt(pc) the calls inlined there
 *   image.findFunctions('handle_*')    by name or pattern
 *   image.inlinedCopies('min')         where it was inlined into others
 *   image.afterPrologue(fn)            where a function breakpoint goes
 *   image.symbolAt(pc)                 ELF symbol and offset, for code without DWARF
 *   image.loadedBytes(address, n)      what memory must hold for this image to apply there
 *   image.scopesAt(pc)                 parameters and locals by scope, image.variablesAt(pc) as one list
 *   image.globals(name), types(name)   variables at file scope, and types
 *   image.valueOf(variable, frame)     a Value, which values.ts formats and takes apart
 *   image.unwind(frame)                the calling frame (frame.ts), by CFI or by frame pointers
 *
 * Addresses are linear addresses as linked (p_vaddr), unsigned bigints. Everything is synchronous and works on bytes
 * alone. All methods throw a UserError that names the file when its debug information is damaged.
 */
import { Companions, NO_COMPANIONS } from './companions';
import { CallFrames } from './dwarf/cfi';
import type { NameKind } from './dwarf/nameScan';
import { DwarfSections, type SectionSource } from './dwarf/sections';
import { UnitIndex } from './dwarf/unitIndex';
import { ElfFile, ElfSymbol } from './elf';
import { Frame, lookupAddress } from './frame';
import { FunctionInfo, Functions, InlinedCall } from './functions';
import { LineAddress, LineEntry, Lines, SourceFile } from './lines';
import { Location } from './location';
import { Macros } from './macros';
import { NameIndex } from './nameIndex';
import { OrcTable } from './orc';
import { stabsAsDwarf } from './stabs';
import { StatementIndex } from './statements';
import { SymbolTable } from './symbolTable';
import { sizeOf, stripped, Type } from './types';
import { Caller, unwindByCfi, unwindByFramePointer } from './unwind';
import { Value } from './values';
import { Scope, Variable, Variables } from './variables';

export type { AddressRange } from './dwarf/ranges';
export type { ElfSymbol, Section, Segment } from './elf';
export type { Frame } from './frame';
export type { FunctionInfo, InlinedCall } from './functions';
export type { LineAddress, LineEntry, SourceFile } from './lines';
export type { Location } from './location';
export type { Type } from './types';
export type { Caller } from './unwind';
export type { Value } from './values';
export type { Scope, Variable } from './variables';

/** The ELF symbol an address belongs to. */
export interface SymbolOffset {
  readonly symbol: ElfSymbol;
  /** Bytes from the symbol's address. */
  readonly offset: bigint;
}

/** Bytes of .debug_info that are read in about 20 ms. */
const LARGE = 2_000_000;

export class SymbolImage {
  private readonly units: UnitIndex;
  private readonly lines: Lines;
  private readonly statements: StatementIndex;
  private readonly nameIndex: NameIndex;
  private readonly functions: Functions;
  private readonly callFrames: CallFrames;
  private readonly variables: Variables;
  private orcTable: OrcTable | 'none' | undefined;
  /** What `.stab` says, where there is that instead of DWARF. */
  private readonly stabs: SectionSource | undefined;
  /** Macros; `sources` is set to those of the sources, where the debug information has none. */
  readonly macros: Macros;

  private constructor(
    readonly elf: ElfFile,
    private readonly companions: Companions,
  ) {
    const { debugFile, alternate } = companions;
    // A separate debug file has the headers of all sections, but not the bytes of those that are loaded.
    this.stabs = debugFile ? undefined : stabsAsDwarf(elf);
    const source = debugFile ? { name: debugFile.name, contentsOf: (section: string) => debugFile.contentsOf(section) ?? elf.contentsOf(section) } : this.stabs;
    const sections = new DwarfSections(elf, source, 0, alternate && new DwarfSections(elf, alternate, 1));
    this.units = new UnitIndex(sections, companions);
    this.lines = new Lines(() => this.units.programUnits, (address) => this.units.at(address));
    this.statements = new StatementIndex(this.lines);
    this.macros = new Macros(this.units, this.lines);
    const names = (this.nameIndex = new NameIndex(this.units));
    this.functions = new Functions(this.units, this.lines, names);
    this.callFrames = new CallFrames(sections);
    this.variables = new Variables(names, this.lines, this.functions, this.symbolFile, (frame) => this.unwind(frame));
  }

  /**
   * Opens an image. `name` is what messages call it; `companions` are the files its debug information is spread over
   * (companions.ts finds them). Throws a UserError when it is no linked ELF file for x86.
   */
  static open(name: string, bytes: Uint8Array, companions: Companions = NO_COMPANIONS): SymbolImage {
    return new SymbolImage(ElfFile.parse(name, bytes), companions);
  }

  get name(): string {
    return this.elf.name;
  }

  /** The ELF file that has the symbols: the separate debug file, where the image was stripped. */
  private get symbolFile(): ElfFile {
    const { debugFile } = this.companions;
    return debugFile && debugFile.symbols.length > 0 ? debugFile : this.elf;
  }

  /** ELF symbols, sorted by address. */
  get symbols(): SymbolTable {
    return this.symbolFile.symbols;
  }

  /** Whether reading all of it takes so long that it is worth being done before anybody asks. */
  get isLarge(): boolean {
    return ((this.companions.debugFile ?? this.elf).section('.debug_info')?.size ?? 0) > LARGE;
  }

  /** Whether there is any DWARF; without it only `symbolAt`, `symbolsNamed` and `loadedBytes` know anything. */
  get hasDebugInformation(): boolean {
    return this.units.units.length > 0;
  }

  /** How many compilations it was linked from. */
  get unitCount(): number {
    return this.units.units.length;
  }

  /** Sentences about what is missing from the debug information, to be shown to the user. */
  warnings(): string[] {
    if (this.stabs) return [`${this.name} has its debug information in the old stabs format: lines and functions are known, variables and types are not. Build it with -gdwarf-4 in the place of -gstabs.`];
    if (this.companions.notes.length > 0) return [...this.companions.notes];
    // Reading the split files' units finds out which of them are of another build.
    const missing = this.units.skeletons.length > 0 ? this.units.programUnits.filter((unit) => unit.splitFile !== undefined && unit.skeleton === undefined) : [];
    if (this.units.notes.length > 0 || missing.length === 0) return [...this.units.notes];
    return [`${this.name} was built with -gsplit-dwarf (${missing[0].splitFile} and ${missing.length - 1} more), and the .dwo files were not found: variables and functions are missing.`];
  }

  /**
   * Reads what questions need of the whole image, which takes two or three seconds of a kernel: a piece (of a millisecond,
   * but for the first few) each time that the next is asked for. What has not been read when a question needs it is read then.
   */
  *readAhead(): IterableIterator<void> {
    void this.functionAt(0n);
    yield;
    void this.callFrames.row(0n);
    yield;
    void this.symbolsNamed('');
    yield;
    void this.orc;
    yield;
    yield* this.nameIndex.readAhead();
    yield* this.lines.readFiles();
    yield* this.statements.readAhead();
  }

  /** The bytes the image has at a linear address (zeros for .bss), undefined when not all of them are in a segment. */
  loadedBytes(address: bigint, length: number): Uint8Array | undefined {
    return this.elf.loadedBytes(address, length);
  }

  /** The line table's row for an address. `line` is 0 for code that belongs to no line. */
  lineAt(address: bigint): LineEntry | undefined {
    return this.lines.at(address);
  }

  /** The same, but code that belongs to no line, of which clang has much, counts as what is before it in its function. */
  lineAround(address: bigint): LineEntry | undefined {
    let row = this.lines.at(address);
    if (row?.line !== 0) return row;
    const low = this.functionAt(address)?.ranges.find((range) => address >= range.low && address < range.high)?.low;
    while (row?.line === 0 && low !== undefined && row.address > low) row = this.lines.at(row.address - 1n);
    return row;
  }

  /**
   * The neighbouring code of the same function and line around an address, which a step by line runs through:
   * `[low, high)` and the row at the address.
   */
  lineRangeAt(address: bigint): { low: bigint; high: bigint; entry: LineEntry } | undefined {
    const entry = this.lines.at(address);
    if (!entry) return undefined;
    const range = this.functionAt(address)?.ranges.find(({ low, high }) => address >= low && address < high);
    let { address: low, end: high } = entry;
    for (;;) {
      if (range && low <= range.low) break;
      const before = low > 0n ? this.lines.at(low - 1n) : undefined;
      if (!before || before.line !== entry.line || before.file !== entry.file) break;
      low = before.address;
    }
    for (;;) {
      if (range && high >= range.high) break;
      const after = this.lines.at(high);
      if (!after || after.line !== entry.line || after.file !== entry.file) break;
      high = after.end;
    }
    // Rows may run on into the padding between functions.
    if (range && low < range.low) low = range.low;
    if (range && high > range.high) high = range.high;
    return { low, high, entry };
  }

  /** Every source file the line tables name. */
  files(): readonly SourceFile[] {
    return this.lines.files();
  }

  /** Those of a name, in any folder. */
  filesCalled(name: string): readonly SourceFile[] {
    return this.lines.called(name);
  }

  /** The files the compiler was called with for the units that use a file: itself, or what includes or renames it. */
  primaryFilesOf(file: SourceFile): SourceFile[] {
    return this.lines.primaryFilesOf(file);
  }

  /** Lines of a file that have code, ascending. */
  executableLines(file: SourceFile): number[] {
    return this.statements.executableLines(file);
  }

  /**
   * Where to stop for a breakpoint on a line: once per function (or inlined copy) that has code for it, behind the
   * prologue when the line opens the function. A line without code slides to the next one that has some; the result
   * tells the line found. Empty when no later line has code. With `column` only the code of the first column from there
   * on counts, or that of the last one before it.
   */
  addressesOf(file: SourceFile, line: number, column?: number): LineAddress[] {
    return this.statements.addressesOf(file, line, column, (address) => (this.inlinedAt(address)[0] ?? this.functionAt(address))?.die.identity);
  }

  /** The columns at which statements of a line begin, ascending; empty when the line has no code. */
  columnsOf(file: SourceFile, line: number): number[] {
    return this.statements.columnsOf(file, line);
  }

  /** The rows of the line table from `low` up to `high`, in order; several may have the same address. */
  rows(low: bigint, high: bigint): IterableIterator<LineEntry> {
    return this.lines.rows(low, high);
  }

  /** The function with code at an address. */
  functionAt(address: bigint): FunctionInfo | undefined {
    return this.functions.at(address);
  }

  /** Calls inlined at an address, innermost first. */
  inlinedAt(address: bigint): InlinedCall[] {
    return this.functions.inlinedAt(address);
  }

  /** How many names of functions a pattern stands for, inlined ones too. */
  countFunctions(pattern: string): number {
    return this.functions.count(pattern);
  }
  /** Functions by name, linkage name or pattern (`*`, `?`). */
  findFunctions(nameOrPattern: string): FunctionInfo[] {
    return this.functions.find(nameOrPattern);
  }

  /** Where functions of a name or pattern were inlined into others: the function's name, and where each copy begins. */
  inlinedCopies(nameOrPattern: string): { name: string; address: bigint }[] {
    return this.functions.inlined(nameOrPattern).flatMap(({ name, unit, identity }) => this.statements.inlinedCopies(unit, identity).map((address) => ({ name, address })));
  }

  /**
   * The first address behind a function's prologue: where the compiler marks it, else the second row of the line table
   * (the first stands for the opening brace), else the function's first address: of assembly, and of optimised code whose
   * variables have places from there on, as its second row may be one of a loop.
   */
  afterPrologue(fn: FunctionInfo): bigint {
    const high = fn.ranges.find((range) => fn.low >= range.low && fn.low < range.high)?.high ?? fn.low;
    return this.lines.behindPrologue(fn.low, high) ?? fn.low;
  }

  /** The ELF symbol that covers an address, or the nearest one before it where sizes are missing (assembly). */
  symbolAt(address: bigint): SymbolOffset | undefined {
    const { symbols } = this;
    const low = symbols.countUpTo(address);
    let nearest: ElfSymbol | undefined;
    // Of symbols at one address a sized one, then a global one, names it best.
    const better = (a: ElfSymbol, b: ElfSymbol): boolean => (a.size > 0n !== b.size > 0n ? a.size > 0n : a.binding > b.binding);
    for (let i = low - 1; i >= 0; i--) {
      const symbol = symbols.at(i);
      const covers = address < symbol.address + symbol.size;
      // A sized symbol that ended earlier says nothing, nor does anything before it.
      if (symbol.size > 0n && !covers) break;
      if (!nearest || (symbol.address === nearest.address && better(symbol, nearest))) nearest = symbol;
      // A label inside a sized function is not the function's end: the function names the address.
      if (covers && nearest.size === 0n && symbol.address !== nearest.address) nearest = symbol;
      if (covers && (i === 0 || symbols.at(i - 1).address !== symbol.address)) break;
    }
    if (!nearest || !this.sameSection(nearest, address)) return undefined;
    return { symbol: nearest, offset: address - nearest.address };
  }

  private sameSection(symbol: ElfSymbol, address: bigint): boolean {
    const section = this.symbolFile.sections[symbol.section];
    if (this.symbolFile.isPerProcessor(symbol.section)) return false;
    // An absolute symbol names no more than its own address.
    return (section !== undefined && address >= section.address && address < section.address + BigInt(section.size)) || address === symbol.address;
  }

  /** ELF symbols of a name: several when files have static symbols of the same name. */
  symbolsNamed(name: string): ElfSymbol[] {
    return this.symbols.named(name);
  }

  /** Parameters and locals that are in scope at an address, by scope, innermost first. */
  scopesAt(address: bigint): Scope[] {
    return this.variables.scopesAt(address);
  }

  /** The same as one list, innermost first; an inner variable hides an outer one of its name. */
  variablesAt(address: bigint): Variable[] {
    return this.scopesAt(address).flatMap((scope) => scope.variables);
  }

  /** Variables at file scope by name: several when files have static ones of the same name. */
  globals(name: string): Variable[] {
    return this.variables.globals(name);
  }

  /** Names of all variables at file scope. */
  globalNames(): string[] {
    return this.variables.globalNames();
  }

  /** All names of a kind: bare, as in `guest` for `struct guest`. */
  names(kind: NameKind): Iterable<string> {
    return this.nameIndex.names(kind);
  }

  /** Types by name: `struct x`, `enum x`, a typedef or a base type. */
  types(name: string): Type[] {
    return this.variables.types(name);
  }

  /** Enumerations that have an enumerator of that name. */
  enumerationsWith(name: string): Type[] {
    return this.variables.enumerationsWith(name);
  }

  /** The type of a function: what it returns and takes. */
  typeOf(fn: FunctionInfo): Type {
    return this.variables.typeOfFunction(fn);
  }

  /** Where a variable is in a frame of its function; for a global any frame does. */
  locate(variable: Variable, frame: Frame): Location {
    return this.variables.locate(variable, frame);
  }

  /** A variable with its place in a frame, to be read, formatted and taken apart by values.ts. */
  valueOf(variable: Variable, frame: Frame): Value {
    const location = this.locate(variable, frame);
    return { name: variable.name, type: this.withLength(this.variables.typeIn(variable, frame), variable.name, location), location };
  }

  /** An array whose declaration does not tell its length has that of its symbol. */
  private withLength(type: Type, name: string, location: Location): Type {
    const bare = stripped(type);
    if (bare.kind !== 'array' || bare.count !== undefined || location.kind !== 'memory') return type;
    const size = this.symbolsNamed(name).find((symbol) => symbol.address === location.address)?.size ?? 0n;
    const element = sizeOf(bare.element) ?? 0;
    return size === 0n || element === 0 ? type : { ...bare, count: Number(size) / element };
  }

  /**
   * The frame that called this one: by call frame information where the image has it, then by Linux's ORC tables, else
   * by the chain of frame pointers. Undefined at the end of the stack. For code of no image use `unwindByFramePointer` (unwind.ts).
   */
  unwind(frame: Frame): Caller | undefined {
    return unwindByCfi(this.callFrames, this.elf.machine, frame) ?? this.unwindWithoutTables(frame);
  }

  private get orc(): OrcTable | undefined {
    if (this.orcTable === undefined) this.orcTable = OrcTable.of(this.elf) ?? 'none';
    return this.orcTable === 'none' ? undefined : this.orcTable;
  }

  private unwindWithoutTables(frame: Frame): Caller | undefined {
    const address = lookupAddress(frame);
    if (frame.bits === (this.elf.machine === 'x86' ? 32 : 64) && this.callFrames.row(address)) return undefined;
    const caller = this.orc?.unwind(frame);
    if (caller) return caller === 'end' ? undefined : caller;
    return unwindByFramePointer(frame, this.functionAt(address)?.low ?? this.symbolAt(address)?.symbol.address);
  }
}
