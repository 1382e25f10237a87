/**
 * Linear to physical for a world that does not run: the walk of paging structures by given registers, with no fault, no
 * accessed or dirty bits and no effect. SDM volume 3, "Paging".
 */
export interface PagingRegisters {
  cr0: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
}

const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const CR4_LA57 = 1n << 12n;
const EFER_LMA = 1n << 10n;

const PRESENT = 1n;
const PAGE_SIZE_BIT = 1n << 7n;
/** Bits 51:12 of an entry. */
const ADDRESS = 0x000f_ffff_ffff_f000n;

/** Reads a paging-structure entry at an address as the structures themselves give it (guest-physical for a guest). */
export type ReadEntry = (address: number, size: 4 | 8) => bigint | undefined;

/** The physical address behind `linear`, or undefined when nothing is mapped or an entry cannot be read. */
export function walkPages(registers: PagingRegisters, linear: bigint, read: ReadEntry): number | undefined {
  const { cr0, cr3, cr4, efer } = registers;
  if (!(cr0 & CR0_PG)) return Number(BigInt.asUintN(32, linear));
  if (efer & EFER_LMA) return walkWide(cr3 & ADDRESS, linear, cr4 & CR4_LA57 ? 5 : 4, read);
  const linear32 = BigInt.asUintN(32, linear);
  if (cr4 & CR4_PAE) {
    const pointer = read(Number((cr3 & 0xffff_ffe0n) + (linear32 >> 30n) * 8n), 8);
    if (pointer === undefined || !(pointer & PRESENT)) return undefined;
    return walkWide(pointer & ADDRESS, linear32, 2, read);
  }
  return walkLegacy(cr3, linear32, (cr4 & CR4_PSE) !== 0n, read);
}

/** Tables of 512 entries of 8 bytes; `levels` of them from `root` on. */
function walkWide(root: bigint, linear: bigint, levels: number, read: ReadEntry): number | undefined {
  let table = root;
  for (let level = levels; level >= 1; level--) {
    const shift = BigInt(12 + 9 * (level - 1));
    const entry = read(Number(table + ((linear >> shift) & 511n) * 8n), 8);
    if (entry === undefined || !(entry & PRESENT)) return undefined;
    const leaf = level === 1 || (level <= 3 && (entry & PAGE_SIZE_BIT) !== 0n);
    if (leaf) {
      const offset = (1n << shift) - 1n;
      return Number((entry & ADDRESS & ~offset) | (linear & offset));
    }
    table = entry & ADDRESS;
  }
  return undefined;
}

/** 32-bit paging: two tables of 1024 entries of 4 bytes, 4-MiB pages with PSE. */
function walkLegacy(cr3: bigint, linear: bigint, pse: boolean, read: ReadEntry): number | undefined {
  const directory = read(Number((cr3 & 0xffff_f000n) + (linear >> 22n) * 4n), 4);
  if (directory === undefined || !(directory & PRESENT)) return undefined;
  if (pse && directory & PAGE_SIZE_BIT) {
    // PSE-36: bits 20:13 of the entry are address bits 39:32.
    const high = ((directory >> 13n) & 0xffn) << 32n;
    return Number(high | (directory & 0xffc0_0000n) | (linear & 0x3f_ffffn));
  }
  const entry = read(Number((directory & 0xffff_f000n) + ((linear >> 12n) & 1023n) * 4n), 4);
  if (entry === undefined || !(entry & PRESENT)) return undefined;
  return Number((entry & 0xffff_f000n) | (linear & 0xfffn));
}
