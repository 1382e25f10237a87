/**
 * Commands by which firmware for virtual machines places tables that it knows nothing about: allocate memory for a file,
 * add a file's address to a pointer, make a sum right. A record of 128 bytes each.
 */
import { ascii, u32 } from './tableBytes';

export interface LoaderFile {
  /** Name of the file that holds the bytes. */
  name: string;
  alignment: number;
  /** Below 1 MiB, where it is looked for. */
  low: boolean;
  /** Where it has pointers, as offsets in the file that they point to, of 4 or 8 bytes. */
  pointers: readonly { at: number; size: number }[];
  /** Bytes that make ranges add up to 0. */
  sums: readonly { at: number; first: number; length: number }[];
}

const RECORD = 128;
const NAME = 56;
const Kind = { ALLOCATE: 1, ADD_POINTER: 2, ADD_CHECKSUM: 3 } as const;
/** Zones of allocation. */
const HIGH = 1;
const LOW = 2;

const nameBytes = (name: string): number[] => ascii(name.padEnd(NAME, '\0'), NAME);
const record = (...bytes: number[]): number[] => [...bytes, ...new Array<number>(RECORD - bytes.length).fill(0)];

/** All pointers lead into the file `target`. */
export function tableLoader(files: readonly LoaderFile[], target: string): Uint8Array {
  const allocations = files.map(({ name, alignment, low }) => record(...u32(Kind.ALLOCATE), ...nameBytes(name), ...u32(alignment), low ? LOW : HIGH));
  const pointers = files.flatMap(({ name, pointers: list }) => list.map(({ at, size }) => record(...u32(Kind.ADD_POINTER), ...nameBytes(name), ...nameBytes(target), ...u32(at), size)));
  const sums = files.flatMap(({ name, sums: list }) => list.map(({ at, first, length }) => record(...u32(Kind.ADD_CHECKSUM), ...nameBytes(name), ...u32(at), ...u32(first), ...u32(length))));
  return Uint8Array.from([...allocations, ...pointers, ...sums].flat());
}
