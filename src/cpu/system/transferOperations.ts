/** Far transfers, software interrupts, returns, and the fast system calls. */
import { isCanonical } from '../../base/bits';
import { Efer } from '../controlBits';
import { type Instruction, Kind } from '../decode/instruction';
import { Vector } from '../fault';
import { IF, OF, readFlags, RF, TF, VM, writeFlags } from '../flags';
import { EventType } from '../intercepts';
import type { Processor, SlowOperation } from '../processor';
import { type CpuState, Gpr, Offset, Seg } from '../state';
import { softwareInterrupt } from './delivery';
import { interruptReturn } from './interruptReturn';
import { is64, isLong, ioplOf, isProtected, isVirtual8086, setCpl } from './mode';
import { immediate, memoryLinear, truncate } from './operands';
import { require64, requireCpl0, requireFeature, undefinedOpcode } from './privilege';
import { farCall, farJump, farReturn, readFarPointer } from './transfer';
import { isRedirected } from './virtualInterrupts';

/** The far pointer that a far JMP or CALL names, in the instruction or in memory. */
function target(cpu: Processor, insn: Instruction): { offset: bigint; selector: number } {
  const size = insn.operandSize;
  if (insn.operands[0].kind === Kind.FAR) return { offset: truncate(immediate(insn), size), selector: insn.imm2 };
  return readFarPointer(cpu, memoryLinear(cpu, insn, size + 2, false), size);
}

/** Flat segments as SYSCALL, SYSRET, SYSENTER and SYSEXIT load them, whatever the descriptors say. */
function setFlat(s: CpuState, seg: number, selector: number, access: number): void {
  s.setSelector(seg, selector);
  s.setAccess(seg, access);
  s.setLimit(seg, 0xffff_ffff);
  s.setSegBase(seg, 0n);
}
const CODE64 = 0xa09b;
const CODE32 = 0xc09b;
const DATA = 0xc093;
const DPL3 = 0x60;

function enterKernel(cpu: Processor, code: number, stack: number, codeAccess: number, clear: number): void {
  const s = cpu.state;
  setFlat(s, Seg.CS, code & 0xfffc, codeAccess);
  setFlat(s, Seg.SS, stack & 0xfffc, DATA);
  writeFlags(s, readFlags(s) & ~clear);
  setCpl(s, 0);
  cpu.stateChanged();
}

function leaveKernel(cpu: Processor, code: number, stack: number, codeAccess: number): void {
  const s = cpu.state;
  setFlat(s, Seg.CS, (code & 0xffff) | 3, codeAccess | DPL3);
  setFlat(s, Seg.SS, (stack & 0xffff) | 3, DATA | DPL3);
  setCpl(s, 3);
  cpu.stateChanged();
}

/** The flags that SYSRET takes from R11. */
const SYSRET_FLAGS = 0x3c_7fd7;

