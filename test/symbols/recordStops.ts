/**
 * Records what real machines do at the markers of the fixtures, for the unit tests of src/symbols: runs each fixture
 * under gdb, stops at every `BP:` marker, and writes registers, memory, gdb's backtrace and gdb's variables to
 * test/fixtures/symbols/stops.json. Run it after test/fixtures/symbols/build.sh, on Linux for x86-64 with gdb:
 *
 *   npx tsx test/symbols/recordStops.ts [FIXTURE.elf]...
 *
 * Fixtures that are not named keep their stops; without names all are recorded.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SymbolImage } from '../../src/symbols/image';

const fixtures = path.join(__dirname, '../fixtures/symbols');

/** Stops in the order the program reaches them, as gdb locations; shifted.c is renumbered by its directives. */
const LOCATIONS = [
  '*_start', '*main', 'main.c:/BP: main calls/', '*vmexit', 'main.c:/BP: dispatch/', 'main.c:/BP: call/', '*handle_cpuid',
  'main.c:/BP: leaf/', 'main.c:/BP: shadow/', '*twice', 'main.c:/BP: in shadow/', 'main.c:/BP: after loop/', 'main.c:/BP: return/',
];

/** Bytes below the stack pointer, where a function's variables lie before it has made room for them. */
const BELOW = 256n;

/** Bytes above the stack's start (argument count and pointers), which debug information of optimised code may mean. */
const ABOVE = 32;

const lineOf = (file: string, marker: string): number =>
  readFileSync(path.join(fixtures, 'source', file), 'utf8').split('\n').findIndex((line) => line.includes(marker)) + 1;

const location = (text: string): string => {
  const match = /^(.*):\/(.*)\/$/.exec(text);
  return match ? `${match[1]}:${lineOf(match[1], match[2])}` : text;
};

const gdb = (elf: string, commands: string[], folder: string): string =>
  execFileSync('gdb', ['-batch', '-nx', ...commands.flatMap((command) => ['-ex', command]), elf], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env: { PATH: process.env.PATH, HOME: folder } });

const registersOf = (text: string): Record<string, string> => {
  const registers: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/^(\w+) +(0x[0-9a-f]+) /gm)) registers[name] = value;
  return registers;
};

const record = (elf: string): unknown[] => {
  const folder = mkdtempSync(path.join(tmpdir(), 'stops-'));
  try {
    const wide = !elf.includes('m32');
    const names = wide ? 'rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip' : 'eax ebx ecx edx esi edi ebp esp eip';
    const stack = wide ? '$rsp' : '$esp';
    const setup = ['set confirm off', 'set width 0', 'set print frame-arguments all', 'set disable-randomization on', 'starti', `set $top = ${stack}`];
    const bss = SymbolImage.open(elf, readFileSync(elf)).elf.section('.bss')!;
    const stops = new Map<string, unknown>();
    // One run per location keeps the states independent of which breakpoints a build has.
    for (const text of LOCATIONS) {
      const reach = text === '*_start' ? [] : [`tbreak ${location(text)}`, 'continue'];
      const dumpStack = text === '*_start' ? [] : [`dump binary memory stack.bin ${stack}-${BELOW} $top+${ABOVE}`];
      let output: string;
      try {
        output = gdb(elf, [...setup, ...reach, 'echo @pc\\n', `info registers ${names}`, 'echo @bt\\n', 'bt', 'echo @locals\\n', 'info args', 'info locals',
          ...dumpStack, `dump binary memory bss.bin ${bss.address} ${bss.address + BigInt(bss.size)}`, 'echo @end\\n'], folder);
      } catch {
        continue;
      }
      if (!output.includes('@end')) continue;
      const section = (name: string): string => output.split(`@${name}\n`)[1].split(/^@\w+$/m)[0].trim();
      const registers = registersOf(section('pc'));
      if (/No stack|not being run/.test(output)) continue;
      // A build without this code of its own runs on to the HLT at the end: once is enough.
      const key = JSON.stringify(registers);
      if (stops.has(key)) continue;
      const memory = [{ address: `0x${bss.address.toString(16)}`, bytes: readFileSync(path.join(folder, 'bss.bin')).toString('hex') }];
      if (dumpStack.length > 0) memory.push({ address: `0x${(BigInt(registers[wide ? 'rsp' : 'esp']) - BELOW).toString(16)}`, bytes: readFileSync(path.join(folder, 'stack.bin')).toString('hex') });
      stops.set(key, { at: text, registers, memory, backtrace: section('bt').split('\n'), variables: section('locals').split('\n').filter((line) => / = /.test(line)) });
    }
    return [...stops.values()];
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const file = path.join(fixtures, 'stops.json');
const built = readdirSync(fixtures).filter((name) => name.endsWith('.elf')).sort();
const wanted = process.argv.slice(2);
const kept = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown[]>;
const all: Record<string, unknown[]> = {};
for (const name of built) all[name] = wanted.length === 0 || wanted.includes(name) ? record(path.join(fixtures, name)) : kept[name];
writeFileSync(file, JSON.stringify(all) + '\n');
for (const [name, stops] of Object.entries(all)) console.log(`${name}: ${stops.length} stops`);
