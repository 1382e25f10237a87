/** Both tiers on random programs: `npx tsx test/translator/random.ts [programs] [first seed] [16,32,64] [blocks] [steps]`. */
import { compare } from './compare';
import type { Mode } from './rig';

/** Differences that are shown. */
const SHOWN = 3;

const [programs = 1000, first = 1] = process.argv.slice(2, 4).map(Number);
const modes = (process.argv[4] ?? '64,32,16').split(',').map(Number) as Mode[];
const [blocks = 14, steps = 120] = process.argv.slice(5).map(Number);
for (const mode of modes) {
  let [regions, instructions, different] = [0, 0, 0];
  const stops: Record<string, number> = {};
  for (let seed = first; seed < first + programs && different < SHOWN; seed++) {
    const outcome = compare(seed, mode, blocks, steps);
    regions += outcome.regions;
    instructions += outcome.instructions;
    for (const [reason, times] of Object.entries(outcome.stops)) stops[reason] = (stops[reason] ?? 0) + times;
    if (outcome.difference === undefined) continue;
    console.log(outcome.difference);
    different++;
  }
  const told = Object.entries(stops).map(([reason, times]) => `${times} by ${reason}`);
  console.log(`${programs} programs in ${mode}-bit code, ${instructions} instructions, ${regions} regions, stopped ${told.join(', ')}: ${different === 0 ? 'no difference' : `${different} differ`}`);
  if (different > 0) process.exitCode = 1;
}
