/** Booting a kernel by the Multiboot Specification, version 0.6.96 ("multiboot 1"). */
import { UserError } from '../../base/errors';
import type { Processor } from '../../cpu/processor';
import { Gpr } from '../../cpu/state';
import type { Boot, DiskImage } from '../machineInterface';
import { BASE_MEMORY_KIB, EXTENDED_RAM } from '../memory/addressMap';
import type { Display, Picture } from '../devices/display';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { type ElfImage, type LoadSegment, readElf } from './elfImage';
import { enterProtectedMode } from './entryState';
import { colourInformation, frameBufferFields, showPicture, type WantedPicture } from './picture';
import { commandLine, endOf, Layout, lowRoom, type PlacedModule, placeModules, placeSegment } from './placement';

type Multiboot = Extract<Boot, { kind: 'multiboot' }>;

const HEADER_MAGIC = 0x1badb002;
const LOADER_MAGIC = 0x2badb002;
/** The header lies in the file's first 8 KiB, aligned to 4 bytes. */
const HEADER_SEARCH = 8192;
/** Header flags: page-aligned modules and memory information are given anyway; bit 16 says that the header has addresses. */
const FLAGS_KNOWN = 0x0000_0003;
const FLAG_VIDEO = 0x0000_0004;
const FLAG_ADDRESSES = 0x0001_0000;
const FLAGS_REQUIRED = 0x0000_ffff;
/** Information flags: memory sizes, boot device, command line, modules, memory map, loader name. */
const INFO_FLAGS = 0x001 | 0x004 | 0x008 | 0x040 | 0x200;
/** And where the picture is, which is told to who asks for one. */
const INFO_PICTURE = 0x1000;
const INFO_SIZE = 116;
/** framebuffer_addr and what follows. */
const PICTURE_AT = 88;
/** Offset in the header of mode_type, width, height and depth, and the mode_type of graphics. */
const VIDEO_AT = 32;
const GRAPHICS = 0;

interface Header {
  /** Offset in the file. */
  at: number;
  flags: number;
  /** header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr; when FLAG_ADDRESSES is set. */
  addresses: number[];
  /** When FLAG_VIDEO is set and graphics are meant. */
  picture: WantedPicture | undefined;
}

/** Loads kernel and modules and puts the processor where the specification says; a picture is shown on `display` if the kernel asks for one. Throws a UserError that names the file. */
export function bootMultiboot(boot: Multiboot, cpu: Processor, memory: PhysicalMemory, display: Display): void {
  const { entry, segments } = kernelOf(boot.image);
  for (const segment of segments) placeSegment(memory, segment, boot.image.name);
  const modules = placeModules(boot.modules, endOf(segments), memory);
  const wanted = findHeader(boot.image)?.picture;
  const info = information(boot, modules, memory, segments, wanted && showPicture(display, wanted));
  enterProtectedMode(cpu, entry, { [Gpr.RAX]: LOADER_MAGIC, [Gpr.RBX]: info });
}

/** Checks an image without loading it. Throws the same UserErrors. */
export function kernelOf(image: DiskImage): ElfImage {
  const header = findHeader(image);
  const missing = (): UserError => new UserError('boot.noMultibootHeader', `${image.name} has no multiboot header in its first 8 KiB: it is not a multiboot kernel. Boot it as a kernel to have it started at its entry point, or boot the disk image made from it.`);
  if (header && header.flags & FLAG_ADDRESSES) return byAddresses(image, header);
  const elf = readElf(image); // says more than "no header" when it is no usable ELF
  if (!header) throw missing();
  return elf;
}

export const hasMultibootHeader = (image: DiskImage): boolean => findHeader(image) !== undefined;

function findHeader(image: DiskImage): Header | undefined {
  const { bytes, name } = image;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const limit = Math.min(HEADER_SEARCH, bytes.length) - 12;
  for (let at = 0; at <= limit; at += 4) {
    if (data.getUint32(at, true) !== HEADER_MAGIC) continue;
    const flags = data.getUint32(at + 4, true);
    if ((HEADER_MAGIC + flags + data.getUint32(at + 8, true)) >>> 0 !== 0) continue;
    const unknown = flags & FLAGS_REQUIRED & ~(FLAGS_KNOWN | FLAG_VIDEO);
    if (unknown) throw new UserError('boot.multibootFlags', `${name} requires multiboot feature 0x${unknown.toString(16)}, which the specification does not define.`);
    const addresses: number[] = [];
    if (flags & FLAG_ADDRESSES) {
      if (at + 32 > bytes.length) throw new UserError('boot.truncated', `${name} is truncated: its multiboot header lies beyond the end of the file.`);
      for (let i = 0; i < 5; i++) addresses.push(data.getUint32(at + 12 + 4 * i, true));
    }
    return { at, flags, addresses, picture: flags & FLAG_VIDEO ? pictureOf(data, at) : undefined };
  }
  return undefined;
}

