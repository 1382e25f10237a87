/**
 * Where a VMCS field was written, for people. Many VMMs write fields by a small function around VMWRITE; then its line
 * says nothing, and the line that calls it is the one to look at. The caller is known from what was on the stack at the
 * VMWRITE: a word there is the return address if a CALL of that very function stands before it.
 */
import { addressPlace } from '../stack/callStack';
import type { Target } from '../target';

/** What VMX keeps of a VMWRITE. */
export interface WrittenBy {
  rip: bigint;
  returns?: readonly bigint[];
}

/** Bytes of code up to which a function that writes a field is taken for a helper of its callers. */
const LARGEST_HELPER = 256n;
const CALL = 0xe8;
const CALL_LENGTH = 5;

/** First address of the function around an address, if it is small. */
function helperAt(target: Target, rip: bigint): bigint | undefined {
  const image = target.images.at('vmm', rip)?.image;
  const fn = image?.functionAt(rip);
  if (fn) return fn.ranges.reduce((size, r) => size + (r.high - r.low), 0n) <= LARGEST_HELPER ? fn.low : undefined;
  const symbol = image?.symbolAt(rip);
  return symbol && symbol.offset < LARGEST_HELPER ? rip - symbol.offset : undefined;
}

/** Whether a CALL of the function at `callee` returns to an address. */
function returnsFrom(target: Target, address: bigint, callee: bigint): boolean {
  const code = target.read('vmm', address - BigInt(CALL_LENGTH), CALL_LENGTH);
  if (code.length < CALL_LENGTH || code[0] !== CALL) return false;
  const distance = code[1]! | (code[2]! << 8) | (code[3]! << 16) | (code[4]! << 24);
  return BigInt.asUintN(64, address + BigInt(distance)) === callee;
}

/** Address of the CALL of the helper that wrote a field; undefined where the VMWRITE stands in no helper or its caller is not known. */
export function helperCall(target: Target, { rip, returns = [] }: WrittenBy): bigint | undefined {
  const helper = returns.length === 0 ? undefined : helperAt(target, rip);
  const address = helper === undefined ? undefined : returns.find((candidate) => returnsFrom(target, candidate, helper));
  return address === undefined ? undefined : address - BigInt(CALL_LENGTH);
}

/** `function (file:line)` of the VMWRITE, or `caller (file:line), by helper (file:line) called there`. */
export function writerPlace(target: Target, writer: WrittenBy): string {
  const place = addressPlace(target, 'vmm', writer.rip);
  const call = helperCall(target, writer);
  return call === undefined ? place : `${addressPlace(target, 'vmm', call)}, by ${place} called there`;
}
