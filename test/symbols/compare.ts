/**
 * Compares what src/symbols decodes with what binutils decode: line tables and call frame tables with readelf, scopes
 * with objdump, what is at random addresses with addr2line, and a kernel's ORC tables with its call frame information.
 *
 *   npm run test:symbols                          the fixtures and the lab
 *   npm run test:symbols -- linux busybox FILE... Debian's Linux (a package of 300 MB), its busybox, built here with -g (a minute), and other programs
 *
 * A difference counts as wrong unless disagreements.ts explains it. Where binutils or a package cannot be had, a
 * sentence says so and the comparison is left out.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { CallFrames, FrameRow } from '../../src/symbols/dwarf/cfi';
import { At, Tag } from '../../src/symbols/dwarf/constants';
import { Die } from '../../src/symbols/dwarf/die';
import { readLineTable, ROW_IS_STMT } from '../../src/symbols/dwarf/lineProgram';
import { rangesOf } from '../../src/symbols/dwarf/ranges';
import { DwarfSections } from '../../src/symbols/dwarf/sections';
import { Unit } from '../../src/symbols/dwarf/unit';
import { UnitIndex } from '../../src/symbols/dwarf/unitIndex';
import { ElfFile } from '../../src/symbols/elf';
import { readWord, type Frame } from '../../src/symbols/frame';
import { SymbolImage } from '../../src/symbols/image';
import { OrcTable } from '../../src/symbols/orc';
import { RBP, RSP } from '../../src/symbols/registers';
import { unwindByCfi } from '../../src/symbols/unwind';
import { DISAGREEMENTS } from './disagreements';
import { busybox, fixtures, lab, linux } from './images';

/** Larger .debug_info than this is compared by samples of its units. */
const WHOLE = 16 * 2 ** 20;
const SAMPLED_UNITS = 40;
const ADDRESSES = 2000;
const ORC_ADDRESSES = 40_000;
/** Assembly inside of C pushes one or two words. */
const INLINE_PUSHES = 16n;
/** What a function had pushed before it went to the interrupt stack. */
const SWITCHED_FRAME = 64n;
const R10 = 10;
const SHF_COMPRESSED = 0x800;

/** What a comparison found. */
interface Result {
  compared: number;
  wrong: string[];
}

const READELF = ['-W', '--debug-dump=no-follow-links'];

/** The lines a program prints, until `stop` says that the rest is not wanted. */
async function* output(command: string, args: readonly string[]): AsyncIterableIterator<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    yield* createInterface({ input: child.stdout, crlfDelay: Infinity });
  } finally {
    child.kill();
  }
}

/** Differences between two lists, whatever their order. */
const differences = (theirs: readonly string[], ours: readonly string[], what: string): string[] => {
  const count = new Map<string, number>();
  for (const row of theirs) count.set(row, (count.get(row) ?? 0) + 1);
  for (const row of ours) count.set(row, (count.get(row) ?? 0) - 1);
  return [...count].filter(([, n]) => n !== 0).map(([row, n]) => `${n > 0 ? `only ${what}` : 'only ours'}: ${row}`);
};

/** Rows of our line tables, table after table as the section has them. */
function* ourTables(sections: DwarfSections): IterableIterator<string[]> {
  for (let offset = 0; offset < sections.size('.debug_line'); ) {
    const reader = sections.reader('.debug_line', offset);
    const length = reader.u32();
    const end = length === 0xffffffff ? reader.offset(8) + reader.position : length + reader.position;
    const table = readLineTable(sections, offset);
    const rows: string[] = [];
    for (const sequence of table.sequences) {
      for (let i = 0; i < sequence.offsets.length; i++) {
        const name = path.basename(table.files.at(sequence.files[i])?.written ?? '<unknown>');
        rows.push(`${(sequence.start + BigInt(sequence.offsets[i])).toString(16)} ${name} ${sequence.lines[i]} ${sequence.flags[i] & ROW_IS_STMT ? 'x' : '-'}`);
      }
    }
    yield rows;
    offset = end;
  }
}

const LINE_ROW = /^(\S.*?) +(\d+) +(0x[0-9a-f]+|0)(?:\[\d+\])?(?: +\d+)?( +x)? *$/;

