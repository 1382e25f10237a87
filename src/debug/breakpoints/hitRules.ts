/** The rules of a breakpoint by which a hit counts: its condition, which of its hits stop the machine, and whether they stop it or print. */
import { attempt, UserError } from '../../base/errors';
import type { BreakpointOptions } from './breakpoints';
import { hitCondition } from './hitCondition';
import { messageFault, splitLog } from './logMessage';

export interface HitRules<T> {
  /** What was asked for, a message behind the condition taken apart from it. */
  options: T;
  /** Whether the machine stops at a hit of that number; undefined: at each. */
  enough: ((hits: number) => boolean) | undefined;
  /** What is wrong with the rules, as a sentence. */
  message: string | undefined;
}

/** Reads the rules as the user wrote them; `fault` says what is wrong with an expression. */
export function hitRules<T extends BreakpointOptions>(written: T, fault: (expression: string) => string | undefined): HitRules<T> {
  const { condition, message: behind } = splitLog(written.condition ?? '');
  const logMessage = behind ?? (written.logMessage || undefined);
  const options = { ...written, condition: condition || undefined, logMessage };
  const message = (condition && fault(condition)) || (logMessage === undefined ? undefined : messageFault(logMessage, fault));
  const enough = attempt(() => (written.hitCondition?.trim() ? hitCondition(written.hitCondition) : undefined));
  return enough instanceof UserError ? { options, enough: undefined, message: enough.message } : { options, enough, message };
}
