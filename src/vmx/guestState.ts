/** Of loading the guest state at VM entry and saving it at VM exit, what guestCode.ts leaves: PDPTEs and the preemption timer (SDM volume 3, "Loading Guest State", "Saving Guest State"). */
import { Offset } from '../cpu/state';
import { Private } from './privateState';
import { PREEMPTION_TIMER_SHIFT } from './tables/capabilities';
import { Pin, Secondary } from './tables/controls';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { GUEST_PDPTE0, PREEMPTION_TIMER_VALUE } = Slot;

/** With EPT the four PDPTEs come from the VMCS, without it from memory at CR3. */
export function loadPdptes(vmx: Vmx): void {
  const { state: s, vmcs, cpu } = vmx;
  const table = (s.get32(Offset.CR3) & 0xffff_ffe0) >>> 0;
  for (let i = 0; i < 4; i++) {
    if (vmx.secondary(Secondary.EPT)) vmcs.copyOut(GUEST_PDPTE0 + i, Offset.PDPTE + i * 8);
    else s.set64(Offset.PDPTE + i * 8, cpu.readPhysical(table + i * 8, 8));
  }
}

export function savePdptes({ vmcs }: Vmx): void {
  for (let i = 0; i < 4; i++) vmcs.copyIn(GUEST_PDPTE0 + i, Offset.PDPTE + i * 8);
}

// The preemption timer: the machine's clock is the time-stamp counter's rate, so the timer is a deadline on that clock.

const TIMER_PERIOD = 2 ** PREEMPTION_TIMER_SHIFT;

/** Starts the timer from its field at the clock given: it counts whenever the clock passes a multiple of its period. */
export function startPreemptionTimer(vmx: Vmx, clock: number): void {
  const active = vmx.pin(Pin.PREEMPTION_TIMER);
  vmx.setF64(Private.TIMER_DEADLINE, active ? (Math.floor(clock / TIMER_PERIOD) + vmx.vmcs.low(PREEMPTION_TIMER_VALUE)) * TIMER_PERIOD : Infinity);
}

/** Saves what is left of it. */
export function savePreemptionTimer(vmx: Vmx): void {
  const left = Math.floor(vmx.f64(Private.TIMER_DEADLINE) / TIMER_PERIOD) - Math.floor(vmx.state.icount / TIMER_PERIOD);
  vmx.vmcs.setLow(PREEMPTION_TIMER_VALUE, Math.max(0, left));
}
