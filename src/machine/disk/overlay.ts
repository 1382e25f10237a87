/**
 * What a guest has written to a disk, by sector. The image's own bytes are never modified. Copies for snapshots are
 * cheap: sectors are grouped, and a group is copied when it is first written after a copy was taken.
 */

const GROUP_SHIFT = 10;

interface Group {
  epoch: number;
  sectors: Map<number, Uint8Array>;
}

/** The overlay at an instant. */
export type OverlayCopy = ReadonlyMap<number, Group>;

export class Overlay {
  private groups = new Map<number, Group>();
  private epoch = 0;

  /** The written sector, or undefined. Must not be modified. */
  get(sector: number): Uint8Array | undefined {
    return this.groups.get(Math.floor(sector / (1 << GROUP_SHIFT)))?.sectors.get(sector);
  }

  /** Keeps `bytes`, which must not change afterwards. */
  set(sector: number, bytes: Uint8Array): void {
    const number = Math.floor(sector / (1 << GROUP_SHIFT));
    let group = this.groups.get(number);
    if (!group || group.epoch !== this.epoch) {
      group = { epoch: this.epoch, sectors: new Map(group?.sectors) };
      this.groups.set(number, group);
    }
    group.sectors.set(sector, bytes);
  }

  /** Every written sector, for writing an image back. */
  *entries(): IterableIterator<[number, Uint8Array]> {
    for (const group of this.groups.values()) yield* group.sectors;
  }

  copy(): OverlayCopy {
    this.epoch++;
    return new Map(this.groups);
  }

  restore(copy: OverlayCopy): void {
    this.epoch++;
    this.groups = new Map(copy);
  }
}