async function compareLines(elf: ElfFile, file: string): Promise<Result> {
  const result: Result = { compared: 0, wrong: [] };
  const ours = ourTables(new DwarfSections(elf));
  let theirs: string[] | undefined;
  const finish = (): void => {
    if (!theirs) return;
    const mine = ours.next();
    result.compared += theirs.length;
    result.wrong.push(...(mine.done ? ['only readelf: a line table'] : differences(theirs, mine.value, 'readelf')));
  };
  for await (const line of output('readelf', [...READELF, '--debug-dump=decodedline', file])) {
    if (line.startsWith('File name ')) {
      finish();
      theirs = [];
      continue;
    }
    const row = LINE_ROW.exec(line);
    if (!row || !theirs) continue;
    const address = BigInt(row[3]);
    if (elf.isCode(address)) theirs.push(`${address.toString(16)} ${path.basename(row[1])} ${row[2]} ${row[4] ? 'x' : '-'}`);
  }
  finish();
  if (!ours.next().done) result.wrong.push('only ours: a line table');
  return result;
}

const SCOPE_TAGS: Record<number, string> = { [Tag.subprogram]: 'subprogram', [Tag.lexical_block]: 'lexical_block', [Tag.inlined_subroutine]: 'inlined_subroutine', [Tag.variable]: 'variable', [Tag.formal_parameter]: 'formal_parameter' };
const SCOPE_NAMES = new Set(Object.values(SCOPE_TAGS));

interface Scope {
  depth: number;
  offset: string;
  tag: string;
  name?: string;
  low?: bigint;
  high?: bigint;
  /** Relative to the first: readelf does not add base addresses that are given by index. */
  ranges?: string;
}

const scopeText = ({ depth, offset, tag, name, low, high, ranges }: Scope): string =>
  `<${depth}><${offset}> ${tag} ${name ?? ''}${ranges !== undefined ? ` ranges ${ranges}` : low !== undefined ? ` ${low.toString(16)}-${(high ?? low).toString(16)}` : ''}`;

interface Range {
  low: bigint;
  high: bigint;
}

/** A program can have units of several versions. */
const rangeSection = (unit: Unit): string => (unit.version >= 5 ? '.debug_rnglists' : '.debug_ranges');

const relative = (list: readonly Range[] | 'left out'): string => list === 'left out' ? list : list.map(({ low, high }) => `${low - list[0].low}-${high - list[0].low}`).join(' ');

/** The lists of .debug_ranges and .debug_rnglists by section and offset, as readelf prints them. */
async function rangeLists(file: string): Promise<Map<string, Range[]>> {
  const lists = new Map<string, Range[]>();
  let section = '';
  let offset = '';
  let list: Range[] = [];
  for await (const line of output('readelf', [...READELF, '--debug-dump=Ranges', file])) {
    section = /^Contents of the (\.debug_\w+) section/.exec(line)?.[1] ?? section;
    const row = /^ +([0-9a-f]{8})(?: ([0-9a-f]{8,16}))?(?: ([0-9a-f]{8,16}))?(?: (<End of list>)| *\(.*\)|)? *$/.exec(line);
    if (!row || (row[2] === undefined && row[4] === undefined)) continue;
    // DWARF 5 entries have offsets of their own; the list's is its first one's.
    if (offset === '') offset = row[1];
    if (row[4] !== undefined) {
      lists.set(`${section} ${offset}`, list);
      offset = '';
      list = [];
    } else if (row[3] !== undefined && BigInt(`0x${row[2]}`) < BigInt(`0x${row[3]}`)) list.push({ low: BigInt(`0x${row[2]}`), high: BigInt(`0x${row[3]}`) });
  }
  return lists;
}

/** The scopes of one unit as objdump tells them. */
async function theirScopes(file: string, unit: Unit, lists: ReadonlyMap<string, readonly Range[]>): Promise<string[]> {
  const lines = output('objdump', ['--dwarf=info', `--dwarf-start=0x${unit.offset.toString(16)}`, file]);
  const scopes: string[] = [];
  let scope: Scope | undefined;
  let begun = false;
  const finish = (): void => {
    if (scope) scopes.push(scopeText(scope));
    scope = undefined;
  };
  for (;;) {
    const { value: line, done } = await lines.next();
    if (done) break;
    const die = /^ <(\d+)><([0-9a-f]+)>: Abbrev Number: (\d+)(?: \(DW_TAG_(\w+)\))?/.exec(line);
    if (die) {
      finish();
      if (parseInt(die[2], 16) >= unit.end) break;
      begun = true;
      if (die[4] !== undefined && SCOPE_NAMES.has(die[4])) scope = { depth: Number(die[1]), offset: die[2], tag: die[4] };
      continue;
    }
    if (/^ +Compilation Unit @/.test(line) && begun) break;
    const attribute = /^ +<[0-9a-f]+> +DW_AT_(low_pc|high_pc|name|ranges) +: (?:\((?:[^()]*|[^()]*\([^()]*\)[^()]*)\):? *)*(.*?)\s*$/.exec(line);
    if (!attribute || !scope) continue;
    if (attribute[1] === 'name') scope.name = attribute[2];
    else if (attribute[1] === 'ranges') scope.ranges = relative(lists.get(`${rangeSection(unit)} ${(/0x([0-9a-f]+)\s*$/.exec(attribute[2])?.[1] ?? attribute[2]).padStart(8, '0')}`) ?? 'left out');
    else if (attribute[1] === 'low_pc') scope.low = BigInt(attribute[2]);
    else scope.high = BigInt(attribute[2]) < (scope.low ?? 0n) ? scope.low! + BigInt(attribute[2]) : BigInt(attribute[2]);
  }
  finish();
  await lines.return?.();
  return scopes;
}

