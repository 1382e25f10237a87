/** A translation as lines: every entry on the way, the address it yields, and the rule that ends it. */
import { hex } from '../../base/bits';
import { byteSize } from '../../base/byteSize';
import { decodeBits, MEMORY_TYPES, type BitRow } from '../../vmx/tables';
import type { SpaceName } from '../memory/memorySpace';
import type { Translation } from '../memory/translation';
import type { Permission, Walk, WalkStep } from '../memory/walk';
import type { InspectionNode } from './node';
import { bitNodes } from './registers';
import { textTable } from './table';

/** Stands before what is wrong. */
export const STOP_MARK = '\u26a0 ';

/** Part of the text of an entry that has changed. */
export const CHANGED_ENTRY = ' at the last VM exit';

/** Entries' values by `space:address` at an earlier time: what differs is marked. */
export type EntriesBefore = ReadonlyMap<string, bigint>;

const digits = (step: WalkStep): number => step.size * 2;

/** Bits by name; a memory type in words. */
function bitWords(value: bigint, rows: readonly BitRow[]): string {
  const type = rows.some(([, name]) => name === 'memory type') ? MEMORY_TYPES[Number((value >> 3n) & 7n)] : undefined;
  const words = decodeBits(value, rows.filter(([, name]) => name !== 'memory type'), 'no bits').text;
  return type === undefined ? words : `${words} ${type}`;
}

/** `0x2007 ...`: the value in hexadecimal. */
const valueText = (step: WalkStep): string => (step.value === undefined ? 'unreadable' : hex(step.value, digits(step)));

const stepName = ({ structure, index }: WalkStep): string => `${structure} [${index}]`;

interface Shown {
  step: WalkStep;
  /** Space of the entry, and of the address in it. */
  entrySpace: SpaceName;
  targetSpace: SpaceName;
  /** EPT's walk for the entry's own address. */
  through: Walk | undefined;
}

const place = (space: SpaceName, address: number): string => `${space}:${hex(address)}`;

/** Key of an entry in EntriesBefore. */
export const entryKey = (space: SpaceName, step: WalkStep): string => place(space, step.address);

function shownSteps(t: Translation): { linear: Shown[]; ept: Shown[] } {
  const physical: SpaceName = t.linear?.world === 'guest' ? 'gpa' : 'hpa';
  return {
    linear: (t.linear?.walk.steps ?? []).map((step, i) => ({ step, entrySpace: physical, targetSpace: physical, through: t.linear!.entries[i] })),
    ept: (t.ept?.walk.steps ?? []).map((step) => ({ step, entrySpace: 'hpa', targetSpace: 'hpa', through: undefined })),
  };
}

/** All entries that a translation uses, with their values, to be compared later. */
export function entriesOf(t: Translation): Map<string, bigint> {
  const { linear, ept } = shownSteps(t);
  const nested = (t.linear?.entries ?? []).flatMap((walk) => walk?.steps ?? []).map((step): Shown => ({ step, entrySpace: 'hpa', targetSpace: 'hpa', through: undefined }));
  return new Map([...linear, ...ept, ...nested].flatMap(({ step, entrySpace }) => (step.value === undefined ? [] : [[entryKey(entrySpace, step), step.value] as const])));
}

/** What has become of an entry since: nothing, another value, or one that was not used then. */
function changeText({ step, entrySpace }: Shown, before: EntriesBefore | undefined): string {
  const was = before?.get(entryKey(entrySpace, step));
  if (!before || was === step.value) return '';
  return was === undefined ? `, not used${CHANGED_ENTRY}` : `, was ${hex(was, digits(step))}${CHANGED_ENTRY}`;
}

function stepText(shown: Shown, before: EntriesBefore | undefined): string {
  const { step, entrySpace, targetSpace } = shown;
  const at = `${valueText(step)} at ${place(entrySpace, step.address)}${changeText(shown, before)}`;
  if (step.stop !== undefined) return `${STOP_MARK}${step.stop} (${at})`;
  const page = step.pageSize === undefined ? '' : `, ${byteSize(BigInt(step.pageSize))} page`;
  return `\u2192 ${place(targetSpace, step.target!)}${page}: ${bitWords(step.value!, step.rows)} (${at})`;
}

function stepNode(shown: Shown, before: EntriesBefore | undefined): InspectionNode {
  const { step, entrySpace, through } = shown;
  const reference = place(entrySpace, step.address);
  return {
    name: stepName(step),
    value: stepText(shown, before),
    memoryReference: reference,
    evaluateName: `*(uint${step.size * 8}_t *)${reference}`,
    description: step.stop ?? `Entry ${step.index} of its table, at ${reference}.`,
    children: () => [
      ...(through ? [eptNode('read through EPT', through, step.address, before)] : []),
      ...(step.value === undefined ? [] : bitNodes(decodeBits(step.value, step.rows))),
    ],
  };
}

