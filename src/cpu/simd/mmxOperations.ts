/**
 * SSE and SSE2 instructions between MMX and XMM registers. They are MMX instructions too: an x87 exception that waits is
 * reported first, and the x87 stack becomes MMX registers.
 */
import { type Instruction, Kind } from '../decode/instruction';
import { enterMmx, readMmx, writeMmx } from '../fpu/environment';
import { reportPending } from '../fpu/frame';
import type { Processor, SlowOperation } from '../processor';
import { readOperand } from '../system/operands';
import { DOUBLE, type FloatFormat, Rounding, SINGLE } from './float';
import { withFloatUnit } from './floatOperations';
import type { SimdOperation } from './simdOperation';
import { elements, join, readVector, readXmm, writeXmm } from './vectorOperands';

const isRegister = (insn: Instruction, i: number): boolean => insn.operands[i]!.kind === Kind.MM;

/** Two 32-bit integers to floating point. From memory they leave the x87 stack alone, of singles too: the SDM says so of doubles only. */
const fromIntegers =
  (f: FloatFormat): SlowOperation =>
  (cpu, insn) => {
    const s = cpu.state;
    const touches = isRegister(insn, 1);
    if (touches) reportPending(cpu);
    const source = elements(isRegister(insn, 1) ? readMmx(s, insn.operands[1].number) : readOperand(cpu, insn, 1, 8), 32, 2);
    const result = withFloatUnit(cpu, (unit) => join(source.map((x) => unit.fromInteger(f, BigInt.asIntN(32, x))), f.bits));
    if (touches) enterMmx(s);
    const n = insn.operands[0].number;
    writeXmm(s, n, f === SINGLE ? ((readXmm(s, n) >> 64n) << 64n) | result : result);
  };

const write = (cpu: Processor, insn: Instruction, value: bigint): void => {
  enterMmx(cpu.state);
  writeMmx(cpu.state, insn.operands[0].number, value);
};

/** Two floating-point numbers to 32-bit integers. */
const toIntegers =
  (f: FloatFormat, truncate: boolean): SlowOperation =>
  (cpu, insn) => {
    reportPending(cpu);
    const source = elements(readVector(cpu, insn, 1), f.bits, 2);
    write(cpu, insn, withFloatUnit(cpu, (unit) => join(source.map((x) => unit.toInteger(f, x, 32, truncate ? Rounding.ZERO : unit.rounding)), 32)));
  };

export const mixedOperations: Readonly<Record<string, SimdOperation>> = {
  cvtpi2ps: { feature: 'sse', perform: fromIntegers(SINGLE) },
  cvtpi2pd: { feature: 'sse2', perform: fromIntegers(DOUBLE) },
  cvtps2pi: { feature: 'sse', perform: toIntegers(SINGLE, false) },
  cvttps2pi: { feature: 'sse', perform: toIntegers(SINGLE, true) },
  cvtpd2pi: { feature: 'sse2', perform: toIntegers(DOUBLE, false) },
  cvttpd2pi: { feature: 'sse2', perform: toIntegers(DOUBLE, true) },
  movq2dq: {
    feature: 'sse2',
    perform(cpu, insn) {
      reportPending(cpu);
      const value = readMmx(cpu.state, insn.operands[1].number);
      enterMmx(cpu.state);
      writeXmm(cpu.state, insn.operands[0].number, value);
    },
  },
  movdq2q: {
    feature: 'sse2',
    perform(cpu, insn) {
      reportPending(cpu);
      write(cpu, insn, BigInt.asUintN(64, readXmm(cpu.state, insn.operands[1].number)));
    },
  },
};
