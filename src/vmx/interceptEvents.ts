/** Events that cause VM exits: exceptions, NMIs, external interrupts, windows, timers, traps (SDM volume 3, "Other Causes of VM Exits"). */
import { Cr0 } from '../cpu/controlBits';
import { Activity } from '../cpu/engine/activity';
import { type Fault, Vector } from '../cpu/fault';
import { IF, RF } from '../cpu/flags';
import { ACCESS_FETCH, EventType } from '../cpu/intercepts';
import { Permitted } from '../cpu/isa/permitted';
import { deliverDebugTraps } from '../cpu/system/debugTraps';
import { deliverFault } from '../cpu/system/delivery';
import { Offset } from '../cpu/state';
import type { EptFault } from './ept';
import { exitNow, performExit } from './exit';
import { faultingLength } from './faultingLength';
import { emulateApicWrite } from './apicAccess';
import { Pending, Private } from './privateState';
import { Exit, Pin, Primary, Secondary } from './tables/controls';
import { Reason } from './tables/exitReasons';
import { Slot } from './tables/fields';
import { deliverVirtualInterrupt, posts, processPosted } from './virtualApic';
import type { Vmx } from './vmx';

const { EXCEPTION_BITMAP, PAGE_FAULT_ERROR_CODE_MASK, PAGE_FAULT_ERROR_CODE_MATCH, TSC_OFFSET, TSC_MULTIPLIER, VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS, EPTP_INDEX, PLE_GAP, PLE_WINDOW } = Slot;

const VALID = 0x8000_0000;
const ERROR_CODE_VALID = 0x800;
/** Of the interruption information, and of the qualification of EPT violations and of a full page-modification log. */
const NMI_UNBLOCKED = 1 << 12;
const BLOCKING_STI_MOV_SS = 3;
const BLOCKING_MOV_SS = 2;
const BLOCKING_NMI = 8;

/** Whether the instruction at RIP is an IRET that has ended blocking by NMI and then met what is about to exit (SDM volume 3, "Information About NMI Unblocking Due to IRET"). */
const unblockedByIret = (vmx: Vmx): boolean => vmx.f64(Private.IRET_UNBLOCKED) === vmx.state.icount && vmx.state.get32(Private.DELIVERING) >>> 31 === 0;

function exceptionExits(vmx: Vmx, vector: number, errorCode: number): boolean {
  const { vmcs } = vmx;
  const selected = ((vmcs.low(EXCEPTION_BITMAP) >>> vector) & 1) !== 0;
  if (vector !== Vector.PF) return selected;
  // Bit 14 selects the page faults that match, or, when clear, those that do not.
  const matches = (errorCode & vmcs.low(PAGE_FAULT_ERROR_CODE_MASK)) >>> 0 === vmcs.low(PAGE_FAULT_ERROR_CODE_MATCH);
  return selected === matches;
}

/** An exception, NMI or software interrupt before its delivery; RIP is that of the instruction. */
export function interceptEvent(vmx: Vmx, type: number, vector: number, fault: Fault | undefined, instructionLength: number): void {
  if (type === EventType.SOFTWARE_INTERRUPT || type === EventType.EXTERNAL) return;
  const nmi = type === EventType.NMI;
  if (nmi ? !vmx.pin(Pin.NMI_EXITING) : !exceptionExits(vmx, vector, fault?.errorCode ?? 0)) return;
  // In real mode exceptions have no error code.
  const hasErrorCode = fault !== undefined && fault.hasErrorCode && (vmx.state.cr0 & Cr0.PE) !== 0;
  exitNow(vmx, Reason.EXCEPTION_OR_NMI, {
    qualification: fault && (vector === Vector.PF || vector === Vector.DB) ? fault.address : 0n,
    interruption: (VALID | vector | (type << 8) | (hasErrorCode ? ERROR_CODE_VALID : 0) | (vector !== Vector.DF && unblockedByIret(vmx) ? NMI_UNBLOCKED : 0)) >>> 0,
    errorCode: hasErrorCode ? fault.errorCode : 0,
    nmi,
    // A double fault is an event of its own: the one that led to it is over.
    noVectoring: vector === Vector.DF && type === EventType.HARDWARE_EXCEPTION,
    ...(instructionLength ? { instructionLength } : {}),
  });
}

