/** What the debugger keeps so that it can go back, and the plans that do. */
import { UserError } from '../../base/errors';
import type { Machine } from '../../machine/machineInterface';
import type { Processors } from '../processors';
import type { Part, Plan } from '../run/plan';
import type { RunControl } from '../run/runControl';
import type { StopCause } from '../run/stopCause';
import type { CodeFrame } from '../stack/callStack';
import type { Granularity } from '../run/stepping';
import { History } from './history';
import { instantOf, type Instant } from './instant';
import { Reverse } from './reverse';

export interface GoingBackEnvironment {
  readonly processors: Processors;
  run(): RunControl;
  /** Keeps what is counted and recorded at this instant; the function returned puts it back. */
  keep(): () => void;
  /** What follows a stop for a cause: the run to the first C line behind a VM exit. */
  afterCause(cause: StopCause): Part;
}

export class GoingBack {
  private kept: History | undefined;
  private reverse: Reverse | undefined;
  /** What happens has happened before and was told then. */
  quiet = false;

  constructor(
    private readonly machine: Machine,
    private readonly env: GoingBackEnvironment,
  ) {}

  /** The history, when one is kept. */
  get history(): History | undefined {
    return this.kept;
  }

  /** Keeps a history from here on. `clock` is in milliseconds. */
  start(clock: () => number): void {
    const { machine, env } = this;
    const stepped = () => env.processors.records[env.run().processor]!;
    this.kept = new History(machine, () => this.now(), () => env.keep(), clock);
    this.reverse = new Reverse({
      target: () => stepped().target,
      history: this.kept,
      run: env.run(),
      now: () => this.now(),
      deliveries: () => {
        const { deliveries, events } = stepped();
        return { count: deliveries, last: events.at(-1) };
      },
      quietly: () => {
        this.quiet = true;
        return () => (this.quiet = false);
      },
      afterCause: (cause) => env.afterCause(cause),
    });
  }

  /** What is executed now has been executed and shown before. */
  get repeats(): boolean {
    return this.quiet || (this.kept !== undefined && this.machine.icount < this.kept.horizon);
  }

  now(): Instant {
    return instantOf(this.machine, this.env.processors.deliveries);
  }

  /** Back by a statement or an instruction. Throws a UserError when no history is kept, as the others do. */
  step(granularity: Granularity): Plan {
    const reverse = this.required();
    return granularity === 'instruction' ? reverse.byInstruction() : reverse.byStatement();
  }

  /** Back to the last cause to stop. */
  toPreviousCause(): Plan {
    return this.required().toPreviousCause();
  }

  /** Back to where the function of a frame began. Throws a UserError for a frame of which that is not known. */
  toFunctionStart(frame: CodeFrame): Plan {
    const fn = frame.image?.image.functionAt(frame.frame.isCaller ? frame.frame.pc - 1n : frame.frame.pc);
    if (!fn || frame.cfa === undefined) throw new UserError('restart-frame', `It is not known where ${frame.name} began: there is no debug information for it.`);
    return this.required().toFunctionStart(fn.low, frame.cfa, frame.image!.image.afterPrologue(fn));
  }

  private required(): Reverse {
    if (!this.reverse) throw new UserError('history', 'No history is kept: "history" is false in the launch configuration, or the session runs without debugging.');
    return this.reverse;
  }
}
