/**
 * The fields of a VMCS: Intel SDM volume 3, appendix "Field Encoding in VMCS".
 *
 * A row is [encoding, name, decode, feature]. Width and group are not written down because the encoding contains them
 * (volume 3, "VMREAD, VMWRITE, and Encodings of VMCS Fields"). `decode` names the words that the value can be given in,
 * `feature` what the processor must have for the field to exist. Rows ascend by encoding; a field's place in the table is
 * its slot, where the emulator keeps its value.
 */

/** How a value is put into words: see decode.ts. */
export type Decode =
  | 'number' | 'address' | 'selector' | 'access-rights'
  | 'pin' | 'primary' | 'secondary' | 'tertiary' | 'exit' | 'entry' | 'secondary-exit'
  | 'cr0' | 'cr4' | 'efer' | 'rflags' | 'debugctl' | 'dr7' | 'pat' | 'eptp' | 'exception-bitmap'
  | 'interruption-info' | 'entry-interruption-info' | 'instruction-error' | 'exit-reason' | 'exit-qualification' | 'instruction-info'
  | 'interruptibility' | 'activity' | 'pending-debug' | 'pdpte';

const ROWS = [
  // 16-bit control fields.
  [0x0000, 'VPID', 'number', 'vpid'],
  [0x0002, 'POSTED_INTERRUPT_NOTIFICATION_VECTOR', 'number', 'posted-interrupts'],
  [0x0004, 'EPTP_INDEX', 'number', 'ept-violation-ve'],
  [0x0006, 'HLAT_PREFIX_SIZE', 'number', 'hlat'],
  [0x0008, 'LAST_PID_POINTER_INDEX', 'number', 'ipi-virtualization'],
  // 16-bit guest-state fields.
  [0x0800, 'GUEST_ES_SELECTOR', 'selector', ''],
  [0x0802, 'GUEST_CS_SELECTOR', 'selector', ''],
  [0x0804, 'GUEST_SS_SELECTOR', 'selector', ''],
  [0x0806, 'GUEST_DS_SELECTOR', 'selector', ''],
  [0x0808, 'GUEST_FS_SELECTOR', 'selector', ''],
  [0x080a, 'GUEST_GS_SELECTOR', 'selector', ''],
  [0x080c, 'GUEST_LDTR_SELECTOR', 'selector', ''],
  [0x080e, 'GUEST_TR_SELECTOR', 'selector', ''],
  [0x0810, 'GUEST_INTERRUPT_STATUS', 'number', 'virtual-interrupt-delivery'],
  [0x0812, 'PML_INDEX', 'number', 'pml'],
  [0x0814, 'GUEST_UINV', 'number', 'user-interrupts'],
  // 16-bit host-state fields.
  [0x0c00, 'HOST_ES_SELECTOR', 'selector', ''],
  [0x0c02, 'HOST_CS_SELECTOR', 'selector', ''],
  [0x0c04, 'HOST_SS_SELECTOR', 'selector', ''],
  [0x0c06, 'HOST_DS_SELECTOR', 'selector', ''],
  [0x0c08, 'HOST_FS_SELECTOR', 'selector', ''],
  [0x0c0a, 'HOST_GS_SELECTOR', 'selector', ''],
  [0x0c0c, 'HOST_TR_SELECTOR', 'selector', ''],
  // 64-bit control fields.
  [0x2000, 'IO_BITMAP_A', 'address', ''],
  [0x2002, 'IO_BITMAP_B', 'address', ''],
  [0x2004, 'MSR_BITMAP', 'address', 'msr-bitmaps'],
  [0x2006, 'VM_EXIT_MSR_STORE_ADDRESS', 'address', ''],
  [0x2008, 'VM_EXIT_MSR_LOAD_ADDRESS', 'address', ''],
  [0x200a, 'VM_ENTRY_MSR_LOAD_ADDRESS', 'address', ''],
  [0x200c, 'EXECUTIVE_VMCS_POINTER', 'address', ''],
  [0x200e, 'PML_ADDRESS', 'address', 'pml'],
  [0x2010, 'TSC_OFFSET', 'number', ''],
  [0x2012, 'VIRTUAL_APIC_ADDRESS', 'address', 'tpr-shadow'],
  [0x2014, 'APIC_ACCESS_ADDRESS', 'address', 'virtualize-apic-accesses'],
  [0x2016, 'POSTED_INTERRUPT_DESCRIPTOR_ADDRESS', 'address', 'posted-interrupts'],
  [0x2018, 'VM_FUNCTION_CONTROLS', 'number', 'vmfunc'],
  [0x201a, 'EPT_POINTER', 'eptp', 'ept'],
  [0x201c, 'EOI_EXIT_BITMAP_0', 'number', 'virtual-interrupt-delivery'],
  [0x201e, 'EOI_EXIT_BITMAP_1', 'number', 'virtual-interrupt-delivery'],
  [0x2020, 'EOI_EXIT_BITMAP_2', 'number', 'virtual-interrupt-delivery'],
  [0x2022, 'EOI_EXIT_BITMAP_3', 'number', 'virtual-interrupt-delivery'],
  [0x2024, 'EPTP_LIST_ADDRESS', 'address', 'vmfunc'],
  [0x2026, 'VMREAD_BITMAP', 'address', 'vmcs-shadowing'],
  [0x2028, 'VMWRITE_BITMAP', 'address', 'vmcs-shadowing'],
  [0x202a, 'VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS', 'address', 'ept-violation-ve'],
  [0x202c, 'XSS_EXITING_BITMAP', 'number', 'xsaves'],
  [0x202e, 'ENCLS_EXITING_BITMAP', 'number', 'encls-exiting'],
  [0x2030, 'SUB_PAGE_PERMISSION_TABLE_POINTER', 'address', 'sub-page-permissions'],
  [0x2032, 'TSC_MULTIPLIER', 'number', 'tsc-scaling'],
  [0x2034, 'TERTIARY_PROCESSOR_BASED_CONTROLS', 'tertiary', 'tertiary-controls'],
  [0x2036, 'ENCLV_EXITING_BITMAP', 'number', 'enclv-exiting'],
  [0x2038, 'LOW_PASID_DIRECTORY_ADDRESS', 'address', 'pasid-translation'],
  [0x203a, 'HIGH_PASID_DIRECTORY_ADDRESS', 'address', 'pasid-translation'],
  [0x203c, 'SHARED_EPT_POINTER', 'address', 'tdx'],
  [0x203e, 'PCONFIG_EXITING_BITMAP', 'number', 'pconfig'],
  [0x2040, 'HLAT_POINTER', 'address', 'hlat'],
  [0x2042, 'PID_POINTER_TABLE_ADDRESS', 'address', 'ipi-virtualization'],
  [0x2044, 'SECONDARY_VM_EXIT_CONTROLS', 'secondary-exit', 'secondary-exit-controls'],
  [0x204a, 'IA32_SPEC_CTRL_MASK', 'number', 'virtualize-spec-ctrl'],
  [0x204c, 'IA32_SPEC_CTRL_SHADOW', 'number', 'virtualize-spec-ctrl'],
  [0x2052, 'INJECTED_EVENT_DATA', 'number', 'fred'],
  // 64-bit read-only data fields.
  [0x2400, 'GUEST_PHYSICAL_ADDRESS', 'address', 'ept'],
  [0x2402, 'MSR_DATA', 'number', 'msr-list'],
  [0x2404, 'ORIGINAL_EVENT_DATA', 'number', 'fred'],
  // 64-bit guest-state fields.
  [0x2800, 'VMCS_LINK_POINTER', 'address', ''],
  [0x2802, 'GUEST_IA32_DEBUGCTL', 'debugctl', ''],
  [0x2804, 'GUEST_IA32_PAT', 'pat', ''],
  [0x2806, 'GUEST_IA32_EFER', 'efer', ''],
  [0x2808, 'GUEST_IA32_PERF_GLOBAL_CTRL', 'number', 'perf-global-ctrl'],
  [0x280a, 'GUEST_PDPTE0', 'pdpte', 'ept'],
  [0x280c, 'GUEST_PDPTE1', 'pdpte', 'ept'],
  [0x280e, 'GUEST_PDPTE2', 'pdpte', 'ept'],
  [0x2810, 'GUEST_PDPTE3', 'pdpte', 'ept'],
  [0x2812, 'GUEST_IA32_BNDCFGS', 'number', 'mpx'],
  [0x2814, 'GUEST_IA32_RTIT_CTL', 'number', 'processor-trace'],
  [0x2816, 'GUEST_IA32_LBR_CTL', 'number', 'lbr'],
  [0x2818, 'GUEST_IA32_PKRS', 'number', 'pks'],
  [0x281a, 'GUEST_IA32_FRED_CONFIG', 'number', 'fred'],
  [0x281c, 'GUEST_IA32_FRED_RSP1', 'address', 'fred'],
  [0x281e, 'GUEST_IA32_FRED_RSP2', 'address', 'fred'],
  [0x2820, 'GUEST_IA32_FRED_RSP3', 'address', 'fred'],
  [0x2822, 'GUEST_IA32_FRED_STKLVLS', 'number', 'fred'],
  [0x2824, 'GUEST_IA32_FRED_SSP1', 'address', 'fred'],
  [0x2826, 'GUEST_IA32_FRED_SSP2', 'address', 'fred'],
  [0x2828, 'GUEST_IA32_FRED_SSP3', 'address', 'fred'],
  // 64-bit host-state fields.
  [0x2c00, 'HOST_IA32_PAT', 'pat', ''],
  [0x2c02, 'HOST_IA32_EFER', 'efer', ''],
  [0x2c04, 'HOST_IA32_PERF_GLOBAL_CTRL', 'number', 'perf-global-ctrl'],
  [0x2c06, 'HOST_IA32_PKRS', 'number', 'pks'],
  [0x2c08, 'HOST_IA32_FRED_CONFIG', 'number', 'fred'],
  [0x2c0a, 'HOST_IA32_FRED_RSP1', 'address', 'fred'],
  [0x2c0c, 'HOST_IA32_FRED_RSP2', 'address', 'fred'],
  [0x2c0e, 'HOST_IA32_FRED_RSP3', 'address', 'fred'],
  [0x2c10, 'HOST_IA32_FRED_STKLVLS', 'number', 'fred'],
  [0x2c12, 'HOST_IA32_FRED_SSP1', 'address', 'fred'],
  [0x2c14, 'HOST_IA32_FRED_SSP2', 'address', 'fred'],
  [0x2c16, 'HOST_IA32_FRED_SSP3', 'address', 'fred'],
  // 32-bit control fields.
  [0x4000, 'PIN_BASED_CONTROLS', 'pin', ''],
  [0x4002, 'PRIMARY_PROCESSOR_BASED_CONTROLS', 'primary', ''],
  [0x4004, 'EXCEPTION_BITMAP', 'exception-bitmap', ''],
  [0x4006, 'PAGE_FAULT_ERROR_CODE_MASK', 'number', ''],
  [0x4008, 'PAGE_FAULT_ERROR_CODE_MATCH', 'number', ''],
  [0x400a, 'CR3_TARGET_COUNT', 'number', ''],
  [0x400c, 'VM_EXIT_CONTROLS', 'exit', ''],
  [0x400e, 'VM_EXIT_MSR_STORE_COUNT', 'number', ''],
  [0x4010, 'VM_EXIT_MSR_LOAD_COUNT', 'number', ''],
  [0x4012, 'VM_ENTRY_CONTROLS', 'entry', ''],
  [0x4014, 'VM_ENTRY_MSR_LOAD_COUNT', 'number', ''],
  [0x4016, 'VM_ENTRY_INTERRUPTION_INFO', 'entry-interruption-info', ''],
  [0x4018, 'VM_ENTRY_EXCEPTION_ERROR_CODE', 'number', ''],
  [0x401a, 'VM_ENTRY_INSTRUCTION_LENGTH', 'number', ''],
  [0x401c, 'TPR_THRESHOLD', 'number', 'tpr-shadow'],
  [0x401e, 'SECONDARY_PROCESSOR_BASED_CONTROLS', 'secondary', 'secondary-controls'],
  [0x4020, 'PLE_GAP', 'number', 'pause-loop-exiting'],
  [0x4022, 'PLE_WINDOW', 'number', 'pause-loop-exiting'],
  [0x4024, 'INSTRUCTION_TIMEOUT_CONTROL', 'number', 'instruction-timeout'],
  // 32-bit read-only data fields.
  [0x4400, 'VM_INSTRUCTION_ERROR', 'instruction-error', ''],
  [0x4402, 'VM_EXIT_REASON', 'exit-reason', ''],
  [0x4404, 'VM_EXIT_INTERRUPTION_INFO', 'interruption-info', ''],
  [0x4406, 'VM_EXIT_INTERRUPTION_ERROR_CODE', 'number', ''],
  [0x4408, 'IDT_VECTORING_INFO', 'interruption-info', ''],
  [0x440a, 'IDT_VECTORING_ERROR_CODE', 'number', ''],
  [0x440c, 'VM_EXIT_INSTRUCTION_LENGTH', 'number', ''],
  [0x440e, 'VM_EXIT_INSTRUCTION_INFO', 'instruction-info', ''],
  // 32-bit guest-state fields.
  [0x4800, 'GUEST_ES_LIMIT', 'number', ''],
  [0x4802, 'GUEST_CS_LIMIT', 'number', ''],
  [0x4804, 'GUEST_SS_LIMIT', 'number', ''],
  [0x4806, 'GUEST_DS_LIMIT', 'number', ''],
  [0x4808, 'GUEST_FS_LIMIT', 'number', ''],
  [0x480a, 'GUEST_GS_LIMIT', 'number', ''],
  [0x480c, 'GUEST_LDTR_LIMIT', 'number', ''],
  [0x480e, 'GUEST_TR_LIMIT', 'number', ''],
  [0x4810, 'GUEST_GDTR_LIMIT', 'number', ''],
  [0x4812, 'GUEST_IDTR_LIMIT', 'number', ''],
  [0x4814, 'GUEST_ES_ACCESS_RIGHTS', 'access-rights', ''],
  [0x4816, 'GUEST_CS_ACCESS_RIGHTS', 'access-rights', ''],
  [0x4818, 'GUEST_SS_ACCESS_RIGHTS', 'access-rights', ''],
  [0x481a, 'GUEST_DS_ACCESS_RIGHTS', 'access-rights', ''],
  [0x481c, 'GUEST_FS_ACCESS_RIGHTS', 'access-rights', ''],
  [0x481e, 'GUEST_GS_ACCESS_RIGHTS', 'access-rights', ''],
  [0x4820, 'GUEST_LDTR_ACCESS_RIGHTS', 'access-rights', ''],
  [0x4822, 'GUEST_TR_ACCESS_RIGHTS', 'access-rights', ''],
  [0x4824, 'GUEST_INTERRUPTIBILITY_STATE', 'interruptibility', ''],
  [0x4826, 'GUEST_ACTIVITY_STATE', 'activity', ''],
  [0x4828, 'GUEST_SMBASE', 'address', ''],
  [0x482a, 'GUEST_IA32_SYSENTER_CS', 'number', ''],
  [0x482e, 'PREEMPTION_TIMER_VALUE', 'number', 'preemption-timer'],
  // 32-bit host-state field.
  [0x4c00, 'HOST_IA32_SYSENTER_CS', 'number', ''],
  // Natural-width control fields.
  [0x6000, 'CR0_GUEST_HOST_MASK', 'cr0', ''],
  [0x6002, 'CR4_GUEST_HOST_MASK', 'cr4', ''],
  [0x6004, 'CR0_READ_SHADOW', 'cr0', ''],
  [0x6006, 'CR4_READ_SHADOW', 'cr4', ''],
  [0x6008, 'CR3_TARGET_VALUE_0', 'address', ''],
  [0x600a, 'CR3_TARGET_VALUE_1', 'address', ''],
  [0x600c, 'CR3_TARGET_VALUE_2', 'address', ''],
  [0x600e, 'CR3_TARGET_VALUE_3', 'address', ''],
  // Natural-width read-only data fields.
  [0x6400, 'EXIT_QUALIFICATION', 'exit-qualification', ''],
  [0x6402, 'IO_RCX', 'number', ''],
  [0x6404, 'IO_RSI', 'number', ''],
  [0x6406, 'IO_RDI', 'number', ''],
  [0x6408, 'IO_RIP', 'address', ''],
  [0x640a, 'GUEST_LINEAR_ADDRESS', 'address', ''],
  // Natural-width guest-state fields.
  [0x6800, 'GUEST_CR0', 'cr0', ''],
  [0x6802, 'GUEST_CR3', 'address', ''],
  [0x6804, 'GUEST_CR4', 'cr4', ''],
  [0x6806, 'GUEST_ES_BASE', 'address', ''],
  [0x6808, 'GUEST_CS_BASE', 'address', ''],
  [0x680a, 'GUEST_SS_BASE', 'address', ''],
  [0x680c, 'GUEST_DS_BASE', 'address', ''],
  [0x680e, 'GUEST_FS_BASE', 'address', ''],
  [0x6810, 'GUEST_GS_BASE', 'address', ''],
  [0x6812, 'GUEST_LDTR_BASE', 'address', ''],
  [0x6814, 'GUEST_TR_BASE', 'address', ''],
  [0x6816, 'GUEST_GDTR_BASE', 'address', ''],
  [0x6818, 'GUEST_IDTR_BASE', 'address', ''],
  [0x681a, 'GUEST_DR7', 'dr7', ''],
  [0x681c, 'GUEST_RSP', 'address', ''],
  [0x681e, 'GUEST_RIP', 'address', ''],
  [0x6820, 'GUEST_RFLAGS', 'rflags', ''],
  [0x6822, 'GUEST_PENDING_DEBUG_EXCEPTIONS', 'pending-debug', ''],
  [0x6824, 'GUEST_IA32_SYSENTER_ESP', 'address', ''],
  [0x6826, 'GUEST_IA32_SYSENTER_EIP', 'address', ''],
  [0x6828, 'GUEST_IA32_S_CET', 'number', 'cet'],
  [0x682a, 'GUEST_SSP', 'address', 'cet'],
  [0x682c, 'GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR', 'address', 'cet'],
  // Natural-width host-state fields.
  [0x6c00, 'HOST_CR0', 'cr0', ''],
  [0x6c02, 'HOST_CR3', 'address', ''],
  [0x6c04, 'HOST_CR4', 'cr4', ''],
  [0x6c06, 'HOST_FS_BASE', 'address', ''],
  [0x6c08, 'HOST_GS_BASE', 'address', ''],
  [0x6c0a, 'HOST_TR_BASE', 'address', ''],
  [0x6c0c, 'HOST_GDTR_BASE', 'address', ''],
  [0x6c0e, 'HOST_IDTR_BASE', 'address', ''],
  [0x6c10, 'HOST_IA32_SYSENTER_ESP', 'address', ''],
  [0x6c12, 'HOST_IA32_SYSENTER_EIP', 'address', ''],
  [0x6c14, 'HOST_RSP', 'address', ''],
  [0x6c16, 'HOST_RIP', 'address', ''],
  [0x6c18, 'HOST_IA32_S_CET', 'number', 'cet'],
  [0x6c1a, 'HOST_SSP', 'address', 'cet'],
  [0x6c1c, 'HOST_IA32_INTERRUPT_SSP_TABLE_ADDR', 'address', 'cet'],
] as const satisfies readonly (readonly [number, string, Decode, string])[];

