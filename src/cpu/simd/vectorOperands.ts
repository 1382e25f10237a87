/**
 * Operands of SIMD instructions for TypeScript: whole vectors as bigints, taken apart into elements. The same functions
 * serve SSE's two operands and AVX's three: `first` and `second` are what is computed with, `writeResult` the destination.
 */
import { AccessFlag } from '../accessFlags';
import { type Instruction, Kind, Prefix } from '../decode/instruction';
import { currentPrivilege, probeWrite, readLinearAs, writeLinearAs } from '../mmu/linear';
import type { Processor } from '../processor';
import { type CpuState, Offset } from '../state';
import { memoryLinear, readOperand, writeOperand } from '../system/operands';

const YMM_STRIDE = 32;
const MASK64 = (1n << 64n) - 1n;

export const readXmm = (s: CpuState, n: number): bigint => s.get64(Offset.YMM + n * YMM_STRIDE) | (s.get64(Offset.YMM + n * YMM_STRIDE + 8) << 64n);

/** Writes an XMM register; the upper half of its YMM register stays. */
export function writeXmm(s: CpuState, n: number, value: bigint): void {
  s.set64(Offset.YMM + n * YMM_STRIDE, value & MASK64);
  s.set64(Offset.YMM + n * YMM_STRIDE + 8, value >> 64n);
}

const highOffset = (n: number): number => Offset.YMM + n * YMM_STRIDE + 16;
export const readYmm = (s: CpuState, n: number): bigint => readXmm(s, n) | (s.get64(highOffset(n)) << 128n) | (s.get64(highOffset(n) + 8) << 192n);

/** Writes a whole YMM register. */
export function writeYmm(s: CpuState, n: number, value: bigint): void {
  writeXmm(s, n, BigInt.asUintN(128, value));
  s.set64(highOffset(n), (value >> 128n) & MASK64);
  s.set64(highOffset(n) + 8, value >> 192n);
}

export const isVex = (insn: Instruction): boolean => (insn.prefixes & Prefix.VEX) !== 0;

/** Vector operands and memory: those before an immediate or a register of the immediate byte. */
function sources(insn: Instruction): number {
  let n = insn.operandCount;
  while (n > 0 && (insn.operands[n - 1]!.kind === Kind.IMM || n === 4)) n--;
  return n;
}

const secondIndex = (insn: Instruction): number => (isVex(insn) ? sources(insn) - 1 : 1);
const firstIndex = (insn: Instruction): number => (isVex(insn) && sources(insn) === 3 ? 1 : 0);

/** A vector operand, or as many bytes of memory as the operand has. */
export function readVector(cpu: Processor, insn: Instruction, i: number): bigint {
  const operand = insn.operands[i]!;
  if (operand.kind === Kind.XMM) return readXmm(cpu.state, operand.number);
  if (operand.kind === Kind.YMM) return readYmm(cpu.state, operand.number);
  // Vectors of 16 and 32 bytes are not subject to alignment checks.
  return operand.kind !== Kind.MEM || operand.size < 16 ? readOperand(cpu, insn, i) : readAnyAlignment(cpu, insn, i);
}

/** An operand in memory of 8, 16 or 32 bytes, whose alignment is not checked. */
export function readAnyAlignment(cpu: Processor, insn: Instruction, i: number): bigint {
  const operand = insn.operands[i]!;
  const linear = memoryLinear(cpu, insn, operand.size, false);
  let value = 0n;
  const privilege = currentPrivilege(cpu);
  for (let at = 0; at < operand.size; at += 8) value |= readLinearAs(cpu, BigInt.asUintN(64, linear + BigInt(at)), 8, privilege, AccessFlag.ANY_ALIGNMENT) << BigInt(at * 8);
  return value;
}

/** Writes a vector operand by the instruction's encoding (VEX clears what is above), or memory: whole or not at all. */
export function writeVector(cpu: Processor, insn: Instruction, i: number, value: bigint): void {
  const operand = insn.operands[i]!;
  if (operand.kind === Kind.XMM || operand.kind === Kind.YMM) return isVex(insn) ? writeYmm(cpu.state, operand.number, value) : writeXmm(cpu.state, operand.number, value);
  if (operand.size < 16) return writeOperand(cpu, insn, i, value);
  writeAnyAlignment(cpu, insn, i, value);
}

/** Writes an operand in memory of 8, 16 or 32 bytes, whose alignment is not checked, whole or not at all. */
export function writeAnyAlignment(cpu: Processor, insn: Instruction, i: number, value: bigint): void {
  const operand = insn.operands[i]!;
  const linear = memoryLinear(cpu, insn, operand.size, true);
  probeWrite(cpu, linear, operand.size);
  for (let at = 0; at < operand.size; at += 8) writeLinearAs(cpu, BigInt.asUintN(64, linear + BigInt(at)), 8, BigInt.asUintN(64, value >> BigInt(at * 8)), currentPrivilege(cpu), AccessFlag.ANY_ALIGNMENT);
}

/** What SSE has in its destination: with VEX the first source, or the destination where there is only one. */
export const first = (cpu: Processor, insn: Instruction): bigint => readVector(cpu, insn, firstIndex(insn));
export const second = (cpu: Processor, insn: Instruction): bigint => readVector(cpu, insn, secondIndex(insn));
export const writeResult = (cpu: Processor, insn: Instruction, value: bigint): void => writeVector(cpu, insn, 0, value);

/** Bits of the destination, 128 or 256. */
export const vectorBits = (insn: Instruction): number => (insn.operands[0].size === 32 ? 256 : 128);

/** The elements of a vector, lowest first. */
export function elements(value: bigint, bits: number, count = 128 / bits): bigint[] {
  const list: bigint[] = [];
  for (let i = 0; i < count; i++) list.push(BigInt.asUintN(bits, value >> BigInt(i * bits)));
  return list;
}

export const join = (list: readonly bigint[], bits: number): bigint => list.reduce((value, element, i) => value | (BigInt.asUintN(bits, element) << BigInt(i * bits)), 0n);

/** Applies an operation on 128-bit lanes to each lane of two vectors of `bits` bits. */
export function byLane(bits: number, a: bigint, b: bigint, f: (a: bigint, b: bigint, lane: number) => bigint): bigint {
  let result = 0n;
  for (let lane = 0; lane < bits / 128; lane++) {
    const at = BigInt(lane * 128);
    result |= BigInt.asUintN(128, f(BigInt.asUintN(128, a >> at), BigInt.asUintN(128, b >> at), lane)) << at;
  }
  return result;
}
