/** The stepping fixture, built by each compiler and optimisation: a machine without a compiler tests the others. */
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Client } from './client';

export const SOURCE = path.resolve(__dirname, '../fixtures/stepping/program.c');
const LINES = fs.readFileSync(SOURCE, 'utf8').split('\n');

/** The line (from 1) with a comment. */
export const lineOf = (comment: string): number => LINES.findIndex((line) => line.includes(`/* ${comment} */`)) + 1;

export const BUILDS = [['gcc', '-O0'], ['gcc', '-Og'], ['gcc', '-O2'], ['clang', '-O0'], ['clang', '-O2']] as const;

/** Builds it to `image`; false where there is no such compiler. */
function build(compiler: string, optimisation: string, image: string): boolean {
  const built = spawnSync(compiler, ['-m32', '-g', optimisation, '-ffreestanding', '-fno-pic', '-no-pie', '-static', '-nostdlib', '-fno-stack-protector', '-Wl,-Ttext=0x200000', '-Wl,--build-id=none', '-o', image, SOURCE], { encoding: 'utf8' });
  if (built.error) return false;
  assert.strictEqual(built.status, 0, built.stderr);
  return true;
}

/** Builds the fixture for the tests of a `describe`, which are skipped where there is no such compiler, and hands each test a client that has launched it. */
export function launchBuilt(compiler: string, optimisation: string, launched: (client: Client) => void): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-built-'));
  const image = path.join(folder, 'program');
  let client: Client | undefined;
  before(function () {
    if (!build(compiler, optimisation, image)) this.skip();
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    client = new Client();
    await client.launch({ boot: { multiboot: image }, symbols: [image], machine: { memory: '16M' } });
    launched(client);
  });
  afterEach(() => client?.end());
}
