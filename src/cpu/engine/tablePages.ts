/**
 * The pages with paging structures from which translations may be cached. As long as none of them is written, walking
 * them again would give the same translations: a VM entry or exit that has to drop translations may then keep them.
 */

/** Writes between two uses by a walk after which a page is taken for no paging structure any more. */
const WRITES_TO_FORGET = 64;

export class TablePages {
  /** Changes with every write to one of the pages. */
  writes = 0;
  /** By page: the writes since a walk last came by. */
  private readonly unused = new Map<number, number>();

  has(page: number): boolean {
    return this.unused.size !== 0 && this.unused.has(page);
  }

  /** A walk has used the page. True when it was not known before: its write tags have to go. */
  use(page: number): boolean {
    const count = this.unused.get(page);
    if (count === 0) return false;
    this.unused.set(page, 0);
    return count === undefined;
  }

  /** The page was written; true when it is one. Whoever writes it over and over while no walk uses it is spared the slow path again. */
  written(page: number): boolean {
    const count = this.unused.size === 0 ? undefined : this.unused.get(page);
    if (count === undefined) return false;
    this.writes++;
    if (count + 1 < WRITES_TO_FORGET) this.unused.set(page, count + 1);
    else this.unused.delete(page);
    return true;
  }
}
