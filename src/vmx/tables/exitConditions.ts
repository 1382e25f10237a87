/**
 * What causes VM exits, as rules with an identifier that tests carry: Intel SDM volume 3, "Instructions That Cause VM
 * Exits" and "Other Causes of VM Exits", and where a section of its own says more, that one.
 *
 * A row is [identifier, exit reason, condition, section, control or feature]. A control is written as `kind.KEY` of
 * controls.ts: with it 0 the exit does not happen. `always`: nothing can prevent the exit. `state`: it depends on other
 * state than a control bit (a bitmap, a mask, what EPT maps), so it has two outcomes too.
 */
import type { ControlKind } from './controls';
import { type ExitReasonName, Reason } from './exitReasons';

type Cause = 'always' | 'state' | `${ControlKind}.${string}`;

const INSTRUCTIONS = 'Instructions That Cause VM Exits Unconditionally';
const CONDITIONAL = 'Instructions That Cause VM Exits Conditionally';
const OTHER = 'Other Causes of VM Exits';
const EPT = 'EPT-Induced VM Exits';
const CHANGES = 'Changes to Instruction Behavior in VMX Non-Root Operation';
const APIC = 'APIC Virtualization and Virtual Interrupts';

const ROWS = [
  ['exception', 'EXCEPTION_OR_NMI', 'An exception whose bit in the exception bitmap is 1.', OTHER, 'state', ''],
  ['exception.page-fault', 'EXCEPTION_OR_NMI', 'A page fault whose error code under the mask equals the match, while bit 14 of the exception bitmap is 1; or does not, while it is 0.', OTHER, 'state', ''],
  ['exception.int3', 'EXCEPTION_OR_NMI', 'INT3 while bit 3 of the exception bitmap is 1: a software exception with the length of the instruction.', OTHER, 'state', ''],
  ['exception.into', 'EXCEPTION_OR_NMI', 'INTO while bit 4 of the exception bitmap is 1: a software exception with the length of the instruction.', OTHER, 'state', ''],
  ['exception.int1', 'EXCEPTION_OR_NMI', 'INT1 while bit 1 of the exception bitmap is 1: a privileged software exception with the length of the instruction.', OTHER, 'state', ''],
  ['nmi', 'EXCEPTION_OR_NMI', 'An NMI.', OTHER, 'pin.NMI_EXITING', ''],
  ['external-interrupt', 'EXTERNAL_INTERRUPT', 'An external interrupt, whatever RFLAGS.IF is.', OTHER, 'pin.EXTERNAL_INTERRUPT_EXITING', ''],
  ['triple-fault', 'TRIPLE_FAULT', 'An exception while a double fault is delivered.', OTHER, 'always', ''],
  ['init', 'INIT_SIGNAL', 'An INIT signal, unless the guest waits for a start-up IPI.', OTHER, 'state', ''],
  ['sipi', 'SIPI', 'A start-up IPI while the guest waits for one.', OTHER, 'state', ''],
  ['interrupt-window', 'INTERRUPT_WINDOW', 'RFLAGS.IF is 1 and neither STI nor MOV SS blocks, at the beginning of an instruction.', OTHER, 'primary.INTERRUPT_WINDOW_EXITING', ''],
  ['nmi-window', 'NMI_WINDOW', 'Virtual NMIs are not blocked, nor do STI or MOV SS block, at the beginning of an instruction.', OTHER, 'primary.NMI_WINDOW_EXITING', 'virtual-nmis'],
  ['task-switch', 'TASK_SWITCH', 'An attempt to switch tasks by CALL, JMP, IRET or a task gate.', INSTRUCTIONS, 'always', ''],
  ['cpuid', 'CPUID', 'CPUID.', INSTRUCTIONS, 'always', ''],
  ['getsec', 'GETSEC', 'GETSEC.', INSTRUCTIONS, 'always', 'smx'],
  ['hlt', 'HLT', 'HLT.', CONDITIONAL, 'primary.HLT_EXITING', ''],
  ['invd', 'INVD', 'INVD.', INSTRUCTIONS, 'always', ''],
  ['invlpg', 'INVLPG', 'INVLPG.', CONDITIONAL, 'primary.INVLPG_EXITING', ''],
  ['rdpmc', 'RDPMC', 'RDPMC.', CONDITIONAL, 'primary.RDPMC_EXITING', ''],
  ['rdtsc', 'RDTSC', 'RDTSC.', CONDITIONAL, 'primary.RDTSC_EXITING', ''],
  ['vmcall', 'VMCALL', 'VMCALL, at any privilege level.', INSTRUCTIONS, 'always', ''],
  ['vmclear', 'VMCLEAR', 'VMCLEAR.', INSTRUCTIONS, 'always', ''],
  ['vmlaunch', 'VMLAUNCH', 'VMLAUNCH.', INSTRUCTIONS, 'always', ''],
  ['vmptrld', 'VMPTRLD', 'VMPTRLD.', INSTRUCTIONS, 'always', ''],
  ['vmptrst', 'VMPTRST', 'VMPTRST.', INSTRUCTIONS, 'always', ''],
  ['vmread', 'VMREAD', 'VMREAD, unless VMCS shadowing is 1 and the bit of the field in the VMREAD bitmap is 0.', CONDITIONAL, 'state', ''],
  ['vmresume', 'VMRESUME', 'VMRESUME.', INSTRUCTIONS, 'always', ''],
  ['vmwrite', 'VMWRITE', 'VMWRITE, unless VMCS shadowing is 1 and the bit of the field in the VMWRITE bitmap is 0.', CONDITIONAL, 'state', ''],
  ['vmxoff', 'VMXOFF', 'VMXOFF.', INSTRUCTIONS, 'always', ''],
  ['vmxon', 'VMXON', 'VMXON.', INSTRUCTIONS, 'always', ''],
  ['cr0', 'CR_ACCESS', 'MOV to CR0 of a bit that CR0_GUEST_HOST_MASK owns and that differs from the read shadow.', CONDITIONAL, 'state', ''],
  ['cr4', 'CR_ACCESS', 'MOV to CR4 of a bit that CR4_GUEST_HOST_MASK owns and that differs from the read shadow.', CONDITIONAL, 'state', ''],
  ['clts', 'CR_ACCESS', 'CLTS while CR0_GUEST_HOST_MASK owns TS and the read shadow has it set.', CONDITIONAL, 'state', ''],
  ['lmsw', 'CR_ACCESS', 'LMSW that would set PE, or change MP, EM or TS, where CR0_GUEST_HOST_MASK owns the bit and the read shadow differs.', CONDITIONAL, 'state', ''],
  ['cr3-load', 'CR_ACCESS', 'MOV to CR3, unless the value is a CR3-target value.', CONDITIONAL, 'primary.CR3_LOAD_EXITING', ''],
  ['cr3-target', 'CR_ACCESS', 'MOV to CR3 of a value that is not one of the first CR3_TARGET_COUNT CR3-target values, with CR3-load exiting.', CONDITIONAL, 'state', ''],
  ['cr3-store', 'CR_ACCESS', 'MOV from CR3.', CONDITIONAL, 'primary.CR3_STORE_EXITING', ''],
  ['cr8-load', 'CR_ACCESS', 'MOV to CR8.', CONDITIONAL, 'primary.CR8_LOAD_EXITING', ''],
  ['cr8-store', 'CR_ACCESS', 'MOV from CR8.', CONDITIONAL, 'primary.CR8_STORE_EXITING', ''],
  ['mov-dr', 'DR_ACCESS', 'MOV to or from a debug register.', CONDITIONAL, 'primary.MOV_DR_EXITING', ''],
  ['io', 'IO_INSTRUCTION', 'IN, OUT, INS or OUTS while I/O bitmaps are not used.', CONDITIONAL, 'primary.UNCONDITIONAL_IO_EXITING', ''],
  ['io.bitmap', 'IO_INSTRUCTION', 'IN, OUT, INS or OUTS of a port whose bit in the I/O bitmaps is 1.', CONDITIONAL, 'state', ''],
  ['io.wrap', 'IO_INSTRUCTION', 'IN, OUT, INS or OUTS that goes beyond port 0xffff, while I/O bitmaps are used.', CONDITIONAL, 'state', ''],
  ['rdmsr', 'RDMSR', 'RDMSR, unless MSR bitmaps are used, the MSR is in their ranges, and its bit is 0.', CONDITIONAL, 'state', ''],
  ['wrmsr', 'WRMSR', 'WRMSR, unless MSR bitmaps are used, the MSR is in their ranges, and its bit is 0.', CONDITIONAL, 'state', ''],
  ['mwait', 'MWAIT', 'MWAIT.', CONDITIONAL, 'primary.MWAIT_EXITING', 'monitor'],
  ['monitor-trap-flag', 'MONITOR_TRAP_FLAG', 'An instruction, or the delivery of an event, has ended.', 'Monitor Trap Flag', 'primary.MONITOR_TRAP_FLAG', 'monitor-trap-flag'],
  ['monitor-trap-flag.injected', 'MONITOR_TRAP_FLAG', 'The VM entry injects a pending monitor-trap-flag exit.', 'Monitor Trap Flag', 'state', 'monitor-trap-flag'],
  ['monitor', 'MONITOR', 'MONITOR.', CONDITIONAL, 'primary.MONITOR_EXITING', 'monitor'],
  ['pause', 'PAUSE', 'PAUSE.', CONDITIONAL, 'primary.PAUSE_EXITING', ''],
  ['pause-loop', 'PAUSE', 'PAUSE at CPL 0 in a loop that has lasted longer than PLE_WINDOW.', CONDITIONAL, 'secondary.PAUSE_LOOP_EXITING', 'pause-loop-exiting'],
  ['tpr-threshold', 'TPR_BELOW_THRESHOLD', 'The virtual task priority is below the TPR threshold.', APIC, 'state', 'tpr-shadow'],
  ['apic-access', 'APIC_ACCESS', 'An access to the APIC-access page that is not virtualized.', APIC, 'secondary.VIRTUALIZE_APIC_ACCESSES', 'virtualize-apic-accesses'],
  ['virtualized-eoi', 'VIRTUALIZED_EOI', 'An EOI for a vector whose bit in the EOI-exit bitmap is 1.', APIC, 'state', 'virtual-interrupt-delivery'],
  ['gdtr-idtr', 'GDTR_IDTR_ACCESS', 'LGDT, LIDT, SGDT or SIDT.', CONDITIONAL, 'secondary.DESCRIPTOR_TABLE_EXITING', 'descriptor-table-exiting'],
  ['ldtr-tr', 'LDTR_TR_ACCESS', 'LLDT, LTR, SLDT or STR.', CONDITIONAL, 'secondary.DESCRIPTOR_TABLE_EXITING', 'descriptor-table-exiting'],
  ['ept-violation', 'EPT_VIOLATION', 'An access that EPT does not map or does not permit.', EPT, 'state', 'ept'],
  ['ept-misconfiguration', 'EPT_MISCONFIGURATION', 'An access through an EPT entry that is present and malformed.', EPT, 'state', 'ept'],
  ['invept', 'INVEPT', 'INVEPT.', INSTRUCTIONS, 'always', 'ept'],
  ['rdtscp', 'RDTSCP', 'RDTSCP, while it is enabled.', CONDITIONAL, 'primary.RDTSC_EXITING', 'rdtscp'],
  ['preemption-timer', 'PREEMPTION_TIMER', 'The preemption timer has counted down to 0.', OTHER, 'pin.PREEMPTION_TIMER', 'preemption-timer'],
  ['invvpid', 'INVVPID', 'INVVPID.', INSTRUCTIONS, 'always', 'vpid'],
  ['wbinvd', 'WBINVD', 'WBINVD or WBNOINVD.', CONDITIONAL, 'secondary.WBINVD_EXITING', 'wbinvd-exiting'],
  ['xsetbv', 'XSETBV', 'XSETBV.', INSTRUCTIONS, 'always', 'xsave'],
  ['apic-write', 'APIC_WRITE', 'A write to the virtual-APIC page that the VMM has to finish.', APIC, 'state', 'apic-register-virtualization'],
  ['rdrand', 'RDRAND', 'RDRAND.', CONDITIONAL, 'secondary.RDRAND_EXITING', 'rdrand-exiting'],
  ['invpcid', 'INVPCID', 'INVPCID, while it is enabled.', CONDITIONAL, 'primary.INVLPG_EXITING', 'invpcid'],
  ['vmfunc', 'VMFUNC', 'VMFUNC of a function that is not enabled or whose operands are wrong.', CONDITIONAL, 'state', 'vmfunc'],
  ['encls', 'ENCLS', 'ENCLS of a leaf whose bit in the ENCLS-exiting bitmap is 1.', CONDITIONAL, 'secondary.ENCLS_EXITING', 'encls-exiting'],
  ['rdseed', 'RDSEED', 'RDSEED.', CONDITIONAL, 'secondary.RDSEED_EXITING', 'rdseed-exiting'],
  ['pml-full', 'PAGE_MODIFICATION_LOG_FULL', 'A dirty flag of EPT is to be set while the PML index is not between 0 and 511.', 'Page-Modification Logging', 'state', 'pml'],
  ['xsaves', 'XSAVES', 'XSAVES of a component that is in IA32_XSS, EDX:EAX and the XSS-exiting bitmap.', CONDITIONAL, 'state', 'supervisor-xstate'],
  ['xrstors', 'XRSTORS', 'XRSTORS of a component that is in IA32_XSS, EDX:EAX and the XSS-exiting bitmap.', CONDITIONAL, 'state', 'supervisor-xstate'],
  ['pconfig', 'PCONFIG', 'PCONFIG of a leaf whose bit in the PCONFIG-exiting bitmap is 1.', CONDITIONAL, 'state', 'pconfig'],
  ['sub-page', 'SPP_RELATED_EVENT', 'The sub-page-permission table has no valid entry for a page.', 'Sub-Page Write Permissions', 'state', 'sub-page-permissions'],
  ['umwait', 'UMWAIT', 'UMWAIT, while it is enabled.', CONDITIONAL, 'primary.RDTSC_EXITING', 'user-wait'],
  ['tpause', 'TPAUSE', 'TPAUSE, while it is enabled.', CONDITIONAL, 'primary.RDTSC_EXITING', 'user-wait'],
  ['loadiwkey', 'LOADIWKEY', 'LOADIWKEY.', CONDITIONAL, 'tertiary.LOADIWKEY_EXITING', 'key-locker'],
  ['enclv', 'ENCLV', 'ENCLV of a leaf whose bit in the ENCLV-exiting bitmap is 1.', CONDITIONAL, 'secondary.ENCLV_EXITING', 'enclv-exiting'],
  ['enqcmd', 'ENQCMD_PASID_TRANSLATION_FAILURE', 'ENQCMD with a PASID that cannot be translated.', CHANGES, 'state', 'pasid-translation'],
  ['enqcmds', 'ENQCMDS_PASID_TRANSLATION_FAILURE', 'ENQCMDS with a PASID that cannot be translated.', CHANGES, 'state', 'pasid-translation'],
  ['bus-lock', 'BUS_LOCK', 'A bus lock.', OTHER, 'secondary.BUS_LOCK_DETECTION', 'bus-lock-detection'],
  ['instruction-timeout', 'INSTRUCTION_TIMEOUT', 'An instruction that does not end in time.', OTHER, 'secondary.INSTRUCTION_TIMEOUT', 'instruction-timeout'],
  ['rdmsrlist', 'RDMSRLIST', 'RDMSRLIST, while it is enabled, of an MSR that exits.', CONDITIONAL, 'state', 'msr-list'],
  ['wrmsrlist', 'WRMSRLIST', 'WRMSRLIST, while it is enabled, of an MSR that exits.', CONDITIONAL, 'state', 'msr-list'],
] as const satisfies readonly (readonly [id: string, reason: ExitReasonName, condition: string, section: string, cause: Cause, feature: string])[];

