/**
 * Stabs, the debug information of old makefiles (`-gstabs`), told as DWARF 2: the lines and functions of `.stab` become
 * `.debug_info`, `.debug_abbrev` and `.debug_line`, and everything else reads those. Types and variables are left out.
 * Source: the document "The stabs debug format".
 */
import { At, Form, Tag } from './dwarf/constants';
import type { SectionSource } from './dwarf/sections';
import type { ElfFile } from './elf';
import { Reader } from './reader';

/** Kinds of stabs. */
const Kind = { UNDF: 0x00, FUN: 0x24, SLINE: 0x44, SO: 0x64, SOL: 0x84 } as const;
const ENTRY = 12;

interface Row {
  address: number;
  file: string;
  line: number;
}
interface Subprogram {
  name: string;
  external: boolean;
  file: string;
  line: number;
  low: number;
  /** 0 until the end is known. */
  high: number;
}
interface Unit {
  folder: string;
  name: string;
  low: number;
  high: number;
  rows: Row[];
  functions: Subprogram[];
}

/** The compilations that `.stab` tells of, in its order. */
export function readStabs(stab: Uint8Array, strings: Uint8Array, name: string): Unit[] {
  const reader = new Reader(stab, `${name}, section .stab,`);
  const text = (at: number): string => (at < strings.length ? new Reader(strings, `${name}, section .stabstr,`, at).string() : '');
  const units: Unit[] = [];
  let unit: Unit | undefined;
  let fn: Subprogram | undefined;
  let file = '';
  let folder = '';
  // Each object's strings begin behind those of the one before, where the linker has not merged them.
  let base = 0;
  let next = 0;
  const endFunction = (at: number): void => {
    if (fn && fn.high === 0) fn.high = Math.max(fn.low, at);
    fn = undefined;
  };
  while (reader.position + ENTRY <= reader.end) {
    const at = reader.u32();
    const kind = reader.u8();
    reader.skip(1);
    const line = reader.u16();
    const value = reader.u32();
    if (kind === Kind.UNDF) {
      base = next;
      next += value;
    } else if (kind === Kind.SO) {
      const source = at === 0 ? '' : text(base + at);
      endFunction(value);
      if (unit) unit.high = Math.max(unit.low, value);
      unit = undefined;
      if (source.endsWith('/')) folder = source;
      else if (source !== '') {
        units.push((unit = { folder, name: source, low: value, high: value, rows: [], functions: [] }));
        file = source;
        folder = '';
      }
    } else if (kind === Kind.SOL) file = text(base + at);
    else if (kind === Kind.FUN && unit) {
      const [called = '', type = ''] = text(base + at).split(':');
      // An empty name tells the length of the function before.
      if (called === '') endFunction((fn?.low ?? 0) + value);
      else {
        endFunction(value);
        unit.functions.push((fn = { name: called, external: type.startsWith('F'), file, line, low: value, high: 0 }));
      }
    } else if (kind === Kind.SLINE && unit) {
      // Lines of a function count from its start, those of assembly are addresses.
      const address = (fn?.low ?? 0) + value;
      if (fn && fn.line === 0) {
        fn.line = line;
        fn.file = file;
      }
      unit.rows.push({ address, file, line });
      unit.high = Math.max(unit.high, address + 1);
    }
  }
  return units.filter((u) => u.rows.length > 0 || u.functions.length > 0);
}

/** Bytes of a section in the making. */
class Section {
  readonly bytes: number[] = [];

  u8(...values: number[]): this {
    for (const v of values) this.bytes.push(v & 0xff);
    return this;
  }
  number(value: number, size: number): this {
    for (let i = 0; i < size; i++) this.u8(i < 4 ? value >>> (i * 8) : 0);
    return this;
  }
  leb(value: number): this {
    for (let v = value; ; v >>>= 7) {
      if (v < 0x80) return this.u8(v);
      this.u8(v | 0x80);
    }
  }
  signedLeb(value: number): this {
    for (let v = value | 0; ; v >>= 7) {
      const more = v < -0x40 || v > 0x3f;
      this.u8((v & 0x7f) | (more ? 0x80 : 0));
      if (!more) return this;
    }
  }
  text(value: string): this {
    return this.u8(...new TextEncoder().encode(value), 0);
  }
  /** Appends what `fill` writes, with its length of four bytes before it. */
  counted(fill: (inner: Section) => void): this {
    const inner = new Section();
    fill(inner);
    this.number(inner.bytes.length, 4);
    for (const b of inner.bytes) this.bytes.push(b);
    return this;
  }
}

