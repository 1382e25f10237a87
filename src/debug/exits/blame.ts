/** The VMCS fields that a failed VM entry is blamed on, for marks in the Variables pane. */
import type { StopCause } from '../run/stopCause';

/** Encodings of fields, each with what is wrong with it, a sentence per check. */
export type Blame = ReadonlyMap<number, readonly string[]>;

const NOTHING: Blame = new Map();

/** What a stop blames: nothing unless it is for a failed VM entry. The first field of a check is the one to blame. */
export function blameOf(cause: StopCause | undefined): Blame {
  if (cause?.kind !== 'vmx-failure') return NOTHING;
  const blame = new Map<number, string[]>();
  for (const { id, condition, fields } of cause.failure.checks) {
    for (const field of fields) blame.set(field, [...(blame.get(field) ?? []), `${condition} (${id})`]);
  }
  return blame;
}
