/**
 * Steps from random stops, by GDB through the stub and by Hyperstep from the same instant: where each ends.
 *
 * Where Hyperstep stays as it is:
 * - GDB compares lines, not frames. A return to a statement of the callee's own line (recursion), and an inlined call that
 *   begins behind another one of the same function, are none to it; a call of a function by itself within one line it
 *   takes for the same line, and stops in front of a prologue.
 * - GDB drops rows that repeat a line with a discriminator: a return to such a row is in the middle of a statement for it.
 * - A step over that has returned into a loop of one statement stops where that begins anew, GDB's behind the loop.
 * - Code of line 0 belongs to the line before it, for GDB it is another line (clang, rustc).
 * - What explanations.ts has as EMPTY_RANGE and REPEATED_LINE.
 *
 *   tsx test/gdb/steps.ts [lab|'COMPILER OPTIONS'] [STOPS] [SEED]
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { serveGdb } from '../../src/adapter/hosts/gdbServer';
import { GdbStub } from '../../src/gdb/stub';
import { isNamed } from './agreement';
import { GdbProcess } from './gdbProcess';
import { random } from './random';
import { endWith, startScene } from './script';

const [sceneName = 'gcc -g -O2', stops = '60', seed = '1'] = process.argv.slice(2);
const STEPS = [
  { gdb: 'next', dap: 'next' },
  { gdb: 'step', dap: 'stepIn' },
] as const;

/** A step that takes longer does not come to an end. */
const LONGEST_MS = 4000;

interface Place {
  name: string;
  line: number;
  pc: number;
}

const text = (place: Place): string => `${place.name}:${place.line} at ${place.pc.toString(16)}`;

async function main(): Promise<number> {
  const started = await startScene(sceneName);
  if (!started) return 0;
  const { scene, client } = started;
  const d = client.session.debugger;
  const { machine } = d;
  const stub = new GdbStub({ debugger: d, explain: () => [], killed: () => {} });
  const server = await serveGdb(stub, 0);
  const { port } = server;
  client.session.run.gdb = { stub, close: () => server.close() };
  const gdb = new GdbProcess(scene.symbols.vmm!, scene.cwd, port, ['monitor world vmm']);
  await gdb.connected();

  const theirs = async (...commands: string[]): Promise<Place | undefined> => {
    const timer = setTimeout(() => d.pause(), LONGEST_MS);
    const [top] = await gdb.frames(...commands);
    clearTimeout(timer);
    d.changed();
    return top?.name ? { name: top.name, line: top.line, pc: top.pc } : undefined;
  };
  const ours = async (level = 0): Promise<Place> => {
    const { stackFrames } = await client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', { threadId: 1, levels: level + 1 });
    const frame = stackFrames[level];
    return { name: frame?.name ?? '', line: frame?.line ?? 0, pc: Number(/0x[0-9a-f]+$/.exec(frame?.instructionPointerReference ?? '')?.[0]) };
  };
  const next = random(Number(seed));
  const places = Array.from({ length: Number(stops) }, () => Math.floor(next() * scene.instructions)).sort((a, b) => a - b);
  let compared = 0;
  let disagreeing = 0;
  /** Loops of one statement that begin anew. */
  let anew = 0;
  for (const place of places) {
    // Where the last step was to end.
    for (const cpu of machine.cpus) cpu.setBreakpoints(new Set());
    while (machine.instructions < place) machine.run(Math.min(place - machine.instructions, 200_000));
    d.changed();
    if (d.target.world !== 'vmm' || !d.target.images.at('vmm', d.target.cpu.state.rip)) continue;
    // GDB decides at a stop of its own in which of the inlined calls that begin there it is.
    const before = machine.snapshot();
    const from = await theirs('stepi');
    if (!from || d.target.world !== 'vmm') continue;
    const start = machine.snapshot();
    for (const step of STEPS) {
      machine.restore(start, machine.recordedInput);
      d.changed();
      client.session.hasStopped({ kind: 'pause' });
      const here = await ours();
      const caller = await ours(1);
      if (!isNamed(here.name, from.name) || here.line !== from.line) break;
      const stopped = client.next('stopped');
      let failed: string | undefined;
      await client.request(step.dap, { threadId: 1, granularity: 'statement' }).catch((error: Error) => (failed = error.message));
      if (failed !== undefined) continue;
      const timer = setTimeout(() => d.pause(), LONGEST_MS);
      const { reason } = await stopped;
      clearTimeout(timer);
      // Of a loop that does not end.
      if (reason === 'pause') continue;
      const own = await ours();
      machine.restore(before, machine.recordedInput);
      d.changed();
      const other = await theirs('stepi', step.gdb);
      compared++;
      if (!other || (isNamed(own.name, other.name) && other.line === own.line)) continue;
      if (step.gdb === 'next' && own.name === caller.name && own.line === caller.line && own.pc < caller.pc) {
        anew++;
        continue;
      }
      disagreeing++;
      console.log(`${step.gdb} from ${text(from)}: gdb ${text(other)}, ours ${text(own)}`);
    }
    machine.restore(start, machine.recordedInput);
    machine.release(start);
    machine.release(before);
  }
  gdb.end();
  console.log(`${sceneName}: ${compared} steps compared; ${anew} stopped where a statement begins anew; ${disagreeing} disagree.`);
  return disagreeing === 0 ? 0 : 1;
}

endWith(main());
