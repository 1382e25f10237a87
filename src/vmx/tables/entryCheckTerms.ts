/** The terms that VM-entry checks are written in: controls as predicates, addresses, registers' reserved bits. */
import { CONTROL_FIELDS, controlField, type ControlKind, Entry, Primary, Secondary } from './controls';
import type { EntryContext } from './entryCheck';
import { type FieldName, FIELDS, Slot } from './fields';

const { PIN_BASED_CONTROLS, PRIMARY_PROCESSOR_BASED_CONTROLS, SECONDARY_PROCESSOR_BASED_CONTROLS, TERTIARY_PROCESSOR_BASED_CONTROLS, VM_EXIT_CONTROLS, VM_ENTRY_CONTROLS, GUEST_RFLAGS, VM_ENTRY_INTERRUPTION_INFO } = Slot;

/** CR0. */
export const PE = 1;
export const WP = 1 << 16;
export const PG = 0x8000_0000;
/** CR4. */
export const PAE = 1 << 5;
export const PCIDE = 1 << 17;
export const CET = 1 << 23;
/** EFER. */
export const LME = 1 << 8;
export const LMA = 1 << 10;
/** RFLAGS. */
export const TF = 1 << 8;
export const IF = 1 << 9;
const VM86 = 1 << 17;

// Controls.

export const pin = (c: EntryContext, mask: number): boolean => (c.low(PIN_BASED_CONTROLS) & mask) !== 0;
export const primary = (c: EntryContext, mask: number): boolean => (c.low(PRIMARY_PROCESSOR_BASED_CONTROLS) & mask) !== 0;
export const secondary = (c: EntryContext, mask: number): boolean => primary(c, Primary.SECONDARY_CONTROLS) && (c.low(SECONDARY_PROCESSOR_BASED_CONTROLS) & mask) !== 0;
export const tertiary = (c: EntryContext, mask: number): boolean => primary(c, Primary.TERTIARY_CONTROLS) && (c.low(TERTIARY_PROCESSOR_BASED_CONTROLS) & mask) !== 0;
export const exit = (c: EntryContext, mask: number): boolean => (c.low(VM_EXIT_CONTROLS) & mask) !== 0;
export const entry = (c: EntryContext, mask: number): boolean => (c.low(VM_ENTRY_CONTROLS) & mask) !== 0;
export const ia32e = (c: EntryContext): boolean => entry(c, Entry.IA32E_MODE_GUEST);
export const unrestricted = (c: EntryContext): boolean => secondary(c, Secondary.UNRESTRICTED_GUEST);
export const vm86 = (c: EntryContext): boolean => (c.low(GUEST_RFLAGS) & VM86) !== 0;

const CONTROL_SLOTS = Object.fromEntries(CONTROL_FIELDS.map((f) => [f.kind, Slot[f.field]])) as Record<ControlKind, number>;
/** Each bit that must be 1 is 1, and each that must be 0 is 0. */
export function allowed(c: EntryContext, kind: ControlKind): boolean {
  const slot = CONTROL_SLOTS[kind];
  const v = c.low(slot);
  const { must, may } = c.capabilities.controls[kind];
  return (v & must) >>> 0 === must && (v & ~may) === 0 && c.high(slot) === 0;
}
/** The bits that make `allowed` false, by name. */
export function disallowed(c: EntryContext, kind: ControlKind): string {
  const slot = CONTROL_SLOTS[kind];
  const { must, may } = c.capabilities.controls[kind];
  const { bits } = controlField(kind);
  const names = (mask: number, from = 0): string[] =>
    Array.from({ length: 32 }, (_, n) => n)
      .filter((n) => (mask >>> n) & 1)
      .map((n) => `${n + from}${from === 0 && bits.some((b) => b.bit === n) ? ` (${bits.find((b) => b.bit === n)!.name})` : ''}`);
  const list = (numbers: string[], value: number): string[] => (numbers.length === 0 ? [] : [`Bit${numbers.length > 1 ? 's' : ''} ${numbers.join(', ')} must be ${value}.`]);
  return [...list(names(must & ~c.low(slot)), 1), ...list([...names(c.low(slot) & ~may), ...names(c.high(slot), 32)], 0)].join(' ');
}

// Addresses.

