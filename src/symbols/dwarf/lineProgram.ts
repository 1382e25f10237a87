import { UserError } from '../../base/errors';
import { LineFile, LineFiles, readFiles, readOldFiles } from './lineFiles';
import { DwarfSections } from './sections';
import { firstFrom } from '../sorted';

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

/** A decoded line number program. */
export interface LineTable {
  readonly version: number;
  readonly files: LineFiles;
  /** Decoded on first use, and kept. */
  readonly sequences: readonly LineSequence[];
  /** The same for one look at all of them: what has not been kept already is not kept for it. */
  decode(): readonly LineSequence[];
}

interface Header {
  version: number;
  minimumInstructionLength: number;
  defaultIsStmt: boolean;
  lineBase: number;
  lineRange: number;
  opcodeBase: number;
  operandCounts: number[];
  files: LineFiles;
  programStart: number;
  end: number;
}

const readHeader = (sections: DwarfSections, offset: number): Header => {
  const reader = sections.reader('.debug_line', offset);
  const { offsetSize, end } = reader.initialLength();
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
  const files = version >= 5 ? readFiles(reader, sections, version, offsetSize) : readOldFiles(reader);
  return { version, minimumInstructionLength, defaultIsStmt, lineBase, lineRange, opcodeBase, operandCounts, files, programStart, end };
};

/** Where a program puts its rows, of all its sequences one behind the other; addresses are numbers relative to the sequence's first one. */
class Rows {
  offsets = new Float64Array(0);
  files = new Uint32Array(0);
  lines = new Uint32Array(0);
  columns = new Uint32Array(0);
  flags = new Uint8Array(0);

  /** Makes room for so many rows, and forgets what an earlier program has left. */
  begin(most: number): this {
    if (this.flags.length < most) {
      this.offsets = new Float64Array(most);
      this.files = new Uint32Array(most);
      this.lines = new Uint32Array(most);
      this.columns = new Uint32Array(most);
      this.flags = new Uint8Array(most);
    }
    return this;
  }

  /** The sequence of the rows from `first` up to `behind`, `end` being the first address behind it. */
  sequence(first: number, behind: number, start: bigint, end: number): LineSequence | undefined {
    if (first === behind || !Number.isSafeInteger(end)) return undefined;
    let sorted = true;
    for (let i = first + 1; i < behind && sorted; i++) sorted = this.offsets[i] >= this.offsets[i - 1];
    const order = sorted ? undefined : Uint32Array.from({ length: behind - first }, (_, i) => first + i).sort((a, b) => this.offsets[a] - this.offsets[b] || a - b);
    const taken = <T extends Float64Array | Uint32Array | Uint8Array>(all: T): T => (order ? all.slice(first, behind).map((_, i) => all[order[i]]) : all.slice(first, behind)) as T;
    const offsets = taken(this.offsets);
    const shift = offsets[0];
    if (shift !== 0) for (let i = 0; i < offsets.length; i++) offsets[i] -= shift;
    return { start: start + BigInt(shift), end: start + BigInt(end), offsets, files: taken(this.files), lines: taken(this.lines), columns: taken(this.columns), flags: taken(this.flags) };
  }
}

/** One program runs at a time, and the room for its rows serves the next. */
const ROWS = new Rows();

/** Behind a LEB128. */
const behindLeb = (bytes: Uint8Array, at: number): number => {
  while (bytes[at++] & 0x80);
  return at;
};

const ulebAt = (bytes: Uint8Array, at: number): number => {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * scale;
    if (!(byte & 0x80)) return value;
  }
};

const slebAt = (bytes: Uint8Array, at: number): number => {
  const behind = behindLeb(bytes, at);
  const value = ulebAt(bytes, at);
  return bytes[behind - 1] & 0x40 ? value - 128 ** (behind - at) : value;
};

/**
 * Runs the program (DWARF 5, "Line Number Information", "The Line Number Program"). It reads the bytes themselves, as a
 * kernel's tables have millions of rows and a file's is run whole for its first question; the end is checked behind it.
 */
