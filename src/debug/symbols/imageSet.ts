/**
 * The symbol images of a session. An image applies where the bytes in memory at its addresses are its own: a VMM and its
 * guest, and all user programs, may be linked at the same addresses.
 */
import type { SymbolImage } from '../../symbols/image';
import type { World } from '../world';

export interface LoadedImage {
  id: number;
  /** As the user wrote it. */
  name: string;
  path: string;
  image: SymbolImage;
  /** The only world it applies in, when the user said so. */
  world: World | undefined;
}

/** Reads memory of a world: fewer bytes than asked for where it is not mapped. */
export type ReadWorld = (world: World, address: bigint, length: number) => Uint8Array;

/** Bytes on either side of an address that are compared. */
const WINDOW = 128n;
/** Other code of the same kind has about a tenth of its bytes in common by chance. */
const ENOUGH = 0.7;
/** A shorter stretch than this says nothing. */
const LEAST_BYTES = 8;
/** A function that is shorter is compared with what is around it: what a kernel patches in it may be half of it. */
const LEAST_FUNCTION = 64n;
/** CALL rel32 and JMP rel32. Kernels replace them when they start: calls of a tracer, of thunks, of what the processor lacks. */
const PATCHED = [0xe8, 0xe9];
const PATCHED_LENGTH = 5;
/** So much has to be left to be compared. */
const LEAST_COMPARED = 0.5;

/** Which part of what is in memory is as it was linked, from 0 to 1; calls and jumps that differ do not count. */
function similarity(own: Uint8Array, memory: Uint8Array): number {
  let equal = 0;
  let compared = 0;
  for (let i = 0; i < memory.length; ) {
    const length = PATCHED.includes(own[i]!) ? Math.min(PATCHED_LENGTH, memory.length - i) : 1;
    let same = true;
    for (let k = 0; k < length; k++) same &&= memory[i + k] === own[i + k];
    if (same) equal += length;
    if (same || length === 1) compared += length;
    i += length;
  }
  // Where nothing but calls was to be compared, nothing is known.
  return compared < LEAST_COMPARED * memory.length ? 0 : equal / compared;
}

export class ImageSet {
  readonly images: LoadedImage[] = [];
  private readonly cache = new Map<string, LoadedImage | undefined>();

  constructor(private readonly read: ReadWorld) {}

  add(name: string, path: string, image: SymbolImage, world: World | undefined): LoadedImage {
    const loaded = { id: this.images.length + 1, name, path, image, world };
    this.images.push(loaded);
    return loaded;
  }

  /** Memory may have changed: what was compared before says nothing any more. */
  forget(): void {
    this.cache.clear();
  }

  /** The image whose bytes are in `world` at `address`. Of several the one that matches best, then one that is bound to that world. */
  at(world: World, address: bigint): LoadedImage | undefined {
    const key = `${world}${address}`;
    if (this.cache.has(key)) return this.cache.get(key);
    let best: LoadedImage | undefined;
    let bestScore = 0;
    for (const candidate of this.images) {
      if (candidate.world !== undefined && candidate.world !== world) continue;
      const score = this.score(candidate, world, address) + (candidate.world === world ? 0.001 : 0);
      if (score >= ENOUGH && score > bestScore) {
        best = candidate;
        bestScore = score;
      }
    }
    // Single steps look at the same few addresses again and again; a long run does not come here.
    if (this.cache.size > 100_000) this.cache.clear();
    this.cache.set(key, best);
    return best;
  }

  /** Which part of the code around `address` is the image's own, from 0 to 1. */
  private score(candidate: LoadedImage, world: World, address: bigint): number {
    const { image } = candidate;
    const range = image.functionAt(address)?.ranges.find((r) => address >= r.low && address < r.high && r.high - r.low >= LEAST_FUNCTION);
    let low = address > WINDOW ? address - WINDOW : 0n;
    let high = address + WINDOW;
    if (range) {
      low = low > range.low ? low : range.low;
      high = high < range.high ? high : range.high;
    }
    let own = image.loadedBytes(low, Number(high - low));
    if (!own) {
      // The segment may begin or end nearby.
      low = address;
      own = image.loadedBytes(low, LEAST_BYTES) ?? image.loadedBytes(low, 1);
      if (!own) return 0;
    }
    const memory = this.read(world, low, own.length);
    // Where the next page is not mapped, what there is decides.
    if (memory.length <= Number(address - low)) return 0;
    return similarity(own, memory);
  }
}
