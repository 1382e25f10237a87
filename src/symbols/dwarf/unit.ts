import { UserError } from '../../base/errors';
import { Reader } from '../reader';
import { Abbreviations, UnitEncoding } from './abbreviations';
import { At, Form, Tag, UnitType } from './constants';
import { Die } from './die';
import { DieTree } from './dieTree';
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

/** DW_LANG numbers of C and assembly, whose names at file scope are all there are. */
const DW_LANG_C99 = 0x0c;
const FLAT_LANGUAGES = new Set([0x01, 0x02, 0x0c, 0x1d, 0x2c, 0x8001]);

const ASSEMBLY = new Set([0x31, 0x8001]);

const VARIABLES: ReadonlySet<number> = new Set([Tag.formal_parameter, Tag.variable]);
/** Forms of location lists; before DWARF 4 they were those of numbers. */
const LISTS: ReadonlySet<number> = new Set([Form.sec_offset, Form.loclistx]);
const OLD_LISTS: ReadonlySet<number> = new Set([Form.data4, Form.data8]);

const INLINED: ReadonlySet<number> = new Set([Tag.inlined_subroutine]);
/** Forms of references to other units and files. */
const LEADING_OUT: ReadonlySet<number> = new Set([Form.ref_addr, Form.GNU_ref_alt, Form.ref_sup4, Form.ref_sup8]);

/** .debug_types has offsets of its own: its DIEs are numbered from here. */
const FIRST_IN_TYPES = 2 ** 35;

/** One unit of .debug_info (or .debug_types): its header at once, its DIEs when first asked for. */
export class Unit implements UnitEncoding {
  private abbreviationList: Abbreviations | undefined;
  /** The unit's DIEs. */
  readonly tree = new DieTree(this);
  private rootDie: Die | undefined;
  private knowsEntries: boolean | undefined;
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
    private readonly sharedAbbreviations: Map<string, Abbreviations>,
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

  get abbreviations(): Abbreviations {
    if (this.abbreviationList) return this.abbreviationList;
    const key = `${this.abbreviationOffset}/${this.version}/${this.addressSize}/${this.offsetSize}`;
    let list = this.sharedAbbreviations.get(key);
    if (!list) this.sharedAbbreviations.set(key, (list = new Abbreviations(this.sections, this.abbreviationOffset, this.encoding)));
    return (this.abbreviationList = list);
  }

  /** Looks at the whole unit, and keeps nothing of what is decoded for it alone: of all units of a kernel that is hundreds of megabytes. */
  lookOnce(look: () => void): void {
    const kept = this.abbreviationList;
    this.abbreviationList = new Abbreviations(this.sections, this.abbreviationOffset, this.encoding);
    look();
    this.abbreviationList = kept;
    this.tree.forget();
  }

  /** The unit's own DIE, read without its children. */
  get root(): Die {
    if (this.rootDie) return this.rootDie;
    return (this.rootDie = this.tree.at(this.firstDie) ?? this.reader(this.firstDie).damaged());
  }

  /** The DIE at a section offset inside this unit. */
  dieAt(offset: number): Die | undefined {
    return this.tree.at(offset);
  }

  /**
   * Whether its functions are what they seem from their first instruction on: assembly has no prologue, and optimisers that
   * list the places of variables list those in the prologue too.
   */
  get needsNoPrologue(): boolean {
    return (this.knowsEntries ??= ASSEMBLY.has(this.language) || this.abbreviations.uses(VARIABLES, At.location, this.version < 4 ? OLD_LISTS : LISTS));
  }

  /** Whether its code may have calls inlined of functions that another unit or file describes. */
  get inlinesOthers(): boolean {
    return this.abbreviations.uses(INLINED, At.abstract_origin, LEADING_OUT);
  }

  private get language(): number {
    return this.root.number(At.language) ?? this.skeleton?.root.number(At.language) ?? DW_LANG_C99;
  }

  get name(): string {
    return this.root.string(At.name) ?? this.skeleton?.name ?? '';
  }

  get compilationDirectory(): string {
    return this.root.string(At.comp_dir) ?? this.skeleton?.compilationDirectory ?? '';
  }

  /** Whether the language has names inside of names: namespaces, methods. */
  get nests(): boolean {
    return !FLAT_LANGUAGES.has(this.language);
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
  const shared = new Map<string, Abbreviations>();
  const reader = sections.reader(section);
  while (!reader.atEnd) {
    const offset = reader.position;
    const { offsetSize, end } = reader.initialLength();
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
