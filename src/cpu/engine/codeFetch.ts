/**
 * From RIP to a record: by the code TLB, else by translating the fetch and decoding. Instructions that cannot be kept
 * (no RAM behind them, or CS.limit ends in their page) are staged and executed once.
 */
import { join64, MASK32 } from '../../base/bits';
import type { CodeSize, Instruction } from '../decode/instruction';
import { Vector } from '../fault';
import { fetchTranslate } from '../mmu/linear';
import { readPhysicalByte } from '../mmu/physical';
import type { Processor } from '../processor';
import { CTLB_ENTRY_SIZE, Offset, Seg, TLB_ENTRIES } from '../state';
import type { CodeCache } from './codeCache';
import { MAXIMUM_LENGTH } from './codeLines';
import { type CodePage, PAGE } from './codePage';

/** What finding code may come to besides a record. */
export const Fetched = {
  /** The fetch faulted; the Fault is filled. */
  FAULT: -1,
  /** The instruction cannot be kept. */
  UNCACHED: -2,
  /** Done, or to be looked up again. */
  DONE: 0,
} as const;

const FLAT_LIMIT = 0xffff_ffff;
const REAL_MODE_LIMIT = 0xffff;

export class CodeFetch {
  /** Offsets with breakpoints, by linear page. */
  private breakpoints = new Map<bigint, Set<number>>();
  /** The bytes of an instruction from two pages, or from where there is no RAM. */
  private readonly staged = new Uint8Array(MAXIMUM_LENGTH + 1);

  constructor(
    private readonly cpu: Processor & { readonly codeSize: CodeSize },
    private readonly cache: CodeCache,
    /** The code TLB, and what else caches translations. */
    private readonly translations: { flush(): void; flushPage(low: number, high: number): unknown },
  ) {}

  setBreakpoints(linear: ReadonlySet<bigint>): void {
    this.breakpoints = new Map();
    for (const address of linear) {
      const page = address & ~0xfffn;
      const offsets = this.breakpoints.get(page) ?? new Set<number>();
      this.breakpoints.set(page, offsets.add(Number(address & 0xfffn)));
    }
  }

  /** RIP as a linear address. */
  linearRip(): bigint {
    const s = this.cpu.state;
    const linear = s.rip + s.get64(Offset.CS_BASE);
    return this.cpu.codeSize === 64 ? BigInt.asUintN(64, linear) : linear & MASK32;
  }

  /** The record for RIP, or a Fetched. RIP_BASE is set for it. */
  find(): number {
    const known = this.lookUp();
    if (known !== 0) return known;
    const s = this.cpu.state;
    const ripLow = s.get32(Offset.RIP);
    const ripHigh = s.high(Offset.RIP);
    const long = this.cpu.codeSize === 64;
    if (!long && ripHigh * 0x1_0000_0000 + ripLow > s.limit(Seg.CS)) {
      this.cpu.fault.exception(Vector.GP, 0);
      return Fetched.FAULT;
    }
    const low = (ripLow + s.get32(Offset.CS_BASE)) >>> 0;
    // Breakpoints are by linear page: they are armed on the long way.
    const kept = this.slots !== 0 && this.breakpoints.size === 0 ? this.cache.pageWithSlots(this.slots) : undefined;
    const page = kept ?? this.codePage(low, long ? ripHigh : 0);
    if (typeof page === 'number') return page;
    const record = this.cache.record(page, low & 0xfff);
    const baseLow = ripLow - (low & 0xfff);
    s.set32(Offset.RIP_BASE, baseLow);
    s.set32(Offset.RIP_BASE + 4, baseLow < 0 ? ripHigh - 1 : ripHigh);
    return record;
  }

  /** Slots of RIP's page when `lookUp` has found it in the code TLB but no record at RIP, else 0. */
  private slots = 0;
  /** RIP to record by the code TLB, as generated code does it; 0 on a miss. It is hot: no bigint. */
  private lookUp(): number {
    this.slots = 0;
    const { u32 } = this.cpu.views;
    const base = this.cpu.state.base >>> 2;
    const ripLow = u32[base + (Offset.RIP >>> 2)]!;
    const ripHigh = u32[base + (Offset.RIP >>> 2) + 1]!;
    const sum = ripLow + u32[base + (Offset.CS_BASE >>> 2)]!;
    if (sum > 0xffff_ffff) return 0; // legacy code wraps: the long way masks
    const entry = (u32[base + (Offset.CTLB_BASE >>> 2)]! >>> 2) + ((sum >>> 12) & (TLB_ENTRIES - 1)) * (CTLB_ENTRY_SIZE >>> 2);
    if (u32[entry] !== ((sum & ~0xfff) | u32[base + (Offset.GENERATION >>> 2)]!) >>> 0 || u32[entry + 1] !== ripHigh) return 0;
    const offset = sum & 0xfff;
    const slots = u32[entry + 2]!;
    const record = u32[(slots >>> 2) + offset]!;
    if (record === 0) {
      this.slots = slots;
      return 0;
    }
    const baseLow = ripLow - offset;
    u32[base + (Offset.RIP_BASE >>> 2)] = baseLow;
    u32[base + (Offset.RIP_BASE >>> 2) + 1] = baseLow < 0 ? ripHigh - 1 : ripHigh;
    return record;
  }

