/** The commands of the Debug Console, and what of a line is one. */
import { UserError } from '../../base/errors';
import { nearest } from '../../base/nearest';
import { INSPECTION_FUNCTIONS, INSPECTION_NAMES } from '../evaluate/inspectionNames';
import { textTable } from '../inspect/table';
import type { Format } from '../evaluate/syntax';
import { shown, type ConsoleCommand, type ConsoleContext } from './command';
import { elsewhere } from './elsewhere';
import { fileWords } from '../stack/fileWords';
import { examine, stackWords } from './examine';
import { info, registers, registerTable, TOPICS } from './info';
import { typeText } from './types';

const PRINT_FORMATS: Readonly<Record<string, Format>> = { x: 'x', z: 'x', a: 'x', d: 'd', u: 'd', t: 'b', c: 'c', s: 's' };
const STACK_WORDS = 16;
const AROUND = 12;
/** Elements of an array that are printed. */
const MOST_PARTS = 100;

/** An argument that must be a number; `otherwise` when there is none. */
function count(rest: string, otherwise: number): number {
  if (rest === '') return otherwise;
  if (!/^\d+$/.test(rest) || Number(rest) < 1) throw new UserError('console', `A number of lines is wanted, not ${rest}.`);
  return Number(rest);
}

function print(context: ConsoleContext, rest: string, format: string): string {
  if (rest === '') throw new UserError('console', 'print takes an expression, as in p/x r->rax.');
  const letter = PRINT_FORMATS[format];
  if (format !== '' && letter === undefined) throw new UserError('console', `p/${format}: formats are x, d, u, t (binary), c and s. Elements of a pointer are written p,10; memory is shown by x.`);
  const node = context.evaluate(rest, letter);
  if (node.table) return shown(node);
  const parts = node.children?.(0, MOST_PARTS) ?? [];
  const more = (node.indexed ?? 0) > MOST_PARTS ? [`  ... and ${node.indexed! - MOST_PARTS} more`] : [];
  return parts.length === 0 ? node.value : [node.value, ...parts.map((part) => `  ${part.name} = ${part.value}`), ...more].join('\n');
}

function backtrace({ debugger: d }: ConsoleContext, rest: string): string {
  const most = count(rest, Infinity);
  let level = 0;
  const rows = d.stack().slice(0, most).map((entry) => {
    if (entry.kind === 'label') return `    --- ${entry.name} ---`;
    return `#${String(level++).padEnd(3)}${entry.world === 'guest' ? 'guest ' : ''}${entry.name}${entry.file && entry.line > 0 ? ` at ${fileWords(entry.file)}:${entry.line}` : ''}`;
  });
  return rows.length === 0 ? 'There is no stack.' : rows.join('\n');
}

function ptype(context: ConsoleContext, rest: string): string {
  const type = context.evaluator.typeIn(rest);
  return typeText(type);
}

/** `x ADDRESS`: in the space that the expression names. */
function examineAt(context: ConsoleContext, rest: string, format: string): string {
  const { space, address } = context.evaluator.addressOf(rest === '' ? '$rip' : rest);
  return examine(context, space, address, format);
}

const step = (direction: 'in' | 'over', granularity: 'line' | 'instruction') => (context: ConsoleContext): string => {
  context.go(() => context.debugger.step(direction, granularity));
  return '';
};
const back = (granularity: 'line' | 'instruction') => (context: ConsoleContext): string => {
  context.go(() => context.debugger.stepBack(granularity));
  return '';
};
const going = (start: (context: ConsoleContext) => void) => (context: ConsoleContext): string => {
  context.go(() => start(context));
  return '';
};

