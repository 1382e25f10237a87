/**
 * The debugger of one machine: ties worlds, breakpoints, exits, run control and inspection together. It knows nothing of
 * the Debug Adapter Protocol.
 */
import { UserError } from '../base/errors';
import { Activity } from '../cpu/engine/activity';
import { Offset, Seg } from '../cpu/state';
import type { Machine, Snapshot } from '../machine/machineInterface';
import { Breakpoints, type Breakpoint } from './breakpoints/breakpoints';
import type { Evaluator } from './evaluate/evaluator';
import { Expressions } from './evaluate/expressions';
import { constantNamed } from './exits/constants';
import { ExitBreakpoints } from './exits/exitBreakpoints';
import type { ExitRecorder } from './exits/exitRecorder';
import { Happenings } from './happenings';
import { GoingBack } from './history/goingBack';
import type { TranslationWatch } from './inspect/translationWatch';
import type { VmcsFacts } from './inspect/vmcs';
import type { GuestMap } from './memory/guestMap';
import type { ProcessorRecord } from './processorRecord';
import { Processors } from './processors';
import { continuePlan, type Part, type Plan } from './run/plan';
import { codeBitsOf } from './run/position';
import { markInstant } from './run/mark';
import { RunControl } from './run/runControl';
import type { Scheduler } from './run/scheduler';
import { Stepping, type Granularity, type StepEnvironment } from './run/stepping';
import type { StopCause } from './run/stopCause';
import { addressName, callersOf, callStack, type CodeFrame, type StackEntry } from './stack/callStack';
import type { Target } from './target';
import { DataBreakpoints } from './watch/dataBreakpoints';
import { WORLD_NAME, type World } from './world';

export interface DebuggerListener {
  stopped(cause: StopCause): void;
  /** The VMM has given its guest a memory map. */
  guestMapRead(): void;
  /** Something to tell the user, such as a log message. */
  tell(sentence: string): void;
  /** A condition that failed, for all to see: the machine stops where nobody meant it to. Told like anything else unless there is this. */
  complain?(sentence: string): void;
}

function* nothing(): Part {}

export class Debugger {
  readonly all: Processors;
  readonly breakpoints: Breakpoints;
  readonly exitBreakpoints: ExitBreakpoints;
  /** Data breakpoints. */
  readonly data: DataBreakpoints;
  readonly run: RunControl;
  stopAt: 'source' | 'exit' = 'source';
  private readonly expressions: Expressions;
  private readonly happenings: Happenings;
  private readonly back: GoingBack;
  private readonly stepping: Stepping;
  private readonly powerOn: Snapshot;

  constructor(
    readonly machine: Machine,
    scheduler: Scheduler,
    private readonly listener: DebuggerListener,
    /** Ids of run-time checks that are switched off. */
    checksOff: ReadonlySet<string> = new Set(),
  ) {
    this.all = new Processors(machine);
    this.expressions = new Expressions(this.all, () => this.guestMap);
    this.happenings = new Happenings(this);
    for (const record of this.all.records) this.happenings.listen(record, checksOff);
    this.breakpoints = new Breakpoints(this.target.images, {
      fault: (condition) => this.expressions.syntaxFault(condition),
      holds: (condition) => this.expressions.innermost().holds(condition),
      log: (message) => this.tell(this.expressions.interpolate(message)),
      complain: (sentence) => this.complain(sentence),
    });
    this.exitBreakpoints = new ExitBreakpoints({
      constant: constantNamed,
      number: (expression) => this.evaluator(undefined).numberOf(expression),
      show: (expression) => {
        this.target.images.forget();
        return this.evaluator(undefined).show(expression);
      },
      fault: (expression) => this.expressions.syntaxFault(expression),
      functionAt: (world, rip) => addressName(this.target, world, rip).replace(/\+0x[0-9a-f]+$/, ''),
    });
    this.exitBreakpoints.onError = (sentence) => this.complain(sentence);
    this.exitBreakpoints.onLog = (line) => this.tell(line);
    this.exitBreakpoints.onKinds = () => this.happenings.watchSystem();
    this.data = new DataBreakpoints({
      target: () => this.target,
      nextId: () => this.breakpoints.newId(),
      fault: (condition) => this.expressions.syntaxFault(condition),
      stops: (breakpoint) => this.happenings.enabled && this.breakpoints.stops(breakpoint),
      stop: (access) => this.run.requestStop({ kind: 'data', access }),
      changed: () => this.happenings.watchSystem(),
    });
    this.run = this.runControl(scheduler);
    this.stepping = new Stepping(this.stepEnvironment());
    this.back = new GoingBack(machine, {
      processors: this.all,
      run: () => this.run,
      keep: () => this.keep(),
      afterCause: (cause) => this.runsToSource(cause) ? this.stepping.toSource() : nothing(),
    });
    this.powerOn = machine.snapshot();
  }

