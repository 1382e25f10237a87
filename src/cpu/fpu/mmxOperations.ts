/**
 * MMX, with what SSE, SSE2 and SSSE3 add to it on MMX registers. Mnemonics that XMM registers share come here only for
 * their MMX forms.
 */
import { Cr0 } from '../controlBits';
import { type Instruction, Kind } from '../decode/instruction';
import { probeWrite, writeLinear } from '../mmu/linear';
import type { Processor, SlowOperation } from '../processor';
import { Gpr } from '../state';
import { Vector } from '../fault';
import { readOperand, truncate, writeOperand } from '../system/operands';
import { requireFeature, undefinedOpcode } from '../system/privilege';
import { segmentLinear } from '../system/segmentation';
import { enterMmx, readMmx, writeMmx } from './environment';
import { reportPending } from './frame';
import { type LaneOperation, LANE_OPERATIONS, Lanes } from './mmxLanes';
import { setTagBits, setTop } from './registers';

/** #UD with CR0.EM, #NM with TS, then the x87 exception that waits (SDM volume 3, "Emulation of the MMX Instruction Set"). */
export function beginMmx(cpu: Processor, feature: string): void {
  requireFeature(cpu, 'mmx');
  requireFeature(cpu, feature);
  if (cpu.state.cr0 & Cr0.EM) undefinedOpcode(cpu);
  if (cpu.state.cr0 & Cr0.TS) throw cpu.fault.exception(Vector.NM);
  reportPending(cpu);
}

const usesMmx = (insn: Instruction): boolean => {
  for (let i = 0; i < insn.operandCount; i++) if (insn.operands[i]!.kind === Kind.MM) return true;
  return false;
};

/** An instruction with an MMX operand; the XMM form of the same mnemonic is not one of these. */
const mmx =
  (feature: string, perform: (cpu: Processor, insn: Instruction) => void): SlowOperation =>
  (cpu, insn) => {
    if (!usesMmx(insn)) undefinedOpcode(cpu);
    beginMmx(cpu, feature);
    perform(cpu, insn);
  };

/** Reads an MMX register, a general-purpose register, memory or an immediate, zero-extended. */
function source(cpu: Processor, insn: Instruction, i: number): bigint {
  const operand = insn.operands[i]!;
  return operand.kind === Kind.MM ? readMmx(cpu.state, operand.number) : readOperand(cpu, insn, i, operand.kind === Kind.IMM ? 8 : operand.size);
}

/** Writes an operand; memory first, because it may fault. */
function destination(cpu: Processor, insn: Instruction, value: bigint): void {
  const operand = insn.operands[0];
  if (operand.kind !== Kind.MM) {
    writeOperand(cpu, insn, 0, value);
    return enterMmx(cpu.state);
  }
  enterMmx(cpu.state);
  writeMmx(cpu.state, operand.number, value);
}

const a = new Lanes();
const b = new Lanes();
const r = new Lanes();
const lanes = (operation: LaneOperation) => (cpu: Processor, insn: Instruction) => {
  a.value = source(cpu, insn, 0);
  b.value = source(cpu, insn, 1);
  operation(r, a, b);
  destination(cpu, insn, r.value);
};

const move = (cpu: Processor, insn: Instruction): void => destination(cpu, insn, source(cpu, insn, 1));
const controlOf = (insn: Instruction): number => insn.immLow & 0xff;
const shiftOfWord = (insn: Instruction): bigint => BigInt((controlOf(insn) & 3) * 16);

/** Stores the bytes whose mask has its top bit set at DS:rDI; the others are not touched, and cannot fault. */
function maskedStore(cpu: Processor, insn: Instruction): void {
  const value = source(cpu, insn, 0);
  const mask = source(cpu, insn, 1);
  const addresses: (bigint | undefined)[] = [];
  for (let i = 0; i < 8; i++) {
    if (!((mask >> BigInt(8 * i + 7)) & 1n)) {
      addresses.push(undefined);
      continue;
    }
    const linear = segmentLinear(cpu, insn.segment, truncate(cpu.state.reg(Gpr.RDI) + BigInt(i), insn.addressSize), 1, true);
    probeWrite(cpu, linear, 1);
    addresses.push(linear);
  }
  addresses.forEach((linear, i) => {
    if (linear !== undefined) writeLinear(cpu, linear, 1, (value >> BigInt(8 * i)) & 0xffn);
  });
  enterMmx(cpu.state);
}

function align(cpu: Processor, insn: Instruction): void {
  const joined = (source(cpu, insn, 0) << 64n) | source(cpu, insn, 1);
  destination(cpu, insn, truncate(joined >> BigInt(8 * controlOf(insn)), 8));
}

export const mmxOperations: Record<string, SlowOperation> = {
  movd: mmx('mmx', move),
  movq: mmx('mmx', move),
  movntq: mmx('sse', move),
  emms(cpu) {
    beginMmx(cpu, 'mmx');
    setTop(cpu.state, 0);
    setTagBits(cpu.state, 0);
  },
  pshufw: mmx('sse', (cpu, insn) => {
    b.value = source(cpu, insn, 1);
    for (let i = 0; i < 4; i++) r.u16[i] = b.u16[(controlOf(insn) >>> (2 * i)) & 3]!;
    destination(cpu, insn, r.value);
  }),
  pinsrw: mmx('sse', (cpu, insn) => {
    const at = shiftOfWord(insn);
    const word = source(cpu, insn, 1) & 0xffffn;
    destination(cpu, insn, (source(cpu, insn, 0) & ~(0xffffn << at)) | (word << at));
  }),
  pextrw: mmx('sse', (cpu, insn) => destination(cpu, insn, (source(cpu, insn, 1) >> shiftOfWord(insn)) & 0xffffn)),
  pmovmskb: mmx('sse', (cpu, insn) => {
    b.value = source(cpu, insn, 1);
    destination(cpu, insn, BigInt(b.u8.reduce((mask, x, i) => mask | ((x >>> 7) << i), 0)));
  }),
  maskmovq: mmx('sse', maskedStore),
  palignr: mmx('ssse3', align),
};
for (const [feature, operations] of Object.entries(LANE_OPERATIONS)) {
  for (const [mnemonic, operation] of Object.entries(operations)) mmxOperations[mnemonic] = mmx(feature, lanes(operation));
}
