/** Choosing where to step into, going on elsewhere, starting a frame again. */
import { lineWith, marked, Story } from './story';

describe('DAP: targets', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  const targets = async (): Promise<{ id: number; label: string }[]> => {
    const frameId = (await story.frames())[0]!.id;
    const answer = await story.client.request<{ targets: { id: number; label: string }[] }>('stepInTargets', { frameId });
    story.tell(`into: ${answer.targets.map((t) => t.label).join(', ')}`);
    return answer.targets;
  };

  it('steps into the call of a line that was chosen', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/guest/main.c', 'CMOS reports'));
    await story.run();
    const calls = await targets();
    await story.until('stepIn', { targetId: calls.at(-1)!.id });
    await story.until('stepOut');
    story.expect('step-into-target');
  });

  it('offers the guest where VMLAUNCH and VMRESUME are', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmentry.S', 'vmlaunch'));
    await story.run();
    const [guest] = await targets();
    await story.until('stepIn', { targetId: guest!.id });
    await story.breakAt(lineWith('lab/vmm/vmentry.S', 'vmresume'));
    await story.until('continue');
    const [again] = await targets();
    await story.until('stepIn', { targetId: again!.id });
    story.expect('step-into-guest');
  });

  it('runs to the cursor, in either world, as editors do it: by a breakpoint that is taken away at the next stop', async () => {
    await story.launch({});
    const start = lineWith('lab/guest/main.c', 'CMOS reports');
    const kept = lineWith('lab/vmm/vmexits.c', 'if (leaf == 1)');
    await story.breakAt(start, kept);
    await story.run();
    const runTo = async (cursor: { source: { path: string }; line: number }): Promise<void> => {
      const besides = [start, kept].filter(({ source }) => source.path === cursor.source.path);
      await story.breakAt(...besides, cursor);
      await story.until('continue');
      await story.client.request('setBreakpoints', { source: cursor.source, breakpoints: besides.map(({ line }) => ({ line })) });
    };
    await runTo(marked('lab/guest/processor.c', 'guest asks for VMX'));
    story.tell('to a line in front of which another breakpoint stops, and on to it');
    await runTo(lineWith('lab/vmm/vmexits.c', 'g->regs.rbx = ebx;'));
    await runTo(lineWith('lab/vmm/vmexits.c', 'g->regs.rcx = ecx;'));
    story.expect('run-to-cursor');
  });

  it('jumps to a line, and refuses the other world', async () => {
    await story.launch({});
    const from = lineWith('lab/vmm/vmexits.c', 'if (leaf == 1)');
    await story.breakAt(from);
    await story.run();
    const goto = async (place: { source: { path: string }; line: number }): Promise<void> => {
      const { targets } = await story.client.request<{ targets: { id: number; label: string }[] }>('gotoTargets', place);
      story.tell(`jump to: ${targets.map((t) => t.label.replace(/\d+/g, 'N')).join('; ') || 'nowhere'}`);
      if (targets[0]) await story.until('goto', { targetId: targets[0].id });
    };
    await goto(marked('lab/guest/processor.c', 'guest asks for VMX'));
    await goto(lineWith('lab/vmm/vmexits.c', 'g->regs.rbx = ebx;'));
    await story.until('next');
    story.expect('goto');
  });

  it('starts a frame again, with memory and registers as they were', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'g->regs.rbx = ebx;'));
    await story.run();
    await story.evaluate('g->regs.rax');
    await story.until('restartFrame', { frameId: (await story.frames())[0]!.id });
    await story.evaluate('g->regs.rax');
    await story.until('continue');
    await story.until('restartFrame', { frameId: (await story.frames())[1]!.id });
    story.expect('restart-frame');
  });
});
