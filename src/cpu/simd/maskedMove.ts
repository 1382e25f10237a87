/** VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ: only elements whose mask has its top bit set are accessed, and only they can fault; their alignment is not checked. */
import type { Instruction } from '../decode/instruction';
import { AccessFlag } from '../accessFlags';
import { currentPrivilege, probeWrite, readLinearAs, writeLinearAs } from '../mmu/linear';
import type { Processor, SlowOperation } from '../processor';
import { effectiveOffset, isMemory } from '../system/operands';
import { segmentLinear } from '../system/segmentation';
import { elements, join, readVector, writeResult } from './vectorOperands';

/** Addresses of the chosen elements, undefined for the others. In 64-bit code the operand does not wrap at a smaller address size. */
function chosen(cpu: Processor, insn: Instruction, mask: readonly bigint[], bits: number, write: boolean): (bigint | undefined)[] {
  const top = BigInt(bits - 1);
  const start = effectiveOffset(cpu, insn);
  const width = insn.codeSize === 64 ? 64 : insn.addressSize * 8;
  const linear = (at: number): bigint => segmentLinear(cpu, insn.segment, BigInt.asUintN(width, start + BigInt(at)), bits / 8, write);
  return mask.map((m, i) => (m >> top ? linear((i * bits) / 8) : undefined));
}

const masked =
  (bits: number): SlowOperation =>
  (cpu, insn) => {
    const stores = isMemory(insn, 0);
    const size = bits / 8;
    const count = (insn.operands[1].size * 8) / bits;
    const addresses = chosen(cpu, insn, elements(readVector(cpu, insn, 1), bits, count), bits, stores);
    if (!stores) return writeResult(cpu, insn, join(addresses.map((linear) => (linear === undefined ? 0n : readLinearAs(cpu, linear, size, currentPrivilege(cpu), AccessFlag.ANY_ALIGNMENT))), bits));
    const source = elements(readVector(cpu, insn, 2), bits, count);
    for (const linear of addresses) if (linear !== undefined) probeWrite(cpu, linear, size);
    addresses.forEach((linear, i) => {
      if (linear !== undefined) writeLinearAs(cpu, linear, size, source[i]!, currentPrivilege(cpu), AccessFlag.ANY_ALIGNMENT);
    });
  };

export const maskedMoves: Readonly<Record<string, SlowOperation>> = { vmaskmovps: masked(32), vmaskmovpd: masked(64), vpmaskmovd: masked(32), vpmaskmovq: masked(64) };
