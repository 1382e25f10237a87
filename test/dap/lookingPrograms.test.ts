/** Breakpoints of every sort, targets, frames that start again and expressions, in a program as gcc and clang compile it. */
import assert from 'node:assert';
import { BUILDS, launchBuilt, lineOf, SOURCE } from './builtPrograms';
import type { Client } from './client';

interface Frame {
  id: number;
  name: string;
  line: number;
}

for (const [compiler, optimisation] of BUILDS) {
  describe(`DAP: a program of ${compiler} ${optimisation}`, () => {
    let client: Client;

    launchBuilt(compiler, optimisation, (launched) => (client = launched));

    const run = async (): Promise<Record<string, unknown>> => {
      const stopped = client.next('stopped');
      await client.configured();
      return stopped;
    };
    const top = async (): Promise<Frame> => (await client.request<{ stackFrames: Frame[] }>('stackTrace', { threadId: 1 })).stackFrames[0]!;
    const evaluate = async (expression: string): Promise<string> => (await client.request<{ result: string }>('evaluate', { expression, context: 'watch', frameId: (await top()).id })).result;
    const breakAt = (...breakpoints: { line: number; logMessage?: string; condition?: string; hitCondition?: string }[]): Promise<unknown> => client.request('setBreakpoints', { source: { path: SOURCE }, breakpoints });

    it('function breakpoints with a condition over a parameter', async () => {
      await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 't?il', condition: 'x == 3' }] });
      await run();
      assert.strictEqual((await top()).name, 'tail');
      assert.strictEqual(await evaluate('x'), '3');
      assert.strictEqual(await evaluate('x * sizeof(int) + 1'), '13 (0xd)');
    });

    it('breakpoints on a function that is inlined wherever it is called', async () => {
      const { breakpoints } = await client.request<{ breakpoints: { verified: boolean; line: number }[] }>('setFunctionBreakpoints', { breakpoints: [{ name: 'twice' }] });
      assert.deepStrictEqual(breakpoints.map((b) => [b.verified, b.line]), [[true, lineOf('inlined everywhere')]]);
      // Other breakpoints leave it in place.
      await breakAt();
      await run();
      const { stackFrames } = await client.request<{ stackFrames: Frame[] }>('stackTrace', { threadId: 1 });
      assert.deepStrictEqual(stackFrames.slice(0, 2).map((f) => f.name), ['twice', 'work']);
      assert.strictEqual(stackFrames[1]!.line, lineOf('inlined call'));
    });

    it('conditions, hit counts and messages of lines', async () => {
      await breakAt({ line: lineOf('behind the tail call'), logMessage: 'sink is {sink}' }, { line: lineOf('behind the string'), hitCondition: '== 2' }, { line: lineOf('other task'), condition: 'sink == 77' });
      await run();
      assert.strictEqual((await top()).line, lineOf('behind the string'));
      assert.strictEqual(client.console.match(/sink is 6/g)?.length, 2);
    });

    it('data breakpoints on a variable, by value', async () => {
      const { dataId } = await client.request<{ dataId: string }>('dataBreakpointInfo', { name: 'sink' });
      await client.request('setDataBreakpoints', { breakpoints: [{ dataId, accessType: 'write', condition: 'sink == 8' }] });
      const stopped = await run();
      assert.strictEqual(stopped['reason'], 'data breakpoint');
      assert.strictEqual(await evaluate('sink'), '8');
    });

    it('a step into the call that is chosen, and its frame from the beginning', async () => {
      await breakAt({ line: lineOf('tail call') });
      await run();
      const { targets } = await client.request<{ targets: { id: number; label: string }[] }>('stepInTargets', { frameId: (await top()).id });
      await client.until('stepIn', { targetId: targets.find((t) => /\btail\b/.test(t.label))!.id });
      assert.strictEqual((await top()).name, 'tail');
      const { line } = await top();
      await breakAt();
      await client.until('next');
      if ((await top()).name !== 'tail') return;
      const stopped = client.next('stopped');
      await client.request('restartFrame', { frameId: (await top()).id });
      await stopped;
      assert.deepStrictEqual([(await top()).name, (await top()).line], ['tail', line]);
      assert.strictEqual(await evaluate('x'), '3');
    });

    it('a jump to another line', async () => {
      await breakAt({ line: lineOf('tail call') });
      await run();
      const { targets } = await client.request<{ targets: { id: number; line: number }[] }>('gotoTargets', { source: { path: SOURCE }, line: lineOf('behind the tail call') });
      const stopped = client.next('stopped');
      await client.request('goto', { threadId: 1, targetId: targets[0]!.id });
      await stopped;
      assert.strictEqual((await top()).line, lineOf('behind the tail call'));
      await client.until('next');
      assert.strictEqual(await evaluate('sink'), '2');
    });

    it('commands of the console', async () => {
      await breakAt({ line: lineOf('in tail') });
      await run();
      const say = async (expression: string): Promise<string> => (await client.request<{ result: string }>('evaluate', { expression, context: 'repl' })).result;
      assert.match(await say('bt'), /^#0 +tail at .*\n#1 +work at .*\n#2 +main at /);
      assert.match(await say('x/2i $eip'), /^=> 0x[0-9a-f]+ <tail(\+0x[0-9a-f]+)?>: {2}\S+/);
      assert.match(await say('info args'), /x += +3/);
      assert.match(await say('ptype factorial'), /^int ?\(int\)$/);
      assert.match(await say('info line factorial'), /factorial/);
    });
  });
}
