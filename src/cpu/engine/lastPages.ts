/**
 * The pages that a region's loops access over and over. Each register by which they address memory has the page of its
 * last read and that of its last write in a slot of the region, which is looked at before the TLB: that takes half the
 * instructions. Nothing changes a translation while a region runs, so that what was found holds until it is left; entering
 * it empties the slots.
 *
 * In a region that accesses pages with watched bytes a slot has not a page but as much of it as lies beside them. What a
 * register addresses may be on both sides of them in turn, so that each displacement has a slot of its own, and each size, as
 * the slot says where accesses may begin.
 */
import type { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { Gpr, GPR_COUNT, gprAt, type MemoryViews, Offset } from '../state';
import type { Unit } from './blocks';
import { PAGE } from './codePage';
import { Field, RECORD_SIZE } from './record';
import { type Item } from './structure';

/** By what an address is computed: the number of a general-purpose register, or something else. */
export type AddressedBy = number | undefined;

/** A slot: u64 linear address of the page, i32 to add to a linear address for the host's; then, for parts of pages, u64 how many addresses from there on an access may begin at. */
const SLOT_SIZE = 32;
const ADDEND = 8;
const LENGTH = 16;
/** Registers that have slots, two each; in regions with parts of pages also what is not addressed by a register. */
const MOST = 4;
/** Displacements that have slots of their own, with their registers and the kind of access. */
const MOST_DISPLACEMENTS = 24;
/** Sizes of accesses: 1 to 16 bytes. */
const SIZES = 5;
export const SLOTS_SIZE = (MOST_DISPLACEMENTS + (MOST + 1) * 2 * SIZES) * SLOT_SIZE;
/** Stands for addresses without a register, which have a slot for parts of pages alone. */
const NO_REGISTER = GPR_COUNT;
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

/** Where a slot is, and whether it has parts of pages. */
export interface Slot {
  readonly address: number;
  readonly parts: boolean;
}

/** Kinds of access that are often beside watched bytes. */
export interface WatchedKinds {
  readonly reads: boolean;
  readonly writes: boolean;
}

export class LastPages {
  private readonly registers: ReadonlySet<number>;
  /** The slots, by register and whether it is for writes; those for parts of pages also by size, and displacement. */
  private readonly slots = new Map<string, Slot>();

  /** `base` is the address of room for SLOTS_SIZE bytes. */
  constructor(
    private readonly views: MemoryViews,
    items: readonly Item[],
    private readonly base: number,
    /** The kinds of access whose slots have parts of pages. */
    private readonly watched: WatchedKinds,
  ) {
    const uses = new Map<number, number>();
    this.count(items, 1, uses);
    const often = [...uses].filter(([, times]) => times >= LEAST).sort((a, b) => b[1] - a[1]);
    this.registers = new Set(often.slice(0, MOST + (this.watched.writes ? 1 : 0)).map(([register]) => register));
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
    return registers.map((r) => r ?? NO_REGISTER).filter((r) => this.watched.writes || r !== NO_REGISTER);
  }

  /** Has every slot that is in use emptied by code that comes before all other. */
  empty(f: FunctionBuilder): void {
    for (const { address, parts } of this.slots.values()) {
      if (parts) Value.i32(address).store(f, Value.i64(0), 8, LENGTH);
      else Value.i32(address).store(f, Value.i64(NO_PAGE), 8);
    }
  }

  /** Whether accesses of a kind may be to a page of which the TLB lets only parts be accessed. */
  isWatched(write: boolean): boolean {
    return write ? this.watched.writes : this.watched.reads;
  }

  /** The slot for accesses of `size` bytes by a register with a displacement, where it has one. */
  slotOf(by: AddressedBy = NO_REGISTER, displacement: bigint, size: number, write: boolean): Slot | undefined {
    if (!this.registers.has(by)) return undefined;
    const parts = this.isWatched(write);
    const shared = `${by} ${write} ${parts ? size : 0}`;
    const own = `${shared} ${displacement}`;
    const key = this.slots.has(own) || (parts && this.slots.size < MOST_DISPLACEMENTS) ? own : shared;
    let slot = this.slots.get(key);
    if (slot === undefined) this.slots.set(key, (slot = { address: this.base + this.slots.size * SLOT_SIZE, parts }));
    return slot;
  }
  /** Whether `size` bytes at a linear address are elsewhere than in the slot's page, or not aligned; or elsewhere than in its part of a page. */
  isElsewhere({ address, parts }: Slot, linear: Value, size: number): Value {
    const slot = Value.i32(address);
    if (parts) return linear.sub(slot.load('i64', 8)).geU(slot.load('i64', 8, LENGTH));
    return linear.and(BigInt(~0xfff | (size - 1))).ne(slot.load('i64', 8));
  }
  /** The host address of a linear one in the slot's page. */
  hostOf({ address }: Slot, linear: Value): Value {
    return linear.wrap().add(Value.i32(address).load('i32', 4, ADDEND));
  }
  keep(f: FunctionBuilder, { address, parts }: Slot, linear: Value, size: number, addend: Value): void {
    const slot = Value.i32(address);
    slot.store(f, addend, 4, ADDEND);
    slot.store(f, linear.and(~0xfffn), 8);
    if (parts) slot.store(f, Value.i64(PAGE - (size - 1)), 8, LENGTH);
  }
  /** The same for the part of the page between two offsets that the access is in. */
  keepPart(f: FunctionBuilder, { address }: Slot, linear: Value, size: number, addend: Value, from: Value, to: Value): void {
    const slot = Value.i32(address);
    slot.store(f, addend, 4, ADDEND);
    slot.store(f, linear.and(~0xfffn).or(from.extendU()), 8);
    slot.store(f, to.sub(from).sub(size - 1).extendU(), 8, LENGTH); // the access itself has room, so that it is no less than 1
  }
}
