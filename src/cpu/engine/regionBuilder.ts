/**
 * Makes a region's WebAssembly module: one function with a loop around a br_table, every block that can be entered from
 * outside a case of it. Jumps forward go straight to their block, jumps backward through the table.
 */
import { FunctionBuilder, type Label } from '../../wasm/function';
import { ModuleBuilder } from '../../wasm/module';
import { Value } from '../../wasm/value';
import { type MemoryViews, Offset } from '../state';
import type { Block, Unit } from './blocks';
import { MAXIMUM_PAGES, routines } from './interpreter';
import { Field, Left, RECORD_SIZE, Special } from './record';
import { TranslatorEmitter } from './translatorEmitter';

const PAGE = 0x1000;
/** What the table of entries holds for an offset that a jump wanted to go to and the region does not have. */
export const MISSED = 0xff;

/** Record before which the interpreter goes on when a region refuses a block: the first record's copy. */
export type CopyOf = (block: Block) => number;

export class RegionBuilder {
  private readonly f = new FunctionBuilder(['i32', 'i32'], ['i32'], 1 << 14);
  private readonly module = new ModuleBuilder();
  private readonly e: TranslatorEmitter;
  private readonly entry = Value.local(1, 'i32');
  private readonly record: number;
  private readonly target: number;
  private readonly left: number;
  private exitLabel: Label = 0;
  private loopLabel: Label = 0;
  /** Numbers in the br_table, by the offset of the block. */
  readonly numbers = new Map<number, number>();
  private readonly labels: Label[] = [];
  /** Where the block and the instruction are that are being written. */
  private block!: Block;
  private unit!: Unit;

  constructor(
    private readonly views: MemoryViews,
    private readonly blocks: readonly Block[],
    private readonly copyOf: CopyOf,
    /** Address of the table of entries: a byte for each offset of the page. */
    private readonly entries: number,
  ) {
    const { module, f } = this;
    module.importMemory(1, MAXIMUM_PAGES);
    const reach = module.importFunction('reach', ['i32', 'i32', 'i32', 'i32', 'i32'], ['i32']);
    const checkSegment = module.importFunction('checkSegment', ['i32', 'i32', 'i32', 'i32'], ['i32']);
    this.e = new TranslatorEmitter(f, views, { reach, checkSegment, call: routines(module) }, {
      leaveBefore: () => this.leaveBefore(),
      jumpWithin: (offset, record) => this.goTo(offset, record),
      jumpTo: (rip) => this.jumpTo(rip),
    });
    this.record = f.local('i32');
    this.target = f.local('i64');
    this.left = f.local('i32');
    const targets = new Set<number>();
    for (const b of blocks) for (const s of b.successors) if (s !== b.units[b.units.length - 1]!.next) targets.add(s);
    blocks.forEach((b, i) => {
      if (i === 0 || b.entered || targets.has(b.offset) || blocks[i - 1]!.units[blocks[i - 1]!.units.length - 1]!.next !== b.offset) this.numbers.set(b.offset, this.numbers.size);
    });
  }

  /** The module's bytes; it exports `region`. */
  build(): Uint8Array<ArrayBuffer> {
    const { f, e } = this;
    this.exitLabel = f.block();
    this.loopLabel = f.loop();
    const entered = this.blocks.filter((b) => this.numbers.has(b.offset));
    for (let i = entered.length - 1; i >= 0; i--) this.labels[i] = f.block();
    this.entry.emit(f);
    f.branchTable(this.labels, this.labels[0]!);
    for (let i = 0; i < this.blocks.length; i++) {
      this.block = this.blocks[i]!;
      if (this.numbers.has(this.block.offset)) f.end();
      this.emitBlock(this.blocks[i + 1]);
    }
    f.end(); // loop
    f.unreachable();
    f.end(); // exit
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

  private emitBlock(following: Block | undefined): void {
    const { e, block } = this;
    const count = block.units.length;
    e.ahead = count;
    this.unit = block.units[0]!;
    e.set(e.locals.budget, e.budget.sub(count));
    e.when(e.budget.ltS(0), () => this.leaveBefore());
    for (const unit of block.units) {
      this.unit = unit;
      e.at(unit.own);
      this.emitUnit(unit);
      e.ahead--;
    }
    const last = block.units[count - 1]!;
    if (last.handler.semantics.ends) return;
    if (following?.offset !== last.next) this.goTo(last.next, last.own + RECORD_SIZE);
  }

  private emitUnit({ first, own, handler }: Unit): void {
    const { e, views } = this;
    for (let at = first; at < own; at += RECORD_SIZE) {
      let special = views.u32[(at + Field.HANDLER) >>> 2]!;
      if (special === Special.ENTER) special = views.u32[(at + Field.ORIGINAL) >>> 2]!;
      if (special === Special.ADDRESS_LONG || special === Special.ADDRESS_LEGACY) e.computeAddress(at, special === Special.ADDRESS_LEGACY);
      else e.stageOperand(at, 1 << (special - Special.LOAD_1));
    }
    e.at(own);
    e.size = handler.size;
    e.form = handler.form;
    e.variant = handler.variant;
    if (handler.semantics.simd) e.requireSimd(Value.i32(handler.semantics.simd));
    handler.semantics.emit(e);
  }

  /** Out of the region; the interpreter goes on at a record. */
  private leaveTo(record: number): void {
    this.e.set(this.record, Value.i32(record));
    this.f.branch(this.exitLabel);
  }
  private leaveBefore(): void {
    const { e, block, unit } = this;
    e.set(e.locals.budget, e.budget.add(e.ahead));
    // The block's own first record leads into the region again.
    this.leaveTo(unit === block.units[0] ? this.copyOf(block) : unit.first);
  }

  /** To a block of the region, else to the interpreter. */
  private goTo(offset: number, record: number): void {
    const number = this.numbers.get(offset);
    if (number === undefined) return this.leaveTo(record);
    if (offset > this.block.offset) return void this.f.branch(this.labels[number]!);
    this.e.set(1, Value.i32(number));
    this.f.branch(this.loopLabel);
  }

  private jumpTo(rip: Value): void {
    const { e, f } = this;
    const offset = e.let(rip.sub(e.ripBase()));
    e.when(offset.ltU(BigInt(PAGE)), () => {
      const number = e.let(offset.wrap().load('i32', 1, this.entries));
      e.when(number.sub(1).ltU(MISSED - 1), () => {
        e.set(1, number.sub(1));
        f.branch(this.loopLabel);
      });
      offset.wrap().store(f, Value.i32(MISSED), 1, this.entries);
    });
    e.set(this.target, rip);
    e.set(this.left, Value.i32(Left.AT_RIP));
    f.branch(this.exitLabel);
  }
}
