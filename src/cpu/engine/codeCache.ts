/**
 * Decoded code, by host-physical page and code size. Instructions are decoded when they are first reached, along
 * straight lines; each line's records lie one after another. Writes to the bytes of decoded instructions drop the page.
 */
import type { AbsentInstructions } from '../decode/absent';
import { decode, mnemonics } from '../decode/decode';
import { type CodeSize, Instruction, Kind } from '../decode/instruction';
import type { CodePages } from '../mmu/codePages';
import type { MemoryViews } from '../state';
import { type HandlerTable } from './handlers';
import { RECORDS_BASE, RECORDS_SIZE } from './layout';
import { Field, RECORD_SIZE, Special } from './record';
import { RecordWriter } from './recordWriter';
import { TablePages } from './tablePages';

const PAGE = 0x1000;
/** Longest instruction. */
export const MAXIMUM_LENGTH = 15;
/** A straight line is cut after so many instructions, so that decoding never runs far ahead of executing. */
const RUN_LENGTH = 128;
/** Bytes of the slot table: one record address per byte of the page. */
const SLOTS_SIZE = PAGE * 4;
/** A run needs at most so much room. */
const RUN_SIZE = (RUN_LENGTH * 3 + 4) * RECORD_SIZE;

/** Instructions of TypeScript's behind which code need not go on. */
const LEADS_ELSEWHERE = new Set(['invalid', 'too_long', 'iret', 'jmp_far', 'call_far', 'ret_far', 'int', 'int3', 'int1', 'syscall', 'sysret', 'sysenter', 'sysexit', 'vmlaunch', 'vmresume', 'hlt', 'ud0', 'ud1', 'ud2']);

/** Handlers that need the Instruction at run time too: they may leave to TypeScript. */
const MAY_LEAVE = new Set(['div', 'idiv', 'cli', 'sti', 'syscall', 'sysret', 'swapgs', 'pushf', 'popf', 'in', 'out', 'vmread', 'vmwrite', 'rdtsc', 'rdtscp', 'pause']);

/** Room for one instruction that is not kept, at the start of the arena. */
const SINGLE_BASE = RECORDS_BASE;
const FIRST_RECORD = RECORDS_BASE + 4 * RECORD_SIZE;
/** Decoding stops short of the end, so that crossing instructions, which need few records, always find room. */
const RECORDS_END = RECORDS_BASE + RECORDS_SIZE - 4 * RUN_SIZE;

export class CodePage {
  /** Where the lines of records are, for dropping them: start and end addresses in turn. */
  readonly runs: number[] = [];
  /** The same for records that stand for patched ones: see the translator. */
  readonly copies: number[] = [];
  /** Indices of the Instructions kept for TypeScript. */
  readonly instructions: number[] = [];
  /** Link fields that wait for an offset to be decoded. */
  readonly waiting = new Map<number, number[]>();
  /** Offsets to which jumps by register were seen to go; kept for the translator. */
  readonly indirectTargets = new Set<number>();
  /** Offsets with a breakpoint. */
  breakpoints: Set<number> | undefined;
  /** Records of instructions that cross out of this page, by offset and second page. */
  readonly crossings: { record: number; offset: number; second: CodePage }[] = [];
  /** Pages whose last instruction reaches into this one. */
  readonly reachedFrom = new Set<CodePage>();
  dropped = false;

  constructor(
    readonly page: number,
    readonly codeSize: CodeSize,
    /** Byte offset of the page's RAM. */
    readonly frame: number,
    /** Byte offset of the slot table. */
    readonly slots: number,
  ) {}
}

/** Page and code size as one number. */
const retiredKey = (page: number, codeSize: CodeSize): number => page * 64 + codeSize - 1;

export class CodeCache implements CodePages {
  private readonly pages = new Map<number, CodePage[]>();
  private readonly bySlots = new Map<number, CodePage>();
  private readonly tables = new TablePages();
  /** Empty tables of pages that were dropped, by `retiredKey`. */
  private readonly retired = new Map<number, number>();
  private next = FIRST_RECORD;
  /** How often a page was dropped. */
  drops = 0;
  private readonly insn = new Instruction();
  private readonly writer: RecordWriter;
  /** Instructions that TypeScript performs, by the index in their record. */
  readonly instructions: (Instruction | undefined)[] = [undefined];
  private readonly freeInstructions: number[] = [];
  /** Instructions that the processors lack; set before the first one runs. */
  absent: AbsentInstructions | undefined;