/** An interrupt waits. Returns true when an exit consumed it; without external-interrupt exiting it goes through the guest's IDT. */
export function interceptExternalInterrupt(vmx: Vmx): boolean {
  if (!vmx.pin(Pin.EXTERNAL_INTERRUPT_EXITING)) return false;
  if (!vmx.exitControl(Exit.ACKNOWLEDGE_INTERRUPT)) return exitAtBoundary(vmx, Reason.EXTERNAL_INTERRUPT);
  const vector = vmx.cpu.interrupts.acknowledge();
  if (!posts(vmx) || !processPosted(vmx, vector)) performExit(vmx, Reason.EXTERNAL_INTERRUPT, { interruption: (VALID | vector) >>> 0 });
  return true;
}

/** What is due between two instructions, in the order of priority. Returns whether it performed an exit or delivered something. */
export function atBoundary(vmx: Vmx): boolean {
  const s = vmx.state;
  const activity = s.get32(Offset.ACTIVITY);
  // Only a start-up IPI ends the wait for it.
  if (activity === Activity.WAIT_FOR_SIPI) return false;
  if (s.get32(Private.TRAP_PENDING) & Pending.APIC_WRITE) emulateApicWrite(vmx);
  const pending = s.get32(Private.TRAP_PENDING);
  if (pending & Pending.APIC_EXIT && activity !== Activity.SHUTDOWN) {
    const exit = s.get32(Private.APIC_EXIT);
    performExit(vmx, exit & 0xff, { qualification: BigInt(exit >>> 8) });
    return true;
  }
  const trapDue = (pending & Pending.TRAP) !== 0 || (vmx.primary(Primary.MONITOR_TRAP_FLAG) && s.icount > vmx.f64(Private.ENTRY_CLOCK));
  if (trapDue) return exitAtBoundary(vmx, Reason.MONITOR_TRAP_FLAG);
  if (activity !== Activity.SHUTDOWN && deliverDebugTraps(vmx.cpu)) return true;
  if (vmx.pin(Pin.PREEMPTION_TIMER) && s.icount >= vmx.f64(Private.TIMER_DEADLINE)) return exitAtBoundary(vmx, Reason.PREEMPTION_TIMER);

  const blocking = s.get32(Offset.INTERRUPTIBILITY);
  if (vmx.primary(Primary.NMI_WINDOW_EXITING) && (blocking & (BLOCKING_NMI | BLOCKING_STI_MOV_SS)) === 0) return exitAtBoundary(vmx, Reason.NMI_WINDOW);
  if (vmx.pin(Pin.NMI_EXITING) && s.get32(Offset.NMI_PENDING) !== 0 && (blocking & BLOCKING_MOV_SS) === 0 && !physicalNmiBlocked(vmx)) {
    s.set32(Offset.NMI_PENDING, 0);
    performExit(vmx, Reason.EXCEPTION_OR_NMI, { interruption: (VALID | Vector.NMI | (EventType.NMI << 8)) >>> 0, nmi: true });
    return true;
  }
  const windowOpen = (s.get32(Offset.FLAGS) & IF) !== 0 && (blocking & BLOCKING_STI_MOV_SS) === 0 && activity !== Activity.SHUTDOWN;
  if (!windowOpen) return false;
  if (vmx.primary(Primary.INTERRUPT_WINDOW_EXITING)) return !nmiDue(vmx, blocking) && exitAtBoundary(vmx, Reason.INTERRUPT_WINDOW);
  if ((pending & Pending.VIRTUAL_INTERRUPT) === 0 || nmiDue(vmx, blocking)) return false;
  deliverVirtualInterrupt(vmx);
  return true;
}

/** An NMI that the guest takes itself comes before interrupts; the run loop delivers it. */
const nmiDue = (vmx: Vmx, blocking: number): boolean => vmx.state.get32(Offset.NMI_PENDING) !== 0 && !vmx.pin(Pin.NMI_EXITING) && (blocking & (BLOCKING_NMI | BLOCKING_MOV_SS)) === 0;

const BOUNDARY_CONTROLS = Primary.MONITOR_TRAP_FLAG | Primary.NMI_WINDOW_EXITING | Primary.INTERRUPT_WINDOW_EXITING;

/** No control asks for anything at an instruction boundary, and no trap waits: with no NMI, debug trap and interrupt waiting, `atBoundary` has nothing to do. */
export const nothingDue = (vmx: Vmx): boolean =>
  vmx.state.get32(Private.TRAP_PENDING) === 0 && !vmx.pin(Pin.PREEMPTION_TIMER) && !vmx.primary(BOUNDARY_CONTROLS) && !vmx.secondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY);

