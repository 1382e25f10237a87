/** Generated code that loads the host state at VM exit (SDM volume 3, "Loading Host State"). */
import { Cr4, Efer } from '../cpu/controlBits';
import { ACCESS_UNUSABLE, Gpr, Offset, Seg, Segment } from '../cpu/state';
import { BASE, keep, set, when, word } from '../cpu/stateCode';
import { FunctionBuilder } from '../wasm/function';
import { f64Constant } from '../wasm/operation';
import { Value } from '../wasm/value';
import { CR0_KEPT, Rest, segment } from './guestCode';
import { Held } from './held';
import { Private, VmxMode } from './privateState';
import { bitIf, field, fieldLow, keptOf, setFlags, usesPdptes } from './stateCode';
import { Exit, Pin } from './tables/controls';
import { type FieldName, Slot } from './tables/fields';

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

/** What a VM exit gives segments ("Loading Host Segment and Descriptor-Table Registers"): accessed readable code with L or D, accessed writable data, busy TSS. */
const CODE_64 = 0xa09b;
const CODE_32 = 0xc09b;
const DATA = 0xc093;
const BUSY_TSS = 0x8b;
const TSS_LIMIT = 0x67;
const FLAT_LIMIT = 0xffff_ffff;
const TABLE_LIMIT = 0xffff;

const RFLAGS_CLEAR = 2;
const DR7_CLEAR = 0x400;
const BLOCKING_NMI = 8;

/** `loadHost(base, nmi)`: everything but the PDPTEs of a VMM with PAE paging and the MSR list; `nmi`: an NMI caused the exit, so that NMIs are blocked after it. Yields a Rest and a Kept. */
export function loadHost(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32'], ['i32']);
  const nmi = Value.local(1, 'i32');
  set(f, Private.DELIVERING, 0);
  set(f, Private.TRAP_PENDING, 0);
  set(f, Offset.APIC_ACCESS_PAGE, 0);
  set(f, Private.TIMER_DEADLINE, f64Constant(Infinity));
  // Blocking by STI and MOV SS ends; blocking by NMI is about real NMIs again.
  const blocked = Value.select(fieldLow(Slot.PIN_BASED_CONTROLS).and(Pin.VIRTUAL_NMIS), word(Private.PHYSICAL_NMI_BLOCKED), word(Offset.INTERRUPTIBILITY).and(BLOCKING_NMI));
  set(f, Offset.INTERRUPTIBILITY, Value.select(nmi, Value.i32(BLOCKING_NMI), blocked));

  const controls = keep(f, fieldLow(Slot.VM_EXIT_CONTROLS));
  const long = keep(f, bitIf(controls, Exit.HOST_ADDRESS_SPACE_SIZE));
  loadTables(f, long);
  set(f, Offset.CR0, fieldLow(Slot.HOST_CR0).and(~CR0_KEPT).or(word(Offset.CR0).and(CR0_KEPT)));
  set(f, Offset.CR4, Value.select(long, fieldLow(Slot.HOST_CR4).or(Cr4.PAE), fieldLow(Slot.HOST_CR4).and(~Cr4.PCIDE)));
  set(f, Offset.DR7, DR7_CLEAR);
  set(f, Offset.DEBUGCTL, Value.i64(0));
  when(f, controls.and(Exit.LOAD_PAT), () => set(f, Offset.PAT, field(Slot.HOST_IA32_PAT)));
  const mode = Efer.LMA | Efer.LME;
  const kept = word(Offset.EFER).and(~mode).or(Value.select(long, Value.i32(mode), Value.i32(0)));
  set(f, Offset.EFER, Value.select(controls.and(Exit.LOAD_EFER), fieldLow(Slot.HOST_IA32_EFER), kept));
  setFlags(f, Value.i32(RFLAGS_CLEAR));
  set(f, Offset.VMX_MODE, VmxMode.ROOT);
  usesPdptes().or(Value.select(fieldLow(Slot.VM_EXIT_MSR_LOAD_COUNT), Value.i32(Rest.MSRS), Value.i32(0))).or(keptOf(false, Held.HOST)).emit(f);
  return f;
}

/** `hostKept(base)`: the Kept of VMX root operation, anew. */
export function hostKept(): FunctionBuilder {
  const f = new FunctionBuilder(['i32'], ['i32']);
  keptOf(false, Held.HOST).emit(f);
  return f;
}

/** Segments, descriptor tables and what the fields give as it is. */
function loadTables(f: FunctionBuilder, long: Value): void {
  for (const [name, offset] of HOST) set(f, offset, field(Slot[name]));
  for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) {
    const to = segment(seg);
    const selector = field(Slot.HOST_ES_SELECTOR + seg).wrap();
    BASE.store(f, selector, 2, to + Segment.SELECTOR);
    set(f, to + Segment.LIMIT, FLAT_LIMIT);
    set(f, to + Segment.ACCESS, seg === Seg.CS ? Value.select(long, Value.i32(CODE_64), Value.i32(CODE_32)) : Value.select(selector, Value.i32(DATA), Value.i32(DATA | ACCESS_UNUSABLE)));
    set(f, to + Segment.BASE, seg === Seg.FS ? field(Slot.HOST_FS_BASE) : seg === Seg.GS ? field(Slot.HOST_GS_BASE) : Value.i64(0));
  }
  const tr = segment(Seg.TR);
  BASE.store(f, field(Slot.HOST_TR_SELECTOR), 2, tr + Segment.SELECTOR);
  set(f, tr + Segment.BASE, field(Slot.HOST_TR_BASE));
  set(f, tr + Segment.LIMIT, TSS_LIMIT);
  set(f, tr + Segment.ACCESS, BUSY_TSS);
  BASE.store(f, Value.i32(0), 2, segment(Seg.LDTR) + Segment.SELECTOR);
  set(f, segment(Seg.LDTR) + Segment.ACCESS, ACCESS_UNUSABLE);
  set(f, Offset.GDTR_LIMIT, TABLE_LIMIT);
  set(f, Offset.IDTR_LIMIT, TABLE_LIMIT);
  set(f, Offset.CPL, 0);
  set(f, Offset.ACTIVITY, 0);
  set(f, Offset.PENDING_DEBUG, Value.i64(0));
}
