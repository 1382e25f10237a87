/**
 * Lets V8 optimise the interpreter without interrupting it meanwhile. Imported before the engine is made by what runs as a
 * process of its own: the command line and the debug adapter of the desktop. Web pages have no such switch.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * Bytes that jumps skip backward before V8 interrupts a WebAssembly function to consider optimising it: 1.8 million in V8 up
 * to 12, which the interpreter, a megabyte of code before it is optimised, uses up every few dozen instructions. With this
 * it is still considered within its first milliseconds, and a region after some ten thousand rounds.
 */
const BUDGET = 30_000_000;

setFlagsFromString(`--wasm-tiering-budget=${BUDGET}`);
