import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const MODULE = path.resolve(__dirname, '../../src/adapter/hosts/backgroundThreads.ts');

describe("V8's threads", () => {
  it('are less urgent than the one that runs the machine', function () {
    if (process.platform !== 'linux') this.skip(); // elsewhere a thread has no priority of its own, and nothing is done
    const program = `
      const fs = require('node:fs');
      const niceOf = (thread) => Number(fs.readFileSync('/proc/self/task/' + thread + '/stat', 'latin1').replace(/^.*\\) /s, '').split(' ')[16]);
      const all = () => fs.readdirSync('/proc/self/task').map((thread) => [Number(thread) === process.pid, niceOf(thread)]);
      const before = all();
      require(${JSON.stringify(MODULE)}).yieldToMachine(7);
      console.log(JSON.stringify({ before, after: all() }));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-r', 'tsx/cjs', '-e', program], { encoding: 'utf8', timeout: 20_000 });
    assert.equal(stderr, '');
    const { before, after } = JSON.parse(stdout) as Record<string, [boolean, number][]>;
    const own = before!.find(([isMain]) => isMain)![1];
    assert.ok(before!.length > 1);
    for (const [isMain, nice] of after!) assert.equal(nice, isMain ? own : 7);
  });
});
