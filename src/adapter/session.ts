/**
 * One debug session: the protocol's requests on one side, a machine and its debugger on the other. It does no input or
 * output of its own; the host carries messages and files.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../base/bits';
import { UserError } from '../base/errors';
import { Debugger } from '../debug/debugger';
import type { Evaluator } from '../debug/evaluate/evaluator';
import { exitWords } from '../debug/exits/exitWords';
import type { VariableContext } from '../debug/inspect/variable';
import type { StopCause } from '../debug/run/stopCause';
import { readAhead } from '../debug/symbols/readAhead';
import { changedDrives } from '../machine/machine';
import type { Machine } from '../machine/machineInterface';
import { SourceLookup } from '../symbols/sourceLookup';
import type { ValueReader } from '../symbols/values';
import { writeDrives } from './driveWriter';
import { Activity } from './activity';
import { GdbStub } from '../gdb/stub';
import { ClientFormat } from './clientFormat';
import { breakpointHandlers } from './handlers/breakpoints';
import { customHandlers } from './handlers/custom';
import { dataBreakpointHandlers } from './handlers/dataBreakpoints';
import { executionHandlers } from './handlers/execution';
import { lifecycleHandlers } from './handlers/lifecycle';
import { memoryHandlers } from './handlers/memory';
import { stackHandlers } from './handlers/stack';
import { targetHandlers } from './handlers/targets';
import { variableHandlers } from './handlers/variables';
import type { Host } from './host';
import { imageNames, ImageTimes, symbolsSentence } from './launch/changedImages';
import type { LaunchConfiguration } from './launch/configuration';
import { loadMachine, loadSymbols } from './launch/load';
import { readSourceMacros } from './launch/sourceMacros';
import { otherBuilds } from './launch/otherBuilds';
import { baseName } from './launch/paths';
import { staleSources } from './launch/staleSources';
import { findTargets } from './launch/targets';
import { HyperstepEvent, type StateEvent } from './messages';
import { LogLines } from './logLines';
import { moduleOf } from './modules';
import { announced, Progress } from './progress';
import { Protocol } from './protocol';
import { References } from './references';
import { SerialConsole } from './serialConsole';
import { ShownMemory } from './shownMemory';
import { threadOf } from './threads';
import { AT_INSTRUCTION, hasSource } from './sourceless';
import { stopWords, type StopWords } from './words';

/** What a launch has made. */
export interface Launched {
  configuration: LaunchConfiguration;
  debugger: Debugger;
  sources: SourceLookup;
  images: ImageTimes;
  symbolTimes: ImageTimes;
  serial: SerialConsole;
  /** GDB beside this client, where the configuration asks for it. */
  gdb: { stub: GdbStub; close(): void } | undefined;
  activity: Activity;
}

export class Session {
  readonly protocol: Protocol;
  readonly progress: Progress;
  readonly format = new ClientFormat();
  readonly references = new References({ cpu: () => this.debugger.target.index, on: (cpu, action) => this.debugger.on(cpu, action) });
  /** Called when the session is over and the host may end. */
  onEnd: () => void = () => {};
  /** Memory that the client may be showing. */
  readonly shownMemory = new ShownMemory();
  /** Which of the protocol's optional events the client understands, and whether it shows disassembly in place of source. */
  readonly understands = { invalidated: false, memory: false, disassembly: false };
  /** Called at each stop, when it has been told. */
  readonly atStop: (() => void)[] = [];
  private readonly logLines: LogLines;
  private launched: Launched | undefined;
  private stop: { cause: StopCause; words: StopWords } | undefined;
  /** Set when the machine begins to be ended; resolved when it is. */
  private ending: Promise<void> | undefined;

  constructor(
    readonly host: Host,
    send: (message: DebugProtocol.ProtocolMessage) => void,
  ) {
    this.protocol = new Protocol(send);
    this.progress = new Progress(this.protocol);
    this.logLines = new LogLines(host.scheduler, (output) => this.protocol.event('output', { category: 'console', output }));
    for (const handlers of [lifecycleHandlers, breakpointHandlers, dataBreakpointHandlers, executionHandlers, targetHandlers, stackHandlers, variableHandlers, memoryHandlers, customHandlers]) {
      this.protocol.handle(handlers(this));
    }
  }

  /** A message of the client. */
  receive(message: DebugProtocol.ProtocolMessage): void {
    this.protocol.receive(message);
  }

  /** What was launched; throws a UserError before, and when the session is over. */
  get run(): Launched {
    this.requireGoing();
    if (!this.launched) throw new UserError('launch', 'Nothing has been launched yet.');
    return this.launched;
  }
  /** The client may have gone while something was loaded for it: nothing is to begin then. */
  private requireGoing(): void {
    if (this.ending) throw new UserError('over', 'The session is over.');
  }
  get debugger(): Debugger {
    return this.run.debugger;
  }
  /** Why the machine stands, or undefined while it runs. */
  get stopped(): { cause: StopCause; words: StopWords } | undefined {
    return this.stop;
  }

