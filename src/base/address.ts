/**
 * Address types that do not mix silently.
 *
 * Physical addresses have at most 52 bits, so a JavaScript number holds them exactly; linear addresses need all 64.
 */

declare const linear: unique symbol;
declare const gpa: unique symbol;
declare const hpa: unique symbol;

/** A linear address, 64 bits, unsigned. */
export type Linear = bigint & { readonly [linear]: true };

/** A guest-physical address: what the guest's page tables yield, before EPT. At most 52 bits. */
export type Gpa = number & { readonly [gpa]: true };

/** A host-physical address: what reaches the bus. At most 52 bits. Without EPT every Gpa is the Hpa of the same value. */
export type Hpa = number & { readonly [hpa]: true };

export const linearOf = (value: bigint): Linear => BigInt.asUintN(64, value) as Linear;
export const gpaOf = (value: number): Gpa => value as Gpa;
export const hpaOf = (value: number): Hpa => value as Hpa;

export const PAGE_SIZE = 0x1000;
export const PAGE_SHIFT = 12;

/** Number of the 4-KiB page that holds a physical address. Works beyond 32 bits. */
export const pageOf = (address: number): number => Math.floor(address / PAGE_SIZE);

/** Offset of an address inside its 4-KiB page. */
export const pageOffset = (address: number): number => address % PAGE_SIZE;
