/**
 * Delivering exceptions and interrupts (SDM volume 3, "Interrupt and Exception Handling" and "Interrupt and Exception
 * Handling in 64-Bit Mode"): real-mode vector table, protected-mode gates, IA-32e gates with IST, and what happens when
 * the delivery itself faults.
 */
import { high32, low32 } from '../../base/bits';
import { AC, IF, NT, readFlags, RF, TF, VM, writeFlags } from '../flags';
import { type Fault, STATE_REPLACED, Vector } from '../fault';
import { EventType } from '../intercepts';
import { currentPrivilege, readLinear } from '../mmu/linear';
import { Privilege } from '../mmu/walk';
import type { Processor } from '../processor';
import { Gpr, Offset, Seg } from '../state';
import { DR6_BD } from './debugRegisters';
import { checkPresent, checkTarget, enterCode, readCodeDescriptor, targets64 } from './codeSegment';
import { isConforming, isNull, selectorCode, SystemType } from './descriptors';
import { Access, dplOf, is64, isLong, ioplOf, isProtected, isVirtual8086, setCpl } from './mode';
import { checkStackSegment, setNull, setRealSegment, setSegment } from './segments';
import { currentStackSegment, replacePointer, Stack, stackMask } from './stack';
import { stackOf, stackPointer64 } from './taskState';
import { switchTask, TaskSource } from './taskSwitch';
import { deliverQuickly } from './deliverQuickly';
import { deliverRedirected, isRedirected } from './virtualInterrupts';

const isSoftware = (type: number): boolean => type === EventType.SOFTWARE_INTERRUPT || type === EventType.PRIVILEGED_SOFTWARE || type === EventType.SOFTWARE_EXCEPTION;

/** Exceptions that turn a second one into a double fault (SDM volume 3, "Interrupt 8—Double Fault Exception (#DF)"). */
const CONTRIBUTORY: ReadonlySet<number> = new Set([Vector.DE, Vector.TS, Vector.NP, Vector.SS, Vector.GP, Vector.CP]);

/** Pushes and jumps through the real-mode interrupt vector table. */
function deliverReal(cpu: Processor, vector: number, returnRip: bigint, flags: number): void {
  const s = cpu.state;
  if (vector * 4 + 3 > s.get32(Offset.IDTR_LIMIT)) throw cpu.fault.exception(Vector.GP, vector * 8 + 2);
  const entry = Number(readLinear(cpu, s.get64(Offset.IDTR_BASE) + BigInt(vector * 4), 4, true));
  const stack = Stack.current(cpu);
  stack.push(BigInt(flags & 0xffff), 2);
  stack.push(BigInt(s.selector(Seg.CS)), 2);
  stack.push(returnRip, 2);
  stack.commit();
  setRealSegment(s, Seg.CS, entry >>> 16);
  s.rip = BigInt(entry & 0xffff);
  writeFlags(s, flags & ~(IF | TF | RF | AC));
}

interface Gate {
  type: number;
  selector: number;
  offset: bigint;
  ist: number;
}

/** Reads and checks the gate of a vector. */
function readGate(cpu: Processor, vector: number, software: boolean, ext: number): Gate {
  const s = cpu.state;
  const long = isLong(s);
  const size = long ? 16 : 8;
  const code = vector * 8 + 2 + ext;
  if (vector * size + size - 1 > s.get32(Offset.IDTR_LIMIT)) throw cpu.fault.exception(Vector.GP, code);
  const address = s.get64(Offset.IDTR_BASE) + BigInt(vector * size);
  const descriptor = readLinear(cpu, address, 8, true);
  const low = low32(descriptor);
  const high = high32(descriptor);
  const type = (high >>> 8) & 0x1f; // with S, which must be clear
  const known = type === SystemType.INTERRUPT_GATE || type === SystemType.TRAP_GATE || (!long && (type === SystemType.TASK_GATE || type === SystemType.INTERRUPT_GATE16 || type === SystemType.TRAP_GATE16));
  if (!known) throw cpu.fault.exception(Vector.GP, code);
  if (software && ((high >>> 13) & 3) < s.cpl) throw cpu.fault.exception(Vector.GP, code);
  if (!(high & 0x8000)) throw cpu.fault.exception(Vector.NP, code);
  let offset = BigInt(((high & 0xffff_0000) | (low & 0xffff)) >>> 0);
  if (type < 8) offset &= 0xffffn;
  if (long) offset |= BigInt(low32(readLinear(cpu, address + 8n, 8, true))) << 32n;
  return { type, selector: low >>> 16, offset, ist: long ? high & 7 : 0 };
}

