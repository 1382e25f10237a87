/** Breakpoints: modes, columns, functions by pattern and world, conditions that are wrong, places that move or do not exist. */
import assert from 'node:assert';
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

  it('a message behind a condition is printed by breakpoints of every kind', async () => {
    await story.launch({});
    const { source, line } = marked('lab/vmm/vmexits.c', 'in handle_cpuid');
    await story.client.request('setBreakpoints', { source, breakpoints: [{ line, condition: 'log: at the line' }] });
    await story.client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'handle_io if g->regs.rdx == 0x71 log: port {g->regs.rdx,x}' }, { name: 'handle_cpuid', condition: 'g->regs.rax == 1', hitCondition: '1' }] });
    await story.client.request('setDataBreakpoints', { breakpoints: [{ dataId: '$vmcs.GUEST_RIP', condition: 'log: {$vmcs.GUEST_RIP,x} written' }] });
    const stopped = story.client.next('stopped');
    await story.client.configured();
    await stopped;
    for (const printed of [/^port 0x71$/m, /^0x[0-9a-f]+ written$/m, /^at the line$/m]) assert.match(story.client.console, printed);
  });

  it('says at once what is wrong with a condition or message', async () => {
    await story.launch({});
    const { source, line } = marked('lab/vmm/vmexits.c', 'in handle_cpuid');
    type Answer = { breakpoints: { verified: boolean; message?: string }[] };
    const messages = ({ breakpoints }: Answer): (string | undefined)[] => breakpoints.map(({ verified, message }) => (verified ? undefined : message));
    assert.deepStrictEqual(messages(await story.client.request<Answer>('setBreakpoints', { source, breakpoints: [{ line, condition: 'leaf = 1' }, { line, logMessage: '{leaf +}' }, { line, condition: 'leaf == 1 log:' }, { line, logMessage: '{leaf}' }] })), [
      'A condition must not change the machine: compare with ==.',
      '{leaf +} of the log message cannot be read: The expression ends where a value should follow.',
      '"log:" needs a message behind it, as in "log: from {$guest.rip}".',
      undefined,
    ]);
    assert.deepStrictEqual(messages(await story.client.request<Answer>('setFunctionBreakpoints', { breakpoints: [{ name: 'CPUID' }, { name: 'exit:' }, { name: 'exit:CPUID if' }, { name: '*0x1000' }] })), [
      'No symbol file has a function CPUID: did you mean cpuid? The VM exit or event is "exit:CPUID".',
      'Behind the colon stands a VM exit or event, as in "exit:CPUID" and "event:cr3".',
      '"exit:CPUID if" cannot be read: a condition belongs behind "if", as in "CPUID if n > 10".',
      'An address is no function: breakpoints on instructions are set in the Disassembly view.',
    ]);
  });
});
