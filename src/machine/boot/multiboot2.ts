/** Booting a kernel by the Multiboot2 Specification, version 2.0. */
import { UserError } from '../../base/errors';
import type { Processor } from '../../cpu/processor';
import { Gpr } from '../../cpu/state';
import type { Boot, DiskImage } from '../machineInterface';
import { BASE_MEMORY_KIB, EXTENDED_RAM } from '../memory/addressMap';
import type { Display, Picture } from '../devices/display';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { type ElfImage, readElf } from './elfImage';
import { elfSections, type ElfSections } from './elfSections';
import { enterProtectedMode } from './entryState';
import { colourInformation, frameBufferFields, showPicture, type WantedPicture } from './picture';
import { commandLine, endOf, Layout, lowRoom, type PlacedModule, placeModules, placeSegment } from './placement';

type Multiboot = Extract<Boot, { kind: 'multiboot' }>;

const HEADER_MAGIC = 0xe852_50d6;
const LOADER_MAGIC = 0x36d7_6289;
/** The header lies in the file's first 32 KiB, aligned to 8 bytes. */
const HEADER_SEARCH = 32_768;
const ARCHITECTURE_I386 = 0;
const FIXED_SIZE = 16;
const OPTIONAL = 1;
const NO_ADDRESS = 0xffff_ffff;

/** Tags of the header. */
const Wanted = { END: 0, INFORMATION: 1, ADDRESSES: 2, ENTRY: 3, CONSOLE: 4, FRAMEBUFFER: 5, MODULE_ALIGNMENT: 6, EFI_BOOT_SERVICES: 7, EFI_32: 8, EFI_64: 9, RELOCATABLE: 10 } as const;
/** Those that are granted, or ask for what is so anyway. Entries for EFI do not matter to a BIOS. */
const GRANTED: ReadonlySet<number> = new Set(Object.values(Wanted));
/** Tags of the information. */
const Told = { END: 0, COMMAND_LINE: 1, LOADER: 2, MODULE: 3, BASIC_MEMORY: 4, MEMORY_MAP: 6, FRAMEBUFFER: 8, ELF_SECTIONS: 9, OLD_RSDP: 14, NEW_RSDP: 15, LOAD_BASE: 21 } as const;
const TELLABLE: ReadonlySet<number> = new Set(Object.values(Told));
/** The ACPI root pointer of ACPI 1.0, and of all later ones. */
const OLD_RSDP_SIZE = 20;
const NEW_RSDP_SIZE = 36;

interface Header {
  /** Offset in the file. */
  at: number;
  /** header_addr, load_addr, load_end_addr, bss_end_addr. */
  addresses: readonly number[] | undefined;
  entry: number | undefined;
  picture: WantedPicture | undefined;
}

export const hasMultiboot2Header = ({ bytes }: DiskImage): boolean => headerAt(bytes) >= 0;

function headerAt(bytes: Uint8Array): number {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const limit = Math.min(HEADER_SEARCH, bytes.length) - FIXED_SIZE;
  for (let at = 0; at <= limit; at += 8) {
    if (data.getUint32(at, true) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + data.getUint32(at + 4, true) + data.getUint32(at + 8, true) + data.getUint32(at + 12, true);
    if (sum % 2 ** 32 === 0) return at;
  }
  return -1;
}

/** Loads kernel and modules and puts the processor where the specification says; `rsdp` is the address of the ACPI root pointer, and a picture is shown on `display` if the kernel requires one. Throws a UserError that names the file. */
export function bootMultiboot2(boot: Multiboot, cpu: Processor, memory: PhysicalMemory, rsdp: number, display: Display): void {
  const { entry, segments } = kernel2Of(boot.image);
  for (const segment of segments) placeSegment(memory, segment, boot.image.name);
  const sections = elfSections(boot.image, endOf(segments));
  for (const segment of sections?.segments ?? []) placeSegment(memory, segment, boot.image.name);
  const modules = placeModules(boot.modules, endOf([...segments, ...(sections?.segments ?? [])]), memory);
  const wanted = readHeader(boot.image).picture;
  const picture = wanted && showPicture(display, wanted);
  const build = (base: number): Layout => information(new Layout(base), boot, modules, sections, memory, rsdp, picture);
  const base = lowRoom(build(0).size, segments, boot.image.name);
  memory.writeBytes(base, build(base).toBytes());
  enterProtectedMode(cpu, entry, { [Gpr.RAX]: LOADER_MAGIC, [Gpr.RBX]: base });
}

/** Checks an image without loading it. Throws the same UserErrors. */
export function kernel2Of(image: DiskImage): ElfImage {
  const header = readHeader(image);
  if (header.addresses) return byAddresses(image, header);
  const elf = readElf(image);
  return header.entry === undefined ? elf : { ...elf, entry: header.entry };
}

function readHeader({ bytes, name }: DiskImage): Header {
  const at = headerAt(bytes);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data.getUint32(at + 4, true) !== ARCHITECTURE_I386) throw new UserError('boot.machine', `${name} has a multiboot2 header for architecture ${data.getUint32(at + 4, true)}; Hyperstep's PC is architecture 0 (i386).`);
  const end = at + data.getUint32(at + 8, true);
  if (end > bytes.length) throw new UserError('boot.truncated', `${name} is truncated: its multiboot2 header lies beyond the end of the file.`);
  const header: Header = { at, addresses: undefined, entry: undefined, picture: undefined };
  for (let tag = at + FIXED_SIZE; tag + 8 <= end; ) {
    const type = data.getUint16(tag, true);
    const size = data.getUint32(tag + 4, true);
    if (type === Wanted.END) break;
    if (size < 8 || tag + size > end) throw new UserError('boot.multibootTag', `${name} has a multiboot2 header with a tag of type ${type} that is ${size} bytes long and runs over its end.`);
    const words = Array.from({ length: (size - 8) >> 2 }, (_, i) => data.getUint32(tag + 8 + 4 * i, true));
    const required = (data.getUint16(tag + 2, true) & OPTIONAL) === 0;
    if (required && !GRANTED.has(type)) throw new UserError('boot.multibootFlags', `${name} requires what its multiboot2 header asks for by tag ${type}, which Hyperstep does not know.`);
    const unknown = type === Wanted.INFORMATION ? words.find((w) => !TELLABLE.has(w)) : undefined;
    if (required && unknown !== undefined) throw new UserError('boot.multibootFlags', `${name} requires multiboot2 information of type ${unknown}, which Hyperstep does not have; a kernel that can do without it marks the tag as optional.`);
    if (type === Wanted.ADDRESSES) header.addresses = words;
    if (type === Wanted.ENTRY) header.entry = words[0];
    if (type === Wanted.FRAMEBUFFER && required) header.picture = { width: words[0] ?? 0, height: words[1] ?? 0, bits: words[2] ?? 0 };
    tag += Math.ceil(size / 8) * 8;
  }
  return header;
}

