/** The current VMCS as lines: exit information first, then guest state, host state, controls. */
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import type { VmxInspection } from '../../vmx/observe';
import { decodeField, decodeQualification, Encoding, FIELDS, type DecodeContext, type Field, type FieldGroup } from '../../vmx/tables';
import type { Blame } from '../exits/blame';
import { undefinedNote } from '../exits/definedFields';
import type { SpaceName } from '../memory/memorySpace';
import type { Target } from '../target';
import { fieldName } from '../watch/watchable';
import { parseInteger } from './integer';
import type { InspectionGroup, InspectionNode, SourcePlace } from './node';
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
export function decodeContext(vmx: Pick<VmxInspection, 'readField'>): DecodeContext {
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
export type DescribeAddress = (rip: bigint, returns?: readonly bigint[]) => string;

/** What the debugger knows beside the VMCS. */
export interface VmcsFacts {
  describe: DescribeAddress;
  /** The line of source of a VMM address. */
  place?: ((rip: bigint, returns?: readonly bigint[]) => SourcePlace | undefined) | undefined;
  /** icount of the last VM exit: what the VMM has written since is marked. */
  lastExit?: number | undefined;
  /** Breakpoints on lines are of this VMCS, whichever is current then. */
  pinned?: boolean;
}

/** Stands before the value of a field that a failed VM entry is blamed on. */
export const BLAME_MARK = '\u26a0 ';
/** Stands behind the value of a field that the VMM has written since the last VM exit. */
export const WRITTEN_NOTE = ' \u2190 written since the VM exit';

/** The address space that a field's value is an address of; undefined for what is no address. */
export function spaceOfField({ name, decode, group }: Field): SpaceName | undefined {
  if (name === 'GUEST_PHYSICAL_ADDRESS' || name === 'GUEST_CR3') return 'gpa';
  if (decode === 'address' || decode === 'eptp') return 'hpa';
  if (name === 'GUEST_LINEAR_ADDRESS') return 'guest';
  if (name === 'HOST_CR3') return 'hpa';
  if (!/_(RIP|RSP|BASE|ESP|EIP)$/.test(name)) return undefined;
  return group === 'guest' ? 'guest' : group === 'host' ? 'vmm' : undefined;
}

/** A place that an address field can be looked at. EPTP's low bits are none of the address. */
function referenceOf(field: Field, value: bigint): string | undefined {
  const space = spaceOfField(field);
  const address = field.decode === 'eptp' ? value & 0x000f_ffff_ffff_f000n : value;
  return space === undefined || address === 0n || value === 0xffff_ffff_ffff_ffffn ? undefined : `${space}:${hex(address)}`;
}

/** Parts of a value: its bits, or what an exit qualification says. */
function parts(field: Field, value: bigint, context: DecodeContext): InspectionNode[] {
  const decoded = decodeField(field, value, context);
  if (decoded.bits?.length) return bitNodes(decoded);
  if (field.decode !== 'exit-qualification' || context.exitReason === undefined) return [];
  return Object.entries(decodeQualification(context.exitReason & 0xffff, value).details).map(([name, detail]) => ({ name, value: typeof detail === 'number' && detail > 9 ? `${hex(detail)} (${detail})` : String(detail) }));
}

/** What is asked of a VMCS: the current one, or another in memory. */
export interface VmcsFields extends Pick<VmxInspection, 'currentVmcs' | 'readField' | 'writeField' | 'fieldWriter'> {
  /** Not the current one: expressions name it by its address. */
  inMemory?: true;
}

/** Who knows a VMCS: the processor that it is current on keeps its fields, else they are in its region. */
export const vmxOf = (target: Target, address: number): VmxInspection => target.machine.vmx.find(({ currentVmcs }) => currentVmcs === address) ?? target.vmx;

/** A VMCS that is not current, by its region. */
export const vmcsInMemory = (vmx: VmxInspection, address: number): VmcsFields => ({
  inMemory: true,
  currentVmcs: address,
  readField: (encoding) => vmx.readFieldOf(address, encoding),
  writeField: (encoding, value) => vmx.writeFieldOf(address, encoding, value),
  fieldWriter: () => undefined,
});

/** A VMCS by the address of its region: of the current one more is known than the region holds. */
export const vmcsAt = (target: Target, address: number): VmcsFields => (address === target.vmx.currentVmcs ? target.vmx : vmcsInMemory(vmxOf(target, address), address));

/** Those that have been current and still are VMCSs, by the addresses of their regions. */
export function knownVmcs({ vmx, recorder, machine }: Target): number[] {
  const current = machine.vmx.flatMap(({ currentVmcs }) => currentVmcs ?? []);
  return [...new Set([...recorder.knownVmcs, ...current])].filter((address) => vmx.launched(address) !== undefined);
}

/** The line of one field. */
export function fieldNode(vmx: VmcsFields, field: Field, value: bigint, context: DecodeContext, facts: VmcsFacts, wrong?: readonly string[]): InspectionNode {
  const writer = vmx.fieldWriter(field.encoding);
  const written = writer !== undefined && facts.lastExit !== undefined && writer.icount > facts.lastExit;
  const children = parts(field, value, context);
  const undefinedWords = undefinedNote(field.encoding, (encoding) => vmx.readField(encoding));
  return {
    name: field.name,
    value: `${wrong ? BLAME_MARK : ''}${fieldText(field, value, context)}${undefinedWords ? `, ${undefinedWords}` : ''}${written ? WRITTEN_NOTE : ''}`,
    ...(undefinedWords && { notDefined: true }),
    evaluateName: fieldName(field, vmx.inMemory && vmx.currentVmcs),
    ...(facts.pinned && { watch: fieldName(field, vmx.currentVmcs) }),
    // Made when it is looked at: it asks the line tables.
    get description() {
      const width = field.width === 'natural' ? 'natural width' : `${field.width} bits`;
      return `Encoding ${hex(field.encoding, 4)}, ${width}${writer ? `; last written at ${facts.describe(writer.rip, writer.returns)}` : ''}.${wrong ? ` The VM entry failed: ${wrong.join(' ')}` : ''}`;
    },
    // Another VMCS's guest has another memory than the one that addresses are looked up in.
    memoryReference: undefinedWords || (vmx.inMemory && field.group === 'guest') ? undefined : referenceOf(field, value),
    origin: writer && facts.place ? () => facts.place!(writer.rip, writer.returns) : undefined,
    children: children.length ? () => children : undefined,
    write: (text) => setField(vmx, field, parseInteger(text)),
  };
}

/** Sets a field as the debugger; throws a UserError when there is no current VMCS or no such field in it. */
export function setField(vmx: Pick<VmxInspection, 'writeField'>, field: Field, value: bigint): void {
  const bits = field.width === 'natural' ? 64 : field.width;
  if (!vmx.writeField(field.encoding, BigInt.asUintN(bits, value))) throw new UserError('vmcs', `${field.name} cannot be set: there is no current VMCS that has it.`);
}

/** The groups with the fields that exist on this processor, those of `blame` marked; none when there is no current VMCS. */
export function vmcsGroups(vmx: VmcsFields, facts: VmcsFacts, blame?: Blame): InspectionGroup[] {
  if (vmx.currentVmcs === undefined) return [];
  const context = decodeContext(vmx);
  return GROUPS.map(([group, name]) => {
    const fields = FIELDS.filter((f) => f.group === group).sort((a, b) => rank(a) - rank(b));
    const nodes = fields.flatMap((field) => {
      const value = vmx.readField(field.encoding);
      return value === undefined ? [] : [fieldNode(vmx, field, value, context, facts, blame?.get(field.encoding))];
    });
    const blamed = fields.filter((field) => blame?.has(field.encoding)).length;
    return { name, nodes, ...(blamed === 0 ? {} : { note: `${BLAME_MARK}${blamed} ${blamed === 1 ? 'field' : 'fields'} to look at` }) };
  });
}
