/**
 * A region's blocks as nested loops: a weak topological order (F. Bourdoncle, "Efficient chaotic iteration strategies with
 * widenings"), in which every jump backward goes to the head of a loop around it. A loop of WebAssembly keeps in registers
 * what its body changes, so a loop of the guest becomes one where it is entered at its head alone; the blocks of other
 * loops are the region's own, and their jumps backward take the way through its table.
 */
import type { Block } from './blocks';

/** The whole region, or a loop: its first item is the loop's head. */
export interface Scope {
  readonly items: readonly Item[];
}
export type Item = Block | Scope;

/** The block with which an item begins. */
export const headOf = (item: Item): Block => ('units' in item ? item : headOf(item.items[0]!));

const DONE = Infinity;

class Order {
  private readonly numbers = new Map<Block, number>();
  private readonly stack: Block[] = [];
  private count = 0;

  constructor(private readonly byOffset: ReadonlyMap<number, Block>) {}

  private numberOf(block: Block): number {
    return this.numbers.get(block) ?? 0;
  }
  private successors(block: Block): Block[] {
    return block.successors.map((offset) => this.byOffset.get(offset)).filter((b) => b !== undefined);
  }

  /** Orders what can be reached from the roots. A loop's head is what is met first; items are collected back to front. */
  from(roots: readonly Block[]): Item[] {
    const items: Item[] = [];
    for (const root of roots) if (this.numberOf(root) === 0) this.visit(root, items);
    return items.reverse();
  }

  private visit(block: Block, items: Item[]): number {
    this.stack.push(block);
    const own = ++this.count;
    this.numbers.set(block, own);
    let head = own;
    let loops = false;
    for (const next of this.successors(block)) {
      const lowest = this.numberOf(next) || this.visit(next, items);
      if (lowest > head) continue;
      head = lowest;
      loops = true;
    }
    if (head !== own) return head;
    this.numbers.set(block, DONE);
    let top = this.stack.pop()!;
    if (!loops) {
      items.push(block);
      return head;
    }
    for (; top !== block; top = this.stack.pop()!) this.numbers.set(top, 0);
    const inside: Item[] = [];
    for (const next of this.successors(block)) if (this.numberOf(next) === 0) this.visit(next, inside);
    items.push({ items: [block, ...inside.reverse()] });
    return head;
  }
}

const blocksOf = (item: Item): Block[] => ('units' in item ? [item] : item.items.flatMap(blocksOf));

/** Structures blocks that are in the order of their addresses. */
export function structure(blocks: readonly Block[]): Scope {
  const byOffset = new Map(blocks.map((b) => [b.offset, b]));
  const targets = new Set(blocks.flatMap((b) => b.successors));
  const isRoot = (b: Block): boolean => b.entered || !targets.has(b.offset);
  const order = new Order(byOffset).from([...blocks.filter(isRoot).reverse(), ...blocks.filter((b) => !isRoot(b))]);

  /** Whether nothing comes into the middle of the loop, neither from the region nor from outside. */
  const enteredAtHead = (loop: Scope): boolean => {
    const inside = new Set(blocksOf(loop));
    const middle = new Set([...inside].filter((b) => b !== headOf(loop)));
    if ([...middle].some((b) => b.entered)) return false;
    return blocks.every((b) => inside.has(b) || b.successors.every((offset) => !middle.has(byOffset.get(offset)!)));
  };
  /** The items with the loops kept that can be; false when one could not: then no loop around it can be kept either. */
  const kept = (items: readonly Item[]): { items: Item[]; whole: boolean } => {
    const result: Item[] = [];
    let whole = true;
    for (const item of items) {
      if ('units' in item) {
        result.push(item);
        continue;
      }
      const inside = kept(item.items);
      if (inside.whole && enteredAtHead(item)) result.push({ items: inside.items });
      else {
        result.push(...inside.items);
        whole = false;
      }
    }
    return { items: result, whole };
  };
  return { items: kept(order).items };
}
