/**
 * Keeps what V8 compiled of a bundle between processes. Parsing and compiling take a fifth of a second of each start
 * otherwise, about half of it before the machine's first instruction.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire, wrap } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** Until then a process has not compiled what the next one wants. */
const WORTH_KEEPING_MS = 1000;
/** An adapter is often killed before it ends. */
const KEEP_AFTER_MS = 10_000;
/** CRC-32 of what follows. */
const CHECKSUM_SIZE = 4;
/** The newest that stay: of both bundles, and of some versions of Hyperstep and of V8. */
const MOST = 8;

type Environment = Readonly<Record<string, string | undefined>>;

/** Where programs keep what they can make again: the XDG Base Directory Specification's place, macOS' and Windows' own. */
export function cacheFolder(environment: Environment = process.env, platform: string = process.platform): string {
  const { XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = environment;
  if (platform === 'win32') return path.join(local ?? path.join(homedir(), 'AppData/Local'), 'hyperstep/cache');
  if (platform === 'darwin') return path.join(homedir(), 'Library/Caches/hyperstep');
  return path.join(xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(homedir(), '.cache'), 'hyperstep');
}

/** The cache of this version of a bundle for this version of V8, with its present flags. */
function cacheFile(bundle: string): string {
  const { mtimeMs, size } = statSync(bundle);
  const version = [cachedDataVersionTag(), Math.round(mtimeMs), size].map((n) => n.toString(36)).join('-');
  return path.join(cacheFolder(), `${path.basename(bundle)}-${version}`);
}

/** What is in the file behind its checksum: V8 looks at versions alone, and may never come back from damaged data. */
function read(file: string): Buffer | undefined {
  try {
    // What somebody else could have written is not executed.
    if (process.getuid && statSync(file).uid !== process.getuid()) return undefined;
    const content = readFileSync(file);
    const data = content.subarray(CHECKSUM_SIZE);
    return content.readUInt32LE() === crc32(data) ? data : undefined;
  } catch {
    return undefined;
  }
}

/** A cache that cannot be written is none; a half-written one is never seen. */
function write(file: string, data: Buffer): void {
  const folder = path.dirname(file);
  const unfinished = `${file}.${process.pid}`;
  try {
    for (const made of [path.dirname(folder), folder]) if (!existsSync(made)) mkdirSync(made, { mode: 0o700 });
    const checksum = Buffer.alloc(CHECKSUM_SIZE);
    checksum.writeUInt32LE(crc32(data));
    writeFileSync(unfinished, Buffer.concat([checksum, data]), { mode: 0o600 });
    renameSync(unfinished, file);
    const all = readdirSync(folder).map((name) => path.join(folder, name));
    const written = new Map(all.map((one) => [one, statSync(one).mtimeMs]));
    for (const old of all.sort((a, b) => written.get(b)! - written.get(a)!).slice(MOST)) rmSync(old);
  } catch {
    rmSync(unfinished, { force: true });
  }
}

/**
 * Runs a CommonJS bundle as `require` would, from V8's cache where there is one of it; else leaves one behind. V8's flags have
 * to be what they will be: V8 refuses what was compiled with others. NODE_DISABLE_COMPILE_CACHE is obeyed. A process that ends
 * within so many milliseconds leaves nothing behind. Node before 20.15 has no checksums, and no cache either.
 */
export function runBundle(bundle: string, worthKeeping = WORTH_KEEPING_MS): void {
  const require = createRequire(bundle);
  if (process.env.NODE_DISABLE_COMPILE_CACHE) return void require(bundle);
  const file = cacheFile(bundle);
  const cachedData = read(file);
  const script = new Script(wrap(readFileSync(bundle, 'utf8')), { filename: bundle, ...(cachedData && { cachedData }) });
  if (!cachedData || script.cachedDataRejected) {
    const started = performance.now();
    const damaged = existsSync(file);
    let kept = false;
    const keep = (): void => {
      if (kept || performance.now() - started < worthKeeping || (existsSync(file) && !damaged)) return;
      kept = true;
      write(file, script.createCachedData());
    };
    process.once('exit', keep);
    setTimeout(keep, KEEP_AFTER_MS).unref();
  }
  const module = { exports: {} };
  (script.runInThisContext() as (...names: unknown[]) => void).call(module.exports, module.exports, require, module, bundle, path.dirname(bundle));
}
