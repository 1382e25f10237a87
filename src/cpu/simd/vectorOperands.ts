/** Operands of SIMD instructions for TypeScript: whole vectors as bigints, taken apart into elements. */
import { type Instruction, Kind } from '../decode/instruction';
import { readLinear } from '../mmu/linear';
import type { Processor } from '../processor';
import { type CpuState, Offset } from '../state';
import { memoryLinear, readOperand } from '../system/operands';

const YMM_STRIDE = 32;
const MASK64 = (1n << 64n) - 1n;

export const readXmm = (s: CpuState, n: number): bigint => s.get64(Offset.YMM + n * YMM_STRIDE) | (s.get64(Offset.YMM + n * YMM_STRIDE + 8) << 64n);

/** Writes an XMM register; the upper half of its YMM register stays. */
export function writeXmm(s: CpuState, n: number, value: bigint): void {
  s.set64(Offset.YMM + n * YMM_STRIDE, value & MASK64);
  s.set64(Offset.YMM + n * YMM_STRIDE + 8, value >> 64n);
}

/** An XMM operand, or as many bytes of memory as the operand has. */
export function readVector(cpu: Processor, insn: Instruction, i: number): bigint {
  const operand = insn.operands[i]!;
  if (operand.kind === Kind.XMM) return readXmm(cpu.state, operand.number);
  if (operand.kind !== Kind.MEM || operand.size !== 16) return readOperand(cpu, insn, i);
  const linear = memoryLinear(cpu, insn, 16, false);
  const low = readLinear(cpu, linear, 8);
  return low | (readLinear(cpu, BigInt.asUintN(64, linear + 8n), 8) << 64n);
}

/** The elements of a vector, lowest first. */
export function elements(value: bigint, bits: number, count = 128 / bits): bigint[] {
  const list: bigint[] = [];
  for (let i = 0; i < count; i++) list.push(BigInt.asUintN(bits, value >> BigInt(i * bits)));
  return list;
}

export const join = (list: readonly bigint[], bits: number): bigint => list.reduce((value, element, i) => value | (BigInt.asUintN(bits, element) << BigInt(i * bits)), 0n);
