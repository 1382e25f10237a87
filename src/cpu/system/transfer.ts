/** Far JMP, CALL and RET (SDM volume 2, "JMP", "CALL", "RET"; volume 3, "Accessing a Code Segment Through a Call Gate"). */
import { Vector } from '../fault';
import { currentPrivilege, readLinear } from '../mmu/linear';
import { Privilege } from '../mmu/walk';
import type { Processor } from '../processor';
import { Gpr, Offset, Seg } from '../state';
import { checkPresent, checkTarget, enterCode, readCodeDescriptor, targets64 } from './codeSegment';
import { type Descriptor, isCode, isConforming, isNull, isPresent, isSystem, readDescriptor, readUpperHalf, selectorCode, SystemType, typeOf } from './descriptors';
import { Access, dplOf, isLong, isReal, setCpl } from './mode';
import { truncate } from './operands';
import { checkStackSegment, dropInnerSegments, setNull, setRealSegment, setSegment } from './segments';
import { currentStackSegment, replacePointer, Stack, stackMask } from './stack';
import { stackOf, stackPointer64 } from './taskState';
import { switchTask, TaskSource } from './taskSwitch';
import { withinLimit } from './segmentation';

/** Where a far transfer goes: directly or through a call gate. */
interface Target {
  code: Descriptor;
  offset: bigint;
  /** The gate's: width of what is pushed, and parameters copied to an inner stack. */
  gate: { width: number; parameters: number } | undefined;
}

function checkDirect(cpu: Processor, d: Descriptor): void {
  const { cpl } = cpu.state;
  const dpl = dplOf(d.access);
  const fine = isConforming(d.access) ? dpl <= cpl : (d.selector & 3) <= cpl && dpl === cpl;
  if (!fine) throw cpu.fault.exception(Vector.GP, selectorCode(d.selector));
}

/** Follows a selector that a far JMP or CALL names. Undefined when a task switch has been made. */
function resolve(cpu: Processor, selector: number, offset: bigint, call: boolean): Target | undefined {
  const s = cpu.state;
  const long = isLong(s);
  if (isNull(selector)) throw cpu.fault.exception(Vector.GP, 0);
  const named = readDescriptor(cpu, selector);
  const code = selectorCode(selector);
  if (!isSystem(named.access)) {
    if (!isCode(named.access)) throw cpu.fault.exception(Vector.GP, code);
    const d = readCodeDescriptor(cpu, selector);
    checkDirect(cpu, d);
    checkPresent(cpu, d);
    // SDM volume 2, "CALL", "JMP": an offset into compatibility code has 32 bits.
    return { code: d, offset: long && !targets64(s, d) ? truncate(offset, 4) : offset, gate: undefined };
  }
  const type = typeOf(named.access);
  const isTask = type === SystemType.TASK_GATE || type === SystemType.TSS || type === SystemType.TSS16;
  const isGate = type === SystemType.CALL_GATE || (!long && type === SystemType.CALL_GATE16);
  if (!isGate && (!isTask || long)) throw cpu.fault.exception(Vector.GP, code);
  const dpl = dplOf(named.access);
  if (dpl < s.cpl || dpl < (selector & 3)) throw cpu.fault.exception(Vector.GP, code);
  if (!isPresent(named.access)) throw cpu.fault.exception(Vector.NP, code);
  if (isTask) {
    switchTask(cpu, type === SystemType.TASK_GATE ? named.low >>> 16 : selector, call ? TaskSource.CALL : TaskSource.JMP, s.rip);
    return undefined;
  }

  const inside = named.low >>> 16;
  let entry = BigInt(((named.high & 0xffff_0000) | (named.low & 0xffff)) >>> 0);
  if (type === SystemType.CALL_GATE16) entry &= 0xffffn;
  if (long) entry |= BigInt(readUpperHalf(cpu, named).low) << 32n;
  if (isNull(inside)) throw cpu.fault.exception(Vector.GP, 0);
  const d = readCodeDescriptor(cpu, inside);
  const targetDpl = dplOf(d.access);
  const permitted = call || isConforming(d.access) ? targetDpl <= s.cpl : targetDpl === s.cpl;
  if (!permitted || (long && !targets64(s, d))) throw cpu.fault.exception(Vector.GP, selectorCode(inside));
  checkPresent(cpu, d);
  return { code: d, offset: entry, gate: { width: long ? 8 : type === SystemType.CALL_GATE ? 4 : 2, parameters: long ? 0 : named.high & 31 } };
}

