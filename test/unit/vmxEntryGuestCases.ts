/** The cases of the checks on guest state, and of MSR loading: see vmxEntryCases.ts. */
import { Entry, type FieldName, Pin, Secondary, VMCS_REVISION } from '../../src/vmx';
import type { EntryCase, Writes } from './vmxEntryCases';
import { At, GUEST_CODE, type VmxRig } from './vmxRig';

const on =
  (bits: number) =>
  (value: bigint): bigint =>
    value | BigInt(bits >>> 0);
const off =
  (bits: number) =>
  (value: bigint): bigint =>
    value & ~BigInt(bits >>> 0);
const entry = (bits: number): Writes => ({ VM_ENTRY_CONTROLS: on(bits) });
const inject = (info: number): Writes => ({ VM_ENTRY_INTERRUPTION_INFO: (0x8000_0000 | info) >>> 0 });
const RESTRICTED: Writes = { SECONDARY_PROCESSOR_BASED_CONTROLS: off(Secondary.UNRESTRICTED_GUEST) };

const TOO_WIDE = 1n << 41n;
const NOT_CANONICAL = 1n << 47n;
const LOWEST_NEGATIVE = 0xffff_8000_0000_0000n;
const GP_EXITS = 1 << 13;
const PF_EXITS = 1 << 14;
const EXCEPTION = 'EXCEPTION_OR_NMI';
const INTERRUPT_20 = 0x020;
const NMI = 0x202;
const CET = { announce: ['cet'] };
const LOADS_EFER = entry(Entry.LOAD_EFER);
const LONG = 0x500;

