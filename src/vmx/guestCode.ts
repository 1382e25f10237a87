/**
 * Generated code that loads the guest state at VM entry and saves it, with the exit information, at VM exit (SDM volume 3,
 * "Loading Guest State", "Recording VM-Exit Information and Updating VM-entry Control Fields", "Saving Guest State").
 * What is rare is left to TypeScript: the functions yield bits of `Rest`.
 */
import { Cr0, Efer } from '../cpu/controlBits';
import { ACCESS_UNUSABLE, Gpr, Offset, Seg, Segment, SEGMENT_STRIDE } from '../cpu/state';
import { BASE, keep, long, number, set, when, word } from '../cpu/stateCode';
import { FunctionBuilder } from '../wasm/function';
import { f64Constant, operation } from '../wasm/operation';
import { Value } from '../wasm/value';
import { Held, PAIR } from './held';
import { Private, VmxMode } from './privateState';
import { bitIf, composedFlags, field, fieldLow, keepWords, keptOf, plusOne, secondaryControls, setField, setFlags, usesPdptes } from './stateCode';
import { Entry, Exit, Pin, Primary, Secondary } from './tables/controls';
import { type FieldName, Slot } from './tables/fields';

/** What is left to be done. */
export const Rest = {
  /** PAE paging: the PDPTEs. */
  PDPTES: 1,
  /** The preemption timer is active, or its value is to be saved. */
  TIMER: 2,
  /** An MSR area has entries. */
  MSRS: 4,
  /** The APIC is virtualized. */
  APIC: 8,
  /** An event is to be injected. */
  EVENT: 16,
} as const;
/** Flags of `beginExit`. */
export const ExitFlag = {
  /** No event was being delivered, whatever is noted. */
  NO_VECTORING: 1,
  /** The IA-32e mode guest control follows EFER.LMA: processors with unrestricted guest. */
  STORES_LMA: 2,
} as const;

/** CR0 bits that neither VM entry nor VM exit changes. */
export const CR0_KEPT = (Cr0.ET | Cr0.NW | Cr0.CD) | 0;
/** DR7 bits that always read as 0 (12, 14, 15), and the one that reads as 1. */
const DR7_ZERO = 0xd000;
const DR7_ONE = 0x400;
/** Bit 31 of interruption information. */
const VALID = 0x8000_0000;

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

const SEGMENTS = 8;
export const segment = (seg: number): number => Offset.SEGMENTS + seg * SEGMENT_STRIDE;
/** Bits of access rights that exist. */
const RIGHTS_DEFINED = 0x1_f0ff;
const GPR_BYTES = 16 * 8;

/** `loadGuest(base)`: everything but MSR lists and events. The checks have passed. */
export function loadGuest(): FunctionBuilder {
  const f = new FunctionBuilder(['i32'], ['i32']);
  keepWords(f, false, Held.HOST);
  const cr0 = keep(f, fieldLow(Slot.GUEST_CR0).and(~CR0_KEPT).or(word(Offset.CR0).and(CR0_KEPT)));
  for (const [name, offset, size] of GUEST) BASE.store(f, field(Slot[name]), size, offset);
  for (let seg = 0; seg < SEGMENTS; seg++) {
    const to = segment(seg);
    BASE.store(f, field(Slot.GUEST_ES_SELECTOR + seg), 2, to + Segment.SELECTOR);
    BASE.store(f, field(Slot.GUEST_ES_LIMIT + seg), 4, to + Segment.LIMIT);
    BASE.store(f, field(Slot.GUEST_ES_ACCESS_RIGHTS + seg), 4, to + Segment.ACCESS);
    BASE.store(f, field(Slot.GUEST_ES_BASE + seg), 8, to + Segment.BASE);
  }
  set(f, Offset.CR0, cr0);
  const controls = keep(f, fieldLow(Slot.VM_ENTRY_CONTROLS));
  when(f, controls.and(Entry.LOAD_DEBUG_CONTROLS), () => {
    set(f, Offset.DR7, fieldLow(Slot.GUEST_DR7).and(~DR7_ZERO).or(DR7_ONE));
    set(f, Offset.DEBUGCTL, field(Slot.GUEST_IA32_DEBUGCTL));
  });
  when(f, controls.and(Entry.LOAD_PAT), () => set(f, Offset.PAT, field(Slot.GUEST_IA32_PAT)));
  when(
    f,
    controls.and(Entry.LOAD_EFER),
    () => set(f, Offset.EFER, fieldLow(Slot.GUEST_IA32_EFER)),
    () => {
      // Without paging LME is the guest's own business and stays as the VMM had it; with paging it equals LMA.
      const lma = bitIf(controls, Entry.IA32E_MODE_GUEST);
      const paged = Value.select(lma, Value.i32(Efer.LMA | Efer.LME), Value.i32(0));
      const flat = Value.select(lma, Value.i32(Efer.LMA), Value.i32(0)).or(word(Offset.EFER).and(Efer.LME));
      set(f, Offset.EFER, word(Offset.EFER).and(~(Efer.LMA | Efer.LME)).or(Value.select(cr0.shrU(31), paged, flat)));
    },
  );
  set(f, Offset.CPL, fieldLow(Slot.GUEST_SS_ACCESS_RIGHTS).shrU(5).and(3));
  setFlags(f, fieldLow(Slot.GUEST_RFLAGS));
  usesPdptes().or(bitIf(fieldLow(Slot.VM_ENTRY_MSR_LOAD_COUNT), -1, 2)).emit(f);
  return f;
}

