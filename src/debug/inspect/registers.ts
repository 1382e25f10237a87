/** The registers of a world as lines, with their parts in words. */
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import { CR0_BITS, CR4_BITS, DR7_BITS, EFER_BITS, RFLAGS_BITS, accessRightsWords, decodeBits, type Decoded } from '../../vmx/tables';
import { REGISTERS, type Register, type RegisterDecode } from '../registers/registerTable';
import type { RegisterFile } from '../registers/registerFile';
import { WORLD_NAME } from '../world';
import { parseInteger } from './integer';
import type { InspectionGroup, InspectionNode } from './node';

const DECODERS: Record<RegisterDecode, (value: bigint) => Decoded> = {
  cr0: (v) => decodeBits(v, CR0_BITS),
  cr4: (v) => decodeBits(v, CR4_BITS),
  efer: (v) => decodeBits(v, EFER_BITS),
  rflags: (v) => decodeBits(v, RFLAGS_BITS),
  dr7: (v) => decodeBits(v, DR7_BITS),
  'access-rights': (v) => accessRightsWords(Number(v)),
};

const digits = (register: Register): number => Math.max(1, register.bits / 4);

/** Parts of a value as children: bits that are set first would hide what is missing, so all are told, in order. */
export function bitNodes(decoded: Decoded): InspectionNode[] {
  return (decoded.bits ?? []).map((b) => ({
    name: b.name,
    value: b.high === b.low ? b.text : `${b.value} (${b.text})`,
    description: b.high === b.low ? `Bit ${b.low}.` : `Bits ${b.high}:${b.low}.`,
  }));
}

/** The value of a register as shown: hexadecimal, and the words of its bits. */
export function registerText(register: Register, value: bigint): string {
  const number = hex(value, digits(register));
  return register.decode ? `${DECODERS[register.decode](value).text} (${number})` : number;
}

/** Sets a register; throws a UserError when its world does not let it be set now. */
export function setRegister(file: RegisterFile, register: Register, value: bigint): void {
  if (file.write(register, BigInt.asUintN(register.bits, value))) return;
  throw new UserError('register', `${register.name} of the ${WORLD_NAME[file.world]} cannot be set now: ${whyNot(file)}`);
}

const whyNot = (file: RegisterFile): string =>
  file.world === 'guest' ? 'the VMM holds it in its own memory since the VM exit; change it there.' : 'the processor holds the guest\'s, and the VMM loads its own after the next VM exit.';

function node(file: RegisterFile, register: Register, prefix: string): InspectionNode | undefined {
  const value = file.read(register);
  if (value === undefined) return undefined;
  return {
    name: register.name,
    value: registerText(register, value),
    evaluateName: `$${prefix}${register.name}`,
    children: register.decode ? () => bitNodes(DECODERS[register.decode!](value)) : undefined,
    write: (text) => setRegister(file, register, parseInteger(text)),
  };
}

/** The registers of a world that are known now, by group. `qualified` puts the world into the names for Watch. */
export function registerGroups(file: RegisterFile, qualified: boolean): InspectionGroup[] {
  const prefix = qualified ? `${file.world}.` : '';
  const groups = new Map<string, InspectionNode[]>();
  for (const register of REGISTERS) {
    const line = node(file, register, prefix);
    if (!line) continue;
    const nodes = groups.get(register.group) ?? [];
    groups.set(register.group, nodes);
    nodes.push(line);
  }
  return [...groups].map(([name, nodes]) => ({ name, nodes: name === 'Segments' ? nestSegments(nodes) : nodes }));
}

/** Base, limit and access rights of a segment stand under its selector. */
function nestSegments(nodes: InspectionNode[]): InspectionNode[] {
  const top: InspectionNode[] = [];
  const parts = new Map<string, InspectionNode[]>();
  for (const node of nodes) {
    const [, segment, part] = /^([a-z]+)_(base|limit|access)$/.exec(node.name) ?? [];
    if (segment === undefined) {
      top.push(node);
      continue;
    }
    if (!top.some((t) => t.name === segment)) top.push({ name: segment, value: '' });
    const list = parts.get(segment) ?? [];
    parts.set(segment, list);
    list.push({ ...node, name: part! });
  }
  for (const node of top) {
    const children = parts.get(node.name);
    if (children) node.children = () => children;
    // GDTR and IDTR have no selector: their base stands for them.
    if (node.value === '') node.value = children?.map((c) => `${c.name} ${c.value}`).join(', ') ?? '';
  }
  return top;
}
