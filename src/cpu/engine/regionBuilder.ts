/**
 * Makes a region's WebAssembly module: one function with a loop around a br_table, every block that can be entered from
 * outside a case of it. Jumps forward go straight to their block, jumps to the head of a loop to a loop of WebAssembly, and
 * what remains through the table.
 */
import { FunctionBuilder, type Label } from '../../wasm/function';
import { MAXIMUM_PAGES, ModuleBuilder } from '../../wasm/module';
import { Value } from '../../wasm/value';
import { type MemoryViews, Offset } from '../state';
import type { Block, Unit } from './blocks';
import { PAGE } from './codePage';
import { headOf, type Scope, structure } from './structure';
import { routines } from './interpreter';
import { LastPages, SLOTS_SIZE, type WatchedKinds } from './lastPages';
import { Field, Left, RECORD_SIZE, Special } from './record';
import { TranslatorEmitter } from './translatorEmitter';
import { commonFlags, type KnownFlags, UNKNOWN_FLAGS } from './translatorFlags';

/** Behind the bytes of the table of entries: how often an access has found no translation and left the region. u32. */
export const MISSES = PAGE;
/** And how often the region was entered with segments that it was not made for. u32. */
export const REFUSALS = PAGE + 4;
/** And how often a jump has left it. u32. */
export const LEAVES = PAGE + 8;
const SLOTS = PAGE + RECORD_SIZE;
export const ENTRIES_SIZE = SLOTS + SLOTS_SIZE;
/** What the table of entries holds for an offset to which a direct jump, or one by register, has left the region. */
export const LEFT = 0xfe;
export const MISSED = 0xff;

/** Their operands alone do not tell CF. */
const WITH_CARRY = new Set(['adc', 'sbb']);

/** Record before which the interpreter goes on when a region refuses a block: the first record's copy. */
export type CopyOf = (record: number) => number;

export interface RegionOptions {
  /** An access without a translation calls TypeScript instead of leaving the region, which makes every other one slower. */
  readonly reaches: boolean;
  /** Accesses that are often beside watched bytes: the region looks at that itself. */
  readonly watched: WatchedKinds;
  /** The code is not 64-bit code: its segments have limits. */
  readonly segments: boolean;
  /** State offsets of the caches of the segments that are flat where the region is entered; elsewhere it refuses. */
  readonly flat: ReadonlySet<number>;
}

export class RegionBuilder {
  private readonly f = new FunctionBuilder(['i32', 'i32'], ['i32'], 1 << 14);
  private readonly module = new ModuleBuilder();
  private readonly e: TranslatorEmitter;
  private readonly entry = Value.local(1, 'i32');
  private readonly record: number;
  private readonly target: number;
  private readonly left: number;
  private exitLabel: Label = 0;
  private missLabel: Label = 0;
  private loopLabel: Label = 0;
  /** Numbers in the br_table, by the offset of the block. */
  readonly numbers = new Map<number, number>();
  /** Labels that can be branched to at present, by the offset of the block or loop behind them: forward, and of loops around. */
  private readonly labels = new Map<number, Label>();
  private readonly loops = new Map<number, Label>();
  private readonly scope: Scope;
  /** Loops that have loops inside, by the offset of their head. */
  private readonly dispatching = new Set<number>();
  /** What is known of the flags where jumps go forward, by offset. */
  private readonly arrivals = new Map<number, KnownFlags>();
  /** Where the block and the instruction are that are being written. */
  private block!: Block;
  private unit!: Unit;

  constructor(
    private readonly views: MemoryViews,
    blocks: readonly Block[],
    private readonly copyOf: CopyOf,
    /** Address of the table of entries: a byte for each offset of the page; then the counters and slots. */
    private readonly entries: number,
    options: RegionOptions,
  ) {
    const { module, f } = this;
    this.scope = structure(blocks);
    module.importMemory(1, MAXIMUM_PAGES);
    const reach = options.reaches ? module.importFunction('reach', ['i32', 'i32', 'i32', 'i32', 'i32'], ['i32']) : undefined;
    const checkSegment = options.segments ? module.importFunction('checkSegment', ['i32', 'i32', 'i32', 'i32'], ['i32']) : undefined;
    this.e = new TranslatorEmitter(f, views, { reach, checkSegment, call: routines(module) }, {
      leaveBefore: () => this.leaveBefore(this.exitLabel),
      leaveAtMiss: () => this.leaveBefore(this.missLabel),
      jumpWithin: (offset, record) => this.goTo(offset, record),
      jumpTo: (rip) => this.jumpTo(rip),
    }, options.flat, new LastPages(views, this.scope.items, entries + SLOTS, options.watched));
    this.record = f.local('i32');
    this.target = f.local('i64');
    this.left = f.local('i32');
    this.number(this.scope);
  }

