/** What the generated code of VM entries and VM exits is written with besides cpu/stateCode.ts: fields, control bits, RFLAGS, kept words. */
import { Cr4, Efer } from '../cpu/controlBits';
import { DEFINED_FLAGS } from '../cpu/flags';
import { partsFor, statusImage } from '../cpu/isa/flagsImage';
import { Offset } from '../cpu/state';
import { BASE, keep, long, number, set, word } from '../cpu/stateCode';
import type { FunctionBuilder } from '../wasm/function';
import { f64Constant, operation } from '../wasm/operation';
import { Value } from '../wasm/value';
import { Primary, Secondary } from './tables/controls';
import { Slot } from './tables/fields';

const slotAt = (slot: number): number => Offset.VMCS + slot * 8;
export const field = (slot: number): Value => BASE.load('i64', 8, slotAt(slot));
/** The low 32 bits of a field. */
export const fieldLow = (slot: number): Value => BASE.load('i32', 4, slotAt(slot));
/** Writes a field; an i32 is zero-extended. */
export const setField = (f: FunctionBuilder, slot: number, value: Value): void => BASE.store(f, value.extendU(), 8, slotAt(slot));

/** 1 where any bit of the mask is set, shifted left. */
export const bitIf = (value: Value, mask: number, shift = 0): Value => value.and(mask | 0).eqz().eqz().shl(shift);

/** Secondary controls; 0 while they are not activated. */
export const secondaryControls = (): Value =>
  Value.select(fieldLow(Slot.PRIMARY_PROCESSOR_BASED_CONTROLS).and(Primary.SECONDARY_CONTROLS | 0), fieldLow(Slot.SECONDARY_PROCESSOR_BASED_CONTROLS), Value.i32(0));

/** PAE paging, from the state: the PDPTE registers are in use. */
export const usesPdptes = (): Value => word(Offset.CR0).shrU(31).and(bitIf(word(Offset.CR4), Cr4.PAE)).and(word(Offset.EFER).and(Efer.LMA).eqz());

/** Composes RFLAGS. */
export const composedFlags = (f: FunctionBuilder): Value => word(Offset.FLAGS).or(statusImage(keep(f, word(Offset.AUX)), keep(f, long(Offset.RES))));

/** Replaces RFLAGS. */
export function setFlags(f: FunctionBuilder, value: Value): void {
  const { res, aux, others } = partsFor(keep(f, value.and(DEFINED_FLAGS)));
  set(f, Offset.FLAGS, others);
  set(f, Offset.RES, res);
  set(f, Offset.AUX, aux);
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
