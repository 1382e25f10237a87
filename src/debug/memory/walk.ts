/** What a walk of translation structures tells, level by level: of the guest's or VMM's page tables, or of EPT. */
import type { BitRow } from '../../vmx/tables';

/** One entry that a walk has used. */
export interface WalkStep {
  /** The SDM's name of the entry: `PML4E`, `EPT PTE`. */
  structure: string;
  index: number;
  /** Physical address of the entry as the structure itself gives it: guest-physical for a guest's page tables. */
  address: number;
  size: 4 | 8;
  /** Undefined: nothing could be read there. */
  value: bigint | undefined;
  /** Names of the entry's bits. */
  rows: readonly BitRow[];
  /** Physical address that the entry holds: of the next table, or of the page. */
  target: number | undefined;
  /** Bytes of the page, when the entry maps one. */
  pageSize: number | undefined;
  /** The rule that ends the walk here, as a sentence. */
  stop: string | undefined;
}

/** Which accesses the entries of a walk permit, each with the entry that takes the right away. */
export interface Permission {
  name: string;
  allowed: boolean;
  /** Why not: `R/W is 0 in the PDE`. */
  reason: string | undefined;
}

export interface Walk {
  steps: WalkStep[];
  /** The address that the walk yields; undefined when a rule has ended it. */
  address: number | undefined;
  /** The rule that ended it; undefined when it reached a page. */
  stop: string | undefined;
  /** Bytes of the page; undefined without paging. */
  pageSize: number | undefined;
  /** Asked for only when they are shown. */
  permissions: () => Permission[];
}

/** Reads an entry at an address as the structures themselves give it; undefined where there is nothing. */
export type ReadEntry = (address: number, size: 4 | 8) => bigint | undefined;

/** Bits 51:12 of an entry. */
export const ENTRY_ADDRESS = 0x000f_ffff_ffff_f000n;

/** Index into a table of 512 entries at a level, 1 being the last. */
export const indexAt = (address: bigint, level: number): number => Number((address >> BigInt(12 + 9 * (level - 1))) & 511n);

/** Bytes that an entry at a level covers. */
export const bytesAt = (level: number): number => 2 ** (12 + 9 * (level - 1));

/** The first present entry that lacks a bit, or has it when `set`, by structure name. */
export const firstWith = (steps: readonly WalkStep[], mask: bigint, set: boolean): WalkStep | undefined =>
  steps.find(({ value }) => value !== undefined && ((value & mask) !== 0n) === set);
