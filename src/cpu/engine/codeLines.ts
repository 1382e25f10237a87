/**
 * Decodes straight lines of code into records. What was overwritten is decoded again where its records were, when they
 * suffice: jumps that lead to it and the line around it stay as they are.
 */
import type { AbsentInstructions } from '../decode/absent';
import { decode } from '../decode/decode';
import { type CodeSize, Instruction, Kind } from '../decode/instruction';
import type { MemoryViews } from '../state';
import { type CodePage, PAGE, PageTable, PIECE, Rewrites } from './codePage';
import { flagged, type HandlerTable } from './handlers';
import { RECORDS_BASE } from './layout';
import { type LineFunctions, linesFor } from './lineCode';
import { Field, RECORD_SIZE, Special } from './record';
import { RUN_LENGTH, type RecordArena, SINGLE_BASE } from './recordArena';
import { Has, RecordTemplates, Scratch, Template } from './recordTemplates';
import { RecordWriter } from './recordWriter';

/** Longest instruction. */
export const MAXIMUM_LENGTH = 15;

/** Instructions of TypeScript's behind which code need not go on. */
const LEADS_ELSEWHERE = flagged(['invalid', 'too_long', 'iret', 'jmp_far', 'call_far', 'ret_far', 'int', 'int3', 'int1', 'syscall', 'sysret', 'sysenter', 'sysexit', 'vmlaunch', 'vmresume', 'hlt', 'ud0', 'ud1', 'ud2']);

/** Handlers that need the Instruction at run time too: they may leave to TypeScript. */
const MAY_LEAVE = flagged(['div', 'idiv', 'cli', 'sti', 'syscall', 'sysret', 'swapgs', 'iret', 'movs', 'stos', 'lods', 'mov_to_sreg', 'pushf', 'popf', 'in', 'out', 'invlpg', 'vmread', 'vmwrite', 'rdtsc', 'rdtscp', 'pause', 'cmpxchg16b']);

export class CodeLines {
  /** What `decode` saw last without template; kept, it makes room for another. */
  private insn = new Instruction();
  private readonly writer: RecordWriter;
  private readonly templates: RecordTemplates;
  private readonly generated: LineFunctions;
  /** Of the instruction that `decode` saw last: its template, or 0 and its handler (-1: TypeScript performs it). */
  private template = 0;
  private handler = -1;
  /** Instructions that TypeScript performs, by the index in their record. */
  readonly instructions: (Instruction | undefined)[] = [undefined];
  private readonly freeInstructions: number[] = [];
  /** Instructions that the processors lack. */
  absent: AbsentInstructions | undefined;
  /** Whether falling through is over behind the instruction that `write` has written. */
  private endsRun = false;

  constructor(
    private readonly views: MemoryViews,
    private readonly handlers: HandlerTable,
    private readonly arena: RecordArena,
  ) {
    this.writer = new RecordWriter(views);
    this.templates = new RecordTemplates(views);
    this.generated = linesFor(views.memory);
  }

  /** The record of the instruction at an offset where none is known; the arena has room for a run. */
  decodeAt(page: CodePage, start: number): number {
    page.writes = page.losses = 0;
    const before = page.rewrites?.stale[start] ?? 0;
    if (before !== 0 && this.renew(page, page.rewrites!.stale, start, before)) return before;
    return this.decodeRun(page, start);
  }