/** A 64-bit address inside the physical-address width, with the bits of `zero` 0. */
export const physical = (c: EntryContext, slot: number, zero: number): boolean => (c.low(slot) & zero) === 0 && c.high(slot) < 2 ** (c.physicalAddressBits - 32);
/** The address of a 4-KiB page. */
export const page = (c: EntryContext, slot: number): boolean => physical(c, slot, 0xfff);
export const PAGE = 'must be 4-KiB aligned (bits 11:0 are 0) and inside the physical-address width.';
/** Canonical for linear addresses of 48 bits: the 17 upper bits are alike. */
export function canonical(c: EntryContext, slot: number): boolean {
  const sign = (c.high(slot) | 0) >> 15;
  return sign === 0 || sign === -1;
}
/** Bits 63:48 are alike, whatever bit 47 is. */
export function upperBitsAlike(c: EntryContext, slot: number): boolean {
  const upper = c.high(slot) >>> 16;
  return upper === 0 || upper === 0xffff;
}

// Registers and MSRs.

/** Bits 2:1 and 8:5 of a present PDPTE, given by halves, are reserved, and those beyond the physical-address width. */
export const pdpteValid = (physicalAddressBits: number, low: number, high: number): boolean => (low & 1) === 0 || ((low & 0x1e6) === 0 && high < 2 ** (physicalAddressBits - 32));
/** Each bit fixed to 1 is 1, each fixed to 0 is 0; `exempt` bits are free. */
export const fixed = (c: EntryContext, slot: number, ones: number, may: number, exempt: number): boolean => c.high(slot) === 0 && (~c.low(slot) & ones & ~exempt) === 0 && (c.low(slot) & ~may) === 0;
/** The bits that make `fixed` false. */
export function notFixed(c: EntryContext, slot: number, ones: number, may: number, exempt: number): string {
  const list = (mask: number, value: number): string[] => {
    const bits = Array.from({ length: 32 }, (_, n) => n).filter((n) => (mask >>> n) & 1);
    return bits.length === 0 ? [] : [`Bit${bits.length > 1 ? 's' : ''} ${bits.join(', ')} must be ${value}.`];
  };
  return [...list(~c.low(slot) & ones & ~exempt, 1), ...list(c.low(slot) & ~may, 0), ...(c.high(slot) === 0 ? [] : ['Bits 63:32 must be 0.'])].join(' ');
}
const isMemoryType = (type: number): boolean => type <= 1 || (type >= 4 && type <= 7);
/** Each byte of a PAT is one of the six memory types. */
export const patValid = (c: EntryContext, slot: number): boolean => [c.low(slot), c.high(slot)].every((half) => [0, 8, 16, 24].every((shift) => isMemoryType((half >>> shift) & 0xff)));
export const eferBitsExist = (c: EntryContext, slot: number): boolean => c.high(slot) === 0 && (c.low(slot) & ~c.eferBits) === 0;
/** IA32_PERF_GLOBAL_CTRL of a processor with four programmable and three fixed counters. */
export const perfGlobalCtrlValid = (c: EntryContext, slot: number): boolean => c.low(slot) >>> 4 === 0 && c.high(slot) >>> 3 === 0;
/** IA32_S_CET: bits 9:6 are reserved, and SUPPRESS (10) and TRACKER (11) exclude one another. */
export const cetBitsValid = (c: EntryContext, slot: number): boolean => (c.low(slot) & 0x3c0) === 0 && (c.low(slot) & 0xc00) !== 0xc00;

// The event to be injected.

const info = (c: EntryContext): number => c.low(VM_ENTRY_INTERRUPTION_INFO);
export const injects = (c: EntryContext): boolean => info(c) >>> 31 === 1;
export const eventType = (c: EntryContext): number => (info(c) >>> 8) & 7;
export const eventVector = (c: EntryContext): number => info(c) & 0xff;
export const deliversErrorCode = (c: EntryContext): boolean => (info(c) & 0x800) !== 0;
export const Event = { INTERRUPT: 0, RESERVED: 1, NMI: 2, HARDWARE_EXCEPTION: 3, SOFTWARE_INTERRUPT: 4, PRIVILEGED: 5, SOFTWARE_EXCEPTION: 6, OTHER: 7 } as const;
export const injectsType = (c: EntryContext, type: number): boolean => injects(c) && eventType(c) === type;

/** The value of a field, for messages. */
export function fieldValue(c: EntryContext, name: FieldName): bigint {
  const slot = Slot[name];
  const width = FIELDS[slot]!.width;
  const low = BigInt(c.low(slot));
  return width === 16 || width === 32 ? low : (BigInt(c.high(slot)) << 32n) | low;
}
