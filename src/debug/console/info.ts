/** `info WORD`: what GDB, Bochs and QEMU's monitor tell by that word. */
import { hex } from '../../base/bits';
import { nearest } from '../../base/nearest';
import { UserError } from '../../base/errors';
import { lookupAddress } from '../../symbols/frame';
import { localNodes } from '../inspect/locals';
import type { InspectionNode } from '../inspect/node';
import { registerGroups } from '../inspect/registers';
import { textTable } from '../inspect/table';
import { registerNamed, type RegisterGroup } from '../registers/registerTable';
import { addressName, addressPlace, type CodeFrame } from '../stack/callStack';
import { fileWords } from '../stack/fileWords';
import { WORLD_NAME } from '../world';
import { shown, type ConsoleContext } from './command';

interface Topic {
  names: readonly string[];
  sentence: string;
  run(context: ConsoleContext, rest: string): string;
}

const MOST_FUNCTIONS = 100;

const table = (nodes: readonly InspectionNode[]): string => textTable([], nodes.map((n) => [n.name, n.value]));

function frameOf({ frame }: ConsoleContext): CodeFrame {
  if (!frame) throw new UserError('console', 'No frame is selected: there is no code that symbols know.');
  return frame;
}

/** Groups of registers as a table. */
export function registerTable(context: ConsoleContext, groups: readonly RegisterGroup[]): string {
  const { target } = context.debugger;
  const world = context.frame?.world ?? target.world;
  const wanted = registerGroups(target.registers(world), false, (address, size) => target.readInteger(world, address, size)).filter((g) => (groups as readonly string[]).includes(g.name));
  return wanted.map((g) => (wanted.length === 1 ? '' : `${g.name}\n`) + table(g.nodes)).join('\n');
}

/** GDB's usual registers: in an outer frame what is known of them there. */
export function registers(context: ConsoleContext, rest: string): string {
  const names = rest.split(/[\s,]+/).filter((n) => n !== '');
  if (names.length > 0) return table(names.map((name) => ({ ...context.evaluate(`$${name.replace(/^\$/, '')}`), name: name.replace(/^\$/, '') })));
  return registerTable(context, ['General', 'Segments']);
}

function locals(context: ConsoleContext, parameters: boolean): string {
  const frame = frameOf(context);
  const scopes = frame.image?.image.variablesAt(lookupAddress(frame.frame)) ?? [];
  const own = new Set(scopes.filter((v) => v.isParameter).map((v) => v.name));
  const nodes = localNodes(frame, context.evaluator.variableContext()).filter((n) => own.has(n.name) === parameters);
  return nodes.length === 0 ? `${frame.name} has no ${parameters ? 'arguments' : 'locals'} here.` : textTable([], nodes.map((n) => [n.name, '=', n.value]));
}

/** The code of a line, of a function or of an address. */
function line(context: ConsoleContext, rest: string): string {
  const { target } = context.debugger;
  const world = context.frame?.world ?? target.world;
  const address = rest === '' ? lookupAddress(frameOf(context).frame) : context.evaluator.addressOf(rest).address;
  const range = target.images.at(world, address)?.image.lineRangeAt(address);
  if (!range || range.entry.line === 0) return `Symbols know no line for ${world}:${hex(address)}.`;
  return `${fileWords(range.entry.file)}:${range.entry.line} is the code from ${hex(range.low)} to ${hex(range.high - 1n)}, ${addressName(target, world, address)}.`;
}

function frame(context: ConsoleContext): string {
  const { name, world, frame, cfa, file, line } = frameOf(context);
  return table([
    { name: 'function', value: name },
    { name: 'world', value: WORLD_NAME[world] },
    { name: 'rip', value: hex(frame.pc, 16) },
    ...(cfa === undefined ? [] : [{ name: 'CFA', value: `${hex(cfa, 16)}, where the caller's RSP was before the call` }]),
    ...(file ? [{ name: 'line', value: `${fileWords(file)}:${line}` }] : []),
    { name: 'code', value: `${frame.bits}-bit` },
  ]);
}

function threads({ debugger: d }: ConsoleContext): string {
  return textTable(['', 'thread', 'where', 'world'], d.processors.map(({ target }) => {
    const { rip } = target.cpu.state;
    return [target === d.target ? '*' : ' ', `CPU ${target.index}`, addressPlace(target, target.world, rip), WORLD_NAME[target.world]];
  }));
}

