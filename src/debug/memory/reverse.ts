/**
 * The reverse of a translation: every address that translation structures map to a frame. All tables are searched, whole
 * pages at a time and in 32-bit halves, since there may be millions of entries.
 */
import { PAGE_SIZE } from '../../base/address';
import { isEptPage, type EptFeatures } from './eptWalk';
import { bytesAt, ENTRY_ADDRESS } from './walk';

export type Structures =
  /** 8-byte entries: 5- or 4-level paging (5, 4), PAE from a page directory on (2). 4-byte entries: 32-bit paging (0). */
  | { kind: 'paging'; root: number; levels: 0 | 2 | 4 | 5; pse: boolean }
  | { kind: 'ept'; root: number; levels: 4; features: EptFeatures };

/** Reads a whole page of the structures; undefined where there is none. */
export type ReadPage = (address: number) => Uint8Array | undefined;

export interface Mappings {
  /** First addresses of what maps the frame, ascending. */
  addresses: bigint[];
  /** False when the search was given up because there are too many tables. */
  complete: boolean;
}

/** So many tables are searched at most: 64 MiB of them. */
const MOST_TABLES = 16_384;
/** Whoever maps a frame more often than this does it on purpose. */
const MOST_ADDRESSES = 64;

/** One entry that maps a page. */
export interface Leaf {
  /** First address that it maps. */
  base: bigint;
  /** Physical address of the page. */
  target: number;
  bytes: number;
  entry: bigint;
  /** Bits that all entries on the way have. */
  common: number;
}

/** Visits every entry that maps a page, ascending; stops when `visit` returns false. False when there are too many tables. */
export function forEachLeaf(structures: Structures, read: ReadPage, visit: (leaf: Leaf) => boolean): boolean {
  let tables = 0;
  let going = true;
  if (structures.kind === 'paging' && structures.levels === 0) return legacyLeaves(structures.root, structures.pse, read, visit);
  const table = (address: number, level: number, base: bigint, common: number): boolean => {
    if (++tables > MOST_TABLES) return false;
    const bytes = read(address);
    if (!bytes) return true;
    const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < 512 && going; i++) {
      const low = data.getUint32(i * 8, true);
      const present = structures.kind === 'ept' ? (low & 7) !== 0 || (structures.features.modeBasedExecute && (low & 0x400) !== 0) : (low & 1) !== 0;
      if (!present) continue;
      const entry = data.getBigUint64(i * 8, true);
      const at = base + BigInt(i) * BigInt(bytesAt(level));
      const page = structures.kind === 'ept' ? isEptPage(level, entry, structures.features) : level === 1 || (level <= 3 && (low & 0x80) !== 0);
      if (page) {
        const size = bytesAt(level);
        going = visit({ base: canonical(structures, at), target: Number(entry & ENTRY_ADDRESS & ~BigInt(size - 1)), bytes: size, entry, common: common & low });
      } else if (!table(Number(entry & ENTRY_ADDRESS), level - 1, at, common & low)) return false;
    }
    return true;
  };
  return table(structures.root, structures.levels, 0n, ~0);
}

/** Linear addresses of the upper half are sign-extended. */
const canonical = ({ kind, levels }: Structures, address: bigint): bigint =>
  kind === 'ept' || levels < 4 ? address : BigInt.asUintN(64, BigInt.asIntN(12 + 9 * levels, address));

function legacyLeaves(root: number, pse: boolean, read: ReadPage, visit: (leaf: Leaf) => boolean): boolean {
  const directory = read(root);
  if (!directory) return true;
  const word = (page: Uint8Array, i: number): number => new DataView(page.buffer, page.byteOffset).getUint32(i * 4, true);
  for (let i = 0; i < 1024; i++) {
    const pde = word(directory, i);
    if (!(pde & 1)) continue;
    const base = BigInt(i) << 22n;
    if (pse && pde & 0x80) {
      const target = ((pde >>> 13) & 0xff) * 2 ** 32 + (pde & 0xffc0_0000) % 2 ** 32;
      if (!visit({ base, target: target < 0 ? target + 2 ** 32 : target, bytes: 0x40_0000, entry: BigInt(pde), common: pde })) return true;
      continue;
    }
    const table = read((pde & ~0xfff) >>> 0);
    for (let j = 0; table && j < 1024; j++) {
      const pte = word(table, j);
      if (pte & 1 && !visit({ base: base + (BigInt(j) << 12n), target: (pte & ~0xfff) >>> 0, bytes: PAGE_SIZE, entry: BigInt(pte), common: pde & pte })) return true;
    }
  }
  return true;
}

/** Every address that maps to the 4-KiB frame which holds `physical`: the addresses of that frame's first byte. */
export function mappings(structures: Structures, read: ReadPage, physical: number): Mappings {
  const frame = physical - (physical % PAGE_SIZE);
  const addresses: bigint[] = [];
  const whole = forEachLeaf(structures, read, ({ base, target, bytes }) => {
    if (frame >= target && frame < target + bytes) addresses.push(base + BigInt(frame - target));
    return addresses.length < MOST_ADDRESSES;
  });
  return { addresses, complete: whole && addresses.length < MOST_ADDRESSES };
}