export type FieldName = (typeof ROWS)[number][1];
export type FieldGroup = 'control' | 'exit-information' | 'guest' | 'host';
/** Bits; natural-width fields have 64 on a processor with Intel 64. */
export type FieldWidth = 16 | 32 | 64 | 'natural';

export interface Field {
  readonly encoding: number;
  readonly name: FieldName;
  readonly width: FieldWidth;
  readonly group: FieldGroup;
  readonly decode: Decode;
  /** What the processor must have for the field to exist; empty when every processor with VMX has it. */
  readonly feature: string;
  /** Index of the field in the table and of its value in the processor's state. */
  readonly slot: number;
}

const WIDTHS: readonly FieldWidth[] = [16, 64, 32, 'natural'];
const GROUPS: readonly FieldGroup[] = ['control', 'exit-information', 'guest', 'host'];

export const FIELDS: readonly Field[] = ROWS.map(([encoding, name, decode, feature], slot) => ({
  encoding,
  name,
  width: WIDTHS[(encoding >>> 13) & 3]!,
  group: GROUPS[(encoding >>> 10) & 3]!,
  decode,
  feature,
  slot,
}));

/** Slot of a field by name. Code that runs often takes the slots it needs into constants. */
export const Slot = Object.fromEntries(FIELDS.map((f) => [f.name, f.slot])) as Record<FieldName, number>;

/** Encoding of a field by name. */
export const Encoding = Object.fromEntries(FIELDS.map((f) => [f.name, f.encoding])) as Record<FieldName, number>;

// Bit 0 of an encoding selects the high half of a 64-bit field, so slots are found by encoding / 2.
const slots = new Int16Array(0x4000).fill(-1);
for (const f of FIELDS) slots[f.encoding >>> 1] = f.slot;

/** Slot of an encoding (full or high access), or -1 when the SDM has no such field. High access exists for 64-bit fields alone. */
export function slotOf(encoding: number): number {
  if (encoding < 0 || encoding > 0x7fff) return -1;
  const slot = slots[encoding >>> 1]!;
  if (slot >= 0 && (encoding & 1) !== 0 && FIELDS[slot]!.width !== 64) return -1;
  return slot;
}

/** The field with an encoding, full or high access. */
export function fieldOf(encoding: number): Field | undefined {
  const slot = slotOf(encoding);
  return slot < 0 ? undefined : FIELDS[slot];
}

const BY_NAME: ReadonlyMap<string, Field> = new Map(FIELDS.map((field) => [field.name, field]));

/** The field of a name, in capitals or not. */
export const fieldNamed = (name: string): Field | undefined => BY_NAME.get(name.toUpperCase());
