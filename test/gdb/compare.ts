/**
 * Backtrace and locals at random stops, as GDB prints them through the stub and as Hyperstep's own debug adapter shows
 * them: tsx test/gdb/compare.ts [lab|linux|'COMPILER OPTIONS'] [STOPS] [SEED]. Both look at the same machine at the same instant.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { GdbStub } from '../../src/gdb/stub';
import { serveGdb } from '../../src/adapter/hosts/gdbServer';
import { otherWorld, type World } from '../../src/debug/world';
import type { Snapshot } from '../../src/machine/machineInterface';
import { Client } from '../dap/client';
import type { CodeFrame } from '../../src/debug/stack/callStack';
import { compareStacks, Counts, ownValue, type OwnFrame } from './agreement';
import { entryValueOf, observe } from './entryTruth';
import { EMPTY_RANGE, ENTRY_VALUE_CHECKED, explanationOf, REPEATED_LINE } from './explanations';
import { GdbProcess, type GdbFrame } from './gdbProcess';
import { random } from './random';
import { endWith, startScene } from './script';

const [sceneName = 'lab', stops = '200', seed = '1'] = process.argv.slice(2);
/** A stop where nobody knows the code (user mode, firmware) moves on by so many instructions, so many times. */
const FURTHER = 1000;
const MOST_MOVES = 5000;
/** So many instructions before a stop can be executed again, to see what functions were given. */
const LOOK_BACK = 1_000_000;
/** So many of the earlier stops can be gone back to. */
const MOST_INSTANTS = 6;
/** The console is looked at this often. */
const CHUNK = 200_000;

/** Parameters of 32 bits leave the upper half of a register as it is. */
const LOW_HALF = 0xffff_ffffn;

/** The adapter's frames of one world, with their locals as deep as GDB's. */
async function ownFrames(client: Client, stack: readonly DebugProtocol.StackFrame[], gdb: readonly GdbFrame[]): Promise<OwnFrame[]> {
  const ask = async (variablesReference: number, count?: number): Promise<DebugProtocol.Variable[]> => (await client.request<DebugProtocol.VariablesResponse['body']>('variables', { variablesReference, start: 0, count })).variables;
  const frames: OwnFrame[] = [];
  for (const [i, frame] of stack.slice(0, gdb.length).entries()) {
    const { scopes } = await client.request<DebugProtocol.ScopesResponse['body']>('scopes', { frameId: frame.id });
    const scope = scopes.find((s) => s.presentationHint === 'locals');
    const locals = [];
    for (const variable of scope ? await ask(scope.variablesReference) : []) locals.push(await ownValue(variable, gdb[i]!.locals.find((l) => l.name === variable.name), ask));
    frames.push({ name: frame.name, line: frame.line, locals });
  }
  return frames;
}

/** Whether a sentence is of the same line in two functions, of which ours is an inlined call that begins there with an empty range. */
function beginsWithoutBytes(sentence: string, frames: readonly CodeFrame[]): boolean {
  const [, level, , name] = /^#(\d+) gdb .+:(\d+), ours (.+):\2$/.exec(sentence) ?? [];
  const { frame, image } = frames[Number(level)] ?? {};
  const call = frame && !frame.isCaller ? image?.image.inlinedAt(frame.pc).find((c) => c.name === name) : undefined;
  return call !== undefined && call.low === frame!.pc && !call.ranges.some(({ low, high }) => frame!.pc >= low && frame!.pc < high);
}

/** Whether a sentence is of two lines of a function of which the line table has ours for the stop's address: in a row that GDB has dropped, or of a statement whose row it has. */
function repeatsLine(sentence: string, [innermost]: readonly CodeFrame[]): boolean {
  const [, name, theirs, ours] = /^#0 gdb (.+):(\d+), ours \1:(\d+)$/.exec(sentence) ?? [];
  const { frame, image } = innermost ?? {};
  if (name === undefined || !frame || !image) return false;
  const rows = [...image.image.rows(frame.pc, frame.pc + 1n)];
  // What is dropped may be the stop's own rows, after a row of their line that begins no statement.
  if (rows[0]!.line === Number(ours)) {
    let before = rows;
    do before = [...image.image.rows(before[0]!.address - 1n, before[0]!.address)];
    while (before.length > 0 && before.every((row) => !row.isStmt && row.line === Number(ours)));
    const last = before.at(-1);
    if (last?.line === Number(ours) && !last.isStmt && before.some((row) => row.isStmt && row.line === Number(theirs))) return true;
  }
  const stated = rows.findIndex((row) => row.isStmt && row.line === Number(ours));
  return stated >= 0 && rows.slice(stated + 1).some((row) => !row.isStmt && row.line === Number(theirs)) && image.image.lineAt(frame.pc - 1n)?.line === Number(ours);
}

