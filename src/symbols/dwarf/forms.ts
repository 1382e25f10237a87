import { UserError } from '../../base/errors';
import { Reader } from '../reader';
import type { UnitEncoding } from './abbreviations';
import { Form } from './constants';

/** Size in bytes of a form's data where the unit's header alone decides it; undefined where the data does. */
export const fixedSize = (form: number, { version, addressSize, offsetSize }: UnitEncoding): number | undefined => {
  switch (form) {
    case Form.implicit_const: case Form.flag_present: return 0;
    case Form.data1: case Form.flag: case Form.ref1: case Form.strx1: case Form.addrx1: return 1;
    case Form.data2: case Form.ref2: case Form.strx2: case Form.addrx2: return 2;
    case Form.strx3: case Form.addrx3: return 3;
    case Form.data4: case Form.ref4: case Form.strx4: case Form.addrx4: case Form.ref_sup4: return 4;
    case Form.data8: case Form.ref8: case Form.ref_sig8: case Form.ref_sup8: return 8;
    case Form.data16: return 16;
    case Form.addr: return addressSize;
    case Form.ref_addr: return version <= 2 ? addressSize : offsetSize;
    case Form.strp: case Form.line_strp: case Form.sec_offset: case Form.strp_sup: case Form.GNU_ref_alt: case Form.GNU_strp_alt: return offsetSize;
    default: return undefined;
  }
};

/** Steps over the data of any form. Throws a UserError for a form the standard does not have. */
export const skipForm = (form: number, reader: Reader, encoding: UnitEncoding): void => {
  const size = fixedSize(form, encoding);
  if (size !== undefined) return reader.skip(size);
  switch (form) {
    case Form.string: return reader.skipString();
    case Form.sdata: case Form.udata: case Form.ref_udata: case Form.strx: case Form.addrx: case Form.loclistx: case Form.rnglistx:
    case Form.GNU_addr_index: case Form.GNU_str_index: return reader.skipLeb();
    case Form.block1: return reader.skip(reader.u8());
    case Form.block2: return reader.skip(reader.u16());
    case Form.block4: return reader.skip(reader.u32());
    case Form.block: case Form.exprloc: return reader.skip(reader.uleb());
    case Form.indirect: return skipForm(reader.uleb(), reader, encoding);
    default: throw new UserError('dwarf.form', `${reader.what} uses the unknown DWARF form 0x${form.toString(16)}: build it with -gdwarf-5 or older.`);
  }
};