/** In real-address and virtual-8086 mode only the limit is checked. */
function enterReal(cpu: Processor, selector: number, offset: bigint): void {
  const s = cpu.state;
  if (!withinLimit(s.access(Seg.CS) & ~Access.EXPAND_DOWN, s.limit(Seg.CS), Number(offset), 1)) throw cpu.fault.exception(Vector.GP, 0);
  setRealSegment(s, Seg.CS, selector);
  s.rip = offset;
}

/** Far JMP. */
export function farJump(cpu: Processor, selector: number, offset: bigint): void {
  const s = cpu.state;
  if (isReal(s)) enterReal(cpu, selector, offset);
  else {
    const target = resolve(cpu, selector, offset, false);
    if (!target) return;
    checkTarget(cpu, target.code, target.offset);
    enterCode(cpu, target.code, s.cpl, target.offset);
  }
  cpu.stateChanged();
}

/** Far CALL; `size` is the operand size in bytes. */
export function farCall(cpu: Processor, selector: number, offset: bigint, size: number): void {
  const s = cpu.state;
  const returnRip = s.rip;
  if (isReal(s)) {
    const stack = Stack.current(cpu);
    stack.push(BigInt(s.selector(Seg.CS)), size);
    stack.push(returnRip, size);
    enterReal(cpu, selector, offset);
    stack.commit();
    return cpu.stateChanged();
  }
  const target = resolve(cpu, selector, offset, true);
  if (!target) return;
  const { code, gate } = target;
  checkTarget(cpu, code, target.offset);
  const width = gate ? gate.width : size;
  const inner = gate !== undefined && !isConforming(code.access) && dplOf(code.access) < s.cpl;
  if (!inner) {
    // The pushes of a call between 64-bit and compatibility code are made as the new code addresses the stack (as silicon does; the SDM does not say).
    const segment = targets64(s, code) ? undefined : { access: s.access(Seg.SS), limit: s.limit(Seg.SS), base: s.segBase(Seg.SS) };
    const stack = new Stack(cpu, s.reg(Gpr.RSP), segment, currentPrivilege(cpu));
    stack.push(BigInt(s.selector(Seg.CS)), width);
    stack.push(returnRip, width);
    enterCode(cpu, code, s.cpl, target.offset);
    stack.commit();
    return cpu.stateChanged();
  }
  callInner(cpu, code, target.offset, width, gate.parameters, returnRip);
}

/** A call through a gate to an inner privilege level: the stack comes from the TSS, parameters are copied. */
function callInner(cpu: Processor, code: Descriptor, offset: bigint, width: number, parameters: number, returnRip: bigint): void {
  const s = cpu.state;
  const cpl = dplOf(code.access);
  const oldSs = s.selector(Seg.SS);
  const oldPointer = s.reg(Gpr.RSP);
  let stack: Stack;
  let segment: Descriptor | undefined;
  const copied: bigint[] = [];
  if (isLong(s)) stack = new Stack(cpu, stackPointer64(cpu, cpl, 0), undefined, Privilege.SUPERVISOR);
  else {
    const from = stackOf(cpu, cpl);
    segment = checkStackSegment(cpu, from.selector, cpl, false, Vector.TS)!;
    const old = new Stack(cpu, oldPointer, currentStackSegment(s), s.cpl === 3 ? Privilege.USER : Privilege.SUPERVISOR);
    for (let i = 0; i < parameters; i++) copied.push(old.pop(width));
    stack = new Stack(cpu, replacePointer(oldPointer, stackMask(segment.access), from.pointer), segment, Privilege.SUPERVISOR, selectorCode(from.selector));
  }
  stack.push(BigInt(oldSs), width);
  stack.push(oldPointer, width);
  for (const parameter of copied.reverse()) stack.push(parameter, width);
  stack.push(BigInt(s.selector(Seg.CS)), width);
  stack.push(returnRip, width);
  enterCode(cpu, code, cpl, offset);
  s.set32(Offset.CPL, cpl);
  if (segment) setSegment(s, Seg.SS, segment.selector, segment);
  else setNull(s, Seg.SS, cpl);
  stack.commit();
  setCpl(s, cpl);
  cpu.stateChanged();
}

