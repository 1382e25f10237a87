/**
 * The checks of VM entry, in the SDM's order: Intel SDM volume 3, "Checks on VMX Controls and Host-State Area" and
 * "Checking and Loading Guest State".
 *
 * A row says which fields it reads, when it holds and what is wrong when it does not. `stage` decides how the entry fails:
 * controls by VM-instruction error 7, host state by error 8, guest state by a VM exit with reason 33 and `qualification`.
 */
import type { Capabilities } from './capabilities';
import { CR3_TARGETS, MSR_LIST_LIMIT } from './capabilities';
import { CONTROL_FIELDS, type ControlKind, Entry, Exit, Pin, Primary, Secondary } from './controls';
import { type FieldName, Slot } from './fields';

/** What a check may look at. Fields are read by slot. */
export interface EntryContext {
  /** Low and high half of a field, unsigned. */
  low(slot: number): number;
  high(slot: number): number;
  readonly capabilities: Capabilities;
  readonly physicalAddressBits: number;
  /** EFER.LMA of the VMM that executes the instruction. */
  readonly longMode: boolean;
  /** The current VMCS. */
  readonly currentVmcs: number;
  /** The 32 bits at a physical address, or undefined where there is no memory. */
  physical32(address: number): number | undefined;
}

export type Stage = 'control' | 'host' | 'guest';

export interface EntryCheck {
  readonly id: string;
  readonly stage: Stage;
  /** Title of the section in volume 3. */
  readonly section: string;
  /** Fields read, the ones to blame first. */
  readonly fields: readonly FieldName[];
  /** What is wrong when the check fails, as a sentence. */
  readonly message: string;
  readonly holds: (c: EntryContext) => boolean;
  /** Exit qualification of a failed guest check. */
  readonly qualification?: number;
}

const { HOST_CR0, HOST_CR3, HOST_CR4, HOST_RIP, GUEST_CR0, GUEST_CR3, GUEST_CR4, GUEST_RFLAGS, GUEST_RIP, PIN_BASED_CONTROLS, PRIMARY_PROCESSOR_BASED_CONTROLS, SECONDARY_PROCESSOR_BASED_CONTROLS, VM_EXIT_CONTROLS, VM_ENTRY_CONTROLS, VM_ENTRY_INTERRUPTION_INFO, GUEST_INTERRUPTIBILITY_STATE, GUEST_ACTIVITY_STATE, GUEST_CS_ACCESS_RIGHTS, GUEST_SS_ACCESS_RIGHTS, GUEST_CS_SELECTOR, GUEST_SS_SELECTOR, EPT_POINTER, VMCS_LINK_POINTER } = Slot;

const EXECUTION = 'VM-Execution Control Fields';
const VM_EXIT = 'VM-Exit Control Fields';
const VM_ENTRY = 'VM-Entry Control Fields';
const HOST_REGISTERS = 'Checks on Host Control Registers, MSRs, and SSP';
const HOST_SEGMENTS = 'Checks on Host Segment and Descriptor-Table Registers';
const ADDRESS_SPACE = 'Checks Related to Address-Space Size';
const GUEST_REGISTERS = 'Checks on Guest Control Registers, Debug Registers, and MSRs';
const GUEST_SEGMENTS = 'Checks on Guest Segment Registers';
const GUEST_TABLES = 'Checks on Guest Descriptor-Table Registers';
const GUEST_RIP_RFLAGS = 'Checks on Guest RIP, RFLAGS, and SSP';
const GUEST_NON_REGISTER = 'Checks on Guest Non-Register State';
const GUEST_PDPTES = 'Checks on Guest Page-Directory-Pointer-Table Entries';

const PE = 1;
const PG = 0x8000_0000;
const PAE = 1 << 5;
const PCIDE = 1 << 17;
const LME = 1 << 8;
const LMA = 1 << 10;
/** Bits of EFER that exist: SCE, LME, LMA, NXE. */
const EFER_BITS = 0xd01;
/** Bits of IA32_DEBUGCTL that exist: LBR, BTF, TR, BTS, BTINT, BTS_OFF_OS, BTS_OFF_USR, the freeze bits. */
const DEBUGCTL_BITS = 0x5fc3;
const VM86 = 1 << 17;
const IF = 1 << 9;
const TF = 1 << 8;
const UNUSABLE = 1 << 16;

const pin = (c: EntryContext, mask: number): boolean => (c.low(PIN_BASED_CONTROLS) & mask) !== 0;
const primary = (c: EntryContext, mask: number): boolean => (c.low(PRIMARY_PROCESSOR_BASED_CONTROLS) & mask) !== 0;
const secondary = (c: EntryContext, mask: number): boolean => primary(c, Primary.SECONDARY_CONTROLS) && (c.low(SECONDARY_PROCESSOR_BASED_CONTROLS) & mask) !== 0;
const exit = (c: EntryContext, mask: number): boolean => (c.low(VM_EXIT_CONTROLS) & mask) !== 0;
const entry = (c: EntryContext, mask: number): boolean => (c.low(VM_ENTRY_CONTROLS) & mask) !== 0;
const ia32e = (c: EntryContext): boolean => entry(c, Entry.IA32E_MODE_GUEST);
const unrestricted = (c: EntryContext): boolean => secondary(c, Secondary.UNRESTRICTED_GUEST);
const vm86 = (c: EntryContext): boolean => (c.low(GUEST_RFLAGS) & VM86) !== 0;

/** A 64-bit address inside the physical-address width, with `aligned` low bits 0. */
function physical(c: EntryContext, slot: number, aligned: number): boolean {
  return (c.low(slot) & aligned) === 0 && c.high(slot) < 2 ** (c.physicalAddressBits - 32);
}
/** Canonical for 48 bits: the 17 upper bits are alike. */
function canonical(c: EntryContext, slot: number): boolean {
  const sign = (c.high(slot) | 0) >> 15;
  return sign === 0 || sign === -1;
}
const CONTROL_SLOTS = Object.fromEntries(CONTROL_FIELDS.map((f) => [f.kind, Slot[f.field]])) as Record<ControlKind, number>;
function allowed(c: EntryContext, kind: ControlKind): boolean {
  const v = c.low(CONTROL_SLOTS[kind]);
  const { must, may } = c.capabilities.controls[kind];
  return (v & must) >>> 0 === must && (v & ~may) === 0;
}
function msrArea(c: EntryContext, count: number, address: number): boolean {
  const n = c.low(count);
  if (n === 0) return true;
  const last = c.high(address) * 2 ** 32 + c.low(address) + n * 16 - 1;
  return physical(c, address, 15) && last < 2 ** c.physicalAddressBits;
}
/** Each byte of a PAT is one of the six memory types. */
const patValid = (c: EntryContext, slot: number): boolean =>
  [c.low(slot), c.high(slot)].every((half) => [0, 8, 16, 24].every((shift) => [0, 1, 4, 5, 6, 7].includes((half >>> shift) & 0xff)));
