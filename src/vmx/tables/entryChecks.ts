/**
 * The checks of VM entry, in the SDM's order: Intel SDM volume 3, "Checks on VMX Controls and Host-State Area" and
 * "Checking and Loading Guest State". One file per area; docs/vm-entry-checks.md is generated from them.
 */
import type { EntryCheck } from './entryCheck';
import { ENTRY_CONTROL_CHECKS, EXIT_CONTROL_CHECKS } from './entryChecksExitEntry';
import { EXECUTION_CHECKS } from './entryChecksExecution';
import { HOST_CHECKS } from './entryChecksHost';
import { GUEST_REGISTER_CHECKS } from './entryChecksRegisters';
import { SEGMENT_CHECKS } from './entryChecksSegments';
import { STATE_CHECKS } from './entryChecksState';

export type { EntryCheck, EntryContext, Stage } from './entryCheck';
export { fieldValue } from './entryCheckTerms';
export { BASIC_CHECKS, type BasicCheck, type BasicContext } from './entryChecksBasic';
export { MSR_LOAD_CHECKS, MSR_VALUE_CHECK, type MsrEntry, type MsrLoadCheck } from './entryChecksMsr';

export const ENTRY_CHECKS: readonly EntryCheck[] = [...EXECUTION_CHECKS, ...EXIT_CONTROL_CHECKS, ...ENTRY_CONTROL_CHECKS, ...HOST_CHECKS, ...GUEST_REGISTER_CHECKS, ...SEGMENT_CHECKS, ...STATE_CHECKS];
