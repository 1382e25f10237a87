/** Tells a usable image from a wrong one before the machine starts: one sentence that names the file. */
import { UserError } from '../../base/errors';

const SECTOR = 512;
/** The least bytes that hold an ELF header: 52 in the 32-bit form. */
const ELF_HEADER = 52;
/** e_machine values. */
const EM_386 = 3;
const EM_X86_64 = 62;
const MACHINES: Record<number, string> = { 2: 'SPARC', 8: 'MIPS', 20: 'PowerPC', 21: '64-bit PowerPC', 22: 'S/390', 40: 'ARM', 43: '64-bit SPARC', 50: 'Itanium', 183: '64-bit ARM', 243: 'RISC-V', 247: 'BPF', 258: 'LoongArch' };

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const isElf = (bytes: Uint8Array): boolean => bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

/** First byte after the last segment that an ELF's program headers put in the file, or undefined when they themselves lie outside it. */
function endOfSegments(elf: Uint8Array): number | undefined {
  const d = view(elf);
  const wide = elf[4] === 2;
  if (elf.length < (wide ? 64 : ELF_HEADER)) return undefined;
  const start = wide ? Number(d.getBigUint64(32, true)) : d.getUint32(28, true);
  const size = d.getUint16(wide ? 54 : 42, true);
  const count = d.getUint16(wide ? 56 : 44, true);
  if (start + size * count > elf.length) return undefined;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const at = start + i * size;
    const offset = wide ? Number(d.getBigUint64(at + 8, true)) : d.getUint32(at + 4, true);
    const length = wide ? Number(d.getBigUint64(at + 32, true)) : d.getUint32(at + 16, true);
    if (d.getUint32(at, true) === 1) end = Math.max(end, offset + length);
  }
  return end;
}

/** Checks an ELF to boot or to take symbols from. Throws a UserError when it is not one for x86, or cut short. */
export function checkElf(name: string, bytes: Uint8Array): void {
  if (!isElf(bytes)) throw new UserError('image', `${name} is not an ELF file: give the linked kernel, not a disk image or an object listing.`);
  if (bytes.length < ELF_HEADER) throw new UserError('image', `${name} is truncated: it ends inside its ELF header. Build it again.`);
  const machine = view(bytes).getUint16(18, true);
  if (machine !== EM_386 && machine !== EM_X86_64) {
    throw new UserError('image', `${name} is an ELF file for ${MACHINES[machine] ?? `machine type ${machine}`}, but the machine is x86-64: build it for x86-64.`);
  }
  const end = endOfSegments(bytes);
  if (end === undefined || end > bytes.length) {
    throw new UserError('image', `${name} is truncated: its program headers describe ${end ?? 'more'} bytes, the file has ${bytes.length}. Build it again.`);
  }
}

/** Checks a disk that is to be booted. Throws a UserError when it is empty, cut short or has no boot signature. */
export function checkBootDisk(name: string, bytes: Uint8Array): void {
  if (bytes.length < SECTOR) throw new UserError('image', `${name} is truncated: a disk image has at least one sector of 512 bytes, the file has ${bytes.length}.`);
  if (isElf(bytes)) throw new UserError('image', `${name} is an ELF file, not a disk image: use "boot": { "multiboot": ... }, or name the disk image made from it.`);
  if (bytes[510] !== 0x55 || bytes[511] !== 0xaa) {
    throw new UserError('image', `${name} has no boot signature (0x55 0xAA at offset 510): the BIOS cannot start from it. Give the image that holds the boot sector.`);
  }
  // A kernel right behind the boot sector, as teaching kernels lay it out: it must be whole.
  const kernel = bytes.subarray(SECTOR);
  if (!isElf(kernel)) return;
  const end = endOfSegments(kernel);
  if (end === undefined || end > kernel.length) {
    throw new UserError('image', `${name} is truncated: the kernel behind its boot sector needs ${end === undefined ? 'more' : SECTOR + end} bytes, the file has ${bytes.length}. Build it again.`);
  }
}

/** Checks a disk that is only attached. Throws a UserError when it is empty. */
export function checkDrive(name: string, bytes: Uint8Array): void {
  if (bytes.length === 0) throw new UserError('image', `${name} is empty: a drive needs at least one sector of 512 bytes.`);
}
