/**
 * Host-physical pages of which the processors keep something in another form: decoded instructions, or translations
 * that came from the paging structures in them. Writes to them never get a TLB write tag, so that each is seen. The
 * engine implements it, for all processors.
 */
export interface CodePages {
  /** Whether writes to the page must be told. */
  has(page: number): boolean;
  /** Told right before or after software or a device writes bytes of such a page: what was decoded from them is dropped. False when it is none. */
  written(page: number, offset: number, length: number): boolean;
  /** Told after the processor set accessed or dirty bits in it, which changes no translation. */
  marked(page: number, offset: number): void;
  /** A page walk has used an entry in the page: it is one of `has` from now on. Asked for by `Processor.tracksTables`. */
  tableUsed(page: number): void;
  /** Changes whenever a paging structure that a walk has used is written. */
  readonly tableWrites: number;
}