  /** Inspection is of a machine that stands. */
  requireStopped(): void {
    if (this.debugger.run.running) throw new UserError('running', 'The machine is running: pause it to look at it.');
  }

  /** Loads images and symbols and makes the machine; it does not run yet. Throws a UserError for what is wrong with the configuration or a file. */
  async launch(configuration: LaunchConfiguration): Promise<void> {
    if (this.launched) throw new UserError('launch', 'This session has a machine already: start another session for another one.');
    const { files, packageRoot } = this.host;
    const targets = await findTargets(configuration, files, packageRoot, configuration.cwd ?? this.host.cwd);
    const { machine, symbols } = await this.progress.during('Hyperstep', async (say) => {
      const told = announced(files, say);
      return { machine: await loadMachine(told, configuration, targets), symbols: await loadSymbols(told, targets) };
    });
    this.requireGoing();
    const serial = new SerialConsole(this.host.scheduler, (text) => {
      this.protocol.event(HyperstepEvent.serial, { text });
      if (configuration.serial === 'console') this.output('stdout', text);
    });
    machine.onWarning = (sentence) => this.tell(sentence);
    const d = this.debug(machine, configuration);
    // What has been printed is not printed again when the machine goes back and repeats it.
    machine.onSerial = (byte) => void (d.repeats || serial.byte(byte));
    for (const { path, image, world } of symbols) d.target.images.add(baseName(path), path, image, world);
    for (const complaint of d.exitBreakpoints.set(configuration.breakOnExit)) if (complaint !== undefined) throw new UserError('launch-configuration', `"breakOnExit": ${complaint}`);
    const sources = new SourceLookup(files, targets.roots, configuration.sourceMap);
    const activity = new Activity(machine, this.host.scheduler, (event, body) => this.protocol.event(event, body));
    const booted = imageNames(machine.options);
    const images = await ImageTimes.of(files, booted);
    const symbolTimes = await ImageTimes.of(files, symbols.map((s) => s.path).filter((path) => !booted.includes(path)), symbolsSentence);
    const gdb = configuration.gdbPort === undefined ? undefined : await this.serveGdb(d, configuration.gdbPort);
    if (this.ending) gdb?.close();
    this.requireGoing();
    this.launched = { configuration, debugger: d, sources, images, serial, activity, gdb, symbolTimes };
    if (targets.note !== undefined) this.tell(targets.note, targets.unexpected ? 'important' : 'console');
    for (const { image } of symbols) for (const sentence of image.warnings()) this.tell(sentence);
    if (!targets.shipped) {
      const named = symbols.filter(({ path }) => targets.symbols.some(({ file }) => file === path));
      for (const sentence of [...(await staleSources(files, sources, symbols, targets.roots)), ...(await otherBuilds(files, machine.options, named, targets.roots))]) this.tell(sentence, 'important');
    }
    await readSourceMacros(files, sources, symbols, targets.roots);
    this.requireGoing();
    this.protocol.event('initialized');
    readAhead(symbols.map((s) => s.image).filter((image) => image.isLarge), this.host.scheduler);
    for (const module of d.target.images.images) {
      this.protocol.event('module', { reason: 'new', module: moduleOf(this, module) });
    }
  }

  /** The debugger of a machine, as the configuration wants it. */
  private debug(machine: Machine, { checksOff, stopAt, history, noDebug }: LaunchConfiguration): Debugger {
    const d = new Debugger(machine, this.host.scheduler, {
      stopped: (cause) => this.hasStopped(cause),
      guestMapRead: () => this.state({ what: 'memory-map', icount: machine.icount }),
      tell: (sentence) => this.logLines.add(sentence),
      complain: (sentence) => this.tell(sentence, 'important'),
    }, new Set(checksOff));
    d.stopAt = stopAt;
    if (history && !noDebug) d.keepHistory(() => this.host.scheduler.now());
    if (noDebug) d.runFreely();
    return d;
  }

  /** GDB and this client debug one machine: each stop is told to both, and either may let it go on. */
  private async serveGdb(d: Debugger, port: number): Promise<Launched['gdb']> {
    if (!this.host.serveGdb) throw new UserError('launch-configuration', '"gdbPort" needs sockets, which there are none of here: leave it out.');
    const stub = new GdbStub({
      debugger: d,
      explain: (cause) => {
        const words = stopWords(d, cause);
        return words.exception ? [words.description] : [];
      },
      killed: () => this.tell('GDB wanted to end the machine: it goes on for the editor.'),
      resumed: () => {
        this.goes();
        this.protocol.event('continued', { threadId: threadOf(d.run.processor), allThreadsContinued: true });
      },
    });
    const server = await this.host.serveGdb(stub, port);
    this.tell(`GDB can connect to the same machine: target remote 127.0.0.1:${server.port}`);
    return { stub, close: () => server.close() };
  }

  /** The machine begins to run for a request; references of the last stop become void. */
  goes(): void {
    this.stop = undefined;
    this.references.clear();
    this.run.activity.started();
    this.state({ what: 'running', icount: this.debugger.machine.icount });
  }

