import { UserError } from '../../base/errors';
import { At, Tag } from './constants';
import { Die } from './die';
import { rangesOf } from './ranges';
import type { Unit } from './unit';

/** Whether an entry of a list, `[low, high)`, is meant. */
type Applies = (low: bigint, high: bigint) => boolean;

/**
 * Of the entries at an address. An empty one is GCC's way to say that something holds before the first instruction of a
 * function has been executed, and not behind it.
 */
const appliesAt = (die: Die, address: bigint): Applies => (low, high) =>
  (address >= low && address < high) || (low === high && address === low && address === entryOf(die));

/** The first instruction of the function that holds a DIE, calls inlined into it among that. */
const entryOf = (die: Die): bigint | undefined => {
  let holder: Die | undefined = die;
  while (holder && holder.tag !== Tag.subprogram) holder = holder.parent;
  return holder && (holder.address(At.entry_pc) ?? holder.address(At.low_pc) ?? rangesOf(holder)[0]?.low);
};

/** .debug_loc of DWARF 2 to 4. */
const oldList = (unit: Unit, offset: number, applies: Applies): Uint8Array | undefined => {
  const reader = unit.sections.reader('.debug_loc', offset);
  const selectsBase = (1n << BigInt(unit.addressSize * 8)) - 1n;
  let base = unit.baseAddress;
  for (;;) {
    const low = reader.unsigned(unit.addressSize);
    const high = reader.unsigned(unit.addressSize);
    if (low === 0n && high === 0n) return undefined;
    if (low === selectsBase) {
      base = high;
      continue;
    }
    const expression = reader.block(reader.u16());
    if (applies(base + low, base + high)) return expression;
  }
};

/** .debug_loc.dwo: the lists of split files of DWARF 4, a forerunner of those of DWARF 5. */
const splitList = (unit: Unit, offset: number, applies: Applies): Uint8Array | undefined => {
  const reader = unit.sections.reader('.debug_loc', offset);
  let base = unit.baseAddress;
  for (;;) {
    const kind = reader.u8();
    let low = 0n;
    let high = 0n;
    switch (kind) {
      case 0: return undefined; // DW_LLE_GNU_end_of_list_entry
      case 1: base = unit.indexedAddress(reader.uleb()); continue; // base_address_selection_entry
      case 2: // start_end_entry
        low = unit.indexedAddress(reader.uleb());
        high = unit.indexedAddress(reader.uleb());
        break;
      case 3: // start_length_entry
        low = unit.indexedAddress(reader.uleb());
        high = low + BigInt(reader.u32());
        break;
      case 4: // offset_pair_entry
        low = base + BigInt(reader.u32());
        high = base + BigInt(reader.u32());
        break;
      default: throw new UserError('dwarf.locationList', `${reader.what} holds a location list entry of unknown kind ${kind}: build it with -gdwarf-5.`);
    }
    const expression = reader.block(reader.u16());
    if (applies(low, high)) return expression;
  }
};

/** .debug_loclists of DWARF 5 (DW_LLE entries). */
const newList = (unit: Unit, offset: number, applies: Applies): Uint8Array | undefined => {
  const reader = unit.sections.reader('.debug_loclists', offset);
  let base = unit.baseAddress;
  let fallback: Uint8Array | undefined;
  for (;;) {
    const kind = reader.u8();
    let low = 0n;
    let high = 0n;
    switch (kind) {
      case 0x00: return fallback; // DW_LLE_end_of_list
      case 0x01: base = unit.indexedAddress(reader.uleb()); continue; // base_addressx
      case 0x02: // startx_endx
        low = unit.indexedAddress(reader.uleb());
        high = unit.indexedAddress(reader.uleb());
        break;
      case 0x03: // startx_length
        low = unit.indexedAddress(reader.uleb());
        high = low + reader.ulebBig();
        break;
      case 0x04: // offset_pair
        low = base + reader.ulebBig();
        high = base + reader.ulebBig();
        break;
      case 0x05: fallback = reader.block(reader.uleb()); continue; // default_location
      case 0x06: base = reader.unsigned(unit.addressSize); continue; // base_address
      case 0x07: // start_end
        low = reader.unsigned(unit.addressSize);
        high = reader.unsigned(unit.addressSize);
        break;
      case 0x08: // start_length
        low = reader.unsigned(unit.addressSize);
        high = low + reader.ulebBig();
        break;
      case 0x09: // GNU_view_pair: says which of several statements at one address is meant
        reader.skipLeb();
        reader.skipLeb();
        continue;
      default: throw new UserError('dwarf.locationList', `${reader.what} holds a location list entry of unknown kind ${kind}: build it with -gdwarf-5 or older.`);
    }
    const expression = reader.block(reader.uleb());
    if (applies(low, high)) return expression;
  }
};

/**
 * The expression an attribute (DW_AT_location, DW_AT_frame_base) gives for an address: its own, or the entry of its
 * location list; undefined when there is none for that address.
 */
export const expressionAt = (die: Die, attribute: number, address: bigint): Uint8Array | undefined => {
  const expression = die.block(attribute);
  if (expression) return expression;
  const { unit } = die;
  const applies = appliesAt(die, address);
  const index = die.listIndex(attribute);
  if (index !== undefined) {
    const base = unit.base(At.loclists_base);
    return newList(unit, base + unit.sections.reader('.debug_loclists', base + index * unit.offsetSize).offset(unit.offsetSize), applies);
  }
  const offset = die.sectionOffset(attribute);
  if (offset === undefined) return undefined;
  if (unit.version >= 5) return newList(unit, offset, applies);
  return unit.skeleton ? splitList(unit, offset, applies) : oldList(unit, offset, applies);
};
