/** VM entry: VMLAUNCH and VMRESUME after their own conditions (SDM volume 3, "VM Entries"). */
import { Efer } from '../cpu/controlBits';
import { Offset } from '../cpu/state';
import { eferAllowed } from '../cpu/system/controlRegisters';
import { CheckMemo } from './checkMemo';
import { failEntry } from './exit';
import { Rest } from './guestCode';
import { loadPdptes, startPreemptionTimer } from './guestState';
import { injectEvent } from './injection';
import { describeMsrFailure, loadMsrs } from './msrLists';
import type { FailedCheck } from './observe';
import { failureHeadline, reportFailure } from './outcome';
import { Private } from './privateState';
import { VmxMsr } from './tables/capabilities';
import { BASIC_CHECKS, type BasicCheck, type BasicContext, ENTRY_CHECKS, type EntryCheck, type EntryContext, fieldValue } from './tables/entryChecks';
import { Reason } from './tables/exitReasons';
import { Encoding, Slot } from './tables/fields';
import { InstructionErrorNumber } from './tables/instructionErrors';
import { enterVirtualApic } from './virtualApic';
import type { Vmx } from './vmx';

const { VM_ENTRY_MSR_LOAD_ADDRESS, VM_ENTRY_MSR_LOAD_COUNT } = Slot;

const BLOCKING_BY_MOV_SS = 2;
const SHADOW_INDICATOR = 0x8000_0000;

/** What the checks see of a processor's VMX: always the present values. */
class Context implements EntryContext {
  readonly capabilities;
  readonly eptCapabilities;
  readonly misc;
  readonly vmFunctions;
  readonly physicalAddressBits;
  readonly eferBits;
  /** The checks that exist on this processor, by the way in which they fail. */
  readonly checks: readonly EntryCheck[];
  readonly controls: readonly EntryCheck[];
  readonly host: readonly EntryCheck[];
  readonly guest: readonly EntryCheck[];

