/** The EPT entries that translate a guest-physical address, as far as the walk gets. SDM volume 3, "EPT Translation Mechanism". */
import { Encoding } from '../../vmx/tables';
import type { Sight } from './check';

export interface EptEntry {
  /** 4 is the root's level, 1 that of 4-KiB pages. */
  level: number;
  value: bigint;
  leaf: boolean;
}

const RIGHTS = 7n;
const LARGE = 0x80n;
const ADDRESS = 0x000f_ffff_ffff_f000n;
const INDEX_BITS = 9;
const PAGE_BITS = 12;

export function eptEntries({ target, field }: Sight, gpa: number): EptEntry[] {
  const eptp = field(Encoding.EPT_POINTER);
  const levels = Number((eptp >> 3n) & 7n) + 1;
  const entries: EptEntry[] = [];
  let table = eptp & ADDRESS;
  for (let level = levels; level >= 1; level--) {
    const index = (BigInt(gpa) >> BigInt(PAGE_BITS + INDEX_BITS * (level - 1))) & 511n;
    const value = target.readInteger('hpa', table + index * 8n, 8);
    if (value === undefined) break;
    const leaf = level === 1 || (level <= 3 && (value & LARGE) !== 0n);
    entries.push({ level, value, leaf });
    if (leaf || (value & RIGHTS) === 0n) break;
    table = value & ADDRESS;
  }
  return entries;
}
