/** Runs one random program on both tiers and shrinks it when they differ. */
import type { Cpu } from '../../src/cpu/engine/cpu';
import { Offset } from '../../src/cpu/state';
import { assemble, generate, type Program, textOf } from './program';
import { differences, makeRig, type Mode } from './rig';
import { happen, load, type Step, steps } from './scenario';

export interface Outcome {
  /** What differs, or undefined. */
  difference: string | undefined;
  /** The step at which it does. */
  step: number;
  /** Regions that the translator made. */
  regions: number;
  instructions: number;
  /** How often each reason has stopped a run. */
  stops: Record<string, number>;
}

/** Steps between comparisons of the whole memory. */
const MEMORY_EVERY = 8;
/** Every third program's interpreter executes one instruction at a time. */
const STEPPED = 3;

/** Runs so many instructions, each alone. */
function runStepwise(cpu: Cpu, length: number): ReturnType<Cpu['run']> {
  const end = cpu.state.icount + length;
  for (;;) {
    const reason = cpu.run(1);
    if (reason !== 'budget' || cpu.state.icount >= end) return reason;
  }
}

/** Regions of every other program never call TypeScript for what they find no translation of. */
const NEVER = 1e9;

/** Runs a program through its steps. */
export function run(program: Program, mode: Mode, seed: number, todo: readonly Step[]): Outcome {
  const assembled = assemble(program, mode);
  const one = makeRig(mode, false, program.user);
  const other = makeRig(mode, true, program.user, seed % 2 === 0 ? 1 : NEVER);
  const both = [one, other] as const;
  for (const rig of both) load(rig, assembled, seed);
  const stops: Record<string, number> = {};
  const outcome = (difference: string | undefined, step: number): Outcome => ({ difference, step, regions: other.made(), instructions: one.cpu.state.icount, stops });
  for (const [i, { happening, length }] of todo.entries()) {
    if (happening) for (const rig of both) happen(rig, happening, assembled, mode);
    const stepped = seed % STEPPED === 0;
    const a = stepped ? runStepwise(one.cpu, length) : one.cpu.run(length);
    const b = other.cpu.run(length);
    // Who steps has seen where every instruction begins, and knows of RF when the processor shuts down, where it means nothing.
    if (stepped) one.cpu.state.set64(Offset.INSTRUCTION_RIP, other.cpu.state.get64(Offset.INSTRUCTION_RIP));
    stops[a] = (stops[a] ?? 0) + 1;
    const whole = i % MEMORY_EVERY === MEMORY_EVERY - 1 || i === todo.length - 1;
    const icounts = both.map(({ cpu }) => cpu.state.icount);
    const hits = both.map(({ cpu }) => (a === 'watch' ? cpu.watchHits.map((h) => `${h.id} ${h.linear.toString(16)} ${h.size} ${h.write}`).join() : ''));
    if (a !== b || icounts[0] !== icounts[1] || hits[0] !== hits[1] || (!(stepped && a === 'shutdown') && !one.state().equals(other.state())) || (whole && !one.memory().equals(other.memory()))) {
      return outcome(`step ${i}, ${length} instructions${happening ? ` after ${JSON.stringify(happening)}` : ''}: ${a} and ${b}, clocks ${icounts.join(' and ')}${hits[0] !== hits[1] ? `, hits ${hits.join(' and ')}` : ''}\n${differences(one, other)}`, i);
    }
    if (whole && !other.snapshotHolds()) return outcome(`step ${i}: a page was written that a snapshot should have kept first`, i);
    if (whole && !one.snapshotHolds()) throw new Error('A page was written by the interpreter that a snapshot should have kept first.');
    if (a === 'breakpoint') for (const { cpu } of both) cpu.skipBreakpointOnce();
    // Faults end in HLT: the program begins somewhere else.
    if (a === 'halt' || a === 'shutdown') for (const rig of both) happen(rig, { kind: 'kick', seed: seed * 1000 + i }, assembled, mode);
  }
  return outcome(undefined, todo.length);
}

/** Takes away steps, blocks and instructions as long as the tiers still differ. */
export function shrink(program: Program, mode: Mode, seed: number, todo: readonly Step[]): { program: Program; todo: readonly Step[] } {
  let best = program;
  let left = todo;
  const differs = (p: Program, s: readonly Step[]): boolean => {
    const { difference, step } = run(p, mode, seed, s);
    if (difference === undefined) return false;
    best = p;
    left = s.slice(0, step + 1);
    return true;
  };
  const shorten = (): void => {
    for (let size = 32; size >= 1; size >>= 1) {
      for (let at = 0; at < left.length; ) if (!differs(best, [...left.slice(0, at), ...left.slice(at + size)])) at += size;
    }
  };
  shorten();
  for (let size = 32; size >= 1; size >>= 1) {
    for (let b = 0; b < best.blocks.length; b++) {
      for (let at = 0; at < best.blocks[b]!.length; ) {
        const blocks = best.blocks.map((block, i) => (i === b ? [...block.slice(0, at), ...block.slice(at + size)] : block));
        if (!differs({ ...best, blocks }, left)) at += size;
      }
    }
  }
  shorten();
  return { program: best, todo: left };
}

/** The program of a seed on both tiers; a difference is told with the smallest program that shows it. */
export function compare(seed: number, mode: Mode, blocks: number, count: number): Outcome {
  const program = generate(seed, mode, blocks);
  const todo = steps(seed, count);
  const outcome = run(program, mode, seed, todo);
  if (outcome.difference === undefined) return outcome;
  const small = shrink(program, mode, seed, todo.slice(0, outcome.step + 1));
  const lines = small.todo.map(({ happening, length }) => `${happening ? `${JSON.stringify(happening)}, ` : ''}run ${length}`);
  return { ...outcome, difference: `seed ${seed}, ${mode}-bit code:\n${run(small.program, mode, seed, small.todo).difference}\n${lines.join('\n')}\n${textOf(small.program)}` };
}
