/** FMA: fused multiply-add in three operand orders (SDM volume 1, "Fused-Multiply-ADD (FMA) Extensions"). */
import type { SlowOperation } from '../processor';
import { DOUBLE, SINGLE } from './float';
import { withFloatUnit } from './floatOperations';
import { elements, join, readVector, vectorBits, writeResult } from './vectorOperands';

/** Operands, by their numbers, of a * b + c. The first two matter in their order for NaNs. */
const ORDERS: Record<string, readonly [a: number, b: number, c: number]> = { '132': [0, 2, 1], '213': [1, 0, 2], '231': [1, 2, 0] };

/** Whether the addend is subtracted, in even and in odd elements. */
const SUBTRACTS: Record<string, readonly [even: boolean, odd: boolean]> = { add: [false, false], sub: [true, true], addsub: [true, false], subadd: [false, true] };

const fused =
  (negative: boolean, kind: string, order: string, suffix: string): SlowOperation =>
  (cpu, insn) => {
    const f = suffix.endsWith('s') ? SINGLE : DOUBLE;
    const scalar = suffix.startsWith('s');
    const count = scalar ? 1 : vectorBits(insn) / f.bits;
    const [a, b, c] = ORDERS[order]!.map((i) => elements(readVector(cpu, insn, i), f.bits, count)) as [bigint[], bigint[], bigint[]];
    const subtracts = SUBTRACTS[kind]!;
    const result = withFloatUnit(cpu, (unit) => join(a.map((x, i) => unit.fusedMultiplyAdd(f, x, b[i]!, c[i]!, negative, subtracts[i & 1]!)), f.bits));
    const bits = BigInt(f.bits);
    writeResult(cpu, insn, scalar ? ((readVector(cpu, insn, 0) >> bits) << bits) | result : result);
  };

const operations: Record<string, SlowOperation> = {};
for (const order of Object.keys(ORDERS)) {
  for (const suffix of ['ps', 'pd', 'ss', 'sd']) {
    for (const kind of Object.keys(SUBTRACTS)) {
      if (kind.length > 3 && suffix.startsWith('s')) continue;
      operations[`vfm${kind}${order}${suffix}`] = fused(false, kind, order, suffix);
      if (kind.length === 3) operations[`vfnm${kind}${order}${suffix}`] = fused(true, kind, order, suffix);
    }
  }
}

export const fmaOperations: Readonly<Record<string, SlowOperation>> = operations;
