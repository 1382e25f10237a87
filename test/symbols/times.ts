/**
 * How much processor time it takes to open a kernel's debug information and to look things up in it: tsx
 * test/symbols/times.ts [VMLINUX [KIND]]. Without a file it is Debian's kernel, and without (a part of) a kind's name all are measured. What the adapter reads ahead (names, the index of
 * lines) is told first. Then each kind of lookup begins in a process of its own, at 300 places spread over all of the code,
 * so that nearly each is the first in its compilation unit and the first few meet code that has not been compiled yet. Each process
 * runs several times: of a lookup's times the least counts, as whatever else the machine does only adds to them.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { SymbolImage } from '../../src/symbols/image';
import type { Frame } from '../../src/symbols/frame';
import { linux } from './images';

const LOOKUPS = 300;
const RUNS = 4;
const LIMIT_MS = 10;

/** Processor time so far, in milliseconds, that of the garbage collector's threads included. */
const used = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

function took(action: () => unknown): number {
  const start = used();
  action();
  return used() - start;
}

/** The same members of a list each time, spread over all of it. */
const spread = <T>(list: readonly T[]): T[] => Array.from({ length: LOOKUPS }, (_, i) => list[(i * 2_654_435_761) % list.length]!);

const bare = (pc: bigint): Frame => ({ pc, isCaller: false, bits: 64, register: () => 0n, memory: () => undefined }) as unknown as Frame;

/** Kinds of lookups: what is looked up of an image, and how. */
const KINDS: Readonly<Record<string, (image: SymbolImage) => (() => unknown)[]>> = {
  'function at an address': (image) => addresses(image).map((a) => () => image.functionAt(a)),
  'line at an address': (image) => addresses(image).map((a) => () => image.lineAt(a)),
  'calls inlined at an address': (image) => addresses(image).map((a) => () => image.inlinedAt(a)),
  'variables and their types': (image) => addresses(image).map((a) => () => image.variablesAt(a).map((v) => v.type)),
  'symbol at an address': (image) => addresses(image).map((a) => () => image.symbolAt(a)),
  'caller of a frame': (image) => addresses(image).map((a) => () => image.unwind(bare(a))),
  'function by name': (image) => spread([...image.names('function')]).map((name) => () => image.findFunctions(name)),
  'global by name': (image) => spread([...image.names('global')]).map((name) => () => image.globals(name)[0]?.type),
  'global of many definitions': (image) => ['current_stack_pointer', 'eth_reserved_addr_base', '_acpi_module_name'].map((name) => () => image.globals(name)[0]?.type),
  'type by name': (image) => spread([...image.names('type')]).map((name) => () => image.types(name)),
  'symbol by name': (image) => spread([...image.names('function')]).map((name) => () => image.symbolsNamed(name)),
  'addresses of a line (.c)': (image) => spread(image.files().filter((f) => f.path.endsWith('.c'))).map((f) => () => image.addressesOf(f, 100)),
  'line of thousands of places': (image) => image.files().filter((f) => /\/(asm\/current|linux\/(spinlock|list|slab|sched|rcupdate))\.h$/.test(f.path)).flatMap((f) => image.executableLines(f).map((line) => () => image.addressesOf(f, line))),
  'addresses of a line (.h)': (image) => spread(image.files().filter((f) => f.path.endsWith('.h'))).map((f) => () => image.addressesOf(f, 100)),
};

function addresses(image: SymbolImage): bigint[] {
  const text = image.elf.section('.text')!;
  return Array.from({ length: LOOKUPS }, (_, i) => text.address + BigInt((i * 2_654_435_761) % text.size));
}

interface Times {
  open: number;
  ahead: number;
  lookups: number[];
}

/** What a process of its own measures. */
function measure(file: string, kind: string): Times {
  const bytes = new Uint8Array(readFileSync(file));
  let image!: SymbolImage;
  const open = took(() => (image = SymbolImage.open('vmlinux', bytes)));
  const ahead = took(() => {
    for (const pieces = image.readAhead(); !pieces.next().done;);
  });
  return { open, ahead, lookups: KINDS[kind]!(image).map(took) };
}

const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;

async function main(): Promise<number> {
  const named = process.argv[2] || undefined;
  const found = named === undefined ? linux() : { files: [named] };
  if ('why' in found) {
    console.log(`Skipped: ${found.why}`);
    return 0;
  }
  const file = found.files[0]!;
  const folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-times-'));
  const program = path.join(folder, 'times.js');
  await build({ entryPoints: [__filename], bundle: true, platform: 'node', external: ['esbuild'], outfile: program, logLevel: 'error' });
  // One thread collects garbage, whose time would otherwise be counted in whatever lookup is at hand.
  const run = (kind: string): Times => JSON.parse(execFileSync(process.execPath, ['--single-threaded-gc', program, file], { encoding: 'utf8', env: { ...process.env, HYPERSTEP_TIMES: kind, NODE_PATH: path.join(__dirname, '../../node_modules') } })) as Times;
  let over = 0;
  let lookups = 0;
  const kinds = Object.keys(KINDS).filter((kind) => kind.includes(process.argv[3] ?? ''));
  for (const kind of kinds) {
    const runs = Array.from({ length: RUNS }, () => run(kind));
    if (kind === kinds[0]) console.log(`${Math.round(statSync(file).size / 1e6)} MB: opened in ${ms(Math.min(...runs.map((r) => r.open)))}, read ahead in ${ms(Math.min(...runs.map((r) => r.ahead)))}`);
    const times = runs[0]!.lookups.map((_, i) => Math.min(...runs.map((r) => r.lookups[i]!)));
    const sorted = [...times].sort((a, b) => a - b);
    const slow = sorted.filter((t) => t > LIMIT_MS).length;
    over += slow;
    lookups += times.length;
    console.log(`${kind.padEnd(28)} first ${ms(times[0]!)}, median ${ms(sorted[sorted.length >> 1]!)}, worst ${sorted.slice(-3).reverse().map(ms).join(', ')}${slow > 0 ? `; ${slow} over ${LIMIT_MS} ms` : ''}`);
  }
  rmSync(folder, { recursive: true });
  console.log(`${over} of ${lookups} lookups took more than ${LIMIT_MS} ms.`);
  return 0;
}

const kind = process.env['HYPERSTEP_TIMES'];
if (kind !== undefined) console.log(JSON.stringify(measure(process.argv[2]!, kind)));
else void main().then((status) => process.exit(status));
