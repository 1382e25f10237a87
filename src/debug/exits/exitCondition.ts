/** The condition of an exit breakpoint: an expression over the exit's details, such as `port == 0x70 && direction == "out"`. */
import { UserError } from '../../base/errors';
import type { ExitRecord } from '../../vmx/observe';
import { parseExpression } from '../evaluate/parser';
import type { Expression } from '../evaluate/syntax';

type Operand = bigint | string | boolean;

/** What every exit has, whatever its reason. */
const COMMON: Record<string, (record: ExitRecord) => Operand | undefined> = {
  n: (r) => BigInt(r.n),
  reason: (r) => BigInt(r.reason),
  name: (r) => r.name,
  qualification: (r) => r.qualification,
  rip: (r) => r.guestRip,
  guestRip: (r) => r.guestRip,
  instructionLength: (r) => BigInt(r.instructionLength),
  linear: (r) => r.linear,
  gpa: (r) => (r.gpa === undefined ? undefined : BigInt(r.gpa)),
  icount: (r) => BigInt(r.icount),
};

function lookup(record: ExitRecord, name: string): Operand {
  const detail = Object.hasOwn(record.details, name) ? record.details[name] : undefined;
  if (detail !== undefined) return toOperand(detail);
  const common = COMMON[name]?.(record);
  if (common !== undefined) return common;
  const names = [...Object.keys(record.details), ...Object.keys(COMMON)].join(', ');
  throw new UserError('exit-condition', `A ${record.name} exit has no "${name}"; it has ${names}.`);
}

/** Details that exceed 2^53 are texts `0x...`: they compare as numbers. */
function toOperand(detail: number | string | boolean): Operand {
  if (typeof detail === 'number') return BigInt(detail);
  return typeof detail === 'string' && /^0x[0-9a-f]+$/i.test(detail) ? BigInt(detail) : detail;
}

const truth = (value: Operand): boolean => (typeof value === 'bigint' ? value !== 0n : typeof value === 'string' ? value !== '' : value);

function compute(record: ExitRecord, e: Expression): Operand {
  switch (e.kind) {
    case 'number':
      return e.value;
    case 'string':
      return e.value;
    case 'name':
      return e.name === 'true' ? true : e.name === 'false' ? false : lookup(record, e.name);
    case 'conditional':
      return truth(compute(record, e.test)) ? compute(record, e.yes) : compute(record, e.no);
    case 'unary': {
      const value = compute(record, e.operand);
      if (e.operator === '!') return !truth(value);
      const number = integer(value);
      if (e.operator === '-') return -number;
      if (e.operator === '~') return ~number;
      if (e.operator === '+') return number;
      throw new UserError('exit-condition', `"${e.operator}" has no meaning in an exit condition: it knows the exit's details alone.`);
    }
    case 'binary':
      return binary(record, e);
    default:
      throw new UserError('exit-condition', 'An exit condition compares the details of the exit, as in: leaf == 1. Nothing else has a meaning in it.');
  }
}

function integer(value: Operand): bigint {
  if (typeof value === 'string') throw new UserError('exit-condition', `"${value}" is a text, and texts can only be compared with == and !=.`);
  return typeof value === 'boolean' ? (value ? 1n : 0n) : value;
}

function binary(record: ExitRecord, e: Expression & { kind: 'binary' }): Operand {
  if (e.operator === '&&') return truth(compute(record, e.left)) && truth(compute(record, e.right));
  if (e.operator === '||') return truth(compute(record, e.left)) || truth(compute(record, e.right));
  const left = compute(record, e.left);
  const right = compute(record, e.right);
  if (e.operator === '==' || e.operator === '!=') {
    const texts = typeof left === 'string' || typeof right === 'string';
    const equal = texts ? left === right : integer(left) === integer(right);
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
      if (b === 0n) throw new UserError('exit-condition', 'The condition divides by zero.');
      return e.operator === '/' ? a / b : a % b;
  }
}

export type ExitCondition = (record: ExitRecord) => boolean;

/** Compiles a condition; throws a UserError that says what is wrong with its syntax. The condition itself throws one for a detail that the exit does not have. */
export function exitCondition(text: string): ExitCondition {
  const { expression } = parseExpression(text);
  return (record) => truth(compute(record, expression));
}