async function main(): Promise<number> {
  const started = await startScene(sceneName);
  if (!started) return 0;
  const { scene, client } = started;
  const d = client.session.debugger;
  const { machine } = d;

  // A GDB for each world, as each has its own symbols.
  const gdbs = new Map<World, GdbProcess>();
  for (const [world, symbols] of Object.entries(scene.symbols) as [World, string][]) {
    const { port } = await serveGdb(new GdbStub({ debugger: d, explain: () => [], killed: () => {} }), 0);
    const gdb = new GdbProcess(symbols, scene.cwd, port, [`monitor world ${world}`]);
    await gdb.connected();
    gdbs.set(world, gdb);
  }

  const typed = [...scene.typed];
  let told = 0;
  const runTo = async (instructions: number): Promise<void> => {
    let halted = false;
    while (machine.instructions < instructions) {
      const before = machine.instructions;
      // The budget is in ticks: a halted processor spends them and executes nothing.
      machine.run(halted ? CHUNK : Math.min(instructions - before, CHUNK));
      halted = machine.instructions === before;
      if (!client.serial.slice(told).includes(scene.prompt)) continue;
      told = client.serial.length;
      if (typed.length > 0) await client.request('hyperstep/type', { text: `${typed.shift()}\n` });
    }
  };
  const next = random(Number(seed));
  const places = Array.from({ length: Number(stops) }, () => Math.floor(next() * scene.instructions)).sort((a, b) => a - b);
  const counts = new Counts();
  const explained = new Map<string, number>();
  let compared = 0;
  let disagreeing = 0;
  /** Instants before the stop, the last one first: what was entered long ago is seen from an earlier one. */
  const instants: Snapshot[] = [];
  /** Whether the machine itself bears out a sentence's "ours": the value of a variable by what registers had when its function was entered. */
  const bornOut = (sentence: string, frames: readonly CodeFrame[]): boolean => {
    const [, level, name, value] = /^#(\d+) \S+ (\w+)(?::| is ).*, ours (-?(?:0x[0-9a-f]+|\d+))/.exec(sentence) ?? [];
    const frame = frames[Number(level)];
    const entry = frame && name && value ? entryValueOf(frame, name) : undefined;
    if (!entry) return false;
    const stop = machine.instructions;
    for (const since of instants) {
      machine.restore(since, machine.recordedInput);
      const seen = observe(d, stop, entry);
      d.changed();
      told = client.serial.length;
      if (seen !== undefined) return seen === BigInt.asUintN(64, BigInt(value!)) || (seen & LOW_HALF) === BigInt.asUintN(32, BigInt(value!));
    }
    return false;
  };
  for (const place of places) {
    await runTo(place - LOOK_BACK);
    instants.unshift(machine.snapshot());
    if (instants.length > MOST_INSTANTS) machine.release(instants.pop()!);
    await runTo(place);
    for (let moves = 0; moves < MOST_MOVES; moves++) {
      d.changed();
      const { world } = d.target;
      const { rip } = d.target.cpu.state;
      if (d.target.images.at(world, rip)) break;
      await runTo(machine.instructions + FURTHER);
    }
    client.session.hasStopped({ kind: 'pause' });
    const { stackFrames } = await client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', { threadId: 1 });
    const label = stackFrames.findIndex((f) => f.presentationHint === 'label');
    const { world } = d.target;
    const parts: [World, DebugProtocol.StackFrame[]][] = [[world, label < 0 ? stackFrames : stackFrames.slice(0, label)]];
    if (label >= 0) parts.push([otherWorld(world), stackFrames.slice(label + 1)]);
    for (const [w, stack] of parts) {
      const theirs = await gdbs.get(w)?.frames();
      if (!theirs?.[0]?.name) continue;
      compared++;
      const wrong: string[] = [];
      for (const sentence of compareStacks(theirs, await ownFrames(client, stack, theirs), counts)) {
        const frames = d.stack().filter((f): f is CodeFrame => f.kind === 'code' && f.world === w);
        const why = explanationOf(sceneName, sentence, theirs[0].name) ?? (beginsWithoutBytes(sentence, frames) ? EMPTY_RANGE : undefined) ?? (repeatsLine(sentence, frames) ? REPEATED_LINE : undefined) ?? (w === world && bornOut(sentence, frames) ? ENTRY_VALUE_CHECKED : undefined);
        if (why === undefined) wrong.push(sentence);
        else explained.set(why, (explained.get(why) ?? 0) + 1);
      }
      if (wrong.length === 0) continue;
      disagreeing++;
      console.log(`instruction ${machine.instructions}, ${w}${w === world ? '' : ' (saved)'}, ${d.target.cpu.state.rip.toString(16)}:\n  ${wrong.join('\n  ')}`);
    }
  }
  for (const gdb of gdbs.values()) gdb.end();
  for (const [why, times] of explained) console.log(`${times} explained: ${why}`);
  console.log(`${sceneName}: ${stops} stops, ${compared} stacks, ${counts.frames} frames, ${counts.values} values compared (${counts.unavailable} variables have none, ${counts.notCompared} are no numbers); ${disagreeing} stacks disagree.`);
  return disagreeing === 0 ? 0 : 1;
}

endWith(main());
