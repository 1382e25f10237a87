/**
 * The order in which the interpreter's cases lie in its function. Until V8 has optimised it, V8 estimates the time spent in
 * the function by how far its jumps go back, and whenever that adds up to its budget it interrupts the function to
 * consider: with each case jumping back to the loop's head from anywhere in a megabyte of code, every few instructions. So
 * what is executed most lies next to the head.
 */
import type { Handler } from './handlers';
import { Special } from './record';

/** As often as these were executed by kernels, boot loaders and loops of compiled C. */
const OFTEN = ['mov', 'jcc', 'cmp', 'add', 'sub', 'jmp', 'test', 'lea', 'call', 'ret', 'push', 'pop', 'xor', 'and', 'shl', 'shr', 'inc', 'dec', 'movzx', 'or', 'leave', 'imul'];
const RANK = new Map(OFTEN.map((mnemonic, i) => [mnemonic, i]));
const SPECIAL = [Special.ADDRESS_LEGACY, Special.GLUE, Special.CONTINUE, Special.ENTER, Special.ADDRESS_LONG] as const;

/** Behind the others: bytes, and what reads and writes memory, which takes much code. */
const BYTES_LATER = 8;
const MODIFIES_LATER = 40;
const ONLY_READ_OR_WRITE = new Set(['mov', 'cmp', 'test', 'push']);

function rankOf({ semantics: { mnemonic }, size, form }: Handler): number {
  const rank = RANK.get(mnemonic);
  if (rank === undefined || size === 2 || size > 8) return Infinity;
  return rank + (size === 1 ? BYTES_LATER : 0) + (form.startsWith('m') && !ONLY_READ_OR_WRITE.has(mnemonic) ? MODIFIES_LATER : 0);
}

/** The numbers of all cases, of the special ones and of the handlers, in the order in which they are to lie. */
export function caseOrder(handlers: readonly Handler[]): number[] {
  const rank = [...Array<number>(Special.COUNT).fill(Infinity), ...handlers.map(rankOf)];
  for (const special of SPECIAL) rank[special] = -1;
  return [...rank.keys()].sort((a, b) => (rank[a] === rank[b] ? a - b : rank[a]! - rank[b]!));
}