const VERSION = 2;
const UNIT = 1;
const FUNCTION = 2;
const FLAT_FUNCTION_ATTRIBUTES = [[At.name, Form.string], [At.external, Form.flag], [At.decl_file, Form.data4], [At.decl_line, Form.data4], [At.low_pc, Form.addr], [At.high_pc, Form.addr]] as const;
const UNIT_ATTRIBUTES = [[At.name, Form.string], [At.comp_dir, Form.string], [At.low_pc, Form.addr], [At.high_pc, Form.addr], [At.stmt_list, Form.data4]] as const;
/** Operands of the standard opcodes 1 to 9. */
const OPCODE_LENGTHS = [0, 1, 1, 1, 1, 0, 0, 0, 1];
const Opcode = { EXTENDED: 0, COPY: 1, ADVANCE_PC: 2, ADVANCE_LINE: 3, SET_FILE: 4 } as const;
const Extended = { END_SEQUENCE: 1, SET_ADDRESS: 2 } as const;

function abbreviations(): Section {
  const section = new Section();
  const row = (code: number, tag: number, children: boolean, attributes: readonly (readonly [number, number])[]): void => {
    section.leb(code).leb(tag).u8(children ? 1 : 0);
    for (const [attribute, form] of attributes) section.leb(attribute).leb(form);
    section.u8(0, 0);
  };
  row(UNIT, Tag.compile_unit, true, UNIT_ATTRIBUTES);
  row(FUNCTION, Tag.subprogram, false, FLAT_FUNCTION_ATTRIBUTES);
  return section.u8(0);
}

/** Files of a unit; its line program numbers them from 1 on. */
const filesOf = (unit: Unit): string[] => [...new Set([unit.name, ...unit.rows.map((r) => r.file), ...unit.functions.map((f) => f.file)])];

function lineProgram(section: Section, unit: Unit, files: readonly string[], word: number): void {
  section.counted((program) => {
    program.number(VERSION, 2);
    // Minimum instruction length 1, rows are statements, and special opcodes are not used: line base, line range, opcode base.
    program.counted((header) => {
      header.u8(1, 1, 0, 1, OPCODE_LENGTHS.length + 1, ...OPCODE_LENGTHS, 0);
      for (const file of files) header.text(file).u8(0, 0, 0);
      header.u8(0);
    });
    let [address, line, file] = [NaN, 1, 1];
    const extended = (opcode: number, operand: Section): void => void program.u8(Opcode.EXTENDED).leb(operand.bytes.length + 1).u8(opcode, ...operand.bytes);
    for (const row of [...unit.rows].sort((a, b) => a.address - b.address)) {
      if (Number.isNaN(address)) extended(Extended.SET_ADDRESS, new Section().number(row.address, word));
      else if (row.address !== address) program.u8(Opcode.ADVANCE_PC).leb(row.address - address);
      address = row.address;
      const number = files.indexOf(row.file) + 1;
      if (number !== file) program.u8(Opcode.SET_FILE).leb((file = number));
      if (row.line !== line) program.u8(Opcode.ADVANCE_LINE).signedLeb(row.line - line);
      line = row.line;
      program.u8(Opcode.COPY);
    }
    if (Number.isNaN(address)) return;
    program.u8(Opcode.ADVANCE_PC).leb(Math.max(0, unit.high - address));
    extended(Extended.END_SEQUENCE, new Section());
  });
}

/** The sections that say in DWARF what an image's `.stab` says; undefined for an image without it, or with DWARF of its own. */
export function stabsAsDwarf(elf: ElfFile): SectionSource | undefined {
  if (elf.contentsOf('.debug_info')) return undefined;
  const [stab, strings] = [elf.contentsOf('.stab'), elf.contentsOf('.stabstr')];
  if (!stab || !strings) return undefined;
  const word = elf.bits / 8;
  const info = new Section();
  const lines = new Section();
  for (const unit of readStabs(stab, strings, elf.name)) {
    const program = lines.bytes.length;
    const files = filesOf(unit);
    lineProgram(lines, unit, files, word);
    info.counted((u) => {
      u.number(VERSION, 2).number(0, 4).u8(word);
      u.leb(UNIT).text(unit.name).text(unit.folder).number(unit.low, word).number(unit.high, word).number(program, 4);
      for (const f of unit.functions) u.leb(FUNCTION).text(f.name).u8(f.external ? 1 : 0).number(files.indexOf(f.file) + 1, 4).number(f.line, 4).number(f.low, word).number(f.high === 0 ? unit.high : f.high, word);
      u.u8(0);
    });
  }
  const made = new Map([['.debug_info', info], ['.debug_abbrev', abbreviations()], ['.debug_line', lines]].map(([name, section]) => [name, Uint8Array.from((section as Section).bytes)] as [string, Uint8Array]));
  return { name: elf.name, contentsOf: (section) => made.get(section) ?? elf.contentsOf(section) };
}
