/** Files of Node. */
import fs from 'node:fs';
import { promisify } from 'node:util';
import { UserError } from '../../base/errors';
import type { FileSource } from '../../base/files';

const REASONS: Record<string, string> = { ENOENT: 'does not exist', EACCES: 'may not be read', EISDIR: 'is a folder, not a file', ENOTDIR: 'does not exist' };

async function attempt<T>(path: string, action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError('file', `${path} ${REASONS[code ?? ''] ?? `cannot be used (${(error as Error).message})`}: check the path, or build it.`);
  }
}

// Not of node:fs/promises, which takes each start some milliseconds.
const [stat, readFile, readdir, writeFile] = [promisify(fs.stat), promisify(fs.readFile), promisify(fs.readdir), promisify(fs.writeFile)];

export const nodeFiles: FileSource = {
  size: async (path) => (await attempt(path, stat(path))).size,
  modified: (path) => stat(path).then((s) => s.mtimeMs, () => undefined),
  read: (path) => attempt(path, readFile(path)),
  exists: (path) => stat(path).then((s) => s.isFile(), () => false),
  list: (path) => readdir(path).catch(() => []),
  write: (path, bytes) => attempt(path, writeFile(path, bytes)),
};