  private runControl(scheduler: Scheduler): RunControl {
    const { machine } = this;
    return new RunControl(machine, scheduler, {
      breakpointAddresses: () => this.breakpoints.addresses,
      breakpointHit: (pc, cpu) => this.breakpointHit(pc, cpu),
      watchHit: () => {
        for (const { target } of this.processors) {
          if (target.cpu.watchHits.length === 0) continue;
          this.focus(target.index);
          this.data.memoryAccessed(target.cpu.watchHits);
        }
      },
      stepsSingly: () => this.data.needsSteps,
      stepped: () => {
        this.focus(machine.current);
        this.data.stepped();
      },
      beforeStop: (cause) => this.beforeStop(cause),
      ended: (how) => {
        this.focus(machine.current);
        return this.happenings.ended(how, machine.debugExit);
      },
      ran: () => this.back.history?.tick(),
      now: () => this.back.now(),
      stopped: (cause, cpu) => {
        this.focus(cpu);
        if (cause.kind === 'dead-halt') cause = { kind: 'dead-halt', findings: this.happenings.findingsAtEnd('halt') };
        this.changed();
        for (const record of this.processors) record.outside = 0;
        this.all.at.outside = ((cause.kind === 'step' || cause.kind === 'breakpoint') && cause.outside) || 0;
        this.listener.stopped(cause);
      },
    });
  }

  /** What stepping knows is of the processor that is stepped, while others run too. */
  private stepEnvironment(): StepEnvironment {
    const stepped = (): ProcessorRecord => this.processors[this.run.processor]!;
    return {
      get cpu() {
        return stepped().target.cpu;
      },
      get vmx() {
        return stepped().target.vmx;
      },
      code: this.processors[0]!.target.code,
      deliveries: () => ({ count: stepped().deliveries, last: stepped().events.at(-1) }),
      readCode: (pc, length) => stepped().target.read(stepped().target.world, pc, length),
      readInteger: (address, size) => stepped().target.readInteger(stepped().target.world, address, size),
      callers: (most, from) => {
        this.focus(this.run.processor);
        return callersOf(this.target, most, from);
      },
      focus: () => this.focus(this.run.processor),
      stopAt: () => this.stopsAt(),
      outside: () => stepped().outside,
      mark: () => markInstant(this.machine, this.run, () => this.keep()),
    };
  }

  /** One for each processor. */
  get processors(): readonly ProcessorRecord[] {
    return this.all.records;
  }
  get target(): Target {
    return this.all.target;
  }
  get recorder(): ExitRecorder {
    return this.all.at.recorder;
  }
  /** Addresses whose translation somebody looks at. */
  get translations(): TranslationWatch {
    return this.all.at.translations;
  }
  /** The memory map that the guest was told. */
  get guestMap(): GuestMap | undefined {
    return this.happenings.guestMap;
  }

  /** Looks at another processor: all that is asked for without naming one is its. */
  focus(cpu: number): void {
    this.all.focus(cpu);
  }
  /** Does something with another processor in focus. */
  on<T>(cpu: number, action: () => T): T {
    return this.all.on(cpu, action);
  }

  /** Runs without stopping for anything: "Run Without Debugging". */
  runFreely(): void {
    this.happenings.enabled = false;
  }

