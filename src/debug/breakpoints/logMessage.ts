/** Log messages: text with expressions in braces, `leaf {leaf,x} from {$guest.rip}`. */
import { attempt, UserError } from '../../base/errors';

const IN_BRACES = /\{([^{}]+)\}/g;

/** Texts in quotation marks are passed over: a message may be spoken of in a condition. */
const LOG = /^((?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^"'])*?)(?:^|\s)log:(.*)$/s;

/**
 * A condition may have a message behind it, `leaf == 1 log: leaf {leaf}`: the protocol gives a message of its own to
 * breakpoints on lines alone. Yields the two parts; `condition` is empty and `message` undefined where
 * there is none.
 */
export function splitLog(text: string): { condition: string; message: string | undefined } {
  const [, condition = text, message] = LOG.exec(text) ?? [];
  return { condition: condition.trim(), message: message?.trim() };
}

/** What is wrong with a message of nothing. */
export const NO_MESSAGE = '"log:" needs a message behind it, as in "log: from {$guest.rip}".';

/** What stands in braces. */
export const expressionsOf = (message: string): string[] => [...message.matchAll(IN_BRACES)].map(([, expression]) => expression!);

/** What is wrong with a message, as a sentence; `fault` says what is wrong with an expression. */
export function messageFault(message: string, fault: (expression: string) => string | undefined): string | undefined {
  if (message === '') return NO_MESSAGE;
  for (const expression of expressionsOf(message)) {
    const wrong = fault(expression);
    if (wrong !== undefined) return `{${expression}} of the log message cannot be read: ${wrong}`;
  }
  return undefined;
}

/** A message with its expressions computed by `show`; what cannot be computed says why in angle brackets. */
export function interpolated(message: string, show: (expression: string) => string): string {
  return message.replace(IN_BRACES, (_, expression: string) => {
    const shown = attempt(() => show(expression));
    return shown instanceof UserError ? `<${shown.message}>` : shown;
  });
}
