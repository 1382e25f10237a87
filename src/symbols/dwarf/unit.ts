import { UserError } from '../../base/errors';
import { Reader } from '../reader';
import { Abbreviation, readAbbreviation, readAbbreviations, UnitEncoding } from './abbreviations';
import { At, Form, UnitType } from './constants';
import { Die } from './die';
import { skipForm } from './forms';
import { AddressRange, rootRanges } from './ranges';
import { DwarfSections } from './sections';

/** What a unit asks of the image it is part of: DIEs outside itself. */
export interface UnitSet {
  /** The DIE at an offset of .debug_info. */
  dieAt(offset: number): Die | undefined;
  /** The DIE at an offset of the alternate file (.gnu_debugaltlink, .debug_sup). */
  alternateDieAt(offset: number): Die | undefined;
  /** The type DIE of a type unit with this signature. */
  dieOfSignature(signature: bigint): Die | undefined;
}

/** The DIEs of a unit as flat arrays, in the order of the file; indices stand for DIEs. */
interface DieTable {
  readonly offsets: Uint32Array;
  readonly abbreviations: readonly Abbreviation[];
  /** Where the attributes start. */
  readonly attributes: Uint32Array;
  /** Index of the parent, -1 for the root. */
  readonly parents: Int32Array;
  /** Index after the last descendant. */
  readonly ends: Int32Array;
}

/** .debug_types has offsets of its own: its DIEs are numbered from here. */
const FIRST_IN_TYPES = 2 ** 35;

/** One unit of .debug_info (or .debug_types): its header at once, its DIEs when first asked for. */
export class Unit implements UnitEncoding {
  private abbreviationList: readonly Abbreviation[] | undefined;
  private dieTable: DieTable | undefined;
  private rootDie: Die | undefined;
  private rangeList: readonly AddressRange[] | undefined;
  private readonly bases = new Map<number, number>();
  /** For the unit of a split file: the unit in the image that stands for it and knows its addresses. */
  skeleton: Unit | undefined;

  constructor(
    readonly sections: DwarfSections,
    readonly set: UnitSet,
    readonly section: '.debug_info' | '.debug_types',
    readonly offset: number,
    readonly end: number,
    readonly version: number,
    readonly addressSize: number,
    readonly offsetSize: 4 | 8,
    readonly unitType: number,
    private readonly abbreviationOffset: number,
    /** Where the unit's own DIE is. */
    readonly firstDie: number,
    /** Of the type, for a type unit; of the split file, for a skeleton or what it stands for. */
    readonly signature: bigint | undefined,
    /** Offset, from the unit's start, of the type a type unit is about. */
    readonly typeOffset: number,
    private readonly sharedAbbreviations: Map<string, readonly Abbreviation[]>,
  ) {}

  /** The header's sizes alone: abbreviations are shared by units and must not keep one of them alive. */
  private get encoding(): UnitEncoding {
    return { version: this.version, addressSize: this.addressSize, offsetSize: this.offsetSize };
  }

  reader(position: number): Reader {
    return this.sections.reader(this.section, position, this.end);
  }

  /** At the first of the unit's abbreviations. */
  get abbreviationReader(): Reader {
    return this.sections.reader('.debug_abbrev', this.abbreviationOffset);
  }

  get abbreviations(): readonly Abbreviation[] {
    if (this.abbreviationList) return this.abbreviationList;
    const key = `${this.abbreviationOffset}/${this.version}/${this.addressSize}/${this.offsetSize}`;
    let list = this.sharedAbbreviations.get(key);
    if (!list) this.sharedAbbreviations.set(key, (list = readAbbreviations(this.sections, this.abbreviationOffset, this.encoding)));
    return (this.abbreviationList = list);
  }

  /** The unit's own DIE, read without its children. */
  get root(): Die {
    if (this.rootDie) return this.rootDie;
    const reader = this.reader(this.firstDie);
    const code = reader.uleb();
    const abbreviation = this.abbreviationList?.[code] ?? readAbbreviation(this.sections, this.abbreviationOffset, this.encoding, code) ?? reader.damaged();
    return (this.rootDie = new Die(this, this.firstDie, abbreviation, reader.position));
  }

