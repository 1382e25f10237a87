/** What can stand at the end of an expression that is being typed. */
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import { lookupAddress } from '../../symbols/frame';
import { stripped, typeName, type StructType } from '../../symbols/types';
import { FIELDS } from '../../vmx/tables';
import { ALIAS_NAMES, REGISTERS } from '../registers/registerTable';
import type { SymbolImage } from '../../symbols/image';
import type { CodeFrame } from '../stack/callStack';
import { frameVariables } from '../stack/frameScopes';
import type { World } from '../world';
import type { Evaluator } from './evaluator';
import { INSPECTION_FUNCTIONS } from './inspectionNames';

export interface Completion {
  label: string;
  kind: 'variable' | 'function' | 'property' | 'keyword' | 'field' | 'constant' | 'type';
  /** Type or meaning. */
  detail?: string | undefined;
  /** What is inserted, where that is not the label. */
  text?: string | undefined;
}

export interface Completions {
  /** Characters before the end that a completion replaces. */
  length: number;
  list: Completion[];
}

const MOST = 200;
const SPACES: readonly [string, string][] = [
  ['gpa:', 'guest-physical memory'],
  ['hpa:', 'host-physical memory'],
  ['vmm:', 'the VMM\'s linear memory and variables'],
  ['guest:', 'the guest\'s linear memory and variables'],
];

/** Where the operand of a `.` or `->` at the end of `text` begins: names, calls and subscripts are skipped as wholes. */
function operandStart(text: string): number {
  let at = text.length;
  for (let depth = 0; at > 0; at--) {
    const c = text[at - 1]!;
    if (c === ')' || c === ']') depth++;
    else if (c === '(' || c === '[') {
      if (depth === 0) break;
      depth--;
    } else if (depth === 0 && !/[A-Za-z0-9_.:$>-]/.test(c)) break;
    // A minus or greater-than that is no arrow ends the operand.
    else if (depth === 0 && c === '>' && text[at - 2] !== '-') break;
    else if (depth === 0 && c === '-' && text[at] !== '>') break;
  }
  return at;
}

/** Members of the struct that an expression is or points to. */
function members(evaluator: Evaluator, operand: string): Completion[] {
  try {
    const { value } = evaluator.evaluate(operand, false).result;
    const bare = stripped(value.type);
    const struct = bare.kind === 'pointer' ? stripped(bare.target) : bare.kind === 'array' ? stripped(bare.element) : bare;
    return struct.kind === 'struct' ? flat(struct) : [];
  } catch (error) {
    // What is being typed need not make sense yet.
    if (error instanceof UserError) return [];
    throw error;
  }
}

/** Members of anonymous structs and unions count as the outer one's. */
const flat = (struct: StructType): Completion[] =>
  struct.members.flatMap((m): Completion[] => {
    const inner = stripped(m.type);
    if (m.name === '') return inner.kind === 'struct' ? flat(inner) : [];
    return [{ label: m.name, kind: 'field', detail: typeName(m.type) }];
  });

function machineNames(word: string): Completion[] {
  const world = /^\$(vmm|guest)\./i.exec(word)?.[1];
  const prefix = world ? `$${world}.` : '$';
  const registers = [
    ...REGISTERS.map((r): Completion => ({ label: `${prefix}${r.name}`, kind: 'property', detail: `register, ${r.bits} bits` })),
    ...ALIAS_NAMES.map((name): Completion => ({ label: `${prefix}${name}`, kind: 'property', detail: 'part of a register' })),
  ];
  if (world) return registers;
  return [
    ...registers,
    { label: '$vmm', kind: 'property', detail: 'registers of the VMM' },
    { label: '$guest', kind: 'property', detail: 'registers of the guest' },
    { label: '$vmcs', kind: 'property', detail: 'the current VMCS' },
    { label: '$vmcs(address)', text: '$vmcs(', kind: 'property', detail: 'the VMCS in the region there' },
    ...FIELDS.map((f): Completion => ({ label: `$vmcs.${f.name}`, kind: 'property', detail: `VMCS field, ${f.width === 'natural' ? 'natural width' : `${f.width} bits`}` })),
  ];
}

const begins = (name: string, word: string): boolean => name.toLowerCase().startsWith(word.toLowerCase());

