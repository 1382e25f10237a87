/** The entries of a TLB bank that are not global, remembered so that a change of address space can take just them out. */

/** So many are remembered; when there are more the bank is dropped as a whole. */
const ROOM = 512;
/** Words of an entry in which its tags are; the code TLB's entries have them in the first two. */
const TAG_WORDS = 4;

export class LocalEntries {
  private readonly indices = new Uint32Array(ROOM);
  private count = 0;

  constructor(private readonly u32: Uint32Array) {}

  /** `index` is the entry's, in 32-bit words of the memory. */
  add(index: number): void {
    if (this.count < ROOM) this.indices[this.count] = index;
    this.count++;
  }

  clear(): void {
    this.count = 0;
  }

  /** Empties the entries. False when there were too many to remember. */
  drop(): boolean {
    const { count, indices, u32 } = this;
    this.count = 0;
    if (count > ROOM) return false;
    for (let i = 0; i < count; i++) u32.fill(0, indices[i]!, indices[i]! + TAG_WORDS);
    return true;
  }
}
