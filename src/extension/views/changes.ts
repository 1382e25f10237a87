/** Which entries of a view have another value than at the last stop. */
import type { Entry } from '../../adapter/messages';

/** A branch of a view: a heading (group, world) with what stands under it. */
export interface Branch {
  name: string;
  /** Beside the name: `live`, `from the VMCS`. */
  note?: string;
  branches?: Branch[];
  entries?: Entry[];
  /** What stands under it, read when it is opened. */
  load?: () => Promise<Branch[]>;
  /** Whether it is open at first; the first one of a view is anyway. */
  open?: boolean;
  /** Something is wrong with it. */
  wrong?: boolean;
  /** For menus, as in package.json. */
  context?: string;
}

/** Values by path; a path is the names from the top, which stay the same from stop to stop. */
export type Values = ReadonlyMap<string, string>;

/** The path of what is named `name` under `parent`. */
export const pathOf = (parent: string, name: string): string => `${parent}/${name}`;

/** The paths of what stands under `parent`, in order. Two of the same name (a frame that is mapped twice) have a path each: VS Code wants one row a path. */
export function pathsOf(parent: string, list: readonly { name: string }[]): string[] {
  const times = new Map<string, number>();
  return list.map(({ name }) => {
    const before = times.get(name) ?? 0;
    times.set(name, before + 1);
    return pathOf(parent, before === 0 ? name : `${name}#${before + 1}`);
  });
}

/** All values of the view. */
export function valuesOf(branches: readonly Branch[]): Values {
  const values = new Map<string, string>();
  const addEntries = (entries: readonly Entry[], parent: string): void => {
    const paths = pathsOf(parent, entries);
    entries.forEach((entry, i) => {
      if (entry.value) values.set(paths[i], entry.value);
      addEntries(entry.children ?? [], paths[i]);
    });
  };
  const addBranches = (list: readonly Branch[], parent: string): void => {
    for (const branch of list) {
      const path = pathOf(parent, branch.name);
      addBranches(branch.branches ?? [], path);
      addEntries(branch.entries ?? [], path);
    }
  };
  addBranches(branches, '');
  return values;
}

/** Remembers the values at the last stop and tells which have changed since. */
export class Changes {
  #icount: number | undefined;
  #before: Values | undefined;
  #now: Values | undefined;

  /** Takes the values at a stop. The same icount again is the same stop, read anew because the user changed something. */
  stop(icount: number, values: Values): void {
    if (icount !== this.#icount) this.#before = this.#now;
    this.#icount = icount;
    this.#now = values;
  }

  /** The value at the last stop where it was another; undefined where it is unchanged or new. */
  was(path: string): string | undefined {
    const before = this.#before?.get(path);
    return before !== undefined && before !== this.#now?.get(path) ? before : undefined;
  }

  /** Number of changed values under a path. */
  countUnder(path: string): number {
    let count = 0;
    for (const key of this.#now?.keys() ?? []) if (key.startsWith(path + '/') && this.was(key) !== undefined) count++;
    return count;
  }
}
