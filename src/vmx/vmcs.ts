/**
 * The current VMCS. Its fields live in the processor's state, one 8-byte slot each, where entry, exit and intercepts
 * read them without ceremony; the VMCS region in guest memory holds them while another VMCS is current.
 */
import { type CpuState, Offset } from '../cpu/state';
import type { Processor } from '../cpu/processor';
import type { FieldWriter } from './observe';
import { type Field, FIELDS } from './tables/fields';
import { Private } from './privateState';

/** Slots that the state has room for. */
export const SLOT_CAPACITY = 256;

/**
 * The VMCS region: after revision identifier, abort indicator and launch state, 20 bytes per field: the value (8), and
 * its writer as a clock and a canonical RIP of 48 bits each, packed into three words.
 */
export const Region = { REVISION: 0, ABORT: 4, LAUNCH_STATE: 8, FIELDS: 16, STRIDE: 20 } as const;

const WIDTH_MASK = { 16: 0xffffn, 32: 0xffff_ffffn, 64: 0xffff_ffff_ffff_ffffn, natural: 0xffff_ffff_ffff_ffffn } as const;

/** A value cut to the width of a field. */
export const truncated = (field: Field, value: bigint): bigint => value & WIDTH_MASK[field.width];

/** Of more VMCSs than this it is forgotten who called the writers of their fields. */
const MOST_VMCSS = 64;

export class Vmcs {
  private readonly u32: Uint32Array;
  private readonly u64: BigUint64Array;
  /** Index of slot 0, of its writer's clock, of its writer's RIP and of what was on its stack, in 32-bit words. */
  private readonly words: number;
  private readonly clocks: number;
  private readonly rips: number;
  private readonly returns: number;
  /** What was on the stack when the fields of other VMCSs were written, by address, for which regions have no room. Three words each: the writer's clock, by which it is known again, and both addresses. */
  private readonly callers = new Map<number, Uint32Array>();

  constructor(private readonly state: CpuState) {
    this.u32 = state.views.u32;
    this.u64 = state.views.u64;
    this.words = (state.base + Offset.VMCS) >>> 2;
    this.clocks = (state.base + Offset.VMCS_WRITER_CLOCKS) >>> 2;
    this.rips = (state.base + Offset.VMCS_WRITER_RIPS) >>> 2;
    this.returns = (state.base + Offset.VMCS_WRITER_RETURNS) >>> 2;
  }

  low(slot: number): number {
    return this.u32[this.words + slot * 2]!;
  }
  high(slot: number): number {
    return this.u32[this.words + slot * 2 + 1]!;
  }
  get(slot: number): bigint {
    return this.u64[(this.words >>> 1) + slot]!;
  }
  /** Writes a number of at most 53 bits. */
  setNumber(slot: number, value: number): void {
    this.u32[this.words + slot * 2] = value;
    this.u32[this.words + slot * 2 + 1] = value / 0x1_0000_0000;
  }
  /** Writes 32 bits; the upper half becomes 0. */
  setLow(slot: number, value: number): void {
    this.u32[this.words + slot * 2] = value;
    this.u32[this.words + slot * 2 + 1] = 0;
  }
  set(slot: number, value: bigint): void {
    this.u64[(this.words >>> 1) + slot] = value;
  }
  /** Physical address in a 64-bit field, as a number. */
  address(slot: number): number {
    return this.high(slot) * 0x1_0000_0000 + this.low(slot);
  }
  /** Copies a 64-bit value from the processor's state (an Offset) into a field, or the other way. */
  copyIn(slot: number, offset: number): void {
    const from = (this.state.base + offset) >>> 2;
    this.u32[this.words + slot * 2] = this.u32[from]!;
    this.u32[this.words + slot * 2 + 1] = this.u32[from + 1]!;
  }
  copyOut(slot: number, offset: number): void {
    const to = (this.state.base + offset) >>> 2;
    this.u32[to] = this.u32[this.words + slot * 2]!;
    this.u32[to + 1] = this.u32[this.words + slot * 2 + 1]!;
  }

  /** Stores a value truncated to the field's width. */
  setField(field: Field, value: bigint): void {
    this.set(field.slot, truncated(field, value));
  }

  // Who wrote a field.

