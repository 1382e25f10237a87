/**
 * AVX, AVX2, F16C and FMA in TypeScript: what is rare, what generated code leaves, and what no SSE instruction does. What
 * SSE does by the same name comes from its own tables (operations.ts).
 */
import { CF, readFlags, STATUS_FLAGS, writeFlags, ZF } from '../flags';
import type { SlowOperation } from '../processor';
import { loadMxcsr, storeMxcsr } from '../system/fxsave';
import { is64 } from '../system/mode';
import { isMemory, readOperand, writeOperand } from '../system/operands';
import { fmaOperations } from './fma';
import { gatherOperations } from './gather';
import { halfOperations } from './half';
import { maskedMoves } from './maskedMove';
import { elements, first, join, readVector, readXmm, second, vectorBits, writeResult, writeVector, writeYmm } from './vectorOperands';

const SIGN32 = join(Array<bigint>(8).fill(1n << 31n), 32);
const SIGN64 = join(Array<bigint>(4).fill(1n << 63n), 64);
const ALL = (1n << 256n) - 1n;

/** Whole registers and memory; scalars from memory clear the rest. */
const move: SlowOperation = (cpu, insn) => writeVector(cpu, insn, 0, readVector(cpu, insn, 1));

const zeroUpper =
  (lower: boolean): SlowOperation =>
  (cpu) => {
    const s = cpu.state;
    const registers = is64(s) ? 16 : 8;
    for (let n = 0; n < registers; n++) writeYmm(s, n, lower ? 0n : readXmm(s, n));
  };

/** Elements chosen by 2-bit fields of the immediate, across lanes. */
const permuteByImmediate: SlowOperation = (cpu, insn) => {
  const source = elements(second(cpu, insn), 64, 4);
  writeResult(cpu, insn, join([0, 1, 2, 3].map((i) => source[(insn.immLow >> (2 * i)) & 3]!), 64));
};

/** Elements of the second source chosen by the first, across lanes. */
const permuteByVector: SlowOperation = (cpu, insn) => {
  const source = elements(second(cpu, insn), 32, 8);
  writeResult(cpu, insn, join(elements(first(cpu, insn), 32, 8).map((index) => source[Number(index & 7n)]!), 32));
};

/** Each lane of the result is one of four, or zero. */
const permuteLanes: SlowOperation = (cpu, insn) => {
  const choices = [...elements(first(cpu, insn), 128, 2), ...elements(second(cpu, insn), 128, 2)];
  const lane = (control: number): bigint => (control & 8 ? 0n : choices[control & 3]!);
  writeResult(cpu, insn, join([lane(insn.immLow), lane(insn.immLow >> 4)], 128));
};

/** The second source's elements where the fourth operand's have their top bit set. */
const blend =
  (bits: number): SlowOperation =>
  (cpu, insn) => {
    const count = vectorBits(insn) / bits;
    const mask = elements(readVector(cpu, insn, 3), bits, count);
    const b = elements(second(cpu, insn), bits, count);
    const top = BigInt(bits - 1);
    writeResult(cpu, insn, join(elements(first(cpu, insn), bits, count).map((x, i) => (mask[i]! >> top ? b[i]! : x)), bits));
  };

/** ZF: no bit of `mask` is set in both; CF: none is set in the second alone. */
const test =
  (mask: bigint): SlowOperation =>
  (cpu, insn) => {
    const a = readVector(cpu, insn, 0);
    const b = readVector(cpu, insn, 1);
    const flags = ((a & b & mask) === 0n ? ZF : 0) | ((~a & b & mask) === 0n ? CF : 0);
    writeFlags(cpu.state, (readFlags(cpu.state) & ~STATUS_FLAGS) | flags);
  };

/** An element chosen by the immediate, zero-extended. */
const extract =
  (bits: number): SlowOperation =>
  (cpu, insn) => {
    const value = elements(readVector(cpu, insn, 1), bits)[insn.immLow & (128 / bits - 1)]!;
    if (isMemory(insn, 0)) writeOperand(cpu, insn, 0, value, bits / 8);
    else writeOperand(cpu, insn, 0, value, bits === 64 ? 8 : 4);
  };

const insert =
  (bits: number): SlowOperation =>
  (cpu, insn) => {
    const list = elements(readVector(cpu, insn, 1), bits);
    list[insn.immLow & (128 / bits - 1)] = BigInt.asUintN(bits, readOperand(cpu, insn, 2));
    writeResult(cpu, insn, join(list, bits));
  };

/** VINSERTPS: an element of the source (memory has one only) to a place, then elements cleared. */
const insertSingle: SlowOperation = (cpu, insn) => {
  const imm = insn.immLow;
  const value = isMemory(insn, 2) ? readOperand(cpu, insn, 2, 4) : elements(readVector(cpu, insn, 2), 32)[imm >> 6]!;
  const list = elements(readVector(cpu, insn, 1), 32);
  list[(imm >> 4) & 3] = value;
  writeResult(cpu, insn, join(list.map((x, i) => ((imm >> i) & 1 ? 0n : x)), 32));
};

/** One lane to memory or a register. */
const extractLane: SlowOperation = (cpu, insn) => writeVector(cpu, insn, 0, elements(readVector(cpu, insn, 1), 128, 2)[insn.immLow & 1]!);
const insertLane: SlowOperation = (cpu, insn) => {
  const list = elements(readVector(cpu, insn, 1), 128, 2);
  list[insn.immLow & 1] = readVector(cpu, insn, 2);
  writeResult(cpu, insn, join(list, 128));
};

const named = (names: readonly string[], operation: SlowOperation): Record<string, SlowOperation> => Object.fromEntries(names.map((name) => [name, operation]));

export const avxOperations: Readonly<Record<string, SlowOperation>> = {
  ...named(['vmovups', 'vmovupd', 'vmovdqu', 'vlddqu', 'vmovaps', 'vmovapd', 'vmovdqa', 'vmovntps', 'vmovntpd', 'vmovntdq', 'vmovntdqa'], move),
  vzeroupper: zeroUpper(false),
  vzeroall: zeroUpper(true),
  ...named(['vpermq', 'vpermpd'], permuteByImmediate),
  ...named(['vpermd', 'vpermps'], permuteByVector),
  ...named(['vperm2f128', 'vperm2i128'], permuteLanes),
  vpblendvb: blend(8),
  vblendvps: blend(32),
  vblendvpd: blend(64),
  vptest: test(ALL),
  vtestps: test(SIGN32),
  vtestpd: test(SIGN64),
  vpextrb: extract(8),
  vpextrw: extract(16),
  vpextrd: extract(32),
  vpextrq: extract(64),
  vextractps: extract(32),
  vpinsrb: insert(8),
  vpinsrw: insert(16),
  vpinsrd: insert(32),
  vpinsrq: insert(64),
  vinsertps: insertSingle,
  ...named(['vextractf128', 'vextracti128'], extractLane),
  ...named(['vinsertf128', 'vinserti128'], insertLane),
  vldmxcsr: loadMxcsr,
  vstmxcsr: storeMxcsr,
  ...maskedMoves,
  ...gatherOperations,
  ...halfOperations,
  ...fmaOperations,
};
