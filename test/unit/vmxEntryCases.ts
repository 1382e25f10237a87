/**
 * A tiny VMM for each outcome of each VM-entry check: which guest it prepares, what it writes so that the rule is broken,
 * and what it writes so that the rule only just holds.
 */
import { Entry, Exit, type FieldName, Pin, Primary, Secondary } from '../../src/vmx';
import type { VmxRig } from './vmxRig';

/** Fields to write; a function makes a value of the present one. */
export type Writes = Partial<Record<FieldName, number | bigint | ((value: bigint) => bigint)>>;
/** Real mode, 64-bit mode, 32-bit mode with paging, virtual-8086 mode, 32-bit mode with PAE paging; the last also without EPT. */
export type GuestMode = 'real' | 'long' | 'protected' | 'vm86' | 'pae' | 'pae-no-ept';

export interface EntryCase {
  /** 'long' when absent. */
  guest?: GuestMode;
  /** The VMM is in 32-bit mode. */
  vmm32?: boolean;
  /** Features that the processor announces for the test although they need not be implemented, and those it is deprived of. */
  announce?: string[];
  without?: string[];
  /** Written for both outcomes, before. */
  base?: Writes;
  memory?: (rig: VmxRig, outcome: 'fails' | 'holds') => void;
  breaks: Writes;
  /** What makes the rule hold; the guest as it is when absent. */
  keeps?: Writes;
  /** Another guest, or processor, for the outcome that holds. */
  keepsIn?: Pick<EntryCase, 'guest' | 'vmm32' | 'without'>;
  /** Rules that the broken VMCS breaks too. */
  also?: string[];
  /** The exit that ends the guest when the rule holds; none for a guest that does not run. CPUID when absent. */
  exit?: string | undefined;
  /** How the entry fails when that is not told by the rule's stage, because a rule of an earlier stage is broken too. */
  status?: number;
}

const on =
  (bits: number) =>
  (value: bigint): bigint =>
    value | BigInt(bits >>> 0);
const off =
  (bits: number) =>
  (value: bigint): bigint =>
    value & ~BigInt(bits >>> 0);

const TOO_WIDE = 1n << 41n;
const NOT_CANONICAL = 1n << 47n;
const LOWEST_NEGATIVE = 0xffff_8000_0000_0000n;
const PAGE = 0x1_8000;
const MSR_AREA = 0x4_0000;
const KERNEL_GS_BASE = 0xc000_0102n;

const primary = (bits: number): Writes => ({ PRIMARY_PROCESSOR_BASED_CONTROLS: on(bits) });
const secondary = (bits: number): Writes => ({ SECONDARY_PROCESSOR_BASED_CONTROLS: on(bits) });
const pin = (bits: number): Writes => ({ PIN_BASED_CONTROLS: on(bits) });
const exit = (bits: number): Writes => ({ VM_EXIT_CONTROLS: on(bits) });
const entry = (bits: number): Writes => ({ VM_ENTRY_CONTROLS: on(bits) });

/** A page's address that must be aligned while a control is on. */
const page = (base: Writes, field: FieldName, more: Partial<EntryCase> = {}): EntryCase => ({ base, breaks: { [field]: PAGE + 1 }, keeps: { [field]: PAGE }, ...more });
const TERTIARY = { announce: ['tertiary-controls', 'hlat', 'ipi-virtualization'] };
const tertiary = (bits: number): Writes => ({ PRIMARY_PROCESSOR_BASED_CONTROLS: on(Primary.TERTIARY_CONTROLS), TERTIARY_PROCESSOR_BASED_CONTROLS: bits });
const NO_EPT: Writes = { SECONDARY_PROCESSOR_BASED_CONTROLS: off(Secondary.EPT | Secondary.UNRESTRICTED_GUEST) };
/** A control that needs EPT. */
const needsEpt = (bit: number, feature: string, more: Partial<EntryCase> = {}): EntryCase => ({ announce: [feature], breaks: { SECONDARY_PROCESSOR_BASED_CONTROLS: (v) => off(Secondary.EPT | Secondary.UNRESTRICTED_GUEST)(v) | BigInt(bit) }, ...more });

