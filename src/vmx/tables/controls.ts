/**
 * The VMX controls, bit by bit: Intel SDM volume 3, "VM-Execution Control Fields", "VM-Exit Control Fields" and
 * "VM-Entry Control Fields".
 *
 * A row is [bit, key, name, feature, what it does when 1]. `key` names the bit in code, `name` is the SDM's; `feature` is
 * what the processor must have to allow 1 (empty: every processor allows it).
 */
import type { FieldName } from './fields';

type Row<K extends string> = readonly [bit: number, key: K, name: string, feature: string, sentence: string];

const PIN = [
  [0, 'EXTERNAL_INTERRUPT_EXITING', 'external-interrupt exiting', '', 'External interrupts cause VM exits instead of going through the guest\'s IDT.'],
  [3, 'NMI_EXITING', 'NMI exiting', '', 'Non-maskable interrupts cause VM exits.'],
  [5, 'VIRTUAL_NMIS', 'virtual NMIs', 'virtual-nmis', 'Blocking by NMI in the interruptibility state is about injected NMIs, not real ones.'],
  [6, 'PREEMPTION_TIMER', 'activate VMX-preemption timer', 'preemption-timer', 'The preemption timer counts down in the guest and causes a VM exit at zero.'],
  [7, 'POSTED_INTERRUPTS', 'process posted interrupts', 'posted-interrupts', 'The notification vector delivers posted interrupts to the guest without a VM exit.'],
] as const satisfies readonly Row<string>[];

const PRIMARY = [
  [2, 'INTERRUPT_WINDOW_EXITING', 'interrupt-window exiting', '', 'A VM exit occurs as soon as the guest could take an interrupt (RFLAGS.IF is 1 and nothing blocks).'],
  [3, 'TSC_OFFSETTING', 'use TSC offsetting', '', 'The TSC offset is added to what the guest reads as the time-stamp counter.'],
  [7, 'HLT_EXITING', 'HLT exiting', '', 'HLT causes VM exits.'],
  [9, 'INVLPG_EXITING', 'INVLPG exiting', '', 'INVLPG (and INVPCID) cause VM exits.'],
  [10, 'MWAIT_EXITING', 'MWAIT exiting', '', 'MWAIT causes VM exits.'],
  [11, 'RDPMC_EXITING', 'RDPMC exiting', '', 'RDPMC causes VM exits.'],
  [12, 'RDTSC_EXITING', 'RDTSC exiting', '', 'RDTSC and RDTSCP cause VM exits.'],
  [15, 'CR3_LOAD_EXITING', 'CR3-load exiting', '', 'MOV to CR3 causes VM exits, except for the CR3-target values.'],
  [16, 'CR3_STORE_EXITING', 'CR3-store exiting', '', 'MOV from CR3 causes VM exits.'],
  [17, 'TERTIARY_CONTROLS', 'activate tertiary controls', 'tertiary-controls', 'The tertiary processor-based controls are used.'],
  [19, 'CR8_LOAD_EXITING', 'CR8-load exiting', '', 'MOV to CR8 causes VM exits.'],
  [20, 'CR8_STORE_EXITING', 'CR8-store exiting', '', 'MOV from CR8 causes VM exits.'],
  [21, 'TPR_SHADOW', 'use TPR shadow', 'tpr-shadow', 'CR8 is the task priority on the virtual-APIC page.'],
  [22, 'NMI_WINDOW_EXITING', 'NMI-window exiting', 'virtual-nmis', 'A VM exit occurs as soon as the guest could take a virtual NMI.'],
  [23, 'MOV_DR_EXITING', 'MOV-DR exiting', '', 'MOV to and from debug registers causes VM exits.'],
  [24, 'UNCONDITIONAL_IO_EXITING', 'unconditional I/O exiting', '', 'Every port access causes a VM exit (ignored when I/O bitmaps are used).'],
  [25, 'IO_BITMAPS', 'use I/O bitmaps', '', 'The two I/O bitmaps say which ports cause VM exits.'],
  [27, 'MONITOR_TRAP_FLAG', 'monitor trap flag', 'monitor-trap-flag', 'A VM exit occurs after every guest instruction.'],
  [28, 'MSR_BITMAPS', 'use MSR bitmaps', 'msr-bitmaps', 'The MSR bitmap says which RDMSR and WRMSR cause VM exits; otherwise all do.'],
  [29, 'MONITOR_EXITING', 'MONITOR exiting', '', 'MONITOR causes VM exits.'],
  [30, 'PAUSE_EXITING', 'PAUSE exiting', '', 'PAUSE causes VM exits.'],
  [31, 'SECONDARY_CONTROLS', 'activate secondary controls', 'secondary-controls', 'The secondary processor-based controls are used; otherwise they count as 0.'],
] as const satisfies readonly Row<string>[];