export const REGISTER_CASES: Record<string, EntryCase> = {
  'guest.cr0.fixed': { breaks: { GUEST_CR0: off(0x20) }, keeps: { GUEST_CR0: on(2) } },
  'guest.cr0.paging': { guest: 'real', breaks: { GUEST_CR0: on(0x8000_0000) }, keepsIn: { guest: 'protected' } },
  'guest.cr0.cet': { ...CET, breaks: { GUEST_CR4: on(1 << 23) }, also: ['guest.cr4.fixed'] },
  'guest.cr4.fixed': { breaks: { GUEST_CR4: off(0x2000) }, keeps: { GUEST_CR4: on(0x80) } },
  'guest.debugctl.reserved': { base: entry(Entry.LOAD_DEBUG_CONTROLS), breaks: { GUEST_IA32_DEBUGCTL: 0x800 }, keeps: { GUEST_IA32_DEBUGCTL: 0x7c2 } },
  'guest.long-mode.paging': { breaks: { GUEST_CR0: off(0x8000_0000) } },
  'guest.long-mode.pae': { breaks: { GUEST_CR4: off(0x20) } },
  'guest.cr4.pcide': { guest: 'protected', breaks: { GUEST_CR4: on(1 << 17) }, also: ['guest.cr4.fixed'] },
  'guest.cr3.width': { breaks: { GUEST_CR3: TOO_WIDE } },
  'guest.dr7.width': { base: entry(Entry.LOAD_DEBUG_CONTROLS), breaks: { GUEST_DR7: (1n << 32n) | 0x400n }, keeps: { GUEST_DR7: 0x400 } },
  'guest.sysenter-esp.canonical': { breaks: { GUEST_IA32_SYSENTER_ESP: NOT_CANONICAL }, keeps: { GUEST_IA32_SYSENTER_ESP: LOWEST_NEGATIVE } },
  'guest.sysenter-eip.canonical': { breaks: { GUEST_IA32_SYSENTER_EIP: NOT_CANONICAL }, keeps: { GUEST_IA32_SYSENTER_EIP: LOWEST_NEGATIVE } },
  'guest.s-cet': { ...CET, base: entry(Entry.LOAD_CET), breaks: { GUEST_IA32_S_CET: 0x40 }, keeps: { GUEST_IA32_S_CET: 0x800 } },
  'guest.s-cet.canonical': { ...CET, base: entry(Entry.LOAD_CET), breaks: { GUEST_IA32_S_CET: NOT_CANONICAL } },
  'guest.ssp-table': { ...CET, base: entry(Entry.LOAD_CET), breaks: { GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR: NOT_CANONICAL } },
  'guest.perf-global-ctrl': { announce: ['perf-global-ctrl'], base: entry(Entry.LOAD_PERF_GLOBAL_CTRL), breaks: { GUEST_IA32_PERF_GLOBAL_CTRL: 1n << 40n }, keeps: { GUEST_IA32_PERF_GLOBAL_CTRL: 0 } },
  'guest.pat': { base: entry(Entry.LOAD_PAT), breaks: { GUEST_IA32_PAT: 3 }, keeps: { GUEST_IA32_PAT: 0x0706_0504_0100_0606n } },
  'guest.efer.reserved': { base: LOADS_EFER, breaks: { GUEST_IA32_EFER: LONG | 2 }, keeps: { GUEST_IA32_EFER: LONG | 1 } },
  'guest.efer.lma': { guest: 'real', base: LOADS_EFER, breaks: { GUEST_IA32_EFER: LONG }, keeps: { GUEST_IA32_EFER: 0x100 } },
  'guest.efer.lme': { base: LOADS_EFER, breaks: { GUEST_IA32_EFER: 0x400 }, keeps: { GUEST_IA32_EFER: LONG } },
  'guest.bndcfgs.reserved': { announce: ['mpx'], base: entry(Entry.LOAD_BNDCFGS), breaks: { GUEST_IA32_BNDCFGS: 4 }, keeps: { GUEST_IA32_BNDCFGS: 3 } },
  'guest.bndcfgs.canonical': { announce: ['mpx'], base: entry(Entry.LOAD_BNDCFGS), breaks: { GUEST_IA32_BNDCFGS: NOT_CANONICAL } },
  'guest.rtit-ctl': { announce: ['processor-trace'], base: entry(Entry.LOAD_RTIT_CTL), breaks: { GUEST_IA32_RTIT_CTL: 1n << 18n }, keeps: { GUEST_IA32_RTIT_CTL: 1n << 15n } },
  'guest.lbr-ctl': { announce: ['lbr'], base: entry(Entry.LOAD_LBR_CTL), breaks: { GUEST_IA32_LBR_CTL: 0x10 }, keeps: { GUEST_IA32_LBR_CTL: 0 } },
  'guest.pkrs': { announce: ['pks'], base: entry(Entry.LOAD_PKRS), breaks: { GUEST_IA32_PKRS: 1n << 32n }, keeps: { GUEST_IA32_PKRS: 0 } },
  'guest.uinv': { announce: ['user-interrupts'], base: entry(Entry.LOAD_UINV), breaks: { GUEST_UINV: 0x100 }, keeps: { GUEST_UINV: 0xff } },
};

type SegmentName = 'CS' | 'SS' | 'DS' | 'ES' | 'FS' | 'GS' | 'TR' | 'LDTR';
const CODE_AND_DATA = ['CS', 'SS', 'DS', 'ES', 'FS', 'GS'] as const;
const DATA = ['DS', 'ES', 'FS', 'GS'] as const;
const rights = (s: SegmentName): FieldName => `GUEST_${s}_ACCESS_RIGHTS`;
const limit = (s: SegmentName): FieldName => `GUEST_${s}_LIMIT`;
const base = (s: SegmentName): FieldName => `GUEST_${s}_BASE`;
const UNUSABLE = 0x1_0000;
const USER_CODE = 0xa0fb;
const CONFORMING = 0xa09f;
/** For each segment a case, by its rule's name. */
const each = (names: readonly SegmentName[], rule: string, make: (s: SegmentName) => EntryCase): Record<string, EntryCase> => Object.fromEntries(names.map((s) => [`guest.${s.toLowerCase()}.${rule}`, make(s)]));
/** An unusable segment escapes the rule; CS has no such bit. */
const unlessUnusable = (s: SegmentName, broken: number): EntryCase => ({ breaks: { [rights(s)]: broken }, ...(s === 'CS' ? {} : { keeps: { [rights(s)]: broken | UNUSABLE } }) });