const COMMANDS: readonly ConsoleCommand[] = [
  { names: ['help', 'h'], takes: '', sentence: 'this list', run: () => help() },
  { names: ['bt', 'backtrace', 'where'], takes: '[N]', sentence: 'the call stack of both worlds', run: backtrace },
  { names: ['info', 'i'], takes: 'WORD', sentence: 'registers, locals, line, symbol, functions, idt, gdt, tss, tab ... ("info" lists them)', run: info },
  { names: ['print', 'p', 'inspect', 'output', 'call'], takes: '[/x] EXPR', sentence: 'a value with its parts; formats x d u t c s', run: print },
  { names: ['x'], takes: '/NFU ADDR', sentence: 'memory: x/10i $rip, x/8gx $rsp, x/s p, x/16xb gpa:0x6000', run: examineAt },
  { names: ['xp'], takes: '/NFU ADDR', sentence: 'host-physical memory in the same way', run: (c, rest, format) => examine(c, 'hpa', c.evaluator.addressOf(rest).address, format) },
  { names: ['ptype', 'whatis'], takes: 'EXPR or TYPE', sentence: 'a type with its members and their offsets', run: ptype },
  { names: ['set'], takes: 'A = B', sentence: 'assigns, as A = B alone does', run: (c, rest) => shown(c.evaluate(rest.replace(/^var(iable)?\s+/, ''))) },
  { names: ['disassemble', 'disas', 'u'], takes: '[ADDR]', sentence: 'instructions from an address, or the present one, on', run: (c, rest) => examineAt(c, rest, `${AROUND}i`) },
  { names: ['regs', 'reg', 'registers', 'r', 'dump_cpu'], takes: '[NAME...]', sentence: 'general registers and segments', run: registers },
  { names: ['creg'], takes: '', sentence: 'control registers in words', run: (c) => registerTable(c, ['Control']) },
  { names: ['sreg'], takes: '', sentence: 'segment registers with their descriptors', run: (c) => registerTable(c, ['Segments']) },
  { names: ['dreg'], takes: '', sentence: 'debug registers', run: (c) => registerTable(c, ['Debug']) },
  { names: ['msrs'], takes: '', sentence: 'model-specific registers', run: (c) => registerTable(c, ['MSRs']) },
  { names: ['fpu'], takes: '', sentence: 'x87', run: (c) => registerTable(c, ['x87']) },
  { names: ['sse', 'xmm', 'ymm'], takes: '', sentence: 'SSE and AVX', run: (c) => registerTable(c, ['Vector']) },
  { names: ['page'], takes: 'ADDR', sentence: 'the translation of an address, level by level', run: (c, rest) => shown(c.evaluate(`walk(${rest})`)) },
  { names: ['print-stack'], takes: '[N]', sentence: 'the words on the stack, with names', run: (c, rest) => stackWords(c, count(rest, STACK_WORDS)) },
  { names: ['monitor', 'mon'], takes: 'WORD', sentence: 'what GDB asks by "monitor": here without that word', run: (c, rest) => perform(c, rest === '' ? 'help' : rest) ?? shown(c.evaluate(rest)) },
  { names: ['continue', 'c', 'cont', 'fg'], takes: '', sentence: 'goes on', run: going((c) => c.debugger.continue()) },
  { names: ['step', 's'], takes: '', sentence: 'into the next line', run: step('in', 'line') },
  { names: ['next', 'n'], takes: '', sentence: 'over the next line', run: step('over', 'line') },
  { names: ['stepi', 'si'], takes: '', sentence: 'one instruction', run: step('in', 'instruction') },
  { names: ['nexti', 'ni'], takes: '', sentence: 'one instruction, over calls', run: step('over', 'instruction') },
  { names: ['finish', 'fin'], takes: '', sentence: 'out of the function', run: going((c) => c.debugger.step('out', 'line')) },
  { names: ['reverse-step', 'rs', 'reverse-next', 'rn'], takes: '', sentence: 'back by a line', run: back('line') },
  { names: ['reverse-stepi', 'rsi', 'reverse-nexti', 'rni'], takes: '', sentence: 'back by an instruction', run: back('instruction') },
  { names: ['reverse-continue', 'rc'], takes: '', sentence: 'back to the stop before', run: going((c) => c.debugger.reverseContinue()) },
];

