/** C values as lines: how they read, and their members and elements as children. */
import { hex } from '../../base/bits';
import { REGISTER_NAMES } from '../../symbols/registers';
import { sizeOf, stripped, typeName, type Type } from '../../symbols/types';
import { readable } from '../../symbols/rustValues';
import { character, childCount, children, formatValue, integerOf, readString, type FormatOptions, type Numeric, type Value, type ValueReader } from '../../symbols/values';
import type { Evaluated } from '../evaluate/evaluated';
import { storeInto } from '../evaluate/evaluated';
import type { Format } from '../evaluate/syntax';
import { addressName, sourcePlace, type CodeFrame } from '../stack/callStack';
import type { SpaceName } from '../memory/memorySpace';
import type { Target } from '../target';
import type { InspectionNode } from './node';

/** What children and writes need. */
export interface VariableContext {
  target: Target;
  frame: CodeFrame | undefined;
  space: SpaceName;
  reader: ValueReader;
  /** How integers are shown where an expression does not say. */
  format?: Format | undefined;
  /** Turns what the user typed into a number: any expression of the frame. */
  parse: (text: string) => Numeric;
}

/** A client that asks for no part of a large array gets its first elements. */
const MOST_CHILDREN = 1000;

function options(context: VariableContext, format: Format | undefined): FormatOptions {
  return {
    radix: format === 'x' ? 16 : 10,
    symbol: (address) => {
      if (context.space !== 'vmm' && context.space !== 'guest') return undefined;
      const name = addressName(context.target, context.space, address);
      return name.startsWith('0x') ? undefined : name;
    },
  };
}

/** Integers of ten and more are told in hexadecimal too: addresses, masks and error codes are read that way. */
function text(value: Value, context: VariableContext, format: Format | undefined): string {
  const number = integerOf(value, context.reader);
  if (number !== undefined) {
    if (format === 'b') return `0b${BigInt.asUintN(64, number).toString(2)}`;
    if (format === 'c') return `'${character(Number(number & 0xffn), "'")}'`;
    if (format === 's') return readString(context.reader, number) ?? `${hex(number)} cannot be read`;
  }
  const shown = formatValue(value, context.reader, options(context, format));
  const bare = stripped(value.type);
  if (bare.kind === 'enum' && number !== undefined && (format === 'x' || format === 'd') && !/\d\)?$/.test(shown)) return `${shown} (${format === 'x' ? hex(BigInt.asUintN(bare.size * 8, number)) : number})`;
  const isPlain = bare.kind === 'base' && (bare.encoding === 'signed' || bare.encoding === 'unsigned');
  if (!isPlain || format !== undefined || number === undefined || (number > -10n && number < 10n)) return shown;
  return `${shown} (0x${BigInt.asUintN(bare.size * 8, number).toString(16)})`;
}

const isText = (type: Type): boolean => stripped(type).kind === 'pointer' || stripped(type).kind === 'array';

/** Where a data breakpoint on a value has to look; undefined for what is nowhere. */
function watchOf(value: Value, { space, frame }: VariableContext): string | undefined {
  const { location } = value;
  const size = sizeOf(value.type);
  if (location.kind === 'memory') return size === undefined || size === 0 ? undefined : `${space}:${hex(location.address)}+${size}`;
  const register = location.kind === 'register' ? REGISTER_NAMES[location.register] : undefined;
  // An outer frame's register was saved somewhere: the register itself is another function's now.
  return register === undefined || !frame || frame.level > 0 ? undefined : `$${frame.world}.${register}`;
}

/** The line of a value. */
export function variableNode(declared: Value, context: VariableContext, evaluateName: string | undefined, format?: Format): InspectionNode {
  const value = readable(declared, context.reader);
  const count = childCount(value);
  const bare = stripped(value.type);
  const array = bare.kind === 'array';
  const number = bare.kind === 'pointer' ? integerOf(value, context.reader) : undefined;
  const address = number ?? (value.location.kind === 'memory' ? value.location.address : undefined);
  const assignable = (value.location.kind === 'memory' || value.location.kind === 'register') && (bare.kind === 'base' || bare.kind === 'enum' || bare.kind === 'pointer');
  return {
    name: value.name,
    value: text(value, context, format),
    type: typeName(declared.type),
    evaluateName,
    indexed: array ? count : undefined,
    children: count > 0 ? (start = 0, most = MOST_CHILDREN) => childNodes(value, context, evaluateName, format, start, most) : undefined,
    memoryReference: address !== undefined && address !== 0n && (isText(value.type) || bare.kind === 'struct') ? `${context.space}:${hex(address)}` : undefined,
    watch: watchOf(declared, context),
    origin: bare.kind === 'pointer' && stripped(bare.target).kind === 'function' && number !== undefined ? () => (context.space === 'vmm' || context.space === 'guest' ? sourcePlace(context.target, context.space, number) : undefined) : undefined,
    write: assignable ? (typed) => storeInto(context.target, context.frame, context.space, value, context.reader, context.parse(typed)) : undefined,
  };
}

function childNodes(value: Value, context: VariableContext, evaluateName: string | undefined, format?: Format, start = 0, count = MOST_CHILDREN): InspectionNode[] {
  const bare = stripped(value.type);
  return children(value, context.reader, start, count).flatMap((child) => {
    // A pointer to a struct opens to its members at once.
    if (bare.kind === 'pointer' && stripped(child.type).kind === 'struct') return childNodes(child, context, evaluateName === undefined ? undefined : `(*${evaluateName})`, format);
    // Members of an anonymous struct or union count as the outer one's.
    if (child.name === '' && stripped(child.type).kind === 'struct') return childNodes(child, context, evaluateName, format);
    const name = evaluateName === undefined ? undefined : bare.kind === 'pointer' ? `*(${evaluateName})` : bare.kind === 'array' ? `(${evaluateName})${child.name}` : `${evaluateName}.${child.name}`;
    return [variableNode(child, context, name, format)];
  });
}

/** An expression without the format behind it, so that its parts can be asked for. */
const withoutFormat = (expression: string): string => expression.replace(/,\s*([xdbcs]|[0-9]\w*)\s*$/, '');

/** The line of a result. */
export function evaluatedNode(result: Evaluated, context: VariableContext, evaluateName: string, format: Format | undefined): InspectionNode {
  if (result.node && format === undefined) {
    const store = result.store;
    return { ...result.node, write: result.node.write ?? (store && ((typed) => store(context.parse(typed)))) };
  }
  const node = variableNode(result.value, { ...context, reader: result.reader, space: result.space }, withoutFormat(evaluateName), format);
  const store = result.store;
  return { ...node, write: store ? (typed) => store(context.parse(typed)) : undefined };
}
