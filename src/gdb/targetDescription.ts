/** The target description: GDB always sees an x86-64, so that a switch of modes never confuses it (GDB manual, "Target Description Format"). */
import { FEATURES, GDB_REGISTERS, type Feature } from './registers';

const flags = (id: string, names: Readonly<Record<number, string>>): string =>
  [`<flags id="${id}" size="4">`, ...Object.entries(names).map(([bit, name]) => `<field name="${name}" start="${bit}" end="${bit}"/>`), '</flags>'].join('');

const EFLAGS = { 0: 'CF', 1: '', 2: 'PF', 4: 'AF', 6: 'ZF', 7: 'SF', 8: 'TF', 9: 'IF', 10: 'DF', 11: 'OF', 14: 'NT', 16: 'RF', 17: 'VM', 18: 'AC', 19: 'VIF', 20: 'VIP', 21: 'ID' };
const MXCSR = { 0: 'IE', 1: 'DE', 2: 'ZE', 3: 'OE', 4: 'UE', 5: 'PE', 6: 'DAZ', 7: 'IM', 8: 'DM', 9: 'ZM', 10: 'OM', 11: 'UM', 12: 'PM', 15: 'FZ' };

/** How the 16 bytes of an XMM register can be read: name in the union, element type, number of elements. */
const LANES = [
  ['v4_float', 'ieee_single', 4],
  ['v2_double', 'ieee_double', 2],
  ['v16_int8', 'int8', 16],
  ['v8_int16', 'int16', 8],
  ['v4_int32', 'int32', 4],
  ['v2_int64', 'int64', 2],
] as const;

const vec128 = (): string =>
  [
    ...LANES.map(([name, type, count]) => `<vector id="${name}_t" type="${type}" count="${count}"/>`),
    '<union id="vec128">',
    ...LANES.map(([name]) => `<field name="${name}" type="${name}_t"/>`),
    '<field name="uint128" type="uint128"/></union>',
  ].join('');

const TYPES: Partial<Record<Feature, () => string>> = {
  'org.gnu.gdb.i386.core': () => flags('i386_eflags', EFLAGS),
  'org.gnu.gdb.i386.sse': () => vec128() + flags('i386_mxcsr', MXCSR),
};

function feature(name: Feature): string {
  const rows = GDB_REGISTERS.filter((r) => r.feature === name).map((r) => `<reg name="${r.name}" bitsize="${r.bits}" type="${r.type}"${r.group ? ` group="${r.group}"` : ''}/>`);
  return [`<feature name="${name}">`, TYPES[name]?.() ?? '', ...rows, '</feature>'].join('\n');
}

export const TARGET_XML = ['<?xml version="1.0"?>', '<!DOCTYPE target SYSTEM "gdb-target.dtd">', '<target>', '<architecture>i386:x86-64</architecture>', ...FEATURES.map(feature), '</target>', ''].join('\n');
