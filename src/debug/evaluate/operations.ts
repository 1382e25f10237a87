/** What C's operators and casts make of values: integers, floating point and pointers. */
import { UserError } from '../../base/errors';
import { sizeOf, stripped, typeName, type Type } from '../../symbols/types';
import { ExtendedReal } from '../../symbols/extendedReal';
import { encodeReal, integerOf, type Numeric, readValue, realOf, truncatedReal } from '../../symbols/values';
import { combine, combineExtended, combineReals, INT, isExtended, isInteger, isReal, LONG, pointerTo, promoted, UNSIGNED_LONG, widerReal, wrap } from './arithmetic';
import { computed, type Evaluated, type EvaluatedIn, withoutPlace } from './evaluated';
import type { BinaryOperator } from './syntax';
import { aType } from './typeWords';

/** A result of floating point, which has no place. */
export const computedReal = (name: string, type: Type, number: number | ExtendedReal, context: EvaluatedIn): Evaluated => withoutPlace(name, type, encodeReal(number, sizeOf(type)!), context);

/** The integer that a value is; throws a UserError that says why when it is none. */
export function integer(e: Evaluated): bigint {
  const number = integerOf(e.value, e.reader);
  if (number !== undefined) return number;
  const bare = stripped(e.value.type);
  if ((bare.kind === 'array' || bare.kind === 'function') && e.value.location.kind === 'memory') return e.value.location.address;
  throw notANumber(e);
}

/** The floating-point number that a value is, or stands for as an integer. Throws a UserError. */
function real(e: Evaluated): number | ExtendedReal {
  if (!isReal(e.value.type)) return Number(integer(e));
  const number = realOf(e.value, e.reader);
  if (number === undefined) throw notANumber(e);
  return number;
}

/** The same in the format of a type. */
function realAs(type: Type, e: Evaluated): number | ExtendedReal {
  if (!isExtended(type)) return real(e);
  if (!isReal(e.value.type)) return ExtendedReal.ofInteger(integer(e));
  const number = real(e);
  return number instanceof ExtendedReal ? number : ExtendedReal.of(number);
}

const negated = (number: number | ExtendedReal): number | ExtendedReal => (number instanceof ExtendedReal ? number.negated : -number);

function notANumber(e: Evaluated): UserError {
  const read = readValue(e.value, e.reader);
  return new UserError('expression', 'reason' in read ? `${e.value.name} is not available: ${read.reason}.` : `${e.value.name} is ${aType(e.value.type)}, not ${stripped(e.value.type).kind === 'base' ? 'an integer' : 'a number'}.`);
}

/** The number to store for a value: of floating point as it is. Throws a UserError. */
export const numeric = (e: Evaluated): Numeric => (isReal(e.value.type) ? real(e) : integer(e));

export function truth(e: Evaluated): boolean {
  if (!isReal(e.value.type)) return integer(e) !== 0n;
  const number = real(e);
  return number instanceof ExtendedReal ? !number.isZero : number !== 0;
}

/** Arrays and functions stand for their address. */
export function decayed(e: Evaluated): Evaluated {
  const bare = stripped(e.value.type);
  if ((bare.kind !== 'array' && bare.kind !== 'function') || e.value.location.kind !== 'memory') return e;
  return computed(e.value.name, pointerTo(bare.kind === 'array' ? bare.element : bare), e.value.location.address, e);
}

/** Pointer arithmetic. */
export function offset(pointer: Evaluated, count: bigint): Evaluated {
  const { name, type } = pointer.value;
  const bare = stripped(type);
  if (bare.kind !== 'pointer') throw new UserError('expression', `${name} is ${aType(type)}, neither array nor pointer.`);
  return computed(name, type, wrap(type, integer(pointer) + count * BigInt(sizeOf(bare.target) ?? 1)), pointer);
}

/** The type as which an integer is computed with: a bit-field that int has room for counts as int. */
function operandType({ value }: Evaluated): Type {
  if (value.bitField && value.bitField.size < 32) return INT;
  return isInteger(value.type) ? value.type : UNSIGNED_LONG;
}

/** `-x`, `+x`, `~x`, `!x`. */
export function operateUnary(operator: '-' | '+' | '~' | '!', operand: Evaluated, context: EvaluatedIn): Evaluated {
  const { type } = operand.value;
  const name = `${operator}${operand.value.name}`;
  if (operator === '!') return computed(name, INT, truth(operand) ? 0n : 1n, context);
  if (isReal(type) && operator !== '~') return computedReal(name, type, operator === '-' ? negated(real(operand)) : real(operand), context);
  if (!isInteger(type)) throw new UserError('expression', `${operand.value.name} is ${aType(type)}; ${operator} needs ${operator === '~' ? 'an integer' : 'a number'}.`);
  const result = promoted(operandType(operand));
  const number = integer(operand);
  return computed(name, result, wrap(result, operator === '-' ? -number : operator === '~' ? ~number : number), operand);
}

/** An operator with two operands but && and ||, which may not need the second. Throws a UserError. */
export function operate(operator: BinaryOperator, left: Evaluated, right: Evaluated, context: EvaluatedIn): Evaluated {
  const name = `${left.value.name} ${operator} ${right.value.name}`;
  const leftTarget = stripped(left.value.type);
  const leftPointer = leftTarget.kind === 'pointer';
  const rightPointer = stripped(right.value.type).kind === 'pointer';
  if (operator === '+' && leftPointer && !rightPointer) return offset(left, integer(right));
  if (operator === '+' && rightPointer && !leftPointer) return offset(right, integer(left));
  if (operator === '-' && leftPointer && !rightPointer) return offset(left, -integer(right));
  if (operator === '-' && leftPointer && rightPointer) {
    const size = BigInt(sizeOf(leftTarget.target) ?? 1);
    return computed(name, LONG, (integer(left) - integer(right)) / (size || 1n), context);
  }
  if (isReal(left.value.type) || isReal(right.value.type)) {
    const type = widerReal(left.value.type, right.value.type);
    const [x, y] = [realAs(type, left), realAs(type, right)];
    const result = x instanceof ExtendedReal && y instanceof ExtendedReal ? combineExtended(operator, x, y) : combineReals(operator, Number(x), Number(y));
    if (typeof result === 'boolean') return computed(name, INT, result ? 1n : 0n, context);
    return computedReal(name, type, result, context);
  }
  const { type, value } = combine(operator, integer(left), operandType(left), integer(right), operandType(right));
  return computed(name, type, value, context);
}

/** A value as another type. Throws a UserError for what C does not convert. */
export function castTo(type: Type, operand: Evaluated): Evaluated {
  const name = `(${typeName(type)})${operand.value.name}`;
  const bare = stripped(type);
  if (bare.kind === 'struct' || bare.kind === 'array' || bare.kind === 'function') throw new UserError('expression', `A value cannot be cast to ${typeName(type)}: cast its address, as in *(${typeName(pointerTo(type))})&x.`);
  const value = decayed(operand);
  if (isReal(type)) return computedReal(name, type, realAs(type, value), operand);
  let number: bigint;
  if (!isReal(value.value.type)) number = integer(value);
  else if (bare.kind === 'base' && bare.encoding === 'bool') number = truth(value) ? 1n : 0n;
  else {
    const whole = truncatedReal(real(value));
    if (whole === undefined) throw new UserError('expression', `${value.value.name} is ${String(real(value))}, which no ${typeName(type)} can be.`);
    number = whole;
  }
  return computed(name, type, wrap(type, number), operand);
}
