/**
 * The second tier: the parts of hot pages that run most become WebAssembly functions. Hot is what samples at the ends of
 * slices find; a region's blocks are entered through their first records, which are patched. Which tier runs never shows in
 * the state.
 */
import { type WatchedPart, watchedParts } from '../mmu/tlb';
import { CTLB_ENTRY_SIZE, type CpuState, LET_BY, type MemoryViews, Offset, TLB_ENTRIES } from '../state';
import { type Block, PageBlocks } from './blocks';
import type { CodeCache } from './codeCache';
import { type CodePage, PAGE } from './codePage';
import type { Handler } from './handlers';
import { type Interpreter, REGION_SLOTS } from './interpreter';
import { Field, RECORD_SIZE, Special } from './record';
import { flatSegments } from './flatSegments';
import { NOT_WATCHED, type WatchedKinds } from './lastPages';
import { ENTRIES_SIZE, LEAVES, LEFT, MISSED, MISSES, REFUSALS, RegionBuilder } from './regionBuilder';

/** When code is translated. Tests make everything hot at once. */
export interface TranslatorPolicy {
  /** Instructions that samples find in a page, outside its regions, before a region is made, once there are many; the first are made earlier. */
  threshold: number;
  /** The longest slice: a sample is taken at its end. V8 enters optimised code only on a call, and Pause must get through. */
  slice: number;
  /** Instructions without a loop that are a region: fewer are interpreted in less time than it takes to enter it and to leave it. A kernel's return thunk is one. */
  straight: number;
  /** Accesses in a sample that leave a region for want of a translation, on average, after which it is made anew to call TypeScript for them. */
  misses: number;
  /** Jumps in a sample that leave a region, on average, for which it is made anew with where they lead: less often it is better off small. */
  leaves: number;
  /** Reads or writes beside watched bytes in a sample for which the region that was found is made anew, to look at that itself. */
  letBy: number;
}

/** A new engine's. */
export const translatorPolicy: TranslatorPolicy & { enabled: boolean } = { enabled: true, threshold: 3_000_000, slice: 50_000, straight: 8, misses: 250, leaves: 50, letBy: 10 };

/** Instructions and blocks of a region: V8's optimising compiler needs about 0.1 ms for each instruction. */
const REGION_LIMIT = 300;
const REGION_BLOCKS = 200;
/** WebAssembly code that is kept; V8 makes about four times as much machine code of it. */
const MODULE_BYTES = 8 << 20;
/** The first region is made at a sixth of the threshold; each that was made raises that by a fifth of itself, to the whole. */
const FIRST_REGIONS = 6;
const GROWTH = 0.2;
const COPY_SIZE = 2 * RECORD_SIZE;
/** Parts of pages that are watched of which a region knows. Each costs at each access. */
const MOST_PARTS = 4;
/** Samples without watched memory after which regions forget that there was some. Guest software may load and clear DR7 at each change of task. */
const UNWATCHED = 1000;

/** What regions call. */
export type RegionImports = Pick<Interpreter, 'reach' | 'checkSegment'>;

interface Region {
  readonly page: CodePage;
  readonly slot: number;
  readonly bytes: number;
  /** Address of the table of entries. */
  readonly entries: number;
  /** Patched records. */
  readonly records: readonly number[];
  /** Accesses beside watched bytes that it looks at itself. */
  readonly watched: WatchedKinds;
  /** Offsets of its instructions. */
  readonly offsets: ReadonlySet<number>;
  /** Number of the sample that found it last. */
  sampled: number;
  samples: number;
}

/** What is known of one page. */
class Page {
  readonly regions: Region[] = [];
  /** Instructions found here outside of regions, and where. */
  heat = 0;
  readonly found = new Map<number, number>();
  /** Grows when there was nothing to translate. */
  patience = 1;
  /** Offsets for which a region was made anew already. */
  readonly tried = new Set<number>();
  /** Accesses have often left regions for want of a translation: TypeScript is called for them instead. */
  reaches = false;
  /** That was found while memory was watched, and may have been for that. */
  reachesWatched = false;
  /** Accesses are often beside watched bytes: regions look at that themselves. */
  watched = NOT_WATCHED;
  /** Regions were often entered with other segments than they were made for: they look at each access. */
  mixesSegments = false;
  /** Copies of patched records, by record; they are used again. */
  readonly copies = new Map<number, number>();
}

const instructionsOf = (blocks: readonly Block[]): number => blocks.reduce((sum, { units }) => sum + units.length, 0);