  private decodeRun(page: CodePage, start: number): number {
    const { views, writer } = this;
    const { u32 } = views;
    const { slots, frame, codeSize } = page;
    const first = this.arena.next;
    let at = first;
    let offset = start;
    let left = RUN_LENGTH;
    for (;;) {
      const ended = this.generated.line(slots, frame, codeSize, offset, at, left);
      const from = offset;
      offset = u32[Scratch.OFFSET >>> 2]!;
      at = u32[Scratch.AT >>> 2]!;
      left = u32[Scratch.LEFT >>> 2]! - 1;
      this.enterLine(page, from, offset);
      if (ended) break;
      const length = this.decodeAnew(page, offset);
      if (length === 0) {
        // It crosses: the processor, which can translate the next page, writes what follows.
        writer.special(at, Special.CROSS, offset);
        this.enter(page, offset, at);
        at += RECORD_SIZE;
        break;
      }
      at += this.writeDecoded(page, at, offset) * RECORD_SIZE;
      offset += length;
      if (this.endsRun) {
        // A TypeScript instruction may go on to the next one after all: VMLAUNCH does when it fails.
        if (views.u16[(at - RECORD_SIZE + Field.HANDLER) >>> 1] === Special.SLOW) {
          writer.special(at, Special.CONTINUE, offset);
          at += RECORD_SIZE;
        }
        break;
      }
    }
    this.arena.next = at;
    page.runs.push(first, at);
    return first;
  }

  /** Tells the page of the instructions from `start` on and before `end` that generated code has written. */
  private enterLine(page: CodePage, start: number, end: number): void {
    const { u32 } = this.views;
    const entered = u32[Scratch.ENTERED >>> 2]!;
    if (entered === 0) return;
    page.live += entered;
    const slots = page.slots >>> 2;
    if (page.rewrites) {
      const { stale } = page.rewrites;
      for (let offset = start; offset < end; offset++) if (stale[offset] !== 0 && u32[slots + offset] !== 0) this.replace(page, stale, offset, u32[slots + offset]!);
    }
    if (page.breakpoints) for (const offset of page.breakpoints) if (offset >= start && offset < end && u32[slots + offset] !== 0) this.arm(u32[slots + offset]!);
    const waiting = Scratch.WAITING >>> 2;
    for (let i = waiting, last = i + 2 * u32[Scratch.WAITING_COUNT >>> 2]!; i < last; i += 2) this.wait(page, u32[i]!, u32[i + 1]!);
    const awaited = Scratch.AWAITED >>> 2;
    for (let i = awaited, last = i + u32[Scratch.AWAITED_COUNT >>> 2]!; i < last; i++) this.arrive(page, u32[i]!, u32[slots + u32[i]!]!);
  }

  /** Finds a template for the instruction at an offset, or decodes it into `insn`. Returns its length; 0 when it crosses into the next page. */
  private decode(page: CodePage, offset: number): number {
    this.template = this.generated.find(page.frame + offset, PAGE - offset, page.codeSize);
    return this.template !== 0 ? this.views.u32[Scratch.LENGTH >>> 2]! : this.decodeAnew(page, offset);
  }
  /** The same for an instruction without template. */
  private decodeAnew(page: CodePage, offset: number): number {
    const length = decode(this.views.u8, page.frame + offset, PAGE - offset, page.codeSize, this.insn);
    if (length === 0) return 0;
    this.absent?.apply(this.insn);
    this.handler = this.handlers.find(this.insn);
    return length;
  }

  /** What the template of the instruction that `decode` saw has. */
  private get has(): number {
    return this.views.u8[this.template + Template.HAS]!;
  }
  /** How many records the instruction that `decode` saw has, and whether falling through is over behind it. */
  private get records(): number {
    if (this.template !== 0) return this.has & Has.RECORDS;
    return this.handler < 0 ? 1 : this.writer.count(this.insn, this.handlers.staged);
  }
  private get ends(): boolean {
    return this.template !== 0 ? (this.has & Has.ENDS) !== 0 : this.handlers.ends(this.handler);
  }

  /** Writes the records of the instruction that `decode` saw at the offset. */
  private write(page: CodePage, at: number, offset: number): void {
    if (this.template === 0) return void this.writeDecoded(page, at, offset);
    const target = this.generated.write(this.template, at, offset);
    this.endsRun = this.ends;
    if ((this.has & Has.RELATIVE) !== 0) this.link(page, at + (this.records - 1) * RECORD_SIZE, target);
    this.enter(page, offset, at);
  }
  /** The same for one that it has decoded; returns how many. */
  private writeDecoded(page: CodePage, at: number, offset: number): number {
    const { insn } = this;
    const records = this.writeAnew(page, at, insn, offset, this.handler);
    const own = at + (records - 1) * RECORD_SIZE;
    if (this.views.u32[(own + Field.INSTRUCTION) >>> 2] === 0) this.templates.learn(insn, at, records, this.endsRun);
    this.linkAnew(page, own, insn, offset);
    this.enter(page, offset, at);
    return records;
  }

