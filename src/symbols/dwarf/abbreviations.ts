import { Reader } from '../reader';
import { Form } from './constants';
import { fixedSize } from './forms';
import { DwarfSections } from './sections';

export interface AttributeSpec {
  readonly attribute: number;
  readonly form: number;
  /** Value of DW_FORM_implicit_const. */
  readonly constant?: bigint;
}

/** One entry of .debug_abbrev: the shape of the DIEs that name its code. */
export class Abbreviation {
  private stepList: readonly number[] | undefined;

  constructor(
    readonly tag: number,
    readonly hasChildren: boolean,
    readonly attributes: readonly AttributeSpec[],
    private readonly encoding: UnitEncoding,
  ) {}

  /** How to step over the attributes: a positive number of bytes, or minus a form whose size is in the data. */
  get steps(): readonly number[] {
    return (this.stepList ??= stepsOf(this.attributes, this.encoding));
  }
}

/** How the sizes of a unit's forms depend on its header. */
export interface UnitEncoding {
  readonly version: number;
  readonly addressSize: number;
  readonly offsetSize: 4 | 8;
}

/** Merges the sizes of neighbouring attributes, so that stepping over a DIE is usually one addition. */
const stepsOf = (attributes: readonly AttributeSpec[], encoding: UnitEncoding): number[] => {
  const steps: number[] = [];
  for (const { form } of attributes) {
    const size = fixedSize(form, encoding);
    if (size === undefined) steps.push(-form);
    else if (steps.length > 0 && steps[steps.length - 1] > 0) steps[steps.length - 1] += size;
    else if (size > 0) steps.push(size);
  }
  return steps;
};

/** Reads entries from a reader placed on the first, up to the end or the entry with the wanted code. */
const readEntries = (reader: Reader, encoding: UnitEncoding, wanted?: number): Abbreviation[] => {
  const abbreviations: Abbreviation[] = [];
  for (;;) {
    const code = reader.uleb();
    if (code === 0) return abbreviations;
    const tag = reader.uleb();
    const hasChildren = reader.u8() !== 0;
    const attributes: AttributeSpec[] = [];
    for (;;) {
      const attribute = reader.uleb();
      const form = reader.uleb();
      if (attribute === 0 && form === 0) break;
      attributes.push(form === Form.implicit_const ? { attribute, form, constant: reader.slebBig() } : { attribute, form });
    }
    abbreviations[code] = new Abbreviation(tag, hasChildren, attributes, encoding);
    if (code === wanted) return abbreviations;
  }
};

/** Reads the abbreviations of one unit. Codes are small and dense, so an array is the map. */
export const readAbbreviations = (sections: DwarfSections, offset: number, encoding: UnitEncoding): Abbreviation[] =>
  readEntries(sections.reader('.debug_abbrev', offset), encoding);

/** Reads one abbreviation: a unit's own DIE has the first, and thousands of units are asked for no more than that. */
export const readAbbreviation = (sections: DwarfSections, offset: number, encoding: UnitEncoding, code: number): Abbreviation | undefined =>
  readEntries(sections.reader('.debug_abbrev', offset), encoding, code)[code];
