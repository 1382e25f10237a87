/** Each virtual processor is a thread of the protocol; their numbers begin with 1. */
import { Activity } from '../cpu/engine/activity';
import { Offset } from '../cpu/state';
import type { Debugger } from '../debug/debugger';
import { UserError } from '../base/errors';

export const threadOf = (cpu: number): number => cpu + 1;

/** The processor of a thread; throws a UserError for a number that none has. Without a number, the processor in focus. */
export function processorOf(d: Debugger, thread: number | undefined): number {
  if (thread === undefined) return d.target.index;
  const cpu = thread - 1;
  if (!d.processors[cpu]) throw new UserError('thread', `There is no thread ${thread}: the machine has ${d.processors.length === 1 ? 'one processor, thread 1' : `${d.processors.length} processors, threads 1 to ${d.processors.length}`}.`);
  return cpu;
}

/** What a processor among several does while the machine stands still. */
function doing(d: Debugger, cpu: number): string {
  const { target } = d.processors[cpu]!;
  const activity = target.cpu.state.get32(Offset.ACTIVITY);
  if (activity === Activity.WAIT_FOR_SIPI) return ' (waits to be started)';
  const world = target.world === 'guest' ? 'guest' : '';
  return activity === Activity.HLT ? ` (${world && 'guest, '}halted)` : world && ` (${world})`;
}

export function threadsOf(d: Debugger): { id: number; name: string }[] {
  const several = d.processors.length > 1 && !d.run.running;
  return d.processors.map((_, cpu) => ({ id: threadOf(cpu), name: `CPU ${cpu}${several ? doing(d, cpu) : ''}` }));
}
