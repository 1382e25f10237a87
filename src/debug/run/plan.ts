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
  /** Execute one instruction. With `repeats` it has been executed before: nothing that happens stops the machine. */
  | { kind: 'instruction'; repeats?: boolean }
  /** Run until `until` holds; for ever without. */
  | { kind: 'run'; until: Until | undefined }
  | Repeat;

/** Run what has been run before, up to a tick. What would stop the machine is told to `event`, which ends the request by true. */
export interface Repeat {
  kind: 'repeat';
  to: number;
  /** Addresses of interest; undefined: the user's breakpoints and whatever else stops the machine. */
  addresses?: ReadonlySet<bigint>;
  /** Whether deliveries of events, VM exits and VM entries are told too. */
  transitions?: boolean;
  /** `cause` is undefined for an address or a transition. */
  event?: (cause: StopCause | undefined) => boolean;
}

/** A plan returns why the machine stops. */
export type Plan = Generator<Request, StopCause, void>;
/** Part of a plan. */
export type Part<T = void> = Generator<Request, T, void>;

/** Continue. */
export function* continuePlan(): Plan {
  for (;;) yield { kind: 'run', until: undefined };
}
