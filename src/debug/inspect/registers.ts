/** The registers of a world as lines, with their parts in words. */
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import type { BitText, Decoded } from '../../vmx/tables';
import { REGISTERS, type Register } from '../registers/registerTable';
import type { RegisterFile } from '../registers/registerFile';
import { isWatchable, nameOf } from '../watch/watchable';
import { WORLD_NAME } from '../world';
import { descriptorNode } from './descriptor';
import { parseInteger } from './integer';
import type { InspectionGroup, InspectionNode } from './node';
import { registerText, registerWords, vectorNodes } from './registerWords';

/** What a control does; of one that is off it is said what it would do. */
const meaning = ({ sentence, value }: BitText): string => (sentence === undefined ? '' : value ? `: ${sentence}` : ` (when 1: ${sentence})`);

/** Parts of a value as children: bits that are set first would hide what is missing, so all are told, in order. */
export function bitNodes(decoded: Decoded): InspectionNode[] {
  return (decoded.bits ?? []).map((b) => ({
    name: b.name,
    value: `${b.high === b.low ? b.text : b.text === String(b.value) ? b.text : `${b.value} (${b.text})`}${meaning(b)}`,
    description: `${b.high === b.low ? `Bit ${b.low}` : `Bits ${b.high}:${b.low}`}.${b.sentence === undefined ? '' : ` When 1: ${b.sentence}`}`,
  }));
}

/** Sets a register; throws a UserError when its world does not let it be set now. */
export function setRegister(file: RegisterFile, register: Register, value: bigint): void {
  if (file.write(register, BigInt.asUintN(register.bits, value))) return;
  throw new UserError('register', `${register.name} of the ${WORLD_NAME[file.world]} cannot be set now: ${whyNot(file)}`);
}

const whyNot = (file: RegisterFile): string =>
  file.world === 'guest' ? 'the VMM holds it in its own memory since the VM exit; change it there.' : 'the processor holds the guest\'s, and the VMM loads its own after the next VM exit.';

/** Reads memory of the registers' world: little-endian, undefined where nothing is mapped. */
export type ReadWorldMemory = (address: bigint, size: number) => bigint | undefined;

/** Parts of a register. */
function parts(register: Register, value: bigint): (() => InspectionNode[]) | undefined {
  if (register.decode === 'vector') return () => vectorNodes(register, value);
  const words = registerWords(register, value);
  return words?.bits?.length ? () => bitNodes(words) : undefined;
}

/** The line of one register; undefined when it is not known now. */
export function registerNode(file: RegisterFile, register: Register, prefix: string): InspectionNode | undefined {
  const value = file.read(register);
  if (value === undefined) return undefined;
  return {
    name: register.name,
    value: registerText(register, value),
    evaluateName: `$${prefix}${register.name}`,
    ...(isWatchable(register) && { watch: nameOf({ kind: 'register', world: file.world, register }) }),
    memoryReference: memoryReference(file, register, value),
    children: parts(register, value),
    write: (text) => setRegister(file, register, parseInteger(text)),
  };
}

function memoryReference({ world }: RegisterFile, register: Register, value: bigint): string | undefined {
  if (register.address === undefined || value === 0n) return undefined;
  if (register.address === 'linear') return `${world}:${hex(value)}`;
  return `${world === 'guest' ? 'gpa' : 'hpa'}:${hex(value & 0x000f_ffff_ffff_f000n)}`;
}

/** The registers of a world that are known now, by group. `qualified` puts the world into the names for Watch; with `read` segments show their descriptors too. */
export function registerGroups(file: RegisterFile, qualified: boolean, read?: ReadWorldMemory): InspectionGroup[] {
  const prefix = qualified ? `${file.world}.` : '';
  const groups = new Map<string, InspectionNode[]>();
  for (const register of REGISTERS) {
    const line = registerNode(file, register, prefix);
    if (!line) continue;
    const nodes = groups.get(register.group) ?? [];
    groups.set(register.group, nodes);
    nodes.push(line);
  }
  return [...groups].map(([name, nodes]) => ({ name, nodes: name === 'Segments' ? nestSegments(nodes, file, read) : nodes }));
}

/** Base, limit and access rights of a segment stand under its selector. */
function nestSegments(nodes: readonly InspectionNode[], file: RegisterFile, read: ReadWorldMemory | undefined): InspectionNode[] {
  const top: InspectionNode[] = [];
  const partsOf = new Map<string, InspectionNode[]>();
  for (const node of nodes) {
    const [, segment, part] = /^([a-z]+)_(base|limit|access)$/.exec(node.name) ?? [];
    if (segment === undefined) {
      top.push(node);
      continue;
    }
    if (!top.some((t) => t.name === segment)) top.push({ name: segment, value: '' });
    const list = partsOf.get(segment) ?? [];
    partsOf.set(segment, list);
    list.push({ ...node, name: part! });
  }
  return top.map((node) => {
    const list = partsOf.get(node.name) ?? [];
    // GDTR and IDTR have no selector: their base stands for them.
    if (node.value === '') return { ...node, value: list.map((c) => `${c.name} ${c.value}`).join(', '), memoryReference: list[0]?.memoryReference, children: () => list };
    const rights = list.find((n) => n.name === 'access');
    const descriptor = read && descriptorNode(file, node.name, read);
    return {
      ...node,
      value: rights ? `${rights.value.replace(/ \(0x[0-9a-f]+\)$/, '')}, selector ${/0x[0-9a-f]+/.exec(node.value)?.[0]}` : node.value,
      children: () => [{ name: 'selector', value: node.value }, ...list, ...(descriptor ? [descriptor] : [])],
    };
  });
}
