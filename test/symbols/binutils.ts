/**
 * Compares what src/symbols decodes with what binutils' readelf decodes: line tables, functions with their code, and
 * call frame tables. Not part of the unit tests, as it needs binutils:
 *
 *   npx tsx test/symbols/binutils.ts [ELF...]
 *
 * Without arguments it takes the fixtures and the lab's images, where they are built.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CallFrames, FrameRow } from '../../src/symbols/dwarf/cfi';
import { At, Tag } from '../../src/symbols/dwarf/constants';
import { rangesOf } from '../../src/symbols/dwarf/ranges';
import { DwarfSections } from '../../src/symbols/dwarf/sections';
import { UnitIndex } from '../../src/symbols/dwarf/unitIndex';
import { ElfFile } from '../../src/symbols/elf';
import { Lines } from '../../src/symbols/lines';
import { ROW_IS_STMT } from '../../src/symbols/dwarf/lineProgram';

const root = path.join(__dirname, '../..');

const readelf = (elf: string, what: string): string =>
  execFileSync('readelf', ['-W', '--debug-dump=no-follow-links', `--debug-dump=${what}`, elf], { encoding: 'utf8', maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'ignore'] });

/** Rows as `address file line stmt`, sorted: readelf and we list units and sequences in different orders. */
const linesOfReadelf = (elf: ElfFile, file: string): string[] => {
  const rows: string[] = [];
  for (const [, name, line, address, stmt] of readelf(file, 'decodedline').matchAll(/^(\S.*?) +(\d+) +(0x[0-9a-f]+|0)(?:\[\d+\])?(?: +\d+)?( +x)? *$/gm)) {
    if (elf.isCode(BigInt(address))) rows.push(`${BigInt(address).toString(16)} ${path.basename(name)} ${line} ${stmt ? 'x' : '-'}`);
  }
  return rows.sort();
};

const ourLines = (units: UnitIndex): string[] => {
  const lines = new Lines(() => units.programUnits, (address) => units.at(address));
  const rows: string[] = [];
  const seen = new Set<number>();
  for (const unit of units.programUnits) {
    const offset = unit.lineOffset;
    if (offset === undefined || seen.has(offset)) continue;
    seen.add(offset);
    const table = lines.table(unit);
    for (const sequence of table?.sequences ?? []) {
      for (let i = 0; i < sequence.offsets.length; i++) {
        const name = path.basename(table!.files[sequence.files[i]]?.written ?? '<unknown>');
        rows.push(`${(sequence.start + BigInt(sequence.offsets[i])).toString(16)} ${name} ${sequence.lines[i]} ${sequence.flags[i] & ROW_IS_STMT ? 'x' : '-'}`);
      }
    }
  }
  return rows.sort();
};

/** Functions as `offset low high name`: DIEs with DW_AT_low_pc and DW_AT_high_pc, and the name where they have their own. */
const functionsOfReadelf = (elf: ElfFile, file: string): string[] => {
  const functions: string[] = [];
  let die: { tag: string; offset: string; low?: bigint; high?: bigint; name?: string } | undefined;
  const finish = (): void => {
    if (die?.tag === 'DW_TAG_subprogram' && die.low !== undefined && die.high !== undefined && elf.isCode(die.low)) functions.push(`${die.offset} ${die.low.toString(16)} ${(die.high < die.low ? die.low + die.high : die.high).toString(16)} ${die.name ?? ''}`);
  };
  for (const line of readelf(file, 'info').split('\n')) {
    const head = /^ <[0-9a-f]+><([0-9a-f]+)>: Abbrev Number: \d+ \((\w+)\)/.exec(line);
    if (head) {
      finish();
      die = { offset: head[1], tag: head[2] };
      continue;
    }
    const attribute = /^ +<[0-9a-f]+> +DW_AT_(low_pc|high_pc|name) +: (?:\([^)]*\):? )*(.*?)\s*$/.exec(line);
    if (!attribute || !die) continue;
    if (attribute[1] === 'name') die.name = attribute[2];
    else die[attribute[1] === 'low_pc' ? 'low' : 'high'] = BigInt(attribute[2]); // readelf writes some lengths in decimal
  }
  finish();
  return functions.sort();
};

const ourFunctions = (elf: ElfFile, units: UnitIndex): string[] => {
  const functions: string[] = [];
  for (const unit of units.units) {
    for (const die of unit.withTag(Tag.subprogram)) {
      const [range] = rangesOf(die);
      if (range && die.has(At.low_pc) && !die.has(At.ranges) && elf.isCode(range.low)) functions.push(`${die.offset.toString(16)} ${range.low.toString(16)} ${range.high.toString(16)} ${die.string(At.name) ?? ''}`);
    }
  }
  return functions.sort();
};

