/**
 * How long it takes to open a kernel's debug information and to look things up in it: tsx test/symbols/times.ts [VMLINUX].
 * Without a file it is Debian's kernel. Lookups by address are of random functions; names are read in one pass when one is
 * first asked for, which is told apart.
 */
import { readFileSync, statSync } from 'node:fs';
import { SymbolImage } from '../../src/symbols/image';
import { linux } from './images';

const LOOKUPS = 300;

function timed<T>(action: () => T): { took: number; result: T } {
  const start = performance.now();
  const result = action();
  return { took: performance.now() - start, result };
}

const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;

/** Times of one kind of lookup. */
function tell(what: string, times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b);
  console.log(`${what.padEnd(34)} first ${ms(times[0]!)}, median ${ms(sorted[sorted.length >> 1]!)}, 99 % below ${ms(sorted[Math.floor(sorted.length * 0.99)]!)}, worst ${ms(sorted.at(-1)!)}`);
}

function main(): number {
  const named = process.argv[2];
  const found = named === undefined ? linux() : { files: [named] };
  if ('why' in found) {
    console.log(`Skipped: ${found.why}`);
    return 0;
  }
  const [file] = found.files;
  const read = timed(() => new Uint8Array(readFileSync(file!)));
  const opened = timed(() => SymbolImage.open('vmlinux', read.result));
  const image = opened.result;
  console.log(`${Math.round(statSync(file!).size / 1e6)} MB: read in ${ms(read.took)}, opened in ${ms(opened.took)}`);
  const text = image.elf.section('.text')!;
  // The same addresses each time, spread over all of the code.
  const addresses = Array.from({ length: LOOKUPS }, (_, i) => text.address + BigInt((i * 2_654_435_761) % text.size));
  const each = (what: string, lookup: (address: bigint) => unknown): void => tell(what, addresses.map((address) => timed(() => lookup(address)).took));
  each('function at an address', (a) => image.functionAt(a));
  each('line at an address', (a) => image.lineAt(a));
  each('calls inlined at an address', (a) => image.inlinedAt(a));
  each('variables and their types', (a) => image.variablesAt(a).length);
  console.log(`names, read once: ${ms(timed(() => image.findFunctions('schedule')).took)}`);
  const names = [...image.names('function')];
  const some = Array.from({ length: LOOKUPS }, (_, i) => names[(i * 2_654_435_761) % names.length]!);
  tell('function by name', some.map((name) => timed(() => image.findFunctions(name)).took));
  const types = [...image.names('type')];
  tell('type by name', Array.from({ length: LOOKUPS }, (_, i) => types[(i * 2_654_435_761) % types.length]!).map((name) => timed(() => image.types(name)).took));
  const files = image.files().filter((f) => /\.c$/.test(f.path));
  tell('addresses of a line', Array.from({ length: LOOKUPS }, (_, i) => files[(i * 2_654_435_761) % files.length]!).map((f) => timed(() => image.addressesOf(f, 100)).took));
  return 0;
}

process.exit(main());
