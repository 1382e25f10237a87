/** All opcode tables, compiled, and the names that they give to instructions. */
import { prebuilt } from '../prebuilt';
import { compileTables } from './compile';
import { TWO_BYTE } from './opcodes0F';
import { ONE_BYTE } from './opcodesOneByte';
import { SIMD } from './opcodesSimd';
import { VEX } from './opcodesVex';
import { X87 } from './opcodesX87';

/** Instruction.op of bytes that are no instruction (#UD), and of one of more than 15 bytes (#GP). */
export const INVALID_OP = 0;
export const TOO_LONG_OP = 1;

export const TABLES = prebuilt?.tables ?? compileTables([ONE_BYTE, TWO_BYTE, X87, SIMD, VEX], ['invalid', 'too_long']);

/** Mnemonic names; the index is Instruction.op. 0 is 'invalid', 1 is 'too_long'. */
export const mnemonics: readonly string[] = TABLES.mnemonics;

/** Names of the VEX-encoded instructions on vector registers. */
export const vexVectorMnemonics: ReadonlySet<string> = new Set(mnemonics.filter((name) => /^v(?!er[rw]$|m(call|launch|resume|xoff|xon|func|read|write|ptrld|ptrst|clear)$)/.test(name)));

const IDS = new Map(mnemonics.map((name, op) => [name, op]));

/** Instruction.op of a mnemonic. Throws for a name that no table has, so that a misspelt name is found at start-up. */
export function mnemonicId(name: string): number {
  const op = IDS.get(name);
  if (op === undefined) throw new Error(`the decoder knows no mnemonic "${name}"`);
  return op;
}
