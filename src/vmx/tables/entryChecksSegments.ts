/** Intel SDM volume 3, "Checks on Guest Segment Registers" and "Checks on Guest Descriptor-Table Registers". */
import { checksOf, type EntryCheck, type EntryContext } from './entryCheck';
import { canonical, ia32e, PE, unrestricted, vm86 } from './entryCheckTerms';
import { type FieldName, Slot } from './fields';

const check = checksOf('guest', 'Checks on Guest Segment Registers');
const table = checksOf('guest', 'Checks on Guest Descriptor-Table Registers');

const CODE_AND_DATA = ['CS', 'SS', 'DS', 'ES', 'FS', 'GS'] as const;
const DATA = ['DS', 'ES', 'FS', 'GS'] as const;
const ALL = [...CODE_AND_DATA, 'TR', 'LDTR'] as const;
type SegmentName = (typeof ALL)[number];

const selectorField = (s: SegmentName): FieldName => `GUEST_${s}_SELECTOR`;
const baseField = (s: SegmentName): FieldName => `GUEST_${s}_BASE`;
const limitField = (s: SegmentName): FieldName => `GUEST_${s}_LIMIT`;
const rightsField = (s: SegmentName): FieldName => `GUEST_${s}_ACCESS_RIGHTS`;
/** Slots of a segment's fields. They are looked up once: the checks run at every VM entry. */
const slots = (field: (s: SegmentName) => FieldName): Record<SegmentName, number> => Object.fromEntries(ALL.map((s) => [s, Slot[field(s)]])) as Record<SegmentName, number>;
const SELECTOR = slots(selectorField);
const BASE = slots(baseField);
const LIMIT = slots(limitField);
const RIGHTS = slots(rightsField);

const SYSTEM_OR_NOT = 0x10;
const PRESENT = 0x80;
const LONG_AND_DEFAULT = 0x6000;
const GRANULARITY = 0x8000;
const UNUSABLE = 1 << 16;
/** Bits 11:8 and 31:17. */
const RESERVED = 0xfffe_0f00;
const TABLE_INDICATOR = 4;

const rights = (c: EntryContext, s: SegmentName): number => c.low(RIGHTS[s]);
const usable = (c: EntryContext, s: SegmentName): boolean => s === 'CS' || s === 'TR' || (rights(c, s) & UNUSABLE) === 0;
const typeOf = (c: EntryContext, s: SegmentName): number => rights(c, s) & 15;
const dplOf = (c: EntryContext, s: SegmentName): number => (rights(c, s) >>> 5) & 3;
const rplOf = (c: EntryContext, s: SegmentName): number => c.low(SELECTOR[s]) & 3;
/** With G 0 the limit is below 1 MiB, with G 1 it ends in 0xfff. */
function granular(c: EntryContext, s: SegmentName): boolean {
  const limit = c.low(LIMIT[s]);
  return (rights(c, s) & GRANULARITY) !== 0 ? (limit & 0xfff) === 0xfff : limit >>> 20 === 0;
}

const WRITABLE_DATA = 3;
const ACCESSED_CODE = [9, 11, 13, 15];
const csTypeValid = (c: EntryContext): boolean => ACCESSED_CODE.includes(typeOf(c, 'CS')) || (unrestricted(c) && typeOf(c, 'CS') === WRITABLE_DATA);
/** Accessed, and readable where it is code. */
const dataTypeValid = (type: number): boolean => (type & 1) !== 0 && ((type & 8) === 0 || (type & 2) !== 0);
function csDplFits(c: EntryContext): boolean {
  const type = typeOf(c, 'CS');
  if (type === WRITABLE_DATA) return dplOf(c, 'CS') === 0;
  return type & 4 ? dplOf(c, 'CS') <= dplOf(c, 'SS') : dplOf(c, 'CS') === dplOf(c, 'SS');
}
const realMode = (c: EntryContext): boolean => (c.low(Slot.GUEST_CR0) & PE) === 0;

const id = (s: SegmentName, rule: string): string => `${s.toLowerCase()}.${rule}`;
/** A rule about access rights of code and data outside virtual-8086 mode, of usable segments alone. */
const rightsCheck = (s: SegmentName, rule: string, fields: readonly FieldName[], condition: string, holds: EntryCheck['holds']): EntryCheck => check(id(s, rule), fields, condition, (c) => vm86(c) || !usable(c, s) || holds(c));
const GRANULARITY_CONDITION = 'with G 0 it must be below 1 MiB, with G 1 it must end in 0xfff.';

const VM86 = 'In virtual-8086 mode';