  // Code that was overwritten.

  /** How many records an instruction has, from its first one. */
  private recordsOf(record: number): number {
    const { u16 } = this.views;
    const isAddress = (handler: number): boolean => handler === Special.ADDRESS_LONG || handler === Special.ADDRESS_LEGACY;
    const isLoad = (handler: number): boolean => handler >= Special.LOAD_1 && handler <= Special.LOAD_16;
    const first = handlerOf(u16, record);
    if (isLoad(first)) return 2;
    if (!isAddress(first)) return 1;
    return isLoad(u16[(record + RECORD_SIZE + Field.HANDLER) >>> 1]!) ? 3 : 2;
  }

  /** Bytes of the instruction of a record in a slot; as many as there may be when that does not tell. */
  lengthAt(record: number): number {
    const { u8, u16 } = this.views;
    const first = handlerOf(u16, record);
    if (first === Special.GLUE || first === Special.CROSS) return MAXIMUM_LENGTH;
    const at = first === Special.ADDRESS_LONG || first === Special.ADDRESS_LEGACY ? record + RECORD_SIZE : record;
    return u8[at + Field.LENGTH]!;
  }

  /** The instruction at an offset is overwritten: its record leads to the look-up until it is decoded again. False when it reaches into the next page. */
  lose(page: CodePage, offset: number, record: number): boolean {
    const { u16, u32 } = this.views;
    const handler = handlerOf(u16, record);
    if (handler === Special.GLUE || handler === Special.CROSS) return false;
    this.stopWaiting(page, record + (this.recordsOf(record) - 1) * RECORD_SIZE);
    u16[(record + Field.ORIGINAL) >>> 1] = handler;
    u16[(record + Field.HANDLER) >>> 1] = Special.STALE;
    u32[(page.slots + offset * 4) >>> 2] = 0;
    const { stale, counts } = (page.rewrites ??= new Rewrites());
    stale[offset] = record;
    if (counts[offset]! < 255) counts[offset]!++;
    page.live--;
    page.losses++;
    return true;
  }

  /** A jump whose target is not decoded yet gives up its link. */
  private stopWaiting(page: CodePage, record: number): void {
    const { u32 } = this.views;
    if (page.waiting.size === 0 || u32[(record + Field.LINK) >>> 2] !== 0) return;
    const target = u32[(record + Field.IMMEDIATE) >>> 2]! | 0;
    const fields = page.waiting.get(target);
    const at = fields ? fields.indexOf(record + Field.LINK) : -1;
    if (at >= 0) fields!.splice(at, 1);
  }

  /** Decodes overwritten instructions in their records of before, as far as they fit. False when the first does not. */
  private renew(page: CodePage, stale: Uint32Array, start: number, first: number): boolean {
    let at = first;
    let offset = start;
    for (let count = 0; count < RUN_LENGTH && stale[offset] === at; count++) {
      const length = this.decode(page, offset);
      if (length === 0) return count > 0;
      const before = this.recordsOf(at);
      const after = at + before * RECORD_SIZE;
      const own = after - RECORD_SIZE;
      if (this.records !== before) return count > 0;
      if (!this.ends && !this.leadsTo(page, at, own, offset + length)) return count > 0;
      this.forget(page, own);
      this.write(page, at, offset);
      if (this.endsRun) return true;
      at = after;
      offset += length;
    }
    return true;
  }

