/** A VM-entry check as a row: what every table of checks is made of. The tables are entryChecks*.ts. */
import type { Capabilities } from './capabilities';
import type { FieldName } from './fields';

/** What a check may look at. Fields are read by slot. */
export interface EntryContext {
  /** Low and high half of a field, unsigned. */
  low(slot: number): number;
  high(slot: number): number;
  readonly capabilities: Capabilities;
  /** The low halves of IA32_VMX_EPT_VPID_CAP, IA32_VMX_MISC and IA32_VMX_VMFUNC; 0 where the processor lacks the MSR. */
  readonly eptCapabilities: number;
  readonly misc: number;
  readonly vmFunctions: number;
  readonly physicalAddressBits: number;
  /** Bits of IA32_EFER that may be 1 on this processor. */
  readonly eferBits: number;
  /** EFER.LMA of the VMM that executes the instruction. */
  readonly longMode: boolean;
  /** The current VMCS. */
  readonly currentVmcs: number;
  /** The 32 bits at a physical address, or undefined where there is no memory. */
  physical32(address: number): number | undefined;
}

/**
 * Decides how the entry fails: controls by VM-instruction error 7, host state by error 8, guest state by a VM exit with
 * reason 33 and the row's qualification.
 */
export type Stage = 'control' | 'host' | 'guest';

export interface EntryCheck {
  /** Begins with the stage. Tests and documentation carry it. */
  readonly id: string;
  readonly stage: Stage;
  /** Title of the section in volume 3. */
  readonly section: string;
  /** Fields read, the ones to blame first. */
  readonly fields: readonly FieldName[];
  /** What must be so, as a sentence. */
  readonly condition: string;
  readonly holds: (c: EntryContext) => boolean;
  /** Says more about a value that is wrong, as further sentences. */
  readonly explain?: (c: EntryContext) => string;
  /** Exit qualification of a failed guest check; 0 when absent. */
  readonly qualification?: number;
  /** Without this feature of the processor the check does not exist. */
  readonly feature?: string;
}

export type CheckOptions = Pick<EntryCheck, 'explain' | 'qualification' | 'feature'>;
type MakeCheck = (id: string, fields: readonly FieldName[], condition: string, holds: EntryCheck['holds'], options?: CheckOptions) => EntryCheck;

/** Rows of one section. */
export const checksOf =
  (stage: Stage, section: string): MakeCheck =>
  (id, fields, condition, holds, options = {}) => ({ id: `${stage}.${id}`, stage, section, fields, condition, holds, ...options });