function pictureOf(data: DataView, at: number): WantedPicture | undefined {
  if (at + VIDEO_AT + 16 > data.byteLength) return undefined;
  const [type, width, height, bits] = [0, 4, 8, 12].map((offset) => data.getUint32(at + VIDEO_AT + offset, true)) as [number, number, number, number];
  return type === GRAPHICS ? { width, height, bits } : undefined;
}

/** The kernel says itself where it goes (the "a.out kludge"). */
function byAddresses({ name, bytes }: DiskImage, { at, addresses }: Header): ElfImage {
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = addresses as [number, number, number, number, number];
  const offset = at - (headerAddress - loadAddress);
  const size = loadEnd === 0 ? bytes.length - offset : loadEnd - loadAddress;
  if (offset < 0 || size < 0) throw new UserError('boot.multibootAddresses', `${name} has a multiboot header whose addresses contradict each other.`);
  if (offset + size > bytes.length) throw new UserError('boot.truncated', `${name} is truncated: its multiboot header asks for ${size} bytes from offset ${offset}, beyond the end of the file.`);
  const memorySize = Math.max(size, bssEnd === 0 ? 0 : bssEnd - loadAddress);
  return { entry, segments: [{ address: loadAddress, bytes: bytes.subarray(offset, offset + size), memorySize }] };
}

/** Builds the multiboot information, its strings and lists in low memory; yields its address. */
function information(boot: Multiboot, modules: readonly PlacedModule[], memory: PhysicalMemory, segments: LoadSegment[], picture: Picture | undefined): number {
  const text = (s: string): Uint8Array => new TextEncoder().encode(s + '\0');
  const arguments_ = text(commandLine(boot.image, boot.append));
  const loader = text('Hyperstep');
  const strings = modules.map((m) => text(m.commandLine));
  const map = memory.map.e820();
  const size = INFO_SIZE + 4 + map.length * 24 + modules.length * 16 + [arguments_, loader, ...strings].reduce((n, s) => n + s.length, 0);
  const base = lowRoom(size, segments, boot.image.name);

  const bytes = new Uint8Array(size);
  const data = new DataView(bytes.buffer);
  let used = INFO_SIZE + 4;
  const place = (length: number): number => {
    used += length;
    return used - length;
  };
  const placeText = (s: Uint8Array): number => {
    const at = place(s.length);
    bytes.set(s, at);
    return base + at;
  };
  const mapAt = place(map.length * 24);
  map.forEach((entry, i) => {
    const at = mapAt + i * 24;
    data.setUint32(at, 20, true); // the size does not count itself
    data.setBigUint64(at + 4, entry.base, true);
    data.setBigUint64(at + 12, entry.length, true);
    data.setUint32(at + 20, entry.type, true);
  });
  const modulesAt = place(modules.length * 16);
  modules.forEach((module, i) => {
    data.setUint32(modulesAt + i * 16, module.start, true);
    data.setUint32(modulesAt + i * 16 + 4, module.end, true);
    data.setUint32(modulesAt + i * 16 + 8, placeText(strings[i]!), true);
  });
  if (picture) bytes.set(colourInformation(frameBufferFields(new Layout(0), picture), picture).toBytes(), PICTURE_AT);
  data.setUint32(0, INFO_FLAGS | (picture ? INFO_PICTURE : 0), true);
  data.setUint32(4, BASE_MEMORY_KIB, true);
  data.setUint32(8, Math.max(0, memory.map.lowEnd - EXTENDED_RAM) / 1024, true);
  data.setUint32(16, placeText(arguments_), true);
  data.setUint32(20, modules.length, true);
  data.setUint32(24, base + modulesAt, true);
  data.setUint32(44, map.length * 24, true);
  data.setUint32(48, base + mapAt, true);
  data.setUint32(64, placeText(loader), true);
  memory.writeBytes(base, bytes);
  return base;
}
