import { Reader } from '../reader';
import { Abbreviation } from './abbreviations';
import { At, Form } from './constants';
import { skipForm } from './forms';
import type { Unit } from './unit';

/** Where the value of an attribute is: a reader placed on it, and its form after DW_FORM_indirect is resolved. */
interface Found {
  readonly form: number;
  readonly reader: Reader;
  readonly constant?: bigint;
}

/**
 * A debugging information entry. It holds only where it is; attributes are decoded each time they are asked for, by
 * the class of value the caller expects, and are undefined when absent or of another class.
 */
export class Die {
  constructor(
    readonly unit: Unit,
    /** Offset in the section; `identity` is what tells it from DIEs of other files. */
    readonly offset: number,
    readonly abbreviation: Abbreviation,
    /** Where its attributes begin. */
    readonly attributesAt: number,
    /** What it was found below, when it was found so. */
    private readonly above?: Die,
  ) {}

  /** Tells the DIE from all others of the image, whichever of its files they are in. */
  get identity(): number {
    return this.unit.firstIdentity + this.offset;
  }

  get tag(): number {
    return this.abbreviation.tag;
  }

  get hasChildren(): boolean {
    return this.abbreviation.hasChildren;
  }

  /** Its children, or those whose tags are among `tags`: what is between them costs less than to look at each. */
  children(tags?: ReadonlySet<number>): IterableIterator<Die> {
    return this.unit.tree.children(this, tags);
  }

  get parent(): Die | undefined {
    return this.above ?? this.unit.tree.parent(this);
  }

  has(attribute: number): boolean {
    return this.abbreviation.place(attribute) !== undefined;
  }

  private find(attribute: number): Found | undefined {
    const place = this.abbreviation.place(attribute);
    if (!place) return undefined;
    const reader = this.unit.reader(this.attributesAt + place.bytes);
    const { forms } = this.abbreviation;
    for (let i = place.from; i < place.index; i++) skipForm(forms[i], reader, this.unit);
    let { form } = place;
    while (form === Form.indirect) form = reader.uleb();
    return form === Form.implicit_const ? { form, reader, constant: place.constant ?? reader.slebBig() } : { form, reader };
  }

  string(attribute: number): string | undefined {
    const found = this.find(attribute);
    if (!found) return undefined;
    return this.unit.text(found.form, found.reader);
  }

  /** A constant as the DIE stores it; forms without a sign are taken as unsigned. */
  constant(attribute: number): bigint | undefined {
    const found = this.find(attribute);
    if (!found) return undefined;
    const { form, reader } = found;
    switch (form) {
      case Form.data1: return BigInt(reader.u8());
      case Form.data2: return BigInt(reader.u16());
      case Form.data4: return BigInt(reader.u32());
      case Form.data8: return reader.u64();
      case Form.udata: return reader.ulebBig();
      case Form.sdata: return reader.slebBig();
      case Form.implicit_const: return found.constant;
      default: return undefined;
    }
  }

  /** A constant that is small: a size, a line, a count. */
  number(attribute: number): number | undefined {
    const value = this.constant(attribute);
    return value === undefined ? undefined : Number(value);
  }

  flag(attribute: number): boolean {
    const found = this.find(attribute);
    return found !== undefined && (found.form === Form.flag_present || (found.form === Form.flag && found.reader.u8() !== 0));
  }

  address(attribute: number): bigint | undefined {
    const found = this.find(attribute);
    if (!found) return undefined;
    const { form, reader } = found;
    switch (form) {
      case Form.addr: return reader.unsigned(this.unit.addressSize);
      case Form.addrx: case Form.GNU_addr_index: return this.unit.indexedAddress(reader.uleb());
      case Form.addrx1: return this.unit.indexedAddress(reader.u8());
      case Form.addrx2: return this.unit.indexedAddress(reader.u16());
      case Form.addrx3: return this.unit.indexedAddress(reader.u24());
      case Form.addrx4: return this.unit.indexedAddress(reader.u32());
      default: return undefined;
    }
  }