const SECONDARY = [
  [0, 'VIRTUALIZE_APIC_ACCESSES', 'virtualize APIC accesses', 'virtualize-apic-accesses', 'Accesses to the APIC-access page are virtualized or cause VM exits.'],
  [1, 'EPT', 'enable EPT', 'ept', 'Guest-physical addresses are translated by extended page tables.'],
  [2, 'DESCRIPTOR_TABLE_EXITING', 'descriptor-table exiting', 'descriptor-table-exiting', 'LGDT, LIDT, LLDT, LTR, SGDT, SIDT, SLDT and STR cause VM exits.'],
  [3, 'RDTSCP', 'enable RDTSCP', 'rdtscp', 'RDTSCP works in the guest; otherwise it raises #UD.'],
  [4, 'VIRTUALIZE_X2APIC', 'virtualize x2APIC mode', 'virtualize-x2apic-mode', 'RDMSR and WRMSR of x2APIC registers use the virtual-APIC page.'],
  [5, 'VPID', 'enable VPID', 'vpid', 'Cached translations are tagged with the VPID and survive VM entries and exits.'],
  [6, 'WBINVD_EXITING', 'WBINVD exiting', 'wbinvd-exiting', 'WBINVD and WBNOINVD cause VM exits.'],
  [7, 'UNRESTRICTED_GUEST', 'unrestricted guest', 'unrestricted-guest', 'The guest may run with CR0.PE or CR0.PG 0: in real mode or without paging.'],
  [8, 'APIC_REGISTER_VIRTUALIZATION', 'APIC-register virtualization', 'apic-register-virtualization', 'Reads of APIC registers come from the virtual-APIC page.'],
  [9, 'VIRTUAL_INTERRUPT_DELIVERY', 'virtual-interrupt delivery', 'virtual-interrupt-delivery', 'Pending virtual interrupts are evaluated and delivered by the processor.'],
  [10, 'PAUSE_LOOP_EXITING', 'PAUSE-loop exiting', 'pause-loop-exiting', 'A tight loop of PAUSE at CPL 0 causes a VM exit.'],
  [11, 'RDRAND_EXITING', 'RDRAND exiting', 'rdrand-exiting', 'RDRAND causes VM exits.'],
  [12, 'INVPCID', 'enable INVPCID', 'invpcid', 'INVPCID works in the guest; otherwise it raises #UD.'],
  [13, 'VM_FUNCTIONS', 'enable VM functions', 'vmfunc', 'VMFUNC works in the guest.'],
  [14, 'VMCS_SHADOWING', 'VMCS shadowing', 'vmcs-shadowing', 'VMREAD and VMWRITE in the guest may use the shadow VMCS.'],
  [15, 'ENCLS_EXITING', 'enable ENCLS exiting', 'encls-exiting', 'ENCLS consults the ENCLS-exiting bitmap.'],
  [16, 'RDSEED_EXITING', 'RDSEED exiting', 'rdseed-exiting', 'RDSEED causes VM exits.'],
  [17, 'PML', 'enable PML', 'pml', 'An access that sets an EPT dirty flag is logged.'],
  [18, 'EPT_VIOLATION_VE', 'EPT-violation #VE', 'ept-violation-ve', 'Some EPT violations become virtualization exceptions in the guest.'],
  [19, 'CONCEAL_VMX_FROM_PT', 'conceal VMX from PT', 'processor-trace', 'Processor trace does not show that VMX is used.'],
  [20, 'XSAVES', 'enable XSAVES/XRSTORS', 'xsaves', 'XSAVES and XRSTORS work in the guest; otherwise they raise #UD.'],
  [21, 'PASID_TRANSLATION', 'PASID translation', 'pasid-translation', 'ENQCMD translates PASIDs.'],
  [22, 'MODE_BASED_EXECUTE', 'mode-based execute control for EPT', 'mode-based-execute', 'EPT execute permission differs between supervisor-mode and user-mode linear addresses.'],
  [23, 'SUB_PAGE_PERMISSIONS', 'sub-page write permissions for EPT', 'sub-page-permissions', 'EPT write permission may be given for 128 bytes at a time.'],
  [24, 'PT_GUEST_PHYSICAL', 'Intel PT uses guest physical addresses', 'processor-trace', 'Processor trace writes through EPT.'],
  [25, 'TSC_SCALING', 'use TSC scaling', 'tsc-scaling', 'What the guest reads as the time-stamp counter is multiplied by the TSC multiplier.'],
  [26, 'USER_WAIT_AND_PAUSE', 'enable user wait and pause', 'user-wait', 'TPAUSE, UMONITOR and UMWAIT work in the guest.'],
  [27, 'PCONFIG', 'enable PCONFIG', 'pconfig', 'PCONFIG works in the guest.'],
  [28, 'ENCLV_EXITING', 'enable ENCLV exiting', 'enclv-exiting', 'ENCLV consults the ENCLV-exiting bitmap.'],
  [30, 'BUS_LOCK_DETECTION', 'VMM bus-lock detection', 'bus-lock-detection', 'A bus lock in the guest causes a VM exit.'],
  [31, 'INSTRUCTION_TIMEOUT', 'instruction timeout', 'instruction-timeout', 'A guest that does not complete an instruction in time causes a VM exit.'],
] as const satisfies readonly Row<string>[];