/** Guest and host alike: each bit fixed to 1 is 1, each fixed to 0 is 0; `exempt` bits are free. */
const fixed = (v: number, high: number, ones: number, may: number, exempt: number): boolean => high === 0 && (~v & ones & ~exempt) === 0 && (v & ~may) === 0;

// Event injection.
const info = (c: EntryContext): number => c.low(VM_ENTRY_INTERRUPTION_INFO);
const injects = (c: EntryContext): boolean => info(c) >>> 31 === 1;
const eventType = (c: EntryContext): number => (info(c) >>> 8) & 7;
const eventVector = (c: EntryContext): number => info(c) & 0xff;
/** Exceptions that push an error code: #DF #TS #NP #SS #GP #PF #AC. */
const WITH_ERROR_CODE = (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17);
const guestHasPe = (c: EntryContext): boolean => !unrestricted(c) || (c.low(GUEST_CR0) & PE) !== 0;

// Segments.
const DATA_SEGMENTS = ['DS', 'ES', 'FS', 'GS'] as const;
const CODE_AND_DATA = ['CS', 'SS', 'DS', 'ES', 'FS', 'GS'] as const;
type SegmentName = 'ES' | 'CS' | 'SS' | 'DS' | 'FS' | 'GS' | 'LDTR' | 'TR';
const selectorField = (s: SegmentName): FieldName => `GUEST_${s}_SELECTOR`;
const baseField = (s: SegmentName): FieldName => `GUEST_${s}_BASE`;
const limitField = (s: SegmentName): FieldName => `GUEST_${s}_LIMIT`;
const rightsField = (s: SegmentName): FieldName => `GUEST_${s}_ACCESS_RIGHTS`;

/** Slots of a segment's fields. They are looked up once: the checks run at every VM entry. */
const segmentSlots = (field: (s: SegmentName) => FieldName): Record<SegmentName, number> => ({
  ES: Slot[field('ES')],
  CS: Slot[field('CS')],
  SS: Slot[field('SS')],
  DS: Slot[field('DS')],
  FS: Slot[field('FS')],
  GS: Slot[field('GS')],
  LDTR: Slot[field('LDTR')],
  TR: Slot[field('TR')],
});
const SELECTOR = segmentSlots(selectorField);
const BASE = segmentSlots(baseField);
const LIMIT = segmentSlots(limitField);
const RIGHTS = segmentSlots(rightsField);

const rights = (c: EntryContext, s: SegmentName): number => c.low(RIGHTS[s]);
const usable = (c: EntryContext, s: SegmentName): boolean => s === 'CS' || s === 'TR' || (rights(c, s) & UNUSABLE) === 0;
const typeOf = (c: EntryContext, s: SegmentName): number => rights(c, s) & 15;
const dplOf = (c: EntryContext, s: SegmentName): number => (rights(c, s) >>> 5) & 3;
const rplOf = (c: EntryContext, s: SegmentName): number => c.low(SELECTOR[s]) & 3;
/** Bits 11:8 and 31:17 of access rights are reserved. */
const RIGHTS_RESERVED = 0xfffe_0f00;
/** Limit and granularity agree: with G 0 the limit is below 1 MiB, with G 1 it ends in 0xfff. */
function granular(c: EntryContext, s: SegmentName): boolean {
  const limit = c.low(LIMIT[s]);
  const g = (rights(c, s) & 0x8000) !== 0;
  return g ? (limit & 0xfff) === 0xfff : limit >>> 20 === 0;
}

const check = (stage: Stage, section: string, id: string, fields: readonly FieldName[], message: string, holds: EntryCheck['holds'], qualification?: number): EntryCheck => ({
  id,
  stage,
  section,
  fields,
  message,
  holds,
  ...(qualification === undefined ? {} : { qualification }),
});

