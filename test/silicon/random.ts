/** Random numbers for the comparisons with silicon and of the two tiers. */

/** A small fast generator with a seed, so that a failure can be had again. */
export class Random {
  constructor(private state: number) {}
  next(): number {
    this.state = (Math.imul(this.state ^ (this.state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 12), 0x297a2d39);
    t ^= t >>> 15;
    return t >>> 0;
  }
  next64(): bigint {
    return (BigInt(this.next()) << 32n) | BigInt(this.next());
  }
  below(n: number): number {
    return this.next() % n;
  }
}