export const transferOperations: Record<string, SlowOperation> = {
  jmp_far(cpu, insn) {
    const { offset, selector } = target(cpu, insn);
    farJump(cpu, selector, offset);
  },
  call_far(cpu, insn) {
    const { offset, selector } = target(cpu, insn);
    farCall(cpu, selector, offset, insn.operandSize);
  },
  ret_far(cpu, insn) {
    farReturn(cpu, insn.operandSize, insn.operandCount > 0 ? insn.immLow & 0xffff : 0);
  },
  iret(cpu, insn) {
    interruptReturn(cpu, insn.operandSize);
    cpu.requestAttention();
  },
  int(cpu, insn) {
    const vector = insn.immLow & 0xff;
    // In virtual-8086 mode the IOPL is asked before anything else, unless the program handles the interrupt itself.
    if (isVirtual8086(cpu.state) && ioplOf(cpu.state) < 3 && !isRedirected(cpu, vector)) throw cpu.fault.exception(Vector.GP, 0);
    softwareInterrupt(cpu, EventType.SOFTWARE_INTERRUPT, vector);
  },
  int3(cpu) {
    softwareInterrupt(cpu, EventType.SOFTWARE_EXCEPTION, Vector.BP);
  },
  int1(cpu) {
    softwareInterrupt(cpu, EventType.PRIVILEGED_SOFTWARE, Vector.DB);
  },
  into(cpu) {
    if (readFlags(cpu.state) & OF) softwareInterrupt(cpu, EventType.SOFTWARE_EXCEPTION, Vector.OF);
  },
  syscall(cpu) {
    const s = cpu.state;
    requireFeature(cpu, 'syscall');
    if (!is64(s) || !(s.efer & Efer.SCE)) undefinedOpcode(cpu);
    s.setReg(Gpr.RCX, s.rip);
    s.setReg(Gpr.R11, BigInt(readFlags(s) & ~RF));
    s.rip = s.get64(Offset.LSTAR);
    const code = s.high(Offset.STAR) & 0xffff;
    enterKernel(cpu, code, code + 8, CODE64, s.get32(Offset.FMASK) | RF);
    // Unlike other instructions SYSCALL and SYSRET look at the TF that they leave.
    cpu.decideSingleStep((s.get32(Offset.FLAGS) & TF) !== 0);
  },
  sysret(cpu, insn) {
    const s = cpu.state;
    requireFeature(cpu, 'syscall');
    if (!is64(s) || !(s.efer & Efer.SCE)) undefinedOpcode(cpu);
    requireCpl0(cpu);
    const wide = insn.operandSize === 8;
    const rip = s.reg(Gpr.RCX);
    if (wide && !isCanonical(rip)) throw cpu.fault.exception(Vector.GP, 0);
    const code = s.high(Offset.STAR) >>> 16;
    s.rip = wide ? rip : truncate(rip, 4);
    writeFlags(s, s.reg32(Gpr.R11) & SYSRET_FLAGS);
    leaveKernel(cpu, wide ? code + 16 : code, code + 8, wide ? CODE64 : CODE32);
    cpu.decideSingleStep((s.get32(Offset.FLAGS) & TF) !== 0);
    cpu.requestAttention();
  },
  sysenter(cpu) {
    const s = cpu.state;
    requireFeature(cpu, 'sep');
    const code = s.get32(Offset.SYSENTER_CS) & 0xfffc;
    if (!isProtected(s) || code === 0) throw cpu.fault.exception(Vector.GP, 0);
    const long = isLong(s);
    s.setReg(Gpr.RSP, truncate(s.get64(Offset.SYSENTER_ESP), long ? 8 : 4));
    s.rip = truncate(s.get64(Offset.SYSENTER_EIP), long ? 8 : 4);
    enterKernel(cpu, code, code + 8, long ? CODE64 : CODE32, VM | IF | RF);
  },
  sysexit(cpu, insn) {
    const s = cpu.state;
    requireFeature(cpu, 'sep');
    const code = s.get32(Offset.SYSENTER_CS) & 0xfffc;
    if (!isProtected(s) || isVirtual8086(s) || code === 0) throw cpu.fault.exception(Vector.GP, 0);
    requireCpl0(cpu);
    const wide = insn.operandSize === 8;
    const rip = s.reg(Gpr.RDX);
    const rsp = s.reg(Gpr.RCX);
    if (wide && (!isCanonical(rip) || !isCanonical(rsp))) throw cpu.fault.exception(Vector.GP, 0);
    s.rip = wide ? rip : truncate(rip, 4);
    s.setReg(Gpr.RSP, wide ? rsp : truncate(rsp, 4));
    leaveKernel(cpu, code + (wide ? 32 : 16), code + (wide ? 40 : 24), wide ? CODE64 : CODE32);
  },
  swapgs(cpu) {
    require64(cpu);
    requireCpl0(cpu);
    const s = cpu.state;
    const base = s.segBase(Seg.GS);
    s.setSegBase(Seg.GS, s.get64(Offset.KERNEL_GS_BASE));
    s.set64(Offset.KERNEL_GS_BASE, base);
  },
};
