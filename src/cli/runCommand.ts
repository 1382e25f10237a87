/** `hyperstep run`: boots a machine, connects its console, watches its VM exits, and reports. */
import fs from 'node:fs';
import type { Finding } from '../debug/checks/check';
import { VmxChecks } from '../debug/checks/vmxChecks';
import { ExitRecorder } from '../debug/exits/exitRecorder';
import { remember } from '../debug/exits/tripleFault';
import type { DeliveredEvent } from '../debug/run/stopCause';
import { addressName } from '../debug/stack/callStack';
import { Target } from '../debug/target';
import { nodeFiles } from '../adapter/hosts/nodeFiles';
import { imageNames, ImageTimes } from '../adapter/launch/changedImages';
import { UserError } from '../base/errors';
import { createMachine } from '../machine/machine';
import type { Machine } from '../machine/machineInterface';
import type { ExitRecord, PassingExit } from '../vmx/observe';
import { type Ending, Status } from './ending';
import { exitReport } from './exitReport';
import { ExitCounts, exitLine } from './exitTrace';
import { failureReport, tripleFaultReport } from './failureReport';
import { loadMachine, loadSymbols, type LoadedSymbols, withLab } from './images';
import { Keyboard } from './keyboard';
import { png } from './png';
import { isDead, Run, type RunHost } from './run';
import { parseRunOptions, type RunOptions } from './runOptions';

/** Buffered lines of the exit trace, in characters, before they are written. */
const TRACE_BUFFER = 1 << 16;
/** Failed VMX instructions that are told; a VMM that probes for features makes some on purpose. */
const FAILURES_TOLD = 5;

const say = (text: string): void => void process.stderr.write(text);

const UNWRITABLE: Readonly<Record<string, string>> = { ENOENT: 'its folder does not exist', ENOTDIR: 'a part of the path is not a folder', EISDIR: 'it is a folder', EACCES: 'writing there is not permitted', EROFS: 'the disk can only be read' };

/** A file to be written during the run. Opened before it starts, so that a wrong path costs nothing. */
class OutputFile {
  private readonly descriptor: number;
  private buffer = '';

  constructor(option: string, file: string) {
    try {
      this.descriptor = fs.openSync(file, 'w');
    } catch (error) {
      throw new UserError('file', `${option} ${file} cannot be written: ${UNWRITABLE[(error as NodeJS.ErrnoException).code ?? ''] ?? (error as Error).message}.`);
    }
  }

  write(text: string): void {
    this.buffer += text;
    if (this.buffer.length >= TRACE_BUFFER) this.flush();
  }

  bytes(bytes: Uint8Array): void {
    fs.writeSync(this.descriptor, bytes);
  }

  flush(): void {
    fs.writeSync(this.descriptor, this.buffer);
    this.buffer = '';
  }
}

/** Everything that is done at a VM exit. */
class ExitWatch {
  readonly counts = new ExitCounts();
  readonly targets: Target[];
  /** The exit that --break-on-exit waited for. */
  found: ExitRecord | undefined;
  private failures = 0;
  /** The latest events that each processor was delivered: what leads to a triple fault. */
  private readonly events = new Map<Target, DeliveredEvent[]>();

  constructor(
    machine: Machine,
    private readonly options: RunOptions,
    symbols: readonly LoadedSymbols[],
    private readonly trace: OutputFile | undefined,
    private readonly run: Run,
  ) {
    const first = new Target(machine, 0);
    for (const { name, image, world } of symbols) first.images.add(name, name, image, world);
    this.targets = machine.cpus.map((cpu, i) => {
      const target = i === 0 ? first : new Target(machine, i, first);
      const events: DeliveredEvent[] = [];
      this.events.set(target, events);
      target.recorder = new ExitRecorder(cpu, machine.vmx[i]!, {
        exit: (record) => this.exit(target, record),
        entry: () => {},
        delivering: (event) => remember(events, event),
        failure: (failure) => {
          if (++this.failures <= FAILURES_TOLD) say('\n' + failureReport(target, failure));
        },
      }, new VmxChecks(target, new Set(options.checksOff), found));
      machine.vmx[i]!.observer = target.recorder;
      return target;
    });
  }

  private exit(target: Target, record: PassingExit): void {
    // After the end nothing is recorded: otherwise the trace would depend on how the last slice was cut.
    if (this.run.ended) return;
    this.counts.add(record);
    if (record.name === 'TRIPLE_FAULT' && ++this.failures <= FAILURES_TOLD) {
      target.activate();
      say('\n' + tripleFaultReport(target, 'guest', this.events.get(target)!));
    }
    this.trace?.write(exitLine(record, this.symbol(target, record), this.targets.length > 1) + '\n');
    const { breakOnExit } = this.options;
    if (breakOnExit.length === 0 || !breakOnExit.includes(record.name)) return;
    this.found = record.copy();
    this.run.end({ status: Status.DONE });
  }