const CONTROL_CHECKS: readonly EntryCheck[] = [
  check('control', EXECUTION, 'control.pin.reserved', ['PIN_BASED_CONTROLS'], 'A pin-based control has a value that IA32_VMX_(TRUE_)PINBASED_CTLS does not allow.', (c) => allowed(c, 'pin')),
  check('control', EXECUTION, 'control.primary.reserved', ['PRIMARY_PROCESSOR_BASED_CONTROLS'], 'A primary processor-based control has a value that IA32_VMX_(TRUE_)PROCBASED_CTLS does not allow.', (c) => allowed(c, 'primary')),
  check('control', EXECUTION, 'control.secondary.reserved', ['SECONDARY_PROCESSOR_BASED_CONTROLS'], 'A secondary processor-based control has a value that IA32_VMX_PROCBASED_CTLS2 does not allow.', (c) => !primary(c, Primary.SECONDARY_CONTROLS) || allowed(c, 'secondary')),
  check('control', EXECUTION, 'control.cr3-target-count', ['CR3_TARGET_COUNT'], `There are more than ${CR3_TARGETS} CR3-target values.`, (c) => c.low(Slot.CR3_TARGET_COUNT) <= CR3_TARGETS),
  check('control', EXECUTION, 'control.io-bitmap-a', ['IO_BITMAP_A'], 'The address of I/O bitmap A is not 4-KiB aligned or is too wide.', (c) => !primary(c, Primary.IO_BITMAPS) || physical(c, Slot.IO_BITMAP_A, 0xfff)),
  check('control', EXECUTION, 'control.io-bitmap-b', ['IO_BITMAP_B'], 'The address of I/O bitmap B is not 4-KiB aligned or is too wide.', (c) => !primary(c, Primary.IO_BITMAPS) || physical(c, Slot.IO_BITMAP_B, 0xfff)),
  check('control', EXECUTION, 'control.msr-bitmap', ['MSR_BITMAP'], 'The address of the MSR bitmap is not 4-KiB aligned or is too wide.', (c) => !primary(c, Primary.MSR_BITMAPS) || physical(c, Slot.MSR_BITMAP, 0xfff)),
  check('control', EXECUTION, 'control.virtual-nmis', ['PIN_BASED_CONTROLS'], 'Virtual NMIs need NMI exiting.', (c) => !pin(c, Pin.VIRTUAL_NMIS) || pin(c, Pin.NMI_EXITING)),
  check('control', EXECUTION, 'control.nmi-window', ['PRIMARY_PROCESSOR_BASED_CONTROLS', 'PIN_BASED_CONTROLS'], 'NMI-window exiting needs virtual NMIs.', (c) => !primary(c, Primary.NMI_WINDOW_EXITING) || pin(c, Pin.VIRTUAL_NMIS)),
  check('control', EXECUTION, 'control.vpid', ['VPID'], 'VPID 0 belongs to the VMM; a guest with VPID enabled needs another.', (c) => !secondary(c, Secondary.VPID) || (c.low(Slot.VPID) & 0xffff) !== 0),
  check('control', EXECUTION, 'control.eptp.memory-type', ['EPT_POINTER'], 'The memory type in the EPTP (bits 2:0) is neither 0 (uncacheable) nor 6 (write-back).', (c) => !secondary(c, Secondary.EPT) || [0, 6].includes(c.low(EPT_POINTER) & 7)),
  check('control', EXECUTION, 'control.eptp.walk-length', ['EPT_POINTER'], 'Bits 5:3 of the EPTP are not 3, which stands for a page walk of 4 levels.', (c) => !secondary(c, Secondary.EPT) || ((c.low(EPT_POINTER) >>> 3) & 7) === 3),
  check('control', EXECUTION, 'control.eptp.accessed-dirty', ['EPT_POINTER'], 'The EPTP asks for accessed and dirty flags, which this processor does not have.', (c) => !secondary(c, Secondary.EPT) || !(c.low(EPT_POINTER) & 0x40) || c.capabilities.has('ept-ad')),
  check('control', EXECUTION, 'control.eptp.reserved', ['EPT_POINTER'], 'Reserved bits of the EPTP are set: bits 11:7, or address bits beyond the physical-address width.', (c) => !secondary(c, Secondary.EPT) || physical(c, EPT_POINTER, 0xf80)),
  check('control', EXECUTION, 'control.unrestricted-guest', ['SECONDARY_PROCESSOR_BASED_CONTROLS'], 'Unrestricted guest needs EPT.', (c) => !unrestricted(c) || secondary(c, Secondary.EPT)),

  check('control', VM_EXIT, 'control.exit.reserved', ['VM_EXIT_CONTROLS'], 'A VM-exit control has a value that IA32_VMX_(TRUE_)EXIT_CTLS does not allow.', (c) => allowed(c, 'exit')),
  check('control', VM_EXIT, 'control.exit.preemption-timer', ['VM_EXIT_CONTROLS', 'PIN_BASED_CONTROLS'], 'Saving the preemption timer needs the timer to be activated.', (c) => !exit(c, Exit.SAVE_PREEMPTION_TIMER) || pin(c, Pin.PREEMPTION_TIMER)),
  check('control', VM_EXIT, 'control.exit.msr-store', ['VM_EXIT_MSR_STORE_ADDRESS', 'VM_EXIT_MSR_STORE_COUNT'], 'The VM-exit MSR-store area is not 16-byte aligned or reaches beyond the physical-address width.', (c) => msrArea(c, Slot.VM_EXIT_MSR_STORE_COUNT, Slot.VM_EXIT_MSR_STORE_ADDRESS)),
  check('control', VM_EXIT, 'control.exit.msr-store-count', ['VM_EXIT_MSR_STORE_COUNT'], `The VM-exit MSR-store area has more than ${MSR_LIST_LIMIT} entries.`, (c) => c.low(Slot.VM_EXIT_MSR_STORE_COUNT) <= MSR_LIST_LIMIT),
  check('control', VM_EXIT, 'control.exit.msr-load', ['VM_EXIT_MSR_LOAD_ADDRESS', 'VM_EXIT_MSR_LOAD_COUNT'], 'The VM-exit MSR-load area is not 16-byte aligned or reaches beyond the physical-address width.', (c) => msrArea(c, Slot.VM_EXIT_MSR_LOAD_COUNT, Slot.VM_EXIT_MSR_LOAD_ADDRESS)),
  check('control', VM_EXIT, 'control.exit.msr-load-count', ['VM_EXIT_MSR_LOAD_COUNT'], `The VM-exit MSR-load area has more than ${MSR_LIST_LIMIT} entries.`, (c) => c.low(Slot.VM_EXIT_MSR_LOAD_COUNT) <= MSR_LIST_LIMIT),

  check('control', VM_ENTRY, 'control.entry.reserved', ['VM_ENTRY_CONTROLS'], 'A VM-entry control has a value that IA32_VMX_(TRUE_)ENTRY_CTLS does not allow.', (c) => allowed(c, 'entry')),
  check('control', VM_ENTRY, 'control.entry.event-type', ['VM_ENTRY_INTERRUPTION_INFO'], 'The type of the injected event is reserved.', (c) => !injects(c) || (eventType(c) !== 1 && (eventType(c) !== 7 || c.capabilities.has('monitor-trap-flag')))),
  check('control', VM_ENTRY, 'control.entry.event-vector', ['VM_ENTRY_INTERRUPTION_INFO'], 'The vector of the injected event does not fit its type: an NMI has 2, a hardware exception at most 31, a pending monitor trap flag 0.', (c) => !injects(c) || ({ 2: eventVector(c) === 2, 3: eventVector(c) <= 31, 7: eventVector(c) === 0 } as Record<number, boolean>)[eventType(c)] !== false),
  check('control', VM_ENTRY, 'control.entry.event-error-code', ['VM_ENTRY_INTERRUPTION_INFO', 'GUEST_CR0'], 'An error code is delivered exactly for #DF, #TS, #NP, #SS, #GP, #PF and #AC, and only in protected mode.', (c) => !injects(c) || ((info(c) & 0x800) !== 0) === (eventType(c) === 3 && eventVector(c) < 32 && ((WITH_ERROR_CODE >>> eventVector(c)) & 1) === 1 && guestHasPe(c))),
  check('control', VM_ENTRY, 'control.entry.event-reserved', ['VM_ENTRY_INTERRUPTION_INFO'], 'Reserved bits (30:12) of the VM-entry interruption information are set.', (c) => !injects(c) || (info(c) & 0x7fff_f000) === 0),
  check('control', VM_ENTRY, 'control.entry.error-code', ['VM_ENTRY_EXCEPTION_ERROR_CODE'], 'The error code to be delivered has more than 16 bits.', (c) => !injects(c) || !(info(c) & 0x800) || c.low(Slot.VM_ENTRY_EXCEPTION_ERROR_CODE) >>> 16 === 0),
  check('control', VM_ENTRY, 'control.entry.instruction-length', ['VM_ENTRY_INSTRUCTION_LENGTH'], 'A software interrupt or exception is injected with an instruction length above 15.', (c) => !injects(c) || ![4, 5, 6].includes(eventType(c)) || c.low(Slot.VM_ENTRY_INSTRUCTION_LENGTH) <= 15),
  check('control', VM_ENTRY, 'control.entry.msr-load', ['VM_ENTRY_MSR_LOAD_ADDRESS', 'VM_ENTRY_MSR_LOAD_COUNT'], 'The VM-entry MSR-load area is not 16-byte aligned or reaches beyond the physical-address width.', (c) => msrArea(c, Slot.VM_ENTRY_MSR_LOAD_COUNT, Slot.VM_ENTRY_MSR_LOAD_ADDRESS)),
  check('control', VM_ENTRY, 'control.entry.msr-load-count', ['VM_ENTRY_MSR_LOAD_COUNT'], `The VM-entry MSR-load area has more than ${MSR_LIST_LIMIT} entries.`, (c) => c.low(Slot.VM_ENTRY_MSR_LOAD_COUNT) <= MSR_LIST_LIMIT),
];