  /** The machine stands still. */
  hasStopped(cause: StopCause): void {
    const d = this.debugger;
    this.run.serial.flush();
    this.logLines.flush();
    this.run.gdb?.stub.stopped(cause);
    this.run.activity.stopped();
    if (cause.kind === 'ended') return this.machineEnded(cause);
    const words = stopWords(d, cause);
    this.stop = { cause, words };
    const asked = cause.kind === 'exit' || cause.kind === 'event';
    if (words.exception && !asked) this.output('important', `${words.description}\n${words.text}\n`);
    else if (asked || cause.kind === 'data') this.output('console', `${[words.description, ...(cause.kind === 'data' ? [words.text] : [])].join('\n')}\n`);
    if (this.understands.disassembly) void this.tellStopWithPlace(words);
    else this.tellStop(words, words.reason, d.target.index);
    this.tellMemory();
    for (const task of this.atStop) task();
    // A program that was built again has other lines than those that the user is about to look at.
    void this.run.symbolTimes.changed().then((sentences) => sentences.forEach((sentence) => this.tell(sentence, 'important')));
  }

  private tellStop({ description, label, text, ids }: StopWords, reason: string, cpu: number): void {
    this.protocol.event('stopped', {
      reason,
      description: label,
      text: label === description ? text : [description, text].filter(Boolean).join('\n'),
      threadId: threadOf(cpu),
      allThreadsStopped: true,
      hitBreakpointIds: ids,
    });
    this.tellState();
  }

  /** The machine stands: there is something to read. */
  private tellState(): void {
    const { machine, target, processors } = this.debugger;
    this.state({ what: 'stopped', icount: machine.icount, world: target.world, cpu: target.index, cpus: processors.length });
  }

  /** Looks first whether there is source to show. */
  private async tellStopWithPlace(words: StopWords): Promise<void> {
    const { stop } = this;
    const { index } = this.debugger.target;
    const sourced = await hasSource(this, this.debugger.stack());
    // GDB beside this client may have let the machine go on meanwhile.
    if (stop === this.stop && !this.ending) this.tellStop(words, sourced ? words.reason : AT_INSTRUCTION, index);
  }

  private machineEnded(cause: StopCause & { kind: 'ended' }): void {
    const code = cause.how === 'power-off' ? 0 : (cause.value ?? 0);
    this.tell(cause.how === 'power-off' ? 'The machine was powered off.' : `The guest ended the run by writing ${hex(code)} to the debug-exit port.`);
    this.protocol.event('exited', { exitCode: code });
    void this.terminate();
  }

  /** Ends the machine; drives are written back when the configuration asks for it. Whoever calls it again waits for the same end. */
  terminate(): Promise<void> {
    return (this.ending ??= this.end(this.launched));
  }

  private async end(launched: Launched | undefined): Promise<void> {
    if (launched) {
      launched.debugger.dispose();
      launched.gdb?.close();
      launched.activity.dispose();
      launched.serial.flush();
      if (launched.configuration.persistDrives) await writeDrives(this.host.files, changedDrives(launched.debugger.machine), (sentence) => this.tell(sentence, 'important'));
      else await this.tellChangedImages(launched);
    }
    this.logLines.flush();
    this.protocol.event('terminated');
  }

  /** What is on disk is no longer what the machine runs on. */
  async tellChangedImages({ images, symbolTimes } = this.run): Promise<void> {
    for (const sentence of [...(await images.changed()), ...(await symbolTimes.changed())]) this.tell(sentence, 'important');
  }

  /** A line for the debug console. */
  tell(sentence: string, category: 'console' | 'important' = 'console'): void {
    this.output(category, sentence + '\n');
  }
  output(category: string, output: string): void {
    this.logLines.flush();
    this.protocol.event('output', { category, output });
  }
  state(state: StateEvent): void {
    this.protocol.event(HyperstepEvent.state, state);
  }

  /** Registers or memory were changed by the user. */
  changed(areas: ('stacks' | 'variables' | 'all')[] = ['all']): void {
    this.debugger.modified();
    this.references.changed();
    this.protocol.after(() => {
      this.invalidate(areas);
      this.tellMemory();
      if (!this.debugger.run.running) this.tellState();
    });
  }

  /** What the client has asked for before would be answered in another way now. */
  invalidate(areas: ('stacks' | 'variables' | 'all')[]): void {
    if (this.understands.invalidated) this.protocol.event('invalidated', { areas });
  }

  /** Memory that the client may be showing can be another now. */
  private tellMemory(): void {
    const ranges = this.shownMemory.take();
    if (this.understands.memory) for (const range of ranges) this.protocol.event('memory', range);
  }

  /** What showing values needs of a frame, with the number format that the user has chosen. */
  variableContext(evaluator: Evaluator, reader?: ValueReader): VariableContext {
    const { format } = this;
    return {
      ...evaluator.variableContext(reader),
      get format() {
        return format.numbers;
      },
    };
  }

  /** The last exit in words, for labels. */
  lastExitWords(): string | undefined {
    const exit = this.debugger.recorder.lastExit;
    return exit && exitWords(exit);
  }
}