const APIC = ['tpr-shadow', 'virtualize-apic-accesses', 'virtualize-x2apic-mode', 'apic-register-virtualization', 'virtual-interrupt-delivery', 'posted-interrupts'];
const apic = (breaks: Writes, base: Writes = {}, keeps: Writes = {}, more: Partial<EntryCase> = {}): EntryCase => ({ announce: APIC, base, breaks, keeps, ...more });
const TPR: Writes = { ...primary(Primary.TPR_SHADOW), VIRTUAL_APIC_ADDRESS: PAGE };
const DELIVERY: Writes = { ...TPR, ...secondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY), ...pin(Pin.EXTERNAL_INTERRUPT_EXITING) };
const POSTED: Writes = { ...DELIVERY, ...pin(Pin.EXTERNAL_INTERRUPT_EXITING | Pin.POSTED_INTERRUPTS), ...exit(Exit.ACKNOWLEDGE_INTERRUPT), POSTED_INTERRUPT_DESCRIPTOR_ADDRESS: PAGE + 0x1000, POSTED_INTERRUPT_NOTIFICATION_VECTOR: 0xf2 };
const eptp = (bits: number): Writes => ({ EPT_POINTER: on(bits) });

export const EXECUTION_CASES: Record<string, EntryCase> = {
  'control.pin.reserved': { breaks: { PIN_BASED_CONTROLS: 0 }, keeps: pin(Pin.NMI_EXITING) },
  'control.primary.reserved': { breaks: primary(1), keeps: primary(Primary.RDTSC_EXITING) },
  'control.secondary.reserved': { breaks: secondary(1 << 29), keeps: secondary(Secondary.WBINVD_EXITING) },
  'control.tertiary.reserved': { ...TERTIARY, breaks: { ...primary(Primary.TERTIARY_CONTROLS), TERTIARY_PROCESSOR_BASED_CONTROLS: 1n << 63n }, keeps: tertiary(0) },
  'control.cr3-target-count': { breaks: { CR3_TARGET_COUNT: 5 }, keeps: { CR3_TARGET_COUNT: 4 } },
  'control.io-bitmap-a': page(primary(Primary.IO_BITMAPS), 'IO_BITMAP_A'),
  'control.io-bitmap-b': page(primary(Primary.IO_BITMAPS), 'IO_BITMAP_B', { breaks: { IO_BITMAP_B: TOO_WIDE } }),
  'control.msr-bitmap': page({}, 'MSR_BITMAP'),
  'control.virtual-apic-address': apic({ VIRTUAL_APIC_ADDRESS: PAGE + 1 }, TPR),
  'control.tpr-threshold.reserved': apic({ TPR_THRESHOLD: 0x10 }, TPR),
  'control.tpr-threshold.priority': apic({ TPR_THRESHOLD: 4 }, TPR, { TPR_THRESHOLD: 3 }, { memory: (rig) => rig.write32(PAGE + 0x80, 0x3f) }),
  'control.virtual-nmis': { breaks: pin(Pin.VIRTUAL_NMIS), keeps: pin(Pin.VIRTUAL_NMIS | Pin.NMI_EXITING) },
  'control.nmi-window': { breaks: primary(Primary.NMI_WINDOW_EXITING), keeps: { ...primary(Primary.NMI_WINDOW_EXITING), ...pin(Pin.VIRTUAL_NMIS | Pin.NMI_EXITING) }, exit: 'NMI_WINDOW' },
  'control.apic-access-address': apic({ APIC_ACCESS_ADDRESS: PAGE + 1 }, { ...secondary(Secondary.VIRTUALIZE_APIC_ACCESSES), APIC_ACCESS_ADDRESS: PAGE }),
  'control.x2apic.tpr-shadow': apic(secondary(Secondary.VIRTUALIZE_X2APIC), {}, { ...TPR, ...secondary(Secondary.VIRTUALIZE_X2APIC) }),
  'control.apic-registers.tpr-shadow': apic(secondary(Secondary.APIC_REGISTER_VIRTUALIZATION), {}, { ...TPR, ...secondary(Secondary.APIC_REGISTER_VIRTUALIZATION) }),
  'control.virtual-delivery.tpr-shadow': apic({ ...secondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY), ...pin(Pin.EXTERNAL_INTERRUPT_EXITING) }, {}, DELIVERY),
  'control.x2apic.apic-accesses': apic(secondary(Secondary.VIRTUALIZE_APIC_ACCESSES | Secondary.VIRTUALIZE_X2APIC), { ...TPR, APIC_ACCESS_ADDRESS: PAGE + 0x1000 }, secondary(Secondary.VIRTUALIZE_X2APIC)),
  'control.virtual-delivery.external-interrupts': apic({ ...TPR, ...secondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY) }, {}, DELIVERY),
  'control.posted.virtual-delivery': apic({ SECONDARY_PROCESSOR_BASED_CONTROLS: off(Secondary.VIRTUAL_INTERRUPT_DELIVERY) }, POSTED),
  'control.posted.acknowledge': apic({ VM_EXIT_CONTROLS: off(Exit.ACKNOWLEDGE_INTERRUPT) }, POSTED),
  'control.posted.vector': apic({ POSTED_INTERRUPT_NOTIFICATION_VECTOR: 0x100 }, POSTED),
  'control.posted.descriptor': apic({ POSTED_INTERRUPT_DESCRIPTOR_ADDRESS: PAGE + 0x20 }, POSTED, { POSTED_INTERRUPT_DESCRIPTOR_ADDRESS: PAGE + 0x1040 }),
  'control.vpid': { base: secondary(Secondary.VPID), breaks: { VPID: 0 }, keeps: { VPID: 1 } },
  'control.eptp.memory-type': { breaks: eptp(1), keeps: eptp(6) },
  'control.eptp.walk-length': { breaks: { EPT_POINTER: (v) => (v & ~0x38n) | 0x10n } },
  'control.eptp.accessed-dirty': { without: ['ept-ad'], breaks: eptp(0x40), keeps: eptp(0x40), keepsIn: { without: [] } },
  'control.eptp.shadow-stack': { breaks: eptp(0x80) },
  'control.eptp.reserved': { breaks: eptp(0x100) },
  'control.pml.ept': needsEpt(Secondary.PML, 'pml', { base: { PML_ADDRESS: PAGE }, keeps: secondary(Secondary.PML) }),
  'control.pml.address': page({ ...secondary(Secondary.PML), ...eptp(0x40), PML_INDEX: 511 }, 'PML_ADDRESS', { announce: ['pml'] }),
  'control.unrestricted-guest': { breaks: { SECONDARY_PROCESSOR_BASED_CONTROLS: off(Secondary.EPT) } },
  'control.mode-based-execute': needsEpt(Secondary.MODE_BASED_EXECUTE, 'mode-based-execute'),
  'control.sub-page.ept': needsEpt(Secondary.SUB_PAGE_PERMISSIONS, 'sub-page-permissions', { base: { SUB_PAGE_PERMISSION_TABLE_POINTER: PAGE } }),
  'control.sub-page.pointer': page(secondary(Secondary.SUB_PAGE_PERMISSIONS), 'SUB_PAGE_PERMISSION_TABLE_POINTER', { announce: ['sub-page-permissions'] }),
  'control.vm-functions.reserved': { announce: ['vmfunc'], base: { ...secondary(Secondary.VM_FUNCTIONS), EPTP_LIST_ADDRESS: PAGE }, breaks: { VM_FUNCTION_CONTROLS: 2 }, keeps: { VM_FUNCTION_CONTROLS: 1 } },
  'control.eptp-switching.ept': needsEpt(Secondary.VM_FUNCTIONS, 'vmfunc', { base: { VM_FUNCTION_CONTROLS: 1, EPTP_LIST_ADDRESS: PAGE }, keeps: secondary(Secondary.VM_FUNCTIONS) }),
  'control.eptp-switching.list': page({ ...secondary(Secondary.VM_FUNCTIONS), VM_FUNCTION_CONTROLS: 1 }, 'EPTP_LIST_ADDRESS', { announce: ['vmfunc'] }),
  'control.vmread-bitmap': page({ ...secondary(Secondary.VMCS_SHADOWING), VMWRITE_BITMAP: PAGE }, 'VMREAD_BITMAP', { announce: ['vmcs-shadowing'] }),
  'control.vmwrite-bitmap': page({ ...secondary(Secondary.VMCS_SHADOWING), VMREAD_BITMAP: PAGE }, 'VMWRITE_BITMAP', { announce: ['vmcs-shadowing'] }),
  'control.virtualization-exception': page(secondary(Secondary.EPT_VIOLATION_VE), 'VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS', { announce: ['ept-violation-ve'] }),
  'control.processor-trace.ept': needsEpt(Secondary.PT_GUEST_PHYSICAL, 'processor-trace', { base: { ...entry(Entry.LOAD_RTIT_CTL), ...exit(Exit.CLEAR_RTIT_CTL) } }),
  'control.processor-trace.entry': { announce: ['processor-trace'], base: { ...secondary(Secondary.PT_GUEST_PHYSICAL), ...exit(Exit.CLEAR_RTIT_CTL) }, breaks: {}, keeps: entry(Entry.LOAD_RTIT_CTL) },
  'control.processor-trace.exit': { announce: ['processor-trace'], base: { ...secondary(Secondary.PT_GUEST_PHYSICAL), ...entry(Entry.LOAD_RTIT_CTL) }, breaks: {}, keeps: exit(Exit.CLEAR_RTIT_CTL) },
  'control.tsc-multiplier': { base: secondary(Secondary.TSC_SCALING), breaks: { TSC_MULTIPLIER: 0 }, keeps: { TSC_MULTIPLIER: 1n << 48n } },
  'control.pasid.low': page({ ...secondary(Secondary.PASID_TRANSLATION), HIGH_PASID_DIRECTORY_ADDRESS: PAGE }, 'LOW_PASID_DIRECTORY_ADDRESS', { announce: ['pasid-translation'] }),
  'control.pasid.high': page({ ...secondary(Secondary.PASID_TRANSLATION), LOW_PASID_DIRECTORY_ADDRESS: PAGE }, 'HIGH_PASID_DIRECTORY_ADDRESS', { announce: ['pasid-translation'] }),
  'control.hlat.ept': { ...TERTIARY, base: tertiary(2), breaks: NO_EPT },
  'control.hlat.pointer': { ...TERTIARY, base: tertiary(2), breaks: { HLAT_POINTER: PAGE + 0x20 }, keeps: { HLAT_POINTER: PAGE + 0x18 } },
  'control.paging-write.ept': { ...TERTIARY, base: tertiary(4), breaks: NO_EPT },
  'control.paging-verification.ept': { ...TERTIARY, base: tertiary(8), breaks: NO_EPT },
  'control.ipi.tpr-shadow': { announce: [...TERTIARY.announce, ...APIC], base: tertiary(0x10), breaks: {}, keeps: { PRIMARY_PROCESSOR_BASED_CONTROLS: on(Primary.TERTIARY_CONTROLS | Primary.TPR_SHADOW), VIRTUAL_APIC_ADDRESS: PAGE } },
  'control.ipi.table': { announce: [...TERTIARY.announce, ...APIC], base: { ...tertiary(0x10), PRIMARY_PROCESSOR_BASED_CONTROLS: on(Primary.TERTIARY_CONTROLS | Primary.TPR_SHADOW), VIRTUAL_APIC_ADDRESS: PAGE }, breaks: { PID_POINTER_TABLE_ADDRESS: PAGE + 4 }, keeps: { PID_POINTER_TABLE_ADDRESS: PAGE + 8 } },
  'control.ipi.last': { announce: [...TERTIARY.announce, ...APIC], base: { ...tertiary(0x10), PRIMARY_PROCESSOR_BASED_CONTROLS: on(Primary.TERTIARY_CONTROLS | Primary.TPR_SHADOW), VIRTUAL_APIC_ADDRESS: PAGE, PID_POINTER_TABLE_ADDRESS: TOO_WIDE - 16n }, breaks: { LAST_PID_POINTER_INDEX: 2 }, keeps: { LAST_PID_POINTER_INDEX: 1 } },
};