  /** Which failures stop the machine. */
  setFailures(ids: ReadonlySet<string>): void {
    this.happenings.setFailures(ids);
  }

  /** The VMM has given its guest a memory map. */
  guestMapRead(): void {
    if (!this.back.quiet) this.listener.guestMapRead();
  }

  continue(): void {
    this.start(continuePlan());
  }

  /** Steps from the innermost frame. Throws a UserError when the step is not possible. */
  step(direction: 'in' | 'over' | 'out', granularity: Granularity): void {
    const { cpu, index } = this.target;
    if (this.processors.length > 1 && cpu.state.get32(Offset.ACTIVITY) === Activity.WAIT_FOR_SIPI) {
      throw new UserError('step', `CPU ${index} waits to be started (INIT, then a start-up IPI): it has no instruction to step. Continue, or step another thread.`);
    }
    if (direction === 'out') return this.start(this.stepping.stepOut());
    this.start(granularity === 'instruction' ? this.stepping.stepInstruction(direction) : this.stepping.stepLine(direction));
  }

  /** Steps into the call, or the VM entry, at an address of the line that the processor is in. */
  stepIntoCall(address: bigint): void {
    this.start(this.stepping.stepIntoCall(address));
  }

  /** Lets the processor go on elsewhere; nothing is executed on the way. Throws a UserError when that is not in the world that runs. */
  jump(world: World, address: bigint): void {
    const { target } = this;
    if (world !== target.world) throw new UserError('goto', `The processor is in the ${WORLD_NAME[target.world]}: it can only go on in code of that.`);
    const { state } = target.cpu;
    this.all.at.outside = 0;
    state.rip = codeBitsOf(state) === 64 ? address : BigInt.asUintN(32, address - state.segBase(Seg.CS));
    target.cpu.stateChanged();
    this.modified();
  }

  /** Goes back to where the function of a frame began. Throws a UserError for a frame that cannot be gone back to. */
  restartFrame(frame: CodeFrame): void {
    if (frame.world !== this.target.world) throw new UserError('restart-frame', `Only frames of the ${WORLD_NAME[this.target.world]}, which runs, can be started again.`);
    this.start(this.back.toFunctionStart(frame), true);
  }

  pause(): void {
    this.run.pause();
  }

  /** Keeps a history from here on, so that steps can go back. `clock` is in milliseconds. */
  keepHistory(clock: () => number): void {
    this.back.start(clock);
  }

  /** Steps can go back. */
  get keepsHistory(): boolean {
    return this.back.history !== undefined;
  }

  /** What is executed now has been executed and shown before. */
  get repeats(): boolean {
    return this.back.repeats;
  }

  /** Steps back by a statement or an instruction. Throws a UserError when no history is kept. */
  stepBack(granularity: Granularity): void {
    this.start(this.back.step(granularity), true);
  }

  /** Back to the last cause to stop. Throws a UserError when no history is kept. */
  reverseContinue(): void {
    this.start(this.back.toPreviousCause(), true);
  }

  /** Keeps what is counted and recorded at this instant; the function returned puts it back. */
  private keep(): () => void {
    const processors = this.processors.map((record) => record.keep());
    const hits = this.breakpoints.saveHits();
    const exitHits = this.exitBreakpoints.saveHits();
    const dataHits = this.data.saveHits();
    const { guestMap } = this;
    return () => {
      for (const putBack of processors) putBack();
      hits();
      exitHits();
      dataHits();
      this.data.look();
      this.happenings.forgetFindings();
      this.happenings.guestMap = guestMap;
      this.changed();
    };
  }

  /** The user has changed registers or memory. */
  modified(): void {
    this.changed();
    if (!this.run.running) this.back.history?.changedByUser();
  }

  private start(plan: Plan, back = false): void {
    this.changed();
    this.data.begin();
    this.run.start(plan, this.all.index, back);
  }

