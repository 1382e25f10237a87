/**
 * Entries of `breakOnExit`: an exit's name, or another event's, with a condition behind `if` and a message behind `log:`
 * when they are wanted: `CPUID if leaf == 1`, `entry if launch log: entry {n}`. An object says the same by keys, and takes
 * a hit count. Function breakpoints `exit:CPUID` and `event:cr3` are as the texts.
 */
import { faultOf, UserError } from '../../base/errors';
import { nearest } from '../../base/nearest';
import { hitCondition } from '../../debug/breakpoints/hitCondition';
import { NO_MESSAGE, splitLog } from '../../debug/breakpoints/logMessage';
import { parseCondition } from '../../debug/exits/condition';
import type { ExitBreakpointRequest } from '../../debug/exits/exitBreakpoints';
import { SYSTEM_EVENTS } from '../../debug/exits/systemEvents';
import { EXIT_REASONS } from '../../vmx/tables';
import { noText, type Shape } from './schema';

/** An entry as the user may write it. */
export type ExitEntry = string | { exit: string; condition?: string; hitCount?: string | number; log?: string };

const NAMES = [...EXIT_REASONS.map((r) => r.name as string), ...SYSTEM_EVENTS.map((e) => e.kind as string)];

/** A name, what stands behind `if`, and what stands behind `log:` where there is no `if`. */
const ENTRY = /^\s*(\S+)(?:\s+if\s+(.*)|\s+(log:.*))?\s*$/s;

/** What a name stands for; undefined when there is no such exit or event. */
function named(word: string): ExitBreakpointRequest | undefined {
  const upper = word.toUpperCase();
  if (upper === 'ANY' || upper === '*') return { name: undefined };
  if (EXIT_REASONS.some((r) => r.name === upper)) return { name: upper };
  const event = SYSTEM_EVENTS.find((e) => e.kind === word.toLowerCase());
  return event && { event: event.kind };
}

/** A name and the condition, with or without a message, behind it; of what is no such text `name` is the whole. */
export function behindName(text: string): { name: string; condition: string | undefined } {
  const [, name = text, condition, log] = ENTRY.exec(text) ?? [];
  return { name, condition: condition ?? log };
}

function parse(text: string): { word: string; request: ExitBreakpointRequest | undefined } {
  const { name, condition } = behindName(text);
  const request = named(name);
  return { word: name.trim().split(/\s/)[0]!, request: request && { ...request, condition } };
}

/** What an entry that EXIT_ENTRY has approved asks for. */
export function exitRequest(entry: ExitEntry): ExitBreakpointRequest {
  if (typeof entry === 'string') return parse(entry).request!;
  const { exit, condition, hitCount, log } = entry;
  return { ...named(exit.trim())!, condition, hitCondition: hitCount === undefined ? undefined : String(hitCount), log };
}

/** What to write for a function's name that is rather a VM exit's or event's; undefined for any other. */
export function exitMeant(name: string): string | undefined {
  const request = named(name);
  return request && `The VM exit or event is "${request.event === undefined ? `exit:${request.name ?? 'any'}` : `event:${request.event}`}".`;
}

/** A function breakpoint named `exit:REASON` or `event:KIND`; undefined for a function. Throws a UserError for a name that does not exist. */
export function exitOfFunctionName(text: string): ExitBreakpointRequest | undefined {
  const [, behind] = /^\s*(?:exit|event):(.*)$/is.exec(text) ?? [];
  if (behind === undefined) return undefined;
  const { word, request } = parse(behind);
  if (word === '') throw new UserError('breakpoint', 'Behind the colon stands a VM exit or event, as in "exit:CPUID" and "event:cr3".');
  if (!request) throw new UserError('breakpoint', misplaced(behind) ? `"${text.trim()}" cannot be read: ${misplaced(behind)}` : `There is no VM exit and no event ${word}: ${suggestion(word)}`);
  return request;
}

