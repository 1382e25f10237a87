/**
 * VM-exit reasons: Intel SDM volume 3, appendix "VMX Basic Exit Reasons", and the layouts of the exit qualification,
 * "Basic VM-Exit Information".
 *
 * A row is [number, name, sentence, valid]. `valid` names the further exit-information fields that mean something for the
 * reason: q exit qualification, n instruction length, i instruction information, v interruption information, l guest
 * linear address, p guest-physical address.
 */
const ROWS = [
  [0, 'EXCEPTION_OR_NMI', 'An exception that the exception bitmap selects, or an NMI.', 'qv'],
  [1, 'EXTERNAL_INTERRUPT', 'An external interrupt arrived.', 'v'],
  [2, 'TRIPLE_FAULT', 'The guest met an exception while delivering a double fault.', ''],
  [3, 'INIT_SIGNAL', 'An INIT signal arrived.', ''],
  [4, 'SIPI', 'A start-up IPI arrived while the guest waited for one.', 'q'],
  [5, 'IO_SMI', 'A system-management interrupt arrived right after an I/O instruction.', 'q'],
  [6, 'OTHER_SMI', 'A system-management interrupt arrived.', ''],
  [7, 'INTERRUPT_WINDOW', 'The guest can take an interrupt now.', ''],
  [8, 'NMI_WINDOW', 'The guest can take a virtual NMI now.', ''],
  [9, 'TASK_SWITCH', 'The guest attempted a task switch.', 'qn'],
  [10, 'CPUID', 'The guest executed CPUID.', 'n'],
  [11, 'GETSEC', 'The guest executed GETSEC.', 'n'],
  [12, 'HLT', 'The guest executed HLT.', 'n'],
  [13, 'INVD', 'The guest executed INVD.', 'n'],
  [14, 'INVLPG', 'The guest executed INVLPG.', 'qn'],
  [15, 'RDPMC', 'The guest executed RDPMC.', 'n'],
  [16, 'RDTSC', 'The guest executed RDTSC.', 'n'],
  [17, 'RSM', 'The guest executed RSM.', 'n'],
  [18, 'VMCALL', 'The guest executed VMCALL: a hypercall.', 'n'],
  [19, 'VMCLEAR', 'The guest executed VMCLEAR.', 'qni'],
  [20, 'VMLAUNCH', 'The guest executed VMLAUNCH.', 'n'],
  [21, 'VMPTRLD', 'The guest executed VMPTRLD.', 'qni'],
  [22, 'VMPTRST', 'The guest executed VMPTRST.', 'qni'],
  [23, 'VMREAD', 'The guest executed VMREAD.', 'qni'],
  [24, 'VMRESUME', 'The guest executed VMRESUME.', 'n'],
  [25, 'VMWRITE', 'The guest executed VMWRITE.', 'qni'],
  [26, 'VMXOFF', 'The guest executed VMXOFF.', 'n'],
  [27, 'VMXON', 'The guest executed VMXON.', 'qni'],
  [28, 'CR_ACCESS', 'The guest accessed a control register.', 'qn'],
  [29, 'DR_ACCESS', 'The guest accessed a debug register.', 'qn'],
  [30, 'IO_INSTRUCTION', 'The guest executed an I/O instruction.', 'qnil'],
  [31, 'RDMSR', 'The guest executed RDMSR.', 'n'],
  [32, 'WRMSR', 'The guest executed WRMSR.', 'n'],
  [33, 'ENTRY_FAILURE_GUEST_STATE', 'A VM entry failed because the guest state is invalid.', 'q'],
  [34, 'ENTRY_FAILURE_MSR_LOADING', 'A VM entry failed while it loaded an MSR of the VM-entry MSR-load area.', 'q'],
  [36, 'MWAIT', 'The guest executed MWAIT.', 'qn'],
  [37, 'MONITOR_TRAP_FLAG', 'The monitor trap flag is set and an instruction ended.', ''],
  [39, 'MONITOR', 'The guest executed MONITOR.', 'n'],
  [40, 'PAUSE', 'The guest executed PAUSE.', 'n'],
  [41, 'ENTRY_FAILURE_MACHINE_CHECK', 'A machine check occurred during VM entry.', ''],
  [43, 'TPR_BELOW_THRESHOLD', 'The virtual task priority fell below the threshold.', ''],
  [44, 'APIC_ACCESS', 'The guest accessed the APIC-access page.', 'qn'],
  [45, 'VIRTUALIZED_EOI', 'An EOI was virtualized for a vector that the EOI-exit bitmap selects.', 'q'],
  [46, 'GDTR_IDTR_ACCESS', 'The guest executed LGDT, LIDT, SGDT or SIDT.', 'qni'],
  [47, 'LDTR_TR_ACCESS', 'The guest executed LLDT, LTR, SLDT or STR.', 'qni'],
  [48, 'EPT_VIOLATION', 'The guest accessed guest-physical memory that EPT does not map or permit.', 'qlp'],
  [49, 'EPT_MISCONFIGURATION', 'An EPT entry that the access needs is malformed.', 'p'],
  [50, 'INVEPT', 'The guest executed INVEPT.', 'qni'],
  [51, 'RDTSCP', 'The guest executed RDTSCP.', 'n'],
  [52, 'PREEMPTION_TIMER', 'The VMX-preemption timer counted down to zero.', ''],
  [53, 'INVVPID', 'The guest executed INVVPID.', 'qni'],
  [54, 'WBINVD', 'The guest executed WBINVD or WBNOINVD.', 'n'],
  [55, 'XSETBV', 'The guest executed XSETBV.', 'n'],
  [56, 'APIC_WRITE', 'A write to the virtual-APIC page must be virtualized by the VMM.', 'q'],
  [57, 'RDRAND', 'The guest executed RDRAND.', 'ni'],
  [58, 'INVPCID', 'The guest executed INVPCID.', 'qni'],
  [59, 'VMFUNC', 'The guest executed a VM function that is not enabled or failed.', 'n'],
  [60, 'ENCLS', 'The guest executed ENCLS.', 'n'],
  [61, 'RDSEED', 'The guest executed RDSEED.', 'ni'],
  [62, 'PAGE_MODIFICATION_LOG_FULL', 'The page-modification log is full.', 'q'],
  [63, 'XSAVES', 'The guest executed XSAVES.', 'qni'],
  [64, 'XRSTORS', 'The guest executed XRSTORS.', 'qni'],
  [65, 'PCONFIG', 'The guest executed PCONFIG.', 'n'],
  [66, 'SPP_RELATED_EVENT', 'A sub-page permission could not be looked up.', 'qlp'],
  [67, 'UMWAIT', 'The guest executed UMWAIT.', 'ni'],
  [68, 'TPAUSE', 'The guest executed TPAUSE.', 'ni'],
  [69, 'LOADIWKEY', 'The guest executed LOADIWKEY.', 'ni'],
  [70, 'ENCLV', 'The guest executed ENCLV.', 'n'],
  [72, 'ENQCMD_PASID_TRANSLATION_FAILURE', 'ENQCMD could not translate its PASID.', 'ni'],
  [73, 'ENQCMDS_PASID_TRANSLATION_FAILURE', 'ENQCMDS could not translate its PASID.', 'ni'],
  [74, 'BUS_LOCK', 'The guest acquired a bus lock.', ''],
  [75, 'INSTRUCTION_TIMEOUT', 'No instruction of the guest ended within the time allowed.', 'q'],
  [76, 'SEAMCALL', 'The guest executed SEAMCALL.', 'n'],
  [77, 'TDCALL', 'The guest executed TDCALL.', 'n'],
  [78, 'RDMSRLIST', 'The guest executed RDMSRLIST.', 'qn'],
  [79, 'WRMSRLIST', 'The guest executed WRMSRLIST.', 'qn'],
] as const satisfies readonly (readonly [number, string, string, string])[];

