/** The software TLB as generated code looks at it: the layout and the marks are those of tlb.ts. */
import { Value } from '../../wasm/value';
import { TLB_ENTRIES, TLB_ENTRY_SIZE } from '../state';
import { BESIDE, type WatchedPart, Word } from './tlb';

/** Where an entry has what to add to a linear address for the host's, in bytes. */
export const ADDEND = Word.ADDEND * 4;
const FIRST = Word.FIRST * 4;
const WATCHED = Word.WATCHED * 4;
/** Where it has the tag for a kind of access. */
export const tagOf = (write: boolean): number => (write ? Word.WRITE_TAG : Word.READ_TAG) * 4;

/** Address of the entry for a linear address in a bank. */
export const entryOf = (linear: Value, bank: Value): Value => linear.wrap().shrU(7).and((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).add(bank);

/** A tag with the generation, as it is where accesses have to lie beside watched bytes. */
export const watchedTag = (tag: Value): Value => tag.or(BigInt(BESIDE));

/** Whether an access of `size` bytes inside the page of an entry with such a tag lies beside all that is watched there. */
export const liesBeside = (entry: Value, linear: Value, size: number | Value): Value => {
  const more = typeof size === 'number' ? size - 1 : size.sub(1);
  return linear.wrap().sub(entry.load('i32', 4, FIRST)).add(more).geU(entry.load('i32', 4, WATCHED).add(more));
};

/** Conditions, one of which holds when an entry with such a tag has other than this part of its page watched. */
export const differsFrom = (entry: Value, { first, bytes }: WatchedPart): Value[] => [entry.load('i32', 4, FIRST).ne(first | 0), entry.load('i32', 4, WATCHED).ne(bytes)];