export const SEGMENT_CASES: Record<string, EntryCase> = {
  'guest.tr.ti': { breaks: { GUEST_TR_SELECTOR: 0x1c }, keeps: { GUEST_TR_SELECTOR: 0x18 } },
  'guest.ldtr.ti': { breaks: { GUEST_LDTR_SELECTOR: 4 }, keeps: { GUEST_LDTR_SELECTOR: 4, GUEST_LDTR_ACCESS_RIGHTS: UNUSABLE } },
  'guest.ss.rpl': { base: { GUEST_SS_SELECTOR: 0x13 }, breaks: { ...RESTRICTED, GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_CS_ACCESS_RIGHTS: CONFORMING } },
  ...each(CODE_AND_DATA, 'base.vm86', (s) => ({ guest: 'vm86', breaks: { [base(s)]: (v: bigint) => v + 1n } })),
  ...each(['TR', 'FS', 'GS'], 'base.canonical', (s) => ({ breaks: { [base(s)]: NOT_CANONICAL }, keeps: { [base(s)]: LOWEST_NEGATIVE } })),
  'guest.ldtr.base.canonical': { breaks: { GUEST_LDTR_BASE: NOT_CANONICAL }, keeps: { GUEST_LDTR_BASE: NOT_CANONICAL, GUEST_LDTR_ACCESS_RIGHTS: UNUSABLE } },
  'guest.cs.base.width': { breaks: { GUEST_CS_BASE: 1n << 32n }, keeps: { GUEST_CS_BASE: 0xffff_ffffn } },
  ...each(['SS', 'DS', 'ES'], 'base.width', (s) => ({ breaks: { [base(s)]: 1n << 32n }, keeps: { [base(s)]: 1n << 32n, [rights(s)]: UNUSABLE } })),
  ...each(CODE_AND_DATA, 'limit.vm86', (s) => ({ guest: 'vm86', breaks: { [limit(s)]: 0xfffe } })),
  ...each(CODE_AND_DATA, 'rights.vm86', (s) => ({ guest: 'vm86', breaks: { [rights(s)]: 0xf2 } })),
  'guest.cs.type': { breaks: { ...RESTRICTED, GUEST_CS_ACCESS_RIGHTS: 0xa093 }, keepsIn: { guest: 'real' } },
  'guest.ss.type': { breaks: { GUEST_SS_ACCESS_RIGHTS: 0xc091 }, keeps: { GUEST_SS_ACCESS_RIGHTS: 0xc097 } },
  ...each(DATA, 'type', (s) => unlessUnusable(s, 0xc092)),
  ...each(CODE_AND_DATA, 's', (s) => unlessUnusable(s, s === 'CS' ? 0xa08b : 0xc083)),
  'guest.cs.dpl': { breaks: { GUEST_CS_ACCESS_RIGHTS: USER_CODE }, keeps: { GUEST_CS_ACCESS_RIGHTS: CONFORMING } },
  'guest.ss.dpl': { breaks: { ...RESTRICTED, GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_CS_ACCESS_RIGHTS: CONFORMING }, keeps: RESTRICTED },
  'guest.ss.dpl.real': { guest: 'real', breaks: { GUEST_SS_ACCESS_RIGHTS: 0xf3 }, keeps: { GUEST_SS_SELECTOR: 0x13, GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_CS_SELECTOR: 0xb, GUEST_CS_ACCESS_RIGHTS: USER_CODE }, keepsIn: { guest: 'long' } },
  ...each(DATA, 'dpl', (s) => ({ base: { ...RESTRICTED, [`GUEST_${s}_SELECTOR`]: 0x13 }, breaks: { [rights(s)]: 0xc093 }, keeps: { [rights(s)]: 0xc09f } })),
  ...each(CODE_AND_DATA, 'present', (s) => unlessUnusable(s, s === 'CS' ? 0xa01b : 0xc013)),
  ...each(CODE_AND_DATA, 'reserved', (s) => ({ breaks: { [rights(s)]: on(0x800) }, keeps: { [rights(s)]: on(0x1000) } })),
  'guest.cs.size': { breaks: { GUEST_CS_ACCESS_RIGHTS: 0xe09b }, keeps: { GUEST_CS_ACCESS_RIGHTS: 0xc09b } },
  ...each(CODE_AND_DATA, 'granularity', (s) => ({ breaks: { [limit(s)]: 0xffff_f000 }, keeps: { [limit(s)]: 0x1_2fff } })),
  'guest.tr.type': { breaks: { GUEST_TR_ACCESS_RIGHTS: 0x83 }, keeps: { GUEST_TR_ACCESS_RIGHTS: 0x83 }, keepsIn: { guest: 'protected' } },
  'guest.tr.s': { breaks: { GUEST_TR_ACCESS_RIGHTS: 0x9b } },
  'guest.tr.present': { breaks: { GUEST_TR_ACCESS_RIGHTS: 0x0b } },
  'guest.tr.reserved': { breaks: { GUEST_TR_ACCESS_RIGHTS: 0x18b }, keeps: { GUEST_TR_ACCESS_RIGHTS: 0x108b } },
  'guest.tr.granularity': { breaks: { GUEST_TR_LIMIT: 0x10_0000 }, keeps: { GUEST_TR_LIMIT: 0xf_ffff } },
  'guest.tr.usable': { breaks: { GUEST_TR_ACCESS_RIGHTS: 0x8b | UNUSABLE } },
  'guest.ldtr.type': unlessUnusable('LDTR', 0x83),
  'guest.ldtr.s': unlessUnusable('LDTR', 0x92),
  'guest.ldtr.present': unlessUnusable('LDTR', 0x02),
  'guest.ldtr.reserved': unlessUnusable('LDTR', 0x182),
  'guest.ldtr.granularity': { breaks: { GUEST_LDTR_LIMIT: 0x10_0000 }, keeps: { GUEST_LDTR_LIMIT: 0x10_0000, GUEST_LDTR_ACCESS_RIGHTS: 0x82 | UNUSABLE } },
  'guest.gdtr.base': { breaks: { GUEST_GDTR_BASE: NOT_CANONICAL }, keeps: { GUEST_GDTR_BASE: LOWEST_NEGATIVE } },
  'guest.idtr.base': { breaks: { GUEST_IDTR_BASE: NOT_CANONICAL }, keeps: { GUEST_IDTR_BASE: LOWEST_NEGATIVE } },
  'guest.gdtr.limit': { breaks: { GUEST_GDTR_LIMIT: 0x1_0000 }, keeps: { GUEST_GDTR_LIMIT: 0xffff } },
  'guest.idtr.limit': { breaks: { GUEST_IDTR_LIMIT: 0x1_0000 }, keeps: { GUEST_IDTR_LIMIT: 0xffff } },
};