/** What to write where a name is right and what stands behind it is not, as the end of a sentence. */
function misplaced(text: string): string | undefined {
  const [, word = '', rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/s.exec(text) ?? [];
  const several = text.split(',').map((part) => part.trim());
  if (several.length > 1 && several.every(named)) return `each is an entry of its own: ${several.map((part) => JSON.stringify(part)).join(', ')}.`;
  if (rest === '' || !named(word)) return undefined;
  if (rest === 'if') return `a condition belongs behind "if", as in "${word} if n > 10".`;
  const [, message] = /^log\b[\s:]*(.*)$/s.exec(rest) ?? [];
  if (message !== undefined) return `write a message behind "log:": "${word} log: ${message || 'from {$guest.rip}'}".`;
  return `write a condition behind "if": "${word} if ${rest}".`;
}

function suggestion(word: string): string {
  const near = nearest(word, NAMES);
  return near ? `did you mean "${near}"?` : 'write a name of the SDM in capitals, as in "CPUID".';
}

function conditionFault(text: string): string | undefined {
  const { condition, message } = splitLog(text);
  if (message === '') return NO_MESSAGE;
  return condition === '' ? undefined : faultOf(() => parseCondition(condition));
}

const wrongCondition = (key: string, text: string): string | undefined => {
  const wrong = conditionFault(text);
  return wrong === undefined ? undefined : `"${key}" has a wrong condition: ${wrong}`;
};

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';

function textEntry(key: string, value: unknown): string | undefined {
  if (!isText(value)) return `"${key}" is ${JSON.stringify(value)}, but must be the name of a VM exit, or an object as in { "exit": "CPUID", "log": "leaf {leaf}" }.`;
  const { word, request } = parse(value);
  if (!request) return `"${key}" is ${JSON.stringify(value)}, which is no VM exit: ${misplaced(value) ?? suggestion(word)}`;
  return request.condition === undefined ? undefined : wrongCondition(key, request.condition);
}

function exitName(key: string, value: unknown): string | undefined {
  if (!isText(value)) return noText(key, value);
  if (named(value.trim())) return undefined;
  const { word, request } = parse(value);
  return `"${key}" is ${JSON.stringify(value)}, ${request ? 'but holds a name alone: condition and message are the keys "condition" and "log".' : `which is no VM exit: ${suggestion(word)}`}`;
}

function condition(key: string, value: unknown): string | undefined {
  if (!isText(value)) return noText(key, value);
  return splitLog(value).message === undefined ? wrongCondition(key, value) : `"${key}" has a message: it belongs into the key "log".`;
}

function hits(key: string, value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return `"${key}" is ${JSON.stringify(value)}, but must be a hit count: a number, or a text such as "% 10".`;
  const wrong = faultOf(() => hitCondition(String(value)));
  return wrong === undefined ? undefined : `"${key}": ${wrong}`;
}

const KEYS: Readonly<Record<string, Shape>> = {
  exit: { kind: 'rule', check: exitName },
  condition: { kind: 'rule', check: condition },
  hitCount: { kind: 'rule', check: hits },
  log: { kind: 'rule', check: (key, value) => (isText(value) ? undefined : noText(key, value)) },
};

const OTHER_NAMES: Readonly<Record<string, string>> = {
  name: 'the VM exit is "exit": "CPUID"',
  reason: 'the VM exit is "exit": "CPUID"',
  if: 'it is called "condition"',
  hitCondition: 'it is called "hitCount"',
  logMessage: 'it is called "log"',
  message: 'it is called "log"',
};

/** What an entry must be. */
export const EXIT_ENTRY: Shape = {
  kind: 'choose',
  by: (value): Shape => (typeof value === 'object' && value !== null && !Array.isArray(value) ? { kind: 'object', keys: KEYS, required: ['exit'], foreign: OTHER_NAMES } : { kind: 'rule', check: textEntry }),
};
