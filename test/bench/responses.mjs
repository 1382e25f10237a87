// How fast the debug adapter answers in a session of a million VM exits.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, Session } from './adapterSession.mjs';

const EXITS = path.join(path.dirname(fileURLToPath(import.meta.url)), 'images/exits.img');
/** The image counts its exits down from 300 000 in RDI of the guest. */
const MILLION = 1_000_000;

async function timed(action) {
  const start = performance.now();
  await action();
  return performance.now() - start;
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
