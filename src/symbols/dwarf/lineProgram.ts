import { UserError } from '../../base/errors';
import { Reader } from '../reader';
import { Form } from './constants';
import { skipForm } from './forms';
import { DwarfSections } from './sections';

const isAbsolute = (path: string): boolean => /^([/\\]|[A-Za-z]:[/\\])/.test(path);

/** A file as a line table names it, not yet joined with the compilation directory. */
export class LineFile {
  constructor(
    /** Empty for the compilation directory. */
    readonly folder: string,
    readonly name: string,
  ) {}

  /** Folder and name as written, which may be relative (`../vmm/vmx.c`). */
  get written(): string {
    return this.folder === '' || isAbsolute(this.name) ? this.name : `${this.folder}/${this.name}`;
  }
}

export const ROW_IS_STMT = 1;
export const ROW_PROLOGUE_END = 2;
export const ROW_EPILOGUE_BEGIN = 4;

/**
 * One contiguous run of machine code and its rows, sorted by address. Row i covers `start + offsets[i]` up to the next
 * row's address, the last one up to `end`.
 */
export interface LineSequence {
  readonly start: bigint;
  readonly end: bigint;
  readonly offsets: Float64Array;
  readonly files: Uint32Array;
  readonly lines: Uint32Array;
  readonly columns: Uint32Array;
  readonly flags: Uint8Array;
}

/** A decoded line number program. `files` is indexed as rows and DW_AT_decl_file index it; there may be holes. */
export interface LineTable {
  readonly version: number;
  readonly files: readonly (LineFile | undefined)[];
  /** Decoded on first use. */
  readonly sequences: readonly LineSequence[];
}

interface Header {
  version: number;
  minimumInstructionLength: number;
  defaultIsStmt: boolean;
  lineBase: number;
  lineRange: number;
  opcodeBase: number;
  operandCounts: number[];
  files: (LineFile | undefined)[];
  programStart: number;
  end: number;
}

/** Content types of DWARF 5 file and folder entries (DW_LNCT). */
const LNCT_path = 1;
const LNCT_directory_index = 2;

/** Reads the table of folders or of files of DWARF 5: first the format, then entries in that format. */
const readEntries = (reader: Reader, sections: DwarfSections, offsetSize: 4 | 8, version: number): { path: string; folder: number }[] => {
  const formats = Array.from({ length: reader.u8() }, () => ({ content: reader.uleb(), form: reader.uleb() }));
  const count = reader.uleb();
  if (count > reader.end - reader.position) reader.damaged();
  const entries: { path: string; folder: number }[] = [];
  for (let i = 0; i < count; i++) {
    const entry = { path: '', folder: 0 };
    for (const { content, form } of formats) {
      if (content === LNCT_path && form === Form.string) entry.path = reader.string();
      else if (content === LNCT_path && form === Form.line_strp) entry.path = sections.string('.debug_line_str', reader.offset(offsetSize));
      else if (content === LNCT_path && form === Form.strp) entry.path = sections.string('.debug_str', reader.offset(offsetSize));
      else if (content === LNCT_directory_index && form === Form.udata) entry.folder = reader.uleb();
      else if (content === LNCT_directory_index && form === Form.data1) entry.folder = reader.u8();
      else if (content === LNCT_directory_index && form === Form.data2) entry.folder = reader.u16();
      else skipForm(form, reader, { version, addressSize: 8, offsetSize });
    }
    entries.push(entry);
  }
  return entries;
};

const readHeader = (sections: DwarfSections, offset: number): Header => {
  const reader = sections.reader('.debug_line', offset);
  let length = reader.u32();
  let offsetSize: 4 | 8 = 4;
  if (length === 0xffffffff) {
    offsetSize = 8;
    length = reader.offset(8);
  }
  const end = reader.position + length;
  if (end > reader.end) reader.damaged();
  const version = reader.u16();
  if (version < 2 || version > 5) throw new UserError('dwarf.version', `${reader.what} holds a line table of version ${version}: Hyperstep reads versions 2 to 5, build it with -gdwarf-4.`);
  if (version >= 5) reader.skip(2); // address size and segment selector size
  const headerLength = reader.offset(offsetSize);
  const programStart = reader.position + headerLength;
  const minimumInstructionLength = reader.u8();
  if (version >= 4) reader.u8(); // operations per instruction: 1 on x86
  const defaultIsStmt = reader.u8() !== 0;
  const lineBase = reader.i8();
  const lineRange = reader.u8();
  if (lineRange === 0) reader.damaged();
  const opcodeBase = reader.u8();
  const operandCounts = Array.from({ length: opcodeBase - 1 }, () => reader.u8());
  const files: (LineFile | undefined)[] = [];
  if (version >= 5) {
    // Folder 0 is the compilation directory: a name in it is written without a folder.
    const folders = readEntries(reader, sections, offsetSize, version).map(({ path }) => path);
    for (const { path, folder } of readEntries(reader, sections, offsetSize, version)) files.push(new LineFile(folder === 0 ? '' : (folders[folder] ?? ''), path));
  } else {
    const folders = [''];
    for (let folder = reader.string(); folder !== ''; folder = reader.string()) folders.push(folder);
    files.push(undefined);
    for (let name = reader.string(); name !== ''; name = reader.string()) {
      files.push(new LineFile(folders[reader.uleb()] ?? '', name));
      reader.skipLeb(); // time
      reader.skipLeb(); // length
    }
  }
  return { version, minimumInstructionLength, defaultIsStmt, lineBase, lineRange, opcodeBase, operandCounts, files, programStart, end };
};

