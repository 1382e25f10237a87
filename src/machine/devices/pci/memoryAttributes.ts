/**
 * The host bridge's programmable attribute map (82441FX, "PAM: Programmable Attribute Map Registers"): what processors see
 * from 0xC0000 to 1 MiB, in thirteen segments: the firmware's ROM or RAM to read, RAM or nothing to write.
 */
import { PAGE_SIZE, pageOf } from '../../../base/address';
import type { PhysicalMemory } from '../../memory/physicalMemory';

/** Register PAM0; its upper half is for the last segment, PAM1 to PAM6 have two segments each, the lower first. */
export const PAM = 0x59;
const READ_RAM = 1;
const WRITE_RAM = 2;
const FIRST = 0xc_0000;
const END = 0x10_0000;
const SEGMENT = 0x4000;
/** The last segment is 64 KiB. */
const LAST = 0xf_0000;

export class MemoryAttributes {
  /** Attributes of the segments: derived from the configuration space. */
  private segments: readonly number[] = [];

  /** `romBytes` of the ROM that ends at 4 GiB are seen below 1 MiB too. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly romBytes: number,
    private readonly dropTranslations: () => void,
  ) {}

  /** The host bridge's configuration space was written, or replaced. */
  apply(space: Uint8Array): void {
    const segments: number[] = [];
    for (let at = FIRST; at < LAST; at += SEGMENT) segments.push((space[PAM + 1 + ((at - FIRST) >> 15)]! >> (at & SEGMENT ? 4 : 0)) & 3);
    for (let at = LAST; at < END; at += SEGMENT) segments.push((space[PAM]! >> 4) & 3);
    if (segments.every((attributes, n) => attributes === this.segments[n])) return;
    this.segments = segments;
    segments.forEach((attributes, n) => {
      for (let at = FIRST + n * SEGMENT; at < FIRST + (n + 1) * SEGMENT; at += PAGE_SIZE) this.show(pageOf(at), attributes);
    });
    this.dropTranslations();
  }

  private show(page: number, attributes: number): void {
    const rom = pageOf(2 ** 32 - END) + page;
    if (attributes & READ_RAM) this.memory.show(page, page, attributes & WRITE_RAM ? 'write' : 'read');
    else this.memory.show(page, rom, (pageOf(END) - page) * PAGE_SIZE <= this.romBytes ? 'read' : 'nothing');
  }

  /** A write that meets no RAM to read: it goes to the RAM behind, or nowhere. False outside the segments. */
  write(address: number, size: number, value: number): boolean {
    if (address < FIRST || address >= END) return false;
    if (this.segments[Math.floor((address - FIRST) / SEGMENT)]! & WRITE_RAM) this.memory.program(address, Uint8Array.from({ length: size }, (_, i) => value >>> (8 * i)));
    return true;
  }
}
