/** The current VMCS as lines: exit information first, then guest state, host state, controls. */
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import type { VmxInspection } from '../../vmx/observe';
import { decodeField, Encoding, FIELDS, type DecodeContext, type Field, type FieldGroup } from '../../vmx/tables';
import type { Blame } from '../exits/blame';
import { parseInteger } from './integer';
import type { InspectionGroup, InspectionNode } from './node';
import { bitNodes } from './registers';

const GROUPS: readonly [FieldGroup, string][] = [
  ['exit-information', 'Exit information'],
  ['guest', 'Guest state'],
  ['host', 'Host state'],
  ['control', 'Controls'],
];

/** Within exit information the reason comes first: it is what everybody looks for. */
const FIRST = ['VM_EXIT_REASON', 'EXIT_QUALIFICATION', 'VM_EXIT_INSTRUCTION_LENGTH', 'GUEST_LINEAR_ADDRESS', 'GUEST_PHYSICAL_ADDRESS'];
const rank = (field: Field): number => {
  const at = FIRST.indexOf(field.name);
  return at < 0 ? FIRST.length : at;
};

export const digitsOf = (field: Field): number => (field.width === 'natural' ? 16 : field.width / 4);

/** What a field's words depend on. */
export function decodeContext(vmx: VmxInspection): DecodeContext {
  const reason = vmx.readField(Encoding.VM_EXIT_REASON);
  return reason === undefined ? {} : { exitReason: Number(reason) };
}

/** `CPUID: The guest executed CPUID. (0x0000000a)`; hexadecimal alone where there are no words. */
export function fieldText(field: Field, value: bigint, context: DecodeContext): string {
  const words = decodeField(field, value, context).text;
  const number = hex(value, digitsOf(field));
  // A word that is only the number again says nothing.
  if (/^0x[0-9a-f]+$/.test(words)) return number;
  return /^[0-9]+$/.test(words) && value < 10n ? words : `${words} (${number})`;
}

/** Names the function and line of a VMM address. */
export type DescribeAddress = (rip: bigint) => string;

/** Stands before the value of a field that a failed VM entry is blamed on. */
export const BLAME_MARK = '\u26a0 ';

function node(vmx: VmxInspection, field: Field, value: bigint, context: DecodeContext, describe: DescribeAddress, wrong: readonly string[] | undefined): InspectionNode {
  const decoded = decodeField(field, value, context);
  const writer = vmx.fieldWriter(field.encoding);
  return {
    name: field.name,
    value: `${wrong ? BLAME_MARK : ''}${fieldText(field, value, context)}`,
    evaluateName: `$vmcs.${field.name}`,
    description: `Encoding ${hex(field.encoding, 4)}, ${field.width === 'natural' ? 'natural width' : `${field.width} bits`}${writer ? `; last written at ${describe(writer.rip)}` : ''}.${wrong ? ` The VM entry failed: ${wrong.join(' ')}` : ''}`,
    children: decoded.bits?.length ? () => bitNodes(decoded) : undefined,
    write: (text) => setField(vmx, field, parseInteger(text)),
  };
}

/** Sets a field as the debugger; throws a UserError when there is no current VMCS or no such field in it. */
export function setField(vmx: VmxInspection, field: Field, value: bigint): void {
  const bits = field.width === 'natural' ? 64 : field.width;
  if (!vmx.writeField(field.encoding, BigInt.asUintN(bits, value))) throw new UserError('vmcs', `${field.name} cannot be set: there is no current VMCS that has it.`);
}

/** The groups with the fields that exist on this processor, those of `blame` marked; none when there is no current VMCS. */
export function vmcsGroups(vmx: VmxInspection, describe: DescribeAddress, blame?: Blame): InspectionGroup[] {
  if (vmx.currentVmcs === undefined) return [];
  const context = decodeContext(vmx);
  return GROUPS.map(([group, name]) => {
    const fields = FIELDS.filter((f) => f.group === group).sort((a, b) => rank(a) - rank(b));
    const nodes = fields.flatMap((field) => {
      const value = vmx.readField(field.encoding);
      return value === undefined ? [] : [node(vmx, field, value, context, describe, blame?.get(field.encoding))];
    });
    const blamed = fields.filter((field) => blame?.has(field.encoding)).length;
    return { name, nodes, ...(blamed === 0 ? {} : { note: `${BLAME_MARK}${blamed} ${blamed === 1 ? 'field' : 'fields'} to look at` }) };
  });
}