/** The kernel says itself where it goes. */
function byAddresses({ name, bytes }: DiskImage, { at, addresses, entry }: Header): ElfImage {
  const [headerAddress, loadAddress, loadEnd, bssEnd] = addresses as [number, number, number, number];
  if (entry === undefined) throw new UserError('boot.multibootAddresses', `${name} has a multiboot2 header with addresses, but without the tag that says where it is entered.`);
  const offset = loadAddress === NO_ADDRESS ? 0 : at - (headerAddress - loadAddress);
  const address = loadAddress === NO_ADDRESS ? headerAddress - at : loadAddress;
  const size = loadEnd === 0 ? bytes.length - offset : loadEnd - address;
  if (offset < 0 || size < 0) throw new UserError('boot.multibootAddresses', `${name} has a multiboot2 header whose addresses contradict each other.`);
  if (offset + size > bytes.length) throw new UserError('boot.truncated', `${name} is truncated: its multiboot2 header asks for ${size} bytes from offset ${offset}, beyond the end of the file.`);
  return { entry, segments: [{ address, bytes: bytes.subarray(offset, offset + size), memorySize: Math.max(size, bssEnd === 0 ? 0 : bssEnd - address) }] };
}

/** The information: its size, then tags, each aligned to 8 bytes. */
function information(out: Layout, boot: Multiboot, modules: readonly PlacedModule[], sections: ElfSections | undefined, memory: PhysicalMemory, rsdp: number, picture: Picture | undefined): Layout {
  const tag = (type: number, write: () => void): void => {
    out.align(8);
    const start = out.at;
    out.u32(type).u32(0);
    write();
    out.patch32(start + 4, out.at - start);
  };
  out.u32(0).u32(0);
  tag(Told.COMMAND_LINE, () => out.text(commandLine(boot.image, boot.append)));
  tag(Told.LOADER, () => out.text('Hyperstep'));
  for (const module of modules) tag(Told.MODULE, () => out.u32(module.start).u32(module.end).text(module.commandLine));
  tag(Told.BASIC_MEMORY, () => out.u32(BASE_MEMORY_KIB).u32(Math.max(0, memory.map.lowEnd - EXTENDED_RAM) / 1024));
  tag(Told.MEMORY_MAP, () => {
    out.u32(24).u32(0);
    for (const { base, length, type } of memory.map.e820()) out.u64(base).u64(length).u32(type).u32(0);
  });
  tag(Told.FRAMEBUFFER, () => {
    frameBufferFields(out, picture).u16(0);
    if (picture) colourInformation(out, picture);
  });
  if (sections) tag(Told.ELF_SECTIONS, () => out.u32(sections.count).u32(sections.entrySize).u32(sections.names).raw(sections.headers));
  tag(Told.OLD_RSDP, () => out.raw(memory.readBytes(rsdp, OLD_RSDP_SIZE)));
  tag(Told.NEW_RSDP, () => out.raw(memory.readBytes(rsdp, NEW_RSDP_SIZE)));
  tag(Told.END, () => undefined);
  out.patch32(out.base, out.size);
  return out;
}

