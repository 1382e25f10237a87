/**
 * What V8 is told, so that it optimises the interpreter without interrupting it, then or later, and collects garbage without waiting.
 * Imported before the engine is made by what runs as a process of its own: the command line and the debug adapter of the
 * desktop. Web pages have no such switches.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * Bytes that jumps skip backward before V8 interrupts a WebAssembly function to consider optimising it: 1.8 million in V8 up
 * to 12, which the interpreter, a megabyte of code before it is optimised, uses up every few dozen instructions. With this
 * it is still considered within its first milliseconds, and a region after some ten thousand rounds.
 */
const TIERING_BUDGET = 30_000_000;

/**
 * By how much the space for new objects grows each time that it was too small, up to 16 MiB. A machine that starts makes a
 * hundred megabytes of objects that die at once: the larger the space, the fewer of them are still alive when it is full.
 */
const GROWTH = 4;

for (const flag of [
  `--wasm-tiering-budget=${TIERING_BUDGET}`,
  `--semi-space-growth-factor=${GROWTH}`,
  // New objects are collected in half a millisecond, and V8's threads, which would help, are busy compiling for longer than that.
  '--no-parallel-scavenge',
  // A check of the stack in a loop is a call, around which V8 spills what the loop keeps in registers: a tenth of the time of
  // the interpreter. Without it nothing interrupts generated code; that returns by itself, because each slice has a budget, and
  // it never calls itself: what it calls are a few functions and TypeScript, which checks the stack for both.
  '--no-wasm-stack-checks',
]) {
  setFlagsFromString(flag);
}
