/** An instant of a run: its place in the order of everything that happens. */
import type { Machine } from '../../machine/machineInterface';

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

/** The present instant; `deliveries` are the events delivered so far, by all processors. */
export function instantOf(machine: Machine, deliveries: number): Instant {
  let transitions = deliveries;
  for (const vmx of machine.vmx) transitions += vmx.exits + vmx.entries;
  return { icount: machine.icount, transitions, rcx: machine.cpus[machine.current]!.state.reg(1) };
}

/** Whether `a` comes before `b`. */
export function isBefore(a: Instant, b: Instant): boolean {
  if (a.icount !== b.icount) return a.icount < b.icount;
  if (a.transitions !== b.transitions) return a.transitions < b.transitions;
  return a.rcx > b.rcx;
}
