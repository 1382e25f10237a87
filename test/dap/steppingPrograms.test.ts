/** Steps over recursion, inlined functions, tail calls, repeated strings and switches of stacks, as gcc and clang compile them. */
import assert from 'node:assert';
import { BUILDS, launchBuilt, lineOf, SOURCE } from './builtPrograms';
import type { Client } from './client';

interface Frame {
  id: number;
  name: string;
  line: number;
}

for (const [compiler, optimisation] of BUILDS) {
  describe(`DAP: stepping through ${compiler} ${optimisation}`, () => {
    let client: Client;
    launchBuilt(compiler, optimisation, (launched) => (client = launched));

    const frames = async (): Promise<Frame[]> => (await client.request<{ stackFrames: Frame[] }>('stackTrace', { threadId: 1 })).stackFrames;
    const top = async (): Promise<Frame> => (await frames())[0]!;
    const runTo = async (comment: string): Promise<void> => {
      await client.request('setBreakpoints', { source: { path: SOURCE }, breakpoints: [{ line: lineOf(comment) }] });
      const stopped = client.next('stopped');
      await client.configured();
      await stopped;
      assert.strictEqual((await top()).line, lineOf(comment));
      await client.request('setBreakpoints', { source: { path: SOURCE }, breakpoints: [] });
    };
    const depth = async (name: string): Promise<number> => (await frames()).filter((f) => f.name === name).length;

    it('over an inlined call, and back', async () => {
      await runTo('inlined call');
      assert.strictEqual((await top()).name, 'work');
      // gcc gives lines of the inlined body to code outside of it, as GDB shows too.
      const most = compiler === 'gcc' && optimisation !== '-O0' ? 5 : 1;
      for (let i = 0; (await top()).line !== lineOf('behind it') && i < most; i++) await client.until('next');
      assert.deepStrictEqual([(await top()).name, (await top()).line], ['work', lineOf('behind it')]);
      await client.until('stepBack');
      assert.notStrictEqual((await top()).line, lineOf('behind it'));
      await client.until('next');
    });

    it('to the line of an inlined call, into it and out', async () => {
      await runTo('before the inlined call');
      // The call's code may be scheduled in between the code of the line in front of it.
      for (let i = 0; i < 3 && (await top()).line !== lineOf('inlined call'); i++) await client.until('next');
      assert.deepStrictEqual([(await top()).name, (await top()).line], ['work', lineOf('inlined call')]);
      await client.until('stepIn');
      assert.deepStrictEqual((await frames()).slice(0, 2).map((f) => f.name), ['twice', 'work']);
      assert.strictEqual((await frames())[1]!.line, lineOf('inlined call'));
      await client.until('stepOut');
      assert.strictEqual((await top()).name, 'work');
    });

    it('over a tail call, and out of the function that makes it', async () => {
      await runTo('tail call');
      await client.until('next');
      assert.strictEqual((await top()).line, lineOf('behind the tail call'));
      await client.until('stepBack');
      assert.strictEqual((await top()).line, lineOf('tail call'));
      await client.until('stepIn');
      assert.strictEqual((await top()).name, 'tail');
      await client.until('stepOut');
      assert.strictEqual((await top()).name, 'work');
    });

    it('out of a call in the middle of a statement: into the next call of it, then behind it', async () => {
      await runTo('nested calls');
      const lines: number[] = [];
      while (lines.at(-1) !== lineOf('behind the nested calls') && lines.length < 6) {
        await client.until('stepIn');
        lines.push((await top()).line);
      }
      // With -O0 some compilers have the closing brace's line too.
      const inPlus = lineOf('in plus');
      assert.deepStrictEqual(lines.filter((line) => line !== inPlus + 1), [inPlus, inPlus, lineOf('behind the nested calls')]);
    });

    it('over a repeated string instruction in one step', async () => {
      await runTo('string');
      await client.until('next');
      assert.strictEqual((await top()).line, lineOf('behind the string'));
    });

    it('over a repeated string instruction by instruction: all of it is one step, forwards and back', async () => {
      await runTo('string');
      const at = async (): Promise<{ instruction: string; count: string }> => {
        const { instructionPointerReference: memoryReference } = (await client.request<{ stackFrames: { instructionPointerReference: string }[] }>('stackTrace', { threadId: 1 })).stackFrames[0]!;
        const { instructions } = await client.request<{ instructions: { instruction: string }[] }>('disassemble', { memoryReference, instructionCount: 1 });
        const { result } = await client.request<{ result: string }>('evaluate', { expression: '$ecx,d', context: 'watch' });
        return { instruction: instructions[0]!.instruction, count: result };
      };
      let here = await at();
      for (let i = 0; i < 20 && !here.instruction.startsWith('rep'); i++) {
        await client.until('stepIn', { granularity: 'instruction' });
        here = await at();
      }
      assert.deepStrictEqual([here.instruction.slice(0, 9), here.count], ['rep movsb', '64']);
      await client.until('stepIn', { granularity: 'instruction' });
      const behind = await at();
      assert(!behind.instruction.startsWith('rep'));
      assert.strictEqual(behind.count, '0');
      await client.until('stepBack', { granularity: 'instruction' });
      assert.deepStrictEqual(await at(), here);
    });

    it('over a switch of stacks: the other task runs until it switches back', async () => {
      await runTo('other task');
      const before = await frames();
      await client.until('next');
      assert.deepStrictEqual([(await top()).name, (await top()).line], ['work', lineOf('behind the other task')]);
      assert.strictEqual((await frames()).length, before.length);
    });

    it('over a switch of tasks by IRET', async () => {
      await runTo('task by IRET');
      await client.until('next');
      assert.deepStrictEqual([(await top()).name, (await top()).line], ['interrupts', lineOf('behind the task by IRET')]);
    });

    it('over a call that is left by longjmp, and out of the function that leaps', async () => {
      // The compiler may have the leap return to the condition, whose line begins anew.
      const landed = async (): Promise<void> => {
        const here = await top();
        assert.strictEqual(here.name, 'leaps');
        assert([lineOf('where the leap returns again'), lineOf('where the leap lands')].includes(here.line), `line ${here.line}`);
      };
      await runTo('the call that does not return');
      await client.until('next');
      await landed();
      await client.request('setBreakpoints', { source: { path: SOURCE }, breakpoints: [{ line: lineOf('the leap') }] });
      await client.until('restart');
      await client.request('setBreakpoints', { source: { path: SOURCE }, breakpoints: [] });
      assert.strictEqual((await top()).line, lineOf('the leap'));
      await client.until('next');
      await landed();
    });

    it('over a fault whose handler goes on behind it', async () => {
      await runTo('the mended fault');
      await client.until('next');
      assert.deepStrictEqual([(await top()).name, (await top()).line], ['mended', lineOf('behind the mended fault')]);
    });

    it('over a fault whose handler leaps to a caller', async () => {
      await runTo('the fault that leaps');
      await client.until('next');
      const here = await top();
      assert.strictEqual(here.name, 'faults');
      assert([lineOf('where the fault returns again'), lineOf('where the fault lands')].includes(here.line), `line ${here.line}`);
    });

    // Optimisers take such a loop apart.
    if (optimisation === '-O0') it('out of a function that a loop of nothing else calls: to its next call', async () => {
      await runTo('in the loop of one statement');
      for (let i = 0; i < 3 && (await top()).name === 'again'; i++) await client.until('next');
      assert.deepStrictEqual([(await top()).name, (await top()).line], ['main', lineOf('loop of one statement')]);
      assert.strictEqual((await client.request<{ result: string }>('evaluate', { expression: 'i', context: 'watch', frameId: (await top()).id })).result, '1');
    });

    it('through recursion: a step over stays in its call, a step out leaves one', async () => {
      await runTo('the recursion begins');
      await client.until('stepIn');
      assert.strictEqual(await depth('factorial'), 1);
      // With -O2 the recursion may have become a loop: then there is nothing to go into.
      await client.request('setBreakpoints', { source: { path: SOURCE }, breakpoints: [{ line: lineOf('recursion'), hitCondition: '== 2' }] });
      await client.until('continue');
      await client.request('setBreakpoints', { source: { path: SOURCE }, breakpoints: [] });
      const deep = await depth('factorial');
      for (let i = 0; i < 2; i++) {
        await client.until('next');
        assert((await depth('factorial')) <= deep);
      }
      if (deep < 2) return;
      const now = await depth('factorial');
      await client.until('stepOut');
      assert.strictEqual(await depth('factorial'), now - 1);
    });
  });
}
