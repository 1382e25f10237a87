import { UserError } from '../../base/errors';
import { ElfFile } from '../elf';
import { Tag, UnitType } from './constants';
import { Die } from './die';
import { AddressRange, rangesOf } from './ranges';
import { DwarfSections } from './sections';
import { SplitPackage, splitSections } from './splitPackage';
import { readUnits, Unit, UnitSet } from './unit';
import { countWhile } from '../sorted';

/** The files beside the image that hold units. */
export interface UnitFiles {
  readonly splitPackage?: ElfFile;
  readonly splitFiles: ReadonlyMap<string, ElfFile>;
}

/** The unit of a list that an offset is in, for a list in the order of offsets. */
const unitAround = (units: readonly Unit[], offset: number): Unit | undefined => {
  return units[Math.max(countWhile(units.length, (i) => units[i].offset <= offset) - 1, 0)];
};

/** The units of one file, and where the DIEs are that they refer to. */
class FileUnits implements UnitSet {
  private infoUnits: Unit[] | undefined;
  private typeUnits: Unit[] | undefined;
  private signatures: Map<bigint, Unit> | undefined;

  constructor(
    readonly sections: DwarfSections,
    private readonly alternate?: FileUnits,
    /** Where a type is looked for that is not in this file. */
    private readonly elsewhere?: (signature: bigint) => Die | undefined,
  ) {}

  /** The units of .debug_info, in the order of the file. */
  get units(): readonly Unit[] {
    return (this.infoUnits ??= readUnits(this.sections, this, '.debug_info'));
  }

  /** The units of .debug_types, DWARF 4's section for type units. */
  get types(): readonly Unit[] {
    return (this.typeUnits ??= readUnits(this.sections, this, '.debug_types'));
  }

  dieAt(offset: number): Die | undefined {
    return unitAround(this.units, offset)?.dieAt(offset);
  }

  alternateDieAt(offset: number): Die | undefined {
    return this.alternate?.dieAt(offset);
  }

  dieOfSignature(signature: bigint): Die | undefined {
    if (!this.signatures) {
      this.signatures = new Map();
      for (const unit of [...this.units, ...this.types]) if (unit.signature !== undefined && isTypeUnit(unit)) this.signatures.set(unit.signature, unit);
    }
    const unit = this.signatures.get(signature);
    return unit ? unit.dieAt(unit.offset + unit.typeOffset) : this.elsewhere?.(signature);
  }
}

const isTypeUnit = (unit: Unit): boolean => unit.unitType === UnitType.type || unit.unitType === UnitType.split_type;

/** All units of an image, and which of them covers an address. Each part is built when first needed. */
export class UnitIndex {
  private readonly main: FileUnits;
  private readonly alternate: FileUnits | undefined;
  private readonly package: SplitPackage | undefined;
  private readonly packagedTypes = new Map<bigint, FileUnits | undefined>();
  /** Type units of split files. */
  private readonly splitTypes: Unit[] = [];
  private programList: Unit[] | undefined;
  private covered: { low: bigint; high: bigint; unit: Unit }[] | undefined;
  /** Files that have been given DIE numbers; the image and its alternate file are the first two. */
  private files = 2;
  private readonly complaints = new Set<string>();

  constructor(
    private readonly sections: DwarfSections,
    private readonly beside: UnitFiles = { splitFiles: new Map() },
  ) {
    this.alternate = sections.alternate && new FileUnits(sections.alternate);
    this.main = new FileUnits(sections, this.alternate);
    this.package = beside.splitPackage && new SplitPackage(beside.splitPackage);
  }

  /** The units of .debug_info, in the order of the file. */
  get units(): readonly Unit[] {
    return this.main.units;
  }

  /** Units that only stand for one in a split file. */
  get skeletons(): readonly Unit[] {
    // Before DWARF 5 nothing but its DIE tells a skeleton from a unit; it needs .debug_addr, which only it has.
    const old = this.sections.size('.debug_addr') > 0;
    return this.units.filter((unit) => (unit.version >= 5 ? unit.unitType === UnitType.skeleton : old) && unit.splitFile !== undefined);
  }

  /** Units with code and variables, the ones of split files in place of their skeletons. */
  get programUnits(): readonly Unit[] {
    if (this.programList) return this.programList;
    const skeletons = new Set(this.skeletons);
    return (this.programList = this.units.filter((unit) => !isTypeUnit(unit)).map((unit) => (skeletons.has(unit) ? this.full(unit) : unit)));
  }

