/** Tells a usable image from a wrong one before the machine starts: one sentence that names the file. */
import { UserError } from '../../base/errors';
import { foreignMachine, hasHeader, isElf, LEAST_HEADER, programHeaders, ProgramType } from '../../machine/boot/elfHeader';

const SECTOR = 512;
/** First byte after the last segment that an ELF's program headers put in the file, or undefined when they themselves lie outside it. */
function endOfSegments(elf: Uint8Array): number | undefined {
  const headers = hasHeader(elf) ? programHeaders(elf) : undefined;
  return headers && Math.max(0, ...headers.map((h) => (h.type === ProgramType.LOAD ? h.offset + h.fileSize : 0)));
}

/** Checks an ELF to boot or to take symbols from. Throws a UserError when it is not one for x86, or cut short. */
export function checkElf(name: string, bytes: Uint8Array): void {
  if (!isElf(bytes)) throw new UserError('image', `${name} is not an ELF file: give the linked kernel, not a disk image or an object listing.`);
  if (bytes.length < LEAST_HEADER) throw new UserError('image', `${name} is truncated: it ends inside its ELF header. Build it again.`);
  const foreign = foreignMachine(bytes, 'machine type');
  if (foreign !== undefined) throw new UserError('image', `${name} is an ELF file for ${foreign}, but the machine is x86-64: build it for x86-64.`);
  const end = endOfSegments(bytes);
  if (end === undefined || end > bytes.length) {
    throw new UserError('image', `${name} is truncated: its program headers describe ${end ?? 'more'} bytes, the file has ${bytes.length}. Build it again.`);
  }
}

/** Checks a disk that is to be booted. Throws a UserError when it is empty, cut short or has no boot signature. */
export function checkBootDisk(name: string, bytes: Uint8Array): void {
  if (bytes.length < SECTOR) throw new UserError('image', `${name} is truncated: a disk image has at least one sector of 512 bytes, the file has ${bytes.length}.`);
  if (isElf(bytes)) throw new UserError('image', `${name} is an ELF file, not a disk image: boot it as a kernel ("boot": { "kernel": ... }, or --kernel), or name the disk image made from it.`);
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