/** `finishEntry(base)`: VMX non-root operation begins, as far as it is no event's. Yields a Rest and a Kept. */
export function finishEntry(): FunctionBuilder {
  const f = new FunctionBuilder(['i32'], ['i32']);
  set(f, Private.LAUNCHED, 1);
  set(f, Offset.VMX_MODE, VmxMode.NON_ROOT);
  keepEntryRegisters(f);
  set(f, Private.TRAP_PENDING, 0);
  set(f, Private.DELIVERING, 0);
  // The clock still stands before the VM-entry instruction, which retires with this entry.
  const clock = keep(f, operation('f64.add', number(Offset.ICOUNT), f64Constant(1)));
  // A guest that waits executes nothing: the monitor trap follows the event that wakes it.
  set(f, Private.ENTRY_CLOCK, Value.select(word(Offset.ACTIVITY), f64Constant(Infinity), clock));
  set(f, Private.PAUSE_FIRST, clock);
  set(f, Private.PAUSE_LAST, f64Constant(-Infinity));
  plusOne(f, Private.ENTRIES);
  set(f, Private.TIMER_DEADLINE, f64Constant(Infinity));
  const timer = bitIf(fieldLow(Slot.PIN_BASED_CONTROLS), Pin.PREEMPTION_TIMER, 1);
  const apic = bitIf(fieldLow(Slot.PRIMARY_PROCESSOR_BASED_CONTROLS), Primary.TPR_SHADOW).or(bitIf(secondaryControls(), Secondary.VIRTUALIZE_APIC_ACCESSES));
  const event = bitIf(fieldLow(Slot.VM_ENTRY_INTERRUPTION_INFO), VALID, 4);
  timer.or(apic.shl(3)).or(event).or(keptOf(true, Held.GUEST)).emit(f);
  return f;
}

/**
 * `beginExit(base, reason, length, instructionInfo, interruption, errorCode, flags)`: exit information and guest state.
 * Qualification and addresses are at their places in Private; RIP and RFLAGS in the state are those to be saved. A length of
 * -1 stands for that of the event which is being delivered.
 */
export function beginExit(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], ['i32']);
  const [reason, given, info, interruption, errorCode, flags] = [1, 2, 3, 4, 5, 6].map((n) => Value.local(n, 'i32')) as [Value, Value, Value, Value, Value, Value];
  note(f);

  const delivering = keep(f, Value.select(flags.and(ExitFlag.NO_VECTORING), Value.i32(0), word(Private.DELIVERING)));
  // Bit 31 says whether the rest is valid.
  const vectoring = keep(f, delivering.and(delivering.shrS(31)));
  // Software events that were being delivered give their instruction's length to the exit.
  const length = keep(f, Value.select(given.ltS(0), Value.select(vectoring, word(Private.DELIVERING_LENGTH), Value.i32(0)), given));
  setField(f, Slot.VM_EXIT_REASON, reason);
  setField(f, Slot.EXIT_QUALIFICATION, long(Private.EXIT_QUALIFICATION));
  setField(f, Slot.VM_EXIT_INTERRUPTION_INFO, interruption);
  setField(f, Slot.VM_EXIT_INTERRUPTION_ERROR_CODE, errorCode);
  setField(f, Slot.IDT_VECTORING_INFO, vectoring);
  setField(f, Slot.IDT_VECTORING_ERROR_CODE, Value.select(vectoring, word(Private.DELIVERING_ERROR), Value.i32(0)));
  setField(f, Slot.VM_EXIT_INSTRUCTION_LENGTH, length);
  setField(f, Slot.VM_EXIT_INSTRUCTION_INFO, info);
  setField(f, Slot.GUEST_LINEAR_ADDRESS, long(Private.EXIT_LINEAR));
  setField(f, Slot.GUEST_PHYSICAL_ADDRESS, long(Private.EXIT_GPA));
  set(f, Private.EXIT_REASON, reason);
  set(f, Private.EXIT_LENGTH, length);
  set(f, Private.EXIT_INTERRUPTION, interruption);
  set(f, Private.EXIT_ERROR_CODE, errorCode);
  set(f, Private.EXIT_VECTORING, vectoring);
  set(f, Private.EXIT_INSTRUCTION_INFO, info);
  setField(f, Slot.VM_ENTRY_INTERRUPTION_INFO, fieldLow(Slot.VM_ENTRY_INTERRUPTION_INFO).and(~VALID));

  saveGuest(f);
  const controls = keep(f, fieldLow(Slot.VM_EXIT_CONTROLS));
  when(f, controls.and(Exit.SAVE_DEBUG_CONTROLS), () => {
    setField(f, Slot.GUEST_DR7, long(Offset.DR7));
    setField(f, Slot.GUEST_IA32_DEBUGCTL, long(Offset.DEBUGCTL));
  });
  when(f, controls.and(Exit.SAVE_PAT), () => setField(f, Slot.GUEST_IA32_PAT, long(Offset.PAT)));
  when(f, controls.and(Exit.SAVE_EFER), () => setField(f, Slot.GUEST_IA32_EFER, long(Offset.EFER)));
  // A guest may have entered or left IA-32e mode by itself: the entry control follows, so that the next entry is right.
  when(f, flags.and(ExitFlag.STORES_LMA), () => {
    const lma = Value.select(word(Offset.EFER).and(Efer.LMA), Value.i32(Entry.IA32E_MODE_GUEST), Value.i32(0));
    setField(f, Slot.VM_ENTRY_CONTROLS, fieldLow(Slot.VM_ENTRY_CONTROLS).and(~Entry.IA32E_MODE_GUEST).or(lma));
  });
  setField(f, Slot.GUEST_RFLAGS, composedFlags(f));
  set(f, Private.EXIT_RIP, long(Offset.RIP));
  keepWords(f, true, Held.GUEST);
  usesPdptes()
    .and(bitIf(secondaryControls(), Secondary.EPT))
    .or(bitIf(controls, Exit.SAVE_PREEMPTION_TIMER, 1))
    .or(bitIf(fieldLow(Slot.VM_EXIT_MSR_STORE_COUNT), -1, 2))
    .emit(f);
  return f;
}