  constructor(
    private readonly views: MemoryViews,
    private readonly handlers: HandlerTable,
    /** Told when a page gets its first decoded instruction or is first used by a page walk (write tags must go), and when everything was dropped. */
    private readonly changed: {
      watchedPageAppeared(page: number): void;
      allDropped(): void;
      /** The records of a page are about to be dropped, or (not for good) to be armed with breakpoints: nothing may stand for them. */
      recordsChange(page: CodePage, forGood: boolean): void;
    },
  ) {
    this.writer = new RecordWriter(views);
  }

  has(page: number): boolean {
    return this.pages.has(page) || this.tables.has(page);
  }

  tableUsed(page: number): void {
    if (this.tables.use(page)) this.changed.watchedPageAppeared(page);
  }
  get tableWrites(): number {
    return this.tables.writes;
  }

  /** The code page for a physical page, made when there is none yet. */
  find(page: number, codeSize: CodeSize, frame: number, breakpoints: Set<number> | undefined): CodePage {
    let list = this.pages.get(page);
    let known: CodePage | undefined;
    if (list) for (let i = 0; i < list.length; i++) if (list[i]!.codeSize === codeSize) known = list[i];
    if (known) {
      if (breakpoints) this.addBreakpoints(known, breakpoints);
      return known;
    }
    if (this.next + SLOTS_SIZE + RUN_SIZE > RECORDS_END) {
      this.dropAll();
      list = undefined;
    }
    const slots = this.emptySlots(page, codeSize);
    const made = new CodePage(page, codeSize, frame, slots);
    this.bySlots.set(slots, made);
    if (breakpoints) made.breakpoints = new Set(breakpoints);
    if (list) list.push(made);
    else {
      this.pages.set(page, [made]);
      this.changed.watchedPageAppeared(page);
    }
    return made;
  }

  /** The page with a slot table, as the code TLB names it. */
  pageWithSlots(slots: number): CodePage | undefined {
    return this.bySlots.get(slots);
  }

  /** Whether so many bytes could be allocated. */
  allocatable(bytes: number): boolean {
    return this.next + bytes + RUN_SIZE <= RECORDS_END;
  }
  /** Room among the records that lives until everything is dropped, or 0 when there is none. */
  allocate(bytes: number): number {
    if (!this.allocatable(bytes)) return 0;
    const at = this.next;
    this.next += bytes;
    return at;
  }

  /** A table for a page without records: its own of before, if it had one, so that code which is written over and over finds it still in the host's caches and code TLBs. */
  private emptySlots(page: number, codeSize: CodeSize): number {
    const key = retiredKey(page, codeSize);
    const before = this.retired.get(key);
    if (before !== undefined) {
      this.retired.delete(key);
      return before;
    }
    const slots = this.next;
    this.next += SLOTS_SIZE;
    this.views.u32.fill(0, slots >>> 2, (slots + SLOTS_SIZE) >>> 2);
    return slots;
  }

  /** The record at an offset, decoding from there when it is new. 0 when there is no room: everything was dropped. */
  record(page: CodePage, offset: number): number {
    const known = this.views.u32[(page.slots + offset * 4) >>> 2]!;
    if (known !== 0) return known;
    if (this.next + RUN_SIZE > RECORDS_END) {
      this.dropAll();
      return 0;
    }
    return this.decodeRun(page, offset);
  }