const BY_NAME = new Map(COMMANDS.flatMap((c) => c.names.map((name) => [name, c] as const)));

function help(): string {
  return [
    'Anything of C is evaluated in the selected frame: r->rax, *(uint32_t *)gpa:0x6000, $cr3, $guest.rip, $vmcs.GUEST_RIP, x = 5.',
    'Of a VMCS that is not current: $vmcs(0x1f000).GUEST_RIP, by the address of its region or a pointer to it.',
    'Formats and elements stand behind a comma: mask,x and p,10. "guest:" and "vmm:" name the other world: guest:idt().',
    '',
    textTable(['functions', ''], INSPECTION_FUNCTIONS.map((f) => [f.signature, f.sentence])),
    '',
    textTable(['commands', ''], COMMANDS.map((c) => [`${c.names[0]!}${c.takes.startsWith('/') || c.takes === '' ? '' : ' '}${c.takes}`, c.sentence + (c.names.length > 1 ? ` (${c.names.slice(1, 4).join(', ')})` : '')])),
    '',
    'Breakpoints, data breakpoints and stops at VM exits are set in the editor and the Breakpoints view.',
  ].join('\n');
}

/** What cannot follow a name in C, and so makes the line a command even where a variable has the command's name. */
const BEHIND_A_NAME = /^[A-Za-z_$0-9"]/;

/** Two words are no expression: a command that is misspelt, or one that nobody knows. */
function complain({ evaluator }: ConsoleContext, name: string, rest: string): void {
  if (!/^[a-z$0-9]/i.test(rest) || /^in\b/.test(rest) || /^(struct|union|enum|unsigned|signed|long|short|sizeof|const)$/.test(name) || evaluator.knows(name)) return;
  const near = nearest(name, [...BY_NAME.keys()]);
  throw new UserError('console', `There is no command ${name}${near === undefined ? ';' : `: did you mean "${near}"?`} "help" lists what there is.`);
}

/**
 * Performs a line of the Debug Console that is a command, and yields what to print; undefined for an expression. A
 * variable that is called like a command is meant by its name. Throws a UserError.
 */
export function perform(context: ConsoleContext, line: string): string | undefined {
  const match = /^\s*([a-z][a-z0-9_-]*)(?:\s*\/\s*([0-9]*[a-z]*[0-9]*[a-z]*))?(?:\s+(.*))?$/is.exec(line);
  if (!match) return undefined;
  const [, name, format = '', rest = ''] = match as unknown as [string, string, string?, string?];
  const command = BY_NAME.get(name);
  const advice = command ? undefined : elsewhere(name);
  const call = command === undefined && advice === undefined && INSPECTION_NAMES.has(name) && !rest.startsWith('(');
  if (!command && advice === undefined && !call) {
    complain(context, name, rest);
    return undefined;
  }
  if (/^[-+*/%&|^<>]?=(?!=)/.test(rest)) return undefined;
  if (!(BEHIND_A_NAME.test(rest) && !/^in\b/.test(rest)) && context.evaluator.knows(name)) return undefined;
  if (command) return command.run(context, rest.trim(), format);
  return advice ?? shown(context.evaluate(`${name}(${rest})`));
}

/** Words that a line of the console can go on with: commands at its beginning, and what `info` tells. `typed` characters of them are there. */
export function commandWords(line: string): { name: string; sentence: string; typed: number }[] {
  const [, topic, command = ''] = /^(?:(?:info|i)\s+([a-z0-9-]*)|(?:(?:monitor|mon)\s+)?([a-z-]+))$/.exec(line) ?? [undefined, undefined, undefined];
  if (topic === undefined && command === '') return [];
  const words = topic === undefined ? COMMANDS : TOPICS;
  const typed = topic ?? command;
  return words.filter(({ names }) => names[0]!.startsWith(typed)).map(({ names, sentence }) => ({ name: names[0]!, sentence, typed: typed.length }));
}
