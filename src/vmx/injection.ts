/** Event injection at VM entry (SDM volume 3, "Event Injection"). */
import { Activity } from '../cpu/engine/activity';
import { EventType } from '../cpu/intercepts';
import { Offset } from '../cpu/state';
import { deliverEvent } from '../cpu/system/delivery';
import { Pending, Private } from './privateState';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { VM_ENTRY_INTERRUPTION_INFO, VM_ENTRY_EXCEPTION_ERROR_CODE, VM_ENTRY_INSTRUCTION_LENGTH } = Slot;

const VALID = 0x8000_0000;
const DELIVER_ERROR_CODE = 0x800;
const OTHER_EVENT = 7;
const BLOCKING_MOV_SS = 2;
const BLOCKING_NMI = 8;

/** Delivers the event that the VM-entry interruption information describes, through the guest's IDT. May throw STATE_REPLACED. */
export function injectEvent(vmx: Vmx): void {
  const { vmcs } = vmx;
  const info = vmcs.low(VM_ENTRY_INTERRUPTION_INFO);
  if ((info & VALID) === 0) return;
  vmx.cpu.requestAttention();
  const type = (info >>> 8) & 7;
  if (type === OTHER_EVENT) {
    vmx.state.set32(Private.TRAP_PENDING, vmx.state.get32(Private.TRAP_PENDING) | Pending.TRAP);
    return;
  }
  const s = vmx.state;
  // Whatever the activity state was, the event makes the guest active (SDM volume 3, "Activity State" of "Special Features of VM Entry").
  s.set32(Offset.ACTIVITY, Activity.ACTIVE);
  // Debug exceptions that wait are lost; software events behind MOV SS let them wait as their instruction would
  // (SDM volume 3, "Delivery of Pending Debug Exceptions after VM Entry").
  const software = type === EventType.SOFTWARE_INTERRUPT || type === EventType.SOFTWARE_EXCEPTION;
  if (!software || (s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_MOV_SS) === 0) s.clear64(Offset.PENDING_DEBUG);
  // An NMI blocks others before an exit that its delivery leads to, which the VMM has to undo before it injects it again
  // (SDM volume 3, "Architectural State Before a VM Exit", "Resuming Guest Software After Handling an Exception").
  if (type === EventType.NMI) s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) | BLOCKING_NMI);
  const errorCode = info & DELIVER_ERROR_CODE ? vmcs.low(VM_ENTRY_EXCEPTION_ERROR_CODE) : undefined;
  const byInstruction = software || type === EventType.PRIVILEGED_SOFTWARE;
  deliverEvent(vmx.cpu, type, info & 0xff, errorCode, byInstruction ? vmcs.low(VM_ENTRY_INSTRUCTION_LENGTH) : 0);
}