  private symbol(target: Target, record: ExitRecord): string | undefined {
    if (target.images.images.length === 0) return undefined;
    target.activate();
    // Between two exits the guest may have changed its page tables and programs.
    target.images.forget();
    const name = addressName(target, 'guest', record.guestRip);
    return name.startsWith('0x') ? undefined : name;
  }

  /** The run is over: why the processor shut down, and what the run-time checks have to say. */
  ended(machine: Machine): void {
    if (machine.ended === 'shutdown') {
      const target = this.targets[machine.current]!;
      target.activate();
      say('\n' + tripleFaultReport(target, target.world, this.events.get(target)!));
    }
    for (const { recorder } of this.targets) recorder.checks?.ended(machine.ended === 'shutdown' ? 'shutdown' : 'halt');
  }
}

/** What a run-time check has found, once for each. */
const found = ({ check, sentence, notes }: Finding): void => say(`\nVMX check ${check.id}: ${[sentence, ...notes].join('\n  ')}\n`);

/** The host's side of a run: time, rests, and standard output. */
function nodeHost(canType: () => boolean): RunHost & { wake(): void } {
  let wake: (() => void) | undefined;
  return {
    now: () => performance.now(),
    rest: (milliseconds) =>
      new Promise((resolve) => {
        if (milliseconds === 0) return setImmediate(resolve);
        // With nothing to wait for but a key, a long timer keeps the process alive.
        const timer = setTimeout(done, milliseconds ?? 2 ** 30);
        function done(): void {
          clearTimeout(timer);
          wake = undefined;
          resolve();
        }
        wake = done;
      }),
    output: (bytes) => void process.stdout.write(bytes),
    canType,
    wake: () => wake?.(),
  };
}

async function execute(options: RunOptions): Promise<Ending> {
  // All that can be wrong is found before anything is written.
  const machineOptions = loadMachine(options);
  const symbols = await loadSymbols(options);
  const machine = await createMachine(machineOptions);
  const images = await ImageTimes.of(nodeFiles, imageNames(machineOptions));
  const trace = options.exits === undefined ? undefined : new OutputFile('--exits', options.exits);
  const stats = options.stats === undefined ? undefined : new OutputFile('--stats', options.stats);
  const screenshot = options.screenshot === undefined ? undefined : new OutputFile('--screenshot', options.screenshot);

  const host = nodeHost(() => !keyboard.ended);
  const run = new Run(machine, options, host);
  const watch = new ExitWatch(machine, options, symbols, trace, run);
  machine.onWarning = (sentence) => say(`\n${sentence}\n`);
  const interrupt = (): void => {
    run.end({ status: Status.INTERRUPTED });
    host.wake();
  };
  process.once('SIGINT', interrupt);
  // Whoever read our output is gone: there is nothing left to do, and what was asked for has not happened.
  process.stdout.on('error', () => {
    run.end({ status: Status.FAILED });
    host.wake();
  });
  const keyboard = new Keyboard(
    process.stdin,
    (bytes) => {
      machine.typeSerial(bytes);
      host.wake();
    },
    interrupt,
  );

  let ending: Ending;
  try {
    ending = await run.loop();
  } finally {
    keyboard.close();
    process.off('SIGINT', interrupt);
    trace?.flush();
  }
  if (options.breakOnExit.length > 0 && ending.status === Status.DONE && !watch.found) {
    ending = { status: Status.FAILED, sentence: `The machine has ended, and there was no VM exit ${options.breakOnExit.join(' or ')}.` };
  }
  if (stats) {
    const seconds = run.milliseconds / 1000;
    const { instructions, debugExit } = machine;
    stats.write(JSON.stringify({ instructions, seconds, mips: seconds > 0 ? instructions / seconds / 1e6 : 0, exits: watch.counts.byName(), debugExit: debugExit ?? null }, undefined, 2) + '\n');
    stats.flush();
  }
  if (machine.ended === 'shutdown' || isDead(machine)) watch.ended(machine);
  if (options.screen) process.stdout.write(`\n${machine.screenText().join('\n').trimEnd()}\n`);
  const picture = screenshot && machine.picture?.();
  if (picture) screenshot.bytes(png(picture.width, picture.height, picture.rgb));
  else if (screenshot) say(`\n${options.screenshot!} is empty: the guest shows no picture but text, which --screen prints.\n`);
  for (const sentence of await images.changed()) say(`\n${sentence}\n`);
  report(options, watch, ending, machine, run);
  return ending;
}

function report(options: RunOptions, watch: ExitWatch, ending: Ending, machine: Machine, run: Run): void {
  if (ending.sentence !== undefined) say(`\n${ending.sentence}\n`);
  if (watch.found) say('\n\n' + exitReport(watch.targets[watch.found.cpu]!, watch.found));
  if (options.summary) say(`\n\n${watch.counts.table()}\n${machine.instructions.toLocaleString('en')} instructions in ${(run.milliseconds / 1000).toFixed(2)} s.\n`);
}

/** Yields the exit status. Throws a UserError for a wrong option or file. */
export async function runCommand(words: readonly string[]): Promise<number> {
  return (await execute(withLab(parseRunOptions(words)))).status;
}
