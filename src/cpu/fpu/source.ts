/** The second operand of arithmetic and comparisons: a register, or a floating-point or integer number in memory. */
import { type Instruction, Kind } from '../decode/instruction';
import type { Processor } from '../processor';
import type { Extended } from './extended';
import { fromInteger, widen } from './formats';
import { loadAt, operandOffset } from './memoryOperand';
import { isEmpty, readStack } from './registers';

export interface Source {
  value: Extended;
  empty: boolean;
  /** Offset of the memory operand. */
  offset?: bigint;
}

/** Reads operand `i`. Throws the fault of the memory access. */
export function readSource(cpu: Processor, insn: Instruction, i: number, integer: boolean): Source {
  const operand = insn.operands[i]!;
  const s = cpu.state;
  if (operand.kind === Kind.ST) return { value: readStack(s, operand.number), empty: isEmpty(s, operand.number) };
  const { size } = operand;
  const bits = loadAt(cpu, insn, 0, size);
  const value = integer ? fromInteger(BigInt.asIntN(size * 8, bits)) : widen(bits, size);
  return { value, empty: false, offset: operandOffset(cpu, insn) };
}

export const fromMemory = (insn: Instruction): boolean => insn.operandCount > 0 && insn.operands[0].kind === Kind.MEM;
