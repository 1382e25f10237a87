/** SIMD integer instructions too rare to be generated code. */
import { probeWrite, writeLinear } from '../mmu/linear';
import type { SlowOperation } from '../processor';
import { Gpr } from '../state';
import { truncate } from '../system/operands';
import { segmentLinear } from '../system/segmentation';
import type { SimdOperation } from './simdOperation';
import { byLane, elements, first, join, readXmm, second, vectorBits, writeResult } from './vectorOperands';

/** destination = f(first source, second source, immediate), lane by lane; `shift` is by how much the second lane's immediate lies higher. */
const compute =
  (f: (a: bigint, b: bigint, imm: number) => bigint, shift = 0): SlowOperation =>
  (cpu, insn) => {
    const b = second(cpu, insn);
    writeResult(cpu, insn, byLane(vectorBits(insn), first(cpu, insn), b, (x, y, lane) => f(x, y, insn.immLow >> (lane * shift))));
  };

/** The smallest word and its index. */
function smallestWord(b: bigint): bigint {
  const words = elements(b, 16);
  let index = 0;
  words.forEach((word, i) => {
    if (word < words[index]!) index = i;
  });
  return words[index]! | (BigInt(index) << 16n);
}

/** Sums of absolute differences of four bytes, eight positions of the destination against one of the source. */
function differences(a: bigint, b: bigint, imm: number): bigint {
  const x = elements(a, 8).map(Number);
  const y = elements(b, 8).map(Number);
  const at = imm & 4;
  const block = (imm & 3) * 4;
  const sums = Array.from({ length: 8 }, (_, i) => [0, 1, 2, 3].reduce((sum, k) => sum + Math.abs(x[at + i + k]! - y[block + k]!), 0));
  return join(sums.map(BigInt), 16);
}

/** The product of polynomials over GF(2). */
function carryless(a: bigint, b: bigint, imm: number): bigint {
  const x = elements(a, 64)[imm & 1]!;
  let y = elements(b, 64)[(imm >> 4) & 1]!;
  let product = 0n;
  for (let shifted = x; y !== 0n; y >>= 1n, shifted <<= 1n) if (y & 1n) product ^= shifted;
  return product;
}

/** MASKMOVDQU: the bytes whose mask has its top bit set, to DS:rDI. */
const maskedStore: SlowOperation = (cpu, insn) => {
  const s = cpu.state;
  const mask = elements(readXmm(s, insn.operands[1].number), 8);
  const bytes = elements(readXmm(s, insn.operands[0].number), 8);
  const targets = mask
    .map((m, i) => ({ i, chosen: (m & 0x80n) !== 0n }))
    .filter(({ chosen }) => chosen)
    .map(({ i }) => ({ value: bytes[i]!, linear: segmentLinear(cpu, insn.segment, truncate(s.reg(Gpr.RDI) + BigInt(i), insn.addressSize), 1, true) }));
  for (const { linear } of targets) probeWrite(cpu, linear, 1);
  for (const { linear, value } of targets) writeLinear(cpu, linear, 1, value);
};

export const rareOperations: Readonly<Record<string, SimdOperation>> = {
  phminposuw: { feature: 'sse4-1', perform: compute((_a, b) => smallestWord(b)) },
  mpsadbw: { feature: 'sse4-1', perform: compute(differences, 3) },
  pclmulqdq: { feature: 'pclmulqdq', perform: compute(carryless) },
  maskmovdqu: { feature: 'sse2', perform: maskedStore },
};
