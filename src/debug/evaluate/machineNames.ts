/** What `$` names: registers of a world and fields of the VMCS. */
import { UserError } from '../../base/errors';
import { hex } from '../../base/bits';
import type { Numeric } from '../../symbols/values';
import { nearest } from '../../base/nearest';
import { fieldNamed, fieldOf, FIELDS } from '../../vmx/tables';
import type { InspectionNode } from '../inspect/node';
import { registerGroups, registerNode, setRegister } from '../inspect/registers';
import { registerText } from '../inspect/registerWords';
import { decodeContext, fieldNode, knownVmcs, setField, spaceOfField, vmcsAt, vmcsGroups, vmxOf, type VmcsFacts, type VmcsFields } from '../inspect/vmcs';
import type { SpaceName } from '../memory/memorySpace';
import { readNamed, type RegisterFile } from '../registers/registerFile';
import { aliasNamed, REGISTERS, registerNamed } from '../registers/registerTable';
import { CALLEE_SAVED_64, REGISTER_NAMES, RSP } from '../../symbols/registers';
import type { CodeFrame } from '../stack/callStack';
import type { Target } from '../target';
import { WORLD_NAME, type World } from '../world';
import { UNSIGNED_LONG } from './arithmetic';
import { computed, type Evaluated, type EvaluatedIn, wholeNumber } from './evaluated';

const groupsNode = (name: string, value: string, groups: readonly { name: string; nodes: InspectionNode[] }[]): InspectionNode => ({
  name,
  value,
  children: () => groups.map((g) => ({ name: g.name, value: '', children: () => g.nodes })),
});

/** A value, and the address space that it is meant for when it is used as an address. */
export interface MachineValue {
  value: Evaluated;
  space: SpaceName;
}

/** Resolves `$path`. Throws a UserError that names the nearest thing there is. */
export function machineValue(target: Target, frame: CodeFrame | undefined, path: readonly string[], facts: () => VmcsFacts, common: EvaluatedIn): MachineValue {
  const [head, ...rest] = path.map((part) => part.toLowerCase());
  if (head === 'vmcs') return vmcsValue(target, path, facts, common);
  if ((head === 'vmm' || head === 'guest') && rest.length <= 1) {
    if (!target.exists(head)) throw new UserError('expression', head === 'guest' ? 'There is no guest yet: no VM entry has completed.' : 'The VMM has no state in a VMCS.');
    const file = target.registers(head);
    const rip = readNamed(file, 'rip') ?? 0n;
    if (rest.length === 0) return { value: { ...computed('$' + path.join('.'), UNSIGNED_LONG, rip, common), node: groupsNode(`$${head}`, `registers of the ${WORLD_NAME[head]}, RIP ${hex(rip)}`, registerGroups(file, true, (address, size) => target.readInteger(head, address, size))) }, space: head };
    return { value: registerValue(file, rest[0]!, path.join('.'), undefined, common), space: head };
  }
  if (rest.length > 0) throw new UserError('expression', `$${path.join('.')} is not known: after the dollar stands a register, "vmm." or "guest." and a register, or "vmcs." and a field.`);
  const world: World = frame?.world ?? target.world;
  return { value: registerValue(frame?.registers ?? target.registers(world), head!, head!, frame, common), space: world };
}

function registerValue(file: RegisterFile, name: string, shown: string, frame: CodeFrame | undefined, common: EvaluatedIn): Evaluated {
  const alias = aliasNamed(name);
  const register = registerNamed(name) ?? alias?.register;
  if (!register) {
    const near = nearest(name.replace(/^(ia32_|msr_)/, ''), REGISTERS.map((r) => r.name));
    throw new UserError('expression', `There is no register $${name}${near ? `: did you mean $${near}?` : '.'}`);
  }
  const outer = frame && frame.level > 0;
  const value = outer ? outerRegister(frame, register.name) : file.read(register);
  if (value === undefined) throw new UserError('expression', `$${shown} is not known ${outer ? 'in this frame' : `for the ${WORLD_NAME[file.world]} while the other world runs`}.`);
  const shift = BigInt(alias?.shift ?? 0);
  const bits = alias?.bits ?? register.bits;
  const mask = ((1n << BigInt(bits)) - 1n) << shift;
  const store = (number: Numeric): void => setRegister(file, register, (value & ~mask) | ((wholeNumber(number) << shift) & mask));
  const part = (value & mask) >> shift;
  const text = alias ? undefined : registerText(register, value);
  return {
    ...computed(`$${shown}`, UNSIGNED_LONG, part, common),
    store: outer ? undefined : store,
    node: text === undefined ? undefined : { ...(outer ? undefined : registerNode(file, register, '')), name: `$${shown}`, value: text },
  };
}

