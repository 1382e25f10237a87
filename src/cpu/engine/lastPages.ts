/**
 * The pages that a region's loops access over and over. Each register by which they address memory has the page of its
 * last read and that of its last write in a slot of the region, which is looked at before the TLB: that takes half the
 * instructions. Nothing changes a translation while a region runs, so that what was found holds until it is left; entering
 * it empties the slots.
 *
 * A region that often accesses pages with watched bytes has numbers that say where these are, and leaves before an access
 * that meets them: beside them such a page is in a slot like any other. An address without a register mostly stays the same
 * while a region runs: there it has a slot of its own, that has itself instead of a page.
 */
import type { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import type { WatchedPart } from '../mmu/tlb';
import { differsFrom } from '../mmu/tlbCode';
import { Gpr, gprAt, type MemoryViews, Offset } from '../state';
import type { Unit } from './blocks';
import { Field, RECORD_SIZE } from './record';
import { type Item } from './structure';

/** By what an address is computed: the number of a general-purpose register, or something else. */
export type AddressedBy = number | undefined;

/** A slot: u64 linear address of the page, or the one address that it is for, i32 to add to a linear address for the host's. */
const SLOT_SIZE = 16;
const ADDEND = 8;
/** Registers that have slots, two each. */
const MOST = 4;
/** Addresses without a register that have slots. */
const MOST_ADDRESSES = 24;
export const SLOTS_SIZE = (MOST * 2 + MOST_ADDRESSES) * SLOT_SIZE;
/** No page's address. */
const NO_PAGE = 0x800n;
/** More than a displacement, this is never what it makes an address: what is added to a displacement is canonical. */
const NOWHERE = 1n << 62n;
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

/** Where a slot is, whether it is for one address alone, and what it has while it has nothing. */
export interface Slot {
  readonly address: number;
  readonly exact: boolean;
  readonly empty: bigint;
}

/** Kinds of access that are often beside watched bytes, and where in pages these are. */
export interface WatchedKinds {
  readonly reads: boolean;
  readonly writes: boolean;
  readonly parts: readonly WatchedPart[];
}
/** A region's that has met none. */
export const NOT_WATCHED: WatchedKinds = { reads: false, writes: false, parts: [] };

export class LastPages {
  private readonly registers: ReadonlySet<number>;
  /** The slots, by register, or address without one, and whether it is for writes. */
  private readonly slots = new Map<string, Slot>();
  private addresses = 0;

  /** `base` is the address of room for SLOTS_SIZE bytes. */
  constructor(
    private readonly views: MemoryViews,
    items: readonly Item[],
    private readonly base: number,
    private readonly watched: WatchedKinds,
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
    for (const { address, empty } of this.slots.values()) Value.i32(address).store(f, Value.i64(empty), 8);
  }

  /** Whether accesses of a kind may be to a page of which the TLB lets only parts be accessed. */
  isWatched(write: boolean): boolean {
    return write ? this.watched.writes : this.watched.reads;
  }
  /** Whether `size` bytes at a linear address meet what is watched, or what is as far into another 4 GiB; undefined when nothing is known of that. */
  meetsWatched(linear: Value, size: number): Value | undefined {
    const meets = this.watched.parts.map(({ first, bytes }) => linear.wrap().sub((first - size + 1) | 0).ltU(bytes + size - 1));
    return meets.length === 0 ? undefined : meets.reduce((all, one) => all.or(one));
  }
  /** Conditions, one of which holds when the bytes that are watched in the page of a TLB entry are none of those that `meetsWatched` asks for. */
  isOther(entry: Value): Value[] {
    const { parts } = this.watched;
    if (parts.length === 1) return differsFrom(entry, parts[0]!);
    return [parts.map((part) => differsFrom(entry, part).reduce((all, one) => all.or(one))).reduce((all, one) => all.and(one), Value.i32(1))];
  }

  /** The slot for accesses of `size` bytes by a register, or at a displacement without one, where it has one; without either it has none. */
  slotOf(by: AddressedBy, displacement: bigint | undefined, size: number, write: boolean): Slot | undefined {
    const key = `${by ?? `${size} at ${displacement}`} ${write}`;
    const known = this.slots.get(key);
    if (known !== undefined) return known;
    if (by === undefined) {
      if (displacement === undefined || (!this.watched.reads && !this.watched.writes) || this.addresses === MOST_ADDRESSES) return undefined;
      this.addresses++;
    } else if (!this.registers.has(by)) return undefined;
    const address = this.base + this.slots.size * SLOT_SIZE;
    const slot = by === undefined ? { address, exact: true, empty: BigInt.asIntN(64, displacement! + NOWHERE) } : { address, exact: false, empty: NO_PAGE };
    this.slots.set(key, slot);
    return slot;
  }
  /** Whether `size` bytes at a linear address are elsewhere than in the slot's page, or not aligned; or not the slot's. */
  isElsewhere({ address, exact }: Slot, linear: Value, size: number): Value {
    return (exact ? linear : linear.and(BigInt(~0xfff | (size - 1)))).ne(Value.i32(address).load('i64', 8));
  }
  /** The host address of a linear one in the slot's page. */
  hostOf({ address }: Slot, linear: Value): Value {
    return linear.wrap().add(Value.i32(address).load('i32', 4, ADDEND));
  }
  keep(f: FunctionBuilder, { address, exact }: Slot, linear: Value, addend: Value): void {
    Value.i32(address).store(f, addend, 4, ADDEND);
    Value.i32(address).store(f, exact ? linear : linear.and(~0xfffn), 8);
  }
}
