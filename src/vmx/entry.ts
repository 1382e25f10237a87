/** VM entry: VMLAUNCH and VMRESUME after their own conditions (SDM volume 3, "VM Entries"). */
import { Efer } from '../cpu/controlBits';
import { Offset } from '../cpu/state';
import { failEntry } from './exit';
import { loadGuestState, startPreemptionTimer } from './guestState';
import { injectEvent } from './injection';
import { loadMsrs } from './msrLists';
import type { FailedCheck } from './observe';
import { Private, VmxMode } from './privateState';
import { ENTRY_CHECKS, type EntryCheck, type EntryContext } from './tables/entryChecks';
import { Reason } from './tables/exitReasons';
import { Encoding, Slot } from './tables/fields';
import { InstructionErrorNumber } from './tables/instructionErrors';
import { reportFailure } from './outcome';
import type { Vmx } from './vmx';

const { VM_ENTRY_MSR_LOAD_ADDRESS, VM_ENTRY_MSR_LOAD_COUNT } = Slot;

const CONTROLS = ENTRY_CHECKS.filter((c) => c.stage === 'control');
const HOST = ENTRY_CHECKS.filter((c) => c.stage === 'host');
const GUEST = ENTRY_CHECKS.filter((c) => c.stage === 'guest');

/** What the checks see of a processor's VMX: always the present values. */
class Context implements EntryContext {
  readonly capabilities;
  readonly physicalAddressBits;
  constructor(private readonly vmx: Vmx) {
    this.capabilities = vmx.capabilities;
    this.physicalAddressBits = vmx.physicalAddressBits;
  }
  low(slot: number): number {
    return this.vmx.vmcs.low(slot);
  }
  high(slot: number): number {
    return this.vmx.vmcs.high(slot);
  }
  get longMode(): boolean {
    return (this.vmx.state.efer & Efer.LMA) !== 0;
  }
  get currentVmcs(): number {
    return this.vmx.vmcs.pointer;
  }
  physical32(address: number): number | undefined {
    return this.vmx.physical32(address);
  }
}

const contexts = new WeakMap<Vmx, Context>();
function contextOf(vmx: Vmx): Context {
  let context = contexts.get(vmx);
  if (!context) contexts.set(vmx, (context = new Context(vmx)));
  return context;
}

const described = (check: EntryCheck): FailedCheck => ({ id: check.id, section: check.section, message: check.message, fields: check.fields.map((name) => Encoding[name]) });

/** Every check of the current VMCS that fails, whatever the stage: for the report of a failed entry. */
export function failedChecks(vmx: Vmx): FailedCheck[] {
  const context = contextOf(vmx);
  return ENTRY_CHECKS.filter((c) => !c.holds(context)).map(described);
}

/**
 * Enters the guest of the current VMCS, or fails as the SDM says: with a VM-instruction error (its number is returned,
 * the state is the VMM's, untouched) or by a VM exit (then the host state is loaded). Returns 0 otherwise.
 * Event injection may throw STATE_REPLACED.
 */
export function enterGuest(vmx: Vmx, launch: boolean): number {
  // Whether real NMIs are blocked must be known after an exit, when the interruptibility state has been the guest's.
  vmx.state.set32(Private.PHYSICAL_NMI_BLOCKED, vmx.state.get32(Offset.INTERRUPTIBILITY) & 8);
  const context = contextOf(vmx);
  if (!CONTROLS.every((c) => c.holds(context))) return InstructionErrorNumber.INVALID_CONTROL_FIELDS;
  if (!HOST.every((c) => c.holds(context))) return InstructionErrorNumber.INVALID_HOST_STATE;
  const invalid = GUEST.find((c) => !c.holds(context));
  if (invalid) {
    failLate(vmx, launch, Reason.ENTRY_FAILURE_GUEST_STATE, invalid.qualification ?? 0, failedChecks(vmx));
    return 0;
  }

  const { state: s, vmcs, cpu } = vmx;
  loadGuestState(vmx);
  // The list is read and its MSRs are checked as if by WRMSR, with the guest's control registers in place.
  const failed = loadMsrs(vmx, vmcs.address(VM_ENTRY_MSR_LOAD_ADDRESS), vmcs.low(VM_ENTRY_MSR_LOAD_COUNT));
  if (failed !== 0) {
    failLate(vmx, launch, Reason.ENTRY_FAILURE_MSR_LOADING, failed, []);
    return 0;
  }

  s.set32(Private.LAUNCHED, 1);
  s.set32(Offset.VMX_MODE, VmxMode.NON_ROOT);
  // The clock still stands before the VM-entry instruction, which retires with this entry.
  const clock = s.icount + 1;
  s.set32(Private.TRAP_PENDING, 0);
  s.set32(Private.DELIVERING, 0);
  vmx.setF64(Private.ENTRY_CLOCK, clock);
  vmx.setF64(Private.ENTRIES, vmx.f64(Private.ENTRIES) + 1);
  startPreemptionTimer(vmx, clock);
  // Without VPID a VM entry drops every cached translation; with it we do the same, which is stricter.
  cpu.flushTlb();
  cpu.stateChanged();
  vmx.observer?.entry(clock, launch);
  injectEvent(vmx);
  return 0;
}

function failLate(vmx: Vmx, launch: boolean, reason: number, qualification: number, checks: FailedCheck[]): void {
  const rip = vmx.cpu.instructionRip;
  const message =
    reason === Reason.ENTRY_FAILURE_GUEST_STATE
      ? `VM entry failed because of the guest state: ${checks.map((c) => c.message).join(' ')}`
      : `VM entry failed: entry ${qualification} of the VM-entry MSR-load area cannot be loaded.`;
  failEntry(vmx, reason, BigInt(qualification));
  reportFailure(vmx, { mnemonic: launch ? 'vmlaunch' : 'vmresume', rip, error: undefined, exitReason: reason, message, checks });
}
