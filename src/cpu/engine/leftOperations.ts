/** Forms of hot instructions that generated code leaves to TypeScript because they are rare. */
import { Vector } from '../fault';
import type { SlowOperation } from '../processor';
import { Gpr } from '../state';
import { memoryLinear, readOperand, writeOperand } from '../system/operands';
import { Stack } from '../system/stack';

const MASK64 = (1n << 64n) - 1n;

/** POP to memory: the address is computed with the stack pointer after the pop; a fault leaves it as it was. */
const popMemory: SlowOperation = (cpu, insn) => {
  const s = cpu.state;
  const before = s.reg(Gpr.RSP);
  const stack = Stack.current(cpu);
  const value = stack.pop(insn.operandSize);
  stack.commit();
  try {
    writeOperand(cpu, insn, 0, value, insn.operandSize);
  } catch (fault) {
    s.setReg(Gpr.RSP, before);
    throw fault;
  }
};

/** DIV of a 128-bit dividend. */
const divide: SlowOperation = (cpu, insn) => {
  const s = cpu.state;
  const divisor = readOperand(cpu, insn, 0, 8);
  if (divisor === 0n) throw cpu.fault.exception(Vector.DE);
  const dividend = (s.reg(Gpr.RDX) << 64n) | s.reg(Gpr.RAX);
  const quotient = dividend / divisor;
  if (quotient > MASK64) throw cpu.fault.exception(Vector.DE);
  s.setReg(Gpr.RAX, quotient);
  s.setReg(Gpr.RDX, dividend % divisor);
};

/** IDIV of a 128-bit dividend. */
const divideSigned: SlowOperation = (cpu, insn) => {
  const s = cpu.state;
  const divisor = BigInt.asIntN(64, readOperand(cpu, insn, 0, 8));
  if (divisor === 0n) throw cpu.fault.exception(Vector.DE);
  const dividend = BigInt.asIntN(128, (s.reg(Gpr.RDX) << 64n) | s.reg(Gpr.RAX));
  const quotient = dividend / divisor;
  if (BigInt.asIntN(64, quotient) !== quotient) throw cpu.fault.exception(Vector.DE);
  s.setReg(Gpr.RAX, BigInt.asUintN(64, quotient));
  s.setReg(Gpr.RDX, BigInt.asUintN(64, dividend % divisor));
};

export const leftOperations: Record<string, SlowOperation> = {
  pop: popMemory,
  div: divide,
  idiv: divideSigned,
  /** Generated code leaves where the operand is not aligned. */
  cmpxchg16b: (cpu, insn) => {
    memoryLinear(cpu, insn, 16, true);
    throw cpu.fault.exception(Vector.GP, 0);
  },
  pause: (cpu, insn) => {
    if (cpu.intercepts.instruction('pause', insn)) return true;
    cpu.onPause?.();
    return false;
  },
};
