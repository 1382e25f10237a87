/**
 * Conditions on an event of the machine: an expression over what the event tells of itself, such as
 * `port == 0x70 && out`, `gpa in 0xa0000..0xbffff` or `leaf == 1 && hits % 10 == 0`. What the event does not have a name
 * for is the Watch pane's: `$guest.rax`, variables of the VMM, memory.
 */
import { UserError } from '../../base/errors';
import { parseExpression } from '../evaluate/parser';
import { CHANGES, type Expression, someOf } from '../evaluate/syntax';
import { PLAIN_NUMBERS, type PlainNumber } from '../../vmx/observe';
import { aliasNamed, registerNamed } from '../registers/registerTable';

export type Operand = bigint | string | boolean;

/** An event as a condition sees it. */
export interface Subject {
  /** `A CPUID exit`: begins the sentences about it. */
  readonly what: string;
  /** The value of one of its names. */
  lookup(name: string): Operand | undefined;
  /** Every name it has, the most telling first. */
  names(): string[];
  /** The name that a bare number is compared with: `14` means `vector == 14`. */
  readonly main: string | undefined;
}

/** The rest of the debugger. */
export interface Surroundings {
  /** A name that always means the same number: an MSR, an exception. */
  constant(name: string): bigint | undefined;
  /** The value of an expression of the Watch pane at this instant. Throws a UserError. */
  number(expression: Expression): bigint;
}

/** The name by which a condition asks how often what stands before it has held, this time included. */
const HITS = 'hits';

const refuse = (sentence: string): never => {
  throw new UserError('event-condition', sentence);
};

const truth = (value: Operand): boolean => (typeof value === 'bigint' ? value !== 0n : typeof value === 'string' ? value !== '' : value);

function integer(value: Operand): bigint {
  if (typeof value === 'string') return refuse(`"${value}" is a text, and texts can only be compared with == and !=.`);
  return typeof value === 'boolean' ? (value ? 1n : 0n) : value;
}

