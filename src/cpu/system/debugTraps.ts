/** Debug exceptions that follow an instruction: single step and data breakpoints (SDM volume 3, "Debug Exceptions"). */
import { Vector } from '../fault';
import type { Processor } from '../processor';
import { Offset } from '../state';
import { deliverFault } from './delivery';

/** Bits of Offset.PENDING_DEBUG, which has the VMCS's layout; BT never reaches a VMCS because task switches exit. */
export const PendingDebug = { BREAKPOINTS: 0xf, ENABLED: 1 << 12, SINGLE_STEP: 1 << 14, TASK_SWITCH: 1 << 15 } as const;

const BLOCKING_MOVSS = 2;

/** Adds to the traps that wait for the next instruction boundary at which MOV SS does not hold them back. */
export function addDebugTraps(cpu: Processor, bits: number): void {
  cpu.state.set32(Offset.PENDING_DEBUG, cpu.state.get32(Offset.PENDING_DEBUG) | bits);
}

/** Delivers the traps that wait, as one #DB; `instructionRip` is the next instruction's. Returns whether it did (or performed the VM exit for it). */
export function deliverDebugTraps(cpu: Processor): boolean {
  const s = cpu.state;
  const pending = s.get32(Offset.PENDING_DEBUG);
  if (pending === 0 || s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_MOVSS) return false;
  s.clear64(Offset.PENDING_DEBUG);
  const enabled = (pending & PendingDebug.ENABLED) !== 0 && (pending & PendingDebug.BREAKPOINTS) !== 0;
  if (!enabled && (pending & (PendingDebug.SINGLE_STEP | PendingDebug.TASK_SWITCH)) === 0) return false;
  cpu.fault.exception(Vector.DB).address = BigInt(pending & (PendingDebug.BREAKPOINTS | PendingDebug.SINGLE_STEP | PendingDebug.TASK_SWITCH));
  deliverFault(cpu, cpu.fault);
  return true;
}
