/** The decoded instructions of a page as basic blocks, for the translator to choose from. */
import type { MemoryViews } from '../state';
import { type CodePage, PAGE } from './codePage';
import type { Handler } from './handlers';
import { Field, RECORD_SIZE, Special } from './record';

/** An instruction of the hot set: its first record (an address or load record may precede its own), and its own. */
export interface Unit {
  readonly offset: number;
  readonly next: number;
  readonly first: number;
  readonly own: number;
  readonly handler: Handler;
}

export interface Block {
  readonly offset: number;
  readonly units: readonly Unit[];
  /** Offsets that follow: the targets of its jumps (one that is conditional may stand in the middle) and what is fallen into. Calls are followed by where they return to. */
  readonly successors: readonly number[];
  /** Whether code comes here in other ways than by jumps and from the instruction before: by calls, returns, jumps by register. */
  readonly entered: boolean;
}

/** A block is entered only when the budget reaches to its end: straight lines are cut. */
const LONGEST = 32;

/**
 * Instructions that always need the interpreter: with them every device access would leave a region twice, what changes the privilege changes the TLB bank, and regions take segments for what they were.
 * IN of one byte is taken: waiting loops mostly get an answer that is kept.
 */
const LEFT_OUT = new Set(['in', 'out', 'invlpg', 'mov_to_sreg', 'syscall', 'sysret', 'iret']);
const isLeftOut = ({ semantics, size }: Handler): boolean => LEFT_OUT.has(semantics.mnemonic) && !(semantics.mnemonic === 'in' && size === 1);

/** An instruction that was overwritten so often is left to the interpreter: the region around it stays. */
const OFTEN = 3;

const hasTarget = (unit: Unit): boolean => unit.handler.form === 'j';
const ends = (unit: Unit): boolean => unit.handler.semantics.ends === true;
const isCall = (unit: Unit): boolean => unit.handler.semantics.mnemonic.startsWith('call');

export class PageBlocks {
  private readonly units = new Map<number, Unit>();
  /** Offsets at which a block begins, and whether it is entered from elsewhere. */
  private readonly leaders = new Map<number, boolean>();
  private readonly blocks = new Map<number, Block>();
  /** Offset of the block that a unit is in. */
  private readonly blockOf = new Map<number, number>();

  constructor(
    private readonly views: MemoryViews,
    private readonly page: CodePage,
    private readonly handlers: readonly Handler[],
  ) {
    for (let i = 0; i < page.runs.length; i += 2) this.readRun(page.runs[i]!, page.runs[i + 1]!);
    for (const unit of this.units.values()) {
      if (!hasTarget(unit)) continue;
      const target = this.target(unit);
      // A line of records begins at a jump's target too: that alone does not tell that code comes from elsewhere.
      if (target !== undefined) this.leaders.set(target, false);
    }
    for (const unit of this.units.values()) {
      if (!isCall(unit)) continue;
      const target = hasTarget(unit) ? this.target(unit) : undefined;
      if (target !== undefined) this.lead(target, true);
      this.lead(unit.next, true);
    }
    for (const offset of page.indirectTargets) this.lead(offset, true);
    for (const [offset, entered] of this.leaders) this.collect(offset, entered);
  }

  private lead(offset: number, entered: boolean): void {
    this.leaders.set(offset, entered || this.leaders.get(offset) === true);
  }

  /** Offset of a direct jump's target in the page, when that is decoded. */
  private target(unit: Unit): number | undefined {
    const record = this.views.u32[(unit.own + Field.LINK) >>> 2]!;
    return record === 0 ? undefined : this.views.u16[(record + Field.OFFSET) >>> 1]!;
  }

  private readRun(start: number, end: number): void {
    const { u8, u16, u32 } = this.views;
    let first = 0;
    let begins = true;
    for (let at = start; at < end; at += RECORD_SIZE) {
      let number = u16[(at + Field.HANDLER) >>> 1]!;
      if (number === Special.ENTER) number = u16[(at + Field.ORIGINAL) >>> 1]!;
      const offset = u16[(at + Field.OFFSET) >>> 1]!;
      if (first === 0) first = at;
      const precedes = number === Special.ADDRESS_LONG || number === Special.ADDRESS_LEGACY || (number >= Special.LOAD_1 && number <= Special.LOAD_16);
      if (precedes) continue;
      const handler = this.handlers[number - Special.COUNT];
      const current = offset < PAGE && u32[(this.page.slots + offset * 4) >>> 2] === first;
      if (number < Special.COUNT || !handler || isLeftOut(handler) || !current || (this.page.rewrites?.counts[offset] ?? 0) >= OFTEN) {
        if (number === Special.GLUE && offset < PAGE) this.lead(offset, false);
        begins = true;
      } else {
        this.units.set(offset, { offset, next: offset + u8[at + Field.LENGTH]!, first, own: at, handler });
        if (begins) this.lead(offset, true);
        begins = false;
      }
      first = 0;
    }
  }

  private collect(offset: number, entered: boolean): void {
    const units: Unit[] = [];
    const successors: number[] = [];
    for (let unit = this.units.get(offset); unit; unit = this.units.get(unit.next)) {
      units.push(unit);
      this.blockOf.set(unit.offset, offset);
      if (hasTarget(unit)) {
        const target = this.target(unit);
        if (target !== undefined) successors.push(target);
      }
      if (ends(unit)) {
        if (isCall(unit)) successors.push(unit.next);
        break;
      }
      if (units.length === LONGEST) this.lead(unit.next, false);
      if (this.leaders.has(unit.next)) {
        successors.push(unit.next);
        break;
      }
    }
    if (units.length > 0) this.blocks.set(offset, { offset, units, successors, entered });
  }

  /**
   * Blocks around the seeds (offsets of instructions, the most important first) and what they lead to, as far as `limit`
   * instructions reach; those for which `taken` is true are another region's. In the order of their addresses.
   */
  choose(seeds: readonly number[], limit: number, most: number, taken: (block: Block) => boolean): Block[] {
    const chosen = new Map<number, Block>();
    let size = 0;
    for (const seed of seeds) {
      const queue = [this.blockOf.get(seed)];
      for (let i = 0; i < queue.length; i++) {
        const block = this.blocks.get(queue[i] ?? -1);
        if (!block || chosen.has(block.offset) || taken(block)) continue;
        if (size + block.units.length > limit || chosen.size === most) continue;
        size += block.units.length;
        chosen.set(block.offset, block);
        queue.push(...block.successors);
      }
    }
    return [...chosen.values()].sort((a, b) => a.offset - b.offset);
  }
}