const TERTIARY = [
  [0, 'LOADIWKEY_EXITING', 'LOADIWKEY exiting', 'key-locker', 'LOADIWKEY causes VM exits.'],
  [1, 'HLAT', 'enable HLAT', 'hlat', 'Linear addresses may be translated by a paging structure that the VMM gives.'],
  [2, 'EPT_PAGING_WRITE', 'EPT paging-write control', 'hlat', 'EPT may allow writes by page walks alone.'],
  [3, 'GUEST_PAGING_VERIFICATION', 'guest-paging verification', 'hlat', 'EPT may require that paging structures are marked.'],
  [4, 'IPI_VIRTUALIZATION', 'IPI virtualization', 'ipi-virtualization', 'Interprocessor interrupts of the guest are posted without a VM exit.'],
  [6, 'MSR_LIST', 'enable MSR-list instructions', 'msr-list', 'RDMSRLIST and WRMSRLIST work in the guest.'],
  [7, 'VIRTUALIZE_SPEC_CTRL', 'virtualize IA32_SPEC_CTRL', 'virtualize-spec-ctrl', 'The guest cannot change the bits of IA32_SPEC_CTRL that the mask names.'],
] as const satisfies readonly Row<string>[];

const EXIT = [
  [2, 'SAVE_DEBUG_CONTROLS', 'save debug controls', '', 'DR7 and IA32_DEBUGCTL are saved on VM exit.'],
  [9, 'HOST_ADDRESS_SPACE_SIZE', 'host address-space size', '', 'The processor is in 64-bit mode after the VM exit.'],
  [12, 'LOAD_PERF_GLOBAL_CTRL', 'load IA32_PERF_GLOBAL_CTRL', 'perf-global-ctrl', 'IA32_PERF_GLOBAL_CTRL is loaded on VM exit.'],
  [15, 'ACKNOWLEDGE_INTERRUPT', 'acknowledge interrupt on exit', '', 'A VM exit by an external interrupt acknowledges it and records its vector.'],
  [18, 'SAVE_PAT', 'save IA32_PAT', 'load-pat', 'IA32_PAT is saved on VM exit.'],
  [19, 'LOAD_PAT', 'load IA32_PAT', 'load-pat', 'IA32_PAT is loaded on VM exit.'],
  [20, 'SAVE_EFER', 'save IA32_EFER', 'load-efer', 'IA32_EFER is saved on VM exit.'],
  [21, 'LOAD_EFER', 'load IA32_EFER', 'load-efer', 'IA32_EFER is loaded on VM exit.'],
  [22, 'SAVE_PREEMPTION_TIMER', 'save VMX-preemption timer value', 'preemption-timer', 'What is left of the preemption timer is saved on VM exit.'],
  [23, 'CLEAR_BNDCFGS', 'clear IA32_BNDCFGS', 'mpx', 'IA32_BNDCFGS is cleared on VM exit.'],
  [24, 'CONCEAL_VMX_FROM_PT', 'conceal VMX from PT', 'processor-trace', 'Processor trace does not show the VM exit.'],
  [25, 'CLEAR_RTIT_CTL', 'clear IA32_RTIT_CTL', 'processor-trace', 'IA32_RTIT_CTL is cleared on VM exit.'],
  [26, 'CLEAR_LBR_CTL', 'clear IA32_LBR_CTL', 'lbr', 'IA32_LBR_CTL is cleared on VM exit.'],
  [27, 'CLEAR_UINV', 'clear UINV', 'user-interrupts', 'The user-interrupt notification vector is cleared on VM exit.'],
  [28, 'LOAD_CET', 'load CET state', 'cet', 'The state of control-flow enforcement is loaded on VM exit.'],
  [29, 'LOAD_PKRS', 'load PKRS', 'pks', 'IA32_PKRS is loaded on VM exit.'],
  [30, 'SAVE_PERF_GLOBAL_CTRL', 'save IA32_PERF_GLOBAL_CTRL', 'perf-global-ctrl', 'IA32_PERF_GLOBAL_CTRL is saved on VM exit.'],
  [31, 'SECONDARY_EXIT_CONTROLS', 'activate secondary controls', 'secondary-exit-controls', 'The secondary VM-exit controls are used.'],
] as const satisfies readonly Row<string>[];

