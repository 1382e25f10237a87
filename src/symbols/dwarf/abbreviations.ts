import { Reader } from '../reader';
import { At, Form } from './constants';
import { fixedSize } from './forms';
import { DwarfSections } from './sections';

/** How the sizes of a unit's forms depend on its header. */
export interface UnitEncoding {
  readonly version: number;
  readonly addressSize: number;
  readonly offsetSize: 4 | 8;
}

/** Where an attribute is in a DIE's data: behind so many bytes, and then behind the forms `from` up to `index`, whose sizes are in the data. */
export interface AttributePlace {
  readonly form: number;
  /** Value of DW_FORM_implicit_const. */
  readonly constant?: bigint;
  readonly bytes: number;
  readonly from: number;
  readonly index: number;
}

/** Attributes in the order of their data; the two lists run in parallel. */
interface Attributes {
  readonly attributes: readonly number[];
  readonly forms: readonly number[];
  /** Values of DW_FORM_implicit_const, by index. */
  readonly constants?: ReadonlyMap<number, bigint>;
}

/** How to step over a DIE's attributes. */
interface Steps {
  /** Each a positive number of bytes, or minus a form whose size is in the data. */
  readonly steps: readonly number[];
  /** Which of them is DW_AT_sibling, in the form of an offset of four bytes as compilers write it; -1 for none. */
  readonly sibling: number;
}

const NO_PLACES: ReadonlyMap<number, AttributePlace | undefined> = new Map();

/** One entry of .debug_abbrev: the shape of the DIEs that name its code. */
export class Abbreviation {
  private known: Steps | undefined;
  /** What has been asked for. */
  private places: Map<number, AttributePlace | undefined> | undefined;

  constructor(
    readonly tag: number,
    readonly hasChildren: boolean,
    private readonly list: Attributes,
    private readonly encoding: UnitEncoding,
  ) {}

  get forms(): readonly number[] {
    return this.list.forms;
  }

  get steps(): Steps {
    return (this.known ??= stepsOf(this.list, this.encoding));
  }

  /** Where an attribute is; undefined when there is no such. */
  place(attribute: number): AttributePlace | undefined {
    const known = this.places ?? NO_PLACES;
    if (known.has(attribute)) return known.get(attribute);
    const place = this.findPlace(attribute);
    (this.places ??= new Map()).set(attribute, place);
    return place;
  }

  private findPlace(attribute: number): AttributePlace | undefined {
    const { attributes, forms, constants } = this.list;
    const index = attributes.indexOf(attribute);
    if (index < 0) return undefined;
    let bytes = 0;
    let from = 0;
    for (; from < index; from++) {
      const size = fixedSize(forms[from], this.encoding);
      if (size === undefined) break;
      bytes += size;
    }
    return { form: forms[index], constant: constants?.get(index), bytes, from, index };
  }
}

/** Merges the sizes of neighbouring attributes, so that stepping over a DIE is usually one addition. */
const stepsOf = ({ attributes, forms }: Attributes, encoding: UnitEncoding): Steps => {
  const steps: number[] = [];
  let sibling = -1;
  for (let i = 0; i < forms.length; i++) {
    const size = fixedSize(forms[i], encoding);
    if (attributes[i] === At.sibling && forms[i] === Form.ref4) sibling = steps.push(4) - 1;
    else if (size === undefined) steps.push(-forms[i]);
    else if (steps.length > 0 && steps[steps.length - 1] > 0 && steps.length - 1 !== sibling) steps[steps.length - 1] += size;
    else if (size > 0) steps.push(size);
  }
  return { steps, sibling };
};

/** Reads an entry from behind its code. */
const readEntry = (reader: Reader, encoding: UnitEncoding): Abbreviation => {
  const tag = reader.uleb();
  const hasChildren = reader.u8() !== 0;
  const attributes: number[] = [];
  const forms: number[] = [];
  let constants: Map<number, bigint> | undefined;
  for (;;) {
    const attribute = reader.uleb();
    const form = reader.uleb();
    if (attribute === 0 && form === 0) return new Abbreviation(tag, hasChildren, { attributes, forms, constants }, encoding);
    if (form === Form.implicit_const) (constants ??= new Map()).set(forms.length, reader.slebBig());
    attributes.push(attribute);
    forms.push(form);
  }
};

/** Steps over an entry from behind its code. */
const skipEntry = (reader: Reader): void => {
  reader.skipLeb(); // tag
  reader.skip(1); // whether it has children
  for (;;) {
    const attribute = reader.uleb();
    const form = reader.uleb();
    if (form === Form.implicit_const) reader.skipLeb();
    if (attribute === 0 && form === 0) return;
  }
};

/** The abbreviations of a unit: hundreds, of which a question needs a few. */
export class Abbreviations {
  /** By code. Codes are small and dense, so an array is the map. */
  private readonly known: Abbreviation[] = [];
  /** Where entries are, by code, as far as they have been passed. */
  private readonly places: number[] = [];
  private readonly reader: Reader;
  private complete = false;

  constructor(
    sections: DwarfSections,
    private readonly start: number,
    private readonly encoding: UnitEncoding,
  ) {
    this.reader = sections.reader('.debug_abbrev', start);
  }

  /** The abbreviation of a code; undefined where there is none. */
  get(code: number): Abbreviation | undefined {
    return this.known[code] ?? this.find(code);
  }

  /** Whether an entry of one of the tags has the attribute in one of the forms. */
  uses(tags: ReadonlySet<number>, attribute: number, forms: ReadonlySet<number>): boolean {
    const reader = this.reader.at(this.start);
    while (reader.uleb() !== 0) {
      const wanted = tags.has(reader.uleb());
      reader.skip(1); // whether it has children
      for (;;) {
        const found = reader.uleb();
        const form = reader.uleb();
        if (form === Form.implicit_const) reader.skipLeb();
        if (found === 0 && form === 0) break;
        if (wanted && found === attribute && forms.has(form)) return true;
      }
    }
    return false;
  }

  private find(code: number): Abbreviation | undefined {
    const { reader, places } = this;
    while (places[code] === undefined && !this.complete) {
      const next = reader.uleb();
      if (next === 0) this.complete = true;
      else {
        places[next] = reader.position;
        skipEntry(reader);
      }
    }
    if (places[code] === undefined) return undefined;
    return (this.known[code] = readEntry(reader.at(places[code]), this.encoding));
  }
}
