/** Random and structured instruction bytes, by seed. */
import { STRIDE } from './icedSignature';

/** A small fast generator (xorshift32): the same seed yields the same bytes everywhere. */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed >>> 0 || 0x9e3779b9;
  }
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.state = x >>> 0);
  }
  below(n: number): number {
    return (this.next() >>> 7) % n;
  }
}

const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];

/**
 * Fills `count` slots. Half of them are prefixes (0 to 3, rarely up to 15), an opcode of some map and random bytes after it, so that every
 * opcode, prefix combination and ModRM form turns up; the rest is noise or VEX.
 */
export function fillInputs(bytes: Uint8Array, count: number, random: Random): void {
  for (let i = 0; i < count * STRIDE; i += 4) {
    const x = random.next();
    bytes[i] = x;
    bytes[i + 1] = x >>> 8;
    bytes[i + 2] = x >>> 16;
    bytes[i + 3] = x >>> 24;
  }
  for (let slot = 0; slot < count; slot++) {
    let at = slot * STRIDE;
    const kind = random.below(16);
    if (kind < 2) continue;
    const prefixes = random.below(64) === 0 ? random.below(15) : [0, 0, 0, 0, 1, 1, 2, 3][random.below(8)]!;
    for (let n = 0; n < prefixes; n++) bytes[at++] = PREFIXES[random.below(PREFIXES.length)]!;
    if (random.below(3) === 0) bytes[at++] = 0x40 + random.below(16);
    if (kind < 6) continue;
    if (kind < 8) {
      // VEX: mostly without other prefixes, mostly a map that exists.
      at = slot * STRIDE;
      if (random.below(2) === 0) bytes[at] = 0xc5;
      else {
        bytes[at] = 0xc4;
        bytes[at + 1] = (bytes[at + 1]! & 0xe0) | (1 + random.below(3));
      }
      if (random.below(2) === 0) bytes[at + (bytes[at] === 0xc5 ? 1 : 2)]! |= 0x78;
      continue;
    }
    bytes[at++] = 0x0f;
    if (kind >= 12) bytes[at++] = kind < 14 ? 0x38 : 0x3a;
  }
}
