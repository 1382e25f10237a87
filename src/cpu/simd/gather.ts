/**
 * Gathers (SDM volume 2, "VGATHERDPS/VGATHERQPS" and its neighbours): elements from addresses with a vector index, lowest
 * first. A fault leaves what was gathered in the destination and its elements of the mask clear, so that the instruction
 * goes on from there when it is executed again.
 */
import { join64 } from '../../base/bits';
import { type Instruction, NO_REGISTER } from '../decode/instruction';
import { readLinear } from '../mmu/linear';
import type { Processor, SlowOperation } from '../processor';
import { truncate } from '../system/operands';
import { segmentLinear } from '../system/segmentation';
import { elements, join, readVector, readYmm, writeVector } from './vectorOperands';

function elementLinear(cpu: Processor, insn: Instruction, index: bigint, size: number): bigint {
  let offset = join64(insn.dispLow, insn.dispHigh) + (index << BigInt(insn.scale));
  if (insn.base !== NO_REGISTER) offset += cpu.state.reg(insn.base);
  return segmentLinear(cpu, insn.segment, truncate(offset, insn.addressSize), size, false);
}

const gather =
  (indexBits: number, bits: number): SlowOperation =>
  (cpu, insn) => {
    // Of quadword indices there are as many as fit the vector, which may be twice as wide as the destination.
    const count = Math.min((insn.operands[0].size * 8) / bits, 256 / indexBits);
    const mask = elements(readVector(cpu, insn, 2), bits, count);
    const result = elements(readVector(cpu, insn, 0), bits, count);
    const indices = elements(readYmm(cpu.state, insn.index), indexBits, count);
    const top = BigInt(bits - 1);
    const ones = (1n << BigInt(bits)) - 1n;
    const settle = (): void => {
      writeVector(cpu, insn, 0, join(result, bits));
      writeVector(cpu, insn, 2, join(mask, bits));
    };
    for (let i = 0; i < count; i++) mask[i] = mask[i]! >> top ? ones : 0n;
    try {
      for (let i = 0; i < count; i++) {
        if (mask[i] !== 0n) result[i] = readLinear(cpu, elementLinear(cpu, insn, BigInt.asIntN(indexBits, indices[i]!), bits / 8), bits / 8);
        mask[i] = 0n;
      }
    } catch (fault) {
      settle();
      throw fault;
    }
    settle();
  };

export const gatherOperations: Readonly<Record<string, SlowOperation>> = {
  vpgatherdd: gather(32, 32),
  vpgatherdq: gather(32, 64),
  vpgatherqd: gather(64, 32),
  vpgatherqq: gather(64, 64),
  vgatherdps: gather(32, 32),
  vgatherdpd: gather(32, 64),
  vgatherqps: gather(64, 32),
  vgatherqpd: gather(64, 64),
};
