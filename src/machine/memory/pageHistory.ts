/**
 * Copy-on-write snapshots of pages as a tree of versions. One version, the head, is what memory grew out of; every
 * other version is described by the pages in which it differs from its neighbour towards the head. Going to a version
 * turns the edges on the way round, so that every version stays reachable, forwards and backwards.
 */

/** The bytes of a page, or null for a page of zeros. Never modified once stored. */
export type PageBytes = Uint8Array | null;

/** Where the pages are. */
export interface PageStore {
  copyPage(page: number): PageBytes;
  putPage(page: number, bytes: PageBytes): void;
}

export class Version {
  /** Pages that differ from `towardsHead`, or from memory for the head, with this version's bytes. */
  pages = new Map<number, PageBytes>();
  towardsHead: Version | undefined = undefined;
  released = false;
}

export class PageHistory {
  private head: Version | undefined = undefined;
  private readonly versions = new Set<Version>();

  constructor(private readonly store: PageStore) {}

  /** Whether anybody needs to know what a page held before it is written. */
  get active(): boolean {
    return this.head !== undefined;
  }

  /** Number of pages kept. */
  get keptPages(): number {
    let n = 0;
    for (const v of this.versions) n += v.pages.size;
    return n;
  }

  /** Makes the present contents a version. The caller makes every page clean. */
  take(): Version {
    const version = new Version();
    if (this.head) this.head.towardsHead = version;
    this.head = version;
    this.versions.add(version);
    return version;
  }

  /** Keeps a page's bytes for the head; called before the first write to a clean page. */
  save(page: number, bytes: PageBytes): void {
    if (this.head && !this.head.pages.has(page)) this.head.pages.set(page, bytes);
  }

  /** Brings memory back to a version. The caller makes every page clean. Returns the pages that may have changed. */
  goTo(version: Version): Set<number> {
    if (version.released || !this.versions.has(version)) throw new Error('This snapshot was released.');
    const way: Version[] = [version];
    for (let v = version.towardsHead; v; v = v.towardsHead) way.push(v);
    const changed = new Set<number>();
    const put = (page: number, bytes: PageBytes): void => {
      this.store.putPage(page, bytes);
      changed.add(page);
    };
    const head = way[way.length - 1]!;
    for (const [page, bytes] of head.pages) put(page, bytes);
    head.pages = new Map();
    for (let i = way.length - 2; i >= 0; i--) {
      const from = way[i + 1]!; // memory is equal to this version here
      const to = way[i]!;
      for (const [page, bytes] of to.pages) {
        from.pages.set(page, this.store.copyPage(page));
        put(page, bytes);
      }
      to.pages = new Map();
      to.towardsHead = undefined;
      from.towardsHead = to;
    }
    this.head = version;
    return changed;
  }

  /** Gives a version up; what only it kept is freed. */
  release(version: Version): void {
    version.released = true;
    this.collect();
  }

  /** Removes released versions that at most one other is described by; the rest wait until that is so. */
  private collect(): void {
    for (let again = true; again; ) {
      again = false;
      for (const v of this.versions) {
        if (!v.released) continue;
        const dependants = [...this.versions].filter((w) => w.towardsHead === v);
        if (dependants.length > 1) continue;
        const dependant = dependants[0];
        if (dependant) {
          for (const [page, bytes] of v.pages) if (!dependant.pages.has(page)) dependant.pages.set(page, bytes);
          dependant.towardsHead = v.towardsHead;
        }
        if (this.head === v) this.head = dependant;
        this.versions.delete(v);
        again = true;
      }
    }
  }
}
