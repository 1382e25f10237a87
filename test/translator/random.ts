/** Both tiers on random programs: `npx tsx test/translator/random.ts [16|32|64] [first seed] [programs] [blocks] [runs]`. */
import { compare } from './compare';
import type { Mode } from './rig';

const [mode = 64, first = 1, programs = 100, blocks = 14, runs = 80] = process.argv.slice(2).map(Number);
let regions = 0;
let instructions = 0;
for (let seed = first; seed < first + programs; seed++) {
  const outcome = compare(seed, mode as Mode, blocks, runs);
  regions += outcome.regions;
  instructions += outcome.instructions;
  if (outcome.difference === undefined) continue;
  console.log(outcome.difference);
  process.exit(1);
}
console.log(`${programs} programs in ${mode}-bit code, ${instructions} instructions, ${regions} regions: no difference`);
