/** Exit breakpoints: which VM exits stop the machine. */
import { UserError } from '../../base/errors';
import type { ExitRecord } from '../../vmx/observe';
import { exitCondition, type ExitCondition } from './exitCondition';

interface ExitBreakpoint {
  /** The SDM's name of the reason; undefined for every exit. */
  name: string | undefined;
  condition: ExitCondition | undefined;
}

export interface ExitBreakpointRequest {
  name: string | undefined;
  condition: string | undefined;
}

export class ExitBreakpoints {
  private breakpoints: ExitBreakpoint[] = [];
  /** Told once per condition that cannot be computed for an exit; the exit then stops the machine, so that nobody waits for ever. */
  onError: (sentence: string) => void = () => {};

  /** Replaces all. Yields, per request, the sentence about a condition that cannot be understood (it is then left out), or undefined. */
  set(requests: readonly ExitBreakpointRequest[]): (string | undefined)[] {
    this.breakpoints = [];
    return requests.map(({ name, condition }) => {
      try {
        this.breakpoints.push({ name, condition: condition?.trim() ? exitCondition(condition) : undefined });
        return undefined;
      } catch (error) {
        if (error instanceof UserError) return error.message;
        throw error;
      }
    });
  }

  /** Whether an exit is to stop the machine. */
  matches(record: ExitRecord): boolean {
    return this.breakpoints.some((b) => (b.name === undefined || b.name === record.name) && this.holds(b, record));
  }

  private holds(breakpoint: ExitBreakpoint, record: ExitRecord): boolean {
    if (!breakpoint.condition) return true;
    try {
      return breakpoint.condition(record);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // A condition on every exit may speak of what only some reasons have: it does not hold for the others.
      if (breakpoint.name === undefined) return false;
      this.onError(error.message);
      return true;
    }
  }
}
