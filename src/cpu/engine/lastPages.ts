/**
 * The pages that a region's loops access over and over. Each register by which they address memory has the page of its
 * last read and that of its last write in a slot of the region, which is looked at before the TLB: that takes half the
 * instructions. Nothing changes a translation while a region runs, so that what was found holds until it is left; entering
 * it empties the slots.
 */
import type { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { Gpr, gprAt, type MemoryViews, Offset } from '../state';
import type { Unit } from './blocks';
import { Field, RECORD_SIZE } from './record';
import { type Item } from './structure';

/** By what an address is computed: the number of a general-purpose register, or something else. */
export type AddressedBy = number | undefined;

/** A slot: u64 linear address of the page, i32 to add to a linear address for the host's. */
const SLOT_SIZE = 16;
const ADDEND = 8;
/** Registers that have slots, two each. */
const MOST = 4;
export const SLOTS_SIZE = MOST * 2 * SLOT_SIZE;
/** No page's address. */
const NO_PAGE = 0x800n;
/** How often the body of a loop is taken to run for once around it, and how often a register has to address memory then. */
const TURNS = 8;
const LEAST = 8;

const ON_STACK = /^(push|pop|call|ret|leave)/;

/** The first register of a record's address; undefined also where an ADDRESS record has computed it. */
export function addressedBy(views: MemoryViews, record: number): AddressedBy {
  const base = views.u16[(record + Field.BASE) >>> 1]!;
  const first = base === Offset.ZERO ? views.u16[(record + Field.INDEX) >>> 1]! : base;
  return gprAt(first);
}

export class LastPages {
  private readonly registers: ReadonlySet<number>;
  /** Addresses of the slots, by register and whether it is for writes. */
  private readonly slots = new Map<number, number>();

  /** `base` is the address of room for SLOTS_SIZE bytes. */
  constructor(
    private readonly views: MemoryViews,
    items: readonly Item[],
    private readonly base: number,
  ) {
    const uses = new Map<number, number>();
    this.count(items, 1, uses);
    const often = [...uses].filter(([, times]) => times >= LEAST).sort((a, b) => b[1] - a[1]);
    this.registers = new Set(often.slice(0, MOST).map(([register]) => register));
  }

  private count(items: readonly Item[], times: number, uses: Map<number, number>): void {
    for (const item of items) {
      if ('units' in item) for (const unit of item.units) for (const register of this.registersOf(unit)) uses.set(register, (uses.get(register) ?? 0) + times);
      else this.count(item.items, times * TURNS, uses);
    }
  }
  private registersOf({ first, own, handler }: Unit): number[] {
    const registers: AddressedBy[] = ON_STACK.test(handler.semantics.mnemonic) ? [Gpr.RSP] : [];
    for (let at = first; at < own; at += RECORD_SIZE) registers.push(addressedBy(this.views, at));
    if (handler.form.includes('m')) registers.push(addressedBy(this.views, own));
    return registers.filter((r) => r !== undefined);
  }

  /** Has every slot that is in use emptied by code that comes before all other. */
  empty(f: FunctionBuilder): void {
    for (const slot of this.slots.values()) Value.i32(slot).store(f, Value.i64(NO_PAGE), 8);
  }

  /** The slot for accesses by a register, where it has one. */
  slotOf(by: AddressedBy, write: boolean): Value | undefined {
    if (by === undefined || !this.registers.has(by)) return undefined;
    const key = by * 2 + (write ? 1 : 0);
    let slot = this.slots.get(key);
    if (slot === undefined) this.slots.set(key, (slot = this.base + this.slots.size * SLOT_SIZE));
    return Value.i32(slot);
  }
  /** Whether `size` bytes at a linear address are elsewhere than in the slot's page, or not aligned. */
  isElsewhere(slot: Value, linear: Value, size: number): Value {
    return linear.and(BigInt(~0xfff | (size - 1))).ne(slot.load('i64', 8));
  }
  /** The host address of a linear one in the slot's page. */
  hostOf(slot: Value, linear: Value): Value {
    return linear.wrap().add(slot.load('i32', 4, ADDEND));
  }
  keep(f: FunctionBuilder, slot: Value, linear: Value, addend: Value): void {
    slot.store(f, addend, 4, ADDEND);
    slot.store(f, linear.and(~0xfffn), 8);
  }
}
