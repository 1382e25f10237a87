/** Whether GDB and the debug adapter say the same of a stack: sentences about what differs. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { GdbFrame, GdbValue } from './gdbProcess';

/** A variable as the adapter tells it, with as many of its members as GDB was asked for. */
export interface OwnValue {
  name: string;
  value: string;
  children?: OwnValue[];
}
export interface OwnFrame {
  name: string;
  line: number;
  locals: OwnValue[];
}

export class Counts {
  frames = 0;
  /** Numbers compared, those inside of structs and arrays among them. */
  values = 0;
  /** Variables that have no value here, for both. */
  unavailable = 0;
  /** Floating point and whatever else no number is. */
  notCompared = 0;
}

/** The number that a value's text begins with; a name of C's for one too. */
function numberOf(text: string): bigint | undefined {
  const digits = /^-?(?:0x[0-9a-f]+|\d+)/i.exec(text)?.[0];
  if (digits !== undefined) return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits);
  return text === 'true' ? 1n : text === 'false' ? 0n : undefined;
}

/** A function's name without what it takes, in `()` and in `<>`, which compilers and GDB write in several ways. */
function bareName(name: string): string {
  let depth = 0;
  let bare = '';
  for (const letter of name.replace('operator()', 'operator').replace('(anonymous namespace)', '').replace(/ const$/, '')) {
    if (letter === '<' || letter === '(') depth++;
    if (depth === 0) bare += letter;
    if (letter === '>' || letter === ')') depth--;
  }
  return bare;
}

/** Whether a function is the one that GDB names, of Rust and C++ with what it is in. */
export const isNamed = (ours: string, theirs: string): boolean => theirs === ours || theirs.endsWith(`::${ours}`) || `::${bareName(theirs)}`.endsWith(`::${bareName(ours)}`);

/** Enumerators are told by name, and flags as a set whose number stands behind it. */
function sameValue(gdb: GdbValue, text: string): boolean {
  const wanted = BigInt.asUintN(64, BigInt(gdb.value!));
  const number = numberOf(text) ?? numberOf(/\((0x[0-9a-f]+|-?\d+)\)$/.exec(text)?.[1] ?? '');
  if (number !== undefined) return BigInt.asUintN(64, number) === wanted;
  // An enumerator stands in its enumeration, and that in namespaces.
  return text === gdb.text || gdb.text!.endsWith(`::${text}`) || gdb.text!.replace(/^\(|\)$/g, '').split(' | ').sort().join() === text.split(' | ').sort().join();
}

/** No code is in the first page. */
const PAGE = 0x1000;

/** Nothing of it is anywhere: a struct without members has nothing that could be. */
const isGone = (gdb: GdbValue): boolean => gdb.gone === true || (gdb.children !== undefined && gdb.children.every(isGone));

/** How many elements a slice of Rust has, which for GDB is a struct; undefined for anything else, and where the length is nowhere. */
function sliceLength({ children }: GdbValue): number | undefined {
  const [pointer, length] = children ?? [];
  return children?.length === 2 && pointer!.name === 'data_ptr' && length!.name === 'length' && length!.value !== undefined ? Number(length!.value) : undefined;
}

/** An enum of Rust is what its variant carries here; for GDB it is a struct of a number and that. */
function carried(gdb: GdbValue): GdbValue {
  const [number, variant] = gdb.children ?? [];
  return gdb.children?.length === 2 && number!.name === '' && number!.value !== undefined && variant!.children ? variant! : gdb;
}

function compareValue(told: GdbValue, own: OwnValue, where: string, counts: Counts): string[] {
  const gdb = carried(told);
  if (gdb.other) {
    counts.notCompared++;
    return [];
  }
  if (gdb.children) {
    // A slice is its elements here, of which as many have been asked for as a pointer and a length are.
    const length = sliceLength(gdb);
    if (length !== undefined) {
      const count = Math.min(length, gdb.children.length);
      return (own.children?.length ?? 0) === count ? [] : [`${where} has ${length} elements for gdb: ours ${own.value}`];
    }
    // A struct none of which is anywhere has no children here.
    if (!own.children) return gdb.children.length === 0 || isGone(gdb) ? [] : [`${where} has members for gdb: ours ${own.value}`];
    return gdb.children.flatMap((child, i) => {
      const mine = own.children![i];
      if (!mine || (mine.name !== child.name && child.name !== '')) return [`${where}: gdb's member ${child.name}, ours ${mine?.name ?? 'none'}`];
      return compareValue(child, mine, child.name.startsWith('[') ? where + child.name : `${where}.${child.name}`, counts);
    });
  }
  if (gdb.value === undefined) {
    counts.unavailable++;
    return numberOf(own.value) === undefined ? [] : [`${where} is ${gdb.error ?? 'optimized out'} for gdb, ours ${own.value}`];
  }
  counts.values++;
  return sameValue(gdb, own.value) ? [] : [`${where}: gdb ${gdb.text} (${gdb.value}), ours ${own.value}`];
}

export function compareStacks(gdb: readonly GdbFrame[], own: readonly OwnFrame[], counts: Counts): string[] {
  const wrong: string[] = [];
  // Beyond the first frame without a function, or at address 0, GDB follows whatever lies on the stack.
  const end = gdb.findIndex((f) => f.name === null || f.pc < PAGE);
  for (const [i, theirs] of gdb.slice(0, end < 0 ? gdb.length : end).entries()) {
    const ours = own[i];
    if (!ours) {
      wrong.push(`#${i} ${theirs.name}: not in ours`);
      break;
    }
    counts.frames++;
    // Where only a label is known, we tell the distance from it.
    const sameName = isNamed(ours.name.replace(/\+0x[0-9a-f]+$/, ''), theirs.name!);
    if (!sameName || (theirs.line !== 0 && ours.line !== theirs.line)) {
      wrong.push(`#${i} gdb ${theirs.name}:${theirs.line}, ours ${ours.name}:${ours.line}`);
      if (!sameName) break;
    }
    for (const local of theirs.locals) {
      const mine = ours.locals.find((v) => v.name === local.name);
      if (mine) wrong.push(...compareValue(local, mine, `#${i} ${theirs.name}:${theirs.line} ${local.name}`, counts));
      else wrong.push(`#${i} ${theirs.name}: no local ${local.name}${isGone(local) ? ', which is optimized out' : ''}`);
    }
    for (const mine of ours.locals) if (!theirs.locals.some((l) => l.name === mine.name)) wrong.push(`#${i} ${theirs.name}: gdb has no local ${mine.name}`);
  }
  return wrong;
}

/** How a client gets at the adapter's variables. */
export type Ask = (variablesReference: number, count: number) => Promise<DebugProtocol.Variable[]>;

/** The adapter's value with those children that GDB was asked for. */
export async function ownValue(variable: DebugProtocol.Variable, told: GdbValue | undefined, ask: Ask): Promise<OwnValue> {
  const gdb = told && carried(told);
  const { name, value, variablesReference } = variable;
  if (!gdb?.children?.length || !variablesReference) return { name, value };
  const list = await ask(variablesReference, gdb.children.length);
  const children: OwnValue[] = [];
  for (const [i, child] of list.slice(0, gdb.children.length).entries()) children.push(await ownValue(child, gdb.children[i], ask));
  return { name, value, children };
}