/** INIT in VMX non-root operation: it waits while the guest waits for a SIPI, else it is consumed by a VM exit. */
export function interceptInit(vmx: Vmx): 'blocked' | 'exit' {
  if (vmx.state.get32(Offset.ACTIVITY) === Activity.WAIT_FOR_SIPI) return 'blocked';
  exitAtBoundary(vmx, Reason.INIT_SIGNAL);
  return 'exit';
}

export function interceptStartUp(vmx: Vmx, vector: number): boolean {
  performExit(vmx, Reason.SIPI, { qualification: BigInt(vector) });
  return true;
}

function exitAtBoundary(vmx: Vmx, reason: number): boolean {
  performExit(vmx, reason);
  return true;
}

/** With virtual NMIs the interruptibility state is about those, and real ones are blocked as they were at VM entry. */
const physicalNmiBlocked = (vmx: Vmx): boolean => (vmx.pin(Pin.VIRTUAL_NMIS) ? vmx.state.get32(Private.PHYSICAL_NMI_BLOCKED) : vmx.state.get32(Offset.INTERRUPTIBILITY) & BLOCKING_NMI) !== 0;

/** Ticks until `atBoundary` may have something to do that no change of state announces. */
export function ticksToBoundary(vmx: Vmx): number {
  if (vmx.primary(Primary.MONITOR_TRAP_FLAG) && vmx.state.get32(Offset.ACTIVITY) === Activity.ACTIVE) return 1;
  if (!vmx.pin(Pin.PREEMPTION_TIMER)) return Infinity;
  return Math.max(1, vmx.f64(Private.TIMER_DEADLINE) - vmx.state.icount);
}

/** An event is being delivered, or its delivery has ended: kept for the IDT-vectoring information. */
export function noteDelivery(vmx: Vmx, event: { type: number; vector: number; errorCode: number | undefined; length: number } | undefined): void {
  const s = vmx.state;
  if (event === undefined) {
    s.set32(Private.DELIVERING, 0);
    vmx.setF64(Private.IRET_UNBLOCKED, -1);
    if (vmx.primary(Primary.MONITOR_TRAP_FLAG)) s.set32(Private.TRAP_PENDING, s.get32(Private.TRAP_PENDING) | Pending.TRAP);
    return;
  }
  const hasErrorCode = event.errorCode !== undefined && (s.cr0 & Cr0.PE) !== 0;
  s.set32(Private.DELIVERING, (VALID | event.vector | (event.type << 8) | (hasErrorCode ? ERROR_CODE_VALID : 0)) >>> 0);
  s.set32(Private.DELIVERING_ERROR, event.errorCode ?? 0);
  s.set32(Private.DELIVERING_LENGTH, event.length);
}

/** A task switch by an instruction (CALL, IRET, JMP: RIP is the next one's) or by a task gate in the IDT (source 3). */
export function interceptTaskSwitch(vmx: Vmx, selector: number, source: number): void {
  const s = vmx.state;
  const qualification = BigInt(selector & 0xffff) | (BigInt(source) << 30n);
  if (source === SOURCE_IDT) exitNow(vmx, Reason.TASK_SWITCH, { qualification });
  const instructionLength = Number(BigInt.asUintN(16, s.rip - vmx.cpu.instructionRip));
  s.rip = vmx.cpu.instructionRip;
  exitNow(vmx, Reason.TASK_SWITCH, { qualification, instructionLength, noVectoring: true });
}

export function interceptTripleFault(vmx: Vmx): void {
  exitNow(vmx, Reason.TRIPLE_FAULT, { noVectoring: true });
}

const SOURCE_IDT = 3;

/** Offsets in the virtualization-exception information area (SDM volume 3, "Virtualization-Exception Information"). */
const VeArea = { REASON: 0, BUSY: 4, QUALIFICATION: 8, LINEAR: 16, GPA: 24, EPTP_INDEX: 32 } as const;