/**
 * The common end of far RET and IRET in protected mode: CS:RIP, and for an outer level (or IRET in 64-bit mode) SS:RSP,
 * have been popped. `pop` yields SS:RSP when they are needed.
 */
export function returnTo(cpu: Processor, selector: number, popped: bigint, popStack: (outer: boolean) => { selector: number; pointer: bigint } | undefined): void {
  const s = cpu.state;
  const rpl = selector & 3;
  if (isNull(selector)) throw cpu.fault.exception(Vector.GP, 0);
  const code = selectorCode(selector);
  const d = readCodeDescriptor(cpu, selector);
  const dpl = dplOf(d.access);
  if (rpl < s.cpl || (isConforming(d.access) ? dpl > rpl : dpl !== rpl)) throw cpu.fault.exception(Vector.GP, code);
  checkPresent(cpu, d);
  const rip = isLong(s) && !targets64(s, d) ? truncate(popped, 4) : popped;
  const outer = rpl > s.cpl;
  const ss = popStack(outer);
  let segment: Descriptor | undefined;
  if (ss) segment = checkStackSegment(cpu, ss.selector, rpl, targets64(s, d));
  checkTarget(cpu, d, rip);
  enterCode(cpu, d, rpl, rip);
  s.set32(Offset.CPL, rpl);
  if (ss) {
    if (segment) setSegment(s, Seg.SS, ss.selector, segment);
    else setNull(s, Seg.SS, ss.selector);
    const mask = targets64(s, d) ? 0xffff_ffff_ffff_ffffn : stackMask(s.access(Seg.SS));
    s.setReg(Gpr.RSP, replacePointer(s.reg(Gpr.RSP), mask, ss.pointer));
  }
  setCpl(s, rpl);
  if (outer) dropInnerSegments(s);
}

/** Far RET; `release` bytes of parameters are dropped from both stacks. */
export function farReturn(cpu: Processor, size: number, release: number): void {
  const s = cpu.state;
  const stack = Stack.current(cpu);
  const rip = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  if (isReal(s)) {
    enterReal(cpu, selector, rip);
    stack.release(release);
    stack.commit();
    return cpu.stateChanged();
  }
  let outer = false;
  returnTo(cpu, selector, rip, (isOuter) => {
    stack.release(release);
    outer = isOuter;
    if (!isOuter) return undefined;
    const pointer = stack.pop(size);
    return { pointer, selector: Number(stack.pop(size) & 0xffffn) };
  });
  if (!outer) stack.commit();
  else {
    // The outer stack loses the parameters too.
    const outerStack = Stack.current(cpu);
    outerStack.release(release);
    outerStack.commit();
  }
  cpu.stateChanged();
}

/** Reads the far pointer in memory at a linear address: offset of `size` bytes, then the selector. */
export function readFarPointer(cpu: Processor, linear: bigint, size: number): { offset: bigint; selector: number } {
  const offset = truncate(readLinear(cpu, linear, size), size);
  return { offset, selector: Number(readLinear(cpu, linear + BigInt(size), 2)) };
}

