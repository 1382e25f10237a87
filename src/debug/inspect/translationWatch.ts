/**
 * Addresses whose translation somebody looks at: what their entries are at each VM exit is kept, so that the view can
 * tell what the VMM has changed since. With no such address an exit costs nothing more.
 */
import { hex } from '../../base/bits';
import type { SpaceName } from '../memory/memorySpace';
import { translate } from '../memory/translation';
import type { Target } from '../target';
import { entriesOf, type EntriesBefore } from './translation';

/** Each costs a walk at every VM exit. */
export const MOST_WATCHED = 8;

interface Watched {
  space: SpaceName;
  address: bigint;
  atExit: EntriesBefore | undefined;
}

export class TranslationWatch {
  private watched = new Map<string, Watched>();

  constructor(private readonly target: Target) {}

  /** Replaces the addresses that are watched; what is known of those that stay is kept. More than MOST_WATCHED are not watched. */
  set(places: readonly { space: SpaceName; address: bigint }[]): void {
    const before = this.watched;
    this.watched = new Map(
      places.slice(0, MOST_WATCHED).map(({ space, address }) => {
        const key = `${space}:${hex(address)}`;
        return [key, before.get(key) ?? { space, address, atExit: undefined }];
      }),
    );
  }

  /** A VM exit is complete. */
  exited(): void {
    if (this.watched.size === 0) return;
    for (const w of this.watched.values()) w.atExit = entriesOf(translate(this.target, w.space, w.address));
  }

  /** The machine is back at power-on. */
  forget(): void {
    for (const w of this.watched.values()) w.atExit = undefined;
  }

  /** What the entries were at the last VM exit; undefined for an address that was not watched then. */
  entriesAtExit(space: SpaceName, address: bigint): EntriesBefore | undefined {
    return this.watched.get(`${space}:${hex(address)}`)?.atExit;
  }
}
