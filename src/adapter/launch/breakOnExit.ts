/**
 * Entries of `breakOnExit`: an exit's name, or another event's, with a condition behind `if` when one is wanted:
 * `CPUID if leaf == 1`, `entry if launch`. Function breakpoints `exit:CPUID` and `event:cr3` are the same.
 */
import { UserError } from '../../base/errors';
import { nearest } from '../../base/nearest';
import type { ExitBreakpointRequest } from '../../debug/exits/exitBreakpoints';
import { SYSTEM_EVENTS } from '../../debug/exits/systemEvents';
import { EXIT_REASONS } from '../../vmx/tables';

const NAMES = [...EXIT_REASONS.map((r) => r.name as string), ...SYSTEM_EVENTS.map((e) => e.kind as string)];

/** What a name stands for; undefined when there is no such exit or event. */
function named(word: string): ExitBreakpointRequest | undefined {
  const upper = word.toUpperCase();
  if (upper === 'ANY' || upper === '*') return { name: undefined };
  if (EXIT_REASONS.some((r) => r.name === upper)) return { name: upper };
  const event = SYSTEM_EVENTS.find((e) => e.kind === word.toLowerCase());
  return event && { event: event.kind };
}

/** Reads an entry. Throws a UserError that names the nearest reason for one that does not exist. */
export function exitRequest(text: string): ExitBreakpointRequest {
  const [, word = '', condition] = /^\s*(\S+)(?:\s+if\s+(.*))?\s*$/.exec(text) ?? [];
  const request = named(word);
  if (request) return { ...request, condition };
  throw new UserError('launch-configuration', `"breakOnExit" has ${JSON.stringify(text)}, which is no VM exit: ${misplaced(text) ?? suggestion(word)}`);
}

/** A function breakpoint named `exit:REASON` or `event:KIND`; undefined for a function. Throws a UserError for a name that does not exist. */
export function exitOfFunctionName(text: string): ExitBreakpointRequest | undefined {
  const [, kind, word, condition] = /^\s*(exit|event):\s*(\S+)(?:\s+if\s+(.*))?\s*$/i.exec(text) ?? [];
  if (kind === undefined) return undefined;
  const request = named(word!);
  if (!request) throw new UserError('breakpoint', `There is no VM exit and no event ${word}: ${suggestion(word!)}`);
  return { ...request, condition };
}

/** What to write where a name is right and what stands behind it is not, as the end of a sentence. */
function misplaced(text: string): string | undefined {
  const [, word = '', rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/.exec(text) ?? [];
  if (rest === '' || !named(word)) return undefined;
  return rest === 'if' ? `a condition belongs behind "if", as in "${word} if n > 10".` : `write a condition behind "if": "${word} if ${rest}".`;
}

function suggestion(word: string): string {
  const near = nearest(word, NAMES);
  return near ? `did you mean "${near}"?` : 'write a name of the SDM in capitals, as in "CPUID".';
}