/** Collects the rows of one sequence after another; addresses are numbers relative to the sequence's first one. */
class Rows {
  start: bigint | undefined;
  private count = 0;
  private sorted = true;
  private offsets = new Float64Array(1024);
  private files = new Uint32Array(1024);
  private lines = new Uint32Array(1024);
  private columns = new Uint32Array(1024);
  private flags = new Uint8Array(1024);

  /** Forgets what an earlier program has left. */
  begin(): this {
    this.start = undefined;
    this.count = 0;
    this.sorted = true;
    return this;
  }

  add(offset: number, file: number, line: number, column: number, flags: number): void {
    const at = this.count++;
    if (at === this.offsets.length) this.grow();
    if (at > 0 && offset < this.offsets[at - 1]) this.sorted = false;
    this.offsets[at] = offset;
    this.files[at] = file;
    this.lines[at] = line;
    this.columns[at] = column;
    this.flags[at] = flags;
  }

  private grow(): void {
    const larger = <T extends Float64Array | Uint32Array | Uint8Array>(old: T, make: new (length: number) => T): T => {
      const array = new make(old.length * 2);
      array.set(old);
      return array;
    };
    this.offsets = larger(this.offsets, Float64Array);
    this.files = larger(this.files, Uint32Array);
    this.lines = larger(this.lines, Uint32Array);
    this.columns = larger(this.columns, Uint32Array);
    this.flags = larger(this.flags, Uint8Array);
  }

  /** Ends the sequence, `offset` being the first one behind it, and begins the next. */
  finish(offset: number): LineSequence | undefined {
    const { start, count, sorted } = this;
    this.begin();
    if (start === undefined || count === 0 || !Number.isSafeInteger(offset)) return undefined;
    const order = sorted ? undefined : Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) => this.offsets[a] - this.offsets[b] || a - b);
    const taken = <T extends Float64Array | Uint32Array | Uint8Array>(all: T): T => (order ? all.slice(0, count).map((_, i) => all[order[i]]) : all.slice(0, count)) as T;
    const offsets = taken(this.offsets);
    const shift = offsets[0];
    if (shift !== 0) for (let i = 0; i < count; i++) offsets[i] -= shift;
    return { start: start + BigInt(shift), end: start + BigInt(offset), offsets, files: taken(this.files), lines: taken(this.lines), columns: taken(this.columns), flags: taken(this.flags) };
  }
}

/** One program runs at a time, and the room for its rows serves the next. */
const ROWS = new Rows();

/** Runs the program (DWARF 5, "Line Number Information", "The Line Number Program"). */
const runProgram = (sections: DwarfSections, header: Header): LineSequence[] => {
  const { minimumInstructionLength, defaultIsStmt, lineBase, lineRange, opcodeBase, operandCounts, files } = header;
  const reader = sections.reader('.debug_line', header.programStart, header.end);
  const sequences: LineSequence[] = [];
  const builder = ROWS.begin();
  // The state machine's registers. `offset` is the address relative to the sequence's first DW_LNE_set_address.
  let offset = 0;
  let file = 1;
  let line = 1;
  let column = 0;
  let flags = defaultIsStmt ? ROW_IS_STMT : 0;
  const emit = (): void => {
    builder.add(offset, file, line, column, flags);
    flags &= ROW_IS_STMT;
  };
  const advance = (operations: number): void => {
    offset += operations * minimumInstructionLength;
  };
  const extended = (): void => {
    const length = reader.uleb();
    const next = reader.position + length;
    if (length === 0) return;
    switch (reader.u8()) {
      case 1: { // DW_LNE_end_sequence
        const sequence = builder.finish(offset);
        if (sequence) sequences.push(sequence);
        offset = 0;
        file = 1;
        line = 1;
        column = 0;
        flags = defaultIsStmt ? ROW_IS_STMT : 0;
        break;
      }
      case 2: { // DW_LNE_set_address
        const address = reader.unsigned(length - 1);
        builder.start ??= address;
        offset = Number(address - builder.start);
        break;
      }
      case 3: // DW_LNE_define_file
        files.push(new LineFile('', reader.string()));
        break;
    }
    reader.position = next;
  };
  while (!reader.atEnd) {
    const opcode = reader.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      advance(Math.floor(adjusted / lineRange));
      line += lineBase + (adjusted % lineRange);
      emit();
      continue;
    }
    switch (opcode) {
      case 0: extended(); break;
      case 1: emit(); break; // DW_LNS_copy
      case 2: advance(reader.uleb()); break; // advance_pc
      case 3: line += reader.sleb(); break; // advance_line
      case 4: file = reader.uleb(); break; // set_file
      case 5: column = reader.uleb(); break; // set_column
      case 6: flags ^= ROW_IS_STMT; break; // negate_stmt
      case 7: break; // set_basic_block
      case 8: advance(Math.floor((255 - opcodeBase) / lineRange)); break; // const_add_pc
      case 9: offset += reader.u16(); break; // fixed_advance_pc
      case 10: flags |= ROW_PROLOGUE_END; break; // set_prologue_end
      case 11: flags |= ROW_EPILOGUE_BEGIN; break; // set_epilogue_begin
      default: for (let i = 0; i < operandCounts[opcode - 1]; i++) reader.skipLeb(); // set_isa and what may come
    }
  }
  return sequences.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
};

/** Reads the header of a line table; the program runs when `sequences` is first asked for. */
export const readLineTable = (sections: DwarfSections, offset: number): LineTable => {
  const header = readHeader(sections, offset);
  let sequences: LineSequence[] | undefined;
  return {
    version: header.version,
    files: header.files,
    get sequences() {
      // Sequences that are no code of the image belong to functions the linker dropped.
      return (sequences ??= runProgram(sections, header).filter(({ start }) => sections.elf.isCode(start)));
    },
  };
};
