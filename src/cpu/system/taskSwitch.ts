/**
 * Hardware task switches (SDM volume 3, "Task Switching"): by far CALL and JMP, by IRET with RFLAGS.NT set, and by task
 * gates, with 32-bit and 16-bit task-state segments.
 *
 * Everything that can fault on behalf of the old task is asked before anything is changed. From the load of the new
 * task's registers on, faults are the new task's: RIP and the registers are its own then.
 */
import { Cr0 } from '../controlBits';
import { Vector } from '../fault';
import { NT, readFlags, VM, writeFlags } from '../flags';
import { probeWrite, readLinear, writeLinear } from '../mmu/linear';
import { Privilege } from '../mmu/walk';
import type { Processor } from '../processor';
import { ACCESS_UNUSABLE, type CpuState, Gpr, Offset, Seg } from '../state';
import { checkTarget, readCodeDescriptor } from './codeSegment';
import { setCr3 } from './controlRegisters';
import { DR7_LOCAL_ENABLES } from './debugRegisters';
import { addDebugTraps, PendingDebug } from './debugTraps';
import { type Descriptor, isConforming, isNull, isPresent, readDescriptor, selectorCode, SystemType, typeOf } from './descriptors';
import { Access, dplOf, isLong, setCpl } from './mode';
import { checkStackSegment, loadData, setNull, setRealSegment, setSegment } from './segments';
import { Stack } from './stack';

/** What asks for the switch, in the numbering of the VM exit's qualification. */
export const TaskSource = { CALL: 0, IRET: 1, JMP: 2, GATE: 3 } as const;

/** Byte offsets in a task-state segment; what a 16-bit one lacks is absent. */
interface Layout {
  /** Limit that holds the whole of it. */
  limit: number;
  /** Bytes of a register. */
  width: number;
  ip: number;
  flags: number;
  registers: number;
  segments: readonly (readonly [seg: number, offset: number])[];
  ldt: number;
  cr3?: number;
  trap?: number;
}
const WIDE: Layout = {
  limit: 0x67,
  width: 4,
  ip: 0x20,
  flags: 0x24,
  registers: 0x28,
  segments: [[Seg.ES, 0x48], [Seg.CS, 0x4c], [Seg.SS, 0x50], [Seg.DS, 0x54], [Seg.FS, 0x58], [Seg.GS, 0x5c]],
  ldt: 0x60,
  cr3: 0x1c,
  trap: 0x64,
};
const NARROW: Layout = {
  limit: 0x2b,
  width: 2,
  ip: 0x0e,
  flags: 0x10,
  registers: 0x12,
  segments: [[Seg.ES, 0x22], [Seg.CS, 0x24], [Seg.SS, 0x26], [Seg.DS, 0x28]],
  ldt: 0x2a,
};
/** In the order of the task-state segment. */
const REGISTERS = [Gpr.RAX, Gpr.RCX, Gpr.RDX, Gpr.RBX, Gpr.RSP, Gpr.RBP, Gpr.RSI, Gpr.RDI];

const layoutOf = (access: number): Layout => (access & 8 ? WIDE : NARROW);
/** Bit of the type field that makes a TSS busy. */
const BUSY = 2;

/** A task's registers as its TSS holds them. */
interface Task {
  rip: bigint;
  flags: number;
  registers: bigint[];
  selectors: Map<number, number>;
  ldt: number;
  cr3: bigint | undefined;
  trap: boolean;
}

/** Checks the selector and the descriptor of the task to go to; its DPL is the caller's business. */
function readTaskDescriptor(cpu: Processor, selector: number, source: number, ext: number): Descriptor {
  const returning = source === TaskSource.IRET;
  const vector = returning ? Vector.TS : Vector.GP;
  const code = selectorCode(selector) | ext;
  if (isNull(selector) || selector & 4) throw cpu.fault.exception(vector, code);
  const d = readDescriptor(cpu, selector, vector, ext);
  const type = d.access & (Access.S | 15);
  const wanted = returning ? type === SystemType.TSS_BUSY || type === SystemType.TSS16_BUSY : type === SystemType.TSS || type === SystemType.TSS16;
  if (!wanted) throw cpu.fault.exception(vector, code);
  if (!isPresent(d.access)) throw cpu.fault.exception(Vector.NP, code);
  if (d.limit < layoutOf(d.access).limit) throw cpu.fault.exception(Vector.TS, code);
  return d;
}