  /** Whether the record behind an instruction's last one goes on at an offset. */
  private leadsTo(page: CodePage, first: number, own: number, offset: number): boolean {
    const { u16 } = this.views;
    const after = own + RECORD_SIZE;
    const handler = first === own ? handlerOf(u16, first) : u16[(own + Field.HANDLER) >>> 1]!;
    if (this.handlers.ends(handler) && !page.runs.some((start, i) => i % 2 === 0 && first >= start && after < page.runs[i + 1]!)) return false;
    return u16[(after + Field.OFFSET) >>> 1] === offset;
  }

  /** The Instruction that a record has kept is not needed any more; a branch has a link in its place. */
  private forget(page: CodePage, record: number): void {
    const index = this.views.u32[(record + Field.INSTRUCTION) >>> 2]!;
    if (index === 0 || index >= RECORDS_BASE) return;
    const at = page.instructions.lastIndexOf(index);
    page.instructions[at] = page.instructions[page.instructions.length - 1]!;
    page.instructions.pop();
    this.free(index);
  }
  private free(index: number): void {
    this.instructions[index] = undefined;
    this.freeInstructions.push(index);
  }
  /** The same for all of a page. */
  forgetPage(page: CodePage): void {
    for (const index of page.instructions) this.free(index);
  }

  // Records.

  /** Writes a decoded instruction's records; `endsRun` says whether falling through is over. */
  private writeAnew(page: CodePage, at: number, insn: Instruction, offset: number, handler: number): number {
    if (handler < 0) {
      this.writer.slow(at, offset, insn.length, this.keep(page));
      this.endsRun = LEADS_ELSEWHERE[insn.op] === 1;
      return 1;
    }
    const { staged } = this.handlers;
    const simd = this.handlers.simdOf(insn);
    const records = this.writer.instruction(at, insn, handler, offset, staged ? simd : 0, this.handlers.shared);
    const last = at + (records - 1) * RECORD_SIZE;
    if (simd !== 0 || MAY_LEAVE[insn.op] === 1) {
      const index = this.keep(page);
      this.views.u32[(last + Field.INSTRUCTION) >>> 2] = index;
      if (staged) this.views.u32[(last - RECORD_SIZE + Field.INSTRUCTION) >>> 2] = index; // loading may leave too
    }
    this.endsRun = this.handlers.ends(handler);
    return records;
  }

  /** Keeps the instruction that was decoded for its TypeScript operation. */
  private keep(page: CodePage): number {
    const index = this.freeInstructions.pop() ?? this.instructions.length;
    this.instructions[index] = this.insn;
    this.insn = new Instruction();
    page.instructions.push(index);
    return index;
  }

  /** The same for a decoded instruction, if it is a direct branch. */
  private linkAnew(page: CodePage, record: number, insn: Instruction, offset: number): void {
    if (insn.operandCount === 0 || insn.operands[0].kind !== Kind.REL) return;
    if (insn.operandSize * 8 === page.codeSize) this.link(page, record, offset + insn.length + insn.immLow);
  }
  /** Connects a direct branch to its target in the same page, now or when that gets decoded. */
  private link(page: CodePage, record: number, target: number): void {
    if (target < 0 || target >= PAGE) return;
    const field = record + Field.LINK;
    const known = this.views.u32[(page.slots + target * 4) >>> 2]!;
    if (known !== 0) this.views.u32[field >>> 2] = known;
    else this.wait(page, field, target);
  }
  private wait(page: CodePage, field: number, target: number): void {
    const waiting = page.waiting.get(target);
    if (waiting) waiting.push(field);
    else page.waiting.set(target, [field]);
    this.views.u8[page.slots + PageTable.AWAITED + (target >>> 3)]! |= 1 << (target & 7);
  }
  /** What waits for an offset leads to its record. */
  private arrive(page: CodePage, offset: number, record: number): void {
    const waiting = page.waiting.get(offset);
    if (!waiting) return;
    for (const field of waiting) this.views.u32[field >>> 2] = record;
    page.waiting.delete(offset);
    this.views.u8[page.slots + PageTable.AWAITED + (offset >>> 3)]! &= ~(1 << (offset & 7));
  }

