/** Loading the guest state at VM entry and saving it at VM exit (SDM volume 3, "Loading Guest State", "Saving Guest State"). */
import { Cr0, Cr4, Efer } from '../cpu/controlBits';
import { readFlags, writeFlags } from '../cpu/flags';
import { Offset } from '../cpu/state';
import { Private } from './privateState';
import { PREEMPTION_TIMER_SHIFT } from './tables/capabilities';
import { Entry, Exit, Pin, Secondary } from './tables/controls';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { GUEST_SS_ACCESS_RIGHTS, GUEST_CR0, GUEST_DR7, GUEST_RFLAGS, GUEST_IA32_DEBUGCTL, GUEST_IA32_PAT, GUEST_IA32_EFER, GUEST_PDPTE0, PREEMPTION_TIMER_VALUE, VM_ENTRY_CONTROLS } = Slot;

/** CR0 bits that neither VM entry nor VM exit changes. */
export const CR0_KEPT = (Cr0.ET | Cr0.NW | Cr0.CD) >>> 0;
/** DR7 bits that always read as 0 (12, 14, 15), and the one that reads as 1. */
const DR7_ZERO = 0xd000;
const DR7_ONE = 0x400;

/** PAE paging: the PDPTE registers are in use. */
const usesPdptes = (cr0: number, cr4: number, efer: number): boolean => (cr0 & Cr0.PG) !== 0 && (cr4 & Cr4.PAE) !== 0 && (efer & Efer.LMA) === 0;

function loadEfer(vmx: Vmx, cr0: number): void {
  const s = vmx.state;
  if (vmx.entryControl(Entry.LOAD_EFER)) {
    s.set32(Offset.EFER, vmx.vmcs.low(GUEST_IA32_EFER));
    return;
  }
  const long = vmx.entryControl(Entry.IA32E_MODE_GUEST);
  let efer = s.efer & ~Efer.LMA;
  if (long) efer |= Efer.LMA;
  // Without paging LME is the guest's own business and stays as the VMM had it; with paging it equals LMA.
  if (cr0 & Cr0.PG) efer = long ? efer | Efer.LME : efer & ~Efer.LME;
  s.set32(Offset.EFER, efer);
}

/** Loads everything but MSR lists and events. The checks have passed. */
export function loadGuestState(vmx: Vmx): void {
  const { state: s, vmcs } = vmx;
  const cr0 = ((vmcs.low(GUEST_CR0) & ~CR0_KEPT) | (s.cr0 & CR0_KEPT)) >>> 0;
  vmx.transfer.loadGuest(s.base);
  s.set32(Offset.CR0, cr0);
  if (vmx.entryControl(Entry.LOAD_DEBUG_CONTROLS)) {
    s.set32(Offset.DR7, (vmcs.low(GUEST_DR7) & ~DR7_ZERO) | DR7_ONE);
    vmcs.copyOut(GUEST_IA32_DEBUGCTL, Offset.DEBUGCTL);
  }
  if (vmx.entryControl(Entry.LOAD_PAT)) vmcs.copyOut(GUEST_IA32_PAT, Offset.PAT);
  loadEfer(vmx, cr0);

  s.set32(Offset.CPL, (vmcs.low(GUEST_SS_ACCESS_RIGHTS) >>> 5) & 3);
  writeFlags(s, vmcs.low(GUEST_RFLAGS));
  if (usesPdptes(cr0, s.cr4, s.efer)) loadPdptes(vmx);
}

/** With EPT the four PDPTEs come from the VMCS, without it from memory at CR3. */
function loadPdptes(vmx: Vmx): void {
  const { state: s, vmcs, cpu } = vmx;
  const table = (s.get32(Offset.CR3) & 0xffff_ffe0) >>> 0;
  for (let i = 0; i < 4; i++) {
    if (vmx.secondary(Secondary.EPT)) vmcs.copyOut(GUEST_PDPTE0 + i, Offset.PDPTE + i * 8);
    else s.set64(Offset.PDPTE + i * 8, cpu.readPhysical(table + i * 8, 8));
  }
}

/** Saves the guest state into the current VMCS. RIP and RFLAGS in the state must be those to be saved. */
export function saveGuestState(vmx: Vmx): void {
  const { state: s, vmcs } = vmx;
  vmx.transfer.saveGuest(s.base);
  if (vmx.exitControl(Exit.SAVE_DEBUG_CONTROLS)) {
    vmcs.copyIn(GUEST_DR7, Offset.DR7);
    vmcs.copyIn(GUEST_IA32_DEBUGCTL, Offset.DEBUGCTL);
  }
  if (vmx.exitControl(Exit.SAVE_PAT)) vmcs.copyIn(GUEST_IA32_PAT, Offset.PAT);
  if (vmx.exitControl(Exit.SAVE_EFER)) vmcs.copyIn(GUEST_IA32_EFER, Offset.EFER);
  // A guest may have entered or left IA-32e mode by itself: the entry control follows, so that the next entry is right.
  if (vmx.capabilities.has('unrestricted-guest')) {
    const controls = vmcs.low(VM_ENTRY_CONTROLS) & ~Entry.IA32E_MODE_GUEST;
    vmcs.setLow(VM_ENTRY_CONTROLS, s.efer & Efer.LMA ? controls | Entry.IA32E_MODE_GUEST : controls);
  }

  vmcs.setLow(GUEST_RFLAGS, readFlags(s));
  if (vmx.secondary(Secondary.EPT) && usesPdptes(s.cr0, s.cr4, s.efer)) {
    for (let i = 0; i < 4; i++) vmcs.copyIn(GUEST_PDPTE0 + i, Offset.PDPTE + i * 8);
  }
  if (vmx.exitControl(Exit.SAVE_PREEMPTION_TIMER)) vmcs.setLow(PREEMPTION_TIMER_VALUE, timerLeft(vmx));
}

// The preemption timer: the machine's clock is the time-stamp counter's rate, so the timer is a deadline on that clock.

const TIMER_PERIOD = 2 ** PREEMPTION_TIMER_SHIFT;

/** Starts the timer from its field at the clock given: it counts whenever the clock passes a multiple of its period. */
export function startPreemptionTimer(vmx: Vmx, clock: number): void {
  const active = vmx.pin(Pin.PREEMPTION_TIMER);
  vmx.setF64(Private.TIMER_DEADLINE, active ? (Math.floor(clock / TIMER_PERIOD) + vmx.vmcs.low(PREEMPTION_TIMER_VALUE)) * TIMER_PERIOD : Infinity);
}

function timerLeft(vmx: Vmx): number {
  const left = Math.floor(vmx.f64(Private.TIMER_DEADLINE) / TIMER_PERIOD) - Math.floor(vmx.state.icount / TIMER_PERIOD);
  return Math.max(0, left);
}
