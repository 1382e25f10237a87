import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { cacheFolder } from '../../src/adapter/hosts/keptCode';

const KEPT_BUNDLE = path.resolve(__dirname, '../../src/adapter/hosts/keptBundle.ts');

describe("V8's cache of the bundles' code", () => {
  // Tests that write are skipped where XDG_CACHE_HOME does not count: they would write to the user's own cache.
  let folder: string;
  let bundle: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-cache-'));
    bundle = path.join(folder, 'some.js');
    writeFileSync(bundle, 'exports.done = () => path.basename(__filename);\nconst path = require("node:path");\nconsole.log(exports.done(), require("./other").word);\n');
    writeFileSync(path.join(folder, 'other.js'), 'exports.word = "beside it";\n');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (worthKeeping = 0, environment: Record<string, string> = {}): string => {
    const program = `require(${JSON.stringify(KEPT_BUNDLE)}).runBundle(${JSON.stringify(bundle)}, ${worthKeeping});`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-r', 'tsx/cjs', '-e', program], { encoding: 'utf8', timeout: 20_000, env: { ...process.env, XDG_CACHE_HOME: folder, NODE_DISABLE_COMPILE_CACHE: '', ...environment } });
    assert.equal(stderr, '');
    return stdout;
  };
  const cached = (): string[] => (existsSync(path.join(folder, 'hyperstep')) ? readdirSync(path.join(folder, 'hyperstep')) : []);

  it('is left by a process, for its user alone, and taken by the next', function () {
    if (process.platform !== 'linux') this.skip();
    assert.equal(run(), 'some.js beside it\n');
    const [name, ...others] = cached();
    assert.deepEqual(others, []);
    const file = path.join(folder, 'hyperstep', name!);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const { mtimeMs } = statSync(file);
    assert.equal(run(), 'some.js beside it\n');
    assert.deepEqual(cached(), [name]);
    assert.equal(statSync(file).mtimeMs, mtimeMs, 'written again');
  });

  it('is made anew where it is damaged, and another one where the bundle or the flags of V8 changed', function () {
    if (process.platform !== 'linux') this.skip();
    run();
    const file = path.join(folder, 'hyperstep', cached()[0]!);
    const good = readFileSync(file);
    const flipped = Buffer.from(good);
    flipped[good.length >> 1]! ^= 1;
    for (const bad of [good.subarray(0, good.length >> 1), good.subarray(0, 3), flipped]) {
      writeFileSync(file, bad);
      assert.equal(run(), 'some.js beside it\n');
      assert.equal(readFileSync(file).length, good.length);
    }
    writeFileSync(bundle, 'console.log("changed");\n');
    assert.equal(run(), 'changed\n');
    assert.equal(cached().length, 2);
    run(0, { NODE_OPTIONS: '--stack-trace-limit=20' });
    assert.equal(cached().length, 3);
  });

  it('is not left by short processes, nor where the user wants none or nothing can be written', function () {
    if (process.platform !== 'linux') this.skip();
    assert.equal(run(60_000), 'some.js beside it\n');
    assert.equal(run(0, { NODE_DISABLE_COMPILE_CACHE: '1' }), 'some.js beside it\n');
    assert.equal(run(0, { XDG_CACHE_HOME: '/proc/none' }), 'some.js beside it\n');
    assert.deepEqual(cached(), []);
  });

  it('does not stay for versions that nobody uses any more', function () {
    if (process.platform !== 'linux') this.skip();
    run();
    const first = cached()[0]!;
    const minutes = (n: number): number => Date.now() / 1000 - n * 60;
    for (let i = 0; i < 13; i++) {
      const older = path.join(folder, 'hyperstep', `some.js-older-${i}`);
      writeFileSync(older, '');
      utimesSync(older, minutes(i + 1), minutes(i + 1));
    }
    writeFileSync(bundle, 'console.log("another version");\n');
    run();
    assert.equal(cached().length, 12);
    assert.ok(cached().includes(first));
    assert.ok(!cached().includes('some.js-older-11'));
  });

  it("is where the operating system's programs keep such things", () => {
    assert.equal(cacheFolder({ XDG_CACHE_HOME: '/elsewhere' }, 'linux'), '/elsewhere/hyperstep');
    assert.equal(cacheFolder({ XDG_CACHE_HOME: 'not/absolute' }, 'linux'), path.join(homedir(), '.cache/hyperstep'));
    assert.equal(cacheFolder({}, 'darwin'), path.join(homedir(), 'Library/Caches/hyperstep'));
    assert.equal(cacheFolder({ LOCALAPPDATA: '/local' }, 'win32'), path.join('/local', 'hyperstep/cache'));
  });
});
