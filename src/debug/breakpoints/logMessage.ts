/** Log messages: text with expressions in braces, `leaf {leaf,x} from {$guest.rip}`. */
import { UserError } from '../../base/errors';

const IN_BRACES = /\{([^{}]+)\}/g;

/** The expressions that a message computes. */
export const expressionsOf = (message: string): string[] => [...message.matchAll(IN_BRACES)].map(([, expression]) => expression!);

/** A message with its expressions computed by `show`; what cannot be computed says why in angle brackets. */
export function interpolated(message: string, show: (expression: string) => string): string {
  return message.replace(IN_BRACES, (_, expression: string) => {
    try {
      return show(expression);
    } catch (error) {
      if (error instanceof UserError) return `<${error.message}>`;
      throw error;
    }
  });
}
