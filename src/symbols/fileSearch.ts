/**
 * Which line tables may name a file of a name, by the bytes of their section alone. It is text in a table, or where it stands
 * in .debug_line_str; folders may stand before it. A table that has neither has no such file.
 */
import { placesOfNumbers, placesOfText } from './byteSearch';
import type { DwarfSections } from './dwarf/sections';
import type { Unit } from './dwarf/unit';
import { countWhile } from './sorted';

/** Where texts begin that end with a name. */
const startsOf = (strings: Uint8Array, name: string): number[] =>
  placesOfText(strings, name).flatMap((place) => {
    let first = place;
    while (first > 0 && strings[first - 1] !== 0) first--;
    return Array.from({ length: place - first + 1 }, (_, i) => first + i);
  });

/** Offsets of the tables, out of sorted ones, in which a file may be called so. */
const tablesCalling = (sections: DwarfSections, offsets: readonly number[], name: string): Set<number> => {
  const lines = sections.reader('.debug_line').bytes;
  const numbers = ['.debug_line_str', '.debug_str'].flatMap((section) => startsOf(sections.reader(section).bytes, name));
  const found = new Set<number>();
  for (const place of [...placesOfNumbers(lines, numbers), ...placesOfText(lines, name)]) {
    const before = countWhile(offsets.length, (i) => offsets[i] <= place);
    if (before > 0) found.add(offsets[before - 1]);
  }
  return found;
};

/** Those of some units, in their order, whose line tables may name a file that is called so in whatever folder. */
export const unitsCalling = (units: readonly Unit[], name: string): Unit[] => {
  const groups = new Map<DwarfSections, Unit[]>();
  for (const unit of units) {
    const list = groups.get(unit.lineSections);
    if (list) list.push(unit);
    else groups.set(unit.lineSections, [unit]);
  }
  const found = new Set<Unit>();
  for (const [sections, list] of groups) {
    const offsets = [...new Set(list.flatMap((unit) => unit.lineOffset ?? []))].sort((a, b) => a - b);
    const tables = tablesCalling(sections, offsets, name);
    for (const unit of list) if (unit.lineOffset !== undefined && tables.has(unit.lineOffset)) found.add(unit);
  }
  return units.filter((unit) => found.has(unit));
};
