/**
 * The SMBIOS tables, by which software learns what kind of machine it is on (System Management BIOS Reference
 * Specification 2.8): BIOS, system, chassis, processor and memory.
 */
import { BIOS, HOLE, HOLE_END } from '../memory/addressMap';
import type { MpOptions } from './mpTable';
import { ascii, checksum, u16, u32, u64 } from './tableBytes';

const ENTRY_SIZE = 0x1f;
/** Version 2.8. */
const VERSION = { major: 2, minor: 8 } as const;
/** A value that nobody knows, and a handle of nothing. */
const UNKNOWN = 2;
const NO_HANDLE = 0xffff;
const NOT_PROVIDED = 0xfffe;
/** BIOS characteristics: PCI, boot from CD, boot device can be chosen, EDD; extension: ACPI; a virtual machine. */
const BIOS_CHARACTERISTICS = 2 ** 7 + 2 ** 15 + 2 ** 16 + 2 ** 19;
const EXTENSIONS = [0x01, 0x10];
const KIB = 1024;
const MIB = 2 ** 20;
/** From these sizes on, fields of 16 and 32 bits refer to longer ones. */
const LARGE_DEVICE = 0x7fff;
const LARGE_ARRAY = 0x8000_0000;
const LARGE_ADDRESS = 0xffff_ffff;

interface Structure {
  type: number;
  /** What follows type, length and handle. */
  body: number[];
  /** Numbered from 1 on in the body. */
  strings: string[];
}

/** All structures. `memory` in bytes. */
function structures({ cpus, signature, features }: MpOptions, memory: number): Structure[] {
  const maker = 'Hyperstep';
  const all: Structure[] = [
    { type: 0, strings: [maker, '1.0', '01/01/2024'], body: [1, 2, ...u16(BIOS / 16), 3, 0, ...u64(BIOS_CHARACTERISTICS), ...EXTENSIONS, 1, 0, 0xff, 0xff] },
    // System: no serial number, an identifier of ones (none is set), started by the power switch.
    { type: 1, strings: [maker, 'Virtual PC', '1.0'], body: [1, 2, 3, 0, ...new Array<number>(16).fill(0xff), 6, 0, 0] },
    // Chassis: of another kind, all is well.
    { type: 3, strings: [maker], body: [1, 1, 0, 0, 0, 3, 3, 3, UNKNOWN, ...u32(0), 0, 0, 0, 0, 0] },
    // One processor in a socket, enabled, with as many cores; its speed is one instruction a nanosecond.
    { type: 4, strings: ['CPU 0', 'Intel', 'Hyperstep x86-64 virtual processor'], body: [1, 3, UNKNOWN, 2, ...u32(signature), ...u32(features), 3, 0, ...u16(0), ...u16(1000), ...u16(1000), 0x41, 1, ...u16(NO_HANDLE), ...u16(NO_HANDLE), ...u16(NO_HANDLE), 0, 0, 0, cpus, cpus, cpus, ...u16(0x0004), ...u16(UNKNOWN)] },
    // The array of memory: on the board, system memory, no error correction, one device.
    { type: 16, strings: [], body: [3, 3, 3, ...u32(memory / KIB < LARGE_ARRAY ? memory / KIB : LARGE_ARRAY), ...u16(NOT_PROVIDED), ...u16(1), ...u64(memory / KIB < LARGE_ARRAY ? 0 : memory)] },
  ];
  const array = all.length - 1;
  const size = Math.floor(memory / MIB);
  all.push({ type: 17, strings: ['DIMM 0', maker], body: [...u16(array), ...u16(NOT_PROVIDED), ...u16(64), ...u16(64), ...u16(Math.min(size, LARGE_DEVICE)), 9, 0, 1, 0, 7, ...u16(2), ...u16(0), 2, 0, 0, 0, 0, ...u32(size < LARGE_DEVICE ? 0 : size), ...u16(0), ...u16(0), ...u16(0), ...u16(0)] });
  const mapped = (first: number, end: number): void => {
    const fits = (end - 1) / KIB < LARGE_ADDRESS;
    all.push({ type: 19, strings: [], body: [...u32(fits ? first / KIB : LARGE_ADDRESS), ...u32(fits ? Math.floor((end - 1) / KIB) : LARGE_ADDRESS), ...u16(array), 1, ...u64(fits ? 0 : first), ...u64(fits ? 0 : end - 1)] });
  };
  mapped(0, Math.min(memory, HOLE));
  if (memory > HOLE) mapped(HOLE_END, HOLE_END + memory - HOLE);
  all.push({ type: 32, strings: [], body: [0, 0, 0, 0, 0, 0, 0] }, { type: 127, strings: [], body: [] });
  return all;
}

/** Strings end with a zero each and with one for all; without any there are two. */
const stringBytes = (strings: readonly string[]): number[] => (strings.length === 0 ? [0, 0] : [...strings.flatMap((text) => [...ascii(text, 0), 0]), 0]);

/** The entry point alone and the structures alone, for firmware that places them; it writes the address. */
export const smbiosAnchor = (mp: MpOptions, memory: number): Uint8Array => smbiosTables(0, mp, memory).subarray(0, ENTRY_SIZE);
export const smbiosStructures = (mp: MpOptions, memory: number): Uint8Array => smbiosTables(0, mp, memory).subarray(ENTRY_SIZE + 1);

/** Entry point and structures as they lie from `address`, a multiple of 16, on. */
export function smbiosTables(address: number, mp: MpOptions, memory: number): Uint8Array {
  const encoded = structures(mp, memory).map(({ type, body, strings }, handle) => [type, body.length + 4, ...u16(handle), ...body, ...stringBytes(strings)]);
  const table = encoded.flat();
  const at = address + ENTRY_SIZE + 1;
  const second = [...ascii('_DMI_', 5), 0, ...u16(table.length), ...u32(at), ...u16(encoded.length), (VERSION.major << 4) | VERSION.minor];
  second[5] = checksum(second);
  const entry = [...ascii('_SM_', 4), 0, ENTRY_SIZE, VERSION.major, VERSION.minor, ...u16(Math.max(...encoded.map(({ length }) => length))), 0, 0, 0, 0, 0, 0, ...second];
  entry[4] = checksum(entry);
  return Uint8Array.from([...entry, 0, ...table]);
}
