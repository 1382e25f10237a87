/** An instant of a run: its place in the order of everything that happens. */
import type { Processor } from '../../cpu/processor';
import type { VmxInspection } from '../../vmx/observe';

export interface Instant {
  /** Ticks of the machine. */
  icount: number;
  /**
   * VM exits, VM entries and events delivered so far. They take no tick of their own (a CPUID that exits, an interrupt
   * between two instructions), so several instants can have one tick.
   */
  transitions: number;
  /** RCX: a repeated string instruction takes its turns within one tick and counts RCX down. */
  rcx: bigint;
}

export function instantOf(cpu: Processor, vmx: VmxInspection, icount: number, deliveries: number): Instant {
  return { icount, transitions: vmx.exits + vmx.entries + deliveries, rcx: cpu.state.reg(1) };
}

/** Whether `a` comes before `b`. */
export function isBefore(a: Instant, b: Instant): boolean {
  if (a.icount !== b.icount) return a.icount < b.icount;
  if (a.transitions !== b.transitions) return a.transitions < b.transitions;
  return a.rcx > b.rcx;
}