  private abbreviation(code: number, reader: Reader): Abbreviation {
    return this.abbreviations[code] ?? reader.damaged();
  }

  private get table(): DieTable {
    if (this.dieTable) return this.dieTable;
    const offsets: number[] = [];
    const abbreviations: Abbreviation[] = [];
    const attributes: number[] = [];
    const parents: number[] = [];
    const ends: number[] = [];
    const open: number[] = [];
    const reader = this.reader(this.firstDie);
    while (!reader.atEnd) {
      const offset = reader.position;
      const code = reader.uleb();
      if (code === 0) {
        const parent = open.pop();
        if (parent === undefined) break;
        ends[parent] = offsets.length;
        if (open.length === 0) break;
        continue;
      }
      const abbreviation = this.abbreviation(code, reader);
      const index = offsets.length;
      offsets.push(offset);
      abbreviations.push(abbreviation);
      attributes.push(reader.position);
      parents.push(open.length > 0 ? open[open.length - 1] : -1);
      ends.push(index + 1);
      for (const step of abbreviation.steps) {
        if (step > 0) reader.skip(step);
        else skipForm(-step, reader, this);
      }
      if (abbreviation.hasChildren) open.push(index);
      else if (open.length === 0) break;
    }
    for (const parent of open) ends[parent] = offsets.length;
    this.dieTable = { offsets: Uint32Array.from(offsets), abbreviations, attributes: Uint32Array.from(attributes), parents: Int32Array.from(parents), ends: Int32Array.from(ends) };
    return this.dieTable;
  }

  private dieOfIndex(index: number): Die {
    const { offsets, abbreviations, attributes } = this.table;
    return new Die(this, offsets[index], abbreviations[index], attributes[index], index);
  }

