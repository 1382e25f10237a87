/** C's arithmetic types and operations on them: promotions, conversions, wrapping. */
import { UserError } from '../../base/errors';
import { bytesOf } from '../../symbols/frame';
import type { ExtendedReal } from '../../symbols/extendedReal';
import { sizeOf, stripped, type BaseType, type PointerType, type Type } from '../../symbols/types';
import type { BinaryOperator } from './syntax';

const base = (name: string, size: number, encoding: BaseType['encoding']): BaseType => ({ kind: 'base', name, size, encoding });

export const INT = base('int', 4, 'signed');
export const UNSIGNED = base('unsigned int', 4, 'unsigned');
export const LONG = base('long', 8, 'signed');
export const UNSIGNED_LONG = base('unsigned long', 8, 'unsigned');
const INT128 = base('__int128', 16, 'signed');
const UNSIGNED_INT128 = base('unsigned __int128', 16, 'unsigned');
export const FLOAT = base('float', 4, 'float');
export const DOUBLE = base('double', 8, 'float');
/** x87's, in the 16 bytes that gcc gives it. */
export const LONG_DOUBLE = base('long double', 16, 'float');
export const CHAR = base('char', 1, 'signed char');
export const BYTE = base('unsigned char', 1, 'unsigned char');

/** Types by their C words in any order, and the fixed-width names for images that do not define them. */
const BUILT_IN: readonly [RegExp, BaseType][] = [
  [/^(unsigned char|uint8_t|u8)$/, base('unsigned char', 1, 'unsigned char')],
  [/^(signed char|int8_t|s8)$/, base('signed char', 1, 'signed char')],
  [/^char$/, CHAR],
  [/^(_Bool|bool)$/, base('bool', 1, 'bool')],
  [/^(unsigned short( int)?|short unsigned int|uint16_t|u16)$/, base('unsigned short', 2, 'unsigned')],
  [/^(signed )?(short( int)?|int16_t|s16)$/, base('short', 2, 'signed')],
  [/^(unsigned( int)?|uint32_t|u32)$/, UNSIGNED],
  [/^(signed|(signed )?int|int32_t|s32)$/, INT],
  [/^(unsigned long( long)?( int)?|long( long)? unsigned int|uint64_t|size_t|uintptr_t|u64)$/, UNSIGNED_LONG],
  [/^(signed )?(long( long)?( int)?|int64_t|ssize_t|intptr_t|s64)$/, LONG],
  [/^float$/, FLOAT],
  [/^double$/, DOUBLE],
  [/^long double$/, LONG_DOUBLE],
  [/^__int128$/, INT128],
  [/^(unsigned __int128|__int128 unsigned)$/, UNSIGNED_INT128],
];

/** A type that C itself or <stdint.h> names, whatever the image knows. */
export const builtInType = (name: string): BaseType | undefined => BUILT_IN.find(([pattern]) => pattern.test(name))?.[1];

export const pointerTo = (target: Type, size = 8): PointerType => ({ kind: 'pointer', size, sigil: '*', target });

interface Kind {
  size: number;
  signed: boolean;
}

/** What an operand counts as in arithmetic; undefined when it is no integer. */
function kindOf(type: Type): Kind | undefined {
  const bare = stripped(type);
  if (bare.kind === 'enum') return { size: bare.size, signed: bare.signed };
  if (bare.kind === 'pointer') return { size: bare.size, signed: false };
  if (bare.kind !== 'base' || bare.encoding === 'float' || bare.encoding === 'complex' || bare.encoding === 'other') return undefined;
  return { size: bare.size, signed: bare.encoding === 'signed' || bare.encoding === 'signed char' };
}

export const isInteger = (type: Type): boolean => {
  const bare = stripped(type);
  return bare.kind !== 'pointer' && kindOf(type) !== undefined;
};

/** Whether a type is real floating point. */
export const isReal = (type: Type): boolean => {
  const bare = stripped(type);
  return bare.kind === 'base' && bare.encoding === 'float';
};

/** Whether a type of floating point has x87's format. */
export const isExtended = (type: Type): boolean => sizeOf(type)! > DOUBLE.size;

/** The type in which two numbers are combined of which one at least is floating point. */
export const widerReal = (a: Type, b: Type): Type => {
  if (!isReal(b)) return stripped(a);
  return isReal(a) && sizeOf(a)! >= sizeOf(b)! ? stripped(a) : stripped(b);
};

