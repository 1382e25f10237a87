import { Tag, UnitType } from './constants';
import { Die } from './die';
import { AddressRange, rangesOf } from './ranges';
import { DwarfSections } from './sections';
import { readUnits, Unit, UnitSet } from './unit';

/** All units of an image, and which of them covers an address. Each part is built when first needed. */
export class UnitIndex implements UnitSet {
  private infoUnits: Unit[] | undefined;
  private signatures: Map<bigint, Unit> | undefined;
  private covered: { low: bigint; high: bigint; unit: Unit }[] | undefined;

  constructor(private readonly sections: DwarfSections) {}

  /** The units of .debug_info, in the order of the file. */
  get units(): readonly Unit[] {
    return (this.infoUnits ??= readUnits(this.sections, this, '.debug_info'));
  }

  /** Units with code and variables: all but type units. */
  get programUnits(): readonly Unit[] {
    return this.units.filter((unit) => unit.unitType !== UnitType.type);
  }

  dieAt(offset: number): Die | undefined {
    const { units } = this;
    let low = 0;
    let high = units.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (units[middle].offset <= offset) low = middle;
      else high = middle;
    }
    return units[low]?.dieAt(offset);
  }

  dieOfSignature(signature: bigint): Die | undefined {
    if (!this.signatures) {
      this.signatures = new Map();
      for (const unit of [...this.units, ...readUnits(this.sections, this, '.debug_types')]) {
        if (unit.signature !== undefined && unit.unitType === UnitType.type) this.signatures.set(unit.signature, unit);
      }
    }
    const unit = this.signatures.get(signature);
    return unit?.dieAt(unit.offset + unit.typeOffset);
  }

  /** Code ranges by unit from .debug_aranges, for units whose root DIE does not state them. */
  private tabulatedRanges(): Map<number, AddressRange[]> {
    const ranges = new Map<number, AddressRange[]>();
    const reader = this.sections.reader('.debug_aranges');
    while (!reader.atEnd) {
      const start = reader.position;
      let length = reader.u32();
      const offsetSize = length === 0xffffffff ? 8 : 4;
      if (offsetSize === 8) length = reader.offset(8);
      const end = reader.position + length;
      if (end > reader.end) reader.damaged();
      reader.u16(); // version
      const unit = reader.offset(offsetSize);
      const addressSize = reader.u8();
      reader.u8(); // segment selector size
      // Pairs are aligned to their own size, counted from the start of the set.
      const pair = addressSize * 2;
      reader.position = start + Math.ceil((reader.position - start) / pair) * pair;
      const list = ranges.get(unit) ?? [];
      while (reader.position + pair <= end) {
        const low = reader.unsigned(addressSize);
        const size = reader.unsigned(addressSize);
        if (size > 0n) list.push({ low, high: low + size });
      }
      ranges.set(unit, list);
      reader.position = end;
    }
    return ranges;
  }

  private coverage(): { low: bigint; high: bigint; unit: Unit }[] {
    if (this.covered) return this.covered;
    const covered: { low: bigint; high: bigint; unit: Unit }[] = [];
    let tabulated: Map<number, AddressRange[]> | undefined;
    for (const unit of this.programUnits) {
      let ranges = unit.ranges;
      if (ranges.length === 0) {
        tabulated ??= this.tabulatedRanges();
        ranges = tabulated.get(unit.offset) ?? [];
        if (ranges.length === 0 && unit.root.tag === Tag.compile_unit && unit.root.hasChildren) ranges = [...unit.withTag(Tag.subprogram)].flatMap(rangesOf);
      }
      for (const { low, high } of ranges) if (this.sections.elf.isCode(low)) covered.push({ low, high, unit });
    }
    covered.sort((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0));
    return (this.covered = covered);
  }

  /** The units whose code covers an address: one, as a rule. */
  at(address: bigint): Unit[] {
    const covered = this.coverage();
    let low = 0;
    let high = covered.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (covered[middle].low <= address) low = middle + 1;
      else high = middle;
    }
    const found: Unit[] = [];
    // Ranges of different units rarely overlap: look back only over a few neighbours.
    for (let i = low - 1; i >= 0 && i >= low - 4; i--) if (address < covered[i].high && !found.includes(covered[i].unit)) found.push(covered[i].unit);
    return found;
  }
}
