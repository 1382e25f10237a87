/**
 * The debugger of one machine: ties worlds, breakpoints, exits, run control and inspection together. It knows nothing of
 * the Debug Adapter Protocol.
 */
import { UserError } from '../base/errors';
import { Activity } from '../cpu/engine/activity';
import { Offset } from '../cpu/state';
import { Seg } from '../cpu/state';
import type { Instruction } from '../cpu/decode/instruction';
import type { Machine, MachineStop, Snapshot } from '../machine/machineInterface';
import type { Finding } from './checks/check';
import { VmxChecks } from './checks/vmxChecks';
import { Breakpoints } from './breakpoints/breakpoints';
import { builtInType } from './evaluate/arithmetic';
import { Evaluator } from './evaluate/evaluator';
import type { EvaluatorFacts } from './evaluate/inspectionFunctions';
import { parseExpression } from './evaluate/parser';
import { ExitBreakpoints } from './exits/exitBreakpoints';
import { constantNamed } from './exits/constants';
import { helperCall, writerPlace } from './exits/fieldWriter';
import { ExitRecorder, type EntryRecord } from './exits/exitRecorder';
import { deliveryEvent, entryEvent, type SystemEvent } from './exits/systemEvents';
import { SystemMonitor } from './exits/systemMonitor';
import { DataBreakpoints } from './watch/dataBreakpoints';
import { FAILURES, failureKind } from './failures';
import { TranslationWatch } from './inspect/translationWatch';
import type { VmcsFacts } from './inspect/vmcs';
import { History } from './history/history';
import { instantOf, type Instant } from './history/instant';
import { Reverse } from './history/reverse';
import { asksForMap, readGuestMap, type GuestMap } from './memory/guestMap';
import { continuePlan, type Part, type Plan } from './run/plan';
import { codeBitsOf } from './run/position';
import { ProcessorRecord } from './processorRecord';
import { RunControl } from './run/runControl';
import type { Scheduler } from './run/scheduler';
import type { StopCause } from './run/stopCause';
import { Stepping, type Granularity, type StepEnvironment } from './run/stepping';
import { addressName, callerOf, callingPlace, callStack, worldFrames, type CodeFrame, type StackEntry } from './stack/callStack';
import { innermostFrame } from './stack/innermostFrame';
import { Target } from './target';
import { WORLD_NAME, type World } from './world';
import type { ExitRecord, VmxFailure } from '../vmx/observe';

export interface DebuggerListener {
  stopped(cause: StopCause): void;
  /** The VMM has given its guest a memory map. */
  guestMapRead(): void;
  /** Something to tell the user: a log message, a condition that failed. */
  tell(sentence: string): void;
}

function* nothing(): Part {}

export class Debugger {
  /** One for each processor. */
  readonly processors: readonly ProcessorRecord[];
  /** The processor that is looked at, or that what happens is of. */
  private focused = 0;
  readonly breakpoints: Breakpoints;
  readonly exitBreakpoints: ExitBreakpoints;
  /** Data breakpoints. */
  readonly data: DataBreakpoints;
  readonly run: RunControl;
  stopAt: 'source' | 'exit' = 'source';
  /** Failures that do not stop the machine. */
  private readonly ignored = new Set<string>();
  guestMap: GuestMap | undefined;
  private readonly stepping: Stepping;
  private readonly powerOn: Snapshot;
  /** What the checks have found about the failure or end that is being told. */
  private readonly findings: Finding[] = [];
  private enabled = true;
  private history: History | undefined;
  private reverse: Reverse | undefined;
  /** What happens has happened before and was told then. */
  private quiet = false;
  private waitsForDelivery = false;
  private waitsForEntry = false;