/** Whether a jump goes backward among them. */
function loops(blocks: readonly Block[]): boolean {
  const offsets = new Set(blocks.map(({ offset }) => offset));
  return blocks.some(({ offset, successors }) => successors.some((to) => to <= offset && offsets.has(to)));
}

export class Translator {
  private readonly pages = new Map<CodePage, Page>();
  private readonly regions = new Set<Region>();
  private readonly freeSlots: number[] = Array.from({ length: REGION_SLOTS }, (_, i) => REGION_SLOTS - 1 - i);
  private freeEntries: number[] = [];
  private bytes = 0;
  private samples = 0;
  /** Processors that watch memory. */
  private readonly watching = new Set<object>();
  /** Samples since one of them did. */
  private unwatched = 0;
  /** Regions made since the engine was, and those dropped. */
  made = 0;
  drops = 0;

  constructor(
    private readonly views: MemoryViews,
    private readonly cache: CodeCache,
    private readonly handlers: readonly Handler[],
    private readonly table: WebAssembly.Table,
    private readonly imports: RegionImports,
    readonly policy: TranslatorPolicy,
  ) {}

  /** The slice before has ended at the state's RIP after so many instructions. */
  sample(s: CpuState, instructions: number): void {
    const reads = this.takeLetBy(s.base + LET_BY);
    const writes = this.takeLetBy(s.base + LET_BY + 4);
    const page = this.pageAt(s);
    if (!page) return;
    this.samples++;
    if (this.watching.size > 0) this.unwatched = 0;
    else if (++this.unwatched === UNWATCHED) this.forgetWatched();
    const known = this.pages.get(page) ?? this.meet(page);
    const offset = (s.get32(Offset.RIP) + s.get32(Offset.CS_BASE)) & 0xfff;
    for (const region of known.regions) {
      if (!region.offsets.has(offset)) continue;
      region.sampled = this.samples;
      if (reads + writes !== 0 && this.meetsWatched(s, known, region, reads, writes)) return this.translate(s, page, known);
      if (this.grows(page, region)) return this.translate(s, page, known);
      return;
    }
    known.found.set(offset, (known.found.get(offset) ?? 0) + instructions);
    known.heat += instructions;
    if (known.heat >= this.threshold() * known.patience) this.translate(s, page, known);
  }

  /** Loops pay soon; where region after region is found hot it is flat code, which pays late. */
  private threshold(): number {
    return this.policy.threshold * Math.min(1, (1 + this.made * GROWTH) / FIRST_REGIONS);
  }

  private meet(page: CodePage): Page {
    const known = new Page();
    this.pages.set(page, known);
    return known;
  }

  /** The page that RIP is in, when the code TLB has it. */
  private pageAt(s: CpuState): CodePage | undefined {
    const { u32 } = this.views;
    const low = (s.get32(Offset.RIP) + s.get32(Offset.CS_BASE)) >>> 0;
    const entry = (s.get32(Offset.CTLB_BASE) >>> 2) + ((low >>> 12) & (TLB_ENTRIES - 1)) * (CTLB_ENTRY_SIZE >>> 2);
    if (u32[entry] !== ((low & ~0xfff) | s.get32(Offset.GENERATION)) >>> 0) return undefined;
    return this.cache.pageWithSlots(u32[entry + 2]!);
  }

  /** Whether jumps have left the region for offsets of the page that it could have: it is made anew with them, and with the regions that have them. */
  private grows(page: CodePage, region: Region): boolean {
    if (++region.samples & (region.samples - 1)) return false; // looked at after 1, 2, 4, 8 samples
    const known = this.pages.get(page)!;
    const often = (counter: number, times: number): boolean => this.views.u32[(region.entries + counter) >>> 2]! > region.samples * times;
    const misses = !known.reaches && often(MISSES, this.policy.misses);
    const refuses = !known.mixesSegments && often(REFUSALS, this.policy.misses);
    if (misses || refuses) {
      known.reaches ||= misses;
      known.reachesWatched ||= misses && this.watching.size > 0;
      known.mixesSegments ||= refuses;
      this.makeAnew(known, region);
      return true;
    }
    if (!often(LEAVES, this.policy.leaves)) return false;
    const entries = this.views.u8.subarray(region.entries, region.entries + PAGE);
    const together = new Set([region]);
    const missed = new Set<number>();
    for (let target = 0; target < PAGE; target++) {
      const mark = entries[target]!;
      if (mark < LEFT) continue;
      entries[target] = 0;
      // It cannot be translated, is too far from the rest, or has to be the interpreter's as long as it has a breakpoint.
      if (known.tried.has(target) || page.breakpoints?.has(target)) continue;
      known.tried.add(target);
      if (mark === MISSED) page.indirectTargets.add(target);
      missed.add(target);
      for (const other of known.regions) if (other.offsets.has(target)) together.add(other);
    }
    let size = missed.size;
    for (const r of together) size += r.offsets.size;
    if (missed.size === 0 || size > REGION_LIMIT) return false;
    for (const r of together) {
      for (const offset of r.offsets) known.found.set(offset, 2);
      this.drop(r);
    }
    for (const target of missed) known.found.set(target, 1);
    return true;
  }

