/**
 * Runs the machine in slices, so that whoever waits (Pause above all) gets a turn, and carries out one plan at a time.
 */
import { UserError } from '../../base/errors';
import { IF } from '../../cpu/flags';
import { Offset } from '../../cpu/state';
import type { Processor } from '../../cpu/processor';
import type { Machine, MachineStop } from '../../machine/machineInterface';
import type { VmxInspection } from '../../vmx/observe';
import type { Instant } from '../history/instant';
import { positionOf } from './position';
import { continuePlan, type Plan, type Repeat, type Request, type Until } from './plan';
import { MOST_SLEEP_MS, Pace } from './pace';
import type { Scheduler } from './scheduler';
import type { StopCause } from './stopCause';

/** Of what is repeated. */
const REPEAT_BUDGET = 2_000_000;
/** One at a time, before whoever waits gets a turn. */
const MOST_SINGLE_STEPS = 1000;
const WAIT_FOR_SIPI = 3;
const NONE: ReadonlySet<bigint> = new Set();

const isAwaited = (cause: StopCause): boolean => cause.kind === 'exit' || cause.kind === 'event' || cause.kind === 'data';

export interface RunHooks {
  /** Linear addresses of breakpoints. */
  breakpointAddresses(): ReadonlySet<bigint>;
  /** Processor `cpu` stands at one of them: why to stop, or undefined to go on. */
  breakpointHit(pc: bigint, cpu: number): StopCause | undefined;
  /** The engine has stopped behind an access to watched memory. */
  watchHit(): void;
  /** Whether instructions are to be executed one at a time, and that one has been. */
  stepsSingly(): boolean;
  stepped(): void;
  /** An exit breakpoint wants to stop: what is still to be done first, or undefined to stop at once. */
  beforeStop(cause: StopCause): Plan | undefined;
  /** The machine came to its end. */
  ended(how: MachineStop): StopCause;
  /** The machine stands still, for what processor `cpu` did; the plan is over. */
  stopped(cause: StopCause, cpu: number): void;
  /** The machine has run on for a while; not called while it repeats what it did before. */
  ran(): void;
  /** The present instant. */
  now(): Instant;
}

