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
import { continuePlan, type Plan, type Repeat, type Request } from './plan';
import type { Scheduler } from './scheduler';
import type { StopCause } from './stopCause';

/** Wall time of a slice: short, so that Pause answers within 50 ms on a busy host. */
const SLICE_MS = 10;
/** Instructions in one call of the machine: first guess, least, most. The machine reaches its full speed from 50 thousand on. */
const FIRST_BUDGET = 100_000;
const LEAST_BUDGET = 20_000;
const MOST_BUDGET = 5_000_000;
/** Of what is repeated. */
const REPEAT_BUDGET = 2_000_000;
/** A machine that does nothing but wait for this long (in ticks of a nanosecond) is slowed down to real time, so that it does not occupy the host. */
const IDLE_BEFORE_PACING = 100e6;
/** It still looks at its input this often. */
const MOST_SLEEP_MS = 20;

const isAwaited = (cause: StopCause): boolean => cause.kind === 'exit' || cause.kind === 'event';

export interface RunHooks {
  /** Linear addresses of breakpoints. */
  breakpointAddresses(): ReadonlySet<bigint>;
  /** The processor stands at one of them: why to stop, or undefined to go on. */
  breakpointHit(pc: bigint): StopCause | undefined;
  /** An exit breakpoint wants to stop: what is still to be done first, or undefined to stop at once. */
  beforeStop(cause: StopCause): Plan | undefined;
  /** The machine came to its end. */
  ended(how: MachineStop): StopCause;
  /** The machine stands still; the plan is over. */
  stopped(cause: StopCause): void;
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
  private pending: StopCause | undefined;
  /** The cause that is reported when the present plan ends, whatever the plan itself says. */
  private finalCause: StopCause | undefined;
  /** When that cause arose: what is done afterwards moves the machine on. */
  private causeAt: Instant | undefined;
  /** The instant of the last stop's cause. */
  stoppedAt: Instant | undefined;
  private transition = false;
  private event: 'exit' | 'entry' | undefined;
  private skipBreakpoint = true;
  private budget = FIRST_BUDGET;
  private idle = 0;
  private sleeping = false;
  /** Distinguishes slices scheduled for this run from those of one that is over. */
  private turn = 0;
  private installed: ReadonlySet<bigint> | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly cpu: Processor,
    private readonly vmx: VmxInspection,
    private readonly scheduler: Scheduler,
    private readonly hooks: RunHooks,
  ) {}

  /** Starts a plan; `stopped` tells its end. Throws a UserError when the machine cannot run on. */
  start(plan: Plan = continuePlan()): void {
    if (this.running) throw new UserError('running', 'The machine is running: pause it first.');
    if (this.machine.ended !== undefined) throw new UserError('ended', 'The machine has come to its end: restart it.');
    this.running = true;
    this.plan = plan;
    this.pauseRequested = false;
    this.pending = undefined;
    this.finalCause = undefined;
    this.causeAt = undefined;
    this.skipBreakpoint = true;
    this.idle = 0;
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

  /** From within the machine: stop after the present instruction, for this cause. The first cause counts, but a failure outranks what somebody waits for. */
  requestStop(cause: StopCause): void {
    if (!this.running) return;
    if (!this.pending || (isAwaited(this.pending) && !isAwaited(cause))) this.pending = cause;
    this.machine.requestStop();
  }

  /** From within the machine: an event is being delivered. */
  delivering(): void {
    if (this.request.kind !== 'repeat' || !this.request.transitions) return;
    this.transition = true;
    this.machine.requestStop();
  }

  /** From within the machine: an exit or entry has completed. */
  worldChanged(event: 'exit' | 'entry'): void {
    this.delivering();
    if (this.request.kind === 'run' && this.request.until?.event === event) {
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
    const start = this.scheduler.now();
    const icount = this.machine.icount;
    const instructions = this.machine.instructions;
    try {
      do {
        if (this.pauseRequested) return this.stop({ kind: 'pause' });
        const next = this.advance();
        if (next === 'wait') return this.waitForInput();
        if (next !== 'go') return this.stop(next);
        if (!this.running) return;
      } while (this.scheduler.now() - start < SLICE_MS && !this.isIdling(icount, instructions));
    } catch (error) {
      const sentence = error instanceof UserError ? error.message : `Hyperstep failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
      return this.stop({ kind: 'error', sentence });
    }
    this.schedule(this.pacing(start, icount, instructions));
  }

  /** Whether what has run since then was nearly all waiting. */
  private isIdling(icount: number, instructions: number): boolean {
    const ticks = this.machine.icount - icount;
    return this.idle > IDLE_BEFORE_PACING && ticks > 0 && this.machine.instructions - instructions < ticks / 10;
  }

  /** Milliseconds to sleep so that a waiting machine does not run faster than real time. */
  private pacing(start: number, icount: number, instructions: number): number {
    const ticks = this.machine.icount - icount;
    const waited = ticks - (this.machine.instructions - instructions);
    this.idle = waited > ticks * 0.9 ? this.idle + waited : 0;
    if (this.idle <= IDLE_BEFORE_PACING) return 0;
    return Math.max(0, Math.min(MOST_SLEEP_MS, ticks / 1e6 - (this.scheduler.now() - start)));
  }

  /** Every processor waits and no timer is set: only input can end that, if interrupts are enabled at all. */
  private waitForInput(): void {
    if (!(this.cpu.state.get32(Offset.FLAGS) & IF) && !this.vmx.nonRoot) return this.stop({ kind: 'dead-halt' });
    this.schedule(MOST_SLEEP_MS);
  }

  /** Carries out a piece of the present request. */
  private advance(): 'go' | 'wait' | StopCause {
    const request = this.request;
    this.event = undefined;
    if (request.kind === 'repeat') return this.repeat(request);
    if (request.kind === 'instruction') {
      this.cpu.skipBreakpointOnce();
      this.skipBreakpoint = true;
      const reason = this.machine.run(1);
      return this.afterRun(reason, request);
    }
    this.install(request.until?.addresses);
    if (this.skipBreakpoint) this.cpu.skipBreakpointOnce();
    this.skipBreakpoint = false;
    const start = this.scheduler.now();
    const reason = this.machine.run(this.budget);
    this.adapt(this.scheduler.now() - start, reason);
    this.hooks.ran();
    return this.afterRun(reason, request);
  }

  /** Runs a piece of what has been run before. */
  private repeat(request: Repeat): 'go' | StopCause {
    this.transition = false;
    const left = request.to - this.machine.icount;
    if (left <= 0 || this.machine.ended !== undefined) return this.advancePlan();
    this.install(undefined, request.addresses);
    if (this.skipBreakpoint) this.cpu.skipBreakpointOnce();
    this.skipBreakpoint = false;
    const reason = this.machine.run(Math.min(left, REPEAT_BUDGET));
    const told: (StopCause | undefined)[] = [];
    if (this.pending && !request.addresses) told.push(this.pending);
    this.pending = undefined;
    if (this.transition) told.push(undefined);
    if (reason === 'breakpoint') {
      this.skipBreakpoint = true;
      const cause = request.addresses ? undefined : this.hooks.breakpointHit(positionOf(this.cpu, this.vmx).pc);
      if (request.addresses || cause) told.push(cause);
    }
    // A machine that waits for ever did not come to the tick that is wanted: that is as far as it goes.
    if (told.some((cause) => request.event?.(cause)) || reason === 'halt') return this.advancePlan();
    return 'go';
  }

  /** Aims at calls of half a slice. */
  private adapt(elapsed: number, reason: MachineStop): void {
    if (reason !== 'budget') return;
    if (elapsed > SLICE_MS / 2) this.budget = Math.max(LEAST_BUDGET, this.budget / 2);
    else if (elapsed < SLICE_MS / 4) this.budget = Math.min(MOST_BUDGET, this.budget * 2);
  }

  private afterRun(reason: MachineStop, request: Exclude<Request, Repeat>): 'go' | 'wait' | StopCause {
    if (request.kind === 'instruction' && request.repeats) {
      this.pending = undefined;
      return this.advancePlan();
    }
    if (this.pending) {
      const cause = this.pending;
      this.pending = undefined;
      return this.conclude(cause);
    }
    switch (reason) {
      case 'shutdown':
      case 'power-off':
      case 'debug-exit':
        return this.hooks.ended(reason);
      case 'halt':
        // A step that ends in HLT is over; a run goes on waiting.
        return request.kind === 'instruction' ? this.advancePlan() : 'wait';
    }
    if (this.event) return this.advancePlan();
    if (request.kind === 'instruction') {
      const pc = positionOf(this.cpu, this.vmx).pc;
      if (this.hooks.breakpointAddresses().has(pc)) {
        const cause = this.hooks.breakpointHit(pc);
        if (cause) return this.conclude(cause);
      }
      return this.advancePlan();
    }
    if (reason === 'breakpoint') return this.atBreakpoint(request);
    return 'go';
  }

  private atBreakpoint(request: Request & { kind: 'run' }): 'go' | StopCause {
    const pc = positionOf(this.cpu, this.vmx).pc;
    this.skipBreakpoint = true;
    if (this.hooks.breakpointAddresses().has(pc)) {
      const cause = this.hooks.breakpointHit(pc);
      if (cause) return this.conclude(cause);
    }
    const until = request.until;
    if (until?.addresses?.includes(pc) && (until.accept?.() ?? true)) return this.advancePlan();
    return 'go';
  }

  /** A cause to stop was found: at once, or after a plan of its own. */
  private conclude(cause: StopCause): 'go' | StopCause {
    const first = this.finalCause ? undefined : this.hooks.beforeStop(cause);
    if (!first) return this.finalCause ?? cause;
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
    this.skipBreakpoint = false;
  }

  /** A plan that has run on after its cause arose says when that was. */
  causedAt(instant: Instant): void {
    this.causeAt = instant;
  }

  private stop(cause: StopCause): void {
    this.running = false;
    this.giveUpPlan();
    this.stoppedAt = this.causeAt ?? this.hooks.now();
    this.turn++;
    this.hooks.stopped(cause);
  }

  /** Gives the processor the user's breakpoints and the request's temporary ones. */
  private install(temporary: readonly bigint[] | undefined, instead?: ReadonlySet<bigint>): void {
    const users = instead ?? this.hooks.breakpointAddresses();
    const wanted = temporary ? new Set([...users, ...temporary]) : users;
    if (wanted === this.installed) return;
    this.installed = wanted;
    this.cpu.setBreakpoints(wanted);
  }
}
