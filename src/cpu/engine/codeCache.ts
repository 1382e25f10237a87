/**
 * Decoded code, by host-physical page and code size. Instructions are decoded when they are first reached, along
 * straight lines; each line's records lie one after another. Writes to the bytes of decoded instructions lose these
 * instructions, many of them the page.
 */
import type { AbsentInstructions } from '../decode/absent';
import type { CodeSize, Instruction } from '../decode/instruction';
import type { CodePages } from '../mmu/codePages';
import { FRAME_PAGES } from '../mmu/frameTable';
import type { MemoryViews } from '../state';
import { CodeLines, MAXIMUM_LENGTH } from './codeLines';
import { CodePage, PAGE, PageTable, PIECE } from './codePage';
import { type HandlerTable } from './handlers';
import { CODE_TABLES } from './layout';
import { MonitoredLines } from './monitoredLines';
import { Field, RECORD_SIZE, Special } from './record';
import { RecordArena } from './recordArena';
import { TablePages } from './tablePages';

/** A write of so many bytes is no patch: whoever writes them writes the page. */
const LONG_WRITE = 64;
/** When so many instructions were lost and none was executed for the first time in between, the page is being written anew. */
const MANY_LOSSES = 256;
/** Writes after which a page is no longer taken for code: without instructions, and with some that are not executed for the first time. */
const WRITES_WITHOUT_CODE = 64;
const WRITES_BESIDE_CODE = 4096;
/** What leads to overwritten instructions leads to detours: after so many the page is decoded anew. */
const MANY_MISFITS = 256;

/** Page, code size and first offset as one number. */
const retiredKey = (page: number, codeSize: CodeSize, first: number): number => (page * 64 + codeSize - 1) * PAGE + first;

/** Told what becomes of decoded code. */
export interface CodeListener {
  /** A page gets its first decoded instruction or is first used by a page walk: writes to it must be told from now on. */
  watchedPageAppeared(page: number): void;
  allDropped(): void;
  /** The records of a page are about to be dropped: nothing may stand for them. */
  recordsChange(page: CodePage): void;
  /** The same for the records of the instruction at one offset, which is overwritten or gets a breakpoint; in pages with regions. */
  instructionChanges(page: CodePage, offset: number): void;
}

export class CodeCache implements CodePages {
  private readonly pages = new Map<number, CodePage[]>();
  private readonly bySlots = new Map<number, CodePage>();
  private readonly tables = new TablePages();
  /** Lines that processors wait for. */
  readonly monitored = new MonitoredLines((page) => this.watch(page));
  /** Empty tables of pages that were dropped, by `retiredKey`. */
  private readonly retired = new Map<number, number>();
  private readonly arena = new RecordArena();
  private readonly lines: CodeLines;

  constructor(
    private readonly views: MemoryViews,
    handlers: HandlerTable,
    private readonly listener: CodeListener,
  ) {
    this.lines = new CodeLines(views, handlers, this.arena);
  }

  /** Instructions that the processors lack; set before the first one runs. */
  set absent(absent: AbsentInstructions | undefined) {
    this.lines.absent = absent;
  }
  /** Instructions that TypeScript performs, by the index in their record. */
  get instructions(): readonly (Instruction | undefined)[] {
    return this.lines.instructions;
  }

  has(page: number): boolean {
    return this.pages.has(page) || this.tables.has(page) || this.monitored.has(page);
  }

  tableUsed(page: number): void {
    if (this.tables.use(page)) this.watch(page);
  }
  get tableWrites(): number {
    return this.tables.writes;
  }

  /** Every write to a page must be told. */
  private watch(page: number): void {
    this.listener.watchedPageAppeared(page);
    this.publish(page);
  }
  /** Tells generated code which writes to a page it may let by: those beside its code, if that is all. */
  private publish(page: number): void {
    if (page >= FRAME_PAGES) return;
    const list = this.pages.get(page);
    const isAll = list !== undefined && list.length <= 2 && !this.tables.has(page) && !this.monitored.has(page);
    this.views.u32[(CODE_TABLES >>> 2) + page] = isAll ? list[0]!.slots : 0;
    if (isAll) this.views.u32[(list[0]!.slots + PageTable.NEXT) >>> 2] = list[1]?.slots ?? 0;
  }

