/**
 * Keeps what V8 compiled of a bundle between processes. Parsing and compiling take a fifth of a second of each start
 * otherwise, about half of it before the machine's first instruction.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire, wrap } from 'node:module';
import path from 'node:path';
import { Script } from 'node:vm';
import { codeFile, keepLater, keepsCode, readCode, writeCode } from './keptCode';

/**
 * Runs a CommonJS bundle as `require` would, from V8's cache where there is one of it; else leaves one behind. V8's flags have
 * to be what they will be: V8 refuses what was compiled with others. NODE_DISABLE_COMPILE_CACHE is obeyed. A process that ends
 * within so many milliseconds leaves nothing behind. Node before 20.15 has no checksums, and no cache either.
 */
export function runBundle(bundle: string, worthKeeping?: number): void {
  const require = createRequire(bundle);
  if (!keepsCode()) return void require(bundle);
  const { mtimeMs, size } = statSync(bundle);
  const file = codeFile(path.basename(bundle), Math.round(mtimeMs), size);
  const cachedData = readCode(file);
  const script = new Script(wrap(readFileSync(bundle, 'utf8')), { filename: bundle, ...(cachedData && { cachedData }) });
  if (!cachedData || script.cachedDataRejected) {
    const damaged = existsSync(file);
    keepLater(() => {
      // Another process may have been the first.
      if (damaged || !existsSync(file)) writeCode(file, script.createCachedData());
    }, worthKeeping);
  }
  const module = { exports: {} };
  (script.runInThisContext() as (...names: unknown[]) => void).call(module.exports, module.exports, require, module, bundle, path.dirname(bundle));
}
