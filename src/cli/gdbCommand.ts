/** `hyperstep gdb`: a machine that waits for GDB, its serial console on standard input and output. */
import { nodeScheduler } from '../adapter/hosts/nodeScheduler';
import { stopWords } from '../adapter/words';
import { UserError } from '../base/errors';
import { Debugger } from '../debug/debugger';
import type { StopCause } from '../debug/run/stopCause';
import { GdbStub } from '../gdb/stub';
import { createMachine } from '../machine/machine';
import { type Ending, Status } from './ending';
import { serveGdb } from '../adapter/hosts/gdbServer';
import { loadMachine, loadSymbols, withLab } from './images';
import { Keyboard } from './keyboard';
import { NOT_FOR_GDB } from './notForGdb';
import { takePort } from './port';
import { parseRunOptions, type RunOptions } from './runOptions';

/** What most people expect a remote stub to listen on. */
const DEFAULT_PORT = 1234;

/** `--port` and the machine's options. Throws a UserError for anything else. */
export function parseGdbOptions(words: readonly string[]): { port: number; options: RunOptions } {
  const { port = DEFAULT_PORT, rest } = takePort(words);
  const options = parseRunOptions(rest);
  const wrong = NOT_FOR_GDB.find(({ given }) => given(options));
  if (wrong) throw new UserError('usage', `${wrong.called} can be given to hyperstep run, not to hyperstep gdb: here GDB says when the machine runs and ends.`);
  return { port, options };
}

const say = (text: string): void => void process.stderr.write(text);

/** Stops that GDB has words of its own for. */
const KNOWN_TO_GDB: ReadonlySet<StopCause['kind']> = new Set(['breakpoint', 'step', 'pause', 'entry', 'data', 'history-begins']);

/** What GDB's own words for a stop do not tell. */
function sentences(d: Debugger, cause: StopCause): string[] {
  if (KNOWN_TO_GDB.has(cause.kind)) return [];
  const { description, text } = stopWords(d, cause);
  return text === undefined || text === description ? [description] : [description, text];
}

function endingOf(cause: StopCause): Ending | undefined {
  if (cause.kind !== 'ended') return undefined;
  if (cause.how === 'power-off' || cause.value === 0) return { status: Status.DONE };
  return { status: Status.DEBUG_EXIT, sentence: `The guest wrote ${cause.value} to the debug-exit port.` };
}

/** Serves until GDB kills the machine, the machine ends, or Ctrl+C. Yields the exit status. */
export async function gdbCommand(words: readonly string[]): Promise<number> {
  const { port: wanted, options: given } = parseGdbOptions(words);
  const options = withLab(given);
  const machineOptions = loadMachine(options);
  const symbols = await loadSymbols(options);
  const machine = await createMachine(machineOptions);

  let finish!: (ending: Ending) => void;
  const finished = new Promise<Ending>((resolve) => (finish = resolve));
  const d: Debugger = new Debugger(machine, nodeScheduler, {
    stopped: (cause) => {
      stub.stopped(cause);
      const ending = endingOf(cause);
      if (ending) finish(ending);
    },
    guestMapRead: () => {},
    tell: (sentence) => void (stub.tell(sentence) || say(`\n${sentence}\n`)),
  }, new Set(options.checksOff));
  // GDB wants to stand at the exit itself: it steps by its own symbols.
  d.stopAt = 'exit';
  d.keepHistory(() => performance.now());
  for (const { name, image, world } of symbols) d.target.images.add(name, name, image, world);
  d.exitBreakpoints.set(options.breakOnExit.map((name) => ({ name, condition: undefined })));
  const stub = new GdbStub({ debugger: d, explain: (cause) => sentences(d, cause), killed: () => finish({ status: Status.DONE }) });

  machine.onSerial = (byte) => void (d.repeats || process.stdout.write(Uint8Array.of(byte)));
  machine.onWarning = (sentence) => say(`\n${sentence}\n`);
  const interrupted = (): void => finish({ status: Status.INTERRUPTED });
  process.once('SIGINT', interrupted);
  // Whoever read the console is gone.
  process.stdout.on('error', () => finish({ status: Status.FAILED }));
  const { port, close } = await serveGdb(stub, wanted);
  say(`hyperstep: the machine waits for GDB: target remote 127.0.0.1:${port}\n`);
  const keyboard = new Keyboard(process.stdin, (bytes) => bytes.length > 0 && d.type(bytes), interrupted);

  const { status, sentence } = await finished;
  keyboard.close();
  d.dispose();
  close();
  if (sentence !== undefined) say(`\n${sentence}\n`);
  // What GDB is still to be told goes out before the connection ends.
  setImmediate(() => process.exit(status));
  return status;
}
