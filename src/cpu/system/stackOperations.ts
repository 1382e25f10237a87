/** PUSHA, POPA, PUSHF, POPF, ENTER. */
import { Vector } from '../fault';
import { AC, DF, ID, IF, IOPL, NT, readFlags, RF, STATUS_FLAGS, TF, VIF, VIP, VM, writeFlags } from '../flags';
import { currentPrivilege, probeWrite, readLinear } from '../mmu/linear';
import type { Processor, SlowOperation } from '../processor';
import { Gpr, Seg } from '../state';
import { ioplOf, isVirtual8086 } from './mode';
import { readGpr, writeGpr } from './operands';
import { segmentLinear } from './segmentation';
import { currentStackSegment, Stack, stackMask } from './stack';
import { flagsWithVirtualIf, hasVirtualFlag, takeFlagsWithVirtualIf } from './virtualInterrupts';

/** In the order of PUSHA. */
const ALL = [Gpr.RAX, Gpr.RCX, Gpr.RDX, Gpr.RBX, Gpr.RSP, Gpr.RBP, Gpr.RSI, Gpr.RDI];

/** In virtual-8086 mode IOPL must be 3, or the flags be those with a virtual IF, which have 16 bits. */
function checkFlagAccess(cpu: Processor, size: number): void {
  if (isVirtual8086(cpu.state) && ioplOf(cpu.state) < 3 && !(size === 2 && hasVirtualFlag(cpu.state))) throw cpu.fault.exception(Vector.GP, 0);
}

export const stackOperations: Record<string, SlowOperation> = {
  pusha(cpu, insn) {
    const size = insn.operandSize;
    const stack = Stack.current(cpu);
    for (const n of ALL) stack.push(readGpr(cpu.state, n, size), size);
    stack.commit();
  },
  popa(cpu, insn) {
    const size = insn.operandSize;
    const stack = Stack.current(cpu);
    const values = ALL.map(() => stack.pop(size)).reverse();
    stack.commit();
    ALL.forEach((n, i) => {
      if (n !== Gpr.RSP) writeGpr(cpu.state, n, size, values[i]!);
    });
  },
  pushf(cpu, insn) {
    checkFlagAccess(cpu, insn.operandSize);
    const stack = Stack.current(cpu);
    const flags = readFlags(cpu.state) & ~(VM | RF);
    stack.push(BigInt(hasVirtualFlag(cpu.state) ? flagsWithVirtualIf(flags) : flags), insn.operandSize);
    stack.commit();
  },
  popf(cpu, insn) {
    const s = cpu.state;
    const size = insn.operandSize;
    checkFlagAccess(cpu, size);
    const stack = Stack.current(cpu);
    const value = Number(stack.pop(size) & 0xffff_ffffn);
    if (hasVirtualFlag(s)) {
      takeFlagsWithVirtualIf(cpu, value);
      return stack.commit();
    }
    stack.commit();
    let mask = STATUS_FLAGS | TF | DF | NT;
    if (size > 2) mask |= AC | ID;
    if (isVirtual8086(s) || s.cpl <= ioplOf(s)) mask |= IF;
    if (!isVirtual8086(s) && s.cpl === 0) mask |= IOPL;
    let cleared = 0;
    if (size > 2 && !isVirtual8086(s)) cleared = RF | (s.cpl === 0 ? VIP | VIF : 0);
    const before = readFlags(s);
    writeFlags(s, (before & ~(mask | cleared)) | (value & mask));
    if ((before ^ value) & mask & AC) cpu.stateChanged(); // alignment checking
    if (value & (IF | TF)) cpu.requestAttention();
  },
  enter(cpu, insn) {
    const s = cpu.state;
    const size = insn.operandSize;
    const level = insn.imm2 & 31;
    const stack = Stack.current(cpu);
    const segment = currentStackSegment(s);
    const mask = segment ? stackMask(segment.access) : 0xffff_ffff_ffff_ffffn;
    stack.push(readGpr(s, Gpr.RBP, size), size);
    const frame = stack.top;
    let from = s.reg(Gpr.RBP);
    for (let i = 1; i < level; i++) {
      from = BigInt.asUintN(64, from - BigInt(size));
      stack.push(readLinear(cpu, segmentLinear(cpu, Seg.SS, from & mask, size, false), size), size);
    }
    if (level > 0) stack.push(frame, size);
    stack.release(-(insn.immLow & 0xffff));
    // The new top must be writable: ENTER faults now rather than the next PUSH (SDM volume 2, "ENTER").
    probeWrite(cpu, segmentLinear(cpu, Seg.SS, stack.top, size, true), size, currentPrivilege(cpu), true);
    stack.commit();
    writeGpr(s, Gpr.RBP, size, frame);
  },
};
