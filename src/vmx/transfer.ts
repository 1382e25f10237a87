/**
 * What moves between the VMCS and the processor's state at every VM entry and VM exit, as generated code: the tables say
 * which field goes where, and one function for each direction does it without a branch. What depends on controls stays with
 * guestState.ts and hostState.ts. A comparison of the VMCS with what it held before stands here too.
 */
import { FunctionBuilder } from '../wasm/function';
import { ModuleBuilder } from '../wasm/module';
import { operation } from '../wasm/operation';
import { Value } from '../wasm/value';
import { ACCESS_UNUSABLE, Gpr, Offset, Seg, Segment, SEGMENT_STRIDE } from '../cpu/state';
import { FIELDS, type FieldName, Slot } from './tables/fields';

/** By the base of the processor's block in the memory that the functions were made for. */
export interface Transfer {
  /** Guest-state fields into the processor's state, but control registers, debug controls, RFLAGS and MSRs with a control. */
  loadGuest(base: number): void;
  /** The other way; RFLAGS and what has a control are left out. */
  saveGuest(base: number): void;
  /** Host-state fields and the fixed values of a VM exit; `long` for a VMM in 64-bit mode. The same are left out. */
  loadHost(base: number, long: number): void;
  /**
   * Compares the VMCS with its copy at Held.FIELDS. Returns how many pairs of slots differ; their numbers (slot / 2) are at
   * Held.CHANGED, one byte each.
   */
  compare(base: number): number;
}

/** In the processor's state: a copy of the fields, and what `compare` finds. */
export const Held = { FIELDS: 0x2800, CHANGED: 0x2f00 } as const;

const PAIR = 16;
const PAIRS = (FIELDS.length + 1) >> 1;
if (Held.FIELDS + PAIRS * PAIR > Held.CHANGED) throw new Error('The VMCS has more fields than the processor state has room for.');

/** Fields and the state they are in, with how many bytes the state has. */
const GUEST: readonly (readonly [FieldName, number, number])[] = [
  ['GUEST_CR3', Offset.CR3, 8],
  ['GUEST_CR4', Offset.CR4, 8],
  ['GUEST_IA32_SYSENTER_CS', Offset.SYSENTER_CS, 8],
  ['GUEST_IA32_SYSENTER_ESP', Offset.SYSENTER_ESP, 8],
  ['GUEST_IA32_SYSENTER_EIP', Offset.SYSENTER_EIP, 8],
  ['GUEST_GDTR_BASE', Offset.GDTR_BASE, 8],
  ['GUEST_GDTR_LIMIT', Offset.GDTR_LIMIT, 4],
  ['GUEST_IDTR_BASE', Offset.IDTR_BASE, 8],
  ['GUEST_IDTR_LIMIT', Offset.IDTR_LIMIT, 4],
  ['GUEST_RIP', Offset.RIP, 8],
  ['GUEST_RSP', Offset.GPR + Gpr.RSP * 8, 8],
  ['GUEST_INTERRUPTIBILITY_STATE', Offset.INTERRUPTIBILITY, 4],
  ['GUEST_ACTIVITY_STATE', Offset.ACTIVITY, 4],
  ['GUEST_PENDING_DEBUG_EXCEPTIONS', Offset.PENDING_DEBUG, 8],
];
/** What a VM exit saves of a field, where that is less than the state has. */
const SAVED: Partial<Record<FieldName, bigint>> = {
  GUEST_IA32_SYSENTER_CS: 0xffff_ffffn,
  GUEST_GDTR_LIMIT: 0xffffn,
  GUEST_IDTR_LIMIT: 0xffffn,
  GUEST_INTERRUPTIBILITY_STATE: 0xfn,
};
const HOST: readonly (readonly [FieldName, number])[] = [
  ['HOST_CR3', Offset.CR3],
  ['HOST_IA32_SYSENTER_CS', Offset.SYSENTER_CS],
  ['HOST_IA32_SYSENTER_ESP', Offset.SYSENTER_ESP],
  ['HOST_IA32_SYSENTER_EIP', Offset.SYSENTER_EIP],
  ['HOST_GDTR_BASE', Offset.GDTR_BASE],
  ['HOST_IDTR_BASE', Offset.IDTR_BASE],
  ['HOST_RIP', Offset.RIP],
  ['HOST_RSP', Offset.GPR + Gpr.RSP * 8],
];

const SEGMENTS = 8;
const segment = (seg: number): number => Offset.SEGMENTS + seg * SEGMENT_STRIDE;
const slotAt = (slot: number): number => Offset.VMCS + slot * 8;
/** Bits of access rights that exist. */
const RIGHTS_DEFINED = 0x1_f0ff;

/** What a VM exit gives segments (SDM volume 3, "Loading Host Segment and Descriptor-Table Registers"): accessed readable code with L or D, accessed writable data, busy TSS. */
const CODE_64 = 0xa09b;
const CODE_32 = 0xc09b;
const DATA = 0xc093;
const BUSY_TSS = 0x8b;
const TSS_LIMIT = 0x67;
const FLAT_LIMIT = 0xffff_ffff;
const TABLE_LIMIT = 0xffff;

const BASE = Value.local(0, 'i32');
const field = (slot: number): Value => BASE.load('i64', 8, slotAt(slot));

