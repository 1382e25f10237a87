/** PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM (SDM volume 2, "Imm8 Control Byte Operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM"). */
import { type Instruction, Prefix } from '../decode/instruction';
import { CF, OF, readFlags, SF, STATUS_FLAGS, writeFlags, ZF } from '../flags';
import type { Processor, SlowOperation } from '../processor';
import { Gpr } from '../state';
import type { SimdOperation } from './simdOperation';
import { elements, isVex, join, readVector, readXmm, writeXmm, writeYmm } from './vectorOperands';

/** Fields of the immediate. */
const WORDS = 1;
const SIGNED = 2;
const MOST_SIGNIFICANT = 0x40;
const Aggregation = { EQUAL_ANY: 0, RANGES: 1, EQUAL_EACH: 2, EQUAL_ORDERED: 3 } as const;

/** An explicit length: the absolute value of EAX or EDX (RAX, RDX with REX.W), at most `count`. */
function explicitLength(cpu: Processor, insn: Instruction, register: number, count: number): number {
  // Outside 64-bit code VEX.W means nothing.
  const bits = insn.codeSize === 64 && insn.prefixes & Prefix.REX_W ? 64 : 32;
  const value = BigInt.asIntN(bits, cpu.state.reg(register));
  const size = value < 0n ? -value : value;
  return size > BigInt(count) ? count : Number(size);
}

/** An implicit length: up to the first zero. */
const implicitLength = (list: readonly bigint[]): number => {
  const end = list.indexOf(0n);
  return end < 0 ? list.length : end;
};

/** The comparison for element `j` of the second string. */
function matches(aggregation: number, a: readonly bigint[], aLength: number, b: readonly bigint[], bLength: number, j: number): boolean {
  const inside = j < bLength;
  switch (aggregation) {
    case Aggregation.EQUAL_ANY:
      return inside && a.some((x, i) => i < aLength && x === b[j]);
    case Aggregation.RANGES:
      return inside && a.some((low, i) => i % 2 === 0 && i + 1 < aLength && low <= b[j]! && b[j]! <= a[i + 1]!);
    case Aggregation.EQUAL_EACH:
      return j < aLength ? inside && a[j] === b[j] : !inside;
    default:
      for (let i = 0; i < aLength && i + j < b.length; i++) if (i + j >= bLength || a[i] !== b[i + j]) return false;
      return true;
  }
}

const compareStrings =
  (explicit: boolean, index: boolean): SlowOperation =>
  (cpu, insn) => {
    const s = cpu.state;
    const imm = insn.immLow;
    const bits = imm & WORDS ? 16 : 8;
    const count = 128 / bits;
    const list = (value: bigint): bigint[] => {
      const unsigned = elements(value, bits);
      return imm & SIGNED ? unsigned.map((x) => BigInt.asIntN(bits, x)) : unsigned;
    };
    const b = list(readVector(cpu, insn, 1));
    const a = list(readXmm(s, insn.operands[0].number));
    const aLength = explicit ? explicitLength(cpu, insn, Gpr.RAX, count) : implicitLength(a);
    const bLength = explicit ? explicitLength(cpu, insn, Gpr.RDX, count) : implicitLength(b);
    const writeMask = (mask: bigint): void => (isVex(insn) ? writeYmm(s, 0, mask) : writeXmm(s, 0, mask));
    let result = 0;
    for (let j = 0; j < count; j++) if (matches((imm >> 2) & 3, a, aLength, b, bLength, j)) result |= 1 << j;
    const polarity = (imm >> 4) & 3;
    if (polarity === 1) result ^= (1 << count) - 1;
    else if (polarity === 3) result ^= (1 << bLength) - 1; // negative, but only within the second string
    if (index) {
      const found = result === 0 ? count : imm & MOST_SIGNIFICANT ? 31 - Math.clz32(result) : 31 - Math.clz32(result & -result);
      s.setReg32(Gpr.RCX, found);
    } else if (imm & MOST_SIGNIFICANT) {
      const ones = (1n << BigInt(bits)) - 1n;
      writeMask(join(Array.from({ length: count }, (_, j) => ((result >> j) & 1 ? ones : 0n)), bits));
    } else writeMask(BigInt(result));
    const flags = (result ? CF : 0) | (bLength < count ? ZF : 0) | (aLength < count ? SF : 0) | (result & 1 ? OF : 0);
    writeFlags(s, (readFlags(s) & ~STATUS_FLAGS) | flags);
  };

export const stringCompareOperations: Readonly<Record<string, SimdOperation>> = {
  pcmpestri: { feature: 'sse4-2', perform: compareStrings(true, true) },
  pcmpestrm: { feature: 'sse4-2', perform: compareStrings(true, false) },
  pcmpistri: { feature: 'sse4-2', perform: compareStrings(false, true) },
  pcmpistrm: { feature: 'sse4-2', perform: compareStrings(false, false) },
};
