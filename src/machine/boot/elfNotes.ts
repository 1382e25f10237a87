/** Notes in an ELF's PT_NOTE segments (System V ABI, "Note Section"). */
import type { DiskImage } from '../machineInterface';
import { isElf } from './elfImage';

const CLASS_64 = 2;
const PT_NOTE = 4;
const aligned = (n: number): number => (n + 3) & ~3;

/** The bytes of the first note with a name and type, or undefined. A damaged file has none. */
export function findNote({ bytes, name: file }: DiskImage, name: string, type: number): Uint8Array | undefined {
  if (!isElf({ name: file, bytes }) || bytes.length < 64) return undefined;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = data.getUint8(4) === CLASS_64;
  const word = (at: number): number => (wide ? Number(data.getBigUint64(at, true)) : data.getUint32(at, true));
  const table = word(wide ? 32 : 28);
  const size = data.getUint16(wide ? 54 : 42, true);
  const count = data.getUint16(wide ? 56 : 44, true);
  if (table + size * count > bytes.length) return undefined;
  for (let i = 0; i < count; i++) {
    const header = table + i * size;
    if (data.getUint32(header, true) !== PT_NOTE) continue;
    const start = word(header + (wide ? 8 : 4));
    const end = start + word(header + (wide ? 32 : 16));
    if (end > bytes.length) continue;
    for (let at = start; at + 12 <= end; ) {
      const nameSize = data.getUint32(at, true);
      const length = data.getUint32(at + 4, true);
      const content = at + 12 + aligned(nameSize);
      if (content + length > end) break;
      const found = String.fromCharCode(...bytes.subarray(at + 12, at + 12 + Math.max(0, nameSize - 1)));
      if (found === name && data.getUint32(at + 8, true) === type) return bytes.subarray(content, content + length);
      at = content + aligned(length);
    }
  }
  return undefined;
}
