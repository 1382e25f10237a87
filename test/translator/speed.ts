/**
 * A guard against V8's cliffs: the loop benchmark, interpreted and translated, beside a fixed loop of WebAssembly in the same
 * run. The ratios below were measured; a tier that falls more than 30 % behind its own fails. `npx tsx test/translator/speed.ts`,
 * on every Node that matters.
 */
import fs from 'node:fs';
import path from 'node:path';
import { translatorPolicy } from '../../src/cpu/engine/translator';
import { createMachine } from '../../src/machine/machine';
import { FunctionBuilder } from '../../src/wasm/function';
import { ModuleBuilder } from '../../src/wasm/module';
import { Value } from '../../src/wasm/value';

/** Guest instructions for each round of the native loop. Measured where they are fewest: 0.25 on an older Xeon; 0.34 to 0.48 and 2.5 to 2.8 on an EPYC (Zen 4), of which half is asked of the translator. */
const EXPECTED = { interpreted: 0.25, translated: 1.3 };
const ALLOWED = 0.7;
/** Guest instructions before V8 has optimised the tier, and then in each of so many measurements, of which the best counts. */
const WARM_UP = { interpreted: 60e6, translated: 110e6 };
const MEASURED = { interpreted: 30e6, translated: 60e6 };
const TIMES = 6;
/** Rounds of the native loop in each measurement. */
const ROUNDS = 80e6;
const IMAGE = path.resolve(__dirname, '../bench/images/computelong.img');

/** CPU time of the main thread, in milliseconds: others on the machine do not count. Linux brings it up to date at its ticks, every 4 ms mostly, so what is timed has to be much longer. */
function milliseconds(): number {
  const file = `/proc/self/task/${process.pid}/schedstat`;
  return fs.existsSync(file) ? Number(fs.readFileSync(file, 'latin1').split(' ')[0]) / 1e6 : performance.now();
}

/** Rounds in a millisecond of a loop that depends on its last round: multiply, add, rotate. */
function nativeSpeed(): number {
  const f = new FunctionBuilder(['i32'], ['i64']);
  const sum = f.local('i64');
  const loop = f.loop();
  Value.local(sum, 'i64').mul(6364136223846793005n).add(1442695040888963407n).rotl(7n).emit(f);
  f.set(sum);
  Value.local(0, 'i32').sub(1).emit(f);
  f.tee(0).branchIf(loop);
  f.end();
  f.get(sum);
  const module = new ModuleBuilder();
  module.add(f, 'loop');
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), {});
  const run = instance.exports.loop as (rounds: number) => bigint;
  let best = 0;
  for (let i = 0; i < TIMES; i++) {
    const start = milliseconds();
    run(ROUNDS);
    best = Math.max(best, ROUNDS / (milliseconds() - start));
  }
  return best;
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

/** Guest instructions in a millisecond, at best. */
async function guestSpeed(tier: keyof typeof EXPECTED): Promise<number> {
  translatorPolicy.enabled = tier === 'translated';
  const machine = createMachine({ memory: 64 << 20, cpus: 1, without: [], drives: [{ name: path.basename(IMAGE), bytes: fs.readFileSync(IMAGE) }], boot: { kind: 'disk' } });
  while (machine.icount < WARM_UP[tier]) {
    machine.run(1e6);
    await pause(); // V8 optimises in the background
  }
  let best = 0;
  for (let i = 0; i < TIMES; i++) {
    const start = milliseconds();
    const from = machine.icount;
    machine.run(MEASURED[tier]);
    best = Math.max(best, (machine.icount - from) / (milliseconds() - start));
  }
  return best;
}

async function main(): Promise<void> {
  const native = nativeSpeed();
  console.log(`Node ${process.versions.node}, V8 ${process.versions.v8}: native loop ${Math.round(native / 1000)} M rounds/s`);
  for (const tier of ['interpreted', 'translated'] as const) {
    const speed = await guestSpeed(tier);
    const ratio = speed / native;
    const held = ratio >= EXPECTED[tier] * ALLOWED;
    console.log(`${tier}: ${Math.round(speed / 1000)} M instructions/s, ${ratio.toFixed(3)} of the native loop; expected ${EXPECTED[tier]}, at least ${(EXPECTED[tier] * ALLOWED).toFixed(3)}: ${held ? 'held' : 'FALLEN BEHIND'}`);
    if (!held) process.exitCode = 1;
  }
}

void main();
