/**
 * Watched memory: the debugger's data breakpoints and the guest software's DR0 to DR3. A page with a watched byte gets no
 * TLB tag for the kind of access that is watched but one that says where these bytes are (tlb.ts): generated code lets by
 * what lies beside them, and all else comes to the slow path, which asks here. While nothing is watched that is one flag at
 * a TLB miss.
 *
 * The accesses of the page walk itself (paging structures, their accessed and dirty bits) and of VMX to its own structures
 * are not seen.
 */

/** A range of memory for the debugger. */
export interface Watch {
  /** What `WatchHit.id` says; chosen by the caller, unique among the watches. */
  readonly id: number;
  /** Linear addresses match in every address space and world; physical ones are host-physical. */
  readonly space: 'linear' | 'physical';
  readonly start: bigint;
  /** In bytes, at least 1. */
  readonly length: number;
  readonly read: boolean;
  readonly write: boolean;
}

/** An access to a watched range. */
export interface WatchHit {
  readonly id: number;
  /** The access's own first byte in the watched page; 0 for a device. */
  readonly linear: bigint;
  /** The same as host-physical address. */
  readonly hpa: number;
  /** Bytes accessed, in that page. */
  readonly size: number;
  readonly write: boolean;
  /** Who accessed: the processor's instruction or event delivery, or a device by itself. */
  readonly source: 'processor' | 'device';
}

/** A data breakpoint of DR0 to DR3. Those that are not enabled count only beside one that is: DR6 tells of them then too. */
export interface RegisterWatch {
  /** 0 to 3. */
  readonly number: number;
  readonly enabled: boolean;
  readonly start: bigint;
  readonly length: number;
  readonly read: boolean;
  readonly write: boolean;
}

const PAGE_BITS = 12n;
const PAGE_MASK = 0xfffn;
const PAGE_LAST = 0xfff;

/** A range as (page, offset) pairs: page numbers are exact as JavaScript numbers, whole addresses are not. */
class Range {
  private readonly firstPage: number;
  private readonly firstOffset: number;
  private readonly lastPage: number;
  private readonly lastOffset: number;

  constructor(
    readonly id: number,
    start: bigint,
    length: number,
    readonly read: boolean,
    readonly write: boolean,
  ) {
    const last = start + BigInt(length - 1);
    this.firstPage = Number(start >> PAGE_BITS);
    this.firstOffset = Number(start & PAGE_MASK);
    this.lastPage = Number(last >> PAGE_BITS);
    this.lastOffset = Number(last & PAGE_MASK);
  }

  hasPage(page: number): boolean {
    return page >= this.firstPage && page <= this.lastPage;
  }
  /** Its page numbers modulo 64, as bits. */
  get pageBits(): bigint {
    let bits = 0n;
    for (let page = this.firstPage; page <= Math.min(this.lastPage, this.firstPage + 63); page++) bits |= 1n << BigInt(page % 64);
    return bits;
  }
  get lowest(): number {
    return this.firstPage;
  }
  get highest(): number {
    return this.lastPage;
  }
  /** Offsets of its first and its last byte in a page that it has. */
  firstIn(page: number): number {
    return page === this.firstPage ? this.firstOffset : 0;
  }
  lastIn(page: number): number {
    return page === this.lastPage ? this.lastOffset : PAGE_LAST;
  }

  /** Whether bytes of one page meet the range. */
  meets(page: number, offset: number, length: number): boolean {
    if (!this.hasPage(page)) return false;
    return (page !== this.firstPage || offset + length > this.firstOffset) && (page !== this.lastPage || offset <= this.lastOffset);
  }
}

/** Page numbers between which ranges are: most pages are known at once to have nothing. */
class Span {
  lowest = Infinity;
  highest = -1;

  constructor(ranges: readonly Range[]) {
    for (const r of ranges) {
      this.lowest = Math.min(this.lowest, r.lowest);
      this.highest = Math.max(this.highest, r.highest);
    }
  }
}

function anyMet(ranges: readonly Range[], page: number, offset: number, length: number): boolean {
  for (const r of ranges) if (r.meets(page, offset, length)) return true;
  return false;
}

/** Page number of a linear address in two halves. */
export const linearPage = (low: number, high: number): number => (high >>> 0) * 0x10_0000 + (low >>> 12);

export class Watches {
  private linear: Range[] = [];
  private physical: Range[] = [];
  /** DR0 to DR3 where they watch data; the id is the register's number. */
  private registers: Range[] = [];
  private enabledRegisters = 0;
  /** What the debugger's are, to tell others from the same. */
  private key = '';
  private linearSpan = new Span([]);
  private physicalSpan = new Span([]);

  /** What `onPage` has found: offsets between which the page's watched bytes are, and whether reading some is watched. */
  readonly found = { first: 0, last: 0, reads: false };

  /** Whether anything is watched: asked at every TLB miss. */
  active = false;
  /** Hits of the debugger's watches that no stop has told of yet. */
  private hits: WatchHit[] = [];
  /** Data breakpoints of DR0 to DR3 that the present instruction has met, by bit. */
  registerHits = 0;

  /** Replaces the debugger's watches; hits that were not told of are forgotten. The caller flushes the TLB. Returns whether other memory is watched than before. Throws a RangeError for an impossible range. */
  set(watches: readonly Watch[]): boolean {
    for (const w of watches) {
      if (w.start < 0n || !Number.isInteger(w.length) || w.length < 1) throw new RangeError(`Watch ${w.id} is no range of memory: start ${w.start}, length ${w.length}.`);
    }
    const ranges = (space: Watch['space']): Range[] => watches.filter((w) => w.space === space && (w.read || w.write)).map((w) => new Range(w.id, w.start, w.length, w.read, w.write));
    this.linear = ranges('linear');
    this.physical = ranges('physical');
    this.hits = [];
    this.update();
    const before = this.key;
    this.key = watches.map((w) => [w.space, w.start, w.length, w.read].join()).join(' ');
    return this.key !== before;
  }

