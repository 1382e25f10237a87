/** Where kernels, modules and what the loader has to say go in memory; shared by all ways to start a kernel directly. */
import { UserError } from '../../base/errors';
import type { BootModule, DiskImage } from '../machineInterface';
import { BIOS, EXTENDED_RAM } from '../memory/addressMap';
import type { PhysicalMemory } from '../memory/physicalMemory';
import type { LoadSegment } from './elfImage';

export const PAGE = 0x1000;
/** Low memory that the loader may use: below the extended BIOS data area, above the interrupt vectors. */
const LOW_END = 0x9f000;
const LOW_BEGIN = 0x1000;

export interface PlacedModule {
  start: number;
  end: number;
  /** File name and arguments. */
  commandLine: string;
}

/**
 * Puts a segment at its physical address, with zeros behind its bytes. Throws a UserError that names the file when there is no RAM.
 * A linker that is told to put code at 1 MiB puts the ELF header before it, into the BIOS's ROM: that part is lost, as on a PC.
 */
export function placeSegment(memory: PhysicalMemory, segment: LoadSegment, name: string): void {
  const inRom = segment.address >= BIOS && segment.address < EXTENDED_RAM ? EXTENDED_RAM - segment.address : 0;
  const [address, bytes, memorySize] = [segment.address + inRom, segment.bytes.subarray(inRom), Math.max(0, segment.memorySize - inRom)];
  const fits = memory.writeBytes(address, bytes) && zero(memory, address + bytes.length, memorySize - bytes.length);
  if (!fits) throw new UserError('boot.noRoom', `${name} does not fit: it asks for memory from 0x${address.toString(16)} to 0x${(address + memorySize).toString(16)}, and the machine has RAM up to 0x${memory.map.lowEnd.toString(16)}; raise machine.memory or link it elsewhere.`);
}

/** Fills with zeros in pieces, so that a large BSS needs no large buffer. */
function zero(memory: PhysicalMemory, address: number, length: number): boolean {
  const piece = new Uint8Array(Math.min(length, 0x10_0000));
  for (let done = 0; done < length; done += piece.length) if (!memory.writeBytes(address + done, piece.subarray(0, Math.min(piece.length, length - done)))) return false;
  return true;
}

/** First byte behind all segments, and never below 1 MiB. */
export const endOf = (segments: readonly LoadSegment[]): number => Math.max(EXTENDED_RAM, ...segments.map((s) => s.address + s.memorySize));

/** Puts modules on pages of their own from an address on. */
export function placeModules(modules: readonly BootModule[], from: number, memory: PhysicalMemory): PlacedModule[] {
  let end = from;
  return modules.map(({ image, append }) => {
    const start = Math.ceil(end / PAGE) * PAGE;
    placeSegment(memory, { address: start, bytes: image.bytes, memorySize: image.bytes.length }, image.name);
    end = start + image.bytes.length;
    return { start, end, commandLine: commandLine(image, append) };
  });
}

/** A file's name and what stands behind it. Only the path's last part: what the kernel is told must not depend on where the file lies. */
export function commandLine({ name }: DiskImage, append: string): string {
  const file = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  return `${file} ${append}`.trim();
}

/** Room in low memory that no segment occupies: the highest page that fits. Throws a UserError that names the file. */
export function lowRoom(size: number, segments: readonly LoadSegment[], name: string): number {
  for (let base = Math.floor((LOW_END - size) / PAGE) * PAGE; base >= LOW_BEGIN; base -= PAGE) if (segments.every((s) => base + size <= s.address || base >= s.address + s.memorySize)) return base;
  throw new UserError('boot.noRoom', `${name} and its command line leave no room in the first 640 KiB for what the boot loader has to tell it.`);
}

/** Bytes that are laid out one after another from a physical address on, and refer to each other by it. */
export class Layout {
  private readonly bytes: number[] = [];

  constructor(readonly base: number) {}

  get size(): number {
    return this.bytes.length;
  }
  /** Address of the next byte. */
  get at(): number {
    return this.base + this.bytes.length;
  }
  u8(value: number): this {
    this.bytes.push(value & 0xff);
    return this;
  }
  u16(value: number): this {
    return this.u8(value).u8(value >>> 8);
  }
  u32(value: number): this {
    return this.u16(value).u16(value >>> 16);
  }
  u64(value: number | bigint): this {
    const wide = BigInt(value);
    return this.u32(Number(wide & 0xffff_ffffn)).u32(Number(wide >> 32n));
  }
  raw(bytes: Iterable<number>): this {
    for (const byte of bytes) this.u8(byte);
    return this;
  }
  text(text: string): this {
    return this.raw(new TextEncoder().encode(text)).u8(0);
  }
  align(to: number): this {
    while (this.bytes.length % to !== 0) this.u8(0);
    return this;
  }
  /** Writes 32 bits over what stands at an address of the layout. */
  patch32(address: number, value: number): void {
    for (let i = 0; i < 4; i++) this.bytes[address - this.base + i] = (value >>> (8 * i)) & 0xff;
  }
  toBytes(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}