export interface ExitCondition {
  /** `exit.` and a few words with hyphens. */
  readonly id: string;
  readonly reason: number;
  /** What causes the exit, as a sentence. */
  readonly condition: string;
  /** Title of the section in volume 3. */
  readonly section: string;
  readonly cause: Cause;
  /** What the processor must have; empty when every processor with VMX has it. */
  readonly feature: string;
}

export const EXIT_CONDITIONS: readonly ExitCondition[] = ROWS.map(([id, reason, condition, section, cause, feature]) => ({ id: `exit.${id}`, reason: Reason[reason], condition, section, cause, feature }));

/** Exit reasons that no condition of a guest's instruction leads to, each with why. */
export const REASONS_WITHOUT_CONDITION: readonly (readonly [name: ExitReasonName, why: string])[] = [
  ['ENTRY_FAILURE_GUEST_STATE', 'A VM entry that fails: the rules guest.* are its conditions.'],
  ['ENTRY_FAILURE_MSR_LOADING', 'A VM entry that fails: the rules msr-load.* are its conditions.'],
  ['ENTRY_FAILURE_MACHINE_CHECK', 'The machine has no machine checks.'],
  ['IO_SMI', 'The machine has no system-management mode.'],
  ['OTHER_SMI', 'The machine has no system-management mode.'],
  ['RSM', 'The machine has no system-management mode: RSM raises #UD.'],
  ['SEAMCALL', 'The processor has no SEAM: the instruction raises #UD.'],
  ['TDCALL', 'The processor has no SEAM: the instruction raises #UD.'],
];