const HOST_SELECTORS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'TR'] as const;
const HOST_BASES = ['FS', 'GS', 'GDTR', 'IDTR', 'TR'] as const;

const HOST_CHECKS: readonly EntryCheck[] = [
  check('host', HOST_REGISTERS, 'host.cr0.fixed', ['HOST_CR0'], 'A bit of host CR0 that VMX operation fixes has the wrong value (PE, NE and PG must be 1).', (c) => fixed(c.low(HOST_CR0), c.high(HOST_CR0), c.capabilities.cr0Fixed0, c.capabilities.cr0Fixed1, 0)),
  check('host', HOST_REGISTERS, 'host.cr4.fixed', ['HOST_CR4'], 'A bit of host CR4 that VMX operation fixes has the wrong value (VMXE must be 1, bits that the processor lacks 0).', (c) => fixed(c.low(HOST_CR4), c.high(HOST_CR4), c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1, 0)),
  check('host', HOST_REGISTERS, 'host.cr3.width', ['HOST_CR3'], 'Host CR3 has address bits beyond the physical-address width.', (c) => physical(c, HOST_CR3, 0)),
  check('host', HOST_REGISTERS, 'host.sysenter-esp.canonical', ['HOST_IA32_SYSENTER_ESP'], 'Host IA32_SYSENTER_ESP is not canonical.', (c) => canonical(c, Slot.HOST_IA32_SYSENTER_ESP)),
  check('host', HOST_REGISTERS, 'host.sysenter-eip.canonical', ['HOST_IA32_SYSENTER_EIP'], 'Host IA32_SYSENTER_EIP is not canonical.', (c) => canonical(c, Slot.HOST_IA32_SYSENTER_EIP)),
  check('host', HOST_REGISTERS, 'host.pat', ['HOST_IA32_PAT'], 'A byte of host IA32_PAT is not a memory type.', (c) => !exit(c, Exit.LOAD_PAT) || patValid(c, Slot.HOST_IA32_PAT)),
  check('host', HOST_REGISTERS, 'host.efer.reserved', ['HOST_IA32_EFER'], 'Reserved bits of host IA32_EFER are set.', (c) => !exit(c, Exit.LOAD_EFER) || (c.high(Slot.HOST_IA32_EFER) === 0 && (c.low(Slot.HOST_IA32_EFER) & ~EFER_BITS) === 0)),
  check('host', HOST_REGISTERS, 'host.efer.long-mode', ['HOST_IA32_EFER', 'VM_EXIT_CONTROLS'], 'LMA and LME of host IA32_EFER do not both equal the host address-space size control.', (c) => !exit(c, Exit.LOAD_EFER) || (c.low(Slot.HOST_IA32_EFER) & (LMA | LME)) === (exit(c, Exit.HOST_ADDRESS_SPACE_SIZE) ? LMA | LME : 0)),
  ...HOST_SELECTORS.map((s) => {
    const slot = Slot[`HOST_${s}_SELECTOR`];
    return check('host', HOST_SEGMENTS, `host.${s.toLowerCase()}.selector`, [`HOST_${s}_SELECTOR`], `The RPL and TI bits (2:0) of the host ${s} selector are not 0.`, (c) => (c.low(slot) & 7) === 0);
  }),
  check('host', HOST_SEGMENTS, 'host.cs.null', ['HOST_CS_SELECTOR'], 'The host CS selector is 0.', (c) => (c.low(Slot.HOST_CS_SELECTOR) & 0xffff) !== 0),
  check('host', HOST_SEGMENTS, 'host.tr.null', ['HOST_TR_SELECTOR'], 'The host TR selector is 0.', (c) => (c.low(Slot.HOST_TR_SELECTOR) & 0xffff) !== 0),
  check('host', HOST_SEGMENTS, 'host.ss.null', ['HOST_SS_SELECTOR', 'VM_EXIT_CONTROLS'], 'The host SS selector is 0, which only a 64-bit host may have.', (c) => exit(c, Exit.HOST_ADDRESS_SPACE_SIZE) || (c.low(Slot.HOST_SS_SELECTOR) & 0xffff) !== 0),
  ...HOST_BASES.map((b) => {
    const slot = Slot[`HOST_${b}_BASE`];
    return check('host', HOST_SEGMENTS, `host.${b.toLowerCase()}.base`, [`HOST_${b}_BASE`], `The host ${b} base is not canonical.`, (c) => canonical(c, slot));
  }),
  check('host', ADDRESS_SPACE, 'host.size.64', ['VM_EXIT_CONTROLS'], 'A VMM in 64-bit mode must set the host address-space size control.', (c) => !c.longMode || exit(c, Exit.HOST_ADDRESS_SPACE_SIZE)),
  check('host', ADDRESS_SPACE, 'host.size.32', ['VM_EXIT_CONTROLS'], 'A VMM outside IA-32e mode must clear the host address-space size control.', (c) => c.longMode || !exit(c, Exit.HOST_ADDRESS_SPACE_SIZE)),
  check('host', ADDRESS_SPACE, 'host.size.guest', ['VM_ENTRY_CONTROLS', 'VM_EXIT_CONTROLS'], 'An IA-32e-mode guest needs a 64-bit host.', (c) => exit(c, Exit.HOST_ADDRESS_SPACE_SIZE) || !ia32e(c)),
  check('host', ADDRESS_SPACE, 'host.size.pcide', ['HOST_CR4'], 'CR4.PCIDE needs a 64-bit host.', (c) => exit(c, Exit.HOST_ADDRESS_SPACE_SIZE) || (c.low(HOST_CR4) & PCIDE) === 0),
  check('host', ADDRESS_SPACE, 'host.size.rip', ['HOST_RIP'], 'Host RIP has more than 32 bits though the host is not a 64-bit one.', (c) => exit(c, Exit.HOST_ADDRESS_SPACE_SIZE) || c.high(HOST_RIP) === 0),
  check('host', ADDRESS_SPACE, 'host.size.pae', ['HOST_CR4'], 'A 64-bit host needs CR4.PAE.', (c) => !exit(c, Exit.HOST_ADDRESS_SPACE_SIZE) || (c.low(HOST_CR4) & PAE) !== 0),
  check('host', ADDRESS_SPACE, 'host.rip.canonical', ['HOST_RIP'], 'Host RIP is not canonical.', (c) => !exit(c, Exit.HOST_ADDRESS_SPACE_SIZE) || canonical(c, HOST_RIP)),
];