  /** The module's bytes; it exports `region`. */
  build(): Uint8Array<ArrayBuffer> {
    const { f, e } = this;
    e.set(1, this.entry.load('i32', 1, this.entries).sub(1));
    this.exitLabel = f.block();
    this.missLabel = f.block();
    this.loopLabel = f.loop();
    this.emitScope(this.scope);
    f.end(); // loop
    f.unreachable();
    f.end(); // miss
    this.countUp(MISSES);
    f.end(); // exit
    e.flags.known = UNKNOWN_FLAGS;
    e.whenRefused(() => this.countUp(REFUSALS));
    e.storeState();
    e.state().store(f, Value.local(this.record, 'i32'), 4, Offset.RECORD);
    e.when(Value.local(this.left, 'i32'), () => e.state().store(f, Value.local(this.target, 'i64'), 8, Offset.RIP));
    f.get(this.left);
    const before = new FunctionBuilder(f.parameters, []);
    e.loadState(before);
    f.before = before;
    this.module.add(f, 'region');
    return this.module.encode();
  }

  /** Numbers the blocks at which the region can be entered: those outside of loops, and the heads of loops, each followed by those inside of it. */
  private number(scope: Scope): void {
    for (const item of scope.items) {
      if ('units' in item) {
        if (scope === this.scope) this.numbers.set(item.offset, this.numbers.size);
        continue;
      }
      const own = this.numbers.size;
      this.numbers.set(headOf(item).offset, own);
      this.number(item);
      if (this.numbers.size > own + 1) this.dispatching.add(headOf(item).offset);
    }
  }

  /** The blocks and loops of a scope, one behind the other. Each has a label in front of it, but the first of a loop. */
  private emitScope(scope: Scope): void {
    const { f, e } = this;
    const outermost = scope === this.scope;
    const labels: Label[] = [];
    for (let i = scope.items.length - 1; i >= (outermost ? 0 : 1); i--) {
      labels[i] = f.block();
      this.labels.set(headOf(scope.items[i]!).offset, labels[i]!);
    }
    if (outermost) {
      this.entry.emit(f);
      f.branchTable(this.table(scope, labels), labels[0]!);
    } else if (this.dispatching.has(headOf(scope).offset)) {
      // Into a loop inside of this one; -1 when the loop goes round.
      const first = this.numbers.get(headOf(scope).offset)! + 1;
      const table = this.table(scope, labels);
      const inside = e.let(this.entry.sub(first));
      e.when(inside.ltU(table.length), () => {
        inside.emit(f);
        f.branchTable(table, table[0]!);
      });
    }
    scope.items.forEach((item, i) => {
      if (labels[i] !== undefined) {
        f.end();
        this.labels.delete(headOf(item).offset);
      }
      const after = scope.items[i + 1];
      if ('units' in item) return this.emitBlock(item, after ? headOf(after) : undefined);
      const head = headOf(item).offset;
      this.loops.set(head, f.loop());
      this.emitScope(item);
      this.loops.delete(head);
      f.end();
    });
  }

  /** The label that leads to each number of a scope. */
  private table(scope: Scope, labels: readonly Label[]): Label[] {
    const table: Label[] = [];
    scope.items.forEach((item, i) => {
      if ('units' in item) {
        if (scope === this.scope) table.push(labels[i]!);
      } else this.heads(item).forEach(() => table.push(labels[i]!));
    });
    return table;
  }
  private heads(loop: Scope): number[] {
    return [headOf(loop).offset, ...loop.items.flatMap((item) => ('units' in item ? [] : this.heads(item)))];
  }

  /** A loop with loops inside is not reached by the region's entry this time. */
  private noEntry(offset: number): void {
    if (this.dispatching.has(offset)) this.e.set(1, Value.i32(-1));
  }

  /** Whether code comes to a block from elsewhere than from blocks before it: by the br_table, or round a loop. */
  private entered(block: Block): boolean {
    return this.numbers.has(block.offset);
  }
  /** The place at hand leads forward to an offset. */
  private arrive(offset: number): void {
    const before = this.arrivals.get(offset);
    const { known } = this.e.flags;
    this.arrivals.set(offset, before ? commonFlags(before, known) : known);
  }

