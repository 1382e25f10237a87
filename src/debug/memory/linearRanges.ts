/** What a world's page tables map, as ranges of linear memory with the same rights that follow one another in both address spaces. */
import type { Target } from '../target';
import type { World } from '../world';
import { pageReader, structuresOf } from './frameMappings';
import { forEachLeaf } from './reverse';

export interface LinearRange {
  base: bigint;
  length: bigint;
  /** Physical address of the first byte: guest-physical for a guest. */
  physical: number;
  /** `supervisor RX`, `user RW`. */
  rights: string;
  pageSize: number;
}

/** More ranges than this nobody reads. */
const MOST_RANGES = 4096;
const WRITE = 2;
const USER = 4;
const XD = 1n << 63n;

const rightsOf = (common: number, entry: bigint): string => `${common & USER ? 'user' : 'supervisor'} R${common & WRITE ? 'W' : ''}${entry & XD ? '' : 'X'}`;

/** Undefined without paging. `complete` is false when there are too many tables or ranges to tell them all. */
export function linearRanges(target: Target, world: World): { ranges: LinearRange[]; complete: boolean } | undefined {
  const all = structuresOf(target, world);
  if (!all) return undefined;
  const read = pageReader(target, world === 'guest' ? 'gpa' : 'hpa');
  const ranges: LinearRange[] = [];
  let complete = true;
  for (const { structures, from } of all) {
    complete &&= forEachLeaf(structures, read, ({ base, target: physical, bytes, entry, common }) => {
      const linear = base + from;
      const rights = rightsOf(common, entry);
      const last = ranges.at(-1);
      if (last && last.base + last.length === linear && BigInt(last.physical) + last.length === BigInt(physical) && last.rights === rights) last.length += BigInt(bytes);
      else ranges.push({ base: linear, length: BigInt(bytes), physical, rights, pageSize: bytes });
      return ranges.length < MOST_RANGES;
    });
  }
  return { ranges, complete: complete && ranges.length < MOST_RANGES };
}