const ourScopes = (unit: Unit, lists: ReadonlyMap<string, readonly Range[]>): string[] => {
  const scopes: string[] = [];
  const visit = (die: Die, depth: number): void => {
    const tag = SCOPE_TAGS[die.tag];
    if (tag !== undefined) {
      const name = die.string(At.name);
      const list = rangesOf(die);
      // Of a DWARF 5 section without a table of offsets readelf 2.40 prints only the first list: the rest is for addr2line.
      const told = lists.has(`${rangeSection(unit)} ${(die.sectionOffset(At.ranges) ?? 0).toString(16).padStart(8, '0')}`) || die.listIndex(At.ranges) !== undefined;
      const ranges = die.has(At.ranges) ? relative(told ? list : 'left out') : undefined;
      const low = die.address(At.low_pc);
      // A range without length is none, but objdump shows it.
      scopes.push(scopeText({ depth, offset: die.offset.toString(16), tag, name, low, high: list[0]?.high ?? low, ranges }));
    }
    for (const child of die.children()) visit(child, depth + 1);
  };
  visit(unit.root, 0);
  return scopes;
};

async function compareScopes(elf: ElfFile, file: string): Promise<Result> {
  const sections = new DwarfSections(elf);
  const { units } = new UnitIndex(sections);
  const result: Result = { compared: 0, wrong: [] };
  const lists = await rangeLists(file);
  const large = sections.size('.debug_info') > WHOLE;
  const step = large ? Math.ceil(units.length / SAMPLED_UNITS) : 1;
  for (let i = 0; i < units.length; i += step) {
    const ours = ourScopes(units[i], lists);
    result.compared += ours.length;
    result.wrong.push(...differences(await theirScopes(file, units[i], lists), ours, 'objdump'));
  }
  return result;
}

/** A generator of numbers that gives the same addresses in every run. */
const random = (seed: number) => (): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

/** Random addresses of functions, with what addr2line and we say: function and line, from the innermost inlined call outwards. */
function compareAddresses(image: SymbolImage, file: string): Result {
  const functions = image.symbols.functions().map((address) => image.symbolAt(address)!.symbol).filter((symbol) => image.elf.isCode(symbol.address));
  const next = random(1);
  const addresses = functions.length === 0 ? [] : Array.from({ length: Math.min(ADDRESSES, functions.length * 20) }, () => {
    const symbol = functions[Math.floor(next() * functions.length)];
    return symbol.address + BigInt(Math.floor(next() * Number(symbol.size)));
  });
  const text = execFileSync('addr2line', ['-a', '-f', '-i', '-e', file], { input: addresses.map((a) => `0x${a.toString(16)}\n`).join(''), encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'ignore'] });
  const theirs = new Map<bigint, string[]>();
  let current: string[] = [];
  let name: string | undefined;
  for (const line of text.split('\n')) {
    if (/^0x[0-9a-f]+$/.test(line)) {
      theirs.set(BigInt(line), (current = []));
      name = undefined;
    } else if (name === undefined) name = line;
    else {
      const [, where, number] = /^(.*):(\d+|\?)(?: \(discriminator \d+\))?$/.exec(line) ?? [];
      current.push(`${name} ${path.basename(where ?? '??')}:${number === '?' ? 0 : number}`);
      name = undefined;
    }
  }
  const wrong: string[] = [];
  let compared = 0;
  for (const address of addresses) {
    const entry = image.lineAt(address);
    const fn = image.functionAt(address);
    // Assembly has no functions in its debug information: addr2line takes the symbol's name.
    if (!entry || !fn) continue;
    compared++;
    let [where, line] = [path.basename(entry.file.path), entry.line];
    const mine: string[] = [];
    for (const call of image.inlinedAt(address)) {
      mine.push(`${call.linkageName ?? call.name} ${where}:${line}`);
      [where, line] = [path.basename(call.callFile?.path ?? '??'), call.callLine ?? 0];
    }
    mine.push(`${fn.linkageName ?? fn.name} ${where}:${line}`);
    const given = theirs.get(address) ?? [];
    if (given.join(', ') === mine.join(', ')) continue;
    // Several rows can have one address. Which of them counts is a matter of taste: then the rest must agree.
    const others = [...image.rows(entry.address, entry.address + 1n)].map((row) => `${path.basename(row.file.path)}:${row.line}`);
    const name = mine[0].slice(0, mine[0].indexOf(' '));
    // Files of DWARF 5 tables are miscounted by addr2line (disagreements.ts): the line alone tells the row.
    const unnamed = (text: string | undefined): string => (text ?? '').replace(/ [^ ]*:/, ' ');
    const sameRow = others.some((row) => unnamed(`${name} ${row}`) === unnamed(given[0])) && mine.slice(1).join() === given.slice(1).join() && !unnamed(mine[0]).endsWith(unnamed(given[0]));
    // The innermost place and the outermost function are the same: calls between them are missing.
    const places = [mine[0].slice(mine[0].lastIndexOf(' ') + 1), ...others];
    const fewer = given.length < mine.length && given.at(-1)?.split(' ')[0] === (fn.linkageName ?? fn.name) && places.includes(given[0].split(' ')[1]);
    wrong.push(`${sameRow ? 'another row of ' : fewer ? 'fewer inlined calls at ' : ''}${address.toString(16)}: addr2line ${given.join(', ')}; ours ${mine.join(', ')}`);
  }
  return { compared, wrong };
}

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

