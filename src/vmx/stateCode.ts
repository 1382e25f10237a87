/** What the generated code of VM entries and VM exits is written with: fields, state, control bits, RFLAGS, kept words. */
import { Cr4, Efer } from '../cpu/controlBits';
import { AF, DEFINED_FLAGS, PF, STATUS_FLAGS, ZF } from '../cpu/flags';
import { Offset } from '../cpu/state';
import type { FunctionBuilder } from '../wasm/function';
import { f64Constant, operation } from '../wasm/operation';
import { Value } from '../wasm/value';
import { Primary, Secondary } from './tables/controls';
import { Slot } from './tables/fields';

/** Every function's first parameter: the processor's block. */
export const BASE = Value.local(0, 'i32');

const slotAt = (slot: number): number => Offset.VMCS + slot * 8;
export const field = (slot: number): Value => BASE.load('i64', 8, slotAt(slot));
/** The low 32 bits of a field. */
export const fieldLow = (slot: number): Value => BASE.load('i32', 4, slotAt(slot));
/** Writes a field; an i32 is zero-extended. */
export const setField = (f: FunctionBuilder, slot: number, value: Value): void => BASE.store(f, value.extendU(), 8, slotAt(slot));

export const word = (offset: number): Value => BASE.load('i32', 4, offset);
export const long = (offset: number): Value => BASE.load('i64', 8, offset);
export const number = (offset: number): Value => BASE.load('f64', 8, offset);
/** Writes as many bytes as the value's type has. */
export const set = (f: FunctionBuilder, offset: number, value: Value | number): void => {
  const v = typeof value === 'number' ? Value.i32(value | 0) : value;
  BASE.store(f, v, v.type === 'i32' ? 4 : 8, offset);
};

/** The value in a local: for what is used more than once. */
export function keep(f: FunctionBuilder, value: Value): Value {
  const local = f.local(value.type);
  value.emit(f);
  f.set(local);
  return Value.local(local, value.type);
}

/** Code for where `condition` (i32) is not 0, and for where it is. */
export function when(f: FunctionBuilder, condition: Value, then: () => void, otherwise?: () => void): void {
  condition.emit(f);
  f.if();
  then();
  if (otherwise) {
    f.else();
    otherwise();
  }
  f.end();
}

/** 1 where any bit of the mask is set, shifted left. */
export const bitIf = (value: Value, mask: number, shift = 0): Value => value.and(mask | 0).eqz().eqz().shl(shift);

/** Secondary controls; 0 while they are not activated. */
export const secondaryControls = (): Value =>
  Value.select(fieldLow(Slot.PRIMARY_PROCESSOR_BASED_CONTROLS).and(Primary.SECONDARY_CONTROLS | 0), fieldLow(Slot.SECONDARY_PROCESSOR_BASED_CONTROLS), Value.i32(0));

/** PAE paging, from the state: the PDPTE registers are in use. */
export const usesPdptes = (): Value => word(Offset.CR0).shrU(31).and(bitIf(word(Offset.CR4), Cr4.PAE)).and(word(Offset.EFER).and(Efer.LMA).eqz());

// RFLAGS: what cpu/flags.ts does.

/** Composes RFLAGS. */
export function composedFlags(f: FunctionBuilder): Value {
  const aux = keep(f, word(Offset.AUX));
  const res = keep(f, long(Offset.RES));
  const carry = aux.shrU(31);
  const overflow = aux.xor(aux.shl(1)).shrU(31);
  const sign = res.shrU(63).wrap().xor(aux).and(1);
  const parity = res.wrap().xor(aux.shrU(8)).and(0xff).popcnt().and(1).eqz();
  return word(Offset.FLAGS).or(2).or(carry).or(parity.shl(2)).or(aux.and(8).shl(1)).or(res.eqz().shl(6)).or(sign.shl(7)).or(overflow.shl(11));
}

/** Replaces RFLAGS. */
export function setFlags(f: FunctionBuilder, value: Value): void {
  const flags = keep(f, value);
  const carry = flags.and(1);
  const overflow = flags.shrU(11).and(1);
  set(f, Offset.FLAGS, flags.and(DEFINED_FLAGS & ~STATUS_FLAGS).or(2));
  set(f, Offset.RES, Value.select(flags.and(ZF), Value.i64(0), Value.i64(0x100)));
  set(f, Offset.AUX, carry.shl(31).or(carry.xor(overflow).shl(30)).or(flags.and(PF).eqz().shl(8)).or(flags.and(AF).shrU(1)).or(flags.shrU(7).and(1)));
}

// What translations depend on: translations.ts.

const HOST_WORDS: readonly (() => Value)[] = [() => word(Offset.CR3), () => word(Offset.CR3 + 4), () => word(Offset.CR0), () => word(Offset.CR4), () => word(Offset.EFER)];
const GUEST_WORDS: readonly (() => Value)[] = [
  ...HOST_WORDS,
  secondaryControls,
  () => fieldLow(Slot.VPID),
  ...[Slot.EPT_POINTER, Slot.APIC_ACCESS_ADDRESS].flatMap((slot) => [() => field(slot).wrap(), () => field(slot).shrU(32).wrap()]),
];

/** Keeps what the translations of an operation depend on, at `at` in the processor's block. */
export function keepWords(f: FunctionBuilder, guest: boolean, at: number): void {
  (guest ? GUEST_WORDS : HOST_WORDS).forEach((value, i) => set(f, at + i * 4, value()));
}

/** Bits of what an entered operation may keep of its translations. */
export const Kept = {
  /** What they depend on is as it was. */
  SAME: 0x100,
  /** There is a VPID. */
  TAGGED: 0x200,
} as const;

/** A Kept by what was kept at `at`. With PAE paging and no VPID nothing is the same, as the PDPTE registers are not compared. */
export function keptOf(guest: boolean, at: number): Value {
  const differs = (guest ? GUEST_WORDS : HOST_WORDS).map((value, i) => value().xor(word(at + i * 4))).reduce((a, b) => a.or(b));
  const tagged = bitIf(secondaryControls(), Secondary.VPID);
  return differs.eqz().and(tagged.or(usesPdptes().eqz())).shl(8).or(tagged.shl(9));
}

/** Adds 1 to a number of the state. */
export const plusOne = (f: FunctionBuilder, offset: number): void => set(f, offset, operation('f64.add', number(offset), f64Constant(1)));