  constructor(
    readonly machine: Machine,
    scheduler: Scheduler,
    private readonly listener: DebuggerListener,
    /** Ids of run-time checks that are switched off. */
    checksOff: ReadonlySet<string> = new Set(),
  ) {
    const first = new Target(machine, 0);
    this.processors = machine.cpus.map((_, n) => this.record(n === 0 ? first : new Target(machine, n, first), checksOff));
    this.breakpoints = new Breakpoints(first.images, {
      fault: (condition) => this.syntaxFault(condition),
      holds: (condition) => this.evaluator(worldFrames(this.target, this.target.world)[0]).holds(condition),
      log: (message) => this.tell(this.interpolate(message)),
      complain: (sentence) => this.tell(sentence),
    });
    this.exitBreakpoints = new ExitBreakpoints({
      constant: constantNamed,
      number: (expression) => this.evaluator(undefined).numberOf(expression),
      functionAt: (world, rip) => addressName(this.target, world, rip).replace(/\+0x[0-9a-f]+$/, ''),
    });
    this.exitBreakpoints.onError = (sentence) => this.tell(sentence);
    this.exitBreakpoints.onKinds = () => this.watchSystem();
    this.data = new DataBreakpoints({
      target: () => this.target,
      nextId: () => this.breakpoints.newId(),
      fault: (condition) => this.syntaxFault(condition),
      stops: (breakpoint) => this.enabled && this.breakpoints.stops(breakpoint),
      stop: (access) => this.run.requestStop({ kind: 'data', access }),
      changed: () => this.watchSystem(),
    });
    this.run = new RunControl(machine, scheduler, {
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
      ended: (how) => this.ended(how),
      ran: () => this.history?.tick(),
      now: () => this.now(),
      stopped: (cause, cpu) => {
        this.focus(cpu);
        if (cause.kind === 'dead-halt') cause = { kind: 'dead-halt', findings: this.findingsAtEnd('halt') };
        this.changed();
        listener.stopped(cause);
      },
    });
    this.stepping = new Stepping(this.stepEnvironment());
    this.powerOn = machine.snapshot();
  }

