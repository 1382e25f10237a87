/** Memory operands of x87 instructions: 10-byte values and blocks, besides what integers need. */
import type { Instruction } from '../decode/instruction';
import { AccessFlag } from '../accessFlags';
import { currentPrivilege, probeWrite, readLinear, readLinearAs, writeLinear, writeLinearAs } from '../mmu/linear';
import type { Processor } from '../processor';
import { effectiveOffset, memoryLinear } from '../system/operands';
import { type Extended, extended } from './extended';

/** Most that can be probed at once. */
const PROBE = 64;

/** Offset of the memory operand in its segment: what FDP holds. */
export const operandOffset = effectiveOffset;

/** Reads 1, 2, 4 or 8 bytes, `at` bytes into the operand. */
export const loadAt = (cpu: Processor, insn: Instruction, at: number, size: number): bigint => readLinear(cpu, memoryLinear(cpu, insn, size, false, at), size);

/** Makes sure that `size` bytes can be written, so that storing them one after another cannot stop half-way. */
export function probeStore(cpu: Processor, insn: Instruction, size: number): void {
  for (let at = 0; at < size; at += PROBE) {
    const part = Math.min(PROBE, size - at);
    probeWrite(cpu, memoryLinear(cpu, insn, part, true, at), part, currentPrivilege(cpu));
  }
}

export const storeAt = (cpu: Processor, insn: Instruction, at: number, size: number, value: bigint): void => writeLinear(cpu, memoryLinear(cpu, insn, size, true, at), size, value);

/** Reads 80 bits. */
export const load80 = (cpu: Processor, insn: Instruction, at = 0): bigint => {
  memoryLinear(cpu, insn, 10, false, at);
  return loadAt(cpu, insn, at, 8) | (loadAt(cpu, insn, at + 8, 2) << 64n);
};
/** Writes 80 bits whole. */
export function store80(cpu: Processor, insn: Instruction, value: bigint): void {
  probeStore(cpu, insn, 10);
  storeAt(cpu, insn, 0, 8, value & 0xffff_ffff_ffff_ffffn);
  storeAt(cpu, insn, 8, 2, value >> 64n);
}

/** A data register in the image of FSAVE, where only the environment is subject to alignment checks. */
export function loadRegister(cpu: Processor, insn: Instruction, at: number): bigint {
  const read = (from: number, size: number): bigint => readLinearAs(cpu, memoryLinear(cpu, insn, size, false, from), size, currentPrivilege(cpu), AccessFlag.ANY_ALIGNMENT);
  return read(at, 8) | (read(at + 8, 2) << 64n);
}
export function storeRegister(cpu: Processor, insn: Instruction, at: number, value: bigint): void {
  const write = (to: number, size: number, part: bigint): void => writeLinearAs(cpu, memoryLinear(cpu, insn, size, true, to), size, part, currentPrivilege(cpu), AccessFlag.ANY_ALIGNMENT);
  write(at, 8, value & 0xffff_ffff_ffff_ffffn);
  write(at + 8, 2, value >> 64n);
}

export const unpack80 = (bits: bigint): Extended => {
  const high = Number(bits >> 64n);
  return extended(high >>> 15, high & 0x7fff, bits & 0xffff_ffff_ffff_ffffn);
};
export const pack80 = (x: Extended): bigint => (BigInt((x.sign << 15) | x.exponent) << 64n) | x.significand;
