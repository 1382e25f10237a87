/** Going back: by statement, by instruction, to the last stop; and forwards again, with the same outcome. */
import assert from 'node:assert';
import { lineWith, marked, Story } from './story';

describe('DAP: going back', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  const icount = (): unknown => story.client.events.filter((e) => e.event === 'hyperstep/state' && e.body['what'] === 'stopped').at(-1)!.body['icount'];

  it('by statement: the statements of a step forwards, in the other order; over calls, and out to the caller', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'r->rbx = build_memory_map(g);'));
    await story.run();
    await story.until('stepIn');
    const counts = [icount()];
    for (let i = 0; i < 5; i++) {
      await story.until('next');
      counts.push(icount());
    }
    for (let i = 4; i >= 0; i--) {
      await story.until('stepBack');
      assert.strictEqual(icount(), counts[i]);
    }
    // Out to the call, and to what stands before it.
    await story.until('stepBack');
    await story.until('stepBack');
    await story.scope('Locals', { only: /^r$/ });
    await story.until('next');
    story.expect('back-statements');
  });

  it('by instruction, in both worlds and over a VM exit', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmentry.S', 'call vmexit'));
    await story.run();
    for (let i = 0; i < 2; i++) await story.until('stepBack', { granularity: 'instruction' });
    for (let i = 0; i < 2; i++) await story.until('next', { granularity: 'instruction' });
    await story.breakAt(marked('lab/guest/processor.c', 'guest asks for VMX'));
    await story.client.request('setBreakpoints', { source: lineWith('lab/vmm/vmentry.S', 'call vmexit').source, breakpoints: [] });
    await story.until('continue');
    const start = icount();
    for (let i = 0; i < 3; i++) await story.until('next');
    for (let i = 0; i < 3; i++) await story.until('stepBack');
    assert.strictEqual(icount(), start);
    story.expect('back-instructions');
  });

  it('by instruction: the same instants as forwards, through calls, a wait and the handler of the interrupt that ends it', async () => {
    const { client } = story;
    await story.launch({});
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_hlt'));
    await story.run();
    const where = async (): Promise<string> => {
      const { stackFrames } = await client.request<{ stackFrames: { instructionPointerReference: string }[] }>('stackTrace', { threadId: 1, levels: 1 });
      return `${String(icount())} ${stackFrames[0]!.instructionPointerReference}`;
    };
    const forwards = [await where()];
    for (let i = 0; i < 14; i++) {
      await client.until('stepIn', { granularity: 'instruction' });
      forwards.push(await where());
    }
    for (let i = 13; i >= 0; i--) {
      await client.until('stepBack', { granularity: 'instruction' });
      assert.strictEqual(await where(), forwards[i]);
    }
  });

  it('to the previous exit, breakpoint and the beginning; forwards the same stops come again, and nothing is printed twice', async () => {
    const { client } = story;
    await story.launch({ breakOnExit: ['CPUID', 'VMCALL'] });
    await story.breakAt({ ...marked('lab/vmm/vmexits.c', 'in handle_io'), hitCondition: '== 2' });
    await story.run();
    const forwards = [icount()];
    for (let i = 0; i < 4; i++) {
      await story.until('continue');
      forwards.push(icount());
    }
    const printed = client.serial;
    story.tell('--- back ---');
    for (let i = 3; i >= 0; i--) {
      await story.until('reverseContinue');
      assert.strictEqual(icount(), forwards[i]);
    }
    await story.until('reverseContinue');
    story.tell('--- forwards ---');
    for (let i = 0; i <= 4; i++) {
      await story.until('continue');
      assert.strictEqual(icount(), forwards[i]);
    }
    assert.strictEqual(client.serial, printed);
    story.expect('back-to-stops');
  });

  it('a change of the user\'s holds from where it was made, and not before', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'if (leaf == 1)'));
    await story.run();
    await story.evaluate('leaf = 7', 'repl');
    await story.until('next');
    await story.until('stepBack');
    await story.evaluate('leaf');
    await story.until('stepBack');
    await story.until('next');
    await story.evaluate('leaf');
    story.expect('back-changes');
  });

  it('from a triple fault, to before it and to what led there; forwards it comes again', async () => {
    await story.launch({});
    await story.client.request('setExceptionBreakpoints', { filters: ['triple-fault'] });
    await story.breakAt(marked('lab/vmm/main.c', 'before the guest'));
    await story.run();
    await story.evaluate('$idtr_limit = 0', 'repl');
    // INT3, and a NOP before it.
    await story.evaluate('*(uint16_t *)$rip = 0xcc90', 'repl');
    const rip = async (): Promise<bigint> => BigInt((await story.frames())[0]!.instructionPointerReference!.split(':')[1]!);
    const nop = await rip();
    const descriptions: string[] = [];
    const go = async (command: string): Promise<bigint> => {
      descriptions.push(String((await story.client.until(command, { granularity: 'instruction' }))['description']));
      return (await rip()) - nop;
    };
    const places = [await go('continue'), await go('stepBack'), await go('stepBack'), await go('continue'), await go('stepBack')];
    assert.deepStrictEqual(places, [1n, 1n, 0n, 1n, 1n]);
    assert.deepStrictEqual(descriptions, ['Triple fault in the VMM', 'Step', 'Step', 'Triple fault in the VMM', 'Step']);
  });

  it('is refused without a history', async () => {
    await story.launch({ history: false, breakOnExit: ['CPUID'] });
    await story.run();
    await assert.rejects(story.client.request('stepBack', { threadId: 1 }), /No history is kept/);
  });
});