function eptNode(name: string, walk: Walk, gpa: number, before: EntriesBefore | undefined): InspectionNode {
  return {
    name,
    value: walk.address === undefined ? `${STOP_MARK}${walk.stop}` : `${place('gpa', gpa)} \u2192 ${place('hpa', walk.address)}`,
    children: () => walk.steps.map((step) => stepNode({ step, entrySpace: 'hpa', targetSpace: 'hpa', through: undefined }, before)),
  };
}

const permissionText = (p: Permission): string => (p.allowed ? 'yes' : `no: ${p.reason}`);

/** `supervisor reads, writes, executes`. */
function permittedText(permissions: readonly Permission[]): string {
  const names = permissions.filter((p) => p.allowed).map((p) => p.name);
  const short = names.map((name, i) => {
    const [who, what] = name.split(' ');
    return what !== undefined && names[i - 1]?.startsWith(`${who} `) ? what : name;
  });
  return short.join(', ') || 'nothing';
}

const permissionsNode = (name: string, walk: Walk): InspectionNode => ({
  name,
  value: permittedText(walk.permissions()),
  children: () => walk.permissions().map((p) => ({ name: p.name, value: permissionText(p) })),
});

/** Where a translation leads, in one line. */
export function translationText(t: Translation): string {
  if (t.hpa === undefined) return `${STOP_MARK}${t.stop}`;
  const middle = t.ept && t.linear ? [`gpa:${hex(t.physical!)}`] : [];
  const walk = t.ept && t.linear ? [t.linear.walk, t.ept.walk] : t.linear ? [t.linear.walk] : t.ept ? [t.ept.walk] : [];
  const sizes = walk.flatMap((w) => (w.pageSize === undefined ? [] : [byteSize(BigInt(w.pageSize))]));
  return `${[...middle, place('hpa', t.hpa)].map((a) => `\u2192 ${a}`).join(' ')}${sizes.length ? ` (${sizes.join(', ')} page${sizes.length > 1 ? 's' : ''})` : ''}`;
}

/** The translation as a tree; entries that differ from `before` say what they were. */
export function translationNode(t: Translation, before?: EntriesBefore): InspectionNode {
  const { linear, ept } = shownSteps(t);
  const name = `${t.space}:${hex(t.address)}`;
  const children = (): InspectionNode[] => [
    ...(t.linear ? [{ name: 'CR3', value: `${hex(t.linear.cr3)}, ${t.linear.mode}`, evaluateName: `$${t.linear.world}.cr3` }] : []),
    ...linear.map((s) => stepNode(s, before)),
    ...(t.linear && t.physical !== undefined ? [{ name: t.ept ? 'guest-physical' : 'physical', value: `${t.ept || t.linear.world === 'guest' ? 'gpa' : 'hpa'}:${hex(t.physical)}` }] : []),
    ...(t.ept ? [{ name: 'EPTP', value: hex(t.ept.eptp), evaluateName: '$vmcs.EPT_POINTER' }] : []),
    ...ept.map((s) => stepNode(s, before)),
    ...(t.hpa === undefined ? [] : [{ name: 'host-physical', value: place('hpa', t.hpa), memoryReference: place('hpa', t.hpa) }]),
    ...(t.linear?.walk.address === undefined ? [] : [permissionsNode(t.ept ? 'page tables permit' : 'permitted', t.linear.walk)]),
    ...(t.ept?.walk.address === undefined ? [] : [permissionsNode('EPT permits', t.ept.walk)]),
  ].filter((n) => n.value !== '');
  return {
    name,
    value: translationText(t),
    memoryReference: t.hpa === undefined ? undefined : name,
    children,
    table: () => translationTable(t, [...linear, ...ept], before),
  };
}

function translationTable(t: Translation, steps: readonly Shown[], before: EntriesBefore | undefined): string {
  const rows = steps.map((s) => [
    stepName(s.step),
    place(s.entrySpace, s.step.address),
    valueText(s.step),
    s.step.stop === undefined ? bitWords(s.step.value!, s.step.rows) : '',
    s.step.stop === undefined ? `\u2192 ${place(s.targetSpace, s.step.target!)}` : `${STOP_MARK}${s.step.stop}`,
    changeText(s, before).replace(/^, /, ''),
  ]);
  const permits = [
    ...(t.linear?.walk.address === undefined ? [] : [`Page tables permit: ${permittedText(t.linear.walk.permissions())}.`]),
    ...(t.ept?.walk.address === undefined ? [] : [`EPT permits: ${permittedText(t.ept.walk.permissions())}.`]),
  ];
  const how = [...(t.linear ? [`CR3 ${hex(t.linear.cr3)}, ${t.linear.mode}`] : []), ...(t.ept ? [`EPTP ${hex(t.ept.eptp)}`] : [])].join('; ');
  return [`${t.space}:${hex(t.address)} ${translationText(t)}`, ...(how ? [how] : []), ...(rows.length ? [textTable([], rows)] : []), ...permits].join('\n');
}
