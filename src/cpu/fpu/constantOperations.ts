/** FLD1, FLDZ and the constants that are rounded by the rounding control (SDM volume 1, "Load Constant Instructions"). */
import type { SlowOperation } from '../processor';
import { type Extended, one, zero } from './extended';
import { LOG10_2, LOG2_10, LOG2_E, LN_2, PI } from './constants';
import { loading } from './loadStoreOperations';
import { Numeric, roundExtended } from './numeric';

/** Nothing but the stack can fault: the constants are not inexact results. */
const constant = (value: (env: Numeric) => Extended): SlowOperation => loading((_cpu, _insn, env) => value(new Numeric(env.control)), false);
const rounded = ({ value, bits }: { value: bigint; bits: number }): SlowOperation => constant((env) => roundExtended(env, 0, value, -bits, 64));

export const constantOperations: Record<string, SlowOperation> = {
  fld1: constant(() => one(0)),
  fldz: constant(() => zero(0)),
  fldpi: rounded(PI),
  fldl2e: rounded(LOG2_E),
  fldl2t: rounded(LOG2_10),
  fldlg2: rounded(LOG10_2),
  fldln2: rounded(LN_2),
};