  private decodeRun(page: CodePage, start: number): number {
    const { views, insn, writer } = this;
    const first = this.next;
    let at = first;
    let offset = start;
    for (let count = 0; ; count++) {
      const known = offset < PAGE ? views.u32[(page.slots + offset * 4) >>> 2]! : 0;
      if (known !== 0) {
        writer.special(at, Special.GLUE, offset, known);
        at += RECORD_SIZE;
        break;
      }
      if (offset === PAGE || count === RUN_LENGTH) {
        writer.special(at, Special.CONTINUE, offset);
        at += RECORD_SIZE;
        break;
      }
      const length = decode(views.u8, page.frame + offset, PAGE - offset, page.codeSize, insn);
      this.absent?.apply(insn);
      if (length === 0) {
        // It crosses: the processor, which can translate the next page, writes what follows.
        writer.special(at, Special.CROSS, offset);
        this.enter(page, offset, at);
        at += RECORD_SIZE;
        break;
      }
      const records = this.write(page, at, insn, offset);
      this.enter(page, offset, at);
      at += records * RECORD_SIZE;
      offset += length;
      if (this.endsRun) {
        // A TypeScript instruction may go on to the next one after all: VMLAUNCH does when it fails.
        if (views.u32[(at - RECORD_SIZE + Field.HANDLER) >>> 2] === Special.SLOW) {
          writer.special(at, Special.CONTINUE, offset);
          at += RECORD_SIZE;
        }
        break;
      }
    }
    this.next = at;
    page.runs.push(first, at);
    return first;
  }

  private endsRun = false;

  /** Writes an instruction's records; `endsRun` says whether falling through is over. */
  private write(page: CodePage, at: number, insn: Instruction, offset: number): number {
    const handler = this.handlers.find(insn);
    if (handler < 0) {
      this.writer.slow(at, offset, insn.length, this.keep(page, insn));
      this.endsRun = LEADS_ELSEWHERE.has(mnemonics[insn.op]!);
      return 1;
    }
    const mnemonic = mnemonics[insn.op]!;
    const { staged } = this.handlers;
    const semantics = this.handlers.semanticsOf(insn)!;
    const simd = semantics.simd ?? 0;
    const records = this.writer.instruction(at, insn, handler, offset, mnemonic, staged ? simd : 0, this.handlers.shared);
    const last = at + (records - 1) * RECORD_SIZE;
    if (simd !== 0 || MAY_LEAVE.has(mnemonic)) {
      const index = this.keep(page, insn);
      this.views.u32[(last + Field.INSTRUCTION) >>> 2] = index;
      if (staged) this.views.u32[(last - RECORD_SIZE + Field.INSTRUCTION) >>> 2] = index; // loading may leave too
    }
    this.endsRun = semantics.ends === true;
    this.link(page, last, insn, offset);
    return records;
  }

  /** Keeps a copy of the instruction for its TypeScript operation. */
  private keep(page: CodePage, insn: Instruction): number {
    const index = this.freeInstructions.pop() ?? this.instructions.length;
    this.instructions[index] = copyInstruction(insn);
    page.instructions.push(index);
    return index;
  }

  /** Connects a direct branch to its target in the same page, now or when that gets decoded. */
  private link(page: CodePage, record: number, insn: Instruction, offset: number): void {
    if (insn.operandCount === 0 || insn.operands[0].kind !== Kind.REL) return;
    if (insn.operandSize * 8 !== page.codeSize) return;
    const target = offset + insn.length + insn.immLow;
    if (target < 0 || target >= PAGE) return;
    const field = record + Field.LINK;
    const known = this.views.u32[(page.slots + target * 4) >>> 2]!;
    if (known !== 0) {
      this.views.u32[field >>> 2] = known;
      return;
    }
    const waiting = page.waiting.get(target);
    if (waiting) waiting.push(field);
    else page.waiting.set(target, [field]);
  }

  /** Makes a record findable at its offset. */
  private enter(page: CodePage, offset: number, record: number): void {
    this.views.u32[(page.slots + offset * 4) >>> 2] = record;
    if (page.breakpoints?.has(offset)) this.arm(record);
    const waiting = page.waiting.get(offset);
    if (!waiting) return;
    for (const field of waiting) this.views.u32[field >>> 2] = record;
    page.waiting.delete(offset);
  }

  /**
   * Connects the CROSS record at an offset with the records of the instruction there, whose bytes (from both pages) are
   * `bytes`; they are written once per second page.
   */
  cross(page: CodePage, second: CodePage, offset: number, bytes: Uint8Array): void {
    let crossing = page.crossings.find((c) => c.offset === offset && c.second === second);
    if (!crossing) {
      if (this.next + RUN_SIZE > RECORDS_BASE + RECORDS_SIZE) return this.dropAll(); // the look-up comes here again
      crossing = { record: this.writeCrossing(page, second, offset, bytes), offset, second };
      page.crossings.push(crossing);
      second.reachedFrom.add(page);
    }
    const entry = this.views.u32[(page.slots + offset * 4) >>> 2]!;
    this.writer.special(entry, Special.GLUE, offset, crossing.record);
    if (page.breakpoints?.has(offset)) this.arm(entry);
  }

