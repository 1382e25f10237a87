/**
 * Log points on VM exits and other events: `leaf == 1 log: CPUID leaf {leaf} from {$guest.rip}` prints a line where the
 * condition holds, and the machine runs on. In braces stands what a condition may speak of, and what the Watch pane knows.
 */
import { hex } from '../../base/bits';
import { attempt, UserError } from '../../base/errors';
import { expressionsOf, interpolated, messageFault } from '../breakpoints/logMessage';
import { parseExpression } from '../evaluate/parser';
import type { ParsedInput } from '../evaluate/syntax';
import { isOwnName, mentions, type Operand, operandOf, type Subject, type Surroundings } from './condition';

/** The rest of the debugger. */
export interface LogSurroundings extends Surroundings {
  /** An expression of the Watch pane, its value in words. Throws a UserError. */
  show(expression: string): string;
  /** What is wrong with the syntax of an expression, as a sentence. */
  fault(expression: string): string | undefined;
}

/** The line that an event prints; `hits` counts how many it has printed or passed over. */
export type ExitLog = (subject: Subject, hits: () => number) => string;

/** Names of what is counted: shown in decimal. */
const COUNTS: ReadonlySet<string> = new Set(['n', 'hits', 'icount', 'reason', 'instructionLength', 'size']);

function shown(value: Operand, { expression, format }: ParsedInput): string {
  if (typeof value !== 'bigint') return String(value);
  if (format === 'b') return `0b${value.toString(2)}`;
  const decimal = value >= -9n && value <= 9n || (expression.kind === 'name' && COUNTS.has(expression.name));
  return format === 'd' || (format !== 'x' && decimal) ? String(value) : hex(value);
}

/** Compiles a message. Throws a UserError that says what is wrong with it; what cannot be computed of an event says so in the line. */
export function compileLog(message: string, surroundings: LogSurroundings): ExitLog {
  const fault = messageFault(message, (expression) => surroundings.fault(expression));
  if (fault !== undefined) throw new UserError('log-message', fault);
  const conditions = new Map(expressionsOf(message).map((text) => [text, conditionLike(text)]));
  return (subject, hits) => interpolated(message, (text) => {
    const parsed = conditions.get(text);
    const own = (): string => shown(operandOf(parsed!.expression, subject, surroundings, hits), parsed!);
    if (parsed && mentions(parsed.expression, (name) => isOwnName(subject, name))) return own();
    try {
      return surroundings.show(text);
    } catch (error) {
      // Of a name that nobody knows the sentence says what the event has.
      if (error instanceof UserError && parsed?.expression.kind === 'name') return own();
      throw error;
    }
  });
}

/** An expression in the language of conditions; undefined for what only the Watch pane's can say, such as calls of macros and casts to types. */
function conditionLike(text: string): ParsedInput | undefined {
  const parsed = attempt(() => parseExpression(text));
  return parsed instanceof UserError ? undefined : parsed;
}
