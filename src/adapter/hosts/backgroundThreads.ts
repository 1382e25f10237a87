/**
 * Lets the machine's thread go before V8's own, which compile hot code meanwhile. Where both of a laptop's processors have
 * something to do, the machine otherwise waits a tenth of its time for one. Linux alone gives each thread a priority of its own.
 */
import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Of 19 steps down. They still get a fifth of a processor that they share with the machine, and all of another one. */
const LESS = 5;

/** To be called before there are threads of libuv, which read files: `priority` of the threads there are but this one. */
export function yieldToMachine(priority = LESS): void {
  if (process.platform !== 'linux') return;
  try {
    // What the kernel calls a process here is a thread, and its first one has the process's number.
    for (const thread of readdirSync('/proc/self/task')) if (Number(thread) !== process.pid) setPriority(Number(thread), priority);
  } catch {
    // A sandbox without /proc, or a thread that has ended: everything works as well, a little slower.
  }
}
