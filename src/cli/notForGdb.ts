/** Options of run that say when it ends, or write files about it: with GDB it ends when GDB says so. */
import type { RunOptions } from './runOptions';

interface Meaningless {
  readonly names: readonly string[];
  /** What they are called in a sentence. */
  readonly called: string;
  given(options: RunOptions): boolean;
}

const one = (name: string, given: (options: RunOptions) => boolean): Meaningless => ({ names: [name], called: name, given });

export const NOT_FOR_GDB: readonly Meaningless[] = [
  { names: ['--expect', '--type', '--expect-screen', '--press'], called: '--expect and --type', given: (o) => o.script.length > 0 },
  one('--fail-on', (o) => o.failOn.length > 0),
  one('--max-instructions', (o) => o.maxInstructions !== undefined),
  one('--timeout', (o) => o.timeout !== undefined),
  one('--exits', (o) => o.exits !== undefined),
  one('--stats', (o) => o.stats !== undefined),
  one('--summary', (o) => o.summary),
  one('--screen', (o) => o.screen),
  one('--screenshot', (o) => o.screenshot !== undefined),
];
