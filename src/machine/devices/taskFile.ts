/** The registers of an IDE channel by which software says what it wants: each byte with the value before it, for 48-bit commands. */
import { bit } from '../../base/bits';
import type { Geometry } from '../disk/drive';

/** A byte and the one that was written before it. */
export type Pair = [now: number, before: number];

export interface TaskFile {
  feature: Pair;
  count: Pair;
  lbaLow: Pair;
  lbaMid: Pair;
  lbaHigh: Pair;
  /** Drive, address form, and the address's highest bits. */
  device: number;
}

/** After a reset and a diagnostic: what disks show. */
export const diskSignature = (): Pick<TaskFile, 'count' | 'lbaLow' | 'lbaMid' | 'lbaHigh'> => ({ count: [1, 0], lbaLow: [1, 0], lbaMid: [0, 0], lbaHigh: [0, 0] });

const LINEAR = 6;

/** A byte is written; the one that is there becomes the one before. */
export function shift(pair: Pair, value: number): void {
  pair[1] = pair[0];
  pair[0] = value & 0xff;
}

/** Sectors that a command is for. */
export const sectorCount = ({ count }: TaskFile, extended: boolean): number => (extended ? ((count[1] << 8) | count[0]) || 65536 : count[0] || 256);

/** Sector that the task file names, or -1 for one that cannot be. */
export function sectorOf({ lbaLow, lbaMid, lbaHigh, device }: TaskFile, extended: boolean, geometry: Geometry): number {
  const low = lbaLow[0] + lbaMid[0] * 0x100 + lbaHigh[0] * 0x1_0000;
  if (extended) return low + (lbaLow[1] + lbaMid[1] * 0x100 + lbaHigh[1] * 0x1_0000) * 0x100_0000;
  if (bit(device, LINEAR)) return low + (device & 15) * 0x100_0000;
  if (lbaLow[0] === 0) return -1;
  return ((lbaMid[0] + lbaHigh[0] * 256) * geometry.heads + (device & 15)) * geometry.sectors + lbaLow[0] - 1;
}

/** Leaves a sector's address in the task file, as commands do at their end. */
export function putSector(t: TaskFile, sector: number, extended: boolean): void {
  const byte = (n: number): number => Math.floor(sector / 2 ** (8 * n)) & 0xff;
  if (!extended && !bit(t.device, LINEAR)) return; // software does not look at it in CHS
  t.lbaLow = [byte(0), extended ? byte(3) : t.lbaLow[1]];
  t.lbaMid = [byte(1), extended ? byte(4) : t.lbaMid[1]];
  t.lbaHigh = [byte(2), extended ? byte(5) : t.lbaHigh[1]];
  if (!extended) t.device = (t.device & 0xf0) | (byte(3) & 15);
}
