/** VM exits: exit information, guest state, host state (SDM volume 3, "VM Exits"). */
import { STATE_REPLACED } from '../cpu/fault';
import { RF } from '../cpu/flags';
import type { Instruction } from '../cpu/decode/instruction';
import { Offset } from '../cpu/state';
import { ExitFlag, Rest } from './guestCode';
import { savePdptes, savePreemptionTimer } from './guestState';
import { loadHostPdptes } from './hostPdptes';
import { loadMsrs, storeMsrs } from './msrLists';
import { Private, VmxMode } from './privateState';
import { ENTRY_FAILURE, exitReasonName } from './tables/exitReasons';
import { Slot } from './tables/fields';
import { Region } from './vmcs';
import type { Vmx } from './vmx';

const { VM_EXIT_REASON, EXIT_QUALIFICATION, GUEST_RIP, VM_EXIT_MSR_STORE_COUNT, VM_EXIT_MSR_STORE_ADDRESS, VM_EXIT_MSR_LOAD_COUNT, VM_EXIT_MSR_LOAD_ADDRESS } = Slot;

/** What an exit reports besides its reason; what is absent is reported as 0. */
export interface ExitInformation {
  qualification?: bigint;
  instructionLength?: number;
  instructionInfo?: number;
  /** Interruption information with bit 31. */
  interruption?: number;
  errorCode?: number;
  linear?: bigint;
  gpa?: number;
  /** An NMI caused the exit. */
  nmi?: boolean;
  /** The event that was being delivered ended in a double fault or had its exit itself: IDT-vectoring information is not valid. */
  noVectoring?: boolean;
}

/** Numbers of VMX aborts (SDM volume 3, "VMX Aborts"). */
const Abort = { STORING_MSRS: 1, HOST_PDPTES: 2, LOADING_MSRS: 4 } as const;

/** For an exit whose instruction length is that of the event that was being delivered, if there was one. */
const NO_LENGTH = -1;

/** An exit that has nothing to say but its reason. */
export const NO_INFORMATION: ExitInformation = {};

/** Exit by an instruction: RIP goes back to it. Returns true. */
export function exitOfInstruction(vmx: Vmx, reason: number, insn: Instruction, information: ExitInformation = NO_INFORMATION): true {
  const s = vmx.state;
  s.rip = vmx.cpu.instructionRip;
  s.set32(Offset.FLAGS, s.get32(Offset.FLAGS) & ~RF);
  performExit(vmx, reason, information, insn.length);
  return true;
}

/** The same for callers that do not expect to go on. Never returns. */
export function exitByInstruction(vmx: Vmx, reason: number, insn: Instruction, information: ExitInformation = NO_INFORMATION): never {
  exitOfInstruction(vmx, reason, insn, information);
  throw STATE_REPLACED;
}

/** Exit with the state as it is. Never returns. */
export function exitNow(vmx: Vmx, reason: number, information: ExitInformation = {}): never {
  performExit(vmx, reason, information);
  throw STATE_REPLACED;
}

/** Performs a VM exit from VMX non-root operation; the processor's state is the VMM's afterwards. */
export function performExit(vmx: Vmx, reason: number, information: ExitInformation = NO_INFORMATION, instructionLength = information.instructionLength ?? NO_LENGTH): void {
  const { state: s } = vmx;
  if (information.qualification === undefined) s.clear64(Private.EXIT_QUALIFICATION);
  else s.set64(Private.EXIT_QUALIFICATION, information.qualification);
  if (information.linear === undefined) s.clear64(Private.EXIT_LINEAR);
  else s.set64(Private.EXIT_LINEAR, information.linear);
  const gpa = information.gpa ?? 0;
  s.set32(Private.EXIT_GPA, gpa);
  s.set32(Private.EXIT_GPA + 4, gpa / 0x1_0000_0000);
  const flags = (information.noVectoring ? ExitFlag.NO_VECTORING : 0) | vmx.exitFlags;
  const rest = vmx.transfer.beginExit(s.base, reason, instructionLength, information.instructionInfo ?? 0, information.interruption ?? 0, information.errorCode ?? 0, flags);
  if (rest !== 0 && !saveRest(vmx, rest)) return abort(vmx, Abort.STORING_MSRS, 'The VM exit could not store an MSR of the VM-exit MSR-store area: a VMX abort, the processor shuts down.');
  enterHost(vmx, information.nmi === true);
}

