/** An instruction's operands, read and written for the operations that are plain TypeScript. */
import { join64 } from '../../base/bits';
import { type Instruction, Kind, NO_REGISTER, type Operand, RIP_REGISTER } from '../decode/instruction';
import { readLinear, writeLinear } from '../mmu/linear';
import type { Processor } from '../processor';
import { type CpuState, Gpr } from '../state';
import { segmentLinear } from './segmentation';

/** Truncates to an operand or address size in bytes. */
export const truncate = (value: bigint, size: number): bigint => BigInt.asUintN(size * 8, value);

/** A general-purpose register by operand size; `high` for AH, CH, DH, BH. Zero-extended. */
export function readGpr(s: CpuState, number: number, size: number, high = false): bigint {
  const value = s.reg(number);
  return high ? (value >> 8n) & 0xffn : truncate(value, size);
}

/** Writes a general-purpose register by operand size: 32 bits clear the upper half, 16 and 8 leave the rest. */
export function writeGpr(s: CpuState, number: number, size: number, value: bigint, high = false): void {
  if (size >= 8) return s.setReg(number, value);
  if (size === 4) return s.setReg(number, truncate(value, 4));
  const shift = high ? 8n : 0n;
  const mask = (size === 2 ? 0xffffn : 0xffn) << shift;
  s.setReg(number, (s.reg(number) & ~mask) | ((value << shift) & mask));
}

/** The immediate, extended to 64 bits by the decoder. */
export const immediate = (insn: Instruction): bigint => join64(insn.immLow, insn.immHigh);

/** Offset of the memory operand in its segment, truncated to the address size. */
export function effectiveOffset(cpu: Processor, insn: Instruction): bigint {
  const s = cpu.state;
  let offset = join64(insn.dispLow, insn.dispHigh);
  if (insn.base === RIP_REGISTER) offset += s.rip;
  else if (insn.base !== NO_REGISTER) offset += s.reg(insn.base);
  if (insn.index !== NO_REGISTER) offset += s.reg(insn.index) << BigInt(insn.scale);
  return truncate(offset, insn.addressSize);
}

/** Linear address of `size` bytes of the memory operand, `at` bytes into it; segment checks made. */
export function memoryLinear(cpu: Processor, insn: Instruction, size: number, write: boolean, at = 0): bigint {
  return segmentLinear(cpu, insn.segment, truncate(effectiveOffset(cpu, insn) + BigInt(at), insn.addressSize), size, write);
}

/** Whether operand `i` is memory. */
export const isMemory = (insn: Instruction, i: number): boolean => insn.operands[i]!.kind === Kind.MEM;

/** Reads an operand of 1, 2, 4 or 8 bytes, zero-extended. `size` overrides the operand's own width. */
export function readOperand(cpu: Processor, insn: Instruction, i: number, size: number = insn.operands[i]!.size): bigint {
  const operand: Operand = insn.operands[i]!;
  switch (operand.kind) {
    case Kind.REG:
      return readGpr(cpu.state, operand.number, size, operand.high);
    case Kind.MEM:
      return readLinear(cpu, memoryLinear(cpu, insn, size, false), size);
    case Kind.IMM:
      return truncate(immediate(insn), size);
    case Kind.IMM2:
      return BigInt(insn.imm2);
  }
  throw new Error(`Operand ${i} of kind ${operand.kind} cannot be read as an integer.`);
}

/** Writes an operand of 1, 2, 4 or 8 bytes. `size` overrides the operand's own width. */
export function writeOperand(cpu: Processor, insn: Instruction, i: number, value: bigint, size: number = insn.operands[i]!.size): void {
  const operand: Operand = insn.operands[i]!;
  switch (operand.kind) {
    case Kind.REG:
      return writeGpr(cpu.state, operand.number, size, value, operand.high);
    case Kind.MEM:
      return writeLinear(cpu, memoryLinear(cpu, insn, size, true), size, value);
  }
  throw new Error(`Operand ${i} of kind ${operand.kind} cannot be written as an integer.`);
}

/** Writes EAX, ECX, EDX or another register with 32 bits, clearing the upper half. */
export const writeReg32 = (s: CpuState, n: number, value: bigint): void => s.setReg(n, value & 0xffff_ffffn);

/** EDX:EAX. */
export const readEdxEax = (s: CpuState): bigint => join64(s.reg32(Gpr.RAX), s.reg32(Gpr.RDX));

/** EDX:EAX, both upper halves cleared. */
export function writeEdxEax(s: CpuState, value: bigint): void {
  writeReg32(s, Gpr.RAX, value);
  writeReg32(s, Gpr.RDX, value >> 32n);
}