function loadGuest(): FunctionBuilder {
  const f = new FunctionBuilder(['i32'], []);
  for (const [name, offset, size] of GUEST) BASE.store(f, field(Slot[name]), size, offset);
  for (let seg = 0; seg < SEGMENTS; seg++) {
    const to = segment(seg);
    BASE.store(f, field(Slot.GUEST_ES_SELECTOR + seg), 2, to + Segment.SELECTOR);
    BASE.store(f, field(Slot.GUEST_ES_LIMIT + seg), 4, to + Segment.LIMIT);
    BASE.store(f, field(Slot.GUEST_ES_ACCESS_RIGHTS + seg), 4, to + Segment.ACCESS);
    BASE.store(f, field(Slot.GUEST_ES_BASE + seg), 8, to + Segment.BASE);
  }
  return f;
}

function saveGuest(): FunctionBuilder {
  const f = new FunctionBuilder(['i32'], []);
  const save = (slot: number, value: Value): void => BASE.store(f, value, 8, slotAt(slot));
  save(Slot.GUEST_CR0, BASE.load('i64', 8, Offset.CR0));
  for (const [name, offset, size] of GUEST) {
    const mask = SAVED[name];
    const value = BASE.load('i64', size, offset);
    save(Slot[name], mask === undefined ? value : value.and(mask));
  }
  for (let seg = 0; seg < SEGMENTS; seg++) {
    const from = segment(seg);
    save(Slot.GUEST_ES_SELECTOR + seg, BASE.load('i64', 2, from + Segment.SELECTOR));
    save(Slot.GUEST_ES_LIMIT + seg, BASE.load('i64', 4, from + Segment.LIMIT));
    const access = BASE.load('i64', 4, from + Segment.ACCESS);
    const defined = access.and(RIGHTS_DEFINED);
    const always = seg === Seg.CS || seg === Seg.SS;
    save(Slot.GUEST_ES_ACCESS_RIGHTS + seg, always ? defined : Value.select(access.and(ACCESS_UNUSABLE).eqz(), defined, Value.i64(ACCESS_UNUSABLE)));
    save(Slot.GUEST_ES_BASE + seg, BASE.load('i64', 8, from + Segment.BASE));
  }
  return f;
}

function loadHost(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32'], []);
  const long = Value.local(1, 'i32');
  const set = (offset: number, value: number): void => BASE.store(f, Value.i32(value), 4, offset);
  for (const [name, offset] of HOST) BASE.store(f, field(Slot[name]), 8, offset);
  for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) {
    const to = segment(seg);
    const selector = field(Slot.HOST_ES_SELECTOR + seg).wrap();
    BASE.store(f, selector, 2, to + Segment.SELECTOR);
    set(to + Segment.LIMIT, FLAT_LIMIT | 0);
    const access = seg === Seg.CS ? Value.select(long, Value.i32(CODE_64), Value.i32(CODE_32)) : Value.select(selector, Value.i32(DATA), Value.i32(DATA | ACCESS_UNUSABLE));
    BASE.store(f, access, 4, to + Segment.ACCESS);
    const base = seg === Seg.FS ? field(Slot.HOST_FS_BASE) : seg === Seg.GS ? field(Slot.HOST_GS_BASE) : Value.i64(0);
    BASE.store(f, base, 8, to + Segment.BASE);
  }
  const tr = segment(Seg.TR);
  BASE.store(f, field(Slot.HOST_TR_SELECTOR), 2, tr + Segment.SELECTOR);
  BASE.store(f, field(Slot.HOST_TR_BASE), 8, tr + Segment.BASE);
  set(tr + Segment.LIMIT, TSS_LIMIT);
  set(tr + Segment.ACCESS, BUSY_TSS);
  BASE.store(f, Value.i32(0), 2, segment(Seg.LDTR) + Segment.SELECTOR);
  set(segment(Seg.LDTR) + Segment.ACCESS, ACCESS_UNUSABLE);
  set(Offset.GDTR_LIMIT, TABLE_LIMIT);
  set(Offset.IDTR_LIMIT, TABLE_LIMIT);
  set(Offset.CPL, 0);
  set(Offset.ACTIVITY, 0);
  BASE.store(f, Value.i64(0), 8, Offset.PENDING_DEBUG);
  return f;
}

function compare(): FunctionBuilder {
  const f = new FunctionBuilder(['i32'], ['i32']);
  const [pair, count] = [f.local('i32'), f.local('i32')];
  const at = BASE.add(Value.local(pair, 'i32').shl(4));
  const loop = f.loop();
  operation('v128.any_true', operation('v128.xor', at.load('v128', 16, Offset.VMCS), at.load('v128', 16, Held.FIELDS))).emit(f);
  f.if();
  BASE.add(Value.local(count, 'i32')).store(f, Value.local(pair, 'i32'), 1, Held.CHANGED);
  Value.local(count, 'i32').add(1).emit(f);
  f.set(count);
  f.end();
  Value.local(pair, 'i32').add(1).emit(f);
  f.tee(pair);
  f.i32(PAIRS);
  f.op(0x49); // i32.lt_u
  f.branchIf(loop);
  f.end();
  f.get(count);
  return f;
}

const MAXIMUM_PAGES = 0x1_0000;
let compiled: WebAssembly.Module | undefined;
const made = new WeakMap<WebAssembly.Memory, Transfer>();

/** The functions for a memory. */
export function transferFor(memory: WebAssembly.Memory): Transfer {
  let transfer = made.get(memory);
  if (!transfer) {
    if (!compiled) {
      const module = new ModuleBuilder();
      module.importMemory(1, MAXIMUM_PAGES);
      module.add(loadGuest(), 'loadGuest');
      module.add(saveGuest(), 'saveGuest');
      module.add(loadHost(), 'loadHost');
      module.add(compare(), 'compare');
      compiled = new WebAssembly.Module(module.encode());
    }
    transfer = new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Transfer;
    made.set(memory, transfer);
  }
  return transfer;
}
