/** VM exits, failures and events in words. */
import { hex } from '../../base/bits';
import { EventType } from '../../cpu/intercepts';
import type { ExitRecord, VmxFailure } from '../../vmx/observe';
import { decodeField, exitReason, fieldOf, vectorName } from '../../vmx/tables';
import type { DeliveredEvent } from '../run/stopCause';
import type { WrittenBy } from './fieldWriter';

const detail = (value: number | string): string => (typeof value === 'number' && value > 9 ? hex(value) : String(value));

/** `CPUID leaf 1`, `IO_INSTRUCTION port 0x70 direction out size 1 value 2`. */
export function exitWords(record: ExitRecord): string {
  const parts = Object.entries(record.details).flatMap(([key, value]) => (value === false ? [] : [value === true ? key : `${key} ${detail(value)}`]));
  return [record.name, ...parts].join(' ');
}

/** `VM exit 14: CPUID leaf 1 at guest 0x8004200077`. */
export const exitTitle = (record: ExitRecord): string => `VM exit ${record.n}: ${exitWords(record)} at guest ${hex(record.guestRip)}`;

/** Exits whose details are shorter in words of their own, by name; undefined where one lacks what the words need. */
const BRIEF: Partial<Record<string, (record: ExitRecord) => string | undefined>> = {
  CPUID: ({ details: { leaf, subleaf } }) => (typeof leaf === 'number' && typeof subleaf === 'number' ? `leaf ${detail(leaf)}.${detail(subleaf)}` : undefined),
  IO_INSTRUCTION: ({ details: { port, direction, value } }) => (typeof port === 'number' ? `${String(direction)} ${detail(port)}${typeof value === 'number' ? ` = ${detail(value)}` : ''}` : undefined),
  EPT_VIOLATION: ({ gpa, details: { access } }) => (gpa === undefined ? undefined : `${String(access)} ${hex(gpa)}`),
  EPT_MISCONFIGURATION: ({ gpa }) => (gpa === undefined ? undefined : hex(gpa)),
};

/** `VM exit: CPUID leaf 1.0 (exit 14)`: what tells most comes first, as a row of the call stack is cut off behind some thirty characters. */
export function exitBrief(record: ExitRecord): string {
  const words = BRIEF[record.name]?.(record);
  const { during } = record.details;
  const brief = words === undefined ? exitWords(record) : [record.name, words, ...(during === undefined ? [] : [`during ${String(during)}`])].join(' ');
  return `VM exit: ${brief} (exit ${record.n})`;
}

/** What the reason means, as a sentence. */
export const exitSentence = (record: ExitRecord): string => exitReason(record.reason)?.sentence ?? `Exit reason ${record.reason} is not defined by the SDM.`;

/** Everything an exit tells, one line each. */
export function exitLines(record: ExitRecord): string[] {
  const lines = [exitSentence(record), `Exit qualification ${hex(record.qualification)}, instruction length ${record.instructionLength}.`];
  if (record.linear !== undefined) lines.push(`Guest-linear address ${hex(record.linear)}.`);
  if (record.gpa !== undefined) lines.push(`Guest-physical address ${hex(record.gpa)}.`);
  return lines;
}

/** Names the function and line of a VMM address; of a field's writer also its caller, by what was on the stack. */
export type DescribeAddress = (rip: bigint, returns?: readonly bigint[]) => string;
export type LastWriter = (encoding: number) => WrittenBy | undefined;

/** `GUEST_CR4 is none (0x0), last written at init_vmcs (vmx.c:120).` */
function blamedField(encoding: number, describe: DescribeAddress, writer: LastWriter, read: (encoding: number) => bigint | undefined): string {
  const field = fieldOf(encoding);
  const value = read(encoding);
  const last = writer(encoding);
  const words = field && value !== undefined ? decodeField(field, value).text : '';
  const inWords = words === '' || /^(none|0x[0-9a-f]+|[0-9]+)$/.test(words) ? '' : ` (${words})`;
  return `${field?.name ?? hex(encoding)}${value === undefined ? '' : ` is ${hex(value)}${inWords}`}, ${last ? `last written at ${describe(last.rip, last.returns)}` : 'not written by VMWRITE'}.`;
}

/** A failed VMX instruction: the failure in words, where it is, and every check that failed with the fields to blame and who wrote them. */
export function failureLines(failure: VmxFailure, describe: DescribeAddress, writer: LastWriter, read: (encoding: number) => bigint | undefined): string[] {
  const lines = [failure.message, `${failure.mnemonic.toUpperCase()} at ${describe(failure.rip)}.`];
  for (const check of failure.checks) {
    // The fields' values stand on lines of their own; an entry of an MSR list has none.
    const valuesFirst = check.message.startsWith(fieldOf(check.fields[0]!)?.name ?? '?');
    lines.push(`${check.id}: ${valuesFirst ? check.message.slice(check.message.indexOf(check.condition)) : check.message}`);
    for (const encoding of check.fields) lines.push(`  ${blamedField(encoding, describe, writer, read)}`);
    lines.push(`  Intel SDM volume 3, "${check.section}".`);
  }
  return lines;
}

/** `#PF error code 0x2 at trap (trap.c:12)`, `interrupt 0x20 at ...`. */
export function eventWords(event: DeliveredEvent, describe: DescribeAddress): string {
  const name = event.type === EventType.HARDWARE_EXCEPTION || event.type === EventType.NMI ? vectorName(event.vector) : `interrupt ${hex(event.vector)}`;
  return `${name}${event.errorCode === undefined ? '' : ` error code ${hex(event.errorCode)}`} at ${describe(event.rip)}`;
}
