/**
 * The memory map that a VMM gave its guest: the answer to hypercall 1 (MBMAP) is the Gpa of a multiboot_info in RBX.
 * It is read when the guest goes on after that exit, as the guest will see it.
 */
import { hex } from '../../base/bits';
import type { E820Entry } from '../../machine/machineInterface';
import type { ExitRecord } from '../../vmx/observe';
import { Reason } from '../../vmx/tables';
import type { Target } from '../target';

const MBMAP = 1;
/** flags bit 6: mmap_length and mmap_addr are valid (multiboot specification, "Boot information format"). */
const FLAG_MMAP = 1n << 6n;
const MMAP_LENGTH = 44;
const MMAP_ADDRESS = 48;
/** More than this is garbage, not a map. */
const MOST_BYTES = 4096;
const LEAST_ENTRY = 20;

export interface GuestMap {
  ranges: E820Entry[];
  /** Where it was read, in words. */
  source: string;
}

/** Whether an exit asks for the map. */
export const asksForMap = (record: ExitRecord): boolean => record.reason === Reason.VMCALL && Number(record.details['number']) === MBMAP;

/** Reads the map whose multiboot_info is at `gpa`; undefined when what is there is none. */
export function readGuestMap(target: Target, gpa: bigint, exit: ExitRecord): GuestMap | undefined {
  const read = (address: bigint, size: number): bigint | undefined => target.readInteger('gpa', address, size);
  const flags = read(gpa, 4);
  const length = read(gpa + BigInt(MMAP_LENGTH), 4);
  const address = read(gpa + BigInt(MMAP_ADDRESS), 4);
  if (flags === undefined || length === undefined || address === undefined) return undefined;
  if (!(flags & FLAG_MMAP) || length === 0n || length > MOST_BYTES) return undefined;
  const ranges: E820Entry[] = [];
  for (let at = address; at < address + length; ) {
    const size = read(at, 4);
    const base = read(at + 4n, 8);
    const bytes = read(at + 12n, 8);
    const type = read(at + 20n, 4);
    if (size === undefined || base === undefined || bytes === undefined || type === undefined || size < LEAST_ENTRY || size > MOST_BYTES) return undefined;
    ranges.push({ base, length: bytes, type: Number(type) });
    // `size` does not count itself.
    at += size + 4n;
  }
  return { ranges, source: `VMCALL 1 (VM exit ${exit.n}) at icount ${exit.icount}, multiboot information at guest-physical ${hex(gpa)}` };
}
