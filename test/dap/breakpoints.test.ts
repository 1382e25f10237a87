/** Breakpoints: modes, columns, functions by pattern and world, conditions that are wrong, places that move or do not exist. */
import { lineWith, marked, Story } from './story';

interface Answer {
  breakpoints: { verified: boolean; line?: number; column?: number; message?: string; reason?: string }[];
}

describe('DAP: breakpoints', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  const set = async (command: string, args: object): Promise<void> => {
    const { breakpoints } = await story.client.request<Answer>(command, args);
    for (const b of breakpoints) story.tell(`${b.verified ? 'verified' : `not verified (${b.reason})`}${b.column ? ' with a column' : ''}${b.message ? `: ${b.message.replace(/ine \d+/g, 'ine N')}` : ''}`);
  };

  it('a mode chooses the world of a line that both kernels share', async () => {
    await story.launch({});
    const place = lineWith('lab/lib/e820.c', 'for (');
    await set('setBreakpoints', { source: place.source, breakpoints: [{ line: place.line, mode: 'guest' }] });
    await story.run();
    await set('setBreakpoints', { source: place.source, breakpoints: [{ line: place.line, mode: 'sideways' }] }).catch((error: Error) => story.tell(error.message));
    await set('setBreakpoints', { source: place.source, breakpoints: [{ line: place.line, mode: 'vmm' }] });
    await story.until('restart');
    story.expect('breakpoint-modes');
  });

  it('functions by pattern, world and symbol file', async () => {
    await story.launch({});
    await set('setFunctionBreakpoints', { breakpoints: [{ name: 'guest!kernel_main' }, { name: 'vmm!handle_r*', condition: '$vmcs.VM_EXIT_REASON == 31' }, { name: 'handle_cpiud' }, { name: 'nowhere!start' }, { name: 'zz_*' }] });
    await story.run();
    await story.until('continue');
    story.expect('breakpoint-functions');
  });

  it('tells where a breakpoint moved, why it cannot be, and what is wrong with its condition', async () => {
    await story.launch({});
    const place = marked('lab/vmm/vmexits.c', 'in handle_cpuid');
    await set('setBreakpoints', { source: place.source, breakpoints: [{ line: place.line - 1 }, { line: 100_000 }, { line: place.line, condition: 'leaf = = 1' }, { line: place.line, hitCondition: 'often' }] });
    await set('setBreakpoints', { source: { path: '/nowhere/strange.c' }, breakpoints: [{ line: 1 }] });
    story.expect('breakpoint-places');
  });

  it('columns: a `for` has code in three places', async () => {
    await story.launch({});
    const place = lineWith('lab/lib/e820.c', 'for (');
    const { breakpoints } = await story.client.request<{ breakpoints: { column?: number }[] }>('breakpointLocations', { source: place.source, line: place.line });
    story.tell(`columns: ${breakpoints.map((b) => b.column).join(' ')}`);
    await set('setBreakpoints', { source: place.source, breakpoints: [{ line: place.line, column: breakpoints.at(-1)!.column, mode: 'vmm' }] });
    await story.run();
    const [top] = await story.client.request<{ stackFrames: { column: number }[] }>('stackTrace', { threadId: 1 }).then((s) => s.stackFrames);
    story.tell(`stopped at column ${top!.column}`);
    story.expect('breakpoint-columns');
  });

  it('instruction breakpoints take conditions and counts; setting another breakpoint keeps the count', async () => {
    await story.launch({});
    const place = marked('lab/vmm/vmexits.c', 'in handle_io');
    await set('setBreakpoints', { source: place.source, breakpoints: [{ line: place.line, hitCondition: '== 2' }] });
    await story.breakAt({ ...marked('lab/vmm/vmexits.c', 'in handle_cpuid') });
    await set('setBreakpoints', { source: place.source, breakpoints: [{ line: place.line }] });
    await story.run();
    const [top] = await story.frames();
    const pc = top!.instructionPointerReference!;
    await set('setBreakpoints', { source: place.source, breakpoints: [] });
    await set('setInstructionBreakpoints', { breakpoints: [{ instructionReference: pc, hitCondition: '2' }] });
    await story.until('continue');
    story.expect('breakpoint-instructions');
  });
});