  private indexOf(offset: number): number {
    const { offsets } = this.table;
    let low = 0;
    let high = offsets.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (offsets[middle] === offset) return middle;
      if (offsets[middle] < offset) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** The DIE at a section offset inside this unit. */
  dieAt(offset: number): Die | undefined {
    const index = this.indexOf(offset);
    return index < 0 ? undefined : this.dieOfIndex(index);
  }

  *children(die: Die): IterableIterator<Die> {
    const { ends } = this.table;
    const parent = die.index ?? this.indexOf(die.offset);
    for (let index = parent + 1; index < ends[parent]; index = ends[index]) yield this.dieOfIndex(index);
  }

  parent(die: Die): Die | undefined {
    const index = this.table.parents[die.index ?? this.indexOf(die.offset)];
    return index >= 0 ? this.dieOfIndex(index) : undefined;
  }

  /** All DIEs of the unit that have a tag, in the order of the file. */
  *withTag(tag: number): IterableIterator<Die> {
    const { abbreviations } = this.table;
    for (let index = 0; index < abbreviations.length; index++) if (abbreviations[index].tag === tag) yield this.dieOfIndex(index);
  }

  get name(): string {
    return this.root.string(At.name) ?? this.skeleton?.name ?? '';
  }

  get compilationDirectory(): string {
    return this.root.string(At.comp_dir) ?? this.skeleton?.compilationDirectory ?? '';
  }

  /** Offset of the unit's line table in .debug_line. */
  get lineOffset(): number | undefined {
    return this.skeleton ? this.skeleton.lineOffset : this.root.sectionOffset(At.stmt_list);
  }

  /** The sections its line table is in. */
  get lineSections(): DwarfSections {
    return this.skeleton?.sections ?? this.sections;
  }

  get firstIdentity(): number {
    return this.sections.firstNumber + (this.section === '.debug_types' ? FIRST_IN_TYPES : 0);
  }

  /** DW_AT_low_pc: what range and location lists count from. */
  get baseAddress(): bigint {
    return this.skeleton?.baseAddress ?? this.root.address(At.low_pc) ?? 0n;
  }

  /** Code of the unit as its root DIE tells it; empty when it does not. */
  get ranges(): readonly AddressRange[] {
    return (this.rangeList ??= this.skeleton?.ranges ?? rootRanges(this));
  }

  /** Name of the file that holds this unit's DIEs when it was built with -gsplit-dwarf. */
  get splitFile(): string | undefined {
    return this.root.string(At.dwo_name) ?? this.root.string(At.GNU_dwo_name);
  }

  /** What a skeleton and the unit that it stands for have in common. */
  get splitId(): bigint | undefined {
    return this.version >= 5 ? this.signature : this.root.constant(At.GNU_dwo_id);
  }

  /** Start of this unit's part of an index section: what its root DIE says, else just behind the section's first header. */
  base(attribute: number): number {
    let base = this.bases.get(attribute);
    if (base === undefined) this.bases.set(attribute, (base = this.findBase(attribute)));
    return base;
  }

  private findBase(attribute: number): number {
    const stated = this.root.sectionOffset(attribute);
    if (stated !== undefined) return stated;
    if (this.version < 5) return (attribute === At.addr_base ? this.root.sectionOffset(At.GNU_addr_base) : undefined) ?? 0;
    const initialLength = this.offsetSize === 8 ? 12 : 4;
    return attribute === At.str_offsets_base || attribute === At.addr_base ? initialLength + 4 : initialLength + 8;
  }

  /** The text that a string form stands for; undefined for other forms. */
  text(form: number, reader: Reader): string | undefined {
    const { sections, offsetSize } = this;
    switch (form) {
      case Form.string: return reader.string();
      case Form.strp: return sections.string('.debug_str', reader.offset(offsetSize));
      case Form.line_strp: return sections.string('.debug_line_str', reader.offset(offsetSize));
      case Form.GNU_strp_alt: case Form.strp_sup: return sections.alternateString(reader.offset(offsetSize));
      case Form.strx: case Form.GNU_str_index: return this.indexedString(reader.uleb());
      case Form.strx1: return this.indexedString(reader.u8());
      case Form.strx2: return this.indexedString(reader.u16());
      case Form.strx3: return this.indexedString(reader.u24());
      case Form.strx4: return this.indexedString(reader.u32());
      default: return undefined;
    }
  }

  /** An entry of .debug_addr. */
  indexedAddress(index: number): bigint {
    if (this.skeleton) return this.skeleton.indexedAddress(index);
    return this.sections.reader('.debug_addr', this.base(At.addr_base) + index * this.addressSize).unsigned(this.addressSize);
  }

  /** A string by its index in .debug_str_offsets. */
  indexedString(index: number): string {
    const offset = this.sections.reader('.debug_str_offsets', this.base(At.str_offsets_base) + index * this.offsetSize).offset(this.offsetSize);
    return this.sections.string('.debug_str', offset);
  }
}

/** Reads the headers of all units of a section; a 10-MB image has a few hundred. */
export const readUnits = (sections: DwarfSections, set: UnitSet, section: '.debug_info' | '.debug_types'): Unit[] => {
  const units: Unit[] = [];
  const shared = new Map<string, readonly Abbreviation[]>();
  const reader = sections.reader(section);
  while (!reader.atEnd) {
    const offset = reader.position;
    let length = reader.u32();
    let offsetSize: 4 | 8 = 4;
    if (length === 0xffffffff) {
      offsetSize = 8;
      length = reader.offset(8);
    }
    const end = reader.position + length;
    if (end > reader.end) reader.damaged();
    const version = reader.u16();
    if (version < 2 || version > 5) throw new UserError('dwarf.version', `${reader.what} holds DWARF version ${version}: Hyperstep reads versions 2 to 5, build it with -gdwarf-4.`);
    let unitType: number = section === '.debug_types' ? UnitType.type : UnitType.compile;
    let addressSize: number;
    let abbreviationOffset: number;
    if (version >= 5) {
      unitType = reader.u8();
      addressSize = reader.u8();
      abbreviationOffset = reader.offset(offsetSize);
    } else {
      abbreviationOffset = reader.offset(offsetSize);
      addressSize = reader.u8();
    }
    let signature: bigint | undefined;
    let typeOffset = 0;
    if (unitType === UnitType.skeleton || unitType === UnitType.split_compile) signature = reader.u64();
    if (unitType === UnitType.type || unitType === UnitType.split_type) {
      signature = reader.u64();
      typeOffset = reader.offset(offsetSize);
    }
    units.push(new Unit(sections, set, section, offset, end, version, addressSize, offsetSize, unitType, abbreviationOffset, reader.position, signature, typeOffset, shared));
    reader.position = end;
  }
  return units;
};
