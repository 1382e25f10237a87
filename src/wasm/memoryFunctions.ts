/** Generated functions that work on a memory alone: compiled once, and instantiated for each memory that asks for them. */
import type { FunctionBuilder } from './function';
import { MAXIMUM_PAGES, ModuleBuilder } from './module';

/** Yields the functions for a memory, by name; each is built when the first memory asks. The same memory gets the same ones. */
export function memoryFunctions<T extends object>(functions: Readonly<Record<keyof T & string, () => FunctionBuilder>>): (memory: WebAssembly.Memory) => T {
  let compiled: WebAssembly.Module | undefined;
  const made = new WeakMap<WebAssembly.Memory, T>();
  const compile = (): WebAssembly.Module => {
    const module = new ModuleBuilder();
    module.importMemory(1, MAXIMUM_PAGES);
    for (const [name, build] of Object.entries<() => FunctionBuilder>(functions)) module.add(build(), name);
    return new WebAssembly.Module(module.encode());
  };
  return (memory) => {
    let own = made.get(memory);
    // An object of ours: V8 looks up each function of its own, which is a dictionary, at every call.
    if (!own) made.set(memory, (own = { ...(new WebAssembly.Instance((compiled ??= compile()), { env: { memory } }).exports as unknown as T) }));
    return own;
  };
}