const writeRevision =
  (broken: number) =>
  (rig: VmxRig, outcome: 'fails' | 'holds'): void =>
    rig.write32(At.OTHER_VMCS, outcome === 'fails' ? broken : VMCS_REVISION);
const USER: Writes = { GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_CS_ACCESS_RIGHTS: USER_CODE };
const DUAL = { announce: ['dual-monitor'], also: ['control.entry.smm', 'guest.interruptibility.smm'], status: 7 };

export const STATE_CASES: Record<string, EntryCase> = {
  'guest.rip.width': { base: { EXCEPTION_BITMAP: PF_EXITS, GUEST_RIP: (1n << 32n) | BigInt(GUEST_CODE) }, breaks: { GUEST_CS_ACCESS_RIGHTS: 0xc09b }, exit: EXCEPTION },
  'guest.rip.upper-bits': { base: { EXCEPTION_BITMAP: GP_EXITS }, breaks: { GUEST_RIP: 1n << 48n }, keeps: { GUEST_RIP: NOT_CANONICAL }, exit: EXCEPTION },
  'guest.rflags.reserved': { breaks: { GUEST_RFLAGS: 0 }, keeps: { GUEST_RFLAGS: 0x246 } },
  'guest.rflags.vm.long-mode': { guest: 'vm86', breaks: { ...entry(Entry.IA32E_MODE_GUEST), GUEST_CR4: 0x2020 } },
  'guest.rflags.vm.real-mode': { guest: 'vm86', breaks: { GUEST_CR0: 0x20 } },
  'guest.rflags.if': { guest: 'real', base: inject(INTERRUPT_20), breaks: { GUEST_RFLAGS: 2 }, keeps: { GUEST_RFLAGS: 0x202 }, exit: 'HLT' },
  'guest.ssp': { ...CET, base: entry(Entry.LOAD_CET), breaks: { GUEST_SSP: 2 }, keeps: { GUEST_SSP: 8 } },
  'guest.activity.supported': { breaks: { GUEST_ACTIVITY_STATE: 4 }, keeps: { GUEST_ACTIVITY_STATE: 1 }, exit: undefined },
  'guest.activity.hlt-dpl': { base: { GUEST_ACTIVITY_STATE: 1 }, breaks: USER, exit: undefined },
  'guest.activity.blocking': { base: { GUEST_INTERRUPTIBILITY_STATE: 2 }, breaks: { GUEST_ACTIVITY_STATE: 1 } },
  'guest.activity.event': { guest: 'real', base: { ...inject(INTERRUPT_20), GUEST_RFLAGS: 0x202 }, breaks: { GUEST_ACTIVITY_STATE: 2 }, keeps: { GUEST_ACTIVITY_STATE: 1 }, exit: 'HLT' },
  'guest.activity.smm': { ...DUAL, breaks: { ...entry(Entry.ENTRY_TO_SMM), GUEST_ACTIVITY_STATE: 3 } },
  'guest.interruptibility.reserved': { breaks: { GUEST_INTERRUPTIBILITY_STATE: 0x20 }, keeps: { GUEST_INTERRUPTIBILITY_STATE: 8 } },
  'guest.interruptibility.both': { base: { GUEST_RFLAGS: 0x202 }, breaks: { GUEST_INTERRUPTIBILITY_STATE: 3 }, keeps: { GUEST_INTERRUPTIBILITY_STATE: 2 } },
  'guest.interruptibility.sti': { base: { GUEST_INTERRUPTIBILITY_STATE: 1 }, breaks: { GUEST_RFLAGS: 2 }, keeps: { GUEST_RFLAGS: 0x202 } },
  'guest.interruptibility.interrupt': { guest: 'real', base: { ...inject(INTERRUPT_20), GUEST_RFLAGS: 0x202 }, breaks: { GUEST_INTERRUPTIBILITY_STATE: 1 }, keeps: { GUEST_INTERRUPTIBILITY_STATE: 8 }, exit: 'HLT' },
  'guest.interruptibility.nmi': { guest: 'real', base: inject(NMI), breaks: { GUEST_INTERRUPTIBILITY_STATE: 2 }, keeps: { GUEST_INTERRUPTIBILITY_STATE: 8 }, exit: 'HLT' },
  'guest.interruptibility.smi': { breaks: { GUEST_INTERRUPTIBILITY_STATE: 4 } },
  'guest.interruptibility.smm': { ...DUAL, breaks: entry(Entry.ENTRY_TO_SMM) },
  'guest.interruptibility.nmi-sti': { guest: 'real', base: { ...inject(NMI), GUEST_RFLAGS: 0x202 }, breaks: { GUEST_INTERRUPTIBILITY_STATE: 1 }, keeps: { GUEST_INTERRUPTIBILITY_STATE: 0 }, exit: 'HLT' },
  'guest.interruptibility.virtual-nmi': { guest: 'real', base: { ...inject(NMI), PIN_BASED_CONTROLS: on(Pin.VIRTUAL_NMIS | Pin.NMI_EXITING) }, breaks: { GUEST_INTERRUPTIBILITY_STATE: 8 }, keeps: { GUEST_INTERRUPTIBILITY_STATE: 0 }, exit: 'HLT' },
  'guest.interruptibility.enclave': { breaks: { GUEST_INTERRUPTIBILITY_STATE: 0x10 } },
  'guest.pending-debug.reserved': { guest: 'real', base: { GUEST_RFLAGS: 0x102 }, breaks: { GUEST_PENDING_DEBUG_EXCEPTIONS: 0x8000 }, keeps: { GUEST_PENDING_DEBUG_EXCEPTIONS: 0x4000 }, exit: 'HLT' },
  'guest.pending-debug.bs': { guest: 'real', base: { GUEST_RFLAGS: 0x102, GUEST_INTERRUPTIBILITY_STATE: 2 }, breaks: { GUEST_PENDING_DEBUG_EXCEPTIONS: 0 }, keeps: { GUEST_PENDING_DEBUG_EXCEPTIONS: 0x4000 } },
  'guest.link-pointer.address': { breaks: { VMCS_LINK_POINTER: At.OTHER_VMCS + 1 }, keeps: { VMCS_LINK_POINTER: At.OTHER_VMCS } },
  'guest.link-pointer.revision': { memory: writeRevision(VMCS_REVISION + 1), base: { VMCS_LINK_POINTER: At.OTHER_VMCS }, breaks: {} },
  'guest.link-pointer.shadow': { memory: writeRevision((VMCS_REVISION | 0x8000_0000) >>> 0), base: { VMCS_LINK_POINTER: At.OTHER_VMCS }, breaks: {} },
  'guest.link-pointer.current': { breaks: { VMCS_LINK_POINTER: At.VMCS }, keeps: { VMCS_LINK_POINTER: At.OTHER_VMCS } },
  ...Object.fromEntries(([0, 1, 2, 3] as const).map((n) => [`guest.pdpte${n}`, { guest: 'pae', base: { EXCEPTION_BITMAP: PF_EXITS, GUEST_PDPTE0: 0 }, breaks: { [`GUEST_PDPTE${n}`]: 0x5003 }, keeps: { [`GUEST_PDPTE${n}`]: n === 0 ? 2 : 0x5001 }, exit: EXCEPTION } satisfies EntryCase])),
  'guest.pdptes.memory': { guest: 'pae-no-ept', memory: (rig, outcome) => rig.write64(0x9018, outcome === 'fails' ? 0x5101n : 0x5001n), base: { EXCEPTION_BITMAP: PF_EXITS, GUEST_CR3: 0x9000 }, breaks: {}, exit: EXCEPTION },
};