  private emitBlock(block: Block, following: Block | undefined): void {
    const { e } = this;
    this.block = block;
    const count = block.units.length;
    e.ahead = count;
    this.unit = block.units[0]!;
    e.flags.known = (this.entered(block) ? undefined : this.arrivals.get(block.offset)) ?? UNKNOWN_FLAGS;
    e.set(e.locals.budget, e.budget.sub(count));
    e.when(e.budget.ltS(0), () => this.leaveBefore(this.exitLabel));
    for (const unit of block.units) {
      this.unit = unit;
      e.begin(unit.own);
      this.emitUnit(unit);
      e.ahead--;
    }
    const last = block.units[count - 1]!;
    if (last.handler.semantics.ends) return;
    if (following?.offset === last.next) {
      this.arrive(last.next);
      this.noEntry(last.next);
    } else this.goTo(last.next, last.own + RECORD_SIZE);
  }

  private emitUnit({ first, own, handler }: Unit): void {
    const { e, views } = this;
    for (let at = first; at < own; at += RECORD_SIZE) {
      let special = views.u16[(at + Field.HANDLER) >>> 1]!;
      if (special === Special.ENTER) special = views.u16[(at + Field.ORIGINAL) >>> 1]!;
      if (special === Special.ADDRESS_LONG || special === Special.ADDRESS_LEGACY) e.computeAddress(at, special === Special.ADDRESS_LEGACY);
      else e.stageOperand(at, 1 << (special - Special.LOAD_1));
    }
    e.at(own);
    e.size = handler.size;
    e.form = handler.form;
    e.variant = handler.variant;
    e.exactFlags = !WITH_CARRY.has(handler.semantics.mnemonic);
    if (handler.semantics.simd) e.requireSimd(Value.i32(handler.semantics.simd));
    handler.semantics.emit(e);
  }

  /** One more of what is counted at an offset of the table of entries. */
  private countUp(counter: number): void {
    const table = Value.i32(this.entries);
    table.store(this.f, table.load('i32', 4, counter).add(1), 4, counter);
  }

  /** Out of the region; the interpreter goes on at a record. */
  private leaveTo(record: number): void {
    this.e.set(this.record, Value.i32(record));
    this.f.branch(this.exitLabel);
  }
  private leaveBefore(label: Label): void {
    const { e, block, unit } = this;
    e.set(e.locals.budget, e.budget.add(e.ahead));
    // The block's own first record leads into the region again.
    const again = unit === block.units[0] && this.numbers.has(block.offset);
    e.set(this.record, Value.i32(again ? this.copyOf(unit.first) : unit.first));
    this.f.branch(label);
  }

  /** Gives back the count of what comes after a jump in its block. */
  private giveBack(): void {
    const { e } = this;
    if (e.ahead > 1) e.set(e.locals.budget, e.budget.add(e.ahead - 1));
  }

  /** To a block of the region, else to the interpreter. */
  private goTo(offset: number, record: number): void {
    this.giveBack();
    const label = this.loops.get(offset) ?? this.labels.get(offset);
    if (label !== undefined) {
      this.arrive(offset);
      this.noEntry(offset);
      this.f.branch(label);
      return;
    }
    const number = this.numbers.get(offset);
    if (number === undefined) {
      if (offset < PAGE) {
        Value.i32(offset).store(this.f, Value.i32(LEFT), 1, this.entries);
        this.countUp(LEAVES);
      }
      return this.leaveTo(record);
    }
    this.e.set(1, Value.i32(number));
    this.f.branch(this.loopLabel);
  }

  private jumpTo(rip: Value): void {
    const { e, f } = this;
    this.giveBack();
    const offset = e.let(rip.sub(e.ripBase()));
    e.when(offset.ltU(BigInt(PAGE)), () => {
      const number = e.let(offset.wrap().load('i32', 1, this.entries));
      e.when(number.sub(1).ltU(LEFT - 1), () => {
        e.set(1, number.sub(1));
        f.branch(this.loopLabel);
      });
      offset.wrap().store(f, Value.i32(MISSED), 1, this.entries);
      this.countUp(LEAVES);
    });
    e.set(this.record, Value.i32(this.unit.own)); // so that the branch is known should no code be allowed there
    e.set(this.target, rip);
    e.set(this.left, Value.i32(Left.AT_RIP));
    f.branch(this.exitLabel);
  }
}
