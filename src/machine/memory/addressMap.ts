/** Where things are in the PC's physical address space, and the map that the firmware reports of it. */
import { PAGE_SIZE } from '../../base/address';
import type { E820Entry } from '../machineInterface';

/** Base memory as the firmware reports it, in KiB: the last KiB below 640 is the extended BIOS data area. */
export const BASE_MEMORY_KIB = 639;
export const EBDA = BASE_MEMORY_KIB * 1024;
/** The table that ACPI's software writes to, at the end of the extended BIOS data area. */
export const FACS = EBDA + 0x3c0;
/** End of the RAM below the video and ROM area. */
export const LOW_RAM_END = 0xa0000;
/** VGA text memory: RAM of the display adapter. */
export const TEXT_MEMORY = 0xb8000;
export const TEXT_MEMORY_END = 0xc0000;
/** System BIOS; its last 64 KiB also appear below 4 GiB, where the reset vector is. */
export const BIOS = 0xf0000;
export const BIOS_SIZE = 0x10000;
export const BIOS_ALIAS = 0x1_0000_0000 - BIOS_SIZE;
/** What the map reports as occupied by firmware flash. */
export const FLASH = 0xfffc_0000;
export const EXTENDED_RAM = 0x10_0000;
/** The display adapter's memory for graphics, as one piece: RAM of its own, behind a base address register that stays where the firmware puts it. */
export const VIDEO_MEMORY = 0xfd00_0000;
export const VIDEO_MEMORY_SIZE = 0x100_0000;
/** What of it a VGA has. */
export const VGA_MEMORY = 0x4_0000;
/** RAM ends here at the latest; devices and firmware have the space up to 4 GiB, and the rest of the RAM continues there. */
export const HOLE = 0xc000_0000;
export const HOLE_END = 0x1_0000_0000;
export const IO_APIC = 0xfec0_0000;
export const HPET = 0xfed0_0000;
export const LOCAL_APIC = 0xfee0_0000;
/** The I/O APIC's identifier, behind those of the processors. */
export const ioApicId = (cpus: number): number => cpus;

const page = (address: number): number => address / PAGE_SIZE;

/** The layout for `memory` bytes of RAM (a multiple of 4096). */
export class AddressMap {
  /** End of RAM below 4 GiB. */
  readonly lowEnd: number;
  /** End of RAM above 4 GiB; HOLE_END when there is none. */
  readonly highEnd: number;
  private readonly lowEndPage: number;
  private readonly highEndPage: number;

  /** `reported` takes the place of the true map where the firmware is asked for it. */
  constructor(
    readonly memory: number,
    private readonly reported?: readonly E820Entry[],
  ) {
    this.lowEnd = Math.min(memory, HOLE);
    this.highEnd = HOLE_END + Math.max(0, memory - HOLE);
    this.lowEndPage = page(this.lowEnd);
    this.highEndPage = page(this.highEnd);
  }

  /** Whether a physical page is RAM, the display's memory included. */
  isRam(p: number): boolean {
    if (p < page(EXTENDED_RAM)) return p < page(LOW_RAM_END) || (p >= page(TEXT_MEMORY) && p < page(TEXT_MEMORY_END));
    if (p < page(HOLE_END)) return p < this.lowEndPage || (p >= page(VIDEO_MEMORY) && p < page(VIDEO_MEMORY + VIDEO_MEMORY_SIZE));
    return p < this.highEndPage;
  }

  /** The map of INT 15h E820, in ascending order. */
  e820(): E820Entry[] {
    if (this.reported) return this.reported.map((entry) => ({ ...entry }));
    const entries: E820Entry[] = [];
    const add = (from: number, to: number, type: number): void => {
      if (to > from) entries.push({ base: BigInt(from), length: BigInt(to - from), type });
    };
    add(0, EBDA, 1);
    add(EBDA, LOW_RAM_END, 2);
    add(BIOS, BIOS + BIOS_SIZE, 2);
    add(EXTENDED_RAM, this.lowEnd, 1);
    add(FLASH, HOLE_END, 2);
    add(HOLE_END, this.highEnd, 1);
    return entries;
  }
}
