/**
 * Keeps what V8 optimised of the interpreter between processes. V8 needs a second of a thread for it in each process otherwise,
 * in which the machine runs at a third of its speed: half of a short run.
 *
 * Browsers keep optimised WebAssembly themselves; Node has no interface for it. V8 has functions for its own tests, which
 * JavaScript may call while a flag is set. They end the process where they are used wrongly: hence they are called in versions
 * of V8 that this was tried with, and in nothing but Node.
 */
import { setFlagsFromString } from 'node:v8';
import { crc32 } from 'node:zlib';
import { type CompiledInterpreter, compileInterpreterWith } from '../../cpu/engine/engine';
import { codeFile, keepLater, keepsCode, readCode, writeCode } from './keptCode';

/** Major versions of V8: those of Node 20, 22 and 24. */
const TRIED = [11, 12, 13];

/** So much more has to be optimised that what is kept is written again. */
const WORTH_WRITING = 1.1;

/** Whether this process can keep the interpreter's code. `versions` are process.versions. */
export function canKeepInterpreter(versions: Readonly<Record<string, string | undefined>> = process.versions): boolean {
  return versions.electron === undefined && TRIED.includes(parseInt(versions.v8 ?? ''));
}

/** Calls one of V8's own functions. The flag is part of what kept code has to agree with, so it is set for the call alone. */
function intrinsic<T>(name: string, ...values: unknown[]): T {
  const names = values.map((_, i) => `v${i}`);
  setFlagsFromString('--allow-natives-syntax');
  try {
    return (new Function(...names, `return %${name}(${names.join()})`) as (...values: unknown[]) => T)(...values);
  } finally {
    setFlagsFromString('--no-allow-natives-syntax');
  }
}

/** The module with the code that an earlier process has left, as far as V8 takes it. */
function take(bytes: Uint8Array<ArrayBuffer>, kept: Buffer | undefined): WebAssembly.Module | undefined {
  try {
    return kept && intrinsic<WebAssembly.Module | undefined>('DeserializeWasmModule', Uint8Array.from(kept).buffer, bytes);
  } catch {
    return undefined;
  }
}

/** Whether V8 has optimised an exported function of a module. */
export const isOptimised = (run: (cpu: number) => number): boolean => intrinsic('IsTurboFanFunction', run);

/** The code to be kept, or undefined while the function that matters is not optimised: V8 refuses a module without optimised code by ending the process. */
function optimised(module: WebAssembly.Module, run: (cpu: number) => number): Uint8Array | undefined {
  try {
    return isOptimised(run) ? new Uint8Array(intrinsic<ArrayBuffer>('SerializeWasmModule', module)) : undefined;
  } catch {
    return undefined;
  }
}

/** Compiles the interpreter, with the code of an earlier process where there is some; else leaves some behind. */
export function compileKept(bytes: Uint8Array<ArrayBuffer>, worthKeeping?: number): CompiledInterpreter {
  const file = codeFile('interpreter', crc32(bytes), bytes.length);
  const kept = readCode(file);
  const taken = take(bytes, kept);
  const module = taken ?? new WebAssembly.Module(bytes);
  let known = false;
  return {
    module,
    connected(run) {
      if (known) return;
      known = true;
      keepLater(() => {
        const code = optimised(module, run);
        if (code && code.length > (taken ? kept!.length * WORTH_WRITING : 0)) writeCode(file, code);
      }, worthKeeping);
    },
  };
}

if (keepsCode() && canKeepInterpreter()) compileInterpreterWith(compileKept);