function functions({ debugger: { target } }: ConsoleContext, rest: string): string {
  if (rest === '') throw new UserError('console', 'info functions takes a name or a pattern, such as info functions handle_*.');
  const found = target.images.images.flatMap(({ name, image }) => image.findFunctions(rest).map((fn) => [name, hex(fn.low), fn.name]));
  if (found.length === 0) return `No function matches ${rest}. A pattern has * and ?, as in handle_*.`;
  return textTable(['file', 'address', 'function'], found.slice(0, MOST_FUNCTIONS)) + (found.length > MOST_FUNCTIONS ? `\n... and ${found.length - MOST_FUNCTIONS} more` : '');
}

const inspection = (call: string) => (context: ConsoleContext): string => shown(context.evaluate(call));
const IN_BREAKPOINTS_VIEW = 'The Breakpoints view lists them, with what could not be placed and why.';

export const TOPICS: readonly Topic[] = [
  { names: ['registers', 'reg', 'r', 'cpu'], sentence: 'general registers and segments; or those that are named', run: registers },
  { names: ['all-registers'], sentence: 'every register, in words', run: (c) => registerTable(c, ['General', 'Segments', 'Control', 'Debug', 'MSRs', 'x87', 'Vector']) },
  { names: ['locals'], sentence: 'the locals of the selected frame', run: (c) => locals(c, false) },
  { names: ['args'], sentence: 'its arguments', run: (c) => locals(c, true) },
  { names: ['frame', 'f'], sentence: 'where the selected frame is', run: frame },
  { names: ['line'], sentence: 'the code of a line: of the selected frame, or of an address or function', run: line },
  { names: ['symbol'], sentence: 'the name of an address', run: (c, rest) => addressPlace(c.debugger.target, c.frame?.world ?? c.debugger.target.world, c.evaluator.addressOf(rest).address) },
  { names: ['functions'], sentence: 'functions by name or pattern', run: functions },
  { names: ['threads'], sentence: 'the processors', run: threads },
  { names: ['files', 'sharedlibrary', 'symbols'], sentence: 'the symbol files, and where each applies', run: inspection('symbols()') },
  { names: ['tab', 'mem', 'tlb'], sentence: 'what the page tables map', run: inspection('pages()') },
  { names: ['idt', 'ivt'], sentence: 'where exceptions and interrupts lead', run: inspection('idt()') },
  { names: ['gdt'], sentence: 'segment descriptors', run: inspection('gdt()') },
  { names: ['tss'], sentence: 'the stacks of the task-state segment', run: inspection('tss()') },
  { names: ['ept'], sentence: 'what EPT maps', run: inspection('ept()') },
  { names: ['e820', 'mtree'], sentence: 'memory maps of guest, EPT and firmware', run: inspection('e820()') },
  { names: ['vmcs'], sentence: 'the VMCS, or fields whose names contain a text', run: (c, rest) => shown(c.evaluate(rest === '' ? 'vmcs()' : `vmcs("${rest.replaceAll('"', '')}")`)) },
  { names: ['exits'], sentence: 'VM exits', run: inspection('exits()') },
  { names: ['breakpoints', 'b', 'break', 'watchpoints'], sentence: 'see the Breakpoints view', run: () => IN_BREAKPOINTS_VIEW },
  { names: ['source', 'sources'], sentence: 'see the editor', run: (c) => { const { file, line: at } = frameOf(c); return file ? `${file.path}:${at}` : 'Symbols know no line here.'; } },
];

export function info(context: ConsoleContext, rest: string): string {
  const [word = '', ...behind] = rest.split(/\s+/);
  const topic = TOPICS.find((t) => t.names.includes(word));
  if (topic) return topic.run(context, behind.join(' '));
  if (word === '') return textTable([], TOPICS.map((t) => [`info ${t.names[0]!}`, t.sentence]));
  if (registerNamed(word)) return registers(context, word);
  const near = nearest(word, TOPICS.flatMap((t) => t.names));
  throw new UserError('console', `There is no "info ${word}"${near === undefined ? '.' : `: did you mean "info ${near}"?`} "info" alone lists what there is.`);
}