  constructor(private readonly vmx: Vmx) {
    const { capabilities } = vmx;
    const msr = (index: number): number => Number((capabilities.read(index) ?? 0n) & 0xffff_ffffn);
    this.capabilities = capabilities;
    this.eptCapabilities = msr(VmxMsr.EPT_VPID_CAP);
    this.misc = msr(VmxMsr.MISC);
    this.vmFunctions = msr(VmxMsr.VMFUNC);
    this.physicalAddressBits = vmx.physicalAddressBits;
    this.eferBits = eferAllowed(vmx.cpu.features);
    this.checks = ENTRY_CHECKS.filter((c) => c.feature === undefined || capabilities.has(c.feature));
    this.controls = this.checks.filter((c) => c.stage === 'control');
    this.host = this.checks.filter((c) => c.stage === 'host');
    this.guest = this.checks.filter((c) => c.stage === 'guest');
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

/** What VM entries keep of a processor. */
export class EntryParts {
  readonly context: Context;
  readonly memo: CheckMemo;
  readonly basic: BasicState;

  constructor(vmx: Vmx) {
    this.context = new Context(vmx);
    this.memo = new CheckMemo(this.context.checks, this.context, vmx.state, vmx.transfer);
    this.basic = new BasicState(vmx);
  }
}
const partsOf = (vmx: Vmx): EntryParts => (vmx.entryParts ??= new EntryParts(vmx));

/** Whether every check holds now; those whose inputs did not change since they last all held are not made again. */
export const allChecksHold = (vmx: Vmx): boolean => partsOf(vmx).memo.allHold();

/** A failed check in words: the values of its fields, then what must be so. */
function described(check: EntryCheck, c: EntryContext): FailedCheck {
  const values = check.fields.map((name) => `${name} is 0x${fieldValue(c, name).toString(16)}`).join(', ');
  const explained = check.explain?.(c) ?? '';
  return {
    id: check.id,
    section: check.section,
    condition: check.condition,
    message: `${values}. ${check.condition}${explained === '' ? '' : ` ${explained}`}`,
    fields: check.fields.map((name) => Encoding[name]),
  };
}

/** Every check of the current VMCS that fails, whatever the stage: for the report of a failed entry. */
export function failedChecks(vmx: Vmx): FailedCheck[] {
  const { context } = partsOf(vmx);
  return context.checks.filter((c) => !c.holds(context)).map((c) => described(c, context));
}

/** What the checks before all those of the VMCS's contents see. Where that is as it was when they held, they are not made again. */
class BasicState implements BasicContext {
  launch = false;
  /** What the checks saw when they last all held. */
  held = -1;
  private readonly shadowsExist: boolean;

  constructor(private readonly vmx: Vmx) {
    this.shadowsExist = vmx.capabilities.has('vmcs-shadowing');
  }

  get hasVmcs(): boolean {
    return this.vmx.vmcs.pointer >= 0;
  }
  get shadow(): boolean {
    const { vmx } = this;
    return this.shadowsExist && this.hasVmcs && ((vmx.physical32(vmx.vmcs.pointer) ?? 0) & SHADOW_INDICATOR) !== 0;
  }
  get blockedByMovSs(): boolean {
    return (this.vmx.state.get32(Offset.INTERRUPTIBILITY) & BLOCKING_BY_MOV_SS) !== 0;
  }
  get launched(): boolean {
    return this.vmx.state.get32(Private.LAUNCHED) !== 0;
  }
  /** All that the checks see, a bit each. */
  get seen(): number {
    return (this.launch ? 1 : 0) | (this.hasVmcs ? 2 : 0) | (this.shadow ? 4 : 0) | (this.blockedByMovSs ? 8 : 0) | (this.launched ? 16 : 0);
  }
}

/** The check before all those of the VMCS's contents that VMLAUNCH (else VMRESUME) fails, if it does. */
export function failedBasicCheck(vmx: Vmx, launch: boolean): BasicCheck | undefined {
  const state = partsOf(vmx).basic;
  state.launch = launch;
  const { seen } = state;
  if (seen === state.held) return undefined;
  const failed = BASIC_CHECKS.find((c) => !c.holds(state));
  if (!failed) state.held = seen;
  return failed;
}

/**
 * Enters the guest of the current VMCS, or fails as the SDM says: with a VM-instruction error (its number is returned,
 * the state is the VMM's, untouched) or by a VM exit (then the host state is loaded). Returns 0 otherwise.
 * Event injection may throw STATE_REPLACED.
 */
export function enterGuest(vmx: Vmx, launch: boolean): number {
  // Whether real NMIs are blocked must be known after an exit, when the interruptibility state has been the guest's.
  vmx.state.set32(Private.PHYSICAL_NMI_BLOCKED, vmx.state.get32(Offset.INTERRUPTIBILITY) & 8);
  if (!allChecksHold(vmx)) {
    const { context } = partsOf(vmx);
    if (!context.controls.every((c) => c.holds(context))) return InstructionErrorNumber.INVALID_CONTROL_FIELDS;
    if (!context.host.every((c) => c.holds(context))) return InstructionErrorNumber.INVALID_HOST_STATE;
    const invalid = context.guest.find((c) => !c.holds(context));
    failLate(vmx, launch, Reason.ENTRY_FAILURE_GUEST_STATE, invalid?.qualification ?? 0, failedChecks(vmx));
    return 0;
  }

  const { state: s, vmcs, cpu, transfer } = vmx;
  const rest = transfer.loadGuest(s.base);
  if (rest & Rest.PDPTES) loadPdptes(vmx);
  if (rest & Rest.MSRS) {
    // The list is read and its MSRs are checked as if by WRMSR, with the guest's control registers in place.
    const area = vmcs.address(VM_ENTRY_MSR_LOAD_ADDRESS);
    const failed = loadMsrs(vmx, area, vmcs.low(VM_ENTRY_MSR_LOAD_COUNT));
    if (failed !== 0) {
      failLate(vmx, launch, Reason.ENTRY_FAILURE_MSR_LOADING, failed, [describeMsrFailure(vmx, area, failed)]);
      return 0;
    }
  }

  const due = transfer.finishEntry(s.base);
  // The clock still stands before the VM-entry instruction, which retires with this entry.
  const clock = s.icount + 1;
  if (due & Rest.TIMER) startPreemptionTimer(vmx, clock);
  vmx.translations.atEntry(due);
  cpu.worldChanged();
  vmx.observer?.entry(clock, launch);
  if (due & Rest.APIC) enterVirtualApic(vmx);
  if (due & Rest.EVENT) injectEvent(vmx);
  return 0;
}

function failLate(vmx: Vmx, launch: boolean, reason: number, qualification: number, checks: FailedCheck[]): void {
  const rip = vmx.cpu.instructionRip;
  const sentence =
    reason === Reason.ENTRY_FAILURE_GUEST_STATE
      ? `VM entry with invalid guest state (exit reason 33, qualification ${qualification}).`
      : `VM entry that cannot load entry ${qualification} of the VM-entry MSR-load area (exit reason 34).`;
  failEntry(vmx, reason, BigInt(qualification));
  reportFailure(vmx, { mnemonic: launch ? 'vmlaunch' : 'vmresume', rip, error: undefined, exitReason: reason, message: failureHeadline(sentence, checks), checks });
}