/** Saves what is rare. False when an MSR cannot be stored. */
function saveRest(vmx: Vmx, rest: number): boolean {
  const { vmcs } = vmx;
  if (rest & Rest.PDPTES) savePdptes(vmx);
  if (rest & Rest.TIMER) savePreemptionTimer(vmx);
  return (rest & Rest.MSRS) === 0 || storeMsrs(vmx, vmcs.address(VM_EXIT_MSR_STORE_ADDRESS), vmcs.low(VM_EXIT_MSR_STORE_COUNT));
}

/** A VM entry that fails after the host state is known to be valid: an exit that saves no guest state. */
export function failEntry(vmx: Vmx, reason: number, qualification: bigint): void {
  vmx.transfer.noteExit(vmx.state.base);
  vmx.vmcs.setLow(VM_EXIT_REASON, (reason | ENTRY_FAILURE) >>> 0);
  vmx.vmcs.set(EXIT_QUALIFICATION, qualification);
  const s = vmx.state;
  s.set32(Private.EXIT_REASON, reason);
  s.set32(Private.EXIT_LENGTH, 0);
  s.set64(Private.EXIT_QUALIFICATION, qualification);
  s.set32(Private.EXIT_INTERRUPTION, 0);
  s.set32(Private.EXIT_VECTORING, 0);
  s.set64(Private.EXIT_RIP, vmx.vmcs.get(GUEST_RIP));
  s.set32(Offset.INTERRUPTIBILITY, s.get32(Private.PHYSICAL_NMI_BLOCKED));
  enterHost(vmx, false);
}

/** Loads the host state and goes on in VMX root operation. */
function enterHost(vmx: Vmx, nmi: boolean): void {
  const { state: s, vmcs, cpu, transfer } = vmx;
  let kept = transfer.loadHost(s.base, nmi ? 1 : 0);
  if (kept & Rest.PDPTES && !loadHostPdptes(vmx)) return abort(vmx, Abort.HOST_PDPTES, 'The VM exit found a reserved bit set in a PDPTE at HOST_CR3: a VMX abort, the processor shuts down.');
  if (kept & Rest.MSRS) {
    const failed = loadMsrs(vmx, vmcs.address(VM_EXIT_MSR_LOAD_ADDRESS), vmcs.low(VM_EXIT_MSR_LOAD_COUNT));
    if (failed !== 0) return abort(vmx, Abort.LOADING_MSRS, `The VM exit could not load entry ${failed} of the VM-exit MSR-load area: a VMX abort, the processor shuts down.`);
    kept = transfer.hostKept(s.base);
  }
  vmx.translations.atExit(kept);
  cpu.worldChanged();
  vmx.observer?.exit(vmx.exitRecords.last(vmx));
}

/** A VMX abort: the indicator goes into the VMCS region and the processor shuts down. */
function abort(vmx: Vmx, indicator: number, message: string): void {
  const { state: s, vmcs, cpu } = vmx;
  const address = vmcs.pointer;
  if (address >= 0) cpu.writePhysical(address + Region.ABORT, 4, BigInt(indicator));
  s.set32(Offset.VMX_MODE, VmxMode.ROOT);
  s.set32(Offset.ACTIVITY, 2);
  cpu.flushTlb();
  cpu.stateChanged();
  const reason = s.get32(Private.EXIT_REASON) & 0xffff;
  vmx.observer?.failure({ icount: s.icount, rip: s.get64(Private.EXIT_RIP), mnemonic: 'VM exit', error: undefined, exitReason: reason, message: `${message} The exit was ${exitReasonName(reason)}.`, checks: [] });
}
