/** Drives a machine from the event loop, slice by slice, until something ends the run. */
import type { Machine, MachineStop } from '../machine/machineInterface';
import { breaksMasked } from '../cpu/engine/monitoredLines';
import { Offset } from '../cpu/state';
import { ConsoleScript, type Verdict } from './consoleScript';
import { type Ending, Status } from './ending';
import { Pacer } from './pacer';
import type { RunOptions } from './runOptions';

const spent = (n: number, unit: string): string => (n === 1 ? `1 ${unit} is over` : `${n} ${unit}s are over`);

/** What a run needs of its host. */
export interface RunHost {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Rests for so long, or until something is typed; without a time until then. 0 lets other events through. */
  rest(milliseconds: number | undefined): Promise<void>;
  /** Bytes of the serial console. */
  output(bytes: Uint8Array): void;
  /** Whether anything can still be typed. */
  canType(): boolean;
}

const RFLAGS_IF = 0x200;
const ACTIVITY_ACTIVE = 0;
const VMX_NON_ROOT = 2;

/** Whether no interrupt will ever be taken again: every processor waits, with interrupts off. */
export function isDead(machine: Machine): boolean {
  return machine.cpus.every(({ state }) => state.get32(Offset.ACTIVITY) !== ACTIVITY_ACTIVE && (state.get32(Offset.FLAGS) & RFLAGS_IF) === 0 && !breaksMasked(state) && state.get32(Offset.VMX_MODE) !== VMX_NON_ROOT);
}

export class Run {
  private readonly pacer = new Pacer();
  private readonly script: ConsoleScript;
  private pendingOutput: number[] = [];
  private ending: Ending | undefined;
  /** Milliseconds of wall time since the start, when the run has ended. */
  milliseconds = 0;

  constructor(
    private readonly machine: Machine,
    private readonly options: Pick<RunOptions, 'script' | 'failOn' | 'maxInstructions' | 'timeout'>,
    private readonly host: RunHost,
  ) {
    this.script = new ConsoleScript(options.script, options.failOn, (bytes) => machine.typeSerial(bytes), (text) => machine.typeKeyboard?.(text));
    machine.onSerial = (byte) => this.serial(byte);
  }

  /** Ends the run after the present instruction, unless it has an ending already. */
  end(ending: Ending): void {
    if (this.ending) return;
    this.ending = ending;
    this.machine.requestStop();
  }

  get ended(): boolean {
    return this.ending !== undefined;
  }

  private serial(byte: number): void {
    // The instruction that ends the run may not be the last one that the slice executes.
    if (this.ending) return;
    this.pendingOutput.push(byte);
    this.take(this.script.byte(byte));
  }

  private take(verdict: Verdict | undefined): void {
    if (verdict?.kind === 'done') this.end({ status: Status.DONE });
    if (verdict?.kind === 'failed') this.end({ status: Status.FAILED, sentence: `The console has shown ${JSON.stringify(verdict.text)}, which --fail-on forbids.` });
  }

  private flush(): void {
    if (this.pendingOutput.length === 0) return;
    this.host.output(Uint8Array.from(this.pendingOutput));
    this.pendingOutput = [];
  }

  /** Runs to the end. */
  async loop(): Promise<Ending> {
    const started = this.host.now();
    this.script.start();
    while (!this.ending) {
      const rest = this.slice(started);
      this.flush();
      this.milliseconds = this.host.now() - started;
      if (!this.ending) await this.host.rest(this.cut(rest, started));
    }
    this.flush();
    this.milliseconds = this.host.now() - started;
    return this.ending;
  }

  /** No rest goes beyond the time that the run has. */
  private cut(rest: number | undefined, started: number): number | undefined {
    if (this.options.timeout === undefined) return rest;
    const left = Math.max(0, this.options.timeout * 1000 - (this.host.now() - started));
    return rest === undefined ? left : Math.min(rest, left);
  }

  /** One slice. Yields the milliseconds to rest, undefined for: until something is typed. */
  private slice(started: number): number | undefined {
    const { machine, options } = this;
    let budget = this.pacer.budget;
    if (options.maxInstructions !== undefined) budget = Math.min(budget, options.maxInstructions - machine.instructions);
    const { icount, instructions } = machine;
    const before = this.host.now();
    const stop = machine.run(budget);
    if (this.script.waitsForScreen) this.take(this.script.screen(machine.screenText()));
    const now = this.host.now();
    const ticks = machine.icount - icount;
    const rest = this.pacer.after(ticks, ticks - (machine.instructions - instructions), now - before);

    if (machine.ended !== undefined) this.finished(machine.ended);
    else if ((stop === 'halt' || stop === 'budget') && isDead(machine)) this.end({ status: Status.FAILED, sentence: 'The machine has halted with interrupts off: nothing can wake it.' });
    else if (options.maxInstructions !== undefined && machine.instructions >= options.maxInstructions) this.end({ status: Status.LIMIT, sentence: `${spent(options.maxInstructions, 'instruction')}${this.missing()}.` });
    else if (options.timeout !== undefined && now - started >= options.timeout * 1000) this.end({ status: Status.LIMIT, sentence: `${spent(options.timeout, 'second')}${this.missing()}.` });
    else if (stop === 'halt' && !this.host.canType()) this.end({ status: Status.FAILED, sentence: `The machine waits for input, and standard input has ended${this.missing()}.` });
    return stop === 'halt' ? undefined : rest;
  }

  private missing(): string {
    const text = this.script.pending;
    return text === undefined ? '' : `, and the ${this.script.waitsForScreen ? 'VGA screen' : 'console'} has not shown ${JSON.stringify(text)}`;
  }

  /** The machine can never run on. */
  private finished(stop: MachineStop): void {
    const { debugExit } = this.machine;
    if (stop === 'shutdown') return this.end({ status: Status.TRIPLE_FAULT, sentence: `Triple fault at RIP 0x${this.machine.cpus[this.machine.current]!.state.rip.toString(16)}: the processor has shut down${this.missing()}.` });
    if (stop === 'debug-exit' && debugExit !== 0) return this.end({ status: Status.DEBUG_EXIT, sentence: `The guest wrote ${debugExit} to the debug-exit port.` });
    const text = this.script.pending;
    if (text !== undefined) return this.end({ status: Status.FAILED, sentence: `The machine has ended, and the console has not shown ${JSON.stringify(text)}.` });
    this.end({ status: Status.DONE });
  }
}
