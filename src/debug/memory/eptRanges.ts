/** What EPT maps, as ranges of guest-physical memory with the same rights and memory type that follow one another in both address spaces. */
import { eptRoot, memoryType, type EptFeatures } from './eptWalk';
import { forEachLeaf, type ReadPage } from './reverse';

export interface EptRange {
  base: bigint;
  length: bigint;
  /** Host-physical address of the first byte. */
  hpa: number;
  /** `RWX`, `RW`. */
  rights: string;
  memoryType: string;
  /** Bytes of the pages, when all are the same. */
  pageSize: number;
}

/** More ranges than this no view shows. */
const MOST_RANGES = 4096;

const rightsOf = (bits: number): string => (bits & 1 ? 'R' : '') + (bits & 2 ? 'W' : '') + (bits & 4 ? 'X' : '');

/** All that an EPTP maps; `complete` is false when there are too many tables or ranges to tell them all. */
export function eptRanges(eptp: bigint, features: EptFeatures, read: ReadPage): { ranges: EptRange[]; complete: boolean } {
  const ranges: EptRange[] = [];
  const whole = forEachLeaf({ kind: 'ept', root: eptRoot(eptp), levels: 4, features }, read, ({ base, target, bytes, entry, common }) => {
    const rights = rightsOf(common & 7);
    const type = memoryType(entry);
    const last = ranges.at(-1);
    if (last && last.base + last.length === base && BigInt(last.hpa) + last.length === BigInt(target) && last.rights === rights && last.memoryType === type) last.length += BigInt(bytes);
    else ranges.push({ base, length: BigInt(bytes), hpa: target, rights, memoryType: type, pageSize: bytes });
    return ranges.length < MOST_RANGES;
  });
  return { ranges, complete: whole && ranges.length < MOST_RANGES };
}
