/** Entries of `breakOnExit`: an exit's name, with a condition behind `if` when one is wanted: `CPUID if leaf == 1`. */
import { UserError } from '../../base/errors';
import { nearest } from '../../base/nearest';
import type { ExitBreakpointRequest } from '../../debug/exits/exitBreakpoints';
import { EXIT_REASONS } from '../../vmx/tables';

/** Reads an entry. Throws a UserError that names the nearest reason for one that does not exist. */
export function exitRequest(text: string): ExitBreakpointRequest {
  const [, word, condition] = /^\s*(\S+)(?:\s+if\s+(.*))?\s*$/.exec(text) ?? [];
  const name = word?.toUpperCase();
  if (name === 'ANY' || name === '*') return { name: undefined, condition };
  if (name !== undefined && EXIT_REASONS.some((r) => r.name === name)) return { name, condition };
  const near = nearest(name ?? '', EXIT_REASONS.map((r) => r.name));
  throw new UserError('launch-configuration', `"breakOnExit" has ${JSON.stringify(text)}, which is no VM exit: ${near ? `did you mean "${near}"?` : 'write a name of the SDM in capitals, as in "CPUID".'}`);
}
