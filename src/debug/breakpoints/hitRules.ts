/** The rules of a breakpoint by which a hit counts: its condition, and which of its hits stop the machine. */
import { UserError } from '../../base/errors';
import { hitCondition } from './hitCondition';

export interface HitRules {
  /** Whether the machine stops at a hit of that number; undefined: at each. */
  enough: ((hits: number) => boolean) | undefined;
  /** What is wrong with the rules, as a sentence. */
  message: string | undefined;
}

/** Reads the rules as the user wrote them; `fault` says what is wrong with the grammar of an expression. */
export function hitRules({ condition, hitCondition: hits }: { condition?: string | undefined; hitCondition?: string | undefined }, fault: (expression: string) => string | undefined): HitRules {
  const message = condition?.trim() ? fault(condition) : undefined;
  try {
    return { enough: hits?.trim() ? hitCondition(hits) : undefined, message };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { enough: undefined, message: error.message };
  }
}