function readTask(cpu: Processor, base: bigint, layout: Layout): Task {
  const read = (offset: number, size: number): bigint => readLinear(cpu, base + BigInt(offset), size, true);
  // What a 16-bit TSS does not hold of a register becomes ones.
  const upper = layout.width === 2 ? 0xffff_0000n : 0n;
  return {
    rip: read(layout.ip, layout.width),
    flags: Number(read(layout.flags, layout.width)),
    registers: REGISTERS.map((_, i) => read(layout.registers + i * layout.width, layout.width) | upper),
    selectors: new Map(layout.segments.map(([seg, offset]) => [seg, Number(read(offset, 2))])),
    ldt: Number(read(layout.ldt, 2)),
    cr3: layout.cr3 === undefined ? undefined : read(layout.cr3, 4),
    trap: layout.trap !== undefined && (read(layout.trap, 2) & 1n) !== 0n,
  };
}

/** Saves the task that is left into its TSS. */
function saveTask(cpu: Processor, layout: Layout, rip: bigint, flags: number): void {
  const s = cpu.state;
  const base = s.segBase(Seg.TR);
  const write = (offset: number, size: number, value: bigint): void => writeLinear(cpu, base + BigInt(offset), size, value, true);
  write(layout.ip, layout.width, rip);
  write(layout.flags, layout.width, BigInt(flags));
  REGISTERS.forEach((n, i) => write(layout.registers + i * layout.width, layout.width, s.reg(n)));
  for (const [seg, offset] of layout.segments) write(offset, 2, BigInt(s.selector(seg)));
}

/** Sets or clears the busy bit of a TSS's descriptor in the GDT. */
function setBusy(cpu: Processor, selector: number, busy: boolean): void {
  const at = cpu.state.get64(Offset.GDTR_BASE) + BigInt(selector & 0xfff8) + 5n;
  const old = readLinear(cpu, at, 1, true);
  writeLinear(cpu, at, 1, busy ? old | BigInt(BUSY) : old & ~BigInt(BUSY), true);
}

/** The new task's LDTR, CS, SS and data segments, whose selectors are in place already. Faults are the new task's. */
function loadSegments(cpu: Processor, task: Task, ext: number): void {
  const s = cpu.state;
  const selector = (seg: number): number => task.selectors.get(seg) ?? 0;
  if (!isNull(task.ldt)) {
    const code = selectorCode(task.ldt) | ext;
    if (task.ldt & 4) throw cpu.fault.exception(Vector.TS, code);
    const d = readDescriptor(cpu, task.ldt, Vector.TS, ext);
    if (d.access & Access.S || typeOf(d.access) !== SystemType.LDT || !isPresent(d.access)) throw cpu.fault.exception(Vector.TS, code);
    setSegment(s, Seg.LDTR, task.ldt, d);
  }
  if (task.flags & VM) {
    s.set32(Offset.CPL, 3);
    for (const seg of task.selectors.keys()) setRealSegment(s, seg, selector(seg));
    setCpl(s, 3);
    return;
  }
  const cs = selector(Seg.CS);
  const cpl = cs & 3;
  const code = selectorCode(cs) | ext;
  if (isNull(cs)) throw cpu.fault.exception(Vector.TS, code);
  const d = readCodeDescriptor(cpu, cs, ext, Vector.TS);
  const dpl = dplOf(d.access);
  if (isConforming(d.access) ? dpl > cpl : dpl !== cpl) throw cpu.fault.exception(Vector.TS, code);
  if (!isPresent(d.access)) throw cpu.fault.exception(Vector.NP, code);
  setSegment(s, Seg.CS, cs, d);
  s.set32(Offset.CPL, cpl);
  const stack = checkStackSegment(cpu, selector(Seg.SS), cpl, false, Vector.TS, ext)!;
  setSegment(s, Seg.SS, selector(Seg.SS), stack);
  setCpl(s, cpl);
  for (const seg of [Seg.ES, Seg.DS, Seg.FS, Seg.GS]) loadData(cpu, seg, selector(seg), Vector.TS, ext);
  checkTarget(cpu, d, task.rip, ext);
}

