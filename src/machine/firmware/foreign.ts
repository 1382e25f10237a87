/**
 * Firmware of others (OVMF, SeaBIOS) in place of this machine's BIOS: its image as flash below 4 GiB, the display's BIOS, and what it asks the
 * configuration device for: memory, tables, and what to boot.
 */
import { UserError } from '../../base/errors';
import { hex } from '../../base/bits';
import type { FlashChip } from '../devices/flash';
import type { FirmwareFile } from '../devices/firmwareConfig';
import { PCI_MEMORY } from '../devices/pci/pciTable';
import type { Boot, DiskImage, E820Entry } from '../machineInterface';
import { HOLE, HOLE_END, LOW_RAM_END, EXTENDED_RAM } from '../memory/addressMap';
import { isLinux, setupHeader } from '../boot/linuxHeader';
import { loaderTables } from './acpi';
import { kernelRom } from './kernelRom';
import type { MpOptions } from './mpTable';
import { smbiosAnchor, smbiosStructures } from './smbios';
import { u16, u32 } from './tableBytes';

export type ForeignBoot = Extract<Boot, { kind: 'firmware' }>;

const FLASH_UNIT = 0x1000;
/** The interrupt controllers are below. */
const MOST_FLASH = 0x100_0000;
/** The processor begins 16 bytes before the end. */
const RESET_VECTOR = 16;
/** COM1, to which SeaBIOS copies what it prints. */
const SERIAL_PORT = 0x3f8;
/** Where PCI memory begins at the earliest. */
const LEAST_PCI_MEMORY = 0x8000_0000;

/** Every expansion ROM begins with this; in it, its length in units of 512 bytes. */
const ROM_SIGNATURE = [0x55, 0xaa];
const ROM_UNITS_AT = 2;
const ROM_UNIT = 512;
const isExpansionRom = ({ bytes }: DiskImage): boolean => ROM_SIGNATURE.every((byte, n) => bytes[n] === byte) && bytes[ROM_UNITS_AT]! > 0 && bytes[ROM_UNITS_AT]! * ROM_UNIT <= bytes.length;

/** Of the images, those that are flash. */
export const flashImages = (images: readonly DiskImage[]): DiskImage[] => images.filter((image) => !isExpansionRom(image));
/** The one that is the display adapter's own BIOS: an expansion ROM, such as Debian's vgabios-stdvga.bin. */
export const displayRom = ({ images }: ForeignBoot): Uint8Array | undefined => images.find(isExpansionRom)?.bytes;

/** Checks the images. Throws a UserError that names the file. */
export function checkForeign(boot: ForeignBoot): void {
  const { kernel } = boot;
  const images = flashImages(boot.images);
  const roms = boot.images.filter(isExpansionRom);
  if (images.length === 0) throw new UserError('firmware.start', `${boot.images[0]!.name} is the BIOS of a display adapter, which firmware uses: name the firmware first, such as SeaBIOS's bios-256k.bin.`);
  if (roms.length > 1) throw new UserError('firmware.roms', `${roms[0]!.name} and ${roms[1]!.name} are both expansion ROMs; this machine has a place for one, the display adapter's.`);
  images.forEach(({ name, bytes }, n) => {
    if (bytes.length === 0 || bytes.length % FLASH_UNIT !== 0) throw new UserError('firmware.size', `${name} has ${bytes.length} bytes, which is no firmware image: flash comes in multiples of 4 KiB.`);
    const start = bytes.subarray(bytes.length - RESET_VECTOR);
    if (n === 0 && (start.every((byte) => byte === 0xff) || start.every((byte) => byte === 0))) throw new UserError('firmware.start', `${name} has no code at the reset vector, 16 bytes before its end: name the image with the code first (OVMF_CODE), then the one with the variables (OVMF_VARS).`);
  });
  const size = images.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (size > MOST_FLASH) throw new UserError('firmware.size', `${images.map(({ name }) => name).join(' and ')} have ${hex(size)} bytes together; the flash of this machine has 16 MiB at most.`);
  if (kernel && isLinux(kernel)) setupHeader(kernel);
  else if (kernel && !(kernel.bytes[0] === 0x4d && kernel.bytes[1] === 0x5a)) throw new UserError('firmware.kernel', `${kernel.name} is neither a Linux kernel (bzImage) nor a UEFI application (PE/COFF), which is all that firmware starts: leave out the firmware to boot it without.`);
}

/** "_FVH", the signature in the header of a UEFI firmware volume, and where it is in it; volumes begin at multiples of 4 KiB here. */
const VOLUME_SIGNATURE = [0x5f, 0x46, 0x56, 0x48];
const VOLUME_SIGNATURE_AT = 40;

function hasVolume(bytes: Uint8Array): boolean {
  for (let at = VOLUME_SIGNATURE_AT; at < bytes.length; at += FLASH_UNIT) if (VOLUME_SIGNATURE.every((byte, n) => bytes[at + n] === byte)) return true;
  return false;
}

/**
 * The chips: the first image ends at 4 GiB, each further one where the one before begins. UEFI keeps its variables by the
 * chip's commands. Other firmware means no chip when it writes to its image: U-Boot keeps variables there that it never
 * reads back, which would be commands to erase.
 */