const REGISTER_CHECKS: readonly EntryCheck[] = [
  check('guest', GUEST_REGISTERS, 'guest.cr0.fixed', ['GUEST_CR0'], 'A bit of guest CR0 that VMX operation fixes has the wrong value (NE must be 1; PE and PG too unless the guest is unrestricted).', (c) => fixed(c.low(GUEST_CR0), c.high(GUEST_CR0), c.capabilities.cr0Fixed0, c.capabilities.cr0Fixed1, unrestricted(c) ? PE | PG : 0)),
  check('guest', GUEST_REGISTERS, 'guest.cr0.paging', ['GUEST_CR0'], 'Guest CR0 has PG without PE.', (c) => (c.low(GUEST_CR0) & PG) === 0 || (c.low(GUEST_CR0) & PE) !== 0),
  check('guest', GUEST_REGISTERS, 'guest.cr4.fixed', ['GUEST_CR4'], 'A bit of guest CR4 that VMX operation fixes has the wrong value (VMXE must be 1, bits that the processor lacks 0).', (c) => fixed(c.low(GUEST_CR4), c.high(GUEST_CR4), c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1, 0)),
  check('guest', GUEST_REGISTERS, 'guest.debugctl.reserved', ['GUEST_IA32_DEBUGCTL'], 'Reserved bits of guest IA32_DEBUGCTL are set.', (c) => !entry(c, Entry.LOAD_DEBUG_CONTROLS) || (c.high(Slot.GUEST_IA32_DEBUGCTL) === 0 && (c.low(Slot.GUEST_IA32_DEBUGCTL) & ~DEBUGCTL_BITS) === 0)),
  check('guest', GUEST_REGISTERS, 'guest.long-mode.paging', ['GUEST_CR0', 'GUEST_CR4', 'VM_ENTRY_CONTROLS'], 'An IA-32e-mode guest needs CR0.PG and CR4.PAE.', (c) => !ia32e(c) || ((c.low(GUEST_CR0) & PG) !== 0 && (c.low(GUEST_CR4) & PAE) !== 0)),
  check('guest', GUEST_REGISTERS, 'guest.cr4.pcide', ['GUEST_CR4', 'VM_ENTRY_CONTROLS'], 'CR4.PCIDE needs an IA-32e-mode guest.', (c) => ia32e(c) || (c.low(GUEST_CR4) & PCIDE) === 0),
  check('guest', GUEST_REGISTERS, 'guest.cr3.width', ['GUEST_CR3'], 'Guest CR3 has address bits beyond the physical-address width.', (c) => physical(c, GUEST_CR3, 0)),
  check('guest', GUEST_REGISTERS, 'guest.dr7.width', ['GUEST_DR7'], 'Guest DR7 has more than 32 bits.', (c) => !entry(c, Entry.LOAD_DEBUG_CONTROLS) || c.high(Slot.GUEST_DR7) === 0),
  check('guest', GUEST_REGISTERS, 'guest.sysenter-esp.canonical', ['GUEST_IA32_SYSENTER_ESP'], 'Guest IA32_SYSENTER_ESP is not canonical.', (c) => canonical(c, Slot.GUEST_IA32_SYSENTER_ESP)),
  check('guest', GUEST_REGISTERS, 'guest.sysenter-eip.canonical', ['GUEST_IA32_SYSENTER_EIP'], 'Guest IA32_SYSENTER_EIP is not canonical.', (c) => canonical(c, Slot.GUEST_IA32_SYSENTER_EIP)),
  check('guest', GUEST_REGISTERS, 'guest.pat', ['GUEST_IA32_PAT'], 'A byte of guest IA32_PAT is not a memory type.', (c) => !entry(c, Entry.LOAD_PAT) || patValid(c, Slot.GUEST_IA32_PAT)),
  check('guest', GUEST_REGISTERS, 'guest.efer.reserved', ['GUEST_IA32_EFER'], 'Reserved bits of guest IA32_EFER are set.', (c) => !entry(c, Entry.LOAD_EFER) || (c.high(Slot.GUEST_IA32_EFER) === 0 && (c.low(Slot.GUEST_IA32_EFER) & ~EFER_BITS) === 0)),
  check('guest', GUEST_REGISTERS, 'guest.efer.lma', ['GUEST_IA32_EFER', 'VM_ENTRY_CONTROLS'], 'LMA of guest IA32_EFER does not equal the IA-32e mode guest control.', (c) => !entry(c, Entry.LOAD_EFER) || ((c.low(Slot.GUEST_IA32_EFER) & LMA) !== 0) === ia32e(c)),
  check('guest', GUEST_REGISTERS, 'guest.efer.lme', ['GUEST_IA32_EFER', 'GUEST_CR0'], 'LMA and LME of guest IA32_EFER differ although the guest has paging on.', (c) => !entry(c, Entry.LOAD_EFER) || (c.low(GUEST_CR0) & PG) === 0 || ((c.low(Slot.GUEST_IA32_EFER) & LMA) !== 0) === ((c.low(Slot.GUEST_IA32_EFER) & LME) !== 0)),
];

/** Types that CS may have: accessed code; for an unrestricted guest also accessed read/write data. */
const csType = (c: EntryContext): boolean => [9, 11, 13, 15].includes(typeOf(c, 'CS')) || (unrestricted(c) && typeOf(c, 'CS') === 3);

