/** The setup header of a Linux kernel ("The Linux/x86 Boot Protocol", "The Real-Mode Kernel Header"). */
import { UserError } from '../../base/errors';
import type { Boot, DiskImage } from '../machineInterface';

/** Fields of the setup header, as offsets in the file; boot_params repeats them at the same offsets. */
export const Header = {
  SETUP_SECTORS: 0x1f1,
  PARAGRAPHS: 0x1f4,
  VIDEO_MODE: 0x1fa,
  SIGNATURE: 0x1fe,
  JUMP_LENGTH: 0x201,
  MAGIC: 0x202,
  VERSION: 0x206,
  LOADER: 0x210,
  LOAD_FLAGS: 0x211,
  SETUP_MOVE_SIZE: 0x212,
  ENTRY_32: 0x214,
  INITRD_ADDRESS: 0x218,
  INITRD_SIZE: 0x21c,
  HEAP_END: 0x224,
  COMMAND_LINE: 0x228,
  INITRD_HIGHEST: 0x22c,
  ALIGNMENT: 0x230,
  RELOCATABLE: 0x234,
  EXTENDED_LOAD_FLAGS: 0x236,
  COMMAND_LINE_SIZE: 0x238,
  PREFERRED_ADDRESS: 0x258,
  INIT_SIZE: 0x260,
  END: 0x264,
} as const;

export const LOADED_HIGH = 0x01;
export const HEAP_USABLE = 0x80;
/** "No identifier assigned": the loader says nothing about itself. */
export const UNKNOWN_LOADER = 0xff;
export const SECTOR = 512;
const HEADER_MAGIC = 0x5372_6448; // "HdrS"
const BOOT_SIGNATURE = 0xaa55;
const PARAGRAPH = 16;
const DEFAULT_SETUP_SECTORS = 4;

/** Whether a file has the signature of the setup header. */
export const isLinux = ({ bytes }: DiskImage): boolean => bytes.length >= Header.MAGIC + 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(Header.MAGIC, true) === HEADER_MAGIC;

/** Version of the protocol and size of boot sector and setup code in bytes, of a whole image. Throws a UserError that names the file. */
export function setupHeader({ name, bytes }: DiskImage): { version: number; setupSize: number } {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const not = (why: string): UserError => new UserError('boot.notLinux', `${name} is not a Linux kernel to boot: ${why}; give the bzImage ("vmlinuz").`);
  if (bytes.length < Header.END) throw not(`it has only ${bytes.length} bytes`);
  if (data.getUint16(Header.SIGNATURE, true) !== BOOT_SIGNATURE) throw not('it has no boot signature (0x55 0xAA at offset 510)');
  if (data.getUint32(Header.MAGIC, true) !== HEADER_MAGIC) throw not('it has no setup header ("HdrS" at offset 0x202)');
  const setupSize = ((data.getUint8(Header.SETUP_SECTORS) || DEFAULT_SETUP_SECTORS) + 1) * SECTOR;
  const version = data.getUint16(Header.VERSION, true);
  // Before 2.04 the upper half of the size was not there.
  const paragraphs = version >= 0x0204 ? data.getUint32(Header.PARAGRAPHS, true) : data.getUint16(Header.PARAGRAPHS, true);
  const whole = setupSize + paragraphs * PARAGRAPH;
  // The size is rounded up to paragraphs; the file may end inside the last one.
  if (setupSize >= bytes.length || whole - bytes.length >= PARAGRAPH) throw new UserError('boot.truncated', `${name} is truncated: its setup header describes ${Math.max(whole, setupSize + 1)} bytes, the file has ${bytes.length}.`);
  return { version, setupSize };
}

/** The command line with its end, as long as the kernel takes it. Throws a UserError that names the key. */
export function commandLineBytes({ image, append }: Extract<Boot, { kind: 'linux' }>, most: number): Uint8Array {
  const text = new TextEncoder().encode(append + '\0');
  if (text.length - 1 > most) throw new UserError('boot.append', `boot.append has ${text.length - 1} bytes, but ${image.name} takes a command line of at most ${most}.`);
  return text;
}