  /** Puts the machine back to power-on; it stands still then. */
  restart(): void {
    this.run.abandon();
    this.machine.restore(this.powerOn);
    for (const record of this.processors) record.reset();
    this.focus(0);
    this.breakpoints.resetHits();
    this.exitBreakpoints.resetHits();
    this.data.resetHits();
    this.happenings.forgetFindings();
    this.happenings.guestMap = undefined;
    this.back.history?.restart();
    this.changed();
  }

  /** Ends the session: nothing runs any more. */
  dispose(): void {
    this.run.abandon();
    this.back.history?.dispose();
    for (const { target } of this.processors) target.vmx.observer = target.cpu.onOperation = undefined;
  }

  /** Types on the serial port. */
  type(bytes: Uint8Array): void {
    const { history } = this.back;
    if (history && this.machine.icount < history.horizon) history.diverge();
    this.machine.typeSerial(bytes);
    this.run.wake();
  }

  /** The whole call stack of the present stop, of the processor in focus. */
  stack(): StackEntry[] {
    return (this.all.at.stack ??= callStack(this.target).slice(this.all.at.outside));
  }

  /** Registers or memory were changed by the user: what was told before holds no more. */
  changed(): void {
    this.all.changed();
  }

  evaluator(frame: CodeFrame | undefined): Evaluator {
    return this.expressions.evaluator(frame);
  }

  /** What the VMCS's lines tell beside its values: who wrote a field, and what since the last exit. */
  vmcsFacts(): VmcsFacts {
    return this.expressions.vmcsFacts();
  }

  /** `function (file:line)` of a VMM address; with what was on the stack at a VMWRITE there, also of its caller. */
  place(rip: bigint, returns: readonly bigint[] = []): string {
    return this.expressions.place(rip, returns);
  }

  private tell(sentence: string): void {
    if (!this.back.quiet) this.listener.tell(sentence);
  }

  private complain(sentence: string): void {
    if (this.back.quiet) return;
    if (this.listener.complain) this.listener.complain(sentence);
    else this.listener.tell(sentence);
  }

  /**
   * In front of how many of the inlined calls that begin at a breakpoint's address it stops: one on a line in front of
   * those that the line makes, one on a function behind the call of that function.
   */
  private outside(breakpoint: Breakpoint, pc: bigint): number {
    const { sort, file, line } = breakpoint;
    if (sort === 'instruction') return 0;
    const calls = this.target.code.callsBeginning(this.target.world, pc);
    if (sort === 'function') {
      const names = this.breakpoints.inlinedAt(breakpoint, pc);
      return calls.length - 1 - calls.map((call) => names.includes(call.name)).lastIndexOf(true);
    }
    const at = file ? calls.findIndex((call) => call.path === file.path && call.line === line) : -1;
    return at < 0 ? 0 : calls.length - at;
  }

  private breakpointHit(pc: bigint, cpu: number): StopCause | undefined {
    if (!this.happenings.enabled) return undefined;
    this.focus(cpu);
    const hit = this.breakpoints.hit(this.target.world, pc);
    const [first] = hit;
    return first && { kind: 'breakpoint', ids: hit.map((b) => b.id), sort: first.sort, outside: this.outside(first, pc) };
  }

  /** An exit breakpoint stops at the first C line of the handler, unless the user wants HOST_RIP. */
  private beforeStop(cause: StopCause): Plan | undefined {
    return this.runsToSource(cause) ? this.toSource(cause) : undefined;
  }

  private runsToSource(cause: StopCause): boolean {
    const atExit = cause.kind === 'exit' || (cause.kind === 'triple-fault' && cause.record !== undefined) || (cause.kind === 'check' && cause.finding.at === 'exit');
    return atExit && this.stopsAt() === 'source';
  }

  /** Where a VM exit stops: a VMM of which no C is known would run on until its next VM entry, and the guest with it. */
  private stopsAt(): 'source' | 'exit' {
    const { target } = this.processors[this.run.processor]!;
    return this.stopAt === 'source' && target.world === 'vmm' && !target.code.isCompiled('vmm', target.cpu.state.rip) ? 'exit' : this.stopAt;
  }

  private *toSource(cause: StopCause): Plan {
    yield* this.stepping.toSource();
    return cause;
  }
}
