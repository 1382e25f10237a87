/** Files of what V8 compiled, in the user's cache folder, for the processes to come: see keptBundle.ts and keptInterpreter.ts. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import { crc32 } from 'node:zlib';

/** Until then a process has not compiled what the next one wants. */
export const WORTH_KEEPING_MS = 1000;
/** An adapter is often killed before it ends. */
const KEEP_AFTER_MS = 10_000;
/** CRC-32 of what follows. */
const CHECKSUM_SIZE = 4;
/** The newest that stay: of both bundles and of the interpreter, for some versions of Hyperstep and of V8. */
const MOST = 12;

type Environment = Readonly<Record<string, string | undefined>>;

/** Where programs keep what they can make again: the XDG Base Directory Specification's place, macOS' and Windows' own. */
export function cacheFolder(environment: Environment = process.env, platform: string = process.platform): string {
  const { XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = environment;
  if (platform === 'win32') return path.join(local ?? path.join(homedir(), 'AppData/Local'), 'hyperstep/cache');
  if (platform === 'darwin') return path.join(homedir(), 'Library/Caches/hyperstep');
  return path.join(xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(homedir(), '.cache'), 'hyperstep');
}

/** What V8 compiled of something, for this version of V8 with its present flags; `version` are numbers that say which it is of. */
export function codeFile(name: string, ...version: readonly number[]): string {
  return path.join(cacheFolder(), [name, ...[cachedDataVersionTag(), ...version].map((n) => n.toString(36))].join('-'));
}

/** What is in the file behind its checksum: V8 looks at versions alone, and may never come back from damaged data. */
export function readCode(file: string): Buffer | undefined {
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

/** A file that cannot be written is none; a half-written one is never seen. */
export function writeCode(file: string, data: Uint8Array): void {
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

/** Has something kept once, when the process ends or has lasted long enough; not at all if it ends within so many milliseconds. */
export function keepLater(keep: () => void, worthKeeping = WORTH_KEEPING_MS): void {
  const started = performance.now();
  let kept = false;
  const once = (): void => {
    if (kept || performance.now() - started < worthKeeping) return;
    kept = true;
    keep();
  };
  process.once('exit', once);
  setTimeout(once, KEEP_AFTER_MS).unref();
}

/** Whether the user wants such files: Node's own variable says so. */
export const keepsCode = (): boolean => !process.env.NODE_DISABLE_COMPILE_CACHE;
