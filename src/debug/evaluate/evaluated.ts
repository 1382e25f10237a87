/** What an expression yields: a C value with its place, or something of the machine. */
import { UserError } from '../../base/errors';
import { hex } from '../../base/bits';
import { encodeNumber, type Numeric, truncatedReal, type Value, type ValueReader } from '../../symbols/values';
import type { Location } from '../../symbols/location';
import type { Type } from '../../symbols/types';
import { REGISTER_NAMES } from '../../symbols/registers';
import { unsignedOf } from '../../symbols/frame';
import type { InspectionNode } from '../inspect/node';
import { registerNamed } from '../registers/registerTable';
import { setRegister } from '../inspect/registers';
import type { SpaceName } from '../memory/memorySpace';
import type { Target } from '../target';
import type { CodeFrame } from '../stack/callStack';
import { encode } from './arithmetic';
import { aType } from './typeWords';

export interface Evaluated {
  value: Value;
  reader: ValueReader;
  /** The address space that it is in: a world's linear one unless the expression names another. */
  space: SpaceName;
  /** Sets it to a number; absent for what has no place. Throws a UserError. */
  store: ((number: Numeric) => void) | undefined;
  /** Shown instead of the bare value: a register or a VMCS field with its words. */
  node: InspectionNode | undefined;
}

/** A number for what holds integers alone: the fraction is cut off, as C does. Throws a UserError for infinity and what is no number. */
export function wholeNumber(number: Numeric): bigint {
  if (typeof number === 'bigint') return number;
  const whole = truncatedReal(number);
  if (whole === undefined) throw new UserError('assign', `${String(number)} is no integer.`);
  return whole;
}

/** Where the parts of an expression are. */
export type EvaluatedIn = Pick<Evaluated, 'reader' | 'space'>;

/** A value that has no place: the result of an operation. */
export function withoutPlace(name: string, type: Type, bytes: Uint8Array, { reader, space }: EvaluatedIn): Evaluated {
  return { value: { name, type, location: { kind: 'value', bytes } }, reader, space, store: undefined, node: undefined };
}

/** The same of an integer. */
export const computed = (name: string, type: Type, number: bigint, context: EvaluatedIn): Evaluated => withoutPlace(name, type, encode(type, number), context);

/** A variable or a part of one, which can be assigned where its place allows it. */
export function placed(target: Target, frame: CodeFrame | undefined, space: SpaceName, value: Value, reader: ValueReader): Evaluated {
  const assignable = value.location.kind === 'memory' || value.location.kind === 'register';
  return { value, reader, space, node: undefined, store: assignable ? (number) => storeInto(target, frame, space, value, reader, number) : undefined };
}

/** Writes a number to a variable's place. Throws a UserError that says why when it cannot be. */
export function storeInto(target: Target, frame: CodeFrame | undefined, space: SpaceName, value: Value, reader: ValueReader, number: Numeric): void {
  const encoded = encodeNumber(value, number, reader);
  if ('reason' in encoded) throw new UserError('assign', `${value.name} cannot be changed: ${encoded.reason}.`);
  const { location } = value;
  if (location.kind === 'memory') {
    if (target.write(space, location.address, encoded.bytes) < encoded.bytes.length) throw new UserError('assign', `Memory at ${hex(location.address)} cannot be written.`);
    return;
  }
  if (location.kind !== 'register') throw new UserError('assign', `${value.name}, ${aType(value.type)}, has no place to be changed.`);
  storeIntoRegister(frame, location, encoded.bytes);
}

function storeIntoRegister(frame: CodeFrame | undefined, location: Location & { kind: 'register' }, bytes: Uint8Array): void {
  const register = registerNamed(REGISTER_NAMES[location.register] ?? '');
  if (!register || !frame || frame.level !== 0) {
    throw new UserError('assign', 'The variable is in a register that a called function has saved elsewhere: only the innermost frame\'s can be changed.');
  }
  const old = frame.registers.read(register) ?? 0n;
  const shift = BigInt(8 * location.offset);
  const mask = ((1n << BigInt(8 * bytes.length)) - 1n) << shift;
  setRegister(frame.registers, register, (old & ~mask) | (unsignedOf(bytes) << shift));
}
