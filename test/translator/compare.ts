/** Runs one random program on both tiers and shrinks it when they differ. */
import { assemble, dataBytes, generate, handlers, type Program, Random } from './program';
import { CODE, DATA, differences, HANDLERS, makeRig, type Mode, type Rig } from './rig';

export interface Outcome {
  /** What differs, or undefined. */
  difference: string | undefined;
  /** Regions that the translator made. */
  regions: number;
  instructions: number;
}

const load = (rig: Rig, code: Uint8Array, mode: Mode, seed: number): void => {
  const { u8 } = rig.cpu.views;
  u8.set(code, rig.ram + CODE);
  u8.set(handlers(mode), rig.ram + HANDLERS);
  u8.set(dataBytes(seed), rig.ram + DATA);
  rig.cpu.state.rip = BigInt(HANDLERS);
};

/** Runs a program for so many runs of random length. */
export function run(program: Program, mode: Mode, seed: number, runs: number): Outcome {
  const code = assemble(program, mode);
  const one = makeRig(mode, false);
  const other = makeRig(mode, true);
  load(one, code, mode, seed);
  load(other, code, mode, seed);
  const r = new Random(seed ^ 0x5555);
  const outcome = (difference: string | undefined): Outcome => ({ difference, regions: other.made(), instructions: one.cpu.state.icount });
  for (let i = 0; i < runs; i++) {
    const length = r.of([1, 2, 1 + r.below(20), 1 + r.below(300), 1 + r.below(3000)]);
    const [a, b] = [one.cpu.run(length), other.cpu.run(length)];
    if (a !== b || one.state() !== other.state() || (i % 16 === 15 && !one.memory().equals(other.memory()))) return outcome(`run ${i} of ${length} instructions: ${a} and ${b}\n${differences(one, other)}`);
    if (a === 'shutdown') break;
  }
  return outcome(one.memory().equals(other.memory()) ? undefined : differences(one, other));
}

/** Takes away blocks and instructions as long as the tiers still differ. */
export function shrink(program: Program, mode: Mode, seed: number, runs: number): Program {
  const differs = (p: Program): boolean => run(p, mode, seed, runs).difference !== undefined;
  let best = program;
  for (let size = 32; size >= 1; size >>= 1) {
    for (let b = 0; b < best.length; b++) {
      for (let at = 0; at < best[b]!.length; ) {
        const smaller = best.map((block, i) => (i === b ? [...block.slice(0, at), ...block.slice(at + size)] : block));
        if (differs(smaller)) best = smaller;
        else at += size;
      }
    }
  }
  return best;
}

/** The program of a seed on both tiers; a difference is told with the smallest program that shows it. */
export function compare(seed: number, mode: Mode, blocks: number, runs: number): Outcome {
  const program = generate(seed, mode, blocks);
  const outcome = run(program, mode, seed, runs);
  if (outcome.difference === undefined) return outcome;
  const small = shrink(program, mode, seed, runs);
  const text = small.map((block, i) => `${i}: ${block.map((p) => (Array.isArray(p) ? Buffer.from(p).toString('hex') : `${Buffer.from(p.opcode).toString('hex')}->${p.block}`)).join(' ')}`);
  return { ...outcome, difference: `seed ${seed}, ${mode}-bit code:\n${run(small, mode, seed, runs).difference}\n${text.filter((t) => !t.endsWith(': ')).join('\n')}` };
}