  /** The code page for a physical page, made when there is none yet. `first` is the offset at which the code segment begins, 0 when that is before the page. */
  find(page: number, codeSize: CodeSize, frame: number, breakpoints: Set<number> | undefined, first = 0): CodePage {
    let list = this.pages.get(page);
    let known: CodePage | undefined;
    if (list) for (let i = 0; i < list.length; i++) if (list[i]!.codeSize === codeSize && list[i]!.first === first) known = list[i];
    if (known) {
      if (breakpoints) this.addBreakpoints(known, breakpoints);
      return known;
    }
    if (!this.arena.holds(PageTable.SIZE)) {
      this.dropAll();
      list = undefined;
    }
    const slots = this.emptyTables(page, codeSize, first);
    const made = new CodePage(page, codeSize, frame, slots, first);
    this.bySlots.set(slots, made);
    if (breakpoints) made.breakpoints = new Set(breakpoints);
    if (list) list.push(made);
    else {
      this.pages.set(page, [made]);
      this.listener.watchedPageAppeared(page);
    }
    this.publish(page);
    return made;
  }

  /** The page with a slot table, as the code TLB names it. */
  pageWithSlots(slots: number): CodePage | undefined {
    return this.bySlots.get(slots);
  }

  /** Whether so many bytes could be allocated. */
  allocatable(bytes: number): boolean {
    return this.arena.holds(bytes);
  }
  /** Room among the records that lives until everything is dropped, or 0 when there is none. */
  allocate(bytes: number): number {
    return this.arena.holds(bytes) ? this.arena.take(bytes) : 0;
  }

  /** Tables for a page without records: its own of before, if it had one, so that code which is written over and over finds it still in the host's caches and code TLBs. */
  private emptyTables(page: number, codeSize: CodeSize, first: number): number {
    const key = retiredKey(page, codeSize, first);
    const before = this.retired.get(key);
    if (before !== undefined) {
      this.retired.delete(key);
      return before;
    }
    return this.arena.takeEmpty(PageTable.SIZE, this.views.u32);
  }

  /** The record at an offset, decoding from there when it is new. 0 when there is no room: everything was dropped. */
  record(page: CodePage, offset: number): number {
    const known = this.views.u32[(page.slots + offset * 4) >>> 2]!;
    if (known !== 0) return known;
    if (!this.arena.holds(0)) {
      this.dropAll();
      return 0;
    }
    if (page.misfits > MANY_MISFITS) {
      this.dropPage(page.page);
      return 0;
    }
    return this.lines.decodeAt(page, offset);
  }

  /**
   * Connects the CROSS record at an offset with the records of the instruction there, whose bytes (from both pages) are
   * `bytes`; they are written once per second page.
   */
  cross(page: CodePage, second: CodePage, offset: number, bytes: Uint8Array): void {
    let crossing = page.crossings.find((c) => c.offset === offset && c.second === second);
    if (!crossing) {
      if (!this.arena.holdsCrossing()) return this.dropAll(); // the look-up comes here again
      crossing = { record: this.lines.decodeCrossing(page, second, offset, bytes), offset, second };
      page.crossings.push(crossing);
      second.reachedFrom.add(page);
      this.views.u32[(second.slots + PageTable.REACHED) >>> 2] = 1;
    }
    this.lines.connect(page, offset, crossing.record);
  }

  /** The instruction of a record again, in full; undefined when its page is not known any more or it crosses pages. */
  peek(record: number): Instruction | undefined {
    for (const list of this.pages.values()) {
      for (const page of list) {
        const holds = (lines: number[]): boolean => lines.some((start, i) => i % 2 === 0 && record >= start && record < lines[i + 1]!);
        if (holds(page.runs) || holds(page.copies)) return this.lines.peek(page, record);
      }
    }
    return undefined;
  }

  /** One instruction that is not kept: its records are overwritten by the next. */
  single(bytes: Uint8Array, codeSize: CodeSize, offset: number): { at: number; length: number; insn: Instruction } {
    return this.lines.single(bytes, codeSize, offset);
  }

  // Breakpoints.

  /** Runs `action` with the breakpoint at a record lifted. */
  withoutBreakpoint(record: number, action: () => void): void {
    const handler = (record + Field.HANDLER) >>> 1;
    const armed = this.views.u16[handler] === Special.BREAK;
    if (armed) this.lines.disarm(record);
    action();
    // The instruction may have overwritten itself: then the record says STALE and stays so.
    if (armed && this.views.u16[handler] !== Special.STALE) this.lines.arm(record);
  }

  /** A page may be mapped at several linear addresses: the breakpoints of all of them are armed. */
  private addBreakpoints(page: CodePage, offsets: ReadonlySet<number>): void {
    const armed = (page.breakpoints ??= new Set());
    for (const offset of offsets) {
      if (armed.has(offset)) continue;
      armed.add(offset);
      if (page.regions !== 0) this.listener.instructionChanges(page, offset);
      const record = this.views.u32[(page.slots + offset * 4) >>> 2]!;
      if (record !== 0) this.lines.arm(record);
    }
  }