  /** An expression or other block of bytes. */
  block(attribute: number): Uint8Array | undefined {
    const found = this.find(attribute);
    if (!found) return undefined;
    const { form, reader } = found;
    switch (form) {
      case Form.exprloc: case Form.block: return reader.block(reader.uleb());
      case Form.block1: return reader.block(reader.u8());
      case Form.block2: return reader.block(reader.u16());
      case Form.block4: return reader.block(reader.u32());
      case Form.data16: return reader.block(16);
      default: return undefined;
    }
  }

  /**
   * An offset into another debug section. Before DWARF 4 these had the form of constants, so a caller that also
   * expects constants asks for those first.
   */
  sectionOffset(attribute: number): number | undefined {
    const found = this.find(attribute);
    if (!found) return undefined;
    const { form, reader } = found;
    if (form === Form.sec_offset) return reader.offset(this.unit.offsetSize);
    if (this.unit.version < 4 && form === Form.data4) return reader.u32();
    if (this.unit.version < 4 && form === Form.data8) return reader.offset(8);
    return undefined;
  }

  /** An index into a list table (DW_FORM_loclistx, DW_FORM_rnglistx). */
  listIndex(attribute: number): number | undefined {
    const found = this.find(attribute);
    return found && (found.form === Form.loclistx || found.form === Form.rnglistx) ? found.reader.uleb() : undefined;
  }

  /** The offset in this section that an attribute refers to; undefined for none, and for what is in another unit or file. */
  private within(found: Found): number | undefined {
    const { form, reader } = found;
    switch (form) {
      case Form.ref1: return this.unit.offset + reader.u8();
      case Form.ref2: return this.unit.offset + reader.u16();
      case Form.ref4: return this.unit.offset + reader.u32();
      case Form.ref8: return this.unit.offset + reader.offset(8);
      case Form.ref_udata: return this.unit.offset + reader.uleb();
      default: return undefined;
    }
  }

  /** The identity of the DIE an attribute refers to. */
  referredIdentity(attribute: number): number | undefined {
    const found = this.find(attribute);
    const offset = found && this.within(found);
    return offset === undefined ? this.reference(attribute)?.identity : this.unit.firstIdentity + offset;
  }

  /** The DIE an attribute refers to. */
  reference(attribute: number): Die | undefined {
    const found = this.find(attribute);
    if (!found) return undefined;
    const offset = this.within(found);
    if (offset !== undefined) return this.unit.dieAt(offset);
    const { form, reader } = found;
    const { unit } = this;
    switch (form) {
      case Form.ref_addr: return unit.set.dieAt(unit.version <= 2 ? Number(reader.unsigned(unit.addressSize)) : reader.offset(unit.offsetSize));
      case Form.GNU_ref_alt: return unit.set.alternateDieAt(reader.offset(unit.offsetSize));
      case Form.ref_sup4: return unit.set.alternateDieAt(reader.u32());
      case Form.ref_sup8: return unit.set.alternateDieAt(reader.offset(8));
      case Form.ref_sig8: return unit.set.dieOfSignature(reader.u64());
      default: return undefined;
    }
  }

  /** This DIE, then the ones it completes (DW_AT_abstract_origin, DW_AT_specification): where an attribute may be. */
  *origins(): IterableIterator<Die> {
    yield this;
    const next = this.reference(At.abstract_origin) ?? this.reference(At.specification);
    if (next) yield* next.origins();
  }

  /** The name, from wherever it was given. */
  get name(): string | undefined {
    for (const die of this.origins()) {
      const name = die.string(At.name);
      if (name !== undefined) return name;
    }
    return undefined;
  }

  /** The first of the origins that has an attribute. */
  holder(attribute: number): Die | undefined {
    for (const die of this.origins()) if (die.has(attribute)) return die;
    return undefined;
  }
}