  /** Takes a counter of accesses beside watched bytes. */
  private takeLetBy(counter: number): number {
    const { u32 } = this.views;
    const times = u32[counter >>> 2]!;
    if (times !== 0) u32[counter >>> 2] = 0;
    return times;
  }

  /** Whether a region has left many accesses beside watched bytes to the interpreter or to TypeScript: then it is dropped, to be made anew with a look at that. */
  private meetsWatched(s: CpuState, known: Page, region: Region, reads: number, writes: number): boolean {
    const { u32 } = this.views;
    const counter = (region.entries + MISSES) >>> 2;
    const misses = u32[counter]!;
    const { watched } = region;
    const manyReads = reads >= this.policy.letBy;
    const manyWrites = writes >= this.policy.letBy;
    if ((!manyReads && !manyWrites) || (misses === 0 && !known.reaches)) return false;
    const parts = watchedParts(u32, s.get32(Offset.TLB_BASE), s.get32(Offset.GENERATION)).slice(0, MOST_PARTS);
    const knows = (part: WatchedPart): boolean => watched.parts.some((p) => p.first === part.first && p.bytes === part.bytes);
    const isNew = (manyReads && !watched.reads) || (manyWrites && !watched.writes) || (watched.parts.length < MOST_PARTS && !parts.every(knows));
    if (watched.parts.length < MOST_PARTS) u32[counter] = Math.max(misses - reads - writes, 0); // translations for these were there
    if (!isNew) return false;
    const all = [...watched.parts, ...parts.filter((part) => !knows(part))].slice(0, MOST_PARTS);
    known.watched = { reads: known.watched.reads || manyReads, writes: known.watched.writes || manyWrites, parts: all };
    this.makeAnew(known, region);
    return true;
  }

  /** Whether a processor watches memory now. */
  watches(processor: object, active: boolean): void {
    if (active) this.watching.add(processor);
    else this.watching.delete(processor);
  }
  /** The debugger watches other memory than before: what was made for that is made anew at the next sample. */
  forgetWatched(): void {
    for (const known of this.pages.values()) {
      const { reachesWatched } = known;
      if (reachesWatched) known.reaches = known.reachesWatched = false;
      known.watched = NOT_WATCHED;
      for (const region of known.regions.filter((r) => reachesWatched || r.watched !== NOT_WATCHED)) {
        this.makeAnew(known, region);
        known.heat = Infinity;
      }
    }
  }

  /** Drops a region for one with the same instructions. */
  private makeAnew(known: Page, region: Region): void {
    for (const offset of region.offsets) known.found.set(offset, 1);
    this.drop(region);
  }

