/** What the tests of src/symbols share: the fixture binaries, their sources' markers, and the stops recorded on real machines. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Frame } from '../../src/symbols/frame';
import { SourceFile, SymbolImage } from '../../src/symbols/image';
import { RIP } from '../../src/symbols/registers';

const folder = path.join(__dirname, '../fixtures/symbols');

export const fixtureNames = readdirSync(folder).filter((name) => name.endsWith('.elf')).sort();
export const fixtureBytes = (name: string): Uint8Array => new Uint8Array(readFileSync(path.join(folder, name)));
export const openFixture = (name: string): SymbolImage => SymbolImage.open(name, fixtureBytes(name));
export const sourceText = (name: string): string => readFileSync(path.join(folder, 'source', name), 'utf8');

/** Line on disk of a `BP: marker` comment. */
export const markerLine = (file: string, marker: string): number => {
  const index = sourceText(file).split('\n').findIndex((line) => line.includes(`/* BP: ${marker} */`));
  if (index < 0) throw new Error(`no marker ${marker} in ${file}`);
  return index + 1;
};

export const fileNamed = (image: SymbolImage, suffix: string): SourceFile => {
  const file = image.files().find((candidate) => candidate.path.endsWith(suffix));
  if (!file) throw new Error(`no file ${suffix}`);
  return file;
};

/** A stop recorded by test/symbols/recordStops.ts. */
export interface Stop {
  at: string;
  registers: Record<string, string>;
  memory: { address: string; bytes: string }[];
  backtrace: string[];
  variables: string[];
}

export const recordedStops = (): Record<string, Stop[]> => JSON.parse(readFileSync(path.join(folder, 'stops.json'), 'utf8')) as Record<string, Stop[]>;

const NAMES_64 = ['rax', 'rdx', 'rcx', 'rbx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip'];
const NAMES_32 = ['eax', 'edx', 'ecx', 'ebx', 'esi', 'edi', 'ebp', 'esp', '', '', '', '', '', '', '', '', 'eip'];

/** The innermost frame of a recorded stop. Memory that was not recorded is as the image loads it. */
export const frameOf = (image: SymbolImage, stop: Stop): Frame => {
  const regions = stop.memory.map(({ address, bytes }) => ({ start: BigInt(address), bytes: new Uint8Array(Buffer.from(bytes, 'hex')) }));
  const names = image.elf.bits === 64 ? NAMES_64 : NAMES_32;
  const register = (number: number): bigint | undefined => {
    const value = stop.registers[names[number]];
    return value === undefined ? undefined : BigInt(value);
  };
  return {
    pc: register(RIP)!,
    isCaller: false,
    bits: image.elf.bits,
    register,
    memory: (address, length) => {
      for (const { start, bytes } of regions) if (address >= start && address + BigInt(length) <= start + BigInt(bytes.length)) return bytes.subarray(Number(address - start), Number(address - start) + length);
      return image.loadedBytes(address, length);
    },
  };
};