/** Compares each row readelf interprets with ours at the same address. */
async function compareFrames(elf: ElfFile, file: string): Promise<Result> {
  const sections = new DwarfSections(elf);
  const frames = new CallFrames(sections);
  const names = REGISTERS[elf.machine];
  const result: Result = { compared: 0, wrong: [] };
  let columns: string[] = [];
  let inFde = false;
  // A file of debug information alone has the sections' headers without their bytes.
  if (sections.size('.eh_frame') + sections.size('.debug_frame') === 0) return result;
  for await (const line of output('readelf', [...READELF, '--debug-dump=frames-interp', file])) {
    if (/ CIE /.test(line)) inFde = false;
    else if (/ FDE /.test(line)) inFde = true;
    else if (/^ +LOC /.test(line)) columns = line.trim().split(/ +/).slice(1);
    else if (/^[0-9a-f]{8,16} /.test(line) && inFde) {
      // A register that holds another's value has its number first: `r9 (r9)`.
      const [location, ...cells] = line.trim().replace(/\br\d+ \((\w+)\)/g, '$1').split(/ +/);
      const address = BigInt(`0x${location}`);
      if (!elf.isCode(address)) continue;
      result.compared++;
      const row = frames.row(address);
      const mine = row ? columns.map((name) => column(row, name, names)) : ['none'];
      if (mine.join(' ') !== cells.join(' ')) result.wrong.push(`${location}: readelf ${cells.join(' ')}, ours ${mine.join(' ')} (${columns.join(' ')})`);
    }
  }
  return result;
}

/** Any registers and any memory, as long as they are always the same: what is unwound need not make sense. */
const inventedFrame = (pc: bigint): Frame => ({
  pc,
  isCaller: false,
  bits: 64,
  register: (number) => 0xffff_c900_0000_0000n + BigInt(number) * 0x10_0000n,
  memory: (address, length) => Uint8Array.from({ length }, (_, i) => Number(((address + BigInt(7 * i)) >> 3n) & 0xffn) | 1),
});

/** How two canonical frame addresses differ, as disagreements.ts knows it. */
function orcDifference(theirs: bigint, ours: bigint, frame: Frame): string {
  if (ours > theirs && ours <= theirs + INLINE_PUSHES) return 'ORC knows of more pushes';
  const beyond = ours - readWord(frame, frame.register(RSP)!, 8)!;
  if (beyond >= 0n && beyond <= SWITCHED_FRAME) return 'ORC follows another stack';
  return theirs === frame.register(R10) ? 'one by r10' : 'differs';
}

