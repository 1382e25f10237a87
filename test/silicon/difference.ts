/** A difference from silicon that somebody has to explain. */
import { type Instruction, NO_REGISTER } from '../../src/cpu/decode/instruction';
import { At } from './testCase';

export interface Difference {
  /** What differs, as judge.ts names it. */
  what: ReadonlySet<string>;
  mnemonic: string;
  insn: Instruction;
  /** Vectors here and on silicon. */
  own: number;
  native: number;
  input: Buffer;
  ownEnd: Buffer;
  nativeEnd: Buffer;
}

export interface Reason {
  reason: string;
  matches: (d: Difference) => boolean;
}

/** Whether nothing else differs than what is named. */
export const only = (what: ReadonlySet<string>, ...names: (string | RegExp)[]): boolean => [...what].every((name) => names.some((n) => (typeof n === 'string' ? n === name : n.test(name))));

/** The offset of a memory operand with a 32-bit address. */
export function offset32(insn: Instruction, input: Buffer): number {
  const register = (n: number): number => (n < NO_REGISTER ? input.readUInt32LE(At.REGS + n * 8) : 0);
  return (register(insn.base) + register(insn.index) * 2 ** insn.scale + insn.dispLow) >>> 0;
}