export function flashChips({ images }: ForeignBoot): FlashChip[] {
  let end = HOLE_END;
  return flashImages(images).map(({ bytes }) => {
    end -= bytes.length;
    return { address: end, bytes, takesCommands: hasVolume(bytes) };
  });
}

const RAM = 1;
const RESERVED = 2;
const range = (from: number, to: number, type: number): E820Entry[] => (to > from ? [{ base: BigInt(from), length: BigInt(to - from), type }] : []);
/** RAM up to the hole, from an address on, and RAM above it. */
const lowRam = (memory: number, from: number): E820Entry[] => range(from, Math.min(memory, HOLE), RAM);
const highRam = (memory: number): E820Entry[] => range(HOLE_END, HOLE_END + Math.max(0, memory - HOLE), RAM);

/** RAM as it is, which firmware makes its own map from. */
export const ramMap = (memory: number): E820Entry[] => [...lowRam(memory, 0), ...highRam(memory)];

/** What is known of memory before the firmware has made a map. */
export function boardMap(memory: number, boot: ForeignBoot): E820Entry[] {
  const flash = Math.min(...flashChips(boot).map(({ address }) => address));
  return [...range(0, LOW_RAM_END, RAM), ...lowRam(memory, EXTENDED_RAM), ...range(flash, HOLE_END, RESERVED), ...highRam(memory)];
}

/** What the board tells tables that are made when they are asked for. */
export interface PlacedByFirmware {
  /** First port of ACPI's registers. */
  powerPorts: number;
  /** ISA lines of PIRQA# to PIRQD#. */
  lines: readonly number[];
}

/** IA32_FEATURE_CONTROL as firmware shall leave it on every processor: locked, VMX permitted outside SMX. */
const FEATURE_CONTROL = 0b101;

/** The files that the configuration device has for firmware: tables of ACPI and SMBIOS, where to print, and to permit VMX. */
export function foreignFiles(mp: MpOptions, memory: number, vmx: boolean, placed: () => PlacedByFirmware): FirmwareFile[] {
  const first = Math.max(LEAST_PCI_MEMORY, Math.min(memory, HOLE));
  const tables = (): ReturnType<typeof loaderTables> => loaderTables(mp, { ...placed(), pciMemory: { first, last: PCI_MEMORY.last }, sleeps: false });
  return [
    ['etc/acpi/tables', () => tables().tables],
    ['etc/acpi/rsdp', () => tables().rsdp],
    ['etc/table-loader', () => tables().commands],
    ['etc/smbios/smbios-anchor', smbiosAnchor(mp, memory)],
    ['etc/smbios/smbios-tables', smbiosStructures(mp, memory)],
    ['etc/sercon-port', Uint8Array.from(u16(SERIAL_PORT))],
    ...(vmx ? ([['etc/msr_feature_control', Uint8Array.from([...u32(FEATURE_CONTROL), ...u32(0)])]] satisfies FirmwareFile[]) : []),
  ];
}

/** Keys of the items by which firmware gets a kernel. */
const Key = { KERNEL_SIZE: 0x08, INITRD_SIZE: 0x0b, KERNEL: 0x11, INITRD: 0x12, COMMAND_LINE_SIZE: 0x14, COMMAND_LINE: 0x15, SETUP_SIZE: 0x17, SETUP: 0x18 } as const;

/** A kernel comes in two pieces: a Linux kernel's setup code and the rest; a UEFI application is all rest. */
export function kernelItems({ kernel, initrd, append }: ForeignBoot): [number, Uint8Array][] {
  if (!kernel) return [];
  const setupSize = isLinux(kernel) ? setupHeader(kernel).setupSize : 0;
  const item = (size: number, data: number, bytes: Uint8Array): [number, Uint8Array][] => [[size, Uint8Array.from(u32(bytes.length))], [data, bytes]];
  return [
    ...item(Key.SETUP_SIZE, Key.SETUP, kernel.bytes.subarray(0, setupSize)),
    ...item(Key.KERNEL_SIZE, Key.KERNEL, kernel.bytes.subarray(setupSize)),
    ...(initrd ? item(Key.INITRD_SIZE, Key.INITRD, initrd.bytes) : []),
    ...(append === '' ? [] : item(Key.COMMAND_LINE_SIZE, Key.COMMAND_LINE, new TextEncoder().encode(`${append}\0`))),
  ];
}

/** The same for a BIOS of others, which boots by an option ROM; nothing where the kernel is none that has a 16-bit entry, or is a UEFI application. */
export function biosKernel({ kernel, initrd, append }: ForeignBoot, memory: number): ReturnType<typeof kernelRom> {
  if (!kernel || !isLinux(kernel)) return { files: [], items: [] };
  return kernelRom({ kind: 'linux', image: kernel, initrd, append, entry: 16 }, Math.min(memory, HOLE));
}

/** Bytes of all that are flash. */
export const flashSize = (images: readonly DiskImage[]): number => flashImages(images).reduce((sum, { bytes }) => sum + bytes.length, 0);
