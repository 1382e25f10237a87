/** The status flags of a subtraction, for TypeScript's comparisons. */
import { AF, CF, OF, PF, readFlags, SF, STATUS_FLAGS, writeFlags, ZF } from '../flags';
import type { CpuState } from '../state';
import { byteFlags } from './decimalOperations';

/** Sets the six status flags as CMP left,right does; both operands are unsigned and `size` bytes wide. */
export function setSubtractFlags(s: CpuState, left: bigint, right: bigint, size: number): void {
  const bits = size * 8;
  const result = BigInt.asUintN(bits, left - right);
  const sign = 1n << BigInt(bits - 1);
  let flags = byteFlags(Number(result & 0xffn)) & PF;
  if (result === 0n) flags |= ZF;
  if (result & sign) flags |= SF;
  if (left < right) flags |= CF;
  if ((left ^ right) & (left ^ result) & sign) flags |= OF;
  if ((left ^ right ^ result) & 0x10n) flags |= AF;
  writeFlags(s, (readFlags(s) & ~STATUS_FLAGS) | flags);
}