  /** Units with types and names: the program's, type units, and those of the alternate file. */
  get namingUnits(): readonly Unit[] {
    const program = this.programUnits;
    for (const signature of this.package?.ids('.debug_tu_index') ?? []) this.packagedType(signature);
    return [...program, ...this.units.filter(isTypeUnit), ...this.main.types, ...this.splitTypes, ...(this.alternate?.units ?? [])];
  }

  /** Sentences about split files that do not fit. Complete once `programUnits` has been asked for. */
  get notes(): readonly string[] {
    return [...this.complaints];
  }

  private numbered(source: ConstructorParameters<typeof DwarfSections>[1]): DwarfSections {
    return new DwarfSections(this.sections.elf, source, this.files++);
  }

  /** The unit that a skeleton stands for; itself where its file is missing. */
  private full(skeleton: Unit): Unit {
    const id = skeleton.splitId;
    const name = skeleton.splitFile!;
    const packed = id === undefined ? undefined : this.package?.find('.debug_cu_index', id);
    const split = this.beside.splitFiles.get(name);
    const source = packed ?? (split && splitSections(split));
    if (!source) return skeleton;
    const file = new FileUnits(this.numbered(source), undefined, (signature) => this.packagedType(signature));
    const unit = file.units.find((candidate) => !isTypeUnit(candidate) && candidate.splitId === id);
    if (!unit) {
      this.complaints.add(`${source.name} is not of the build that ${this.sections.name} is from: variables and functions of ${skeleton.name || name} are missing, build again.`);
      return skeleton;
    }
    unit.skeleton = skeleton;
    for (const type of [...file.units, ...file.types]) if (type !== unit) this.addType(type, skeleton);
    return unit;
  }

  private addType(unit: Unit, skeleton?: Unit): void {
    unit.skeleton = skeleton;
    this.splitTypes.push(unit);
  }

  /** A type unit of the package: there each is a part of its own. */
  private packagedType(signature: bigint): Die | undefined {
    if (!this.packagedTypes.has(signature)) {
      const source = this.package?.find('.debug_tu_index', signature);
      const file = source && new FileUnits(this.numbered(source), undefined, (other) => this.packagedType(other));
      this.packagedTypes.set(signature, file);
      for (const unit of file ? [...file.units, ...file.types] : []) this.addType(unit);
    }
    return this.packagedTypes.get(signature)?.dieOfSignature(signature) ?? undefined;
  }

  /** Code ranges by unit from .debug_aranges, which costs less than to ask each unit's root DIE. */
  private tabulatedRanges(): Map<number, AddressRange[]> {
    const ranges = new Map<number, AddressRange[]>();
    const reader = this.sections.reader('.debug_aranges');
    while (!reader.atEnd) {
      const start = reader.position;
      const { offsetSize, end } = reader.initialLength();
      reader.u16(); // version
      const unit = reader.offset(offsetSize);
      const addressSize = reader.u8();
      if (addressSize !== 4 && addressSize !== 8) throw new UserError('symbols.damaged', `${reader.what} is damaged at offset 0x${start.toString(16)}: build or copy the file again.`);
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

  private rangesOf(unit: Unit, tabulated: ReadonlyMap<number, AddressRange[]>): readonly AddressRange[] {
    const known = tabulated.get((unit.skeleton ?? unit).offset);
    if (known && known.length > 0) return known;
    if (unit.ranges.length > 0) return unit.ranges;
    return unit.root.tag === Tag.compile_unit && unit.root.hasChildren ? [...unit.tree.functions()].flatMap(rangesOf) : [];
  }

  private coverage(): { low: bigint; high: bigint; unit: Unit }[] {
    if (this.covered) return this.covered;
    const covered: { low: bigint; high: bigint; unit: Unit }[] = [];
    const tabulated = this.tabulatedRanges();
    for (const unit of this.programUnits) {
      for (const { low, high } of this.rangesOf(unit, tabulated)) if (this.sections.elf.isCode(low)) covered.push({ low, high, unit });
    }
    covered.sort((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0));
    return (this.covered = covered);
  }

  /** The units whose code covers an address: one, as a rule. */
  at(address: bigint): Unit[] {
    const covered = this.coverage();
    const count = countWhile(covered.length, (i) => covered[i].low <= address);
    const found: Unit[] = [];
    // Ranges of different units rarely overlap: look back only over a few neighbours.
    for (let i = count - 1; i >= 0 && i >= count - 4; i--) if (address < covered[i].high && !found.includes(covered[i].unit)) found.push(covered[i].unit);
    return found;
  }
}
