/** The ELF header and program headers of a kernel to load, checked; errors name the file. */
import { UserError } from '../../base/errors';
import type { DiskImage } from '../machineInterface';

const MAGIC = 0x464c457f; // 0x7F 'E' 'L' 'F'
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const PT_LOAD = 1;
const EM_386 = 3;
const EM_X86_64 = 62;
/** Names for the machines that people mix up most. */
const MACHINES: Readonly<Record<number, string>> = { 2: 'SPARC', 8: 'MIPS', 20: 'PowerPC', 21: 'PowerPC64', 40: 'ARM', 50: 'Itanium', 183: '64-bit ARM', 243: 'RISC-V' };

export interface LoadSegment {
  /** Physical address, bytes from the file, size in memory (the rest is zeros). */
  address: number;
  bytes: Uint8Array;
  memorySize: number;
}

/** A segment with the linear address that it is linked at. */
export interface LinkedSegment extends LoadSegment {
  linear: bigint;
}

export interface ElfImage {
  /** Physical address. */
  entry: number;
  segments: LoadSegment[];
}

/** What an ELF says of itself besides. */
export interface LinkedElf extends ElfImage {
  /** It is of the 64-bit class. */
  wide: boolean;
  /** The entry point as it is written. */
  linearEntry: bigint;
  segments: LinkedSegment[];
}

export const isElf = ({ bytes }: DiskImage): boolean => bytes.length >= 4 && view(bytes).getUint32(0, true) === MAGIC;

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Reads an x86 ELF of either class. The entry point is a physical address of a 32-bit kernel entry.
 * Throws a UserError that names the file when it is not an ELF, not for x86, or truncated.
 */
export function readElf(image: DiskImage): LinkedElf {
  const { name, bytes } = image;
  const data = view(bytes);
  const truncated = (what: string): UserError => new UserError('boot.truncated', `${name} is truncated: ${what} lies beyond the end of the file.`);
  if (!isElf(image)) throw new UserError('boot.notElf', `${name} is not an ELF file: it does not start with the bytes 7F 45 4C 46.`);
  if (bytes.length < 52) throw truncated('its ELF header');
  const wide = data.getUint8(4) === CLASS_64;
  if (data.getUint8(5) !== LITTLE_ENDIAN) throw new UserError('boot.machine', `${name} is a big-endian ELF file; Hyperstep runs x86 code.`);
  const machine = data.getUint16(18, true);
  if (machine !== EM_386 && machine !== EM_X86_64) throw new UserError('boot.machine', `${name} is an ELF file for ${MACHINES[machine] ?? `machine number ${machine}`}; Hyperstep runs code for x86 (80386 and x86-64).`);
  if (wide && bytes.length < 64) throw truncated('its ELF header');

  const word = (at: number): number => (wide ? Number(data.getBigUint64(at, true)) : data.getUint32(at, true));
  const entry = word(24);
  const table = word(wide ? 32 : 28);
  const entrySize = data.getUint16(wide ? 54 : 42, true);
  const count = data.getUint16(wide ? 56 : 44, true);
  if (table + entrySize * count > bytes.length) throw truncated('its program header table');
  const segments: LinkedSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * entrySize;
    if (data.getUint32(at, true) !== PT_LOAD) continue;
    const offset = word(at + (wide ? 8 : 4));
    const address = word(at + (wide ? 24 : 12));
    const fileSize = word(at + (wide ? 32 : 16));
    const memorySize = word(at + (wide ? 40 : 20));
    if (memorySize === 0) continue;
    if (offset + fileSize > bytes.length) throw truncated(`segment ${i} (${fileSize} bytes at offset ${offset})`);
    const linear = wide ? data.getBigUint64(at + 16, true) : BigInt(data.getUint32(at + 8, true));
    segments.push({ address, linear, bytes: bytes.subarray(offset, offset + fileSize), memorySize: Math.max(memorySize, fileSize) });
  }
  if (segments.length === 0) throw new UserError('boot.noSegments', `${name} has no segment to load: link it as an executable.`);
  return { entry: entryAddress(data, table, entrySize, count, wide, entry), wide, linearEntry: wide ? data.getBigUint64(24, true) : BigInt(entry), segments };
}

/** Kernels are often linked high and loaded low: an entry point given as a linear address becomes its segment's physical one. */
function entryAddress(data: DataView, table: number, entrySize: number, count: number, wide: boolean, entry: number): number {
  const word = (at: number): number => (wide ? Number(data.getBigUint64(at, true)) : data.getUint32(at, true));
  let translated = entry;
  for (let i = 0; i < count; i++) {
    const at = table + i * entrySize;
    if (data.getUint32(at, true) !== PT_LOAD) continue;
    const linear = word(at + (wide ? 16 : 8));
    const physical = word(at + (wide ? 24 : 12));
    const size = word(at + (wide ? 40 : 20));
    if (entry >= physical && entry < physical + size) return entry;
    if (entry >= linear && entry < linear + size) translated = entry - linear + physical;
  }
  return translated;
}
