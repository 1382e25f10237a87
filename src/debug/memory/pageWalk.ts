/**
 * The walk of paging structures by given registers, told level by level, with no fault, no accessed or dirty bits and no
 * effect. SDM volume 3, "Paging": "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging".
 */
import { PHYSICAL_ADDRESS_BITS } from '../../cpu/controlBits';
import type { BitRow } from '../../vmx/tables';
import { bytesAt, ENTRY_ADDRESS, firstWith, indexAt, type Permission, type ReadEntry, type Walk, type WalkStep } from './walk';

export interface PagingRegisters {
  cr0: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
  /** The PDPTE registers of PAE paging; without them the pointers are read from memory. */
  pdptes?: readonly bigint[] | undefined;
}

const CR0_PG = 1n << 31n;
const CR0_WP = 1n << 16n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const CR4_LA57 = 1n << 12n;
const CR4_SMEP = 1n << 20n;
const CR4_SMAP = 1n << 21n;
const EFER_LMA = 1n << 10n;
const EFER_NXE = 1n << 11n;

const PRESENT = 1n;
const WRITE = 1n << 1n;
const USER = 1n << 2n;
const PAGE_SIZE_BIT = 1n << 7n;
const XD = 1n << 63n;
/** Address bits beyond the processor's width. */
const RESERVED_ADDRESS = ENTRY_ADDRESS & ~((1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n);

const TABLE_ROWS: readonly BitRow[] = [[0, 'P'], [1, 'R/W'], [2, 'U/S'], [3, 'PWT'], [4, 'PCD'], [5, 'A']];
const PAGE_ROWS: readonly BitRow[] = [...TABLE_ROWS, [6, 'D'], [8, 'G']];
const LARGE_ROWS: readonly BitRow[] = [...PAGE_ROWS, [7, 'PS'], [12, 'PAT']];
const PTE_ROWS: readonly BitRow[] = [...PAGE_ROWS, [7, 'PAT']];
const XD_ROW: BitRow = [63, 'XD'];
const PDPTE_ROWS: readonly BitRow[] = [[0, 'P'], [3, 'PWT'], [4, 'PCD']];

const NAMES = ['', 'PTE', 'PDE', 'PDPTE', 'PML4E', 'PML5E'];

/** Which paging is in use, in words. */
export function pagingMode({ cr0, cr4, efer }: PagingRegisters): string {
  if (!(cr0 & CR0_PG)) return 'no paging';
  if (efer & EFER_LMA) return cr4 & CR4_LA57 ? '5-level paging' : '4-level paging';
  return cr4 & CR4_PAE ? 'PAE paging' : '32-bit paging';
}

/** The physical address behind `linear`, or undefined when nothing is mapped or an entry cannot be read. */
export const walkPages = (registers: PagingRegisters, linear: bigint, read: ReadEntry): number | undefined => walkPaging(registers, linear, read).address;

/** The whole walk of a linear address. */
export function walkPaging(registers: PagingRegisters, linear: bigint, read: ReadEntry): Walk {
  const { cr0, cr3, cr4, efer } = registers;
  if (!(cr0 & CR0_PG)) return { steps: [], address: Number(BigInt.asUintN(32, linear)), stop: undefined, pageSize: undefined, permissions: () => [] };
  const steps: WalkStep[] = [];
  let address: number | undefined;
  if (efer & EFER_LMA) {
    const levels = cr4 & CR4_LA57 ? 5 : 4;
    const top = BigInt(12 + 9 * levels);
    if (BigInt.asUintN(64, BigInt.asIntN(Number(top), linear)) !== BigInt.asUintN(64, linear)) {
      return ended(registers, steps, `The address is not canonical: bits 63:${top - 1n} are not all equal.`);
    }
    address = walkWide(registers, steps, cr3 & ENTRY_ADDRESS, linear, levels, read);
  } else if (cr4 & CR4_PAE) {
    const linear32 = BigInt.asUintN(32, linear);
    const root = pointerStep(registers, linear32, read);
    steps.push(root);
    if (root.target !== undefined) address = walkWide(registers, steps, BigInt(root.target), linear32, 2, read);
  } else address = walkLegacy(steps, cr3, BigInt.asUintN(32, linear), (cr4 & CR4_PSE) !== 0n, read);
  const last = steps.at(-1);
  if (address === undefined) return ended(registers, steps, last?.stop);
  return { steps, address, stop: undefined, pageSize: last?.pageSize, permissions: () => permissions(registers, steps) };
}

const ended = (registers: PagingRegisters, steps: WalkStep[], stop: string | undefined): Walk => ({ steps, address: undefined, stop, pageSize: undefined, permissions: () => permissions(registers, steps.filter((s) => s.stop === undefined)) });

/** A PDPTE of PAE paging: in a register, or in memory where the registers are not known. */
function pointerStep({ cr3, pdptes }: PagingRegisters, linear: bigint, read: ReadEntry): WalkStep {
  const index = Number(linear >> 30n);
  const address = Number(cr3 & 0xffff_ffe0n) + index * 8;
  const value = pdptes ? pdptes[index] : read(address, 8);
  const step: WalkStep = { structure: 'PDPTE', index, address, size: 8, value, rows: PDPTE_ROWS, target: undefined, pageSize: undefined, stop: undefined };
  if (value === undefined) step.stop = 'The entry cannot be read: there is no memory at its address.';
  else if (!(value & PRESENT)) step.stop = 'P (bit 0) is 0: no page directory.';
  else step.target = Number(value & ENTRY_ADDRESS);
  return step;
}

/** Tables of 512 entries of 8 bytes; `levels` of them from `root` on. */
function walkWide(registers: PagingRegisters, steps: WalkStep[], root: bigint, linear: bigint, levels: number, read: ReadEntry): number | undefined {
  let table = Number(root);
  for (let level = levels; level >= 1; level--) {
    const index = indexAt(linear, level);
    const address = table + index * 8;
    const value = read(address, 8);
    const page = level === 1 || (level <= 3 && value !== undefined && (value & PAGE_SIZE_BIT) !== 0n);
    const rows = [...(page ? (level === 1 ? PTE_ROWS : LARGE_ROWS) : TABLE_ROWS), XD_ROW];
    const step: WalkStep = { structure: NAMES[level]!, index, address, size: 8, value, rows, target: undefined, pageSize: undefined, stop: undefined };
    steps.push(step);
    step.stop = wideStop(registers, level, value, page);
    if (step.stop !== undefined || value === undefined) return undefined;
    if (!page) {
      table = step.target = Number(value & ENTRY_ADDRESS);
      continue;
    }
    const offset = BigInt(bytesAt(level)) - 1n;
    step.pageSize = bytesAt(level);
    step.target = Number(value & ENTRY_ADDRESS & ~offset);
    return step.target + Number(linear & offset);
  }
  return undefined;
}

/** The rule that an entry of 8 bytes breaks. */
function wideStop({ efer }: PagingRegisters, level: number, value: bigint | undefined, page: boolean): string | undefined {
  if (value === undefined) return 'The entry cannot be read: there is no memory at its address.';
  if (!(value & PRESENT)) return `P (bit 0) is 0: ${page && level === 1 ? 'no page' : 'nothing'} is mapped here.`;
  if (value & RESERVED_ADDRESS) return `Address bits 51:${PHYSICAL_ADDRESS_BITS} are reserved on this processor and not 0.`;
  if (value & XD && !(efer & EFER_NXE)) return 'XD (bit 63) is 1 although EFER.NXE is 0: reserved.';
  if (level >= 4 && value & PAGE_SIZE_BIT) return 'Bit 7 is 1: reserved at this level.';
  if (!(efer & EFER_LMA) && value & 0x7ff0_0000_0000_0000n) return 'Bits 62:52 are reserved in PAE paging and not 0.';
  if (page && level > 1 && value & (BigInt(bytesAt(level)) - 1n) & ~0x1fffn) return `Address bits ${level === 3 ? '29:13' : '20:13'} are reserved in a large page and not 0.`;
  return undefined;
}

/** 32-bit paging: two tables of 1024 entries of 4 bytes, 4-MiB pages with PSE. */
function walkLegacy(steps: WalkStep[], cr3: bigint, linear: bigint, pse: boolean, read: ReadEntry): number | undefined {
  const entry = (structure: string, table: bigint, index: number, rows: readonly BitRow[]): WalkStep => {
    const address = Number(table) + index * 4;
    const value = read(address, 4);
    const stop = value === undefined ? 'The entry cannot be read: there is no memory at its address.' : value & PRESENT ? undefined : 'P (bit 0) is 0: nothing is mapped here.';
    const step: WalkStep = { structure, index, address, size: 4, value, rows, target: undefined, pageSize: undefined, stop };
    steps.push(step);
    return step;
  };
  const directory = entry('PDE', cr3 & 0xffff_f000n, Number(linear >> 22n), TABLE_ROWS);
  if (directory.stop !== undefined) return undefined;
  const value = directory.value!;
  if (pse && value & PAGE_SIZE_BIT) {
    directory.rows = LARGE_ROWS;
    if (value & 0x20_0000n) directory.stop = 'Bit 21 is reserved in a 4-MiB page and not 0.';
    if (directory.stop !== undefined) return undefined;
    // PSE-36: bits 20:13 of the entry are address bits 39:32.
    directory.target = Number((((value >> 13n) & 0xffn) << 32n) | (value & 0xffc0_0000n));
    directory.pageSize = 0x40_0000;
    return directory.target + Number(linear & 0x3f_ffffn);
  }
  directory.target = Number(value & 0xffff_f000n);
  const table = entry('PTE', value & 0xffff_f000n, Number((linear >> 12n) & 1023n), PTE_ROWS);
  if (table.stop !== undefined) return undefined;
  table.target = Number(table.value! & 0xffff_f000n);
  table.pageSize = 0x1000;
  return table.target + Number(linear & 0xfffn);
}

/** SDM volume 3, "Access Rights". PAE's pointers hold no rights. */
function permissions({ cr0, cr4, efer }: PagingRegisters, all: readonly WalkStep[]): Permission[] {
  const steps = all.filter((s) => s.rows !== PDPTE_ROWS);
  const readOnly = firstWith(steps, WRITE, false);
  const supervisor = firstWith(steps, USER, false);
  const noExecute = efer & EFER_NXE ? firstWith(steps, XD, true) : undefined;
  const because = (step: WalkStep | undefined, bit: string): string | undefined => step && `${bit} in the ${step.structure}`;
  const permission = (name: string, ...reasons: (string | undefined)[]): Permission => {
    const reason = reasons.find((r) => r !== undefined);
    return { name, allowed: reason === undefined, reason };
  };
  const notWritable = because(readOnly, 'R/W is 0');
  const notUser = because(supervisor, 'U/S is 0');
  const notExecutable = because(noExecute, 'XD is 1');
  const userPage = supervisor === undefined;
  return [
    permission('supervisor reads', userPage && cr4 & CR4_SMAP ? 'it is a user page, and CR4.SMAP is 1 (unless RFLAGS.AC is)' : undefined),
    permission('supervisor writes', userPage && cr4 & CR4_SMAP ? 'it is a user page, and CR4.SMAP is 1 (unless RFLAGS.AC is)' : undefined, cr0 & CR0_WP ? notWritable : undefined),
    permission('supervisor executes', notExecutable, userPage && cr4 & CR4_SMEP ? 'it is a user page, and CR4.SMEP is 1' : undefined),
    permission('user reads', notUser),
    permission('user writes', notUser, notWritable),
    permission('user executes', notUser, notExecutable),
  ];
}
