/** The processor's state in which kernels that are started directly begin: flat segments, interrupts off. */
import { Cr0, Cr4, Efer } from '../../cpu/controlBits';
import { writeFlags } from '../../cpu/flags';
import type { Processor } from '../../cpu/processor';
import { Offset, Seg } from '../../cpu/state';
import { ROM_GDT, ROM_GDT_CODE, ROM_GDT_DATA } from '../firmware/rom';
import { BIOS } from '../memory/addressMap';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { PAGE } from './placement';

const FLAGS_CLEAR = 2;
const GDT_LIMIT = 23;

export interface Selectors {
  code: number;
  data: number;
}

/** Flat segments with the attributes of the mode, all registers 0 but those given, by Gpr number. */
export function enterFlat(cpu: Processor, rip: bigint, selectors: Selectors, wide: boolean, registers: Readonly<Partial<Record<number, number>>>): void {
  const s = cpu.state;
  const segment = (seg: number, selector: number, access: number): void => {
    s.setSelector(seg, selector);
    s.setSegBase(seg, 0n);
    s.setLimit(seg, 0xffff_ffff);
    s.setAccess(seg, access);
  };
  segment(Seg.CS, selectors.code, wide ? 0xa09b : 0xc09b);
  for (const seg of [Seg.DS, Seg.ES, Seg.FS, Seg.GS, Seg.SS]) segment(seg, selectors.data, 0xc093);
  s.set32(Offset.CPL, 0);
  for (let n = 0; n < 16; n++) s.setReg(n, BigInt(registers[n] ?? 0));
  writeFlags(s, FLAGS_CLEAR);
  s.rip = rip;
  cpu.stateChanged();
  cpu.flushTlb();
}

/** 32-bit protected mode without paging, with the ROM's descriptor table so that the selectors can be loaded. */
export function enterProtectedMode(cpu: Processor, entry: number, registers: Readonly<Partial<Record<number, number>>>): void {
  const s = cpu.state;
  s.set64(Offset.GDTR_BASE, BigInt(BIOS + ROM_GDT));
  s.set32(Offset.GDTR_LIMIT, GDT_LIMIT);
  s.set64(Offset.CR0, BigInt((Cr0.PE | Cr0.ET) >>> 0));
  enterFlat(cpu, BigInt(entry), { code: ROM_GDT_CODE, data: ROM_GDT_DATA }, false, registers);
}

/** Puts a descriptor table with these selectors (multiples of 8) at an address and loads GDTR. */
export function loadDescriptorTable(cpu: Processor, memory: PhysicalMemory, address: number, { code, data }: Selectors, wide: boolean): void {
  const descriptors = new DataView(new ArrayBuffer(Math.max(code, data) + 8));
  descriptors.setBigUint64(code, wide ? 0x00af_9b00_0000_ffffn : 0x00cf_9b00_0000_ffffn, true);
  descriptors.setBigUint64(data, 0x00cf_9300_0000_ffffn, true);
  memory.writeBytes(address, new Uint8Array(descriptors.buffer));
  const s = cpu.state;
  s.set64(Offset.GDTR_BASE, BigInt(address));
  s.set32(Offset.GDTR_LIMIT, descriptors.byteLength - 1);
  s.set32(Offset.IDTR_LIMIT, 0);
}

/** Switches 4-level paging and long mode on, with these page tables. */
export function enableLongMode(cpu: Processor, root: number): void {
  const s = cpu.state;
  s.set64(Offset.CR3, BigInt(root));
  s.set64(Offset.CR4, BigInt(Cr4.PAE));
  s.set32(Offset.EFER, Efer.LME | Efer.LMA);
  s.set64(Offset.CR0, BigInt((Cr0.PE | Cr0.ET | Cr0.PG) >>> 0));
}

/** Gigabytes that are mapped one to one. */
export const MAPPED_GIGABYTES = 4;
const PRESENT = 0x03n; // and writable
const LARGE = 0x80n;
export const LARGE_PAGE = 0x20_0000;

/** Page tables that map the first gigabytes one to one with 2-MiB pages, and one more stretch elsewhere. */
export class IdentityMap {
  private readonly tables: BigUint64Array[] = [];

  /** Tables lie from `base` on, a page each; `room` is how many there may be. */
  constructor(
    private readonly base: number,
    private readonly room: number,
  ) {
    const root = this.table();
    const pointers = this.below(root, 0);
    for (let i = 0; i < MAPPED_GIGABYTES; i++) {
      const directory = this.below(pointers, i);
      for (let n = 0; n < 512; n++) directory[n] = (BigInt(i * 512 + n) << 21n) | LARGE | PRESENT;
    }
  }

  private table(): BigUint64Array {
    if (this.tables.length === this.room) throw new Error('The loader has no room for more page tables.');
    const made = new BigUint64Array(512);
    this.tables.push(made);
    return made;
  }

  /** The table that an entry leads to, made when there is none yet. */
  private below(table: BigUint64Array, index: number): BigUint64Array {
    if (table[index] !== 0n) return this.tables[(Number(table[index]! & ~0xfffn) - this.base) / PAGE]!;
    const made = this.table();
    table[index] = BigInt(this.base + (this.tables.length - 1) * PAGE) | PRESENT;
    return made;
  }

  /** Maps a linear address to a physical one with 2-MiB pages: both must lie at the same distance from a multiple of 2 MiB. */
  map(linear: bigint, physical: number, length: number): void {
    const first = linear & ~BigInt(LARGE_PAGE - 1);
    for (let at = first; at < linear + BigInt(length); at += BigInt(LARGE_PAGE)) {
      const index = (shift: bigint): number => Number((at >> shift) & 0x1ffn);
      const directory = this.below(this.below(this.tables[0]!, index(39n)), index(30n));
      directory[index(21n)] = ((BigInt(physical) + (at - linear)) & ~BigInt(LARGE_PAGE - 1)) | LARGE | PRESENT;
    }
  }

  /** Writes the tables; yields the address for CR3. */
  write(memory: PhysicalMemory): number {
    this.tables.forEach((table, i) => memory.writeBytes(this.base + i * PAGE, new Uint8Array(table.buffer)));
    return this.base;
  }
}

