import { UserError } from '../../base/errors';
import { At, Tag } from './constants';
import { Die } from './die';
import type { Unit } from './unit';

/** Code from `low` up to but not including `high`. */
export interface AddressRange {
  readonly low: bigint;
  readonly high: bigint;
}

export const contains = (ranges: readonly AddressRange[], address: bigint): boolean =>
  ranges.some(({ low, high }) => address >= low && address < high);

/** .debug_ranges of DWARF 2 to 4: pairs of addresses relative to the base address. */
const oldRanges = (unit: Unit, offset: number): AddressRange[] => {
  const ranges: AddressRange[] = [];
  // Split files of DWARF 4 leave these lists in the image, in a part that begins where the skeleton says.
  const { skeleton } = unit;
  const start = skeleton ? (skeleton.root.sectionOffset(At.GNU_ranges_base) ?? 0) : 0;
  const reader = (skeleton ?? unit).sections.reader('.debug_ranges', start + offset);
  const selectsBase = (1n << BigInt(unit.addressSize * 8)) - 1n;
  let base = unit.baseAddress;
  for (;;) {
    const low = reader.unsigned(unit.addressSize);
    const high = reader.unsigned(unit.addressSize);
    if (low === 0n && high === 0n) return ranges;
    if (low === selectsBase) base = high;
    else if (low < high) ranges.push({ low: base + low, high: base + high });
  }
};

/** .debug_rnglists of DWARF 5 (DW_RLE entries). */
const newRanges = (unit: Unit, offset: number): AddressRange[] => {
  const ranges: AddressRange[] = [];
  const reader = unit.sections.reader('.debug_rnglists', offset);
  let base = unit.baseAddress;
  const add = (low: bigint, high: bigint): void => {
    if (low < high) ranges.push({ low, high });
  };
  for (;;) {
    const kind = reader.u8();
    switch (kind) {
      case 0x00: return ranges; // DW_RLE_end_of_list
      case 0x01: base = unit.indexedAddress(reader.uleb()); break; // base_addressx
      case 0x02: add(unit.indexedAddress(reader.uleb()), unit.indexedAddress(reader.uleb())); break; // startx_endx
      case 0x03: { // startx_length
        const low = unit.indexedAddress(reader.uleb());
        add(low, low + reader.ulebBig());
        break;
      }
      case 0x04: add(base + reader.ulebBig(), base + reader.ulebBig()); break; // offset_pair
      case 0x05: base = reader.unsigned(unit.addressSize); break; // base_address
      case 0x06: add(reader.unsigned(unit.addressSize), reader.unsigned(unit.addressSize)); break; // start_end
      case 0x07: { // start_length
        const low = reader.unsigned(unit.addressSize);
        add(low, low + reader.ulebBig());
        break;
      }
      default: throw new UserError('dwarf.rangeList', `${reader.what} holds a range list entry of unknown kind ${kind}: build it with -gdwarf-5 or older.`);
    }
  }
};

/** The code a DIE covers, by DW_AT_ranges or DW_AT_low_pc and DW_AT_high_pc; empty for a DIE without code. */
export const rangesOf = (die: Die): AddressRange[] => {
  const { unit } = die;
  if (die.has(At.ranges)) {
    const index = die.listIndex(At.ranges);
    if (index !== undefined) {
      const base = unit.base(At.rnglists_base);
      return newRanges(unit, base + unit.sections.reader('.debug_rnglists', base + index * unit.offsetSize).offset(unit.offsetSize));
    }
    const offset = die.sectionOffset(At.ranges);
    if (offset !== undefined) return unit.version >= 5 ? newRanges(unit, offset) : oldRanges(unit, offset);
  }
  const low = die.address(At.low_pc);
  if (low === undefined) return [];
  // Since DWARF 4 the end may be a constant, then it is the length.
  const high = die.address(At.high_pc) ?? low + (die.constant(At.high_pc) ?? 0n);
  return low < high ? [{ low, high }] : [];
};

/**
 * Whether an inlined call begins at an address that none of its ranges has. gcc -O2 writes a range without bytes where the
 * call begins in front of an instruction that belongs to the code around it: its first statements are there all the same,
 * and that is where one stops in front of the call.
 */
export const beginsAt = (die: Die, address: bigint): boolean => die.tag === Tag.inlined_subroutine && die.has(At.ranges) && die.address(At.entry_pc) === address;

/** The code of a whole unit. Functions the linker dropped keep address 0 and are no code of the image. */
export const rootRanges = (unit: Unit): readonly AddressRange[] => rangesOf(unit.root).filter(({ low }) => unit.sections.elf.isCode(low));