const REGISTERS: Record<string, readonly string[]> = {
  'x86-64': ['rax', 'rdx', 'rcx', 'rbx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'ra'],
  x86: ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', 'ra'],
};

const signed = (value: bigint): string => (value < 0n ? String(value) : `+${value}`);

/** How readelf writes a column of the frame table. */
const column = (row: FrameRow, name: string, names: readonly string[]): string => {
  if (name === 'CFA') return row.cfa.kind === 'expression' ? 'exp' : `${names[row.cfa.register]}${signed(row.cfa.offset)}`;
  const rule = row.rules.get(names.indexOf(name));
  switch (rule?.kind) {
    case undefined: case 'undefined': return 'u';
    case 'same': return 's';
    case 'offset': return `c${signed(rule.offset)}`;
    case 'valueOffset': return `v${signed(rule.offset)}`;
    case 'register': return names[rule.register];
    case 'expression': return 'exp';
    case 'valueExpression': return 'vexp';
  }
};

/** Compares each row readelf interprets with ours at the same address; returns how many and the first differences. */
const compareFrames = (elf: ElfFile, sections: DwarfSections, file: string): { rows: number; wrong: string[] } => {
  const frames = new CallFrames(sections);
  const names = REGISTERS[elf.machine];
  const wrong: string[] = [];
  let rows = 0;
  let columns: string[] = [];
  let inFde = false;
  // A file of debug information alone has the sections' headers without their bytes.
  if (sections.size('.eh_frame') + sections.size('.debug_frame') === 0) return { rows, wrong };
  for (const line of readelf(file, 'frames-interp').split('\n')) {
    if (/ CIE /.test(line)) inFde = false;
    else if (/ FDE /.test(line)) inFde = true;
    else if (/^ +LOC /.test(line)) columns = line.trim().split(/ +/).slice(1);
    else if (/^[0-9a-f]{8,16} /.test(line) && inFde) {
      const [location, ...cells] = line.trim().split(/ +/);
      const address = BigInt(`0x${location}`);
      if (!elf.isCode(address)) continue;
      rows++;
      const row = frames.row(address);
      const mine = row ? columns.map((name) => column(row, name, names)) : ['none'];
      if (mine.join(' ') !== cells.join(' ')) wrong.push(`${location}: readelf ${cells.join(' ')}, ours ${mine.join(' ')} (${columns.join(' ')})`);
    }
  }
  return { rows, wrong };
};

/** Differences between two sorted lists, in both directions. */
const differences = (theirs: string[], ours: string[]): string[] => {
  const count = new Map<string, number>();
  for (const row of theirs) count.set(row, (count.get(row) ?? 0) + 1);
  for (const row of ours) count.set(row, (count.get(row) ?? 0) - 1);
  return [...count].filter(([, n]) => n !== 0).map(([row, n]) => `${n > 0 ? 'only readelf' : 'only ours'}: ${row}`);
};

const labImages = (): string[] => {
  const folder = path.join(root, 'lab/images');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.elf')).map((name) => path.join(folder, name));
};

const fixtures = path.join(root, 'test/fixtures/symbols');
const files = process.argv.length > 2 ? process.argv.slice(2) : [...readdirSync(fixtures).filter((name) => name.endsWith('.elf')).map((name) => path.join(fixtures, name)), ...labImages()];
let failed = false;
for (const file of files) {
  const elf = ElfFile.parse(path.basename(file), new Uint8Array(readFileSync(file)));
  const sections = new DwarfSections(elf);
  const units = new UnitIndex(sections);
  const [theirLines, lines] = [linesOfReadelf(elf, file), ourLines(units)];
  const [theirFunctions, functions] = [functionsOfReadelf(elf, file), ourFunctions(elf, units)];
  const frames = compareFrames(elf, sections, file);
  const wrong = [...differences(theirLines, lines), ...differences(theirFunctions, functions), ...frames.wrong];
  console.log(`${elf.name}: ${lines.length} line rows, ${functions.length} functions, ${frames.rows} frame rows: ${wrong.length === 0 ? 'as readelf' : `${wrong.length} differences`}`);
  for (const text of wrong.slice(0, 10)) console.log(`  ${text}`);
  if (wrong.length > 0) failed = true;
}
process.exitCode = failed ? 1 : 0;
