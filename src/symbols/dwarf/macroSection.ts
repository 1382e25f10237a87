import { UserError } from '../../base/errors';
import { parseDefinition, type MacroText } from '../macroCalls';
import { Reader } from '../reader';
import { At } from './constants';
import type { Unit } from './unit';

/** What a unit's macros stand for, by name. */
export type MacroTexts = ReadonlyMap<string, MacroText>;

const FLAG_OFFSET_64 = 1;
const FLAG_LINE_OFFSET = 2;
const FLAG_OPCODE_TABLE = 4;

/** Macros of one compilation as they are at its end: later definitions replace earlier ones, #undef removes them. */
class Definitions {
  readonly texts = new Map<string, MacroText>();

  define(definition: string): void {
    const found = parseDefinition(definition);
    if (found) this.texts.set(found.name, found.macro);
  }

  undefine(name: string): void {
    this.texts.delete(name);
  }
}

/** .debug_macro: GNU's of DWARF 4 and DWARF 5's ("Macro Information"), which differ only in their version. */
const readMacro = (unit: Unit, offset: number, into: Definitions, depth = 0): void => {
  const { sections } = unit;
  const reader = sections.reader('.debug_macro', offset);
  const version = reader.u16();
  if (version < 4 || version > 5) throw new UserError('dwarf.version', `${reader.what} is of version ${version}: Hyperstep reads versions 4 and 5, build it with -gdwarf-5 -g3.`);
  const flags = reader.u8();
  const size = flags & FLAG_OFFSET_64 ? 8 : 4;
  if (flags & FLAG_LINE_OFFSET) reader.offset(size);
  if (flags & FLAG_OPCODE_TABLE) reader.damaged(); // operations of a vendor's own: no compiler writes any
  const string = (): string => sections.string('.debug_str', reader.offset(size));
  for (;;) {
    const operation = reader.u8();
    switch (operation) {
      case 0x00: return;
      case 0x01: reader.uleb(); into.define(reader.string()); break; // DW_MACRO_define
      case 0x02: reader.uleb(); into.undefine(reader.string()); break; // undef
      case 0x03: reader.uleb(); reader.uleb(); break; // start_file
      case 0x04: break; // end_file
      case 0x05: reader.uleb(); into.define(string()); break; // define_strp
      case 0x06: reader.uleb(); into.undefine(string()); break; // undef_strp
      case 0x07: { // import: what many units have in common
        const other = reader.offset(size);
        if (depth > 200) reader.damaged();
        readMacro(unit, other, into, depth + 1);
        break;
      }
      case 0x08: reader.uleb(); into.define(sections.alternateString(reader.offset(size)) ?? ''); break; // define_sup
      case 0x09: reader.uleb(); into.undefine(sections.alternateString(reader.offset(size)) ?? ''); break; // undef_sup
      case 0x0a: reader.offset(size); break; // import_sup: of a file that dwz made; its macros are not looked for
      case 0x0b: reader.uleb(); into.define(unit.indexedString(reader.uleb())); break; // define_strx
      case 0x0c: reader.uleb(); into.undefine(unit.indexedString(reader.uleb())); break; // undef_strx
      default: throw new UserError('dwarf.macro', `${reader.what} holds the unknown operation 0x${operation.toString(16)}: build it with -gdwarf-5 -g3.`);
    }
  }
};

/** .debug_macinfo of DWARF 2 to 4. */
const readMacinfo = (reader: Reader, into: Definitions): void => {
  for (;;) {
    const kind = reader.u8();
    switch (kind) {
      case 0x00: return;
      case 0x01: reader.uleb(); into.define(reader.string()); break; // DW_MACINFO_define
      case 0x02: reader.uleb(); into.undefine(reader.string()); break; // undef
      case 0x03: reader.uleb(); reader.uleb(); break; // start_file
      case 0x04: break; // end_file
      case 0xff: reader.uleb(); reader.skipString(); break; // vendor_ext
      default: reader.damaged();
    }
  }
};

/** The macros of a unit; undefined when it was built without them (-g3 adds them). */
export const macrosOf = (unit: Unit): MacroTexts | undefined => {
  const { root } = unit;
  const found = new Definitions();
  const macros = root.sectionOffset(At.macros) ?? root.sectionOffset(At.GNU_macros);
  if (macros !== undefined && unit.sections.size('.debug_macro') > 0) readMacro(unit, macros, found);
  else {
    const macinfo = root.sectionOffset(At.macro_info);
    if (macinfo === undefined || unit.sections.size('.debug_macinfo') === 0) return undefined;
    readMacinfo(unit.sections.reader('.debug_macinfo', macinfo), found);
  }
  return found.texts;
};