/** Integer promotion: what is smaller than int becomes int. */
const promote = (kind: Kind): Kind => (kind.size < 4 ? { size: 4, signed: true } : kind);

const typeOf = ({ size, signed }: Kind): BaseType => {
  if (size > 8) return signed ? INT128 : UNSIGNED_INT128;
  return size > 4 ? (signed ? LONG : UNSIGNED_LONG) : signed ? INT : UNSIGNED;
};

/** The type of a promoted operand. */
export const promoted = (type: Type): BaseType => typeOf(promote(kindOf(type)!));

/** The type in which two integers are combined (the usual arithmetic conversions). */
export function commonType(a: Type, b: Type): BaseType {
  const x = promote(kindOf(a)!);
  const y = promote(kindOf(b)!);
  if (x.size === y.size) return typeOf({ size: x.size, signed: x.signed && y.signed });
  return typeOf(x.size > y.size ? x : y);
}

/** Cuts a number to what a type can hold. */
export function wrap(type: Type, value: bigint): bigint {
  const bare = stripped(type);
  if (bare.kind === 'base' && bare.encoding === 'bool') return value === 0n ? 0n : 1n;
  const kind = kindOf(type);
  if (!kind) throw new UserError('expression', 'A number cannot become a value of that type.');
  return kind.signed ? BigInt.asIntN(kind.size * 8, value) : BigInt.asUintN(kind.size * 8, value);
}

/** The bytes of a number as a value of a type. */
export const encode = (type: Type, value: bigint): Uint8Array => {
  const size = sizeOf(type) ?? 8;
  return bytesOf(BigInt.asUintN(size * 8, value), size);
};

const COMPARISONS: Partial<Record<BinaryOperator, <T extends bigint | number>(a: T, b: T) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
};

/** Applies an operator (not && and ||) to two integers of C types. */
export function combine(operator: BinaryOperator, a: bigint, aType: Type, b: bigint, bType: Type): { type: BaseType; value: bigint } {
  const shift = operator === '<<' || operator === '>>';
  // The type of a shift is that of its left operand alone.
  const type = shift ? promoted(aType) : commonType(aType, bType);
  const x = wrap(type, a);
  const y = shift ? b : wrap(type, b);
  const compare = COMPARISONS[operator];
  if (compare) return { type: INT, value: compare(x, y) ? 1n : 0n };
  return { type, value: wrap(type, apply(operator, x, y)) };
}

/** Applies an operator (not && and ||) to two numbers of floating point; comparisons yield whether they hold. Throws a UserError for operators of integers alone. */
export function combineReals(operator: BinaryOperator, x: number, y: number): number | boolean {
  const compare = COMPARISONS[operator];
  if (compare) return compare(x, y);
  switch (operator) {
    case '+': return x + y;
    case '-': return x - y;
    case '*': return x * y;
    case '/': return x / y;
  }
  throw needsIntegers(operator);
}

/** The same in x87's format. */
export function combineExtended(operator: BinaryOperator, x: ExtendedReal, y: ExtendedReal): ExtendedReal | boolean {
  const compare = COMPARISONS[operator];
  const order = x.compare(y);
  if (compare) return Number.isNaN(order) ? operator === '!=' : compare(order, 0);
  switch (operator) {
    case '+': return x.add(y);
    case '-': return x.add(y.negated);
    case '*': return x.multiply(y);
    case '/': return x.divide(y);
  }
  throw needsIntegers(operator);
}

const needsIntegers = (operator: BinaryOperator): UserError => new UserError('expression', `${operator} needs integers: cast what is floating point, as in (int)x.`);

function apply(operator: BinaryOperator, x: bigint, y: bigint): bigint {
  switch (operator) {
    case '+': return x + y;
    case '-': return x - y;
    case '*': return x * y;
    case '&': return x & y;
    case '|': return x | y;
    case '^': return x ^ y;
    case '<<':
    case '>>':
      if (y < 0n || y > 127n) throw new UserError('expression', `A value cannot be shifted by ${y} bits.`);
      return operator === '<<' ? x << y : x >> y;
    case '/':
    case '%':
      if (y === 0n) throw new UserError('expression', 'The expression divides by zero.');
      return operator === '/' ? x / y : x % y;
  }
  throw new Error(`${operator} is not an arithmetic operator.`);
}
