/** Hit conditions: `5` (from the fifth hit on), `== 5`, `>= 5`, `> 5`, `<= 5`, `< 5`, `% 5` (every fifth). */
import { UserError } from '../../base/errors';

const PATTERN = /^(==|=|>=|>|<=|<|%)?\s*([0-9]+)$/;

const TESTS: Record<string, (hits: number, n: number) => boolean> = {
  '==': (hits, n) => hits === n,
  '=': (hits, n) => hits === n,
  '>=': (hits, n) => hits >= n,
  '>': (hits, n) => hits > n,
  '<=': (hits, n) => hits <= n,
  '<': (hits, n) => hits < n,
  '%': (hits, n) => hits % n === 0,
};

/** Compiles a hit condition. Throws a UserError that says how to write one. */
export function hitCondition(text: string): (hits: number) => boolean {
  const match = PATTERN.exec(text.trim());
  const n = Number(match?.[2]);
  if (!match || (match[1] === '%' && n === 0)) throw new UserError('hit-condition', `"${text}" is not a hit condition: write a number, or one behind ==, >=, >, <=, < or %, as in "% 10".`);
  const test = TESTS[match[1] ?? '>=']!;
  return (hits) => test(hits, n);
}