export class RunControl {
  running = false;
  private plan: Plan | undefined;
  private request: Request = { kind: 'run', until: undefined };
  private pauseRequested = false;
  private pending: { cause: StopCause; cpu: number } | undefined;
  /** The cause that is reported when the present plan ends, whatever the plan itself says. */
  private finalCause: StopCause | undefined;
  /** The processor that the plan is about. */
  processor = 0;
  /** When that cause arose: what is done afterwards moves the machine on. */
  private causeAt: Instant | undefined;
  /** The instant of the last stop's cause. */
  stoppedAt: Instant | undefined;
  private transition = false;
  private event: 'exit' | 'entry' | undefined;
  /** Processors that stand at a breakpoint which has been told, or is none of theirs. */
  private readonly standing = new Set<number>([0]);
  private readonly pace: Pace;
  private sleeping = false;
  /** Distinguishes slices scheduled for this run from those of one that is over. */
  private turn = 0;
  private installed: ReadonlySet<bigint> | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly scheduler: Scheduler,
    private readonly hooks: RunHooks,
  ) {
    this.pace = new Pace(machine, scheduler);
  }

  private get cpu(): Processor {
    return this.machine.cpus[this.processor]!;
  }
  private get vmx(): VmxInspection {
    return this.machine.vmx[this.processor]!;
  }

  /** Starts a plan about a processor; `stopped` tells its end. Throws a UserError when the machine cannot run on; `back` from where it has ended it can go. */
  start(plan: Plan = continuePlan(), processor = this.processor, back = false): void {
    if (this.running) throw new UserError('running', 'The machine is running: pause it first.');
    if (this.machine.ended !== undefined && !back) throw new UserError('ended', 'The machine has come to its end: restart it.');
    this.running = true;
    // Where the machine stopped, and where the step begins, breakpoints have been told.
    this.standing.add(this.processor).add(processor);
    this.processor = processor;
    this.plan = plan;
    this.pauseRequested = false;
    this.pending = undefined;
    this.finalCause = undefined;
    this.causeAt = undefined;
    this.pace.begin();
    let first: 'go' | StopCause;
    try {
      first = this.advancePlan();
    } catch (error) {
      this.running = false;
      throw error;
    }
    if (first === 'go') this.schedule(0);
    // A plan that has nothing to run still stops after the answer to the request that started it.
    else this.scheduler.soon(() => this.running && this.stop(first));
  }

  /** Asks for a stop at the end of the present slice. */
  pause(): void {
    this.pauseRequested = true;
    this.wake();
  }

  /** Input arrived: a machine that sleeps has something to do. */
  wake(): void {
    if (this.running && this.sleeping) this.schedule(0);
  }

  /** Gives up the plan without a report: the machine is about to be put elsewhere, or thrown away. */
  abandon(): void {
    this.running = false;
    this.giveUpPlan();
    this.installed = undefined;
    this.turn++;
  }

  /** From within the machine: stop after the present instruction, for this cause. The first cause counts, but a failure outranks what somebody waits for, and a VM exit the event whose delivery led to it. */
  requestStop(cause: StopCause): void {
    if (!this.running) return;
    const outranks = (before: StopCause): boolean => (isAwaited(before) && !isAwaited(cause)) || (before.kind === 'event' && cause.kind === 'exit');
    if (!this.pending || outranks(this.pending.cause)) this.pending = { cause, cpu: this.machine.current };
    this.machine.requestStop();
  }

  /** From within the machine: an event is being delivered. */
  delivering(): void {
    if (this.request.kind !== 'repeat' || !this.request.transitions) return;
    this.transition = true;
    this.machine.requestStop();
  }

  /** From within the machine: an exit or entry of a processor has completed. */
  worldChanged(event: 'exit' | 'entry', cpu: number): void {
    this.delivering();
    if (cpu === this.processor && this.request.kind === 'run' && this.request.until?.event === event) {
      this.event = event;
      this.machine.requestStop();
    }
  }

  private schedule(delay: number): void {
    const turn = ++this.turn;
    this.sleeping = delay > 0;
    this.scheduler.soon(() => {
      if (turn === this.turn && this.running) this.slice();
    }, delay);
  }

  private slice(): void {
    this.sleeping = false;
    const slice = this.pace.slice();
    try {
      do {
        if (this.pauseRequested) return this.stop({ kind: 'pause' }, this.machine.current);
        const next = this.advance();
        if (next === 'wait') return this.waitForInput();
        if (next !== 'go') return this.stop(next);
        if (!this.running) return;
      } while (this.pace.goesOn(slice));
    } catch (error) {
      const sentence = error instanceof UserError ? error.message : `Hyperstep failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
      return this.stop({ kind: 'error', sentence });
    }
    this.schedule(this.pace.sleep(slice));
  }

  /** Every processor waits and no timer is set: only input can end that, if interrupts are enabled at all. */
  private waitForInput(): void {
    const canWake = this.machine.cpus.some(({ state }, n) => state.get32(Offset.ACTIVITY) !== WAIT_FOR_SIPI && ((state.get32(Offset.FLAGS) & IF) !== 0 || this.machine.vmx[n]!.nonRoot));
    if (!canWake) return this.stop({ kind: 'dead-halt' }, this.machine.current);
    this.schedule(MOST_SLEEP_MS);
  }

  /** Carries out a piece of the present request. */
  private advance(): 'go' | 'wait' | StopCause {
    const request = this.request;
    this.event = undefined;
    if (request.kind === 'repeat') return this.repeat(request);
    if (request.kind === 'instruction') {
      if (this.machine.cpus.length > 1) return this.stepAmongOthers(request);
      this.cpu.skipBreakpointOnce();
      this.standing.add(this.processor);
      const reason = this.runMachine(1);
      return this.afterRun(reason, request);
    }
    this.install(request.until?.addresses);
    this.leaveBreakpoints();
    const start = this.scheduler.now();
    const reason = this.runMachine(this.pace.budget);
    if (!this.hooks.stepsSingly() && reason === 'budget') this.pace.took(this.scheduler.now() - start);
    this.hooks.ran();
    return this.afterRun(reason, request);
  }

  /** One instruction of the plan's processor; the others run as their turns come, and stop at their breakpoints. */
  private stepAmongOthers(request: Request & { kind: 'instruction' }): 'go' | 'wait' | StopCause {
    this.install(undefined, request.repeats ? NONE : undefined);
    this.standing.add(this.processor);
    this.leaveBreakpoints();
    const reason = this.machine.step(this.processor);
    if (reason === 'watch') this.hooks.watchHit();
    if (reason === 'elsewhere') return 'go';
    if (reason === 'breakpoint') return this.atBreakpoint();
    this.standing.add(this.processor);
    return this.afterRun(reason, request);
  }

  /** What processors stand at has been told: they go on. */
  private leaveBreakpoints(): void {
    for (const cpu of this.standing) this.machine.cpus[cpu]!.skipBreakpointOnce();
    this.standing.clear();
  }

  /** Runs a piece of what has been run before. */
  private repeat(request: Repeat): 'go' | StopCause {
    this.transition = false;
    const left = request.to - this.machine.icount;
    if (left <= 0 || this.machine.ended !== undefined) return this.advancePlan();
    this.install(undefined, request.addresses);
    this.leaveBreakpoints();
    const reason = this.runMachine(Math.min(left, REPEAT_BUDGET));
    const told: (StopCause | undefined)[] = [];
    if (this.pending && !request.addresses) told.push(this.pending.cause);
    this.pending = undefined;
    if (this.transition) told.push(undefined);
    if (reason === 'breakpoint') {
      const at = this.machine.current;
      this.standing.add(at);
      const cause = request.addresses ? undefined : this.hooks.breakpointHit(this.pcOf(at), at);
      if (request.addresses ? at === this.processor : cause) told.push(cause);
    }
    // A machine that waits for ever did not come to the tick that is wanted: that is as far as it goes.
    if (told.some((cause) => request.event?.(cause)) || reason === 'halt') return this.advancePlan();
    return 'go';
  }

  /** Runs at most so many ticks, and tells of what was watched meanwhile. */
  private runMachine(budget: number): MachineStop {
    if (!this.hooks.stepsSingly()) {
      const reason = this.machine.run(budget);
      if (reason === 'watch') this.hooks.watchHit();
      return reason;
    }
    for (let i = 0; ; i++) {
      const before = this.machine.icount;
      const reason = this.machine.run(1);
      if (reason === 'watch') this.hooks.watchHit();
      this.hooks.stepped();
      budget -= this.machine.icount - before;
      if (reason !== 'budget' || this.pending || budget <= 0 || i === MOST_SINGLE_STEPS) return reason;
    }
  }

  private afterRun(reason: MachineStop, request: Exclude<Request, Repeat>): 'go' | 'wait' | StopCause {
    if (request.kind === 'instruction' && request.repeats) {
      this.pending = undefined;
      return this.advancePlan();
    }
    if (this.pending) {
      const { cause, cpu } = this.pending;
      this.pending = undefined;
      return this.conclude(cause, cpu);
    }
    switch (reason) {
      case 'shutdown':
      case 'power-off':
      case 'debug-exit':
        this.processor = this.machine.current;
        return this.hooks.ended(reason);
      case 'halt':
        // A step that ends in HLT is over; a run goes on waiting.
        return request.kind === 'instruction' ? this.advancePlan() : 'wait';
    }
    if (this.event) return this.advancePlan();
    if (request.kind === 'instruction') {
      const pc = positionOf(this.cpu, this.vmx).pc;
      if (this.hooks.breakpointAddresses().has(pc)) {
        const cause = this.hooks.breakpointHit(pc, this.processor);
        if (cause) return this.conclude(cause, this.processor);
      }
      return this.advancePlan();
    }
    if (reason === 'breakpoint') return this.atBreakpoint(request.until);
    return 'go';
  }

  private pcOf(cpu: number): bigint {
    return positionOf(this.machine.cpus[cpu]!, this.machine.vmx[cpu]!).pc;
  }

  private atBreakpoint(until?: Until): 'go' | StopCause {
    const at = this.machine.current;
    const pc = this.pcOf(at);
    this.standing.add(at);
    if (this.hooks.breakpointAddresses().has(pc)) {
      const cause = this.hooks.breakpointHit(pc, at);
      if (cause) return this.conclude(cause, at);
    }
    // What a step waits for is its own processor.
    if (at !== this.processor) return 'go';
    if (until?.addresses?.includes(pc) && (until.accept?.() ?? true)) return this.advancePlan();
    return 'go';
  }

  /** A cause to stop was found: at once, or after a plan of its own. */
  private conclude(cause: StopCause, cpu: number): 'go' | StopCause {
    if (this.finalCause) return this.finalCause;
    this.processor = cpu;
    const first = this.hooks.beforeStop(cause);
    if (!first) return cause;
    this.finalCause = cause;
    this.causeAt = this.hooks.now();
    this.giveUpPlan();
    this.plan = first;
    return this.advancePlan();
  }

  /** Resumes the plan for its next request. */
  private advancePlan(): 'go' | StopCause {
    const next = this.plan!.next();
    if (!next.done) {
      this.request = next.value;
      return 'go';
    }
    return this.finalCause ?? next.value;
  }

  /** A plan that does not come to its end cleans up. */
  private giveUpPlan(): void {
    this.plan?.return({ kind: 'pause' });
    this.plan = undefined;
  }

  /** The machine was put to another instant: a breakpoint where it stands now has not been told yet. */
  restored(): void {
    this.standing.clear();
  }

  /** A plan that has run on after its cause arose says when that was. */
  causedAt(instant: Instant): void {
    this.causeAt = instant;
  }

  private stop(cause: StopCause, cpu = this.processor): void {
    this.processor = cpu;
    this.running = false;
    this.giveUpPlan();
    this.stoppedAt = this.causeAt ?? this.hooks.now();
    this.turn++;
    this.hooks.stopped(cause, cpu);
  }

  /** Gives the processors the user's breakpoints and the request's temporary ones. */
  private install(temporary: readonly bigint[] | undefined, instead?: ReadonlySet<bigint>): void {
    const users = instead ?? this.hooks.breakpointAddresses();
    const wanted = temporary ? new Set([...users, ...temporary]) : users;
    if (wanted === this.installed) return;
    this.installed = wanted;
    for (const cpu of this.machine.cpus) cpu.setBreakpoints(wanted);
  }
}