  recordWriter(slot: number, clock: number, rip: bigint, stackTop = 0, aboveFrame = 0): void {
    const clocks = this.clocks + slot * 2;
    this.u32[clocks] = clock;
    this.u32[clocks + 1] = clock / 0x1_0000_0000;
    this.u64[(this.rips >>> 1) + slot] = rip;
    this.u32[this.returns + slot * 2] = stackTop;
    this.u32[this.returns + slot * 2 + 1] = aboveFrame;
  }
  /** The value is no VMWRITE's any more: the debugger has set it. */
  forgetWriter(slot: number): void {
    this.recordWriter(slot, 0, 0n);
  }
  /** Clock and RIP of the VMWRITE that last wrote the field, and what may be its return address; undefined when none did. */
  writer(slot: number): FieldWriter | undefined {
    const clocks = this.clocks + slot * 2;
    const icount = this.u32[clocks + 1]! * 0x1_0000_0000 + this.u32[clocks]!;
    const rip = this.u64[(this.rips >>> 1) + slot]!;
    if (icount === 0 && rip === 0n) return undefined;
    // Code is called from within the same 4 GiB.
    const upper = rip & ~0xffff_ffffn;
    const returns = [0, 1].map((i) => this.u32[this.returns + slot * 2 + i]!).filter((low) => low !== 0).map((low) => upper | BigInt(low));
    return { icount, rip, returns };
  }

  private callersOf(address: number): Uint32Array {
    let callers = this.callers.get(address);
    if (callers) return callers;
    if (this.callers.size >= MOST_VMCSS) this.callers.clear();
    this.callers.set(address, (callers = new Uint32Array(FIELDS.length * 3)));
    return callers;
  }

  // The region in memory.

  /** Host-physical address of the current VMCS, or -1. */
  get pointer(): number {
    const high = this.state.high(Offset.CURRENT_VMCS);
    return high === 0xffff_ffff ? -1 : high * 0x1_0000_0000 + this.state.get32(Offset.CURRENT_VMCS);
  }
  set pointer(address: number) {
    this.state.set64(Offset.CURRENT_VMCS, BigInt.asUintN(64, BigInt(address)));
  }

  /** Copies the current VMCS to its region. Nothing happens when none is current or there is no RAM behind it. */
  store(cpu: Processor): void {
    const address = this.pointer;
    if (address < 0) return;
    const page = address / 0x1000;
    const frame = cpu.bus.frameForWrite(page);
    if (frame === 0) return;
    const { u32 } = this;
    u32[(frame + Region.LAUNCH_STATE) >>> 2] = this.state.get32(Private.LAUNCHED);
    const { clocks, rips, returns } = this;
    const callers = this.callersOf(address);
    let to = (frame + Region.FIELDS) >>> 2;
    for (let slot = 0; slot < FIELDS.length; slot++, to += Region.STRIDE >>> 2) {
      u32[to] = this.low(slot);
      u32[to + 1] = this.high(slot);
      u32[to + 2] = u32[clocks + slot * 2]!;
      u32[to + 3] = (u32[clocks + slot * 2 + 1]! & 0xffff) | (u32[rips + slot * 2 + 1]! << 16);
      u32[to + 4] = u32[rips + slot * 2]!;
      callers[slot * 3] = u32[clocks + slot * 2]!;
      callers[slot * 3 + 1] = u32[returns + slot * 2]!;
      callers[slot * 3 + 2] = u32[returns + slot * 2 + 1]!;
    }
    if (cpu.codePages.has(page)) cpu.codePages.written(page, 0, 0x1000);
  }

  /** Makes the region at an address current: the reverse of `store`. Where there is no RAM every field reads as all ones. */
  load(cpu: Processor, address: number): void {
    this.pointer = address;
    const frame = cpu.bus.frameForRead(address / 0x1000);
    const { u32 } = this;
    const read = (offset: number): number => (frame === 0 ? 0xffff_ffff : u32[(frame + offset) >>> 2]!);
    this.state.set32(Private.LAUNCHED, read(Region.LAUNCH_STATE) === 1 ? 1 : 0);
    const { clocks, rips, returns } = this;
    const callers = this.callersOf(address);
    for (let slot = 0, from: number = Region.FIELDS; slot < FIELDS.length; slot++, from += Region.STRIDE) {
      u32[this.words + slot * 2] = read(from);
      u32[this.words + slot * 2 + 1] = read(from + 4);
      const packed = read(from + 12);
      u32[clocks + slot * 2] = read(from + 8);
      u32[clocks + slot * 2 + 1] = packed & 0xffff;
      u32[rips + slot * 2] = read(from + 16);
      u32[rips + slot * 2 + 1] = (packed | 0) >> 16;
      const same = callers[slot * 3] === u32[clocks + slot * 2];
      u32[returns + slot * 2] = same ? callers[slot * 3 + 1]! : 0;
      u32[returns + slot * 2 + 1] = same ? callers[slot * 3 + 2]! : 0;
    }
  }
}