/** Makes an EPT violation a #VE of the guest where the controls and the area say so. Returns whether it did. */
function convertViolation(vmx: Vmx, fault: Fault, detail: EptFault): boolean {
  const { state: s, vmcs, cpu } = vmx;
  if (!vmx.secondary(Secondary.EPT_VIOLATION_VE) || !(s.cr0 & Cr0.PE) || s.get32(Private.DELIVERING) >>> 31 !== 0) return false;
  const area = vmcs.address(VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS);
  if (cpu.readPhysical(area + VeArea.BUSY, 4) !== 0n) return false;
  cpu.writePhysical(area + VeArea.REASON, 4, BigInt(Reason.EPT_VIOLATION));
  cpu.writePhysical(area + VeArea.BUSY, 4, 0xffff_ffffn);
  cpu.writePhysical(area + VeArea.QUALIFICATION, 8, BigInt(detail.qualification));
  cpu.writePhysical(area + VeArea.LINEAR, 8, fault.address);
  cpu.writePhysical(area + VeArea.GPA, 8, BigInt(detail.gpa));
  cpu.writePhysical(area + VeArea.EPTP_INDEX, 2, BigInt(vmcs.low(EPTP_INDEX)));
  deliverFault(cpu, fault.exception(Vector.VE));
  return true;
}

/** Whether PAUSE at CPL 0 has been in a loop for longer than the window (SDM volume 3, "PAUSE-Loop Exiting"). */
export function pauseLoopExits(vmx: Vmx): boolean {
  const s = vmx.state;
  if (!vmx.secondary(Secondary.PAUSE_LOOP_EXITING) || s.cpl !== 0) return false;
  const now = s.icount;
  const inLoop = now - vmx.f64(Private.PAUSE_LAST) <= vmx.vmcs.low(PLE_GAP);
  vmx.setF64(Private.PAUSE_LAST, now);
  if (!inLoop) {
    vmx.setF64(Private.PAUSE_FIRST, now);
    return false;
  }
  return now - vmx.f64(Private.PAUSE_FIRST) > vmx.vmcs.low(PLE_WINDOW);
}

/** EPT violation or misconfiguration; RIP is that of the instruction. */
export function exitForEpt(vmx: Vmx, fault: Fault): void {
  const s = vmx.state;
  const detail = fault.detail as EptFault;
  // The instruction will be restarted: RF keeps its instruction breakpoint from being hit twice.
  const vectoring = s.get32(Private.DELIVERING) >>> 31 !== 0;
  if (!vectoring) s.set32(Offset.FLAGS, s.get32(Offset.FLAGS) | RF);
  const unblocked = unblockedByIret(vmx) ? NMI_UNBLOCKED : 0;
  const length = vectoring || detail.qualification & ACCESS_FETCH ? undefined : faultingLength(vmx);
  if (detail.logFull) return performExit(vmx, Reason.PAGE_MODIFICATION_LOG_FULL, { qualification: BigInt(unblocked) });
  if (detail.convertible && !detail.misconfiguration && convertViolation(vmx, fault, detail)) return;
  if (detail.misconfiguration) performExit(vmx, Reason.EPT_MISCONFIGURATION, { gpa: detail.gpa }, length);
  else performExit(vmx, Reason.EPT_VIOLATION, { qualification: BigInt(detail.qualification | unblocked), linear: fault.address, gpa: detail.gpa }, length);
}

/** Upper half of the TSC multiplier 1, which has 48 fractional bits. */
const MULTIPLIER_ONE_HIGH = 1 << 16;

/** See `Intercepts.plainTimestamps`. */
export function plainTimestamps(vmx: Vmx): number {
  if (vmx.primary(Primary.RDTSC_EXITING)) return 0;
  if (vmx.primary(Primary.TSC_OFFSETTING)) {
    // KVM has scaling on even where it scales by 1.
    if (vmx.secondary(Secondary.TSC_SCALING) && !(vmx.vmcs.high(TSC_MULTIPLIER) === MULTIPLIER_ONE_HIGH && vmx.vmcs.low(TSC_MULTIPLIER) === 0)) return 0;
    vmx.vmcs.copyOut(TSC_OFFSET, Offset.GUEST_TSC_OFFSET);
  }
  return vmx.secondary(Secondary.RDTSCP) ? Permitted.RDTSC | Permitted.RDTSCP : Permitted.RDTSC;
}

/** The time-stamp counter as the guest reads it: scaled, then offset. */
export function guestTimestamp(vmx: Vmx, tsc: bigint): bigint {
  if (!vmx.primary(Primary.TSC_OFFSETTING)) return tsc;
  const scaled = vmx.secondary(Secondary.TSC_SCALING) ? (tsc * vmx.vmcs.get(TSC_MULTIPLIER)) >> 48n : tsc;
  return BigInt.asUintN(64, scaled + vmx.vmcs.get(TSC_OFFSET));
}
