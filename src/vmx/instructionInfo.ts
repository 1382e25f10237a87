/** The VM-exit instruction-information field (SDM volume 3, "Information for VM Exits Due to Instruction Execution"). */
import { type Instruction, Kind, NO_REGISTER, RIP_REGISTER } from '../cpu/decode/instruction';
import { join64 } from '../base/bits';

const MEMORY_IS_REGISTER = 1 << 10;
const NO_INDEX = 1 << 22;
const NO_BASE = 1 << 27;

/** The part about a memory operand: scaling, address size, segment, index and base. A RIP-relative operand has no base. */
export function memoryInfo(insn: Instruction): number {
  let info = insn.scale | ({ 2: 0, 4: 1, 8: 2 }[insn.addressSize] ?? 0) << 7 | insn.segment << 15;
  info |= insn.index === NO_REGISTER ? NO_INDEX : insn.index << 18;
  info |= insn.base === NO_REGISTER || insn.base === RIP_REGISTER ? NO_BASE : insn.base << 23;
  return info;
}

/** Memory or register operand `rm`, and register operand `reg` in bits 31:28 (VMREAD, VMWRITE, INVEPT ...). */
export function operandInfo(insn: Instruction, rm: number, reg = -1): number {
  const operand = insn.operands[rm]!;
  let info = operand.kind === Kind.REG ? (operand.number << 3) | MEMORY_IS_REGISTER : memoryInfo(insn);
  if (reg >= 0) info |= insn.operands[reg]!.number << 28;
  return info >>> 0;
}

/** What the exit qualification holds for instructions with a memory operand: the displacement, with RIP added where it counts from RIP. */
export function displacement(insn: Instruction, nextRip: bigint): bigint {
  const disp = join64(insn.dispLow, insn.dispHigh);
  return BigInt.asUintN(insn.addressSize === 8 ? 64 : insn.addressSize * 8, insn.base === RIP_REGISTER ? disp + nextRip : disp);
}