/** Of an outer frame only what a call keeps is known; behind an interrupt everything. */
function outerRegister({ frame }: CodeFrame, name: string): bigint | undefined {
  if (name === 'rip') return frame.pc;
  const number = REGISTER_NAMES.indexOf(name);
  return number < 0 || (frame.isCaller && number !== RSP && !CALLEE_SAVED_64.includes(number)) ? undefined : frame.register(number);
}

function vmcsValue(target: Target, path: readonly string[], facts: () => VmcsFacts, common: EvaluatedIn): MachineValue {
  const { vmx } = target;
  if (vmx.currentVmcs === undefined) throw new UserError('expression', 'There is no current VMCS: no VMPTRLD has been executed, or a VMCLEAR since.');
  return partOf(vmx, '$vmcs', path.length === 1 ? undefined : path.slice(1).join('.'), facts, common);
}

/** `$vmcs(address)`, or a field of it. Throws a UserError that names the VMCSs where there is none. */
export function vmcsNamed(target: Target, place: { space: SpaceName; address: bigint }, field: string | undefined, facts: () => VmcsFacts, common: EvaluatedIn): MachineValue {
  const address = vmcsAddress(target, place);
  return partOf(vmcsAt(target, address), `$vmcs(${hex(address)})`, field, () => ({ ...facts(), pinned: true }), common);
}

/** Physical addresses are below 2^52. */
const PHYSICAL = 1n << 52n;

/** The host-physical address of a VMCS: that, or a pointer of the VMM to its region. */
function vmcsAddress(target: Target, { space, address }: { space: SpaceName; address: bigint }): number {
  const isVmcs = (hpa: number | undefined): hpa is number => hpa !== undefined && hpa % 0x1000 === 0 && vmxOf(target, hpa).launched(hpa) !== undefined;
  const asIs = address < PHYSICAL ? Number(address) : undefined;
  if (isVmcs(asIs)) return asIs;
  const pointed = space === 'hpa' ? undefined : target.space(space).translate(address);
  if (isVmcs(pointed)) return pointed;
  const known = knownVmcs(target).map((at) => hex(at));
  throw new UserError('expression', `No VMCS is at ${hex(address)}, neither physical nor as the VMM's pointer: ${known.length === 0 ? 'none has been current yet.' : `those that have been current are at ${known.join(', ')}.`}`);
}

function partOf(vmcs: VmcsFields, name: string, wanted: string | undefined, facts: () => VmcsFacts, common: EvaluatedIn): MachineValue {
  if (wanted === undefined) {
    const whole = computed(name, UNSIGNED_LONG, BigInt(vmcs.currentVmcs!), common);
    return { value: { ...whole, node: groupsNode(name, `VMCS at hpa:${hex(vmcs.currentVmcs!)}`, vmcsGroups(vmcs, facts())) }, space: 'hpa' };
  }
  const field = /^0x[0-9a-f]+$/i.test(wanted) ? fieldOf(parseInt(wanted, 16)) : fieldNamed(wanted);
  const value = field && vmcs.readField(field.encoding);
  if (!field || value === undefined) {
    const near = field ? undefined : nearest(wanted.toUpperCase(), FIELDS.map((f) => f.name));
    throw new UserError('expression', `The VMCS has no field ${wanted}${near ? `: did you mean ${name}.${near}?` : field ? ' on this processor.' : '.'}`);
  }
  return {
    value: {
      ...computed(`${name}.${field.name}`, UNSIGNED_LONG, value, common),
      store: (number) => setField(vmcs, field, wholeNumber(number)),
      node: fieldNode(vmcs, field, value, decodeContext(vmcs), facts()),
    },
    // Another VMCS's guest has another memory.
    space: (vmcs.inMemory && field.group === 'guest' ? undefined : spaceOfField(field)) ?? common.space,
  };
}
