/** F16C: VCVTPH2PS and VCVTPS2PH (SDM volume 1, "Half-Precision Floating-Point Conversion"). Half-precision denormals are always numbers. */
import { Kind } from '../decode/instruction';
import type { SlowOperation } from '../processor';
import { HALF, SINGLE } from './float';
import { withFloatUnit } from './floatOperations';
import { Mxcsr } from './mxcsr';
import { elements, join, readAnyAlignment, readVector, writeAnyAlignment, writeVector } from './vectorOperands';

/** Of the exceptions only IE is reported. A source in memory is read whatever its alignment, as silicon does. */
const fromHalf: SlowOperation = (cpu, insn) => {
  const count = insn.operands[0].size / 4;
  const read = insn.operands[1].kind === Kind.MEM ? readAnyAlignment : readVector;
  const source = elements(read(cpu, insn, 1), 16, count);
  const result = withFloatUnit(
    cpu,
    (unit) => {
      const list = source.map((x) => unit.convert(HALF, SINGLE, x));
      unit.before &= Mxcsr.IE;
      return list;
    },
    Mxcsr.DAZ | Mxcsr.FTZ,
  );
  writeVector(cpu, insn, 0, join(result, 32));
};

/** Bit 2 of the immediate takes MXCSR's rounding instead of bits 1:0. Tiny results are never flushed to zero. A destination in memory is written whatever its alignment. */
const toHalf: SlowOperation = (cpu, insn) => {
  const count = insn.operands[1].size / 4;
  const source = elements(readVector(cpu, insn, 1), 32, count);
  const result = withFloatUnit(
    cpu,
    (unit) => {
      if (!(insn.immLow & 4)) unit.rounding = insn.immLow & 3;
      return source.map((x) => unit.convert(SINGLE, HALF, x));
    },
    Mxcsr.FTZ,
  );
  const write = insn.operands[0].kind === Kind.MEM ? writeAnyAlignment : writeVector;
  write(cpu, insn, 0, join(result, 16));
};

export const halfOperations: Readonly<Record<string, SlowOperation>> = { vcvtph2ps: fromHalf, vcvtps2ph: toHalf };
