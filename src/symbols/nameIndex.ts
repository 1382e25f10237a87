import { Die } from './dwarf/die';
import type { NameKind } from './dwarf/nameScan';
import { Unit } from './dwarf/unit';
import { UnitIndex } from './dwarf/unitIndex';
import { partsOf, UnitNames } from './unitNames';

/** Where a name is defined. */
export interface Entry {
  readonly unit: Unit;
  readonly offset: number;
}

/**
 * Functions, variables, types and enumerators of an image by name, read once for the whole image when a name is first
 * asked for. Names of C++ and Rust are in it as they stand in their namespace, and with it: `Vec` and `alloc::vec::Vec`.
 */
export class NameIndex {
  private readonly read = new UnitNames();
  private unitList: readonly Unit[] | undefined;
  /** How many units have been read. */
  private count = 0;

  constructor(private readonly units: UnitIndex) {}

  /** DIEs of a kind and name, in the order of the file. */
  find(kind: NameKind, name: string): Die[] {
    return this.entries(kind, name).map(({ unit, offset }) => unit.dieAt(offset)!);
  }

  /** The same, of which nothing has been read yet: a name may have thousands of definitions. */
  entries(kind: NameKind, name: string): readonly Entry[] {
    return this.placesOf(kind, name).map((place) => {
      const { unit, offset } = partsOf(place);
      return { unit: this.unitList![unit], offset };
    });
  }

  private placesOf(kind: NameKind, name: string): readonly number[] {
    const all = this.all();
    const exact = all.find(kind, name);
    if (exact.length > 0 || !name.includes('::')) return exact;
    // The last parts of a path are enough: `Reason::Vmcall`.
    const path = all.names(kind).find((candidate) => candidate.endsWith(`::${name}`));
    return path === undefined ? [] : all.find(kind, path);
  }

  /** All names of a kind. */
  names(kind: NameKind): readonly string[] {
    return this.all().names(kind);
  }

  private all(): UnitNames {
    for (const pieces = this.readAhead(); !pieces.next().done;);
    return this.read;
  }

  /** Reads names, unit by unit, each time that the next is asked for; what has not been read when a name is asked for is read then. */
  *readAhead(): IterableIterator<void> {
    const units = (this.unitList ??= this.units.namingUnits);
    while (this.count < units.length) {
      const number = this.count++;
      this.read.read(units[number], number);
      if (this.count === units.length) this.read.close();
      yield;
    }
  }
}
