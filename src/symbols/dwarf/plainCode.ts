/**
 * The code of DIEs as compilers mostly describe it: DW_AT_low_pc and how many bytes from there, or a list of ranges of DWARF
 * 5. A kernel has millions of them, so it is read without an object or a bigint for each; addresses come in halves.
 */
import { high32, low32 } from '../../base/bits';
import type { Reader } from '../reader';
import type { Abbreviation, AttributePlace } from './abbreviations';
import { At, Form } from './constants';
import type { Unit } from './unit';

/** Where the attributes are, in bytes from the first; -1 where there is none. */
interface Places {
  readonly low: number;
  readonly size: number;
  /** Whether the size has 8 bytes; else it has 4. */
  readonly isLong: boolean;
  /** An offset into .debug_rnglists, in place of the two. */
  readonly list: number;
  /** DW_AT_entry_pc, where there is a list. */
  readonly entry: number;
  /** DW_AT_abstract_origin as an offset of four bytes in the unit. */
  readonly origin: number;
}

const HALF = 2 ** 32;
const ADDRESS_SIZE = 8;

export class PlainCode {
  /** The parts of the code that was read last: where each begins and how many bytes it has. */
  readonly lows: number[] = [];
  readonly highs: number[] = [];
  readonly sizes: number[] = [];
  count = 0;
  /** Whether it comes from a list and tells where it is entered, and that address. */
  hasEntry = false;
  entryLow = 0;
  entryHigh = 0;
  /** The offset in the section that DW_AT_abstract_origin refers to; 0 for none. */
  origin = 0;
  /** By abbreviation; null for those that describe it otherwise. */
  private readonly places = new Map<Abbreviation, Places | null>();
  private readonly view: DataView;
  private readonly lists: Reader | undefined;
  private readonly baseLow: number;
  private readonly baseHigh: number;

  constructor(private readonly unit: Unit) {
    const { bytes } = unit.reader(unit.firstDie);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, Math.min(unit.end, bytes.length));
    this.lists = unit.version >= 5 && unit.sections.size('.debug_rnglists') > 0 ? unit.sections.reader('.debug_rnglists') : undefined;
    this.baseLow = low32(unit.baseAddress);
    this.baseHigh = high32(unit.baseAddress);
  }

  /** Reads the code of a DIE, of which the attributes begin at an offset. Returns whether it is described in this way, with one byte at least. */
  read(abbreviation: Abbreviation, attributesAt: number): boolean {
    let places = this.places.get(abbreviation);
    if (places === undefined) this.places.set(abbreviation, (places = this.placesOf(abbreviation)));
    if (places === null) return false;
    const { view, unit } = this;
    const { low, size, isLong, list, entry, origin } = places;
    // What is damaged is told by who reads it with care.
    if (attributesAt + Math.max(low, size, list, entry, origin) + ADDRESS_SIZE > view.byteLength) return false;
    this.count = 0;
    this.origin = origin < 0 ? 0 : unit.offset + view.getUint32(attributesAt + origin, true);
    this.hasEntry = entry >= 0;
    if (this.hasEntry) {
      this.entryLow = view.getUint32(attributesAt + entry, true);
      this.entryHigh = view.getUint32(attributesAt + entry + 4, true);
    }
    if (list >= 0) return this.readList(view.getUint32(attributesAt + list, true)) && this.count > 0;
    if (isLong && view.getUint32(attributesAt + size + 4, true) !== 0) return false;
    this.add(view.getUint32(attributesAt + low, true), view.getUint32(attributesAt + low + 4, true), view.getUint32(attributesAt + size, true));
    return this.count > 0;
  }

  private add(low: number, high: number, size: number): void {
    if (size <= 0) return;
    this.lows[this.count] = low;
    this.highs[this.count] = high;
    this.sizes[this.count++] = size;
  }

  /** Reads a list; false where it has entries of kinds that are not read here. */
  private readList(offset: number): boolean {
    const reader = this.lists!;
    reader.position = offset;
    let { baseLow, baseHigh } = this;
    for (;;) {
      switch (reader.u8()) {
        case 0x00: return true; // DW_RLE_end_of_list
        case 0x04: { // offset_pair
          const from = reader.uleb();
          const low = baseLow + from;
          this.add(low % HALF, baseHigh + Math.floor(low / HALF), reader.uleb() - from);
          break;
        }
        case 0x05: // base_address
          baseLow = reader.u32();
          baseHigh = reader.u32();
          break;
        case 0x06: { // start_end
          const low = reader.u32();
          const high = reader.u32();
          this.add(low, high, reader.u32() - low + (reader.u32() - high) * HALF);
          break;
        }
        case 0x07: { // start_length
          const low = reader.u32();
          this.add(low, reader.u32(), reader.uleb());
          break;
        }
        default: return false;
      }
    }
  }

  private placesOf(abbreviation: Abbreviation): Places | null {
    const place = (attribute: number, ...forms: number[]): AttributePlace | null | undefined => {
      const found = abbreviation.place(attribute);
      return found && (found.from !== found.index || !forms.includes(found.form)) ? null : found;
    };
    const low = place(At.low_pc, Form.addr);
    const size = place(At.high_pc, Form.data8, Form.data4);
    const list = place(At.ranges, Form.sec_offset);
    const entry = list ? place(At.entry_pc, Form.addr) : undefined;
    const origin = place(At.abstract_origin, Form.ref4);
    const { unit } = this;
    if (unit.addressSize !== ADDRESS_SIZE || unit.offsetSize !== 4 || list === null || entry === null || origin === null) return null;
    if (list ? !this.lists : !low || !size) return null;
    return { low: low?.bytes ?? -1, size: size?.bytes ?? -1, isLong: size?.form === Form.data8, list: list?.bytes ?? -1, entry: entry?.bytes ?? -1, origin: origin?.bytes ?? -1 };
  }
}