const SECONDARY_EXIT = [
  [0, 'SAVE_FRED', 'save IA32_FRED', 'fred', 'The state of FRED is saved on VM exit.'],
  [1, 'LOAD_FRED', 'load IA32_FRED', 'fred', 'The state of FRED is loaded on VM exit.'],
  [3, 'PREMATURELY_BUSY_SHADOW_STACK', 'prematurely busy shadow stack', 'cet', 'A shadow stack that is busy too early is reported.'],
] as const satisfies readonly Row<string>[];

const ENTRY = [
  [2, 'LOAD_DEBUG_CONTROLS', 'load debug controls', '', 'DR7 and IA32_DEBUGCTL are loaded on VM entry.'],
  [9, 'IA32E_MODE_GUEST', 'IA-32e mode guest', '', 'The guest is in IA-32e mode (EFER.LMA is 1) after the VM entry.'],
  [10, 'ENTRY_TO_SMM', 'entry to SMM', 'dual-monitor', 'The guest is in system-management mode.'],
  [11, 'DEACTIVATE_DUAL_MONITOR', 'deactivate dual-monitor treatment', 'dual-monitor', 'The default treatment of SMIs is used.'],
  [13, 'LOAD_PERF_GLOBAL_CTRL', 'load IA32_PERF_GLOBAL_CTRL', 'perf-global-ctrl', 'IA32_PERF_GLOBAL_CTRL is loaded on VM entry.'],
  [14, 'LOAD_PAT', 'load IA32_PAT', 'load-pat', 'IA32_PAT is loaded on VM entry.'],
  [15, 'LOAD_EFER', 'load IA32_EFER', 'load-efer', 'IA32_EFER is loaded on VM entry.'],
  [16, 'LOAD_BNDCFGS', 'load IA32_BNDCFGS', 'mpx', 'IA32_BNDCFGS is loaded on VM entry.'],
  [17, 'CONCEAL_VMX_FROM_PT', 'conceal VMX from PT', 'processor-trace', 'Processor trace does not show the VM entry.'],
  [18, 'LOAD_RTIT_CTL', 'load IA32_RTIT_CTL', 'processor-trace', 'IA32_RTIT_CTL is loaded on VM entry.'],
  [19, 'LOAD_UINV', 'load UINV', 'user-interrupts', 'The user-interrupt notification vector is loaded on VM entry.'],
  [20, 'LOAD_CET', 'load CET state', 'cet', 'The state of control-flow enforcement is loaded on VM entry.'],
  [21, 'LOAD_LBR_CTL', 'load guest IA32_LBR_CTL', 'lbr', 'IA32_LBR_CTL is loaded on VM entry.'],
  [22, 'LOAD_PKRS', 'load PKRS', 'pks', 'IA32_PKRS is loaded on VM entry.'],
  [23, 'LOAD_FRED', 'load IA32_FRED', 'fred', 'The state of FRED is loaded on VM entry.'],
] as const satisfies readonly Row<string>[];