  private writeCrossing(page: CodePage, second: CodePage, offset: number, bytes: Uint8Array): number {
    decode(bytes, 0, bytes.length, page.codeSize, this.insn);
    this.absent?.apply(this.insn);
    const first = this.next;
    this.writer.special(first, Special.CROSS, offset, second.slots);
    const at = first + RECORD_SIZE;
    const end = at + this.write(page, at, this.insn, offset) * RECORD_SIZE;
    this.writer.special(end, Special.CONTINUE, offset + this.insn.length);
    this.next = end + RECORD_SIZE;
    page.runs.push(first, this.next);
    return first;
  }

  /** The instruction of a record again, in full; undefined when its page is not known any more or it crosses pages. */
  peek(record: number): Instruction | undefined {
    const offset = this.views.u16[(record + Field.OFFSET) >>> 1]!;
    for (const list of this.pages.values()) {
      for (const page of list) {
        const holds = (lines: number[]): boolean => lines.some((start, i) => i % 2 === 0 && record >= start && record < lines[i + 1]!);
        if (!holds(page.runs) && !holds(page.copies)) continue;
        return decode(this.views.u8, page.frame + offset, PAGE - offset, page.codeSize, this.insn) === 0 ? undefined : this.insn;
      }
    }
    return undefined;
  }

  /** One instruction that is not kept: its records are overwritten by the next. */
  single(bytes: Uint8Array, codeSize: CodeSize, offset: number): { at: number; length: number; insn: Instruction } {
    const { insn, writer } = this;
    decode(bytes, 0, MAXIMUM_LENGTH, codeSize, insn);
    this.absent?.apply(insn);
    const at = SINGLE_BASE;
    const handler = this.handlers.find(insn);
    let records = 1;
    if (handler < 0) writer.slow(at, offset, insn.length, 0);
    else records = writer.instruction(at, insn, handler, offset, mnemonics[insn.op]!, this.handlers.staged ? this.handlers.semanticsOf(insn)!.simd : 0, this.handlers.shared);
    writer.special(at + records * RECORD_SIZE, Special.CONTINUE, offset + insn.length);
    return { at, length: insn.length, insn };
  }

  private arm(record: number): void {
    const { u32 } = this.views;
    const handler = (record + Field.HANDLER) >>> 2;
    if (u32[handler] === Special.BREAK) return;
    u32[(record + Field.ORIGINAL) >>> 2] = u32[handler]!;
    u32[handler] = Special.BREAK;
  }

  private disarm(record: number): void {
    const { u32 } = this.views;
    const handler = (record + Field.HANDLER) >>> 2;
    if (u32[handler] === Special.BREAK) u32[handler] = u32[(record + Field.ORIGINAL) >>> 2]!;
  }

  /** Runs `action` with the breakpoint at a record lifted. */
  withoutBreakpoint(record: number, action: () => void): void {
    const armed = this.views.u32[(record + Field.HANDLER) >>> 2] === Special.BREAK;
    if (armed) this.disarm(record);
    action();
    // The instruction may have dropped its own page: then the record says STALE and stays so.
    if (armed && this.views.u32[(record + Field.HANDLER) >>> 2] !== Special.STALE) this.arm(record);
  }

  /** A page may be mapped at several linear addresses: the breakpoints of all of them are armed. */
  private addBreakpoints(page: CodePage, offsets: ReadonlySet<number>): void {
    this.changed.recordsChange(page, false);
    const armed = (page.breakpoints ??= new Set());
    for (const offset of offsets) {
      if (armed.has(offset)) continue;
      armed.add(offset);
      const record = this.views.u32[(page.slots + offset * 4) >>> 2]!;
      if (record !== 0) this.arm(record);
    }
  }