/** An area of one entry that can be loaded and stored. */
const msrArea = (address: FieldName, count: FieldName): EntryCase => ({
  memory: (rig) => rig.write64(MSR_AREA, KERNEL_GS_BASE),
  base: { [count]: 1 },
  breaks: { [address]: MSR_AREA + 8 },
  keeps: { [address]: MSR_AREA },
});
const msrCount = (address: FieldName, count: FieldName): EntryCase => ({
  memory: (rig) => {
    for (let i = 0; i <= 512; i++) rig.write64(MSR_AREA + i * 16, KERNEL_GS_BASE);
  },
  base: { [address]: MSR_AREA },
  breaks: { [count]: 513 },
  keeps: { [count]: 512 },
});
const inject = (info: number): Writes => ({ VM_ENTRY_INTERRUPTION_INFO: (0x8000_0000 | info) >>> 0 });
const INTERRUPT_20 = 0x020;
const NMI = 0x202;

export const EXIT_ENTRY_CASES: Record<string, EntryCase> = {
  'control.exit.reserved': { breaks: { VM_EXIT_CONTROLS: off(1) }, keeps: exit(Exit.SAVE_DEBUG_CONTROLS) },
  'control.exit.secondary.reserved': { announce: ['secondary-exit-controls'], base: exit(Exit.SECONDARY_EXIT_CONTROLS), breaks: { SECONDARY_VM_EXIT_CONTROLS: 1 << 5 }, keeps: { SECONDARY_VM_EXIT_CONTROLS: 0 } },
  'control.exit.preemption-timer': { breaks: exit(Exit.SAVE_PREEMPTION_TIMER), keeps: { ...exit(Exit.SAVE_PREEMPTION_TIMER), ...pin(Pin.PREEMPTION_TIMER), PREEMPTION_TIMER_VALUE: 1000 } },
  'control.exit.msr-store': msrArea('VM_EXIT_MSR_STORE_ADDRESS', 'VM_EXIT_MSR_STORE_COUNT'),
  'control.exit.msr-load': msrArea('VM_EXIT_MSR_LOAD_ADDRESS', 'VM_EXIT_MSR_LOAD_COUNT'),
  'control.exit.msr-store-count': msrCount('VM_EXIT_MSR_STORE_ADDRESS', 'VM_EXIT_MSR_STORE_COUNT'),
  'control.exit.msr-load-count': msrCount('VM_EXIT_MSR_LOAD_ADDRESS', 'VM_EXIT_MSR_LOAD_COUNT'),
  'control.entry.reserved': { breaks: { VM_ENTRY_CONTROLS: Entry.IA32E_MODE_GUEST }, keeps: entry(Entry.LOAD_DEBUG_CONTROLS) },
  'control.entry.event-type': { guest: 'real', breaks: inject(0x120), keeps: inject(0x700), exit: 'MONITOR_TRAP_FLAG' },
  'control.entry.event-vector': { guest: 'real', breaks: inject(0x203), keeps: inject(NMI), exit: 'HLT' },
  'control.entry.event-error-code': { guest: 'real', breaks: inject(0xb0d), keeps: inject(0x30d), exit: 'HLT' },
  'control.entry.event-reserved': { guest: 'real', base: { GUEST_RFLAGS: 0x202 }, breaks: inject(0x1000 | INTERRUPT_20), keeps: inject(INTERRUPT_20), exit: 'HLT' },
  'control.entry.error-code': { base: inject(0xb0d), breaks: { VM_ENTRY_EXCEPTION_ERROR_CODE: 0x1_0000 }, keeps: { VM_ENTRY_EXCEPTION_ERROR_CODE: 0xffff }, exit: 'TRIPLE_FAULT' },
  'control.entry.instruction-length': { guest: 'real', base: inject(0x420), breaks: { VM_ENTRY_INSTRUCTION_LENGTH: 16 }, keeps: { VM_ENTRY_INSTRUCTION_LENGTH: 15 }, exit: 'HLT' },
  'control.entry.msr-load': msrArea('VM_ENTRY_MSR_LOAD_ADDRESS', 'VM_ENTRY_MSR_LOAD_COUNT'),
  'control.entry.smm': { breaks: entry(Entry.ENTRY_TO_SMM), also: ['control.entry.reserved'] },
};