const SEGMENT_CHECKS: readonly EntryCheck[] = [
  check('guest', GUEST_SEGMENTS, 'guest.tr.ti', ['GUEST_TR_SELECTOR'], 'The guest TR selector names the LDT.', (c) => (c.low(Slot.GUEST_TR_SELECTOR) & 4) === 0),
  check('guest', GUEST_SEGMENTS, 'guest.ldtr.ti', ['GUEST_LDTR_SELECTOR', 'GUEST_LDTR_ACCESS_RIGHTS'], 'The guest LDTR selector names the LDT.', (c) => !usable(c, 'LDTR') || (c.low(Slot.GUEST_LDTR_SELECTOR) & 4) === 0),
  check('guest', GUEST_SEGMENTS, 'guest.ss.rpl', ['GUEST_SS_SELECTOR', 'GUEST_CS_SELECTOR'], 'The RPLs of guest SS and CS differ.', (c) => vm86(c) || unrestricted(c) || (c.low(GUEST_SS_SELECTOR) & 3) === (c.low(GUEST_CS_SELECTOR) & 3)),
  ...CODE_AND_DATA.map((s) =>
    check('guest', GUEST_SEGMENTS, `guest.${s.toLowerCase()}.vm86`, [baseField(s), selectorField(s), limitField(s), rightsField(s)], `In virtual-8086 mode the base of ${s} is 16 times its selector, its limit 0xffff and its access rights 0xf3.`, (c) =>
      !vm86(c) || (c.high(BASE[s]) === 0 && c.low(BASE[s]) === (c.low(SELECTOR[s]) & 0xffff) << 4 && c.low(LIMIT[s]) === 0xffff && rights(c, s) === 0xf3)),
  ),
  ...(['TR', 'FS', 'GS', 'LDTR'] as const).map((s) => check('guest', GUEST_SEGMENTS, `guest.${s.toLowerCase()}.base.canonical`, [baseField(s)], `The base of guest ${s} is not canonical.`, (c) => (s === 'LDTR' && !usable(c, s)) || canonical(c, BASE[s]))),
  ...(['CS', 'SS', 'DS', 'ES'] as const).map((s) => check('guest', GUEST_SEGMENTS, `guest.${s.toLowerCase()}.base.width`, [baseField(s)], `The base of guest ${s} has more than 32 bits.`, (c) => !usable(c, s) || c.high(BASE[s]) === 0)),
  check('guest', GUEST_SEGMENTS, 'guest.cs.type', ['GUEST_CS_ACCESS_RIGHTS'], 'The type of guest CS is not accessed code (9, 11, 13, 15; an unrestricted guest may also have 3).', (c) => vm86(c) || csType(c)),
  check('guest', GUEST_SEGMENTS, 'guest.ss.type', ['GUEST_SS_ACCESS_RIGHTS'], 'The type of guest SS is not accessed writable data (3 or 7).', (c) => vm86(c) || !usable(c, 'SS') || [3, 7].includes(typeOf(c, 'SS'))),
  ...DATA_SEGMENTS.map((s) => check('guest', GUEST_SEGMENTS, `guest.${s.toLowerCase()}.type`, [rightsField(s)], `The type of guest ${s} is not accessed and readable.`, (c) => vm86(c) || !usable(c, s) || ((typeOf(c, s) & 1) !== 0 && ((typeOf(c, s) & 8) === 0 || (typeOf(c, s) & 2) !== 0)))),
  ...CODE_AND_DATA.map((s) => check('guest', GUEST_SEGMENTS, `guest.${s.toLowerCase()}.s`, [rightsField(s)], `The S bit of guest ${s} is 0: a system segment.`, (c) => vm86(c) || !usable(c, s) || (rights(c, s) & 0x10) !== 0)),
  check('guest', GUEST_SEGMENTS, 'guest.cs.dpl', ['GUEST_CS_ACCESS_RIGHTS', 'GUEST_SS_ACCESS_RIGHTS'], 'The DPL of guest CS does not fit: 0 for type 3, that of SS for non-conforming code, at most that of SS for conforming code.', (c) => {
    if (vm86(c)) return true;
    const type = c.low(GUEST_CS_ACCESS_RIGHTS) & 15;
    const ss = (c.low(GUEST_SS_ACCESS_RIGHTS) >>> 5) & 3;
    return type === 3 ? dplOf(c, 'CS') === 0 : type & 4 ? dplOf(c, 'CS') <= ss : dplOf(c, 'CS') === ss;
  }),
  check('guest', GUEST_SEGMENTS, 'guest.ss.dpl', ['GUEST_SS_ACCESS_RIGHTS', 'GUEST_SS_SELECTOR'], 'The DPL of guest SS does not equal its RPL.', (c) => vm86(c) || unrestricted(c) || dplOf(c, 'SS') === rplOf(c, 'SS')),
  check('guest', GUEST_SEGMENTS, 'guest.ss.dpl.real', ['GUEST_SS_ACCESS_RIGHTS', 'GUEST_CS_ACCESS_RIGHTS', 'GUEST_CR0'], 'The DPL of guest SS is not 0 although the guest is in real mode or CS is a data segment.', (c) => vm86(c) || (typeOf(c, 'CS') !== 3 && (c.low(GUEST_CR0) & PE) !== 0) || dplOf(c, 'SS') === 0),
  ...DATA_SEGMENTS.map((s) => check('guest', GUEST_SEGMENTS, `guest.${s.toLowerCase()}.dpl`, [rightsField(s), selectorField(s)], `The DPL of guest ${s} is below its RPL.`, (c) => vm86(c) || unrestricted(c) || !usable(c, s) || typeOf(c, s) > 11 || dplOf(c, s) >= rplOf(c, s))),
  ...CODE_AND_DATA.map((s) => check('guest', GUEST_SEGMENTS, `guest.${s.toLowerCase()}.present`, [rightsField(s)], `Guest ${s} is not present.`, (c) => vm86(c) || !usable(c, s) || (rights(c, s) & 0x80) !== 0)),
  ...CODE_AND_DATA.map((s) => check('guest', GUEST_SEGMENTS, `guest.${s.toLowerCase()}.reserved`, [rightsField(s)], `Reserved bits of the access rights of guest ${s} are set.`, (c) => vm86(c) || !usable(c, s) || (rights(c, s) & RIGHTS_RESERVED) === 0)),
  check('guest', GUEST_SEGMENTS, 'guest.cs.size', ['GUEST_CS_ACCESS_RIGHTS', 'VM_ENTRY_CONTROLS'], 'Guest CS has both L and D set.', (c) => vm86(c) || !ia32e(c) || (rights(c, 'CS') & 0x6000) !== 0x6000),
  ...CODE_AND_DATA.map((s) => check('guest', GUEST_SEGMENTS, `guest.${s.toLowerCase()}.granularity`, [rightsField(s), limitField(s)], `Limit and granularity of guest ${s} contradict each other: with G 0 the limit is below 1 MiB, with G 1 it ends in 0xfff.`, (c) => vm86(c) || !usable(c, s) || granular(c, s))),
  check('guest', GUEST_SEGMENTS, 'guest.tr.type', ['GUEST_TR_ACCESS_RIGHTS', 'VM_ENTRY_CONTROLS'], 'The type of guest TR is not a busy TSS (11; outside IA-32e mode also 3).', (c) => typeOf(c, 'TR') === 11 || (!ia32e(c) && typeOf(c, 'TR') === 3)),
  check('guest', GUEST_SEGMENTS, 'guest.tr.rights', ['GUEST_TR_ACCESS_RIGHTS'], 'Guest TR must be usable, present and a system segment, with no reserved bit set.', (c) => (rights(c, 'TR') & (UNUSABLE | 0x10 | 0x80 | RIGHTS_RESERVED)) === 0x80),
  check('guest', GUEST_SEGMENTS, 'guest.tr.granularity', ['GUEST_TR_ACCESS_RIGHTS', 'GUEST_TR_LIMIT'], 'Limit and granularity of guest TR contradict each other.', (c) => granular(c, 'TR')),
  check('guest', GUEST_SEGMENTS, 'guest.ldtr.rights', ['GUEST_LDTR_ACCESS_RIGHTS'], 'A usable guest LDTR must have type 2, be present and a system segment, with no reserved bit set.', (c) => !usable(c, 'LDTR') || (rights(c, 'LDTR') & (0x1f | 0x80 | RIGHTS_RESERVED)) === 0x82),
  check('guest', GUEST_SEGMENTS, 'guest.ldtr.granularity', ['GUEST_LDTR_ACCESS_RIGHTS', 'GUEST_LDTR_LIMIT'], 'Limit and granularity of guest LDTR contradict each other.', (c) => !usable(c, 'LDTR') || granular(c, 'LDTR')),
  ...(['GDTR', 'IDTR'] as const).map((t) => check('guest', GUEST_TABLES, `guest.${t.toLowerCase()}.base`, [`GUEST_${t}_BASE`], `The base of guest ${t} is not canonical.`, ((slot) => (c: EntryContext) => canonical(c, slot))(Slot[`GUEST_${t}_BASE`]))),
  ...(['GDTR', 'IDTR'] as const).map((t) => check('guest', GUEST_TABLES, `guest.${t.toLowerCase()}.limit`, [`GUEST_${t}_LIMIT`], `The limit of guest ${t} has more than 16 bits.`, ((slot) => (c: EntryContext) => c.low(slot) >>> 16 === 0)(Slot[`GUEST_${t}_LIMIT`]))),
];

