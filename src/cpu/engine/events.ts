/**
 * What happens between two instructions: signals of other processors, VMX's boundary, debug traps, NMIs, interrupts, in the
 * order of SDM volume 3, "Prioritization of Concurrent Events".
 */
import { Vector } from '../fault';
import { IF } from '../flags';
import { EventType } from '../intercepts';
import { Offset } from '../state';
import { deliverDebugTraps } from '../system/debugTraps';
import { deliverEvent } from '../system/delivery';
import { Activity } from './activity';
import type { Cpu } from './cpu';
import { breaksMasked, waitsMonitored } from './monitoredLines';
import { takeSignals } from './signals';

const BLOCKING_MOVSS = 2;
const BLOCKING_STI_MOVSS = 3;
const BLOCKING_NMI = 8;

/** Takes one event that waits at this instruction boundary. Returns whether the state changed. */
export function takeEvent(cpu: Cpu): boolean {
  const pending = cpu.interrupts.pending();
  if (nothingWaits(cpu, pending)) return false;
  try {
    return waitsMonitored(cpu.state) ? takeWaiting(cpu, pending) : take(cpu, pending);
  } catch (thrown) {
    cpu.recover(thrown);
    return true;
  }
}

/** Mostly nothing does, and then it is soon seen. Generated code is told whether something waits for RFLAGS.IF. */
function nothingWaits(cpu: Cpu, pending: boolean): boolean {
  const { state: s, intercepts } = cpu;
  const { nonRoot } = intercepts;
  s.set32(Offset.AWAITED, pending || (nonRoot && (intercepts.awaitsInterruptFlag?.() ?? true)) ? 1 : 0);
  if (s.get32(Offset.SIGNALS) !== 0 || s.get32(Offset.PENDING_DEBUG) !== 0 || s.get32(Offset.NMI_PENDING) !== 0 || nonRoot) return false;
  return !pending || ((s.get32(Offset.FLAGS) & IF) === 0 && !breaksMasked(s));
}

/** A processor that waits by MWAIT is active for whatever comes, and for VM exits: only when nothing does it goes on waiting. */
function takeWaiting(cpu: Cpu, pending: boolean): boolean {
  const { state: s } = cpu;
  const masked = breaksMasked(s) && pending;
  s.set32(Offset.ACTIVITY, Activity.ACTIVE);
  let waits = false;
  try {
    waits = !take(cpu, pending) && !masked;
  } finally {
    if (waits) s.set32(Offset.ACTIVITY, Activity.HLT);
    else cpu.endMonitoring();
  }
  return !waits;
}

/** `pending`: a maskable interrupt waits. What is taken before it ends the attempt. */
function take(cpu: Cpu, pending: boolean): boolean {
  const { state: s, intercepts } = cpu;
  if (s.get32(Offset.SIGNALS) !== 0 && takeSignals(cpu)) return true;
  if (s.get32(Offset.ACTIVITY) === Activity.WAIT_FOR_SIPI) return false;
  if (intercepts.nonRoot && intercepts.boundary()) return true;
  if (s.get32(Offset.PENDING_DEBUG) !== 0 && !intercepts.nonRoot) {
    cpu.instructionRip = s.rip;
    if (deliverDebugTraps(cpu)) return true;
  }
  const blocking = s.get32(Offset.INTERRUPTIBILITY);
  if (s.get32(Offset.NMI_PENDING) !== 0 && (blocking & (BLOCKING_NMI | BLOCKING_MOVSS)) === 0) {
    s.set32(Offset.NMI_PENDING, 0);
    wake(cpu);
    intercepts.event(EventType.NMI, Vector.NMI, undefined, 0);
    s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) | BLOCKING_NMI);
    cpu.instructionRip = s.rip;
    deliverEvent(cpu, EventType.NMI, Vector.NMI, undefined, 0);
    return true;
  }
  if ((blocking & BLOCKING_STI_MOVSS) !== 0 || !pending || s.get32(Offset.ACTIVITY) === Activity.SHUTDOWN) return false;
  if (intercepts.nonRoot && intercepts.externalInterrupt()) return true;
  if ((s.get32(Offset.FLAGS) & IF) === 0) return false;
  wake(cpu);
  cpu.instructionRip = s.rip;
  deliverEvent(cpu, EventType.EXTERNAL, cpu.interrupts.acknowledge(), undefined, 0);
  return true;
}

const wake = (cpu: Cpu): void => cpu.state.set32(Offset.ACTIVITY, Activity.ACTIVE);
