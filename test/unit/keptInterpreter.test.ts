import { strict as assert } from 'node:assert';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { canKeepInterpreter } from '../../src/adapter/hosts/keptInterpreter';

const ROOT = path.resolve(__dirname, '../..');

/**
 * Compiles a module whose function counts down from its argument and returns `result`, prints whether V8 has it optimised
 * from the start, has it optimised (or not), and prints what it returns.
 */
const program = (result: number, optimise: boolean): string => `
const { compileKept, isOptimised } = require('./src/adapter/hosts/keptInterpreter');
const { FunctionBuilder } = require('./src/wasm/function');
const { ModuleBuilder } = require('./src/wasm/module');
const f = new FunctionBuilder(['i32'], ['i32']);
const again = f.loop();
f.get(0).i32(-1).op(0x6a).tee(0).branchIf(again); // i32.add
f.end();
f.i32(${result});
const module = new ModuleBuilder();
module.add(f, 'run');
const kept = compileKept(module.encode(), 0);
const { run } = new WebAssembly.Instance(kept.module).exports;
kept.connected(run);
const before = isOptimised(run);
const end = Date.now() + 10_000;
while (${optimise} && !isOptimised(run) && Date.now() < end) run(1_000_000);
console.log(before, run(3));
`;

describe("V8's optimised code of the interpreter", () => {
  // Skipped where XDG_CACHE_HOME does not count: it would be written to the user's own cache.
  before(function () {
    if (process.platform !== 'linux' || !canKeepInterpreter()) this.skip();
  });

  let folder: string;
  beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-cache-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const start = (words: readonly string[], environment: Readonly<Record<string, string>>): SpawnSyncReturns<string> => {
    const env = { ...process.env, XDG_CACHE_HOME: folder, NODE_DISABLE_COMPILE_CACHE: '', ...environment };
    return spawnSync(process.execPath, ['-r', 'tsx/cjs', ...words], { cwd: ROOT, encoding: 'utf8', timeout: 60_000, env });
  };
  const run = (result: number, environment: Readonly<Record<string, string>> = {}, optimise = true): string => {
    const { stdout, stderr, status } = start(['-e', program(result, optimise)], environment);
    assert.equal(stderr, '');
    assert.equal(status, 0);
    return stdout;
  };
  const kept = (): string[] => (existsSync(path.join(folder, 'hyperstep')) ? readdirSync(path.join(folder, 'hyperstep')) : []);

  it("is left by a process that has it, for its user alone, and is the next one's from its start", () => {
    assert.equal(run(42), 'false 42\n');
    const [name, ...others] = kept();
    assert.deepEqual(others, []);
    const file = path.join(folder, 'hyperstep', name!);
    const { mode, mtimeMs } = statSync(file);
    assert.equal(mode & 0o777, 0o600);
    assert.equal(run(42), 'true 42\n');
    assert.deepEqual(kept(), [name]);
    assert.equal(statSync(file).mtimeMs, mtimeMs, 'written again');
  });

  it('is not left while V8 has not optimised it', () => {
    assert.equal(run(42, {}, false), 'false 42\n');
    assert.deepEqual(kept(), []);
  });

  it('is made anew where it is damaged, or is not what V8 understands', () => {
    run(42);
    const file = path.join(folder, 'hyperstep', kept()[0]!);
    const good = readFileSync(file);
    const flipped = Buffer.from(good);
    flipped[good.length >> 1]! ^= 1;
    // The CRC-32 of nothing is 0: right, and no code.
    for (const bad of [good.subarray(0, good.length >> 1), flipped, Buffer.alloc(4)]) {
      writeFileSync(file, bad);
      assert.equal(run(42), 'false 42\n');
      assert.equal(readFileSync(file).length, good.length);
    }
  });

  it('is of one interpreter, and of one set of flags', () => {
    run(42);
    assert.equal(run(43), 'false 43\n');
    assert.equal(kept().length, 2);
    assert.equal(run(43, { NODE_OPTIONS: '--stack-trace-limit=20' }), 'false 43\n');
    assert.equal(kept().length, 3);
  });

  it('is left by the command line, unless the user wants nothing kept', () => {
    const image = path.join(folder, 'loop.img');
    const sector = Buffer.alloc(512);
    sector.set([0xeb, 0xfe]); // jmp $
    sector.writeUInt16LE(0xaa55, 510);
    writeFileSync(image, sector);
    const commandLine = ['src/cli/main.ts', 'run', '--disk', image, '--memory', '16M', '--no-translator', '--timeout'];
    for (const none of ['1', '']) {
      assert.equal(start([...commandLine, none ? '2' : '6'], { NODE_DISABLE_COMPILE_CACHE: none }).status, 3);
      assert.deepEqual(kept().map((name) => name.replace(/-.*/, '')), none ? [] : ['interpreter']);
    }
  });

  it('is kept in the versions of V8 that this was tried with, and in Node alone', () => {
    assert.ok(canKeepInterpreter({ v8: '11.3.244.8-node.33' }));
    assert.ok(canKeepInterpreter({ v8: '13.6.233.17-node.53' }));
    assert.ok(!canKeepInterpreter({ v8: '14.2.1' }));
    assert.ok(!canKeepInterpreter({ v8: '13.6.1', electron: '37.2.3' }));
    assert.ok(!canKeepInterpreter({}));
  });
});
