import { UserError } from '../../base/errors';
import { ElfFile } from '../elf';
import { Reader } from '../reader';
import type { SectionSource } from './sections';

/** Section numbers of the index (DWARF 5, "DWARF Package Files"; version 2 is GNU's, for DWARF 4). */
const SECTIONS: Record<2 | 5, Record<number, string>> = {
  2: { 1: '.debug_info', 2: '.debug_types', 3: '.debug_abbrev', 4: '.debug_line', 5: '.debug_loc', 6: '.debug_str_offsets', 7: '.debug_macinfo', 8: '.debug_macro' },
  5: { 1: '.debug_info', 3: '.debug_abbrev', 4: '.debug_line', 5: '.debug_loclists', 6: '.debug_str_offsets', 7: '.debug_macro', 8: '.debug_rnglists' },
};

/** The `.dwo` sections of a file under the names that the same sections have in an image. */
export const splitSections = (elf: ElfFile): SectionSource => ({ name: elf.name, contentsOf: (section) => joined(elf, `${section}.dwo`) });

/** Each type unit of an object file has a section of its own; they are read as one. */
const joined = (elf: ElfFile, section: string): Uint8Array | undefined => {
  const parts = elf.sections.filter(({ name }) => name === section).map((part) => elf.contents(part));
  if (parts.length < 2) return parts[0];
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

/** A `.dwp` file: what was in many `.dwo` files, found by the number that a skeleton unit or a type's signature gives. */
export class SplitPackage {
  constructor(private readonly elf: ElfFile) {}

  /** The part of the package that is one unit's, undefined when the package does not hold it. */
  find(index: '.debug_cu_index' | '.debug_tu_index', id: bigint): SectionSource | undefined {
    const contents = this.elf.contentsOf(index);
    if (!contents) return undefined;
    const reader = new Reader(contents, `${this.elf.name}, section ${index},`);
    const version = reader.u32() & 0xffff;
    if (version !== 2 && version !== 5) throw new UserError('dwarf.package', `${this.elf.name} is a package of version ${version}: Hyperstep reads versions 2 and 5, make it again with dwp or llvm-dwp.`);
    const columns = reader.u32();
    const units = reader.u32();
    const slots = reader.u32();
    if (slots === 0) return undefined;
    const table = reader.position;
    const rows = table + slots * 12;
    const mask = BigInt(slots - 1);
    const step = (id >> 32n) & mask | 1n;
    let slot = id & mask;
    for (let tries = 0; tries < slots; tries++, slot = (slot + step) & mask) {
      const row = reader.at(table + slots * 8 + Number(slot) * 4).u32();
      if (row === 0) return undefined;
      if (reader.at(table + Number(slot) * 8).u64() !== id) continue;
      const parts = new Map<string, { offset: number; size: number }>();
      for (let column = 0; column < columns; column++) {
        const name = SECTIONS[version][reader.at(rows + column * 4).u32()];
        const cell = (row * columns + column) * 4;
        // Row 0 of the offsets are the section numbers; the sizes have no such row.
        if (name) parts.set(name, { offset: reader.at(rows + cell).u32(), size: reader.at(rows + cell + units * columns * 4).u32() });
      }
      return this.part(parts);
    }
    return undefined;
  }

  /** The numbers of all units of an index. */
  ids(index: '.debug_cu_index' | '.debug_tu_index'): bigint[] {
    const contents = this.elf.contentsOf(index);
    if (!contents) return [];
    const reader = new Reader(contents, `${this.elf.name}, section ${index},`, 12);
    const slots = reader.u32();
    return Array.from({ length: slots }, (_, slot) => slot)
      .filter((slot) => reader.at(16 + slots * 8 + slot * 4).u32() !== 0)
      .map((slot) => reader.at(16 + slot * 8).u64());
  }

  private part(parts: ReadonlyMap<string, { offset: number; size: number }>): SectionSource {
    return {
      name: this.elf.name,
      contentsOf: (section) => {
        const whole = this.elf.contentsOf(`${section}.dwo`);
        const part = parts.get(section);
        // Strings are shared by all units.
        return part && whole ? whole.subarray(part.offset, part.offset + part.size) : section === '.debug_str' ? whole : undefined;
      },
    };
  }
}