  /** Lifts every breakpoint. The processors flush their code TLBs, so that those which stay are armed again. */
  clearBreakpoints(): void {
    for (const list of this.pages.values()) {
      for (const page of list) {
        for (const offset of page.breakpoints ?? []) {
          const record = this.views.u32[(page.slots + offset * 4) >>> 2]!;
          if (record !== 0) this.lines.disarm(record);
        }
        page.breakpoints = undefined;
      }
    }
  }

  // Writes.

  written(page: number, offset: number, length: number): boolean {
    const isTold = this.monitored.written(page, offset, length);
    const isTable = this.tables.written(page);
    const list = this.pages.get(page);
    if (!list) return isTable || isTold;
    for (let i = 0; i < list.length; i++) this.overwrite(list[i]!, offset, length);
    return true;
  }

  marked(page: number, offset: number): void {
    const list = this.pages.get(page);
    if (list) for (let i = 0; i < list.length; i++) this.overwrite(list[i]!, offset, 4);
  }

  /** Loses the instructions to which bytes belong; the whole page where that is cheaper or single ones cannot be lost. */
  private overwrite(code: CodePage, offset: number, length: number): void {
    if (code.dropped) return;
    const letBy = (code.slots + PageTable.LET_BY) >>> 2;
    const writes = (code.writes += 1 + this.views.u32[letBy]!);
    this.views.u32[letBy] = 0;
    const crossedInto = code.reachedFrom.size !== 0 && offset < MAXIMUM_LENGTH;
    if (crossedInto || !this.loseInstructions(code, offset, length) || code.losses > MANY_LOSSES) return this.dropPage(code.page);
    const seldom = code.live === 0 ? WRITES_WITHOUT_CODE : WRITES_BESIDE_CODE;
    if (writes > seldom && code.regions === 0) this.dropPage(code.page);
  }

  /** False when one is no simple instruction. */
  private loseInstructions(code: CodePage, offset: number, length: number): boolean {
    const { u32 } = this.views;
    const slots = code.slots >>> 2;
    const end = offset + length;
    const start = Math.max(0, offset - MAXIMUM_LENGTH + 1);
    if (!this.mayBegin(code, start, end)) return true;
    for (let o = start; o < end; o++) {
      const record = u32[slots + o]!;
      if (record === 0 || (o < offset && o + this.lines.lengthAt(record) <= offset)) continue;
      if (length > LONG_WRITE) return false;
      if (code.regions !== 0) this.listener.instructionChanges(code, o);
      if (!this.lines.lose(code, o, record)) return false;
    }
    return true;
  }

  /** Whether an instruction may begin from `start` on and before `end`. Most of what is written beside code is far from it. */
  private mayBegin(page: CodePage, start: number, end: number): boolean {
    const begins = page.slots + PageTable.BEGINS;
    for (let piece = start >>> PIECE; piece <= (end - 1) >>> PIECE; piece++) if (this.views.u8[begins + piece] !== 0) return true;
    return false;
  }

  /** Memory was changed as a whole page: by a device, by the debugger. */
  pageChanged(page: number): void {
    this.monitored.written(page, 0, PAGE);
    this.tables.written(page);
    this.dropPage(page);
  }

  /** Drops what was decoded from a physical page, and what crosses into it. */
  dropPage(page: number): void {
    const list = this.pages.get(page);
    if (!list) return;
    this.pages.delete(page);
    this.publish(page);
    for (const code of list) {
      this.retire(code);
      for (const from of code.reachedFrom) this.dropPage(from.page);
      for (const crossing of code.crossings) crossing.second.reachedFrom.delete(code);
    }
  }

  /** Makes a page's records lead back to the look-up: the interpreter may be among them. */
  private retire(code: CodePage): void {
    this.listener.recordsChange(code);
    this.bySlots.delete(code.slots);
    const { u16, u32 } = this.views;
    for (const lines of [code.runs, code.copies]) {
      for (let i = 0; i < lines.length; i += 2) {
        for (let at = lines[i]!; at < lines[i + 1]!; at += RECORD_SIZE) u16[(at + Field.HANDLER) >>> 1] = Special.STALE;
      }
    }
    u32.fill(0, code.slots >>> 2, (code.slots + PageTable.SIZE) >>> 2);
    this.retired.set(retiredKey(code.page, code.codeSize, code.first), code.slots);
    this.lines.forgetPage(code);
    code.dropped = true;
  }

  /** Drops everything; the caller's processors flush their code TLBs. */
  dropAll(): void {
    const dropped = [...this.pages];
    this.pages.clear();
    for (const [page, list] of dropped) {
      this.publish(page);
      for (const code of list) this.retire(code);
    }
    this.retired.clear();
    this.arena.reset();
    this.listener.allDropped();
  }
}