  private translate(s: CpuState, page: CodePage, known: Page): void {
    const seeds = [...known.found].sort((a, b) => b[1] - a[1]).map(([offset]) => offset);
    known.heat = 0;
    known.found.clear();
    // Instructions with breakpoints are left out by themselves: their records are no handlers' any more.
    if (page.dropped) return;
    const blocks = new PageBlocks(this.views, page, this.handlers).choose(seeds, REGION_LIMIT, REGION_BLOCKS, (block) => this.isTaken(known, block));
    if (blocks.length === 0 || !(loops(blocks) || instructionsOf(blocks) >= this.policy.straight)) {
      known.patience *= 2;
      return;
    }
    while (this.freeSlots.length === 0 || this.bytes > MODULE_BYTES) this.evict();
    const entries = this.freeEntries.pop() ?? this.cache.allocate(ENTRIES_SIZE);
    if (entries === 0 || !this.cache.allocatable(blocks.length * COPY_SIZE)) return; // no room: soon everything will be decoded anew
    const builder = new RegionBuilder(this.views, blocks, (record) => this.copyOf(known, page, record), entries, { reaches: known.reaches, watched: known.watched, segments: page.codeSize !== 64, flat: page.codeSize === 64 || known.mixesSegments ? new Set() : flatSegments(s) });
    const code = builder.build();
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory: this.views.memory, ...this.imports } });
    const slot = this.freeSlots.pop()!;
    this.table.set(slot, instance.exports.region as () => void);
    const records: number[] = [];
    this.views.u8.fill(0, entries, entries + ENTRIES_SIZE);
    for (const block of blocks) {
      const number = builder.numbers.get(block.offset);
      if (number === undefined) continue;
      this.views.u8[entries + block.offset] = number + 1;
      this.patch(block.units[0]!.first, slot);
      records.push(block.units[0]!.first);
    }
    const offsets = new Set(blocks.flatMap((b) => b.units.map((u) => u.offset)));
    const region: Region = { page, slot, watched: known.watched, bytes: code.length, entries, records, offsets, sampled: this.samples, samples: 0 };
    this.bytes += code.length;
    known.regions.push(region);
    page.regions++;
    this.regions.add(region);
    this.made++;
  }

  private isTaken(known: Page, block: Block): boolean {
    return known.regions.some((r) => r.offsets.has(block.offset)) || this.views.u16[(block.units[0]!.first + Field.HANDLER) >>> 1] === Special.ENTER;
  }

  /** The copy of a record with which the interpreter executes it although it is patched, followed by the way back. */
  private copyOf(known: Page, page: CodePage, record: number): number {
    const { u8, u16, u32 } = this.views;
    let copy = known.copies.get(record);
    if (copy === undefined) {
      copy = this.cache.allocate(COPY_SIZE);
      known.copies.set(record, copy);
      page.copies.push(copy, copy + COPY_SIZE);
    }
    u32.copyWithin(copy >>> 2, record >>> 2, (record + RECORD_SIZE) >>> 2);
    u32.fill(0, (copy + RECORD_SIZE) >>> 2, (copy + COPY_SIZE) >>> 2);
    const back = copy + RECORD_SIZE;
    u16[(back + Field.HANDLER) >>> 1] = Special.GLUE;
    u32[(back + Field.LINK) >>> 2] = record + RECORD_SIZE;
    u16[(back + Field.OFFSET) >>> 1] = u16[(record + Field.OFFSET) >>> 1]! + u8[record + Field.LENGTH]!;
    return copy;
  }

  private patch(record: number, slot: number): void {
    const { u16 } = this.views;
    u16[(record + Field.ORIGINAL) >>> 1] = u16[(record + Field.HANDLER) >>> 1]!;
    u16[(record + Field.HANDLER) >>> 1] = Special.ENTER;
    u16[(record + Field.REGION) >>> 1] = slot;
  }

  private evict(): void {
    let oldest: Region | undefined;
    for (const region of this.regions) if (!oldest || region.sampled < oldest.sampled) oldest = region;
    this.drop(oldest!);
  }

  private drop(region: Region): void {
    const { u16 } = this.views;
    for (const record of region.records) {
      const handler = (record + Field.HANDLER) >>> 1;
      if (u16[handler] === Special.ENTER) u16[handler] = u16[(record + Field.ORIGINAL) >>> 1]!;
    }
    this.table.set(region.slot, null);
    this.freeSlots.push(region.slot);
    this.freeEntries.push(region.entries);
    this.bytes -= region.bytes;
    this.regions.delete(region);
    this.drops++;
    region.page.regions--;
    const known = this.pages.get(region.page)!;
    known.regions.splice(known.regions.indexOf(region), 1);
  }

  /** The page's records are about to be dropped. */
  dropPage(page: CodePage): void {
    const known = this.pages.get(page);
    if (!known) return;
    for (const region of [...known.regions]) this.drop(region);
    this.pages.delete(page);
  }

  /** The instruction at an offset is overwritten, or gets a breakpoint: then what was around it is as hot as before. */
  dropInstruction(page: CodePage, offset: number): void {
    const known = this.pages.get(page)!;
    for (const region of known.regions.filter((r) => r.offsets.has(offset))) {
      this.drop(region);
      if (!page.breakpoints?.has(offset)) continue;
      for (const other of region.offsets) known.found.set(other, 1);
      known.heat = Infinity;
    }
  }

  /** The records' room is used anew from its start. */
  dropAll(): void {
    for (const region of [...this.regions]) this.drop(region);
    this.pages.clear();
    this.freeEntries = [];
  }
}
