/** An instant that a plan can put the machine back to, as when what it looked for does not come. */
import type { Machine } from '../../machine/machineInterface';
import type { RunControl } from './runControl';

export interface Mark {
  /** Puts machine and debugger back to the instant. */
  back(): void;
  /** Frees what is kept for it: once, whether or not the machine went back. */
  release(): void;
}

/** Marks the present instant. `keep` keeps what the debugger counts and records; the function that it returns puts it back. */
export function markInstant(machine: Machine, run: RunControl, keep: () => () => void): Mark {
  const snapshot = machine.snapshot();
  const putBack = keep();
  return {
    back: () => {
      // What is typed afterwards is typed again when the machine gets there.
      machine.restore(snapshot, machine.recordedInput);
      putBack();
      run.restored();
    },
    release: () => machine.release(snapshot),
  };
}