/** The exit, its clock and the guest's registers, and which of them are not as they were at the exit before. */
function note(f: FunctionBuilder): void {
  set(f, Private.EXIT_CHANGES, changedRegisters());
  copyRegisters(f, Offset.GPR, Private.EXIT_GPR);
  set(f, Private.EXIT_CLOCK, number(Offset.ICOUNT));
  plusOne(f, Private.EXITS);
}

/** `noteExit(base)`: what is noted of every exit, for one that saves no guest state. `beginExit` notes by itself. */
export function noteExit(): FunctionBuilder {
  const f = new FunctionBuilder(['i32'], []);
  note(f);
  return f;
}

/** The guest's registers at this entry and at the one before, and which of them are not as they were at the exit between. */
function keepEntryRegisters(f: FunctionBuilder): void {
  set(f, Private.ENTRY_CHANGES, changedRegisters());
  copyRegisters(f, Held.ENTRY_GPR, Held.BEFORE_GPR);
  copyRegisters(f, Offset.GPR, Held.ENTRY_GPR);
}

/** The general-purpose registers that are not as at the last exit, one bit each by number. */
function changedRegisters(): Value {
  const pairs = Array.from({ length: GPR_BYTES / PAIR }, (_, n) => {
    const [now, before] = [Offset.GPR + n * PAIR, Private.EXIT_GPR + n * PAIR];
    return operation('i64x2.bitmask', operation('i64x2.ne', BASE.load('v128', PAIR, now), BASE.load('v128', PAIR, before))).shl(n * 2);
  });
  return pairs.reduce((a, b) => a.or(b));
}

function copyRegisters(f: FunctionBuilder, from: number, to: number): void {
  for (let at = 0; at < GPR_BYTES; at += PAIR) BASE.store(f, BASE.load('v128', PAIR, from + at), PAIR, to + at);
}

/** The guest state that no control says whether to save, but RFLAGS. */
function saveGuest(f: FunctionBuilder): void {
  setField(f, Slot.GUEST_CR0, long(Offset.CR0));
  for (const [name, offset, size] of GUEST) {
    const mask = SAVED[name];
    const value = BASE.load('i64', size, offset);
    setField(f, Slot[name], mask === undefined ? value : value.and(mask));
  }
  for (let seg = 0; seg < SEGMENTS; seg++) {
    const from = segment(seg);
    setField(f, Slot.GUEST_ES_SELECTOR + seg, BASE.load('i64', 2, from + Segment.SELECTOR));
    setField(f, Slot.GUEST_ES_LIMIT + seg, BASE.load('i64', 4, from + Segment.LIMIT));
    const access = BASE.load('i64', 4, from + Segment.ACCESS);
    const defined = access.and(RIGHTS_DEFINED);
    const always = seg === Seg.CS || seg === Seg.SS;
    setField(f, Slot.GUEST_ES_ACCESS_RIGHTS + seg, always ? defined : Value.select(access.and(ACCESS_UNUSABLE).eqz(), defined, Value.i64(ACCESS_UNUSABLE)));
    setField(f, Slot.GUEST_ES_BASE + seg, BASE.load('i64', 8, from + Segment.BASE));
  }
}