/** IA32_EFER: LME and LMA. */
const LONG = 0x500;
const hostBase = (field: FieldName): EntryCase => ({ breaks: { [field]: NOT_CANONICAL }, keeps: { [field]: LOWEST_NEGATIVE } });
const hostSelector = (field: FieldName): EntryCase => ({ breaks: { [field]: (v: bigint) => v | 4n } });
const CET = { announce: ['cet'] };
const CR4_CET = 1 << 23;
const HOST_SIZE = Exit.HOST_ADDRESS_SPACE_SIZE;

export const HOST_CASES: Record<string, EntryCase> = {
  'host.cr0.fixed': { breaks: { HOST_CR0: off(0x20) } },
  'host.cr0.cet': { ...CET, breaks: { HOST_CR4: on(CR4_CET) }, also: ['host.cr4.fixed'] },
  'host.cr4.fixed': { breaks: { HOST_CR4: off(0x2000) }, keeps: { HOST_CR4: on(0x80) } },
  'host.cr3.width': { breaks: { HOST_CR3: TOO_WIDE } },
  'host.sysenter-esp.canonical': hostBase('HOST_IA32_SYSENTER_ESP'),
  'host.sysenter-eip.canonical': hostBase('HOST_IA32_SYSENTER_EIP'),
  'host.perf-global-ctrl': { announce: ['perf-global-ctrl'], base: exit(Exit.LOAD_PERF_GLOBAL_CTRL), breaks: { HOST_IA32_PERF_GLOBAL_CTRL: 1n << 40n }, keeps: { HOST_IA32_PERF_GLOBAL_CTRL: 0 } },
  'host.pat': { base: exit(Exit.LOAD_PAT), breaks: { HOST_IA32_PAT: 2n << 56n }, keeps: { HOST_IA32_PAT: 0x0706_0504_0100_0606n } },
  'host.efer.reserved': { base: exit(Exit.LOAD_EFER), breaks: { HOST_IA32_EFER: LONG | 2 }, keeps: { HOST_IA32_EFER: LONG | 1 } },
  'host.efer.long-mode': { base: exit(Exit.LOAD_EFER), breaks: { HOST_IA32_EFER: 0x100 }, keeps: { HOST_IA32_EFER: LONG } },
  'host.s-cet': { ...CET, base: exit(Exit.LOAD_CET), breaks: { HOST_IA32_S_CET: 0xc00 }, keeps: { HOST_IA32_S_CET: 0x400 } },
  'host.s-cet.canonical': { ...CET, base: exit(Exit.LOAD_CET), breaks: { HOST_IA32_S_CET: NOT_CANONICAL }, keeps: { HOST_IA32_S_CET: LOWEST_NEGATIVE } },
  'host.ssp': { ...CET, base: exit(Exit.LOAD_CET), breaks: { HOST_SSP: 2 }, keeps: { HOST_SSP: 4 } },
  'host.ssp-table': { ...CET, base: exit(Exit.LOAD_CET), breaks: { HOST_IA32_INTERRUPT_SSP_TABLE_ADDR: NOT_CANONICAL } },
  'host.pkrs': { announce: ['pks'], base: exit(Exit.LOAD_PKRS), breaks: { HOST_IA32_PKRS: 1n << 32n }, keeps: { HOST_IA32_PKRS: 0xffff_ffffn } },
  ...Object.fromEntries((['CS', 'SS', 'DS', 'ES', 'FS', 'GS', 'TR'] as const).map((s) => [`host.${s.toLowerCase()}.selector`, hostSelector(`HOST_${s}_SELECTOR`)])),
  'host.cs.null': { breaks: { HOST_CS_SELECTOR: 0 } },
  'host.tr.null': { breaks: { HOST_TR_SELECTOR: 0 } },
  'host.ss.null': { guest: 'real', vmm32: true, breaks: { HOST_SS_SELECTOR: 0 }, keeps: { HOST_SS_SELECTOR: 0 }, keepsIn: { vmm32: false } },
  ...Object.fromEntries((['FS', 'GS', 'GDTR', 'IDTR', 'TR'] as const).map((s) => [`host.${s.toLowerCase()}.base`, hostBase(`HOST_${s}_BASE`)])),
  'host.size.32-guest': { guest: 'real', vmm32: true, breaks: entry(Entry.IA32E_MODE_GUEST), also: ['host.size.guest', 'guest.long-mode.paging', 'guest.long-mode.pae'] },
  'host.size.32': { guest: 'real', vmm32: true, breaks: { ...exit(HOST_SIZE), HOST_CR4: on(0x20) } },
  'host.size.64': { guest: 'real', breaks: { VM_EXIT_CONTROLS: off(HOST_SIZE) } },
  'host.size.guest': { breaks: { VM_EXIT_CONTROLS: off(HOST_SIZE) }, also: ['host.size.64'] },
  'host.size.pcide': { guest: 'real', vmm32: true, breaks: { HOST_CR4: on(1 << 17) }, also: ['host.cr4.fixed'] },
  'host.size.rip': { guest: 'real', vmm32: true, breaks: { HOST_RIP: (v) => v | (1n << 32n) } },
  'host.size.pae': { breaks: { HOST_CR4: off(0x20) } },
  'host.rip.canonical': { breaks: { HOST_RIP: NOT_CANONICAL } },
};
