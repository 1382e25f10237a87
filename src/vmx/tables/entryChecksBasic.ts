/** What VMLAUNCH and VMRESUME check before they look at the VMCS: Intel SDM volume 3, "Basic VM-Entry Checks". */
import { InstructionErrorNumber } from './instructionErrors';

export interface BasicContext {
  /** VMLAUNCH, not VMRESUME. */
  readonly launch: boolean;
  readonly hasVmcs: boolean;
  /** Bit 31 of the VMCS's first four bytes. */
  readonly shadow: boolean;
  readonly blockedByMovSs: boolean;
  readonly launched: boolean;
}

export interface BasicCheck {
  readonly id: string;
  readonly section: string;
  readonly condition: string;
  /** VM-instruction error, or 0 for VMfailInvalid. */
  readonly error: number;
  readonly holds: (c: BasicContext) => boolean;
}

const check = (id: string, error: number, condition: string, holds: BasicCheck['holds']): BasicCheck => ({ id: `basic.${id}`, section: 'Basic VM-Entry Checks', condition, error, holds });

/** In the order in which they are made. */
export const BASIC_CHECKS: readonly BasicCheck[] = [
  check('current-vmcs', 0, 'There must be a current VMCS: VMPTRLD comes first.', (c) => c.hasVmcs),
  check('shadow-vmcs', 0, 'The current VMCS must be an ordinary one, not a shadow VMCS.', (c) => !c.shadow),
  check('mov-ss', InstructionErrorNumber.BLOCKED_BY_MOV_SS, 'Events must not be blocked by MOV SS (the instruction before is MOV SS or POP SS).', (c) => !c.blockedByMovSs),
  check('launch-state.clear', InstructionErrorNumber.VMLAUNCH_NOT_CLEAR, 'VMLAUNCH needs a VMCS that is clear: VMCLEAR comes first, and after the first launch VMRESUME is used.', (c) => !c.launch || !c.launched),
  check('launch-state.launched', InstructionErrorNumber.VMRESUME_NOT_LAUNCHED, 'VMRESUME needs a VMCS that was launched: the first VM entry is VMLAUNCH.', (c) => c.launch || c.launched),
];