export type ExitReasonName = (typeof ROWS)[number][1];

export interface ExitReason {
  readonly number: number;
  readonly name: ExitReasonName;
  readonly sentence: string;
  readonly hasQualification: boolean;
  readonly hasInstructionLength: boolean;
  readonly hasInstructionInfo: boolean;
  readonly hasInterruptionInfo: boolean;
  readonly hasLinear: boolean;
  readonly hasGpa: boolean;
}

export const EXIT_REASONS: readonly ExitReason[] = ROWS.map(([number, name, sentence, valid]) => ({
  number,
  name,
  sentence,
  hasQualification: valid.includes('q'),
  hasInstructionLength: valid.includes('n'),
  hasInstructionInfo: valid.includes('i'),
  hasInterruptionInfo: valid.includes('v'),
  hasLinear: valid.includes('l'),
  hasGpa: valid.includes('p'),
}));

/** Number of an exit reason by name. */
export const Reason = Object.fromEntries(EXIT_REASONS.map((r) => [r.name, r.number])) as Record<ExitReasonName, number>;

const byNumber: (ExitReason | undefined)[] = [];
for (const r of EXIT_REASONS) byNumber[r.number] = r;

/** The exit reason with a basic number (bits 15:0 of the field). */
export const exitReason = (number: number): ExitReason | undefined => byNumber[number];

/** The SDM's name of a basic exit reason, or `REASON_n` for one it does not define. */
export const exitReasonName = (number: number): string => byNumber[number]?.name ?? `REASON_${number}`;

/** Bit 31 of the exit-reason field: the VM entry failed. */
export const ENTRY_FAILURE = 0x8000_0000;
