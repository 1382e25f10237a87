/** BMI1 and BMI2 in TypeScript: PDEP, PEXT, and all with memory operands (SDM volume 2). */
import type { Instruction } from '../decode/instruction';
import { CF, readFlags, SF, STATUS_FLAGS, writeFlags, ZF } from '../flags';
import type { Processor, SlowOperation } from '../processor';
import { Gpr } from '../state';
import { immediate, readGpr, readOperand, truncate, writeOperand } from './operands';
import { requireProtected } from './privilege';

/** Writes the destination and, where the instruction has flags, CF, ZF and SF; OF is clear. */
function finish(cpu: Processor, insn: Instruction, value: bigint, carry?: boolean): void {
  const { size } = insn.operands[0];
  const result = truncate(value, size);
  writeOperand(cpu, insn, 0, result);
  if (carry === undefined) return;
  const flags = (carry ? CF : 0) | (result === 0n ? ZF : 0) | (result >> BigInt(size * 8 - 1) ? SF : 0);
  writeFlags(cpu.state, (readFlags(cpu.state) & ~STATUS_FLAGS) | flags);
}

interface Result {
  value: bigint;
  carry?: boolean;
}

/** `compute` gets the operands after the destination (the last one may be missing) and their width in bits. */
const operation =
  (compute: (a: bigint, b: bigint, bits: number) => Result): SlowOperation =>
  (cpu, insn) => {
    requireProtected(cpu);
    const { size } = insn.operands[0];
    const a = readOperand(cpu, insn, 1);
    const b = insn.operandCount > 2 ? readOperand(cpu, insn, 2, size) : 0n;
    const { value, carry } = compute(a, b, size * 8);
    finish(cpu, insn, value, carry);
  };

const ones = (count: bigint): bigint => (1n << count) - 1n;

/** The bits of `source`, from the lowest on, put where the mask has ones. */
function deposit(source: bigint, mask: bigint, bits: number): bigint {
  let result = 0n;
  for (let i = 0n; i < BigInt(bits); i++) {
    if (!((mask >> i) & 1n)) continue;
    result |= (source & 1n) << i;
    source >>= 1n;
  }
  return result;
}

/** The bits of `source` where the mask has ones, put together. */
function gatherBits(source: bigint, mask: bigint, bits: number): bigint {
  let result = 0n;
  let at = 0n;
  for (let i = 0n; i < BigInt(bits); i++) if ((mask >> i) & 1n) result |= ((source >> i) & 1n) << at++;
  return result;
}

const mulx: SlowOperation = (cpu, insn) => {
  requireProtected(cpu);
  const { size } = insn.operands[0];
  const product = readGpr(cpu.state, Gpr.RDX, size) * readOperand(cpu, insn, 2);
  writeOperand(cpu, insn, 1, truncate(product, size));
  writeOperand(cpu, insn, 0, product >> BigInt(size * 8));
};

const rorx: SlowOperation = (cpu, insn) => {
  requireProtected(cpu);
  const bits = BigInt(insn.operands[0].size * 8);
  const count = immediate(insn) & (bits - 1n);
  const value = readOperand(cpu, insn, 1);
  finish(cpu, insn, (value >> count) | (value << (bits - count)));
};

const masked = (b: bigint, bits: number): bigint => b & BigInt(bits - 1);

export const bmiOperations: Record<string, SlowOperation> = {
  andn: operation((a, b) => ({ value: ~a & b, carry: false })),
  blsi: operation((a) => ({ value: -a & a, carry: a !== 0n })),
  blsmsk: operation((a) => ({ value: a ^ (a - 1n), carry: a === 0n })),
  blsr: operation((a) => ({ value: a & (a - 1n), carry: a === 0n })),
  bextr: operation((a, b) => ({ value: (a >> (b & 0xffn)) & ones((b >> 8n) & 0xffn), carry: false })),
  bzhi: operation((a, b, bits) => ({ value: a & ones(b & 0xffn), carry: (b & 0xffn) >= BigInt(bits) })),
  pdep: operation((a, b, bits) => ({ value: deposit(a, b, bits) })),
  pext: operation((a, b, bits) => ({ value: gatherBits(a, b, bits) })),
  sarx: operation((a, b, bits) => ({ value: BigInt.asIntN(bits, a) >> masked(b, bits) })),
  shlx: operation((a, b, bits) => ({ value: a << masked(b, bits) })),
  shrx: operation((a, b, bits) => ({ value: a >> masked(b, bits) })),
  mulx,
  rorx,
};