/** Linux's ORC tables beside the call frame information of the same kernel, at random addresses of functions. */
function compareOrc(elf: ElfFile, image: SymbolImage): Result {
  const result: Result = { compared: 0, wrong: [] };
  const orc = OrcTable.of(elf);
  const frames = new CallFrames(new DwarfSections(elf));
  const next = random(2);
  const functions = orc ? image.symbols.functions() : [];
  for (let i = 0; i < ORC_ADDRESSES && functions.length > 0; i++) {
    const { symbol } = image.symbolAt(functions[Math.floor(next() * functions.length)]!)!;
    const pc = symbol.address + BigInt(Math.floor(next() * Number(symbol.size)));
    const theirs = elf.isCode(pc) ? unwindByCfi(frames, elf.machine, inventedFrame(pc)) : undefined;
    if (!theirs) continue;
    result.compared++;
    const ours = orc!.unwind(inventedFrame(pc));
    const where = `${symbol.name}+${pc - symbol.address}`;
    if (!ours || ours === 'end') result.wrong.push(`${where}: ORC has ${ours ?? 'nothing'}`);
    else {
      const [cfi, own] = [theirs, ours].map(({ cfa, frame }) => `cfa ${cfa.toString(16)} rip ${frame.pc.toString(16)} rbp ${frame.register(RBP)?.toString(16)}`);
if (cfi !== own) result.wrong.push(`${where}: ${orcDifference(theirs.cfa, ours.cfa, inventedFrame(pc))}: call frame information ${cfi}; ORC ${own}`);
    }
  }
  return result;
}

/** Tells a result, with the differences that nothing explains. Yields how many those are. */
const report = (what: string, { compared, wrong }: Result): number => {
  const unexplained: string[] = [];
  const explained = new Map<string, number>();
  for (const text of wrong) {
    const reason = DISAGREEMENTS.find(({ difference }) => difference.test(text));
    if (reason) explained.set(reason.why, (explained.get(reason.why) ?? 0) + 1);
    else unexplained.push(text);
  }
  console.log(`  ${what}: ${compared} compared, ${wrong.length === 0 ? 'no difference' : `${wrong.length} differences`}`);
  for (const [why, count] of explained) console.log(`    ${count} explained: ${why}`);
  for (const text of unexplained.slice(0, 10)) console.log(`    ${text}`);
  if (unexplained.length > 10) console.log(`    and ${unexplained.length - 10} more`);
  return unexplained.length;
};

/** objdump 2.40 loses the strings of some files whose sections are compressed: it gets them unpacked. */
const unpacked = (elf: ElfFile, file: string): string => {
  if (!elf.sections.some(({ flags }) => flags & SHF_COMPRESSED)) return file;
  const plain = path.join(mkdtempSync(path.join(tmpdir(), 'hyperstep-')), elf.name);
  execFileSync('objcopy', ['--decompress-debug-sections', file, plain]);
  process.on('exit', () => rmSync(path.dirname(plain), { recursive: true }));
  return plain;
};

async function compare(given: string): Promise<number> {
  const bytes = new Uint8Array(readFileSync(given));
  const elf = ElfFile.parse(path.basename(given), bytes);
  const file = unpacked(elf, given);
  console.log(`${elf.name}, ${Math.ceil(bytes.length / 1024)} KiB`);
  const image = SymbolImage.open(elf.name, bytes);
  return (
    report('line rows', await compareLines(elf, file)) +
    report('scopes and variables', await compareScopes(elf, file)) +
    report('addresses', compareAddresses(image, file)) +
    report('frame rows', await compareFrames(elf, file)) +
    report('ORC entries', compareOrc(elf, image))
  );
}

async function main(words: readonly string[]): Promise<number> {
  if (['readelf', 'objdump', 'addr2line'].some((tool) => spawnSync(tool, ['--version']).status !== 0)) {
    console.log('Skipped: readelf, objdump and addr2line are not installed (apt-get install binutils).');
    return 0;
  }
  const files: string[] = [];
  const take = (found: { files: string[] } | { why: string }, what: string): void => {
    if ('files' in found) files.push(...found.files);
    else console.log(`${what} left out: ${found.why}.`);
  };
  for (const word of words.length > 0 ? words : ['fixtures', 'lab']) {
    if (word === 'fixtures') files.push(...fixtures());
    else if (word === 'lab') files.push(...lab());
    else if (word === 'linux') take(linux(), 'Linux is');
    else if (word === 'busybox') take(busybox(), 'Busybox is');
    else files.push(word);
  }
  let wrong = 0;
  for (const file of files) wrong += await compare(file);
  return wrong;
}

void main(process.argv.slice(2)).then((wrong) => {
  if (wrong > 0) console.log(`${wrong} differences that nothing explains.`);
  process.exitCode = wrong > 0 ? 1 : 0;
});