/** What one entry of the VM-entry MSR-load area holds: index (64 bits, with the reserved ones) and value. */
export interface MsrCase {
  breaks: readonly [index: bigint, value: bigint];
  /** How many entries; the broken one is the last. 2 when absent. */
  count?: number;
  keeps: readonly [index: bigint, value: bigint];
  keepsCount?: number;
}

const GOOD = [0xc000_0102n, 0n] as const;
export const MSR_CASES: Record<string, MsrCase> = {
  'msr-load.count': { breaks: GOOD, count: 513, keeps: GOOD, keepsCount: 512 },
  'msr-load.fs-base': { breaks: [0xc000_0100n, 0n], keeps: GOOD },
  'msr-load.gs-base': { breaks: [0xc000_0101n, 0n], keeps: GOOD },
  'msr-load.x2apic': { breaks: [0x808n, 0n], keeps: GOOD },
  'msr-load.smm': { breaks: [0x9bn, 0n], keeps: GOOD },
  'msr-load.model-specific': { breaks: [0x8bn, 0n], keeps: GOOD },
  'msr-load.reserved': { breaks: [0x1_c000_0102n, 0n], keeps: GOOD },
  'msr-load.value': { breaks: [0xc000_0082n, NOT_CANONICAL], keeps: [0xc000_0082n, LOWEST_NEGATIVE] },
};