const runProgram = (sections: DwarfSections, header: Header): LineSequence[] => {
  const { minimumInstructionLength, defaultIsStmt, lineBase, lineRange, opcodeBase, operandCounts, programStart, end } = header;
  const reader = sections.reader('.debug_line', programStart, end);
  const { bytes } = reader;
  const constantAdvance = Math.floor((255 - opcodeBase) / lineRange) * minimumInstructionLength;
  const firstFlags = defaultIsStmt ? ROW_IS_STMT : 0;
  const sequences: LineSequence[] = [];
  // No row takes less than a byte.
  const rows = ROWS.begin(Math.max(end - programStart, 0));
  const { offsets, files, lines, columns, flags: rowFlags } = rows;
  let at = programStart;
  let count = 0;
  let first = 0;
  // The state machine's registers. `offset` is the address relative to the sequence's first DW_LNE_set_address.
  let start: bigint | undefined;
  let offset = 0;
  let file = 1;
  let line = 1;
  let column = 0;
  let flags = firstFlags;
  while (at < end) {
    const opcode = bytes[at++];
    // What most opcodes have: one operand, of one byte.
    const operand = bytes[at];
    if (opcode >= opcodeBase) {
      const advance = ((opcode - opcodeBase) / lineRange) | 0;
      offset += advance * minimumInstructionLength;
      line += lineBase + (opcode - opcodeBase - advance * lineRange);
    }
    if (opcode >= opcodeBase || opcode === 1) { // DW_LNS_copy
      offsets[count] = offset;
      files[count] = file;
      lines[count] = line;
      columns[count] = column;
      rowFlags[count++] = flags;
      flags &= ROW_IS_STMT;
      continue;
    }
    switch (opcode) {
      case 0: { // an extended opcode
        const body = behindLeb(bytes, at);
        const next = body + ulebAt(bytes, at);
        const extended = next > body ? bytes[body] : 0;
        if (extended === 1) { // DW_LNE_end_sequence
          const sequence = start === undefined ? undefined : rows.sequence(first, count, start, offset);
          if (sequence) sequences.push(sequence);
          start = undefined;
          first = count;
          offset = 0;
          file = 1;
          line = 1;
          column = 0;
          flags = firstFlags;
        } else if (extended === 2) { // DW_LNE_set_address
          const address = reader.at(body + 1, end).unsigned(next - body - 1);
          start ??= address;
          offset = Number(address - start);
        } else if (extended === 3) header.files.add(new LineFile('', reader.at(body + 1, end).string())); // DW_LNE_define_file
        at = next;
        break;
      }
      case 2: // advance_pc
        offset += (operand < 0x80 ? operand : ulebAt(bytes, at)) * minimumInstructionLength;
        at = behindLeb(bytes, at);
        break;
      case 3: // advance_line
        line += slebAt(bytes, at);
        at = behindLeb(bytes, at);
        break;
      case 4: // set_file
        file = operand < 0x80 ? operand : ulebAt(bytes, at);
        at = behindLeb(bytes, at);
        break;
      case 5: // set_column
        column = operand < 0x80 ? operand : ulebAt(bytes, at);
        at = behindLeb(bytes, at);
        break;
      case 6: flags ^= ROW_IS_STMT; break; // negate_stmt
      case 7: break; // set_basic_block
      case 8: offset += constantAdvance; break; // const_add_pc
      case 9: // fixed_advance_pc
        offset += operand | (bytes[at + 1] << 8);
        at += 2;
        break;
      case 10: flags |= ROW_PROLOGUE_END; break; // set_prologue_end
      case 11: flags |= ROW_EPILOGUE_BEGIN; break; // set_epilogue_begin
      default: for (let i = 0; i < operandCounts[opcode - 1]; i++) at = behindLeb(bytes, at); // set_isa and what may come
    }
  }
  if (at > end) reader.damaged();
  return sequences.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
};

/**
 * Where the prologue of code that begins at `low` ends: where the compiler marks it, else at the second row (the first
 * stands for the opening brace) unless there is none to be passed, else undefined. All count from the sequence's start.
 */
export const behindPrologue = (sequence: LineSequence, low: number, high: number, needsNone: boolean): number | undefined => {
  const { offsets, lines, flags } = sequence;
  let second: number | undefined;
  let rows = 0;
  for (let row = firstFrom(offsets, low); row < offsets.length && offsets[row] < high; row++) {
    if (lines[row] === 0) continue;
    if (flags[row] & ROW_PROLOGUE_END) return offsets[row];
    if (flags[row] & ROW_IS_STMT && ++rows === 2) second = offsets[row];
  }
  return needsNone ? undefined : second;
};

/** Reads the header of a line table; the program runs when its rows are first asked for. */
export const readLineTable = (sections: DwarfSections, offset: number): LineTable => {
  const header = readHeader(sections, offset);
  // Sequences that are no code of the image belong to functions the linker dropped.
  const run = (): LineSequence[] => runProgram(sections, header).filter(({ start }) => sections.elf.isCode(start));
  let sequences: LineSequence[] | undefined;
  return {
    version: header.version,
    files: header.files,
    get sequences() { return (sequences ??= run()); },
    decode: () => sequences ?? run(),
  };
};
