/** Which host-physical pages hold decoded instructions, as the memory accesses see it. The engine implements it. */
export interface CodePages {
  /** Whether instructions of the page are decoded: writes to it then never get a TLB write tag. */
  has(page: number): boolean;
  /** Told after bytes of such a page were written: what was decoded from them is dropped. */
  written(page: number, offset: number, length: number): void;
}