const interruptibility = (c: EntryContext): number => c.low(GUEST_INTERRUPTIBILITY_STATE);
const activity = (c: EntryContext): number => c.low(GUEST_ACTIVITY_STATE);
const STI_OR_MOV_SS = 3;

/** Events that may be injected in an inactive state. */
function injectable(c: EntryContext): boolean {
  if (!injects(c) || activity(c) === 0) return true;
  const type = eventType(c);
  const vector = eventVector(c);
  const machineCheck = type === 3 && vector === 18;
  if (activity(c) === 1) return type === 0 || type === 2 || machineCheck || (type === 3 && vector === 1) || type === 7;
  if (activity(c) === 2) return type === 2 || machineCheck;
  return false;
}

/** PDPTEs count when the guest uses PAE paging. */
const usesPdptes = (c: EntryContext): boolean => (c.low(GUEST_CR0) & PG) !== 0 && (c.low(GUEST_CR4) & PAE) !== 0 && !ia32e(c);

function pdptes(c: EntryContext): boolean {
  if (!usesPdptes(c)) return true;
  const valid = (low: number, high: number): boolean => (low & 1) === 0 || ((low & 0x1e6) === 0 && high < 2 ** (c.physicalAddressBits - 32));
  if (secondary(c, Secondary.EPT)) return [Slot.GUEST_PDPTE0, Slot.GUEST_PDPTE1, Slot.GUEST_PDPTE2, Slot.GUEST_PDPTE3].every((s) => valid(c.low(s), c.high(s)));
  const table = (c.low(GUEST_CR3) & 0xffff_ffe0) >>> 0;
  return [0, 8, 16, 24].every((o) => valid(c.physical32(table + o) ?? 0xffff_ffff, c.physical32(table + o + 4) ?? 0xffff_ffff));
}

function linkPointer(c: EntryContext): boolean {
  const low = c.low(VMCS_LINK_POINTER);
  const high = c.high(VMCS_LINK_POINTER);
  if (low === 0xffff_ffff && high === 0xffff_ffff) return true;
  if (!physical(c, VMCS_LINK_POINTER, 0xfff)) return false;
  const address = high * 2 ** 32 + low;
  const revision = c.physical32(address);
  const shadow = secondary(c, Secondary.VMCS_SHADOWING) ? 0x8000_0000 : 0;
  return address !== c.currentVmcs && revision !== undefined && revision === Number(c.capabilities.read(0x480)! & 0x7fff_ffffn) + shadow;
}