export interface ControlBit {
  readonly bit: number;
  readonly key: string;
  readonly name: string;
  readonly feature: string;
  readonly sentence: string;
}

export type ControlKind = 'pin' | 'primary' | 'secondary' | 'tertiary' | 'exit' | 'secondary-exit' | 'entry';

export interface ControlField {
  readonly kind: ControlKind;
  readonly field: FieldName;
  readonly bits: readonly ControlBit[];
  /** The default1 class: bits that the capability MSR without TRUE in its name reports as required. */
  readonly default1: number;
  /** Of these the bits that the TRUE capability MSR allows to be 0. */
  readonly mayBeZero: number;
}

const bitsOf = (rows: readonly Row<string>[]): ControlBit[] => rows.map(([bit, key, name, feature, sentence]) => ({ bit, key, name, feature, sentence }));

export const CONTROL_FIELDS: readonly ControlField[] = [
  { kind: 'pin', field: 'PIN_BASED_CONTROLS', bits: bitsOf(PIN), default1: 0x16, mayBeZero: 0 },
  // CR3-load and CR3-store exiting.
  { kind: 'primary', field: 'PRIMARY_PROCESSOR_BASED_CONTROLS', bits: bitsOf(PRIMARY), default1: 0x0401_e172, mayBeZero: 0x0001_8000 },
  { kind: 'secondary', field: 'SECONDARY_PROCESSOR_BASED_CONTROLS', bits: bitsOf(SECONDARY), default1: 0, mayBeZero: 0 },
  { kind: 'tertiary', field: 'TERTIARY_PROCESSOR_BASED_CONTROLS', bits: bitsOf(TERTIARY), default1: 0, mayBeZero: 0 },
  // Save debug controls, load debug controls.
  { kind: 'exit', field: 'VM_EXIT_CONTROLS', bits: bitsOf(EXIT), default1: 0x0003_6dff, mayBeZero: 0x4 },
  { kind: 'secondary-exit', field: 'SECONDARY_VM_EXIT_CONTROLS', bits: bitsOf(SECONDARY_EXIT), default1: 0, mayBeZero: 0 },
  { kind: 'entry', field: 'VM_ENTRY_CONTROLS', bits: bitsOf(ENTRY), default1: 0x11ff, mayBeZero: 0x4 },
];

export const controlField = (kind: ControlKind): ControlField => CONTROL_FIELDS.find((c) => c.kind === kind)!;

const masks = <K extends string>(rows: readonly Row<K>[]): Record<K, number> => Object.fromEntries(rows.map(([bit, key]) => [key, 2 ** bit >> 0])) as Record<K, number>;

/** Masks by key: `primary & Primary.HLT_EXITING`. */
export const Pin = masks(PIN);
export const Primary = masks(PRIMARY);
export const Secondary = masks(SECONDARY);
export const Tertiary = masks(TERTIARY);
export const Exit = masks(EXIT);
export const Entry = masks(ENTRY);