  /** Makes a record findable at its offset. */
  private enter(page: CodePage, offset: number, record: number): void {
    const { u8, u32 } = this.views;
    u32[(page.slots + offset * 4) >>> 2] = record;
    u8[page.slots + PageTable.BEGINS + (offset >>> PIECE)] = 1;
    page.live++;
    if (page.rewrites) this.replace(page, page.rewrites.stale, offset, record);
    if (page.breakpoints?.has(offset)) this.arm(record);
    if (page.waiting.size !== 0) this.arrive(page, offset, record);
  }

  /** What led to an overwritten instruction leads to its new record. */
  private replace(page: CodePage, stale: Uint32Array, offset: number, record: number): void {
    const before = stale[offset]!;
    if (before === 0) return;
    stale[offset] = 0;
    if (before === record) return;
    this.forget(page, before + (this.recordsOf(before) - 1) * RECORD_SIZE);
    this.writer.special(before, Special.GLUE, offset, record);
    page.misfits++;
  }

  /** Writes the records of an instruction, whose bytes are given, that crosses from a page into a second one. */
  decodeCrossing(page: CodePage, second: CodePage, offset: number, bytes: Uint8Array): number {
    const { insn } = this;
    decode(bytes, 0, bytes.length, page.codeSize, insn);
    this.absent?.apply(insn);
    const first = this.arena.next;
    this.writer.special(first, Special.CROSS, offset, second.slots);
    const at = first + RECORD_SIZE;
    const records = this.writeAnew(page, at, insn, offset, this.handlers.find(insn));
    const end = at + records * RECORD_SIZE;
    this.linkAnew(page, end - RECORD_SIZE, insn, offset);
    this.writer.special(end, Special.CONTINUE, offset + insn.length);
    this.arena.next = end + RECORD_SIZE;
    page.runs.push(first, this.arena.next);
    return first;
  }

  /** Makes the record in a crossing instruction's slot lead to those that `decodeCrossing` has written. */
  connect(page: CodePage, offset: number, crossing: number): void {
    const entry = this.views.u32[(page.slots + offset * 4) >>> 2]!;
    this.writer.special(entry, Special.GLUE, offset, crossing);
    if (page.breakpoints?.has(offset)) this.arm(entry);
  }

  /** The instruction of a record again, in full; undefined when it crosses pages. */
  peek(page: CodePage, record: number): Instruction | undefined {
    const offset = this.views.u16[(record + Field.OFFSET) >>> 1]!;
    return decode(this.views.u8, page.frame + offset, PAGE - offset, page.codeSize, this.insn) === 0 ? undefined : this.insn;
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
    else records = writer.instruction(at, insn, handler, offset, this.handlers.staged ? this.handlers.simdOf(insn) : 0, this.handlers.shared);
    writer.special(at + records * RECORD_SIZE, Special.CONTINUE, offset + insn.length);
    return { at, length: insn.length, insn };
  }

  // Breakpoints.

  arm(record: number): void {
    const { u16 } = this.views;
    const handler = (record + Field.HANDLER) >>> 1;
    if (u16[handler] === Special.BREAK) return;
    u16[(record + Field.ORIGINAL) >>> 1] = u16[handler]!;
    u16[handler] = Special.BREAK;
  }

  disarm(record: number): void {
    const { u16 } = this.views;
    const handler = (record + Field.HANDLER) >>> 1;
    if (u16[handler] === Special.BREAK) u16[handler] = u16[(record + Field.ORIGINAL) >>> 1]!;
  }
}

/** A record's handler, as it was before a breakpoint or a region was put there or its instruction was overwritten. */
function handlerOf(u16: Uint16Array, record: number): number {
  const handler = u16[(record + Field.HANDLER) >>> 1]!;
  return handler === Special.BREAK || handler === Special.ENTER || handler === Special.STALE ? u16[(record + Field.ORIGINAL) >>> 1]! : handler;
}
