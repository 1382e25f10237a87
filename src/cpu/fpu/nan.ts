/** Operands that are no numbers (SDM volume 1, "Operating on SNaNs and QNaNs"), and denormal operands. */
import { Class, classOf, type Extended, INDEFINITE, isNan, quiet } from './extended';
import type { Numeric } from './numeric';
import { Exception } from './statusWord';

/** A masked invalid operation's result. */
export function invalid(env: Numeric): Extended {
  env.raise(Exception.INVALID);
  return INDEFINITE;
}

/** The result of an operation on one operand when it is a NaN or unsupported, else undefined. */
export function nanOf(env: Numeric, a: Extended): Extended | undefined {
  const kind = classOf(a);
  if (kind === Class.UNSUPPORTED) return invalid(env);
  if (!isNan(kind)) return undefined;
  if (kind === Class.SNAN) env.raise(Exception.INVALID);
  return quiet(a);
}

/**
 * The same for two operands: a QNaN goes before an SNaN, otherwise the larger significand wins, and of equal ones the
 * positive.
 */
export function nanOfTwo(env: Numeric, a: Extended, b: Extended): Extended | undefined {
  const kindA = classOf(a);
  const kindB = classOf(b);
  if (kindA === Class.UNSUPPORTED || kindB === Class.UNSUPPORTED) return invalid(env);
  const nanA = isNan(kindA);
  const nanB = isNan(kindB);
  if (!nanA && !nanB) return undefined;
  if (kindA === Class.SNAN || kindB === Class.SNAN) env.raise(Exception.INVALID);
  if (!nanB) return quiet(a);
  if (!nanA) return quiet(b);
  if (kindA !== kindB) return kindA === Class.QNAN ? a : b;
  if (a.significand !== b.significand) return quiet(a.significand > b.significand ? a : b);
  return quiet(a.sign <= b.sign ? a : b);
}

/** Raises the denormal-operand exception for any denormal among the operands. */
export function noteDenormals(env: Numeric, ...operands: Extended[]): void {
  for (const operand of operands) if (classOf(operand) === Class.DENORMAL) env.raise(Exception.DENORMAL);
}
