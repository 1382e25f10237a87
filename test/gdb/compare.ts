/**
 * Backtrace and locals at random stops of the lab, as GDB prints them through the stub and as Hyperstep's own debug
 * adapter shows them: tsx test/gdb/compare.ts [STOPS] [SEED]. Both look at the same machine at the same instant.
 */
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { GdbStub } from '../../src/gdb/stub';
import { serveGdb } from '../../src/adapter/hosts/gdbServer';
import { otherWorld, type World } from '../../src/debug/world';
import { Client } from '../dap/client';

const ROOT = path.resolve(__dirname, '../..');
const LAB = path.join(ROOT, 'lab');
const [stops = 40, seed = 1] = process.argv.slice(2).map(Number);
/** One GDB at one stop. */
const GDB_MS = 20_000;
/** The lab's boot is over when its console shows this; stops are spread over the instructions until then. */
const PROMPT = 'vm$';
/** Ticks in which the way to the prompt is measured. */
const MEASURE = 100_000;

interface GdbLocal {
  name: string;
  value?: string;
  text?: string;
  gone?: boolean;
  aggregate?: boolean;
  error?: string;
}
interface GdbFrame {
  name: string | null;
  pc: number;
  line: number;
  file: string | null;
  locals: GdbLocal[];
}
interface DapFrame {
  name: string;
  line: number;
  locals: DebugProtocol.Variable[];
}

/** mulberry32: the same stops for the same seed. */
function random(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function askGdb(port: number, world: World, select: boolean): Promise<GdbFrame[]> {
  const commands = ['set pagination off', 'set confirm off', 'set backtrace past-main on', `target remote 127.0.0.1:${port}`, ...(select ? [`monitor world ${world}`, 'maintenance flush dcache', 'maintenance flush register-cache'] : []), `source ${path.join(__dirname, 'frames.py')}`, 'kill'];
  return new Promise((resolve, reject) => {
    const child = spawn('gdb', ['-nx', '-batch', path.join(LAB, 'images/complete', `${world}.elf`), ...commands.flatMap((c) => ['-ex', c])], { cwd: LAB, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), GDB_MS);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += data));
    child.once('close', () => {
      clearTimeout(timer);
      const json = /^@@(.*)$/m.exec(text);
      if (json) resolve(JSON.parse(json[1]!) as GdbFrame[]);
      else reject(new Error(`GDB said no frames:\n${text}`));
    });
  });
}

async function askAdapter(client: Client): Promise<{ live: DapFrame[]; other: DapFrame[] }> {
  const { stackFrames } = await client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', { threadId: 1 });
  const parts: [DapFrame[], DapFrame[]] = [[], []];
  let part = 0;
  for (const frame of stackFrames) {
    if (frame.presentationHint === 'label') {
      part = 1;
      continue;
    }
    const { scopes } = await client.request<DebugProtocol.ScopesResponse['body']>('scopes', { frameId: frame.id });
    const local = scopes.find((s) => s.presentationHint === 'locals' || s.name === 'Locals');
    const locals = local ? (await client.request<DebugProtocol.VariablesResponse['body']>('variables', { variablesReference: local.variablesReference })).variables : [];
    parts[part]!.push({ name: frame.name, line: frame.line, locals });
  }
  return { live: parts[0], other: parts[1] };
}

/** Numbers that a value's text has. */
const numbersIn = (text: string): bigint[] => (text.match(/-?(?:0x[0-9a-f]+|\d+)/gi) ?? []).map((n) => (n.startsWith('-') ? -BigInt(n.slice(1)) : BigInt(n)));

function sameValue(gdb: GdbLocal, dap: string): boolean {
  const value = BigInt(gdb.value!);
  return numbersIn(dap).some((n) => BigInt.asUintN(64, n) === BigInt.asUintN(64, value)) || (/^[A-Z_]/i.test(gdb.text!) && dap.includes(gdb.text!.replace(/^\(.*\) /, '')));
}

const counts = { frames: 0, locals: 0, aggregates: 0, unavailable: 0 };

