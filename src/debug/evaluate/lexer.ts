/** Splits an expression into tokens. */
import { UserError } from '../../base/errors';
import { ExtendedReal } from '../../symbols/extendedReal';
import type { SpaceName } from '../memory/memorySpace';

export type Token =
  | { kind: 'number'; value: bigint; unsigned: boolean; long: boolean; at: number }
  | { kind: 'real'; value: number | ExtendedReal; size: 'float' | 'double' | 'long double'; at: number }
  | { kind: 'string'; value: string; at: number }
  | { kind: 'name'; text: string; at: number }
  | { kind: 'machine'; path: string[]; at: number }
  /** `gpa:` in front of an address. */
  | { kind: 'space'; space: SpaceName; at: number }
  | { kind: 'punctuator'; text: string; at: number }
  | { kind: 'end'; at: number };

/** Longest first, so that `<<=` is not taken for `<<` and `=`. */
const PUNCTUATORS = ['<<=', '>>=', '->', '<<', '>>', '<=', '>=', '==', '!=', '&&', '||', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '+', '-', '*', '/', '%', '&', '|', '^', '!', '~', '<', '>', '=', '?', ':', '(', ')', '[', ']', '..', '.', ','];

const ESCAPES: Record<string, number> = { n: 10, t: 9, r: 13, a: 7, b: 8, f: 12, v: 11 };

const NUMBER = /^(0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*)([uUlL]*)/;
/** Floating point; the two dots of `1..5` are none of it. */
const REAL = /^(\d+\.(?!\.)\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)([fFlL]?)/;
/** The same in hexadecimal, of which the exponent is a must. */
const HEX_REAL = /^0[xX](?=\.?[0-9a-fA-F])([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?\d+)([fFlL]?)/;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*(::[A-Za-z_][A-Za-z0-9_]*)*/;
/** An address follows at once, so that the colon of `a ? gpa : b` is none of this. */
const SPACE = /^(vmm|guest|gpa|hpa):(?!:)(?=\S)/;
const MACHINE = /^\$([A-Za-z_][A-Za-z0-9_]*)(\.[A-Za-z_][A-Za-z0-9_]*)*/;

/** What a suffix says of floating point. */
const sizeOfReal = (suffix: string): 'float' | 'double' | 'long double' => (/f/i.test(suffix) ? 'float' : suffix === '' ? 'double' : 'long double');

/** 2 to a smaller power is no number, though digits times it may be one. */
const LEAST_POWER = -1000;

/** The number that hexadecimal digits and a power of two stand for. */
function hexReal(whole: string, fraction: string, exponent: number): number {
  const power = exponent - 4 * fraction.length;
  return Number(BigInt(`0x${whole}${fraction}`)) * 2 ** Math.max(power, LEAST_POWER) * 2 ** Math.min(power - LEAST_POWER, 0);
}

function parseNumber(text: string, suffix: string, at: number): Token {
  const digits = text.replaceAll('_', '');
  // C's octal is kept: a leading zero that is not 0x or 0b.
  const octal = /^0[0-7]+$/.test(digits);
  if (!octal && /^0[0-9]+$/.test(digits)) throw new UserError('expression', `${text} is not a number: digits 8 and 9 cannot follow a leading zero.`);
  const value = BigInt(octal ? '0o' + digits.slice(1) : digits);
  const long = /l/i.test(suffix);
  // Of int, unsigned int, long and unsigned long the first that has room, for all but decimal numbers.
  const fitsUnsigned = !/^[1-9]/.test(digits) && ((!long && value > 0x7fff_ffffn && value <= 0xffff_ffffn) || value > 0x7fff_ffff_ffff_ffffn);
  return { kind: 'number', value, unsigned: /u/i.test(suffix) || fitsUnsigned, long, at };
}

/** Reads up to the closing quote. Yields the characters and the length consumed. */
function quoted(input: string, start: number, quote: string): { value: string; end: number } {
  let value = '';
  for (let i = start + 1; i < input.length; i++) {
    const c = input[i]!;
    if (c === quote) return { value, end: i + 1 };
    if (c !== '\\') {
      value += c;
      continue;
    }
    const escape = input[++i] ?? '';
    if (escape === 'x') {
      const hex = /^[0-9a-fA-F]{1,2}/.exec(input.slice(i + 1))?.[0] ?? '';
      if (hex === '') throw new UserError('expression', `\\x needs hexadecimal digits, at column ${i + 1}.`);
      value += String.fromCharCode(parseInt(hex, 16));
      i += hex.length;
    } else if (/[0-7]/.test(escape)) {
      const octal = /^[0-7]{1,3}/.exec(input.slice(i))![0];
      value += String.fromCharCode(parseInt(octal, 8) & 0xff);
      i += octal.length - 1;
    } else value += escape in ESCAPES ? String.fromCharCode(ESCAPES[escape]!) : escape;
  }
  throw new UserError('expression', `The ${quote} at column ${start + 1} is never closed.`);
}

/** Whether a dot behind a token asks for a member. */
const endsOperand = (token: Token | undefined): boolean => token !== undefined && (token.kind !== 'punctuator' || token.text === ')' || token.text === ']');

/** Splits `input`. Throws a UserError that names the column of what no token can start with. */
export function tokenize(input: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < input.length) {
    const rest = input.slice(at);
    const space = /^\s+/.exec(rest);
    if (space) {
      at += space[0].length;
      continue;
    }
    const c = rest[0]!;
    let match: RegExpExecArray | null;
    if ((match = HEX_REAL.exec(rest))) {
      const size = sizeOfReal(match[4]!);
      const value = size === 'long double' ? ExtendedReal.parse(match[0].slice(0, -1)) : hexReal(match[1]!, match[2] ?? '', Number(match[3]));
      tokens.push({ kind: 'real', value, size, at });
      at += match[0].length;
    } else if ((match = REAL.exec(rest)) && !(c === '.' && endsOperand(tokens.at(-1)))) {
      const size = sizeOfReal(match[2]!);
      tokens.push({ kind: 'real', value: size === 'long double' ? ExtendedReal.parse(match[1]!) : Number(match[1]), size, at });
      at += match[0].length;
    } else if ((match = NUMBER.exec(rest))) {
      tokens.push(parseNumber(match[1]!, match[2]!, at));
      at += match[0].length;
    } else if ((match = SPACE.exec(rest))) {
      tokens.push({ kind: 'space', space: match[1] as SpaceName, at });
      at += match[0].length;
    } else if ((match = NAME.exec(rest))) {
      tokens.push({ kind: 'name', text: match[0], at });
      at += match[0].length;
    } else if ((match = MACHINE.exec(rest))) {
      tokens.push({ kind: 'machine', path: match[0].slice(1).split('.'), at });
      at += match[0].length;
    } else if (c === '"') {
      const { value, end } = quoted(input, at, c);
      tokens.push({ kind: 'string', value, at });
      at = end;
    } else if (c === "'") {
      const { value, end } = quoted(input, at, c);
      if (value.length !== 1) throw new UserError('expression', `A character constant holds one character, at column ${at + 1}.`);
      // A char has a sign: '\377' is -1.
      tokens.push({ kind: 'number', value: BigInt.asIntN(8, BigInt(value.charCodeAt(0))), unsigned: false, long: false, at });
      at = end;
    } else {
      const text = PUNCTUATORS.find((p) => rest.startsWith(p));
      if (text === undefined) throw new UserError('expression', `"${c}" at column ${at + 1} is not part of an expression.`);
      tokens.push({ kind: 'punctuator', text, at });
      at += text.length;
    }
  }
  tokens.push({ kind: 'end', at });
  return tokens;
}
