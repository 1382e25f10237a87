/** The entries of a TLB bank that are not global, remembered so that a change of address space can take just them out; in the memory, as the page walk of generated code adds some. */
import { MOST_LOCAL_ENTRIES } from '../state';

/** Words of an entry in which its tags are; the code TLB's entries have them in the first two. */
const TAG_WORDS = 4;

export class LocalEntries {
  /** Index of the word that counts them. */
  private readonly at: number;

  /** `address` is that of LOCAL_ENTRIES_SIZE bytes. */
  constructor(
    private readonly u32: Uint32Array,
    address: number,
  ) {
    this.at = address >>> 2;
  }

  /** `index` is the entry's, in 32-bit words of the memory. */
  add(index: number): void {
    const count = this.u32[this.at]!++;
    if (count < MOST_LOCAL_ENTRIES) this.u32[this.at + 1 + count] = index;
  }

  clear(): void {
    this.u32[this.at] = 0;
  }

  /** Empties the entries. False when there were too many to remember. */
  drop(): boolean {
    const { at, u32 } = this;
    const count = u32[at]!;
    u32[at] = 0;
    if (count > MOST_LOCAL_ENTRIES) return false;
    for (let i = at + 1; i <= at + count; i++) u32.fill(0, u32[i]!, u32[i]! + TAG_WORDS);
    return true;
  }
}