/** Sentences about what differs. */
function compare(gdb: GdbFrame[], dap: DapFrame[]): string[] {
  const wrong: string[] = [];
  // Beyond the first frame without a function GDB follows whatever lies on the stack.
  const end = gdb.findIndex((f) => f.name === null);
  const known = end < 0 ? gdb : gdb.slice(0, Math.max(end, 0));
  for (const [i, theirs] of known.entries()) {
    const ours = dap[i];
    if (!ours) {
      wrong.push(`#${i} ${theirs.name}: not in ours`);
      continue;
    }
    counts.frames++;
    // Where only a label is known, we tell the distance from it.
    if (ours.name.replace(/\+0x[0-9a-f]+$/, '') !== theirs.name || (theirs.line !== 0 && ours.line !== theirs.line)) {
      wrong.push(`#${i} gdb ${theirs.name}:${theirs.line}, ours ${ours.name}:${ours.line}`);
      continue;
    }
    for (const local of theirs.locals) {
      const mine = ours.locals.find((v) => v.name === local.name);
      if (!mine) wrong.push(`#${i} ${theirs.name}: no local ${local.name}`);
      else if (local.aggregate) counts.aggregates++;
      else if (local.value === undefined) {
        counts.unavailable++;
        if (numbersIn(mine.value).length > 0) wrong.push(`#${i} ${theirs.name}: ${local.name} is ${local.error ?? 'optimized out'} for gdb, ours ${mine.value}`);
      } else {
        counts.locals++;
        if (!sameValue(local, mine.value)) wrong.push(`#${i} ${theirs.name}:${theirs.line} ${local.name}: gdb ${local.text} (${local.value}), ours ${mine.value}`);
      }
    }
    for (const mine of ours.locals) if (!theirs.locals.some((l) => l.name === mine.name)) wrong.push(`#${i} ${theirs.name}: gdb has no local ${mine.name}`);
  }
  return wrong;
}

async function main(): Promise<number> {
  if (spawnSync('gdb', ['--version']).error) {
    console.log('No gdb here: skipped.');
    return 0;
  }
  const client = new Client();
  await client.launch({ cwd: ROOT, boot: { lab: true }, stopOnEntry: true });
  const entry = client.next('stopped');
  await client.configured();
  await entry;
  const d = client.session.debugger;
  const { machine } = d;

  const powerOn = machine.snapshot();
  let serial = '';
  const onSerial = machine.onSerial;
  machine.onSerial = (byte) => (serial += String.fromCharCode(byte));
  while (!serial.includes(PROMPT)) machine.run(MEASURE);
  const whole = machine.instructions;
  machine.restore(powerOn);
  d.recorder.reset();
  machine.onSerial = onSerial;

  const stub = new GdbStub({ debugger: d, explain: () => [], killed: () => {} });
  const { server, port } = await serveGdb(stub, 0);
  const next = random(seed);
  const places = Array.from({ length: stops }, () => Math.floor(next() * whole)).sort((a, b) => a - b);
  let compared = 0;
  let disagreeing = 0;
  for (const place of places) {
    while (machine.instructions < place) machine.run(place - machine.instructions);
    d.changed();
    client.session.hasStopped({ kind: 'pause' });
    const ours = await askAdapter(client);
    const { world } = d.target;
    for (const [w, frames] of [[world, ours.live], [otherWorld(world), ours.other]] as const) {
      if (w !== world && frames.length === 0) continue;
      const theirs = await askGdb(port, w, w !== world);
      if (theirs[0]?.name === null) continue;
      compared++;
      const wrong = compare(theirs, frames);
      if (wrong.length === 0) continue;
      disagreeing++;
      console.log(`instruction ${place}, ${w}${w === world ? '' : ' (saved)'}, ${d.target.cpu.state.rip.toString(16)}:\n  ${wrong.join('\n  ')}`);
    }
  }
  server.close();
  console.log(`${stops} stops, ${compared} stacks, ${counts.frames} frames, ${counts.locals} locals compared (${counts.aggregates} aggregates not, ${counts.unavailable} without a value); ${disagreeing} stacks disagree.`);
  return disagreeing === 0 ? 0 : 1;
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
