/** `x/10i`, `x/8gx`, `x/s`: memory in GDB's formats. Bochs' `xp` reads physical memory. */
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import { disassemble } from '../disassembly/rows';
import { wholeNumber } from '../evaluate/evaluated';
import { innermostFrame } from '../stack/innermostFrame';
import { addressName } from '../stack/callStack';
import type { SpaceName } from '../memory/memorySpace';
import type { ConsoleContext } from './command';

const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
const ROW_BYTES = 16;
const MOST = 4096;
const LONGEST_STRING = 200;

interface Wanted {
  count: number;
  letter: string;
  size: number;
}

/** What stands behind the slash: a count, a letter for the format and one for the size, in any order. */
export function examineFormat(text: string): Wanted {
  const count = /\d+/.exec(text)?.[0];
  const letters = text.replace(/\d+/, '');
  let letter = 'x';
  let size = 0;
  for (const c of letters) {
    if (c in SIZES) size = SIZES[c]!;
    else if ('xdutocasi'.includes(c)) letter = c;
    else throw new UserError('console', `x/${text}: ${c} is neither a format (x d u o t c a s i) nor a size (b h w g).`);
  }
  const wanted = count === undefined ? 1 : Number(count);
  if (wanted < 1 || wanted > MOST) throw new UserError('console', `x/${text}: 1 to ${MOST} can be examined at once.`);
  return { count: wanted, letter, size: size || (letter === 'a' ? 8 : letter === 'c' ? 1 : 4) };
}

const ESCAPED: Readonly<Record<number, string>> = { 0: '\\0', 9: '\\t', 10: '\\n', 13: '\\r' };
const character = (code: number): string => ESCAPED[code] ?? (code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : `\\${code.toString(8).padStart(3, '0')}`);

function number(value: bigint, { letter, size }: Wanted): string {
  const bits = size * 8;
  switch (letter) {
    case 'd':
      return BigInt.asIntN(bits, value).toString();
    case 'u':
      return value.toString();
    case 'o':
      return `0${value.toString(8)}`;
    case 't':
      return value.toString(2).padStart(bits, '0');
    case 'c':
      return `${BigInt.asIntN(8, value)} '${character(Number(value & 0xffn))}'`;
    default:
      return hex(value, size * 2);
  }
}

/** An address as its world's symbols name it: nothing for physical ones. */
function label(context: ConsoleContext, space: SpaceName, address: bigint): string {
  if (space !== 'vmm' && space !== 'guest') return '';
  const name = addressName(context.debugger.target, space, address);
  return name.startsWith('0x') ? '' : ` <${name}>`;
}

function instructions(context: ConsoleContext, space: SpaceName, address: bigint, count: number): string[] {
  const { target } = context.debugger;
  if (space !== 'vmm' && space !== 'guest') throw new UserError('console', 'Code is disassembled by linear address: write the address without gpa: and hpa:.');
  const registers = target.registers(space);
  const frame = innermostFrame(target, registers);
  const here = frame?.pc;
  return disassemble(target, context.disassembler, space, frame?.bits ?? 64, address, 0, count).map((row) =>
    `${row.address === here ? '=> ' : '   '}${hex(row.address)}${row.symbol === undefined ? '' : ` <${row.symbol}>`}:  ${row.text}`);
}

function strings({ debugger: { target } }: ConsoleContext, space: SpaceName, from: bigint, count: number): string[] {
  const lines: string[] = [];
  for (let address = from; lines.length < count; ) {
    const bytes = target.read(space, address, LONGEST_STRING);
    if (bytes.length === 0) return [...lines, `${space}:${hex(address)}: nothing is mapped here`];
    const end = bytes.indexOf(0);
    const text = bytes.subarray(0, end < 0 ? bytes.length : end);
    lines.push(`${hex(address)}:  "${Array.from(text, (code) => (code === 0x22 ? '\\"' : character(code))).join('')}"${end < 0 ? '...' : ''}`);
    address += BigInt(text.length + (end < 0 ? 0 : 1));
  }
  return lines;
}

/** Memory from an address on. */
export function examine(context: ConsoleContext, space: SpaceName, address: bigint, format: string): string {
  const wanted = examineFormat(format);
  if (wanted.letter === 'i') return instructions(context, space, address, wanted.count).join('\n');
  if (wanted.letter === 's') return strings(context, space, address, wanted.count).join('\n');
  const { target } = context.debugger;
  const perRow = wanted.letter === 'a' ? 1 : Math.max(1, ROW_BYTES / wanted.size / (wanted.letter === 't' ? 2 : 1));
  const lines: string[] = [];
  for (let i = 0; i < wanted.count; i += perRow) {
    const at = BigInt.asUintN(64, address + BigInt(i * wanted.size));
    const cells: string[] = [];
    for (let j = i; j < Math.min(i + perRow, wanted.count); j++) {
      const value = target.readInteger(space, BigInt.asUintN(64, address + BigInt(j * wanted.size)), wanted.size);
      if (value === undefined) {
        cells.push('nothing is mapped here');
        break;
      }
      cells.push(number(value, wanted) + (wanted.letter === 'a' ? label(context, space, value) : ''));
    }
    lines.push(`${space === 'gpa' || space === 'hpa' ? `${space}:` : ''}${hex(at)}${label(context, space, at)}:  ${cells.join('  ')}`);
    if (cells.at(-1) === 'nothing is mapped here') break;
  }
  return lines.join('\n');
}

/** The stack as words, with the names of the addresses that lie on it. */
export function stackWords(context: ConsoleContext, count: number): string {
  const { target } = context.debugger;
  const frame = context.frame?.frame;
  const world = context.frame?.world ?? target.world;
  const size = frame?.bits === 64 || frame === undefined ? 8 : frame.bits / 8;
  const stack = wholeNumber(context.evaluator.number('$rsp'));
  const letters: Readonly<Record<number, string>> = { 2: 'xh', 4: 'xw', 8: 'a' };
  return examine(context, world, stack, `${count}${letters[size]}`);
}
