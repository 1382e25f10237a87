/** An address map as rows of a view, and as `.e820` text. */
import type { E820Response, MemoryMap } from '../../adapter/messages';
import { hex } from '../../base/bits';
import { byteSize } from '../../base/byteSize';
import { rangeName } from '../../base/rangeTypes';

export interface MemoryRow {
  /** First to last address. */
  label: string;
  /** Type and size. */
  description: string;
  kind: 'usable' | 'other' | 'hole';
}

/** Without leading zeros: a side bar is narrow. */
const span = (base: bigint, length: bigint): string => `${hex(base)} - ${hex(base + length - 1n)}`;

/** One row per range in the map's order, and one for each stretch between two ranges that nothing describes. */
export function memoryRows(map: MemoryMap): MemoryRow[] {
  const rows: MemoryRow[] = [];
  let end = 0n;
  for (const range of map.ranges) {
    const [base, length] = [BigInt(range.base), BigInt(range.length)];
    if (rows.length > 0 && base > end) rows.push({ label: span(end, base - end), description: `not described, ${byteSize(base - end)}`, kind: 'hole' });
    rows.push({ label: span(base, length), description: `${rangeName(range.type)}, ${byteSize(length)}`, kind: range.type === 1 ? 'usable' : 'other' });
    if (base + length > end) end = base + length;
  }
  return rows;
}

type EptMap = NonNullable<E820Response['ept']>;

/** One row per range that EPT maps. */
export const eptRows = (ept: EptMap): MemoryRow[] =>
  ept.ranges.map(({ base, length, hpa, rights, memoryType }) => ({
    label: span(BigInt(base), BigInt(length)),
    description: `${rights}, ${byteSize(BigInt(length))} \u2192 hpa:${hpa}, ${memoryType}`,
    kind: rights.includes('W') ? 'usable' : 'other',
  }));

/** All that EPT maps, for people. */
export const mapped = (ept: EptMap): string => byteSize(ept.ranges.reduce((sum, { length }) => sum + BigInt(length), 0n));

/** The usable memory of a map, for people. */
export const usable = (map: MemoryMap): string =>
  byteSize(map.ranges.filter(({ type }) => type === 1).reduce((sum, { length }) => sum + BigInt(length), 0n));

/** The map in the format that the course's kernel prints and the language server reads. */
export const e820Text = (map: MemoryMap): string =>
  ['e820 MEMORY MAP', ...map.ranges.map(({ base, length, type }) => `address: ${hex(BigInt(base), 16)}, length: ${hex(BigInt(length), 16)}, type: ${rangeName(type)}`), ''].join('\n');
