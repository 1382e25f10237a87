/**
 * A plan is what Continue or a step does, written as a generator: it yields what the machine is to do next and is
 * resumed when that has happened. A breakpoint, an exit breakpoint, a failure or Pause ends the plan where it is.
 */
import type { StopCause } from './stopCause';

/** Where a run is to end. */
export interface Until {
  /** Linear addresses, as temporary breakpoints. */
  addresses?: readonly bigint[];
  /** Whether arriving at one of the addresses counts (right world, right stack pointer). */
  accept?: () => boolean;
  /** A VM exit has completed; a VM entry has completed. */
  event?: 'exit' | 'entry';
}

export type Request =
  /** Execute one instruction. */
  | { kind: 'instruction' }
  /** Run until `until` holds; for ever without. */
  | { kind: 'run'; until: Until | undefined };

/** A plan returns why the machine stops. */
export type Plan = Generator<Request, StopCause, void>;
/** Part of a plan. */
export type Part<T = void> = Generator<Request, T, void>;

/** Continue. */
export function* continuePlan(): Plan {
  for (;;) yield { kind: 'run', until: undefined };
}