export const SEGMENT_CHECKS: readonly EntryCheck[] = [
  // Selectors.
  check('tr.ti', ['GUEST_TR_SELECTOR'], 'The guest TR selector must have TI 0.', (c) => (c.low(SELECTOR.TR) & TABLE_INDICATOR) === 0),
  check('ldtr.ti', ['GUEST_LDTR_SELECTOR', 'GUEST_LDTR_ACCESS_RIGHTS'], 'The selector of a usable guest LDTR must have TI 0.', (c) => !usable(c, 'LDTR') || (c.low(SELECTOR.LDTR) & TABLE_INDICATOR) === 0),
  check('ss.rpl', ['GUEST_SS_SELECTOR', 'GUEST_CS_SELECTOR'], 'The RPLs of guest SS and CS must be equal unless the guest is unrestricted.', (c) => vm86(c) || unrestricted(c) || rplOf(c, 'SS') === rplOf(c, 'CS')),
  // Bases.
  ...CODE_AND_DATA.map((s) => check(id(s, 'base.vm86'), [baseField(s), selectorField(s), 'GUEST_RFLAGS'], `${VM86} the base of ${s} must be its selector shifted left by 4.`, (c) => !vm86(c) || (c.high(BASE[s]) === 0 && c.low(BASE[s]) === (c.low(SELECTOR[s]) & 0xffff) << 4))),
  ...(['TR', 'FS', 'GS', 'LDTR'] as const).map((s) => check(id(s, 'base.canonical'), [baseField(s)], `The base of ${s === 'LDTR' ? 'a usable ' : ''}guest ${s} must be canonical.`, (c) => (s === 'LDTR' && !usable(c, s)) || canonical(c, BASE[s]))),
  ...(['CS', 'SS', 'DS', 'ES'] as const).map((s) => check(id(s, 'base.width'), [baseField(s)], `Bits 63:32 of the base of ${s === 'CS' ? '' : 'a usable '}guest ${s} must be 0.`, (c) => !usable(c, s) || c.high(BASE[s]) === 0)),
  // Limits.
  ...CODE_AND_DATA.map((s) => check(id(s, 'limit.vm86'), [limitField(s), 'GUEST_RFLAGS'], `${VM86} the limit of ${s} must be 0xffff.`, (c) => !vm86(c) || c.low(LIMIT[s]) === 0xffff)),
  // Access rights.
  ...CODE_AND_DATA.map((s) => check(id(s, 'rights.vm86'), [rightsField(s), 'GUEST_RFLAGS'], `${VM86} the access rights of ${s} must be 0xf3.`, (c) => !vm86(c) || rights(c, s) === 0xf3)),
  rightsCheck('CS', 'type', ['GUEST_CS_ACCESS_RIGHTS'], 'The type of guest CS must be accessed code (9, 11, 13 or 15), or 3 where the guest is unrestricted.', csTypeValid),
  rightsCheck('SS', 'type', ['GUEST_SS_ACCESS_RIGHTS'], 'The type of a usable guest SS must be accessed writable data (3 or 7).', (c) => typeOf(c, 'SS') === WRITABLE_DATA || typeOf(c, 'SS') === 7),
  ...DATA.map((s) => rightsCheck(s, 'type', [rightsField(s)], `The type of a usable guest ${s} must be accessed, and readable where it is code.`, (c) => dataTypeValid(typeOf(c, s)))),
  ...CODE_AND_DATA.map((s) => rightsCheck(s, 's', [rightsField(s)], `The S bit of guest ${s} must be 1: not a system segment.`, (c) => (rights(c, s) & SYSTEM_OR_NOT) !== 0)),
  rightsCheck('CS', 'dpl', ['GUEST_CS_ACCESS_RIGHTS', 'GUEST_SS_ACCESS_RIGHTS'], 'The DPL of guest CS must be 0 for type 3, that of SS for non-conforming code, at most that of SS for conforming code.', csDplFits),
  check('ss.dpl', ['GUEST_SS_ACCESS_RIGHTS', 'GUEST_SS_SELECTOR'], 'The DPL of guest SS must equal the RPL of its selector unless the guest is unrestricted.', (c) => vm86(c) || unrestricted(c) || dplOf(c, 'SS') === rplOf(c, 'SS')),
  check('ss.dpl.real', ['GUEST_SS_ACCESS_RIGHTS', 'GUEST_CS_ACCESS_RIGHTS', 'GUEST_CR0'], 'The DPL of guest SS must be 0 in real mode, and where the type of CS is 3.', (c) => vm86(c) || (typeOf(c, 'CS') !== WRITABLE_DATA && !realMode(c)) || dplOf(c, 'SS') === 0),
  ...DATA.map((s) => rightsCheck(s, 'dpl', [rightsField(s), selectorField(s)], `The DPL of a usable guest ${s} of type 0 to 11 must not be below its RPL unless the guest is unrestricted.`, (c) => unrestricted(c) || typeOf(c, s) > 11 || dplOf(c, s) >= rplOf(c, s))),
  ...CODE_AND_DATA.map((s) => rightsCheck(s, 'present', [rightsField(s)], `The P bit of guest ${s} must be 1${s === 'CS' ? '' : ' unless it is unusable'}.`, (c) => (rights(c, s) & PRESENT) !== 0)),
  ...CODE_AND_DATA.map((s) => rightsCheck(s, 'reserved', [rightsField(s)], `Bits 11:8 and 31:17 of the access rights of guest ${s} must be 0.`, (c) => (rights(c, s) & RESERVED) === 0)),
  rightsCheck('CS', 'size', ['GUEST_CS_ACCESS_RIGHTS', 'VM_ENTRY_CONTROLS'], 'Guest CS must not have both L and D in IA-32e mode.', (c) => !ia32e(c) || (rights(c, 'CS') & LONG_AND_DEFAULT) !== LONG_AND_DEFAULT),
  ...CODE_AND_DATA.map((s) => rightsCheck(s, 'granularity', [rightsField(s), limitField(s)], `The limit of guest ${s} must fit its granularity: ${GRANULARITY_CONDITION}`, (c) => granular(c, s))),
  check('tr.type', ['GUEST_TR_ACCESS_RIGHTS', 'VM_ENTRY_CONTROLS'], 'The type of guest TR must be a busy TSS: 11, or 3 outside IA-32e mode.', (c) => typeOf(c, 'TR') === 11 || (!ia32e(c) && typeOf(c, 'TR') === 3)),
  check('tr.s', ['GUEST_TR_ACCESS_RIGHTS'], 'The S bit of guest TR must be 0.', (c) => (rights(c, 'TR') & SYSTEM_OR_NOT) === 0),
  check('tr.present', ['GUEST_TR_ACCESS_RIGHTS'], 'The P bit of guest TR must be 1.', (c) => (rights(c, 'TR') & PRESENT) !== 0),
  check('tr.reserved', ['GUEST_TR_ACCESS_RIGHTS'], 'Bits 11:8 and 31:17 of the access rights of guest TR must be 0.', (c) => (rights(c, 'TR') & RESERVED) === 0),
  check('tr.granularity', ['GUEST_TR_ACCESS_RIGHTS', 'GUEST_TR_LIMIT'], `The limit of guest TR must fit its granularity: ${GRANULARITY_CONDITION}`, (c) => granular(c, 'TR')),
  check('tr.usable', ['GUEST_TR_ACCESS_RIGHTS'], 'Guest TR must be usable: bit 16 of its access rights is 0.', (c) => (rights(c, 'TR') & UNUSABLE) === 0),
  check('ldtr.type', ['GUEST_LDTR_ACCESS_RIGHTS'], 'The type of a usable guest LDTR must be 2.', (c) => !usable(c, 'LDTR') || typeOf(c, 'LDTR') === 2),
  check('ldtr.s', ['GUEST_LDTR_ACCESS_RIGHTS'], 'The S bit of a usable guest LDTR must be 0.', (c) => !usable(c, 'LDTR') || (rights(c, 'LDTR') & SYSTEM_OR_NOT) === 0),
  check('ldtr.present', ['GUEST_LDTR_ACCESS_RIGHTS'], 'The P bit of a usable guest LDTR must be 1.', (c) => !usable(c, 'LDTR') || (rights(c, 'LDTR') & PRESENT) !== 0),
  check('ldtr.reserved', ['GUEST_LDTR_ACCESS_RIGHTS'], 'Bits 11:8 and 31:17 of the access rights of a usable guest LDTR must be 0.', (c) => !usable(c, 'LDTR') || (rights(c, 'LDTR') & RESERVED) === 0),
  check('ldtr.granularity', ['GUEST_LDTR_ACCESS_RIGHTS', 'GUEST_LDTR_LIMIT'], `The limit of a usable guest LDTR must fit its granularity: ${GRANULARITY_CONDITION}`, (c) => !usable(c, 'LDTR') || granular(c, 'LDTR')),

  ...(['GDTR', 'IDTR'] as const).map((t) => {
    const slot = Slot[`GUEST_${t}_BASE`];
    return table(`${t.toLowerCase()}.base`, [`GUEST_${t}_BASE`], `The base of guest ${t} must be canonical.`, (c) => canonical(c, slot));
  }),
  ...(['GDTR', 'IDTR'] as const).map((t) => {
    const slot = Slot[`GUEST_${t}_LIMIT`];
    return table(`${t.toLowerCase()}.limit`, [`GUEST_${t}_LIMIT`], `Bits 31:16 of the limit of guest ${t} must be 0.`, (c) => c.low(slot) >>> 16 === 0);
  }),
];
