// What breakpoints that are not hit and the history cost while the machine runs. Two adapters run the same image in turn, one
// of which has the setting and one has nothing, for a short time each; what a pair differs by in instructions per processor
// second of the adapter's main thread is a sample. A busy machine slows both of a pair alike.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Session } from './adapterSession.mjs';

const IMAGES = path.join(path.dirname(fileURLToPath(import.meta.url)), 'images');
/** Physical memory that none of the images touches. */
const UNTOUCHED = 0x500_0000;
/** Bytes of a page. Its last byte is hardly ever where an instruction begins. */
const PAGE = 0x1000n;
/** Processor seconds for which an adapter runs before it is timed, in steps, and each time that it is. */
const WARM_UP = 0.4;
const LEG = 0.04;

const hex = (address) => `vmm:0x${address.toString(16)}`;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function setData(session, name, accessType = 'write') {
  const { dataId } = await session.ask('dataBreakpointInfo', { name, asAddress: true, bytes: 8 });
  if (!dataId) throw new Error(`No data breakpoint can be set on ${name}.`);
  await session.ask('setDataBreakpoints', { breakpoints: [{ dataId, accessType }] });
}

/** What is set before the machine goes on; `pc` is where it stands, in the midst of its work. */
const SETTINGS = {
  nothing: () => {},
  history: undefined,
  'code breakpoints on other pages': (session) => session.ask('setInstructionBreakpoints', { breakpoints: Array.from({ length: 10 }, (_, i) => ({ instructionReference: hex(0x50_0000 + i * 64) })) }),
  'a code breakpoint on a page that runs': (session, { pc }) => session.ask('setInstructionBreakpoints', { breakpoints: [{ instructionReference: hex(pc | (PAGE - 1n)) }] }),
  'exit breakpoints whose conditions never hold': (session) => session.ask('setExceptionBreakpoints', { filters: ['triple-fault', 'entry-failure'], filterOptions: [{ filterId: 'exit:CPUID', condition: 'leaf == 0x12345' }, { filterId: 'exit:IO_INSTRUCTION', condition: 'port == 0x70 && out' }] }),
  'a data breakpoint on an untouched page': (session) => setData(session, `0x${UNTOUCHED.toString(16)}`),
  'a data breakpoint beside data that is written all the time': (session, { words }) => setData(session, words[0]),
  'one for reading and writing there': (session, { words }) => setData(session, words[0], 'readWrite'),
  'a data breakpoint beside the frames of the stack': (session, { words }) => setData(session, words[1]),
};
/** The image "beside" is for data breakpoints. */
const ONLY_BESIDE = /beside|there$/;
const settingsOf = (image) => Object.keys(SETTINGS).filter((name) => image === 'beside' || !ONLY_BESIDE.test(name));

/** An adapter that stands in the midst of an image. */
async function start(image, history) {
  const session = new Session();
  const receive = session.receive.bind(session);
  session.receive = (message) => {
    if (message.event === 'hyperstep/activity') session.instructions = message.body.instructions;
    receive(message);
  };
  await session.launch({ boot: { disk: path.join(IMAGES, `${image}.img`) }, symbols: [], machine: { memory: '128M' }, vmxChecks: false, history });
  await session.ask('configurationDone');
  await session.shows('begin');
  await sleep(100);
  await session.until('pause');
  return session;
}

const hasEnded = (session) => session.serial.includes('end ');

/** Runs for so many processor seconds; yields instructions in each, no number once the image has ended. */
async function run(session, seconds) {
  const [instructions, start] = [session.instructions, session.seconds()];
  try {
    await session.ask('continue', { threadId: 1 });
    while (session.seconds() - start < seconds && !hasEnded(session)) await sleep(5);
    await session.until('pause');
  } catch (refused) {
    if (!hasEnded(session)) throw refused; // it stands still
    return NaN;
  }
  return (session.instructions - instructions) / (session.seconds() - start);
}

/** By how much of itself the speed without the setting is above that with it, as often as asked for. */
async function samples(image, name, count) {
  const all = [];
  while (all.length < count) {
    const plain = await start(image, false);
    const other = await start(image, name === 'history');
    const { stackFrames } = await other.ask('stackTrace', { threadId: 1, levels: 1 });
    await SETTINGS[name]?.(other, { pc: BigInt(stackFrames[0].instructionPointerReference.split(':')[1]), words: other.serial.match(/0x[0-9a-f]+/g) });
    const ended = () => hasEnded(plain) || hasEnded(other);
    const before = all.length;
    // V8 optimises between the steps.
    for (let done = 0; done < WARM_UP && !ended(); done += 2 * LEG) for (const session of [plain, other]) await run(session, 2 * LEG);
    while (all.length < count) {
      const speeds = new Map();
      for (const session of all.length % 2 ? [plain, other] : [other, plain]) speeds.set(session, await run(session, LEG));
      if (ended()) break;
      all.push(speeds.get(plain) / speeds.get(other) - 1);
    }
    await Promise.all([plain.end(), other.end()]);
    if (all.length === before) throw new Error(`${image} ends before it can be timed.`);
  }
  return all.sort((a, b) => a - b);
}

/** For each image and setting the cost, 0.01 being a hundredth of the speed: the median of `pairs` samples, and their quartiles. "nothing" says how exact that is. */
export async function runningCosts(pairs, images = ['exitslong', 'beside'], only = /./) {
  const costs = {};
  for (const image of images) {
    costs[image] = {};
    for (const name of settingsOf(image).filter((n) => only.test(n))) {
      const all = await samples(image, name, pairs);
      const at = (part) => all[Math.floor(part * all.length)];
      costs[image][name] = { median: at(0.5), low: at(0.25), high: at(0.75) };
    }
  }
  return costs;
}
