/** Notes in an ELF's PT_NOTE segments (System V ABI, "Note Section"). */
import type { DiskImage } from '../machineInterface';
import { hasHeader, isElf, programHeaders, ProgramType, viewOf } from './elfHeader';

const aligned = (n: number): number => (n + 3) & ~3;

/** The bytes of the first note with a name and type, or undefined. A damaged file has none. */
export function findNote({ bytes }: DiskImage, name: string, type: number): Uint8Array | undefined {
  if (!isElf(bytes) || !hasHeader(bytes)) return undefined;
  const data = viewOf(bytes);
  for (const header of programHeaders(bytes) ?? []) {
    const end = header.offset + header.fileSize;
    if (header.type !== ProgramType.NOTE || end > bytes.length) continue;
    for (let at = header.offset; at + 12 <= end; ) {
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
