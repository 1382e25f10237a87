/** IRET in every mode (SDM volume 2, "IRET/IRETD/IRETQ"). */
import { Vector } from '../fault';
import { AC, DF, ID, IF, IOPL, NT, readFlags, RF, STATUS_FLAGS, TF, VIF, VIP, VM, writeFlags } from '../flags';
import type { Processor } from '../processor';
import { type CpuState, Gpr, Offset, Seg } from '../state';
import { is64, ioplOf, isLong, isProtected, isVirtual8086, setCpl } from './mode';
import { returnQuickly } from './interruptReturn64';
import { setRealSegment } from './segments';
import { Stack } from './stack';
import { returnToTask } from './taskSwitch';
import { returnTo } from './transfer';
import { withinLimit } from './segmentation';
import { hasVirtualFlag, takeFlagsWithVirtualIf } from './virtualInterrupts';

/** The flags that IRET takes from the stack at a privilege level. */
function returnMask(s: CpuState, cpl: number, size: number): number {
  let mask = STATUS_FLAGS | TF | DF | NT;
  if (size > 2) mask |= RF | AC | ID;
  if (cpl <= ioplOf(s)) mask |= IF;
  if (cpl === 0) mask |= IOPL | (size > 2 ? VIF | VIP : 0);
  return mask;
}

function setFlags(s: CpuState, value: number, mask: number): void {
  writeFlags(s, (readFlags(s) & ~mask) | (value & mask));
}

/** To virtual-8086 mode: CS:EIP and EFLAGS are popped, the rest of the frame follows. */
function returnToVirtual8086(cpu: Processor, stack: Stack, rip: bigint, selector: number, flags: number): void {
  const s = cpu.state;
  const pointer = stack.pop(4);
  const selectors = [Seg.SS, Seg.ES, Seg.DS, Seg.FS, Seg.GS].map((seg) => [seg, Number(stack.pop(4) & 0xffffn)] as const);
  if (rip > 0xffffn) throw cpu.fault.exception(Vector.GP, 0);
  writeFlags(s, flags);
  s.set32(Offset.CPL, 3);
  setRealSegment(s, Seg.CS, selector);
  for (const [seg, value] of selectors) setRealSegment(s, seg, value);
  s.rip = rip;
  s.setReg(Gpr.RSP, pointer);
  setCpl(s, 3);
}

const BLOCKING_NMI = 8;

/** IRET with an operand size of 2, 4 or 8 bytes. */
export function interruptReturn(cpu: Processor, size: number): void {
  const s = cpu.state;
  if (size === 8 && returnQuickly(cpu, returnMask(s, s.cpl, size))) return;
  const protectedMode = isProtected(s);
  // NMIs are no more blocked even when the rest of the instruction faults (SDM volume 3, "Handling Multiple NMIs").
  if (s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_NMI && cpu.intercepts.iretUnblocksNmi()) {
    s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) & ~BLOCKING_NMI);
    cpu.intercepts.nmiUnblocked?.();
  }
  if (protectedMode && !isVirtual8086(s) && s.get32(Offset.FLAGS) & NT) {
    return returnToTask(cpu);
  }
  if (isVirtual8086(s) && ioplOf(s) < 3 && !(size === 2 && hasVirtualFlag(s))) throw cpu.fault.exception(Vector.GP, 0);
  const stack = Stack.current(cpu);
  const rip = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  const flags = Number(stack.pop(size) & 0xffff_ffffn);
  if (!protectedMode || isVirtual8086(s)) {
    if (!withinLimit(s.access(Seg.CS) & ~4, s.limit(Seg.CS), Number(rip), 1)) throw cpu.fault.exception(Vector.GP, 0);
    const virtual = hasVirtualFlag(s);
    if (virtual) takeFlagsWithVirtualIf(cpu, flags);
    // Virtual-8086 mode leaves IOPL alone; real mode runs at CPL 0.
    const mask = protectedMode ? returnMask(s, 3, size) | IF : returnMask(s, 0, size);
    setRealSegment(s, Seg.CS, selector);
    s.rip = rip;
    stack.commit();
    if (!virtual) setFlags(s, flags, mask & ~(VIF | VIP));
  } else if (flags & VM && s.cpl === 0 && !isLong(s) && size === 4) {
    returnToVirtual8086(cpu, stack, rip, selector, flags);
  } else {
    const mask = returnMask(s, s.cpl, size);
    // SDM volume 2, "IRET": in 64-bit mode SS:RSP is popped whatever the operand size.
    const always = is64(s);
    let switched = false;
    returnTo(cpu, selector, rip, (outer) => {
      if (!outer && !always) return undefined;
      switched = true;
      const pointer = stack.pop(size);
      return { pointer, selector: Number(stack.pop(size) & 0xffffn) };
    });
    if (!switched) stack.commit();
    setFlags(s, flags, mask);
  }
  cpu.stateChanged();
}
