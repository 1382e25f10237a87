// How fast the debug adapter answers in a session of a million VM exits, and what breakpoints and the history cost while the
// machine runs. The built adapter is spoken to as an editor does.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const CLI = path.resolve(HERE, '../../dist/cli.js');
const EXITS = path.join(HERE, 'images/exits.img');
const LAB = path.resolve(HERE, '../../lab');
/** The image counts its exits down from 300 000 in RDI of the guest. */
const MILLION = 1_000_000;

class Session {
  constructor() {
    this.child = spawn(process.execPath, [CLI, 'dap'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.seq = 1;
    this.answers = new Map();
    this.waiting = [];
    this.serial = '';
    let buffer = Buffer.alloc(0);
    this.child.stdout.on('data', (chunk) => {
      buffer = Buffer.concat([buffer, chunk]);
      for (;;) {
        const end = buffer.indexOf('\r\n\r\n');
        const length = end < 0 ? NaN : Number(/Content-Length: (\d+)/.exec(buffer.subarray(0, end).toString())?.[1]);
        if (!(buffer.length >= end + 4 + length)) return;
        const message = JSON.parse(buffer.subarray(end + 4, end + 4 + length).toString());
        buffer = buffer.subarray(end + 4 + length);
        this.receive(message);
      }
    });
  }

  receive(message) {
    if (message.type === 'response') {
      const { resolve, reject } = this.answers.get(message.request_seq);
      this.answers.delete(message.request_seq);
      return message.success ? resolve(message.body) : reject(new Error(JSON.stringify(message.body)));
    }
    if (message.event === 'hyperstep/serial') this.serial += message.body.text;
    this.waiting = this.waiting.filter((w) => !(w.test(message) && (w.resolve(message.body), true)));
  }

  ask(command, args = {}) {
    const seq = this.seq++;
    const text = JSON.stringify({ seq, type: 'request', command, arguments: args });
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return new Promise((resolve, reject) => this.answers.set(seq, { resolve, reject }));
  }
  when(test) {
    return new Promise((resolve) => this.waiting.push({ test, resolve }));
  }
  event(name) {
    return this.when((m) => m.event === name);
  }
  async shows(text) {
    while (!this.serial.includes(text)) await this.event('hyperstep/serial');
  }
  async until(command, args = {}) {
    const stopped = this.event('stopped');
    await this.ask(command, { threadId: 1, ...args });
    return stopped;
  }

  async launch(configuration) {
    await this.ask('initialize', { adapterID: 'hyperstep', linesStartAt1: true, columnsStartAt1: true });
    const initialized = this.event('initialized');
    await Promise.all([this.ask('launch', { type: 'hyperstep', request: 'launch', name: 'bench', cwd: LAB, ...configuration }), initialized]);
  }
  async end() {
    await this.ask('disconnect').catch(() => {});
    this.child.kill();
  }
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
async function timed(action) {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** Runs the image's 300 000 exits; yields the seconds from its first to its last. */
async function runTime(configuration, prepare = async () => {}) {
  const session = new Session();
  await session.launch({ boot: { disk: EXITS }, symbols: [], machine: { memory: '128M' }, vmxChecks: false, ...configuration });
  await prepare(session);
  await session.ask('configurationDone');
  await session.shows('begin');
  const seconds = (await timed(() => session.shows('end '))) / 1000;
  await session.end();
  return seconds;
}

/** What runs of the same image take: alone, with breakpoints that are not hit, with a history. */
export async function runningCosts(runs) {
  const breakpoints = async (session) => {
    await session.ask('setInstructionBreakpoints', { breakpoints: Array.from({ length: 10 }, (_, i) => ({ instructionReference: `vmm:0x${(0x500000 + i * 64).toString(16)}` })) });
    await session.ask('setExceptionBreakpoints', { filters: ['triple-fault', 'entry-failure'], filterOptions: [{ filterId: 'exit:RDMSR', condition: 'msr == EFER' }, { filterId: 'exit:IO_INSTRUCTION', condition: 'port == 0x70 && out' }] });
  };
  const alone = [];
  const watched = [];
  const kept = [];
  for (let i = 0; i < runs; i++) {
    alone.push(await runTime({ history: false }));
    watched.push(await runTime({ history: false }, breakpoints));
    kept.push(await runTime({ history: true }));
  }
  return { alone: median(alone), breakpoints: median(watched) / median(alone) - 1, history: median(kept) / median(alone) - 1 };
}

/** Medians in milliseconds after a million VM exits. */
export async function responses(rounds = 15) {
  const session = new Session();
  await session.launch({ boot: { disk: EXITS }, symbols: [], machine: { memory: '128M' }, vmxChecks: false, vmexit: { stopAt: 'exit' }, breakOnExit: ['CPUID if n == 2'] });
  const first = session.event('stopped');
  await session.ask('configurationDone');
  await first;
  await session.ask('evaluate', { expression: `$guest.rdi = ${2 * MILLION}`, context: 'repl' });
  const reached = session.event('stopped');
  await session.ask('setFunctionBreakpoints', { breakpoints: [{ name: `exit:CPUID if n == ${MILLION}` }] });
  await session.ask('continue', { threadId: 1 });
  await reached;
  const { total } = await session.ask('hyperstep/exits', { count: 1 });
  const times = { 'step over': [], 'step into': [], 'step back': [], stack: [], Variables: [], 'set a breakpoint': [], pause: [] };
  for (let i = 0; i < rounds; i++) {
    times['step over'].push(await timed(() => session.until('next', { granularity: 'instruction' })));
    times['step into'].push(await timed(() => session.until('stepIn', { granularity: 'instruction' })));
    times['step back'].push(await timed(() => session.until('stepBack', { granularity: 'instruction' })));
    let frames;
    times.stack.push(await timed(async () => (frames = (await session.ask('stackTrace', { threadId: 1 })).stackFrames)));
    times.Variables.push(await timed(async () => {
      const { scopes } = await session.ask('scopes', { frameId: frames[0].id });
      for (const scope of scopes) await session.ask('variables', { variablesReference: scope.variablesReference });
    }));
    times['set a breakpoint'].push(await timed(() => session.ask('setInstructionBreakpoints', { breakpoints: [{ instructionReference: `vmm:0x${(0x500000 + i).toString(16)}` }] })));
    await session.ask('continue', { threadId: 1 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    times.pause.push(await timed(() => session.until('pause')));
  }
  await session.end();
  return { total, times: Object.fromEntries(Object.entries(times).map(([what, all]) => [what, median(all)])) };
}
