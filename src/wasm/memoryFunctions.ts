/** Generated functions that work on a memory alone: compiled once, and instantiated for each memory that asks for them. */
import type { FunctionBuilder } from './function';
import { MAXIMUM_PAGES, ModuleBuilder } from './module';

/** Yields the functions for a memory, by name. The same memory gets the same ones. */
export interface MemoryFunctions<T> {
  (memory: WebAssembly.Memory): T;
  /** The module of which they are, generated anew: for the build. */
  bytes(): Uint8Array<ArrayBuffer>;
}

/** Builds a function; `indexOf` yields the index of another one of the module, for calls. */
type Build<T> = (indexOf: (name: keyof T & string) => number) => FunctionBuilder;

/** Functions by name, each built when the first memory asks; `prebuilt` are the bytes of their module where they were generated before. */
export function memoryFunctions<T extends object>(functions: Readonly<Record<keyof T & string, Build<T>>>, prebuilt?: Uint8Array<ArrayBuffer>): MemoryFunctions<T> {
  let compiled: WebAssembly.Module | undefined;
  const made = new WeakMap<WebAssembly.Memory, T>();
  const bytes = (): Uint8Array<ArrayBuffer> => {
    const module = new ModuleBuilder();
    module.importMemory(1, MAXIMUM_PAGES);
    const names = Object.keys(functions); // nothing but the memory is imported: the first function has index 0
    for (const [name, build] of Object.entries<Build<T>>(functions)) module.add(build((other) => names.indexOf(other)), name);
    return module.encode();
  };
  const forMemory = (memory: WebAssembly.Memory): T => {
    let own = made.get(memory);
    compiled ??= new WebAssembly.Module(prebuilt ?? bytes());
    // An object of ours: V8 looks up each function of its own, which is a dictionary, at every call.
    if (!own) made.set(memory, (own = { ...(new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as T) }));
    return own;
  };
  return Object.assign(forMemory, { bytes });
}