  /** IP beyond CS.limit raises #GP(0). 64-bit code has no limit. */
  private withinCodeSegment(rip: bigint): boolean {
    return this.cpu.codeSize === 64 || rip <= BigInt(this.cpu.state.limit(Seg.CS));
  }

  /** Offset in the linear page at which CS begins, 0 where it began before; -1 when the page has bytes behind CS.limit, whose records cannot be kept. */
  private firstInSegment(low: number): number {
    if (this.cpu.codeSize === 64) return 0;
    const limit = this.cpu.state.limit(Seg.CS);
    if (limit === FLAT_LIMIT) return 0;
    const start = ((low & ~0xfff) >>> 0) - this.cpu.state.get32(Offset.CS_BASE);
    if (start + 0xfff > limit || start <= -PAGE) return -1;
    return Math.max(0, -start);
  }

  /** CS may have changed. The code TLB holds only pages whose every byte from their first on is in CS: what holds no more is dropped. */
  segmentChanged(): void {
    const { state, codeSize } = this.cpu;
    if (codeSize === 64) return;
    const [base, limit] = [state.get32(Offset.CS_BASE), state.limit(Seg.CS)];
    const before = this.segments[codeSize];
    if (limit === before.limit && (base === before.base || limit === FLAT_LIMIT)) return;
    if (limit !== before.limit || limit !== REAL_MODE_LIMIT) this.translations.flush();
    else {
      // Real mode changes segments often: only the pages in which one begins or ends count.
      for (const segment of [before.base, base]) if (segment % PAGE !== 0) for (const address of [segment, (segment + limit) >>> 0]) this.translations.flushPage(address, 0);
    }
    before.base = base;
    before.limit = limit;
  }
  /** CS as `segmentChanged` saw it last with code of each size, which have their translations apart. */
  private readonly segments = { 16: { base: 0, limit: 0 }, 32: { base: 0, limit: 0 } };

  /** The code page for a linear address, entered into the code TLB, or a Fetched. */
  private codePageAt(linear: bigint): CodePage | typeof Fetched.FAULT | typeof Fetched.UNCACHED {
    return this.codePage(Number(linear & MASK32), Number(linear >> 32n));
  }

  /** The same for an address in two halves: it is hot. */
  private codePage(low: number, high: number): CodePage | typeof Fetched.FAULT | typeof Fetched.UNCACHED {
    const { state, bus, views, codeSize } = this.cpu;
    const physical = fetchTranslate(this.cpu, low, high);
    if (physical < 0) return Fetched.FAULT;
    const frame = bus.frameForRead(physical);
    const first = this.firstInSegment(low);
    if (frame === 0 || first < 0) return Fetched.UNCACHED;
    const page = this.cache.find(physical, codeSize, frame, this.breakpoints.size === 0 ? undefined : this.breakpoints.get(join64((low & ~0xfff) >>> 0, high)), first);
    const entry = (state.get32(Offset.CTLB_BASE) + ((low >>> 12) & (TLB_ENTRIES - 1)) * CTLB_ENTRY_SIZE) >>> 2;
    const { u32 } = views;
    u32[entry] = ((low & ~0xfff) | state.get32(Offset.GENERATION)) >>> 0;
    u32[entry + 1] = high;
    u32[entry + 2] = page.slots;
    this.cpu.translationKept(entry, low, high);
    return page;
  }

  /** Connects the records of the instruction at RIP, which runs over the end of its page, with the next page as it is mapped now. */
  connectCrossing(): number {
    const linear = this.linearRip();
    const first = this.codePageAt(linear);
    if (typeof first === 'number') return first;
    const next = (linear & ~0xfffn) + 0x1000n;
    const second = this.codePageAt(this.cpu.codeSize === 64 ? BigInt.asUintN(64, next) : next & MASK32);
    if (typeof second === 'number') return second;
    if (!this.stage(linear)) return Fetched.FAULT;
    this.cache.cross(first, second, Number(linear & 0xfffn), this.staged);
    return Fetched.DONE;
  }

  /** Records of the instruction at RIP that are not kept, or FAULT. */
  single(): { at: number; insn: Instruction } | typeof Fetched.FAULT {
    const s = this.cpu.state;
    const linear = this.linearRip();
    if (!this.stage(linear)) return Fetched.FAULT;
    const single = this.cache.single(this.staged, this.cpu.codeSize, Number(linear & 0xfffn));
    if (!this.withinCodeSegment(s.rip + BigInt(single.length - 1))) {
      this.cpu.fault.exception(Vector.GP, 0);
      return Fetched.FAULT;
    }
    s.set64(Offset.RIP_BASE, s.rip - (linear & 0xfffn));
    return single;
  }

  /** Copies the bytes at a linear address from wherever they are. False when the fetch faulted. */
  private stage(linear: bigint): boolean {
    let physical = -1;
    for (let i = 0; i < MAXIMUM_LENGTH; i++) {
      const sum = linear + BigInt(i);
      const at = this.cpu.codeSize === 64 ? BigInt.asUintN(64, sum) : sum & MASK32;
      if (i === 0 || (at & 0xfffn) === 0n) {
        physical = fetchTranslate(this.cpu, Number(at & MASK32), Number(at >> 32n));
        if (physical < 0) return false;
      }
      this.staged[i] = readPhysicalByte(this.cpu, physical * 0x1000 + Number(at & 0xfffn));
    }
    return true;
  }
}
