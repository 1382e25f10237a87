/** What the functions of inspection do. Each yields a number, so that it can be part of an expression, and lines to look at. */
import { UserError } from '../../base/errors';
import { hex } from '../../base/bits';
import { gdtNode, idtNode, tssNode } from '../inspect/descriptorTables';
import { exitsNode } from '../inspect/exits';
import { linearRangesNode } from '../inspect/linearRanges';
import { mappingsNode } from '../inspect/mappings';
import { eptRangesNode, memoryMapsNode } from '../inspect/memoryMaps';
import type { InspectionNode } from '../inspect/node';
import { symbolFilesNode } from '../inspect/symbolFiles';
import { textTable } from '../inspect/table';
import { translationNode, type EntriesBefore } from '../inspect/translation';
import { vmcsGroups, type VmcsFacts } from '../inspect/vmcs';
import type { GuestMap } from '../memory/guestMap';
import { linearRanges } from '../memory/linearRanges';
import type { SpaceName } from '../memory/memorySpace';
import { translate, walkOfGpa } from '../memory/translation';
import { readNamed } from '../registers/registerFile';
import type { Target } from '../target';
import type { World } from '../world';
import { UNSIGNED_LONG } from './arithmetic';
import { computed, type Evaluated, type EvaluatedIn } from './evaluated';
import { INSPECTION_FUNCTIONS } from './inspectionNames';

/** What the debugger knows beside the machine. */
export interface EvaluatorFacts {
  vmcs(): VmcsFacts;
  guestMap(): GuestMap | undefined;
  /** The entries that the translation of an address used at the last VM exit, when somebody watches it. */
  entriesAtExit(space: SpaceName, address: bigint): EntriesBefore | undefined;
}

interface Call {
  target: Target;
  facts: EvaluatorFacts;
  /** The world whose addresses are meant where nothing else is said. */
  world: World;
  integer(argument: Evaluated): bigint;
  common: EvaluatedIn;
}

interface Result {
  number: bigint;
  node: InspectionNode;
}

const LAST_EXITS = 20;

/** The address that an argument means, in the space that it names or in its world's linear one. */
export function placeOf(argument: Evaluated, integer: (e: Evaluated) => bigint): { space: SpaceName; address: bigint } {
  const { location } = argument.value;
  // A variable that is no pointer or number, such as a struct, stands for its address.
  const kind = argument.value.type.kind;
  const address = location.kind === 'memory' && (kind === 'struct' || kind === 'array' || kind === 'function') ? location.address : integer(argument);
  return { space: argument.space, address: BigInt.asUintN(64, address) };
}

const FUNCTIONS: Record<string, (list: readonly Evaluated[], call: Call) => Result> = {
  walk([argument], call) {
    const { space, address } = placeOf(argument!, call.integer);
    const translation = translate(call.target, space, address);
    return { number: BigInt(translation.hpa ?? 0), node: translationNode(translation, call.facts.entriesAtExit(space, address)) };
  },

  ept([argument], call) {
    if (!argument) {
      const node = eptRangesNode(call.target);
      if (!node) throw new UserError('expression', 'No EPT is in use: there is no current VMCS, or its control "enable EPT" is 0.');
      return { number: 0n, node };
    }
    const gpa = BigInt.asUintN(64, call.integer(argument));
    if (!walkOfGpa(call.target, gpa)) throw new UserError('expression', 'No EPT is in use: there is no current VMCS, or its control "enable EPT" is 0.');
    const translation = translate(call.target, 'gpa', gpa);
    return { number: BigInt(translation.hpa ?? 0), node: translationNode(translation, call.facts.entriesAtExit('gpa', gpa)) };
  },

  maps([argument], call) {
    const { space, address } = placeOf(argument!, call.integer);
    const { hpa, stop } = translate(call.target, space, address);
    if (hpa === undefined) throw new UserError('expression', `${space}:${hex(address)} is not mapped to any frame. ${stop}`);
    return { number: BigInt(hpa), node: mappingsNode(call.target, hpa) };
  },

  pages: (_, call) => ({ number: BigInt(linearRanges(call.target, call.world)?.ranges.length ?? 0), node: linearRangesNode(call.target, call.world) }),
  idt: (_, call) => ({ number: registerOf(call, 'idtr_base'), node: idtNode(call.target, call.world) }),
  gdt: (_, call) => ({ number: registerOf(call, 'gdtr_base'), node: gdtNode(call.target, call.world) }),
  tss: (_, call) => ({ number: registerOf(call, 'tr_base'), node: tssNode(call.target, call.world) }),

  e820: (_, call) => ({ number: BigInt(call.facts.guestMap()?.ranges.length ?? 0), node: memoryMapsNode(call.target, call.facts.guestMap()) }),

  exits([argument], call) {
    const count = argument ? Number(call.integer(argument)) : LAST_EXITS;
    return { number: BigInt(call.target.vmx.exits), node: exitsNode(call.target, Math.max(1, count)) };
  },

  vmcs([argument], call) {
    const wanted = argument ? textOf(argument) : '';
    const { target, facts } = call;
    if (target.vmx.currentVmcs === undefined) throw new UserError('expression', 'There is no current VMCS: no VMPTRLD has been executed, or a VMCLEAR since.');
    const groups = vmcsGroups(target.vmx, facts.vmcs()).map((g) => ({ ...g, nodes: g.nodes.filter((n) => n.name.toLowerCase().includes(wanted.toLowerCase())) })).filter((g) => g.nodes.length > 0);
    const count = groups.reduce((sum, g) => sum + g.nodes.length, 0);
    if (count === 0) throw new UserError('expression', `No field of the VMCS has "${wanted}" in its name.`);
    return {
      number: BigInt(target.vmx.currentVmcs),
      node: {
        name: 'vmcs()',
        value: `${count} field${count === 1 ? '' : 's'} of the VMCS at hpa:${hex(target.vmx.currentVmcs)}`,
        children: () => (groups.length === 1 ? groups[0]!.nodes : groups.map((g) => ({ name: g.name, value: '', children: () => g.nodes }))),
        table: () => groups.map((g) => `${g.name}\n${textTable([], g.nodes.map((n) => [n.name, n.value])).replace(/^/gm, '  ')}`).join('\n'),
      },
    };
  },

  symbols: (_, call) => ({ number: BigInt(call.target.images.images.length), node: symbolFilesNode(call.target) }),
};

const registerOf = ({ target, world }: Call, name: string): bigint => readNamed(target.registers(world), name) ?? 0n;

/** The characters of a string constant. */
function textOf(argument: Evaluated): string {
  const { location } = argument.value;
  if (location.kind !== 'value') throw new UserError('expression', 'vmcs() takes a part of a field\'s name in quotation marks, as in vmcs("GUEST_C").');
  return new TextDecoder().decode(location.bytes).replace(/\0$/, '');
}

/** Calls a function of inspection. Throws a UserError that says what it takes, or why it has nothing to tell. */
export function inspect(name: string, list: readonly Evaluated[], call: Call): Evaluated {
  const known = INSPECTION_FUNCTIONS.find((f) => f.name === name)!;
  if (list.length < known.least || list.length > known.most) throw new UserError('expression', `${name}() is called as ${known.signature}.`);
  const { number, node } = FUNCTIONS[name]!(list, call);
  return { ...computed(`${name}()`, UNSIGNED_LONG, number, call.common), node };
}
