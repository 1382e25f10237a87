/** The stepping fixture, built by each compiler and optimisation: a machine without a compiler tests the others. */
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export const SOURCE = path.resolve(__dirname, '../fixtures/stepping/program.c');
const LINES = fs.readFileSync(SOURCE, 'utf8').split('\n');

/** The line (from 1) with a comment. */
export const lineOf = (comment: string): number => LINES.findIndex((line) => line.includes(`/* ${comment} */`)) + 1;

export const BUILDS = [['gcc', '-O0'], ['gcc', '-Og'], ['gcc', '-O2'], ['clang', '-O0'], ['clang', '-O2']] as const;

/** Builds it to `image`; false where there is no such compiler. */
export function build(compiler: string, optimisation: string, image: string): boolean {
  const built = spawnSync(compiler, ['-m32', '-g', optimisation, '-ffreestanding', '-fno-pic', '-no-pie', '-static', '-nostdlib', '-fno-stack-protector', '-Wl,-Ttext=0x200000', '-Wl,--build-id=none', '-o', image, SOURCE], { encoding: 'utf8' });
  if (built.error) return false;
  assert.strictEqual(built.status, 0, built.stderr);
  return true;
}