/** Delivers through a gate of protected or IA-32e mode. */
function deliverGate(cpu: Processor, vector: number, errorCode: number | undefined, returnRip: bigint, flags: number, software: boolean, ext: number): void {
  const s = cpu.state;
  const gate = readGate(cpu, vector, software, ext);
  if (gate.type === SystemType.TASK_GATE) {
    return switchTask(cpu, gate.selector, TaskSource.GATE, returnRip, errorCode, ext);
  }
  const long = isLong(s);
  const virtual = isVirtual8086(s);
  const oldCpl = s.cpl;
  if (isNull(gate.selector)) throw cpu.fault.exception(Vector.GP, ext);
  const code = readCodeDescriptor(cpu, gate.selector, ext);
  const dpl = dplOf(code.access);
  if (dpl > oldCpl || (long && !targets64(s, code))) throw cpu.fault.exception(Vector.GP, selectorCode(gate.selector) | ext);
  checkPresent(cpu, code, ext);
  const inner = !isConforming(code.access) && dpl < oldCpl;
  if (virtual && (!inner || dpl !== 0)) throw cpu.fault.exception(Vector.GP, selectorCode(gate.selector) | ext);
  const cpl = inner ? dpl : oldCpl;
  const privilege = inner && cpl !== 3 ? Privilege.SUPERVISOR : currentPrivilege(cpu);
  const width = long ? 8 : gate.type >= 8 ? 4 : 2;

  let stack: Stack;
  let newStack: ReturnType<typeof checkStackSegment>;
  if (long) {
    let pointer = s.reg(Gpr.RSP);
    if (inner || gate.ist !== 0) pointer = stackPointer64(cpu, cpl, gate.ist, ext);
    stack = new Stack(cpu, pointer & ~15n, undefined, privilege, ext);
  } else if (inner) {
    const from = stackOf(cpu, cpl, ext);
    newStack = checkStackSegment(cpu, from.selector, cpl, false, Vector.TS, ext)!;
    const pointer = replacePointer(s.reg(Gpr.RSP), stackMask(newStack.access), from.pointer);
    stack = new Stack(cpu, pointer, newStack, privilege, selectorCode(from.selector) | ext);
  } else {
    stack = new Stack(cpu, s.reg(Gpr.RSP), currentStackSegment(s), privilege, ext);
  }
  checkTarget(cpu, code, gate.offset, ext);

  if (virtual) for (const seg of [Seg.GS, Seg.FS, Seg.DS, Seg.ES]) stack.push(BigInt(s.selector(seg)), width);
  if (inner || long) {
    stack.push(BigInt(s.selector(Seg.SS)), width);
    stack.push(s.reg(Gpr.RSP), width);
  }
  stack.push(BigInt(flags), width);
  stack.push(BigInt(s.selector(Seg.CS)), width);
  stack.push(returnRip, width);
  if (errorCode !== undefined) stack.push(BigInt(errorCode), width);

  // Nothing can fault from here on.
  enterCode(cpu, code, cpl, gate.offset);
  if (inner) {
    s.set32(Offset.CPL, cpl);
    if (long) setNull(s, Seg.SS, cpl);
    else setSegment(s, Seg.SS, newStack!.selector, newStack!);
  }
  stack.commit();
  if (virtual) for (const seg of [Seg.ES, Seg.DS, Seg.FS, Seg.GS]) setNull(s, seg, 0);
  const interruptGate = gate.type === SystemType.INTERRUPT_GATE || gate.type === SystemType.INTERRUPT_GATE16;
  writeFlags(s, flags & ~(TF | NT | VM | RF | (interruptGate ? IF : 0)));
  setCpl(s, cpl);
}