const STATE_CHECKS: readonly EntryCheck[] = [
  check('guest', GUEST_RIP_RFLAGS, 'guest.rip.width', ['GUEST_RIP', 'GUEST_CS_ACCESS_RIGHTS', 'VM_ENTRY_CONTROLS'], 'Guest RIP has more than 32 bits outside 64-bit mode.', (c) => (ia32e(c) && (rights(c, 'CS') & 0x2000) !== 0) || c.high(GUEST_RIP) === 0),
  check('guest', GUEST_RIP_RFLAGS, 'guest.rip.canonical', ['GUEST_RIP'], 'Guest RIP is not canonical.', (c) => canonical(c, GUEST_RIP)),
  check('guest', GUEST_RIP_RFLAGS, 'guest.rflags.reserved', ['GUEST_RFLAGS'], 'Reserved bits of guest RFLAGS are wrong: bit 1 must be 1; bits 3, 5, 15 and 63:22 must be 0.', (c) => c.high(GUEST_RFLAGS) === 0 && (c.low(GUEST_RFLAGS) & 0xffc0_802a) === 2),
  check('guest', GUEST_RIP_RFLAGS, 'guest.rflags.vm', ['GUEST_RFLAGS', 'VM_ENTRY_CONTROLS', 'GUEST_CR0'], 'RFLAGS.VM needs protected mode outside IA-32e mode.', (c) => !vm86(c) || (!ia32e(c) && (c.low(GUEST_CR0) & PE) !== 0)),
  check('guest', GUEST_RIP_RFLAGS, 'guest.rflags.if', ['GUEST_RFLAGS', 'VM_ENTRY_INTERRUPTION_INFO'], 'An external interrupt is injected while guest RFLAGS.IF is 0.', (c) => !injects(c) || eventType(c) !== 0 || (c.low(GUEST_RFLAGS) & IF) !== 0),

  check('guest', GUEST_NON_REGISTER, 'guest.activity.supported', ['GUEST_ACTIVITY_STATE'], 'The activity state is not one of 0 (active), 1 (HLT), 2 (shutdown), 3 (wait-for-SIPI).', (c) => activity(c) <= 3),
  check('guest', GUEST_NON_REGISTER, 'guest.activity.hlt-dpl', ['GUEST_ACTIVITY_STATE', 'GUEST_SS_ACCESS_RIGHTS'], 'The HLT state needs a DPL of 0 in SS.', (c) => activity(c) !== 1 || dplOf(c, 'SS') === 0),
  check('guest', GUEST_NON_REGISTER, 'guest.activity.blocking', ['GUEST_ACTIVITY_STATE', 'GUEST_INTERRUPTIBILITY_STATE'], 'Blocking by STI or MOV SS needs the active state.', (c) => activity(c) === 0 || (interruptibility(c) & STI_OR_MOV_SS) === 0),
  check('guest', GUEST_NON_REGISTER, 'guest.activity.event', ['VM_ENTRY_INTERRUPTION_INFO', 'GUEST_ACTIVITY_STATE'], 'The injected event cannot be delivered in the activity state.', injectable),
  check('guest', GUEST_NON_REGISTER, 'guest.interruptibility.reserved', ['GUEST_INTERRUPTIBILITY_STATE'], 'Reserved bits of the interruptibility state are set, or blocking by SMI outside system-management mode.', (c) => (interruptibility(c) & ~0xb) === 0),
  check('guest', GUEST_NON_REGISTER, 'guest.interruptibility.both', ['GUEST_INTERRUPTIBILITY_STATE'], 'Blocking by STI and by MOV SS are both set.', (c) => (interruptibility(c) & STI_OR_MOV_SS) !== STI_OR_MOV_SS),
  check('guest', GUEST_NON_REGISTER, 'guest.interruptibility.sti', ['GUEST_INTERRUPTIBILITY_STATE', 'GUEST_RFLAGS'], 'Blocking by STI needs RFLAGS.IF.', (c) => (interruptibility(c) & 1) === 0 || (c.low(GUEST_RFLAGS) & IF) !== 0),
  check('guest', GUEST_NON_REGISTER, 'guest.interruptibility.interrupt', ['GUEST_INTERRUPTIBILITY_STATE', 'VM_ENTRY_INTERRUPTION_INFO'], 'An external interrupt is injected while STI or MOV SS blocks.', (c) => !injects(c) || eventType(c) !== 0 || (interruptibility(c) & STI_OR_MOV_SS) === 0),
  check('guest', GUEST_NON_REGISTER, 'guest.interruptibility.nmi', ['GUEST_INTERRUPTIBILITY_STATE', 'VM_ENTRY_INTERRUPTION_INFO'], 'An NMI is injected while MOV SS blocks.', (c) => !injects(c) || eventType(c) !== 2 || (interruptibility(c) & 2) === 0, 3),
  check('guest', GUEST_NON_REGISTER, 'guest.interruptibility.virtual-nmi', ['GUEST_INTERRUPTIBILITY_STATE', 'VM_ENTRY_INTERRUPTION_INFO'], 'A virtual NMI is injected while NMIs are blocked.', (c) => !injects(c) || eventType(c) !== 2 || !pin(c, Pin.VIRTUAL_NMIS) || (interruptibility(c) & 8) === 0),
  check('guest', GUEST_NON_REGISTER, 'guest.pending-debug.reserved', ['GUEST_PENDING_DEBUG_EXCEPTIONS'], 'Reserved bits of the pending debug exceptions are set.', (c) => c.high(Slot.GUEST_PENDING_DEBUG_EXCEPTIONS) === 0 && (c.low(Slot.GUEST_PENDING_DEBUG_EXCEPTIONS) & ~0x500f) === 0),
  check('guest', GUEST_NON_REGISTER, 'guest.pending-debug.bs', ['GUEST_PENDING_DEBUG_EXCEPTIONS', 'GUEST_RFLAGS', 'GUEST_INTERRUPTIBILITY_STATE', 'GUEST_ACTIVITY_STATE'], 'While events are blocked or the guest is halted, pending debug exception BS must be 1 exactly when RFLAGS.TF is 1 (and DEBUGCTL.BTF 0).', (c) => {
    if ((interruptibility(c) & STI_OR_MOV_SS) === 0 && activity(c) !== 1) return true;
    const single = (c.low(GUEST_RFLAGS) & TF) !== 0 && (c.low(Slot.GUEST_IA32_DEBUGCTL) & 2) === 0;
    return ((c.low(Slot.GUEST_PENDING_DEBUG_EXCEPTIONS) & (1 << 14)) !== 0) === single;
  }),
  check('guest', GUEST_NON_REGISTER, 'guest.link-pointer', ['VMCS_LINK_POINTER'], 'The VMCS link pointer is neither all ones (none) nor the address of a shadow VMCS.', linkPointer, 4),
  check('guest', GUEST_PDPTES, 'guest.pdptes', ['GUEST_PDPTE0', 'GUEST_PDPTE1', 'GUEST_PDPTE2', 'GUEST_PDPTE3', 'GUEST_CR3'], 'A PDPTE that is present has reserved bits set.', pdptes, 2),
];

/** All checks, in the order of the SDM: controls, host state, guest state. */
export const ENTRY_CHECKS: readonly EntryCheck[] = [...CONTROL_CHECKS, ...HOST_CHECKS, ...REGISTER_CHECKS, ...SEGMENT_CHECKS, ...STATE_CHECKS];
