/** An ELF kernel to load, checked; errors name the file. */
import { UserError } from '../../base/errors';
import type { DiskImage } from '../machineInterface';
import { foreignMachine, hasHeader, isElf, isWide, LEAST_HEADER, type ProgramHeader, programHeaders, ProgramType, viewOf } from './elfHeader';

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

const LITTLE_ENDIAN = 1;

/**
 * Reads an x86 ELF of either class. The entry point is a physical address of a 32-bit kernel entry.
 * Throws a UserError that names the file when it is not an ELF, not for x86, or truncated.
 */
export function readElf({ name, bytes }: DiskImage): LinkedElf {
  const truncated = (what: string): UserError => new UserError('boot.truncated', `${name} is truncated: ${what} lies beyond the end of the file.`);
  if (!isElf(bytes)) throw new UserError('boot.notElf', `${name} is not an ELF file: it does not start with the bytes 7F 45 4C 46.`);
  if (bytes.length < LEAST_HEADER) throw truncated('its ELF header');
  if (bytes[5] !== LITTLE_ENDIAN) throw new UserError('boot.machine', `${name} is a big-endian ELF file; Hyperstep runs x86 code.`);
  const foreign = foreignMachine(bytes, 'machine number');
  if (foreign !== undefined) throw new UserError('boot.machine', `${name} is an ELF file for ${foreign}; Hyperstep runs code for x86 (80386 and x86-64).`);
  if (!hasHeader(bytes)) throw truncated('its ELF header');

  const headers = programHeaders(bytes);
  if (!headers) throw truncated('its program header table');
  const segments: LinkedSegment[] = [];
  headers.forEach(({ type, offset, linear, physical, fileSize, memorySize }, i) => {
    if (type !== ProgramType.LOAD || memorySize === 0) return;
    if (offset + fileSize > bytes.length) throw truncated(`segment ${i} (${fileSize} bytes at offset ${offset})`);
    segments.push({ address: physical, linear, bytes: bytes.subarray(offset, offset + fileSize), memorySize: Math.max(memorySize, fileSize) });
  });
  if (segments.length === 0) throw new UserError('boot.noSegments', `${name} has no segment to load: link it as an executable.`);
  const wide = isWide(bytes);
  const data = viewOf(bytes);
  const linearEntry = wide ? data.getBigUint64(24, true) : BigInt(data.getUint32(24, true));
  return { entry: physicalEntry(headers, linearEntry), wide, linearEntry, segments };
}

/** Kernels are often linked high and loaded low: an entry point given as a linear address becomes its segment's physical one. */
function physicalEntry(headers: readonly ProgramHeader[], entry: bigint): number {
  let translated = entry;
  for (const { type, linear, physical, memorySize } of headers) {
    if (type !== ProgramType.LOAD) continue;
    const within = (start: bigint): boolean => entry >= start && entry < start + BigInt(memorySize);
    if (within(BigInt(physical))) return Number(entry);
    if (within(linear)) translated = entry - linear + BigInt(physical);
  }
  return Number(translated);
}
