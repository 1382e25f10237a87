/** VM-instruction errors: Intel SDM volume 3, "VM Instruction Error Numbers". 14, 21 and 27 are not defined. */
export interface InstructionError {
  readonly number: number;
  readonly key: string;
  readonly sentence: string;
}

const ROWS = [
  [1, 'VMCALL_IN_ROOT', 'VMCALL was executed in VMX root operation.'],
  [2, 'VMCLEAR_INVALID_ADDRESS', 'VMCLEAR with an address that is not 4-KiB aligned or too wide.'],
  [3, 'VMCLEAR_VMXON_POINTER', 'VMCLEAR with the VMXON pointer.'],
  [4, 'VMLAUNCH_NOT_CLEAR', 'VMLAUNCH with a VMCS that is not clear: VMCLEAR comes first, and after the first launch VMRESUME is used.'],
  [5, 'VMRESUME_NOT_LAUNCHED', 'VMRESUME with a VMCS that was not launched: the first VM entry is VMLAUNCH.'],
  [6, 'VMRESUME_AFTER_VMXOFF', 'VMRESUME after VMXOFF and VMXON.'],
  [7, 'INVALID_CONTROL_FIELDS', 'VM entry with invalid control fields.'],
  [8, 'INVALID_HOST_STATE', 'VM entry with invalid host-state fields.'],
  [9, 'VMPTRLD_INVALID_ADDRESS', 'VMPTRLD with an address that is not 4-KiB aligned or too wide.'],
  [10, 'VMPTRLD_VMXON_POINTER', 'VMPTRLD with the VMXON pointer.'],
  [11, 'VMPTRLD_WRONG_REVISION', 'VMPTRLD of a region whose first four bytes are not the VMCS revision identifier.'],
  [12, 'UNSUPPORTED_FIELD', 'VMREAD or VMWRITE of a field that this processor does not have.'],
  [13, 'READ_ONLY_FIELD', 'VMWRITE to a read-only field.'],
  [15, 'VMXON_IN_ROOT', 'VMXON was executed in VMX root operation.'],
  [16, 'INVALID_EXECUTIVE_POINTER', 'VM entry with an invalid executive-VMCS pointer.'],
  [17, 'EXECUTIVE_NOT_LAUNCHED', 'VM entry with an executive VMCS that was not launched.'],
  [18, 'EXECUTIVE_NOT_VMXON_POINTER', 'VM entry with an executive-VMCS pointer that is not the VMXON pointer, to deactivate dual-monitor treatment.'],
  [19, 'VMCALL_NOT_CLEAR', 'VMCALL with a VMCS that is not clear, to activate dual-monitor treatment.'],
  [20, 'VMCALL_INVALID_EXIT_CONTROLS', 'VMCALL with invalid VM-exit control fields.'],
  [22, 'VMCALL_WRONG_MSEG', 'VMCALL with a wrong MSEG revision identifier.'],
  [23, 'VMXOFF_DUAL_MONITOR', 'VMXOFF under dual-monitor treatment.'],
  [24, 'VMCALL_INVALID_SMM_FEATURES', 'VMCALL with invalid SMM-monitor features.'],
  [25, 'INVALID_EXECUTIVE_CONTROLS', 'VM entry with invalid VM-execution control fields in the executive VMCS, when returning from SMM.'],
  [26, 'BLOCKED_BY_MOV_SS', 'VM entry with events blocked by MOV SS.'],
  [28, 'INVALID_INVEPT_OPERAND', 'INVEPT or INVVPID with an invalid operand.'],
] as const;

export type InstructionErrorKey = (typeof ROWS)[number][1];

export const INSTRUCTION_ERRORS: readonly InstructionError[] = ROWS.map(([number, key, sentence]) => ({ number, key, sentence }));

/** Number by key: `InstructionErrorNumber.UNSUPPORTED_FIELD` is 12. */
export const InstructionErrorNumber = Object.fromEntries(ROWS.map(([number, key]) => [key, number])) as Record<InstructionErrorKey, number>;

/** The error in words; `no error` for 0. */
export const instructionErrorSentence = (number: number): string =>
  number === 0 ? 'no error' : (INSTRUCTION_ERRORS.find((e) => e.number === number)?.sentence ?? `VM-instruction error ${number}, which the SDM does not define.`);
