/** Section headers of a kernel as boot loaders hand them over: symbols and debug information are put into memory too, behind the kernel. */
import type { DiskImage } from '../machineInterface';
import { isElf, isWide, viewOf } from './elfHeader';
import type { LoadSegment } from './elfImage';
import { PAGE } from './placement';

const SHT_NULL = 0;
const SHT_NOBITS = 8;

export interface ElfSections {
  count: number;
  entrySize: number;
  /** Index of the section with the names. */
  names: number;
  /** The headers with the addresses of what was put into memory. */
  headers: Uint8Array;
  /** What has to be put there. */
  segments: LoadSegment[];
}

/** The sections of an ELF; those that the program headers do not load go from `from` on. Undefined for a file without any. */
export function elfSections({ bytes }: DiskImage, from: number): ElfSections | undefined {
  if (!isElf(bytes)) return undefined;
  const data = viewOf(bytes);
  const wide = isWide(bytes);
  const start = wide ? Number(data.getBigUint64(40, true)) : data.getUint32(32, true);
  const entrySize = data.getUint16(wide ? 58 : 46, true);
  const count = data.getUint16(wide ? 60 : 48, true);
  if (start === 0 || count === 0 || start + entrySize * count > bytes.length) return undefined;
  const headers = bytes.slice(start, start + entrySize * count);
  const out = new DataView(headers.buffer);
  const word = (at: number): number => (wide ? Number(out.getBigUint64(at, true)) : out.getUint32(at, true));
  const segments: LoadSegment[] = [];
  let next = from;
  for (let i = 0; i < count; i++) {
    const at = i * entrySize;
    const type = out.getUint32(at + 4, true);
    const address = at + (wide ? 16 : 12);
    const offset = word(at + (wide ? 24 : 16));
    const size = word(at + (wide ? 32 : 20));
    if (type === SHT_NULL || type === SHT_NOBITS || size === 0 || word(address) !== 0 || offset + size > bytes.length) continue;
    const place = Math.ceil(next / PAGE) * PAGE;
    if (wide) out.setBigUint64(address, BigInt(place), true);
    else out.setUint32(address, place, true);
    segments.push({ address: place, bytes: bytes.subarray(offset, offset + size), memorySize: size });
    next = place + size;
  }
  return { count, entrySize, names: data.getUint16(wide ? 62 : 50, true), headers, segments };
}
