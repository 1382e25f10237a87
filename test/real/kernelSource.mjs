// Tests of the kernel's own (tools/testing/selftests), taken from Debian's package of the kernel's source.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { needCommand, skip } from './lib/hyperstep.mjs';

const SOURCES = '/usr/src';

/** The archive of the newest installed source, or `given`; skips the script where there is none or a tool is absent. */
export function sourceArchive(given) {
  const installed = () => fs.readdirSync(SOURCES).filter((f) => /^linux-source-.*\.tar\.xz$/.test(f)).sort().map((f) => path.join(SOURCES, f)).pop();
  const archive = given ?? (fs.existsSync(SOURCES) ? installed() : undefined);
  if (!archive) skip(`there is no ${SOURCES}/linux-source-*.tar.xz; install Debian's linux-source`);
  needCommand('gcc', 'gcc');
  needCommand('xz', 'xz-utils');
  return archive;
}

/** These parts of the archive under `folder`: the folder of the source in it. */
export function extracted(archive, parts, folder) {
  const source = path.basename(archive, '.tar.xz');
  execFileSync('tar', ['xJf', archive, '-C', folder, ...parts.map((part) => `${source}/${part}`)]);
  return path.join(folder, source);
}

/** The libraries that a program loads, with their paths. */
export const librariesOf = (program) => [...execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/\/lib\S+/g)].map(([file]) => file);