  private record(target: Target, checksOff: ReadonlySet<string>): ProcessorRecord {
    const record = new ProcessorRecord(target, new TranslationWatch(target));
    const of = <T>(action: (what: T) => void) => (what: T) => {
      this.focus(target.index);
      action(what);
    };
    record.recorder = target.recorder = new ExitRecorder(target.cpu, target.vmx, {
      exit: of((exit) => this.exited(exit)),
      entry: of((entry) => this.entered(entry)),
      failure: of((failure) => this.failed(failure)),
      fieldAccessed: (encoding, write) => {
        this.focus(target.index);
        this.data.fieldAccessed(encoding, write);
      },
      delivering: of((event) => {
        record.delivered(event);
        this.run.delivering();
        if (this.waitsForDelivery) this.happened(deliveryEvent(event));
      }),
    }, new VmxChecks(target, checksOff, (finding) => this.found(finding)));
    target.vmx.observer = record.recorder;
    record.monitor = new SystemMonitor(target.cpu, target.vmx, of((event) => this.happened(event)));
    return record;
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
      callers: (most) => {
        this.focus(this.run.processor);
        return this.callers(most);
      },
      focus: () => this.focus(this.run.processor),
      stopAt: () => this.stopAt,
    };
  }

  /** What is kept of the processor in focus. */
  private get at(): ProcessorRecord {
    return this.processors[this.focused]!;
  }
  get target(): Target {
    return this.at.target;
  }
  get recorder(): ExitRecorder {
    return this.at.recorder;
  }
  /** Addresses whose translation somebody looks at. */
  get translations(): TranslationWatch {
    return this.at.translations;
  }

  /** Looks at another processor: all that is asked for without naming one is its. */
  focus(cpu: number): void {
    if (cpu === this.focused) return;
    this.focused = cpu;
    this.target.activate();
  }
  /** Does something with another processor in focus. */
  on<T>(cpu: number, action: () => T): T {
    const before = this.focused;
    this.focus(cpu);
    try {
      return action();
    } finally {
      this.focus(before);
    }
  }

  /** Runs without stopping for anything: "Run Without Debugging". */
  runFreely(): void {
    this.enabled = false;
  }

  /** Which failures stop the machine. */
  setFailures(ids: ReadonlySet<string>): void {
    this.ignored.clear();
    for (const { id } of FAILURES) if (!ids.has(id)) this.ignored.add(id);
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
    state.rip = codeBitsOf(state) === 64 ? address : BigInt.asUintN(32, address - state.segBase(Seg.CS));
    target.cpu.stateChanged();
    this.modified();
  }

  /** Goes back to where the function of a frame began. Throws a UserError for a frame that cannot be gone back to. */
  restartFrame(frame: CodeFrame): void {
    const { target } = this;
    if (frame.world !== target.world) throw new UserError('restart-frame', `Only frames of the ${WORLD_NAME[target.world]}, which runs, can be started again.`);
    const fn = frame.image?.image.functionAt(frame.frame.isCaller ? frame.frame.pc - 1n : frame.frame.pc);
    if (!fn || frame.cfa === undefined) throw new UserError('restart-frame', `It is not known where ${frame.name} began: there is no debug information for it.`);
    this.start(this.requireHistory().toFunctionStart(fn.low, frame.cfa, frame.image!.image.afterPrologue(fn)));
  }

  pause(): void {
    this.run.pause();
  }

  /** Keeps a history from here on, so that steps can go back. `clock` is in milliseconds. */
  keepHistory(clock: () => number): void {
    this.history = new History(this.machine, () => this.now(), () => this.keep(), clock);
    this.reverse = new Reverse({
      target: () => this.processors[this.run.processor]!.target,
      history: this.history,
      run: this.run,
      now: () => this.now(),
      deliveries: () => {
        const { deliveries, events } = this.processors[this.run.processor]!;
        return { count: deliveries, last: events.at(-1) };
      },
      quietly: () => {
        this.quiet = true;
        return () => (this.quiet = false);
      },
      afterCause: (cause) => this.runsToSource(cause) ? this.stepping.toSource() : nothing(),
    });
  }

  /** What is executed now has been executed and shown before. */
  get repeats(): boolean {
    return this.quiet || (this.history !== undefined && this.machine.icount < this.history.horizon);
  }

  /** Steps back by a statement or an instruction. Throws a UserError when no history is kept. */
  stepBack(granularity: Granularity): void {
    const reverse = this.requireHistory();
    this.start(granularity === 'instruction' ? reverse.byInstruction() : reverse.byStatement());
  }

  /** Back to the last cause to stop. Throws a UserError when no history is kept. */
  reverseContinue(): void {
    this.start(this.requireHistory().toPreviousCause());
  }

  private requireHistory(): Reverse {
    if (!this.reverse) throw new UserError('history', 'No history is kept: "history" is false in the launch configuration, or the session runs without debugging.');
    return this.reverse;
  }

  private now(): Instant {
    let deliveries = 0;
    for (const record of this.processors) deliveries += record.deliveries;
    return instantOf(this.machine, deliveries);
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
      this.findings.length = 0;
      this.guestMap = guestMap;
      this.changed();
    };
  }

  /** The user has changed registers or memory. */
  modified(): void {
    this.changed();
    if (!this.run.running) this.history?.changedByUser();
  }

  private start(plan: Plan): void {
    this.changed();
    this.data.begin();
    this.run.start(plan, this.focused);
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
    this.findings.length = 0;
    this.guestMap = undefined;
    this.history?.restart();
    this.changed();
  }

  /** Ends the session: nothing runs any more. */
  dispose(): void {
    this.run.abandon();
    this.history?.dispose();
    for (const { target } of this.processors) target.vmx.observer = target.cpu.onOperation = undefined;
  }

  /** Types on the serial port. */
  type(bytes: Uint8Array): void {
    if (this.history && this.machine.icount < this.history.horizon) this.history.diverge();
    this.machine.typeSerial(bytes);
    this.run.wake();
  }

  /** The whole call stack of the present stop, of the processor in focus. */
  stack(): StackEntry[] {
    return (this.at.stack ??= callStack(this.target));
  }

  /** Registers or memory were changed by the user: what was told before holds no more. */
  changed(): void {
    for (const record of this.processors) record.stack = undefined;
    this.target.images.forget();
  }

  private readonly evaluatorFacts: EvaluatorFacts = {
    vmcs: () => this.vmcsFacts(),
    guestMap: () => this.guestMap,
    entriesAtExit: (space, address) => this.translations.entriesAtExit(space, address),
  };

  evaluator(frame: CodeFrame | undefined): Evaluator {
    return new Evaluator(this.target, frame, this.evaluatorFacts);
  }

  /** What the VMCS's lines tell beside its values: who wrote a field, and what since the last exit. */
  vmcsFacts(): VmcsFacts {
    const { target, recorder } = this;
    // A few lines of the VMM write most of the fields.
    const places = new Map<string, string>();
    const describe = (rip: bigint, returns?: readonly bigint[]): string => {
      const key = [rip, ...(returns ?? [])].join();
      const known = places.get(key) ?? this.place(rip, returns);
      places.set(key, known);
      return known;
    };
    return {
      describe,
      place: (rip, returns) => callingPlace(target, 'vmm', (returns && helperCall(target, { rip, returns })) ?? rip),
      lastExit: target.world === 'vmm' ? recorder.lastExit?.icount : undefined,
    };
  }

  /** `function (file:line)` of a VMM address; with what was on the stack at a VMWRITE there, also of its caller. */
  place(rip: bigint, returns: readonly bigint[] = []): string {
    return writerPlace(this.target, { rip, returns });
  }

  /** What is wrong with an expression wherever it is computed. */
  private syntaxFault(text: string): string | undefined {
    const isType = (name: string): boolean => builtInType(name) !== undefined || this.target.images.images.some(({ image }) => image.types(name).length > 0);
    try {
      parseExpression(text, isType);
      return undefined;
    } catch (error) {
      if (error instanceof UserError) return error.message;
      throw error;
    }
  }

  private tell(sentence: string): void {
    if (!this.quiet) this.listener.tell(sentence);
  }

  private interpolate(message: string): string {
    const evaluator = this.evaluator(worldFrames(this.target, this.target.world)[0]);
    return message.replace(/\{([^{}]+)\}/g, (_, expression: string) => {
      try {
        return evaluator.show(expression);
      } catch (error) {
        if (error instanceof UserError) return `<${error.message}>`;
        throw error;
      }
    });
  }

  private callers(most: number): { pc: bigint; cfa: bigint }[] {
    const { target } = this;
    const callers: { pc: bigint; cfa: bigint }[] = [];
    let frame = innermostFrame(target, target.registers(target.world));
    while (frame && callers.length < most) {
      const caller = callerOf(target, target.world, frame);
      if (!caller) break;
      callers.push({ pc: caller.frame.pc, cfa: caller.cfa });
      frame = caller.frame;
    }
    return callers;
  }

  private breakpointHit(pc: bigint, cpu: number): StopCause | undefined {
    if (!this.enabled) return undefined;
    this.focus(cpu);
    const hit = this.breakpoints.hit(this.target.world, pc);
    const [first] = hit;
    return first && { kind: 'breakpoint', ids: hit.map((b) => b.id), sort: first.sort };
  }

  /** An exit breakpoint stops at the first C line of the handler, unless the user wants HOST_RIP. */
  private beforeStop(cause: StopCause): Plan | undefined {
    return this.runsToSource(cause) ? this.toSource(cause) : undefined;
  }

  private runsToSource(cause: StopCause): boolean {
    const atExit = cause.kind === 'exit' || (cause.kind === 'triple-fault' && cause.record !== undefined) || (cause.kind === 'check' && cause.finding.at === 'exit');
    return atExit && this.stopAt === 'source';
  }

  private *toSource(cause: StopCause): Plan {
    yield* this.stepping.toSource();
    return cause;
  }

  /** Watches for what somebody waits for, and for nothing else. */
  private watchSystem(): void {
    const { exitBreakpoints: b } = this;
    this.waitsForDelivery = b.watches('guest-exception') || b.watches('vmm-exception') || b.watches('interrupt');
    this.waitsForEntry = b.watches('entry');
    for (const { target, monitor } of this.processors) {
      const monitors = monitor.watch({ mode: b.watches('mode'), cr3: b.watches('cr3') });
      const data = this.data.watchesSystem ? (insn: Instruction): void => (this.focus(target.index), this.data.operation(insn)) : undefined;
      const modes = monitors ? monitor.operation : undefined;
      target.cpu.onOperation = modes && data ? (insn) => (modes(insn), data(insn)) : (modes ?? data);
    }
  }

  private happened(event: SystemEvent): void {
    if (this.enabled && this.exitBreakpoints.watches(event.kind) && this.exitBreakpoints.matchesEvent(event)) this.run.requestStop({ kind: 'event', event });
  }

  private exited(record: ExitRecord): void {
    this.run.worldChanged('exit', this.focused);
    this.translations.exited();
    if (this.target.cpu.onOperation) this.at.monitor.worldChanged();
    this.data.worldChanged('exit');
    if (asksForMap(record)) this.at.mapExit = record;
    if (!this.enabled) return;
    if (record.name === 'TRIPLE_FAULT') this.fail({ kind: 'triple-fault', world: 'guest', record, exceptions: [...this.at.events] });
    if (this.exitBreakpoints.matches(record)) this.run.requestStop({ kind: 'exit', record });
  }

  private entered(record: EntryRecord): void {
    this.run.worldChanged('entry', this.focused);
    if (this.target.cpu.onOperation) this.at.monitor.worldChanged();
    this.data.worldChanged('entry');
    if (this.waitsForEntry) this.happened(entryEvent(record, this.target.vmx, this.target.cpu.state.rip));
    const exit = this.at.mapExit;
    if (!exit) return;
    this.at.mapExit = undefined;
    // RBX is the guest's by now.
    const map = readGuestMap(this.target, this.target.cpu.state.reg(3), exit);
    if (!map) return;
    this.guestMap = map;
    if (!this.quiet) this.listener.guestMapRead();
  }

  private failed(failure: VmxFailure): void {
    const findings = this.takeFindings();
    this.fail({ kind: 'vmx-failure', failure, findings });
    // Without the stop for failures the checks stop by themselves.
    for (const finding of findings) this.fail({ kind: 'check', finding });
  }

  /** A finding about a failure or the end belongs to the stop that comes at once; the others are stops of their own. */
  private found(finding: Finding): void {
    if (finding.at === 'failure' || finding.at === 'end') this.findings.push(finding);
    else this.fail({ kind: 'check', finding });
  }

  private takeFindings(): Finding[] {
    return this.findings.splice(0).filter(() => !this.ignored.has('vmx-checks'));
  }

  private findingsAtEnd(how: 'halt' | 'shutdown'): Finding[] {
    this.recorder.checks?.ended(how);
    return this.takeFindings();
  }

  private fail(cause: StopCause): void {
    const kind = failureKind(cause);
    if (this.enabled && kind && !this.ignored.has(kind.id)) this.run.requestStop(cause);
  }

  private ended(how: MachineStop): StopCause {
    this.focus(this.machine.current);
    if (how === 'shutdown') return { kind: 'triple-fault', world: this.target.world, record: undefined, exceptions: [...this.at.events], findings: this.findingsAtEnd('shutdown') };
    return { kind: 'ended', how: how === 'power-off' ? 'power-off' : 'debug-exit', value: this.machine.debugExit };
  }
}
