/** Bytes of all that the comparisons with silicon make, a sample of each form: for the report of what they cover. */
import { encodeX87 } from './compareX87';
import { encodeSimd } from './compareSimd';
import { FORMS } from './forms';
import { encodeInteger } from './integerEncoding';
import { MMX_FORMS } from './mmxForms';
import { PROGRAMS, instructionsOf } from './programs';
import { Random } from './random';
import { SIMD_FORMS } from './simdForms';
import { encodeVex, VEX_FORMS } from './vexForms';
import { X87_FORMS } from './x87Forms';

/** So many instructions of each form show all its widths and kinds of operands. */
const SAMPLE = 80;

export function* comparedBytes(): Generator<readonly number[]> {
  const r = new Random(1);
  const sample = function* <F>(forms: readonly F[], encode: (form: F, r: Random) => { bytes: readonly number[] }): Generator<readonly number[]> {
    for (const form of forms) for (let i = 0; i < SAMPLE; i++) yield encode(form, r).bytes;
  };
  yield* sample(FORMS, encodeInteger);
  yield* sample(SIMD_FORMS, encodeSimd);
  yield* sample(VEX_FORMS, encodeVex);
  yield* sample([...X87_FORMS, ...MMX_FORMS], encodeX87);
  for (const program of PROGRAMS) for (let i = 0; i < SAMPLE; i++) yield* instructionsOf(program.make(r).bytes);
}