/** Puts the new task's registers in place; its segments are unusable until their descriptors are loaded. */
function loadRegisters(cpu: Processor, task: Task, nested: boolean): void {
  const s = cpu.state;
  s.rip = task.rip;
  cpu.instructionRip = task.rip;
  REGISTERS.forEach((n, i) => s.setReg(n, task.registers[i]!));
  writeFlags(s, nested ? task.flags | NT : task.flags);
  for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) setNull(s, seg, task.selectors.get(seg) ?? 0);
  setNull(s, Seg.LDTR, task.ldt);
  s.setAccess(Seg.LDTR, ACCESS_UNUSABLE);
}

/**
 * Switches to the task whose TSS `selector` names. `rip` and `errorCode` are what an event leaves behind: where the old
 * task goes on, and what is pushed onto the new task's stack. `ext` is the error codes' EXT bit. Throws the fault.
 */
export function switchTask(cpu: Processor, selector: number, source: number, rip: bigint, errorCode?: number, ext = 0): void {
  const s = cpu.state;
  const descriptor = readTaskDescriptor(cpu, selector, source, ext);
  cpu.intercepts.taskSwitch(selector, source);

  const oldLayout = layoutOf(s.access(Seg.TR));
  const oldSelector = s.selector(Seg.TR);
  const layout = layoutOf(descriptor.access);
  const nested = source === TaskSource.CALL || source === TaskSource.GATE;
  if (s.limit(Seg.TR) < oldLayout.limit) throw cpu.fault.exception(Vector.TS, selectorCode(oldSelector) | ext);
  probe(cpu, s, oldLayout, descriptor, layout, nested);

  const flags = readFlags(s);
  if (!nested) setBusy(cpu, oldSelector, false);
  saveTask(cpu, oldLayout, rip, source === TaskSource.IRET ? flags & ~NT : flags);
  const task = readTask(cpu, descriptor.base, layout);
  if (nested) writeLinear(cpu, descriptor.base, 2, BigInt(oldSelector), true);
  if (source !== TaskSource.IRET) setBusy(cpu, selector, true);
  descriptor.access |= BUSY;
  setSegment(s, Seg.TR, selector, descriptor);
  s.set32(Offset.CR0, s.cr0 | Cr0.TS);
  s.set32(Offset.DR7, s.get32(Offset.DR7) & ~DR7_LOCAL_ENABLES);

  loadRegisters(cpu, task, nested);
  cpu.decideSingleStep(false);
  s.set32(Offset.CPL, 3); // until CS and SS are loaded no stack of the new task may be used by a handler
  try {
    if (task.cr3 !== undefined && (s.cr0 & Cr0.PG) !== 0) setCr3(cpu, task.cr3);
    loadSegments(cpu, task, ext);
  } finally {
    cpu.stateChanged();
  }
  if (errorCode !== undefined) {
    const stack = Stack.current(cpu);
    stack.push(BigInt(errorCode), layout.width);
    stack.commit();
  }
  if (task.trap) addDebugTraps(cpu, PendingDebug.TASK_SWITCH);
  cpu.requestAttention();
}

/** Asks for the page faults of both task-state segments and of the descriptors before anything is written. */
function probe(cpu: Processor, s: CpuState, old: Layout, descriptor: Descriptor, layout: Layout, nested: boolean): void {
  const write = (linear: bigint, size: number): void => probeWrite(cpu, linear, size, Privilege.IMPLICIT);
  write(s.segBase(Seg.TR) + BigInt(old.ip), old.ldt - old.ip);
  readTask(cpu, descriptor.base, layout);
  if (nested) write(descriptor.base, 2);
  write(descriptor.address + 5n, 1);
  write(s.get64(Offset.GDTR_BASE) + BigInt(s.selector(Seg.TR) & 0xfff8) + 5n, 1);
}

/** IRET with RFLAGS.NT set: back to the task that the present one's TSS links to. */
export function returnToTask(cpu: Processor): void {
  const s = cpu.state;
  if (isLong(s)) throw cpu.fault.exception(Vector.GP, 0);
  const link = Number(readLinear(cpu, s.segBase(Seg.TR), 2, true));
  switchTask(cpu, link, TaskSource.IRET, s.rip);
}
