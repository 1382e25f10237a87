// What breakpoints that are not hit and the history cost while the machine runs, in processor time of the adapter.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, Session } from './adapterSession.mjs';

const IMAGES = path.join(path.dirname(fileURLToPath(import.meta.url)), 'images');
/** Physical memory that none of the images touches. */
const UNTOUCHED = 0x500_0000;
/** Bytes of a page. Its last byte is hardly ever where an instruction begins. */
const PAGE = 0x1000n;

const hex = (address) => `vmm:0x${address.toString(16)}`;

async function setData(session, name) {
  const { dataId } = await session.ask('dataBreakpointInfo', { name, asAddress: true, bytes: 8 });
  if (!dataId) throw new Error(`No data breakpoint can be set on ${name}.`);
  await session.ask('setDataBreakpoints', { breakpoints: [{ dataId, accessType: 'write' }] });
}

/** What is set before the machine goes on; `pc` is where it stands, in the midst of its work. */
const SETTINGS = {
  'code breakpoints on other pages': (session) => session.ask('setInstructionBreakpoints', { breakpoints: Array.from({ length: 10 }, (_, i) => ({ instructionReference: hex(0x50_0000 + i * 64) })) }),
  'a code breakpoint on a page that runs': (session, pc) => session.ask('setInstructionBreakpoints', { breakpoints: [{ instructionReference: hex(pc | (PAGE - 1n)) }] }),
  'exit breakpoints whose conditions never hold': (session) => session.ask('setExceptionBreakpoints', { filters: ['triple-fault', 'entry-failure'], filterOptions: [{ filterId: 'exit:CPUID', condition: 'leaf == 0x12345' }, { filterId: 'exit:IO_INSTRUCTION', condition: 'port == 0x70 && out' }] }),
  'a data breakpoint on an untouched page': (session) => setData(session, `0x${UNTOUCHED.toString(16)}`),
};

/** Runs an image; yields the seconds from the middle of its start to its end. */
async function run(image, history, set) {
  const session = new Session();
  await session.launch({ boot: { disk: path.join(IMAGES, `${image}.img`) }, symbols: [], machine: { memory: '128M' }, vmxChecks: false, history });
  await session.ask('configurationDone');
  await session.shows('begin');
  await session.until('pause');
  const { stackFrames } = await session.ask('stackTrace', { threadId: 1, levels: 1 });
  await set?.(session, BigInt(stackFrames[0].instructionPointerReference.split(':')[1]));
  const start = session.seconds();
  await session.ask('continue', { threadId: 1 });
  await session.shows('end ');
  const seconds = session.seconds() - start;
  await session.end();
  return seconds;
}

/** For each image and setting, by how much the run takes longer: 0.01 is a hundredth. Runs take turns, so that a busy machine slows all of them. */
export async function runningCosts(runs, images = ['exits', 'compute']) {
  const costs = {};
  for (const image of images) {
    const seconds = { alone: [], history: [], ...Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, []])) };
    const names = Object.keys(seconds);
    for (let i = 0; i < runs * names.length; i++) {
      // Each round begins with another, so that none always comes behind the same.
      const name = names[(i + Math.floor(i / names.length)) % names.length];
      seconds[name].push(await run(image, name === 'history', SETTINGS[name]));
    }
    // The quickest of each: everything else that a machine does only adds.
    const alone = Math.min(...seconds.alone);
    costs[image] = Object.fromEntries(Object.entries(seconds).filter(([name]) => name !== 'alone').map(([name, all]) => [name, Math.min(...all) / alone - 1]));
    costs[image].spread = median(seconds.alone) / alone - 1;
  }
  return costs;
}
