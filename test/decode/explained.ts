/** Reviewed differences between iced-x86 and our decoder: what iced accepts and an Intel processor of the modelled kind does not, or names otherwise. */
import type { Signature } from './icedSignature';

interface Explanation {
  readonly reason: string;
  /** iced's mnemonic, by our names. */
  readonly theirs: RegExp;
  readonly ours: 'invalid' | RegExp;
}

const EXPLANATIONS: readonly Explanation[] = [];

/** The reason of a known difference, or undefined. */
export function explain(theirs: Signature, ours: Signature | undefined, _codeSize: number, _bytes: Uint8Array, _at: number): string | undefined {
  if (ours === undefined) return undefined;
  for (const e of EXPLANATIONS) if (e.theirs.test(theirs.name) && (e.ours === 'invalid' ? ours.name === 'invalid' : e.ours.test(ours.name))) return e.reason;
  return undefined;
}