/** One attempt at a delivery. Throws what faults, with nothing changed but memory below the stack pointer. */
function attempt(cpu: Processor, type: number, vector: number, errorCode: number | undefined, instructionLength: number): void {
  const s = cpu.state;
  if ((type === EventType.EXTERNAL || type === EventType.HARDWARE_EXCEPTION) && deliverQuickly(cpu, vector, errorCode)) return;
  const software = isSoftware(type);
  const mask = is64(s) ? 0xffff_ffff_ffff_ffffn : s.access(Seg.CS) & Access.DB ? 0xffff_ffffn : 0xffffn;
  const returnRip = software ? (s.rip + BigInt(instructionLength)) & mask : s.rip;
  const flags = readFlags(s);
  if (!isProtected(s)) deliverReal(cpu, vector, returnRip, flags);
  else {
    if (type === EventType.SOFTWARE_INTERRUPT && isVirtual8086(s)) {
      if (isRedirected(cpu, vector)) {
        deliverRedirected(cpu, vector, returnRip);
        return cpu.stateChanged();
      }
      if (ioplOf(s) < 3) throw cpu.fault.exception(Vector.GP, 0);
    }
    const ext = type === EventType.SOFTWARE_INTERRUPT || type === EventType.SOFTWARE_EXCEPTION ? 0 : 1;
    deliverGate(cpu, vector, errorCode, returnRip, flags, software && type !== EventType.PRIVILEGED_SOFTWARE, ext);
  }
  // An event ends blocking by STI and MOV SS; an NMI blocks others until IRET.
  const blocking = s.get32(Offset.INTERRUPTIBILITY) & ~3;
  s.set32(Offset.INTERRUPTIBILITY, type === EventType.NMI ? blocking | 8 : blocking);
  if (s.get32(Offset.ACTIVITY) === 1) s.set32(Offset.ACTIVITY, 0);
  cpu.stateChanged();
}

/** What a second exception during the delivery of a first one amounts to. */
function combine(type: number, first: number, second: number): 'serial' | 'double' | 'triple' {
  if (type !== EventType.HARDWARE_EXCEPTION) return 'serial';
  const contributory = CONTRIBUTORY.has(second);
  if (first === Vector.DF) return contributory || second === Vector.PF ? 'triple' : 'serial';
  if (CONTRIBUTORY.has(first) && contributory) return 'double';
  if (first === Vector.PF && (contributory || second === Vector.PF)) return 'double';
  return 'serial';
}

/**
 * Whether an event makes the processor forget the debug traps that MOV SS held back over the instruction before it: a
 * fault and INT1 do, INT n, INT3 and INTO let them wait for the handler's first instruction.
 */
const losesTraps = (type: number): boolean => type === EventType.HARDWARE_EXCEPTION || type === EventType.PRIVILEGED_SOFTWARE;

/** CR2 and DR6, which an exception loads when it does not cause a VM exit. */
function recordException(cpu: Processor, vector: number, address: bigint): void {
  const s = cpu.state;
  if (vector === Vector.PF) s.set64(Offset.CR2, address);
  if (vector === Vector.DB) {
    s.set64(Offset.DR6, (s.get64(Offset.DR6) & ~0xfn) | address);
    s.set64(Offset.DR7, s.get64(Offset.DR7) & ~(1n << 13n)); // GD
    s.set32(Offset.DEBUGCTL, s.get32(Offset.DEBUGCTL) & ~3); // LBR and BTF
  }
}

/** Enters the shutdown state (outside VMX non-root operation, where a triple fault is a VM exit). */
function shutDown(cpu: Processor): void {
  cpu.intercepts.tripleFault();
  cpu.intercepts.delivering(undefined);
  const s = cpu.state;
  s.set32(Offset.FLAGS, s.get32(Offset.FLAGS) & ~RF); // no image of RFLAGS was pushed, whose RF the fault would have set
  s.set32(Offset.ACTIVITY, 2);
}

/**
 * Delivers an event (types of EventType). For software interrupts and software exceptions RIP must be that of the
 * instruction itself: the return address is `instructionLength` further on. Faults during the delivery are handled
 * here, up to the shutdown after a triple fault; a VM exit throws STATE_REPLACED.
 */