/** Types that begin with a word, as they are written behind `keyword` (struct, union, enum), or alone where there is none. */
function types(image: SymbolImage, word: string, keyword?: string): Completion[] {
  const written = (name: string): string => (keyword === undefined ? name : `${keyword} ${name}`);
  // `guest` alone names no type of C where there is a struct guest.
  const isWritten = (name: string): boolean => image.types(written(name)).some((type) => typeName(type) === written(name));
  return first(image.names('type'), (name) => begins(name, word) && isWritten(name)).map((label): Completion => ({ label, kind: 'type', detail: 'type' }));
}

/** The first names that something holds of, as many as are shown. */
function first(names: Iterable<string>, holds: (name: string) => boolean): string[] {
  const found: string[] = [];
  for (const name of names) {
    if (found.length === MOST) break;
    if (holds(name)) found.push(name);
  }
  return found;
}

/** What an image has thousands of: told once there is something to tell them apart by. */
function manyNames(image: SymbolImage, word: string): Completion[] {
  if (word === '') return [];
  const named = (kind: 'function' | 'enumerator', as: Completion['kind'], detail: string): Completion[] => first(image.names(kind), (name) => begins(name, word)).map((label): Completion => ({ label, kind: as, detail }));
  return [...named('function', 'function', 'function of the program'), ...named('enumerator', 'constant', 'enumerator'), ...types(image, word)];
}

function names(frame: CodeFrame | undefined, word: string): Completion[] {
  const image = frame?.image?.image;
  const locals = frame && image ? frameVariables(frame).map((v): Completion => ({ label: v.name, kind: 'variable', detail: typeName(v.type) })) : [];
  return [
    ...locals,
    ...INSPECTION_FUNCTIONS.map((f): Completion => ({ label: f.signature, text: f.most === 0 ? `${f.name}()` : `${f.name}(`, kind: 'function', detail: f.sentence })),
    ...SPACES.map(([label, detail]): Completion => ({ label, kind: 'keyword', detail })),
    ...(image ? image.globalNames().map((label): Completion => ({ label, kind: 'variable', detail: 'global' })) : []),
    ...(image ? manyNames(image, word) : []),
    ...(frame && image ? image.macros.names(lookupAddress(frame.frame)).filter((name) => !name.startsWith('__')).map((label): Completion => ({ label, kind: 'constant', detail: 'macro' })) : []),
  ];
}

const FIELD_NAMES: readonly Completion[] = FIELDS.map((f) => ({ label: f.name, kind: 'property', detail: 'VMCS field' }));

/** Addresses of VMCSs, behind `$vmcs(`. */
function vmcsAddresses(evaluator: Evaluator, typed: string, closing: string): Completions {
  const list = evaluator.vmcsAddresses.map((address) => hex(address)).filter((label) => begins(label, typed)).map((label): Completion => ({ label, text: label + closing, kind: 'constant', detail: 'a VMCS' }));
  return { length: typed.length, list };
}

/** Completions for `text`, which ends where the user types. `frameIn` tells where the other world stands, for `guest:` and `vmm:`. */
export function complete(text: string, frame: CodeFrame | undefined, evaluator: () => Evaluator, frameIn: (world: World) => CodeFrame | undefined): Completions {
  const member = /(\.|->)([A-Za-z_][A-Za-z0-9_]*)?$/.exec(text);
  const machine = /\$[A-Za-z0-9_.]*$/.exec(text)?.[0];
  const word = machine ?? /[A-Za-z_][A-Za-z0-9_]*$/.exec(text)?.[0] ?? '';
  const before = text.slice(0, text.length - word.length);
  const keyword = /\b(struct|union|enum)\s+$/.exec(before)?.[1];
  const world = /\b(vmm|guest):$/.exec(before)?.[1] as World | undefined;
  let all: readonly Completion[];
  const region = /\$vmcs([([])(0x[0-9a-f]*)?$/i.exec(text);
  if (region) return vmcsAddresses(evaluator(), region[2] ?? '', region[1] === '(' ? ')' : ']');
  if (machine !== undefined) all = machineNames(machine);
  else if (member) {
    const object = text.slice(0, member.index);
    const operand = object.slice(operandStart(object));
    all = /^\$vmcs\s*[([]/i.test(operand) ? FIELD_NAMES : members(evaluator(), operand);
  } else if (/\bvmcs\(\s*"$/.test(before)) all = FIELD_NAMES;
  else if (keyword !== undefined) all = frame?.image ? types(frame.image.image, word, keyword) : [];
  else all = names(world === undefined ? frame : frameIn(world), word);
  const seen = new Set<string>();
  const list = all.filter(({ label }) => begins(label, word) && !seen.has(label) && seen.add(label));
  return { length: word.length, list: list.slice(0, MOST) };
}