  /** Lifts every breakpoint. The processors flush their code TLBs, so that those which stay are armed again. */
  clearBreakpoints(): void {
    for (const list of this.pages.values()) {
      for (const page of list) {
        for (const offset of page.breakpoints ?? []) {
          const record = this.views.u32[(page.slots + offset * 4) >>> 2]!;
          if (record !== 0) this.disarm(record);
        }
        page.breakpoints = undefined;
      }
    }
  }

  written(page: number, offset: number, length: number): void {
    this.tables.written(page);
    this.marked(page, offset, length);
  }

  marked(page: number, offset: number, length = 4): void {
    for (const code of this.pages.get(page) ?? []) {
      if (this.overlaps(code, offset, length)) this.dropPage(page);
    }
  }

  /** Whether bytes belong to decoded instructions, those that reach in from the page before included. */
  private overlaps(code: CodePage, offset: number, length: number): boolean {
    if (code.reachedFrom.size > 0 && offset < MAXIMUM_LENGTH) return true;
    const { u32, u16 } = this.views;
    for (let o = Math.max(0, offset - MAXIMUM_LENGTH + 1); o < offset + length; o++) {
      const record = u32[(code.slots + o * 4) >>> 2]!;
      if (record === 0) continue;
      if (o >= offset || o + this.lengthAt(record, u32, u16) > offset) return true;
    }
    return false;
  }

  private lengthAt(record: number, u32: Uint32Array, u16: Uint16Array): number {
    const handler = u32[(record + Field.HANDLER) >>> 2]!;
    const real = handler === Special.BREAK || handler === Special.ENTER ? u32[(record + Field.ORIGINAL) >>> 2]! : handler;
    if (real === Special.GLUE || real === Special.CROSS) return MAXIMUM_LENGTH;
    if (real >= Special.LOAD_1 && real <= Special.LOAD_16) return u16[(record + Field.NEXT) >>> 1]! - u16[(record + Field.OFFSET) >>> 1]!;
    const at = real === Special.ADDRESS_LONG || real === Special.ADDRESS_LEGACY ? record + RECORD_SIZE : record;
    return u16[(at + Field.NEXT) >>> 1]! - u16[(at + Field.OFFSET) >>> 1]!;
  }

  /** Memory was changed as a whole page: by a device, by the debugger. */
  pageChanged(page: number): void {
    this.tables.written(page);
    this.dropPage(page);
  }

  /** Drops what was decoded from a physical page, and what crosses into it. */
  dropPage(page: number): void {
    const list = this.pages.get(page);
    if (!list) return;
    this.drops++;
    this.pages.delete(page);
    for (const code of list) {
      this.retire(code);
      for (const from of code.reachedFrom) this.dropPage(from.page);
      for (const crossing of code.crossings) crossing.second.reachedFrom.delete(code);
    }
  }

  /** Makes a page's records lead back to the look-up: the interpreter may be among them. */
  private retire(code: CodePage): void {
    this.changed.recordsChange(code, true);
    this.bySlots.delete(code.slots);
    const { u32 } = this.views;
    for (const lines of [code.runs, code.copies]) {
      for (let i = 0; i < lines.length; i += 2) {
        for (let at = lines[i]!; at < lines[i + 1]!; at += RECORD_SIZE) u32[(at + Field.HANDLER) >>> 2] = Special.STALE;
      }
    }
    u32.fill(0, code.slots >>> 2, (code.slots + SLOTS_SIZE) >>> 2);
    this.retired.set(retiredKey(code.page, code.codeSize), code.slots);
    for (const index of code.instructions) {
      this.instructions[index] = undefined;
      this.freeInstructions.push(index);
    }
    code.dropped = true;
  }

  /** Drops everything; the caller's processors flush their code TLBs. */
  dropAll(): void {
    for (const list of this.pages.values()) for (const code of list) this.retire(code);
    this.pages.clear();
    this.retired.clear();
    this.next = FIRST_RECORD;
    this.changed.allDropped();
  }
}

function copyInstruction(from: Instruction): Instruction {
  const { operands, ...fields } = from;
  const copy = Object.assign(new Instruction(), fields);
  operands.forEach((o, i) => Object.assign(copy.operands[i]!, o));
  return copy;
}