  /** Replaces what DR0 to DR3 watch. The caller flushes the TLB. */
  setRegisters(registers: readonly RegisterWatch[]): void {
    this.enabledRegisters = registers.reduce((bits, r) => (r.enabled ? bits | (1 << r.number) : bits), 0);
    this.registers = registers.map((r) => new Range(r.number, r.start, r.length, r.read, r.write));
    this.update();
  }

  private update(): void {
    this.linearSpan = new Span([...this.linear, ...this.registers]);
    this.physicalSpan = new Span(this.physical);
    this.active = this.linear.length + this.physical.length + this.registers.length > 0;
  }

  /** Which linear and which host-physical pages may have watched bytes, as WATCHED_PAGES has it. */
  get pages(): { linear: bigint; physical: bigint } {
    const bits = (ranges: readonly Range[]): bigint => ranges.reduce((all, range) => all | range.pageBits, 0n);
    return { linear: bits(this.linear) | bits(this.registers), physical: bits(this.physical) };
  }

  /** Whether a page has watched bytes; then `found` says where. Both numbers are page numbers. */
  onPage(linear: number, physical: number): boolean {
    const { linearSpan, physicalSpan } = this;
    const asLinear = linear >= linearSpan.lowest && linear <= linearSpan.highest;
    const asPhysical = physical >= physicalSpan.lowest && physical <= physicalSpan.highest;
    if (!asLinear && !asPhysical) return false;
    const { found } = this;
    found.first = PAGE_LAST;
    found.last = 0;
    found.reads = false;
    if (asLinear) {
      this.merge(this.linear, linear);
      this.merge(this.registers, linear);
    }
    if (asPhysical) this.merge(this.physical, physical);
    return found.first <= found.last;
  }
  private merge(ranges: readonly Range[], page: number): void {
    const { found } = this;
    for (const r of ranges) {
      if (!r.hasPage(page)) continue;
      found.first = Math.min(found.first, r.firstIn(page));
      found.last = Math.max(found.last, r.lastIn(page));
      found.reads ||= r.read;
    }
  }

  /** Whether a page has watched bytes so that accesses of a kind have to be made singly. */
  withholds(linear: number, physical: number, write: boolean): boolean {
    return this.onPage(linear, physical) && (write || this.found.reads);
  }

  /** Whether bytes of one page meet something watched, whatever the kind of access: nothing is noted. */
  near(linear: number, physical: number, offset: number, length: number): boolean {
    return anyMet(this.linear, linear, offset, length) || anyMet(this.registers, linear, offset, length) || anyMet(this.physical, physical, offset, length);
  }

  /**
   * Notes an access of the processor to bytes of one page. Returns whether it met something watched: the run loop has to
   * look after the instruction.
   */
  note(linear: number, physical: number, offset: number, length: number, read: boolean, write: boolean): boolean {
    const met = (r: Range, page: number): boolean => ((read && r.read) || (write && r.write)) && r.meets(page, offset, length);
    let bits = 0;
    for (const r of this.registers) if (met(r, linear)) bits |= 1 << r.id;
    let any = (bits & this.enabledRegisters) !== 0;
    if (any) this.registerHits |= bits;
    for (const [ranges, page] of [[this.linear, linear], [this.physical, physical]] as const) {
      for (const r of ranges) {
        if (!met(r, page)) continue;
        this.add({ id: r.id, linear: (BigInt(linear) << PAGE_BITS) + BigInt(offset), hpa: physical * 0x1000 + offset, size: length, write, source: 'processor' });
        any = true;
      }
    }
    return any;
  }

  /** Notes a write by a device to host-physical memory. Returns whether it met something watched. */
  noteDevice(address: number, length: number): boolean {
    let any = false;
    for (let done = 0; done < length; ) {
      const page = Math.floor((address + done) / 0x1000);
      const offset = (address + done) % 0x1000;
      const size = Math.min(length - done, 0x1000 - offset);
      for (const r of this.physical) {
        if (!r.write || !r.meets(page, offset, size)) continue;
        this.add({ id: r.id, linear: 0n, hpa: address + done, size, write: true, source: 'device' });
        any = true;
      }
      done += size;
    }
    return any;
  }

  /** An instruction may meet a range many times; the first time is told. */
  private add(hit: WatchHit): void {
    if (!this.hits.some((h) => h.id === hit.id && h.write === hit.write && h.source === hit.source)) this.hits.push(hit);
  }

  /** Whether the debugger has to be told of something. */
  get hit(): boolean {
    return this.hits.length > 0;
  }
  /** Whether the instruction that executes has met something watched: a repeated string instruction stops after its iteration. */
  get met(): boolean {
    return this.hits.length > 0 || this.registerHits !== 0;
  }

  /** Hands the hits over. */
  takeHits(): WatchHit[] {
    const { hits } = this;
    this.hits = [];
    return hits;
  }
  /** The instruction faulted or became a VM exit: what it accessed counts for nothing, it will be executed again. Devices have done what they did. */
  forgetInstruction(): void {
    this.registerHits = 0;
    if (this.hits.length > 0) this.hits = this.hits.filter((h) => h.source === 'device');
  }
}