export function deliverEvent(cpu: Processor, type: number, vector: number, errorCode: number | undefined, instructionLength: number): void {
  for (;;) {
    if (losesTraps(type)) cpu.state.clear64(Offset.PENDING_DEBUG);
    cpu.intercepts.delivering({ type, vector, errorCode, length: instructionLength });
    try {
      attempt(cpu, type, vector, errorCode, instructionLength);
      cpu.intercepts.delivering(undefined);
      return;
    } catch (e) {
      if (e !== cpu.fault) throw e;
    }
    const { fault } = cpu;
    if (fault.kind === 'second-level') {
      cpu.intercepts.secondLevelFault(fault);
      throw STATE_REPLACED;
    }
    const { vector: second, address, hasErrorCode } = fault;
    const code = hasErrorCode ? fault.errorCode : undefined;
    // The second exception may exit as itself: only one that does not makes a double or triple fault of the two.
    const flags = cpu.state.get32(Offset.FLAGS);
    setResumeFlag(cpu, second, address);
    cpu.intercepts.event(EventType.HARDWARE_EXCEPTION, second, fault, 0);
    const outcome = combine(type, vector, second);
    if (outcome === 'triple') return shutDown(cpu);
    if (outcome === 'double') {
      cpu.state.set32(Offset.FLAGS, flags);
      if (second === Vector.PF) cpu.state.set64(Offset.CR2, address);
      cpu.intercepts.event(EventType.HARDWARE_EXCEPTION, Vector.DF, fault.exception(Vector.DF, 0), 0);
      vector = Vector.DF;
      errorCode = 0;
    } else {
      recordException(cpu, second, address);
      vector = second;
      errorCode = code;
    }
    type = EventType.HARDWARE_EXCEPTION;
    instructionLength = 0;
  }
}

/** The RFLAGS image of a fault has RF set, so that its return passes instruction breakpoints. Of the debug exceptions only general detect is such a fault. */
function setResumeFlag(cpu: Processor, vector: number, address: bigint): void {
  if (vector === Vector.DF || (vector === Vector.DB && !(address & DR6_BD))) return;
  const s = cpu.state;
  s.set32(Offset.FLAGS, s.get32(Offset.FLAGS) | RF);
}

/**
 * What the run loop calls for a Fault, with RIP back at the faulting instruction (or at the next one for a #DB trap,
 * whose `fault.address` has the bits for DR6): asks for a VM exit first, records CR2 or DR6, delivers.
 */
export function deliverFault(cpu: Processor, fault: Fault): void {
  if (fault.kind === 'second-level') {
    cpu.intercepts.secondLevelFault(fault);
    return;
  }
  const { vector, address } = fault;
  const errorCode = fault.hasErrorCode ? fault.errorCode : undefined;
  setResumeFlag(cpu, vector, address);
  if (vector === Vector.DB) cpu.state.clear64(Offset.PENDING_DEBUG); // a VM exit by #DB saves none
  cpu.intercepts.event(EventType.HARDWARE_EXCEPTION, vector, fault, 0);
  recordException(cpu, vector, address);
  deliverEvent(cpu, EventType.HARDWARE_EXCEPTION, vector, errorCode, 0);
}

/** INT n, INT3, INTO and INT1 from the instruction itself: `state.rip` is the next instruction's, as for every slow operation. */
export function softwareInterrupt(cpu: Processor, type: number, vector: number): void {
  const s = cpu.state;
  const length = Number(BigInt.asUintN(16, s.rip - cpu.instructionRip));
  s.rip = cpu.instructionRip;
  cpu.decideSingleStep(false); // it clears TF first
  s.set32(Offset.FLAGS, s.get32(Offset.FLAGS) & ~RF); // as an instruction that completes
  if (type === EventType.PRIVILEGED_SOFTWARE) s.clear64(Offset.PENDING_DEBUG); // a VM exit by #DB saves none
  cpu.intercepts.event(type, vector, undefined, length);
  deliverEvent(cpu, type, vector, undefined, length);
}
