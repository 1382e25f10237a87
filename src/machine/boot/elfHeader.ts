/** ELF header and program headers of either class, as far as their fields go: nothing is checked but that they are there. */

const MAGIC = 0x464c457f; // 0x7F 'E' 'L' 'F'
const CLASS_64 = 2;
const EM_386 = 3;
const EM_X86_64 = 62;
/** Names for the machines that people mix up most. */
const MACHINES: Readonly<Record<number, string>> = { 2: 'SPARC', 8: 'MIPS', 20: 'PowerPC', 21: '64-bit PowerPC', 22: 'S/390', 40: 'ARM', 43: '64-bit SPARC', 50: 'Itanium', 183: '64-bit ARM', 243: 'RISC-V', 247: 'BPF', 258: 'LoongArch' };

/** Bytes of the ELF header of the 32-bit class, the least that a file has, and of the 64-bit class. */
export const LEAST_HEADER = 52;
const WIDE_HEADER = 64;

export const ProgramType = { LOAD: 1, NOTE: 4 } as const;

export interface ProgramHeader {
  type: number;
  /** Offset in the file, and bytes there. */
  offset: number;
  fileSize: number;
  linear: bigint;
  physical: number;
  memorySize: number;
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const isElf = (bytes: Uint8Array): boolean => bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === MAGIC;

/** Of the 64-bit class. */
export const isWide = (bytes: Uint8Array): boolean => bytes[4] === CLASS_64;

/** Whether all of the ELF header is there. */
export const hasHeader = (bytes: Uint8Array): boolean => bytes.length >= (isWide(bytes) ? WIDE_HEADER : LEAST_HEADER);

/** What machine an ELF is for when that is not x86: its name, or `unknown` and its number; undefined for x86. */
export function foreignMachine(bytes: Uint8Array, unknown: string): string | undefined {
  const machine = viewOf(bytes).getUint16(18, true);
  return machine === EM_386 || machine === EM_X86_64 ? undefined : (MACHINES[machine] ?? `${unknown} ${machine}`);
}

/** The program headers; undefined when their table runs over the end of the file. The ELF header must be there. */
export function programHeaders(bytes: Uint8Array): ProgramHeader[] | undefined {
  const data = viewOf(bytes);
  const wide = isWide(bytes);
  const long = (at: number): bigint => (wide ? data.getBigUint64(at, true) : BigInt(data.getUint32(at, true)));
  const word = (at: number): number => Number(long(at));
  const table = word(wide ? 32 : 28);
  const size = data.getUint16(wide ? 54 : 42, true);
  const count = data.getUint16(wide ? 56 : 44, true);
  if (table + size * count > bytes.length) return undefined;
  return Array.from({ length: count }, (_, i) => {
    const at = table + i * size;
    return {
      type: data.getUint32(at, true),
      offset: word(at + (wide ? 8 : 4)),
      linear: long(at + (wide ? 16 : 8)),
      physical: word(at + (wide ? 24 : 12)),
      fileSize: word(at + (wide ? 32 : 16)),
      memorySize: word(at + (wide ? 40 : 20)),
    };
  });
}
