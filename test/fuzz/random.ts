/** Random numbers that are the same for the same seed, on every machine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }
  /** 32 bits (a Weyl sequence, mixed). */
  word(): number {
    this.state = (this.state + 0x9e37_79b9) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }
  quad(): bigint {
    return (BigInt(this.word()) << 32n) | BigInt(this.word());
  }
  /** 0 to n - 1. */
  below(n: number): number {
    return this.word() % n;
  }
  /** True once in n times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
