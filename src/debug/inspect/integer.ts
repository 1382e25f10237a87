/** Integers as the user types them. */
import { UserError } from '../../base/errors';

/** Reads `12`, `-1`, `0x1f`, `0b101`. Throws a UserError that says so when it is none. */
export function parseInteger(text: string): bigint {
  const match = /^\s*(-?)\s*(0x[0-9a-f_]+|0b[01_]+|[0-9][0-9_]*)\s*$/i.exec(text);
  if (!match) throw new UserError('integer', `"${text}" is not a number: write it as 12, -1 or 0x1f.`);
  const value = BigInt(match[2]!.replaceAll('_', ''));
  return match[1] ? -value : value;
}