/** Texts are equal whatever their case; `*` and `?` in the second stand for any characters. */
function sameText(text: string, pattern: string): boolean {
  const expression = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${expression}$`, 'i').test(text);
}

/** One computation of a condition. */
class Computation {
  constructor(
    private readonly subject: Subject,
    private readonly surroundings: Surroundings,
    private readonly hits: () => number,
  ) {}

  compute(e: Expression): Operand {
    switch (e.kind) {
      case 'number':
      case 'string':
        return e.value;
      case 'name':
        return this.name(e);
      case 'conditional':
        return truth(this.compute(e.test)) ? this.compute(e.yes) : this.compute(e.no);
      case 'in': {
        const value = integer(this.compute(e.operand));
        return value >= integer(this.compute(e.low)) && value <= integer(this.compute(e.high));
      }
      case 'unary':
        return this.unary(e);
      case 'binary':
        return this.binary(e);
      default:
        return this.surroundings.number(e);
    }
  }

  private name(e: Expression & { kind: 'name' }): Operand {
    const { name } = e;
    if (name === 'true' || name === 'false') return name === 'true';
    if (name === HITS) return BigInt(this.hits());
    const { subject } = this;
    const own = subject.lookup(name);
    if (own !== undefined) return own;
    const words = new Set(subject.names().flatMap((n) => WORDS[n] ?? []));
    // A word that one of its texts can be: `out` for direction == "out".
    if (words.has(name)) return subject.names().some((n) => WORDS[n]?.includes(name) && subject.lookup(n) === name);
    const constant = this.surroundings.constant(name);
    if (constant !== undefined) return constant;
    try {
      return this.surroundings.number(e);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return refuse(`${subject.what} has no "${name}"${registerNamed(name) ?? aliasNamed(name) ? ` (the register is $${name})` : ''}; it has ${[...subject.names(), HITS].join(', ')}.`);
    }
  }

  private unary(e: Expression & { kind: 'unary' }): Operand {
    if (e.operator === '*' || e.operator === '&') return this.surroundings.number(e);
    const value = this.compute(e.operand);
    if (e.operator === '!') return !truth(value);
    const number = integer(value);
    return e.operator === '-' ? -number : e.operator === '~' ? ~number : number;
  }

  private binary(e: Expression & { kind: 'binary' }): Operand {
    if (e.operator === '&&') return truth(this.compute(e.left)) && truth(this.compute(e.right));
    if (e.operator === '||') return truth(this.compute(e.left)) || truth(this.compute(e.right));
    const left = this.compute(e.left);
    // `direction == out`: a word is the text where a text is compared.
    const word = typeof left === 'string' && e.right.kind === 'name' && this.subject.lookup(e.right.name) === undefined;
    const right = word ? (e.right as Expression & { kind: 'name' }).name : this.compute(e.right);
    if (e.operator === '==' || e.operator === '!=') {
      const equal = typeof left === 'string' && typeof right === 'string' ? sameText(left, right) : typeof left === 'string' || typeof right === 'string' ? left === right : integer(left) === integer(right);
      return equal === (e.operator === '==');
    }
    const a = integer(left);
    const b = integer(right);
    switch (e.operator) {
      case '<': return a < b;
      case '<=': return a <= b;
      case '>': return a > b;
      case '>=': return a >= b;
      case '+': return a + b;
      case '-': return a - b;
      case '*': return a * b;
      case '&': return a & b;
      case '|': return a | b;
      case '^': return a ^ b;
      case '<<': return a << BigInt.asUintN(6, b);
      case '>>': return a >> BigInt.asUintN(6, b);
      case '/':
      case '%':
        if (b === 0n) return refuse('The condition divides by zero.');
        return e.operator === '/' ? a / b : a % b;
    }
  }
}

/** Texts that stand for themselves in a condition, by the name whose value they are. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  direction: ['in', 'out'],
  access: ['read', 'write', 'fetch', 'clts', 'lmsw'],
  world: ['vmm', 'guest'],
};

/** `hits` counts from 1 how often it was asked for: `leaf == 1 && hits % 10 == 0` asks only where leaf is 1. */
export type Condition = (subject: Subject, hits: () => number) => boolean;

/** A name and the number with which a condition compares it before anything else: with any other number the condition does not hold. */
export interface FirstQuestion {
  readonly name: PlainNumber;
  readonly number: number;
}

/** What a condition asks first, when that is whether one of PLAIN_NUMBERS is a number below 2^32. Throws as compileCondition. */
export function firstQuestion(text: string): FirstQuestion | undefined {
  let { expression } = parseExpression(text);
  while (expression.kind === 'binary' && expression.operator === '&&') expression = expression.left;
  if (expression.kind !== 'binary' || expression.operator !== '==') return undefined;
  const { left, right } = expression;
  if (left.kind !== 'name' || right.kind !== 'number') return undefined;
  // The constant, not the text that was typed: V8 compares it in one step at each exit.
  const name = PLAIN_NUMBERS.find((plain) => plain === left.name);
  return name && right.value >= 0n && right.value <= 0xffff_ffffn ? { name, number: Number(right.value) } : undefined;
}

/** Whether an expression speaks of a name that `isMeant`. */
export const mentions = (expression: Expression, isMeant: (name: string) => boolean): boolean => someOf(expression, (part) => part.kind === 'name' && isMeant(part.name));

/** Whether a name is one that an event has, or a word that one of its texts can be. */
export const isOwnName = (subject: Subject, name: string): boolean => name === HITS || subject.lookup(name) !== undefined || subject.names().some((n) => WORDS[n]?.includes(name));

/** What an expression is of an event. Throws a UserError for a name that the event does not have. */
export const operandOf = (expression: Expression, subject: Subject, surroundings: Surroundings, hits: () => number): Operand => new Computation(subject, surroundings, hits).compute(expression);

/** Reads a condition. Throws a UserError that says what is wrong with its syntax. */
export function parseCondition(text: string): Expression {
  let expression: Expression;
  try {
    ({ expression } = parseExpression(text));
  } catch (error) {
    if (!(error instanceof UserError) || !/(^|\s)log\s/.test(text)) throw error;
    return refuse(`${error.message} A message to print stands behind "log:".`);
  }
  if (someOf(expression, ({ kind }) => kind === 'assign')) refuse(CHANGES);
  return expression;
}

/** Compiles a condition. Throws as parseCondition does; the condition itself throws a UserError for a name that the event does not have. */
export function compileCondition(text: string, surroundings: Surroundings): Condition {
  const expression = parseCondition(text);
  return (subject, hits) => {
    const value = operandOf(expression, subject, surroundings, hits);
    // `14` or `PF` alone is a value to compare with, not a truth.
    const bare = expression.kind === 'number' || (expression.kind === 'name' && typeof value === 'bigint' && subject.lookup(expression.name) === undefined);
    if (bare && subject.main !== undefined) return subject.lookup(subject.main) === value;
    return truth(value);
  };
}
