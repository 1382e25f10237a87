/** Filters of VM exits and other events: conditions over what they tell, ranges, counts, functions; what a filter that goes takes with it. */
import assert from 'node:assert';
import { marked, Story } from './story';

interface Answer {
  breakpoints: { verified: boolean; message?: string }[];
}

describe('DAP: filters of exits and events', () => {
  let story: Story;
  beforeEach(async () => {
    story = new Story();
  });
  afterEach(() => story.end());

  const filters = async (...filterOptions: { filterId: string; condition?: string }[]): Promise<void> => {
    const { breakpoints } = await story.client.request<Answer>('setExceptionBreakpoints', { filters: [], filterOptions });
    for (const b of breakpoints) if (!b.verified) story.tell(`refused: ${b.message}`);
  };
  it('conditions speak of directions, ranges, functions, MSRs by name, counts, and what the Watch pane knows', async () => {
    await story.launch({});
    await filters({ filterId: 'exit:EPT_VIOLATION', condition: 'gpa in 0xa0000..0xbffff && write' });
    await story.run();
    await filters({ filterId: 'exit:any', condition: 'msr == EFER && value == 0x100' });
    await story.client.request('restart');
    await story.client.next('stopped').then((stopped) => story.tellStop('restart', stopped));
    await filters({ filterId: 'exit:IO_INSTRUCTION', condition: 'port in 0x70..0x7f && in && hits == 2' });
    await story.until('continue');
    await filters({ filterId: 'exit:any', condition: 'function == "ipc_*" && $guest.rip == rip && $vmcs.VM_EXIT_REASON == reason' });
    await story.until('continue');
    await filters({ filterId: 'exit:VMCALL', condition: '3' });
    await story.until('continue');
    story.expect('filter-conditions');
  });

  it('other events: entries, changes of mode, loads of CR3, interrupts', async () => {
    await story.launch({});
    await filters({ filterId: 'event:mode' });
    await story.run();
    await story.until('continue');
    await filters({ filterId: 'event:entry', condition: 'launch' });
    await story.until('continue');
    await filters({ filterId: 'event:cr3' });
    await story.until('continue');
    await filters({ filterId: 'event:mode', condition: 'guest && to == "64-bit mode"' });
    await story.until('continue');
    await filters({ filterId: 'event:interrupt', condition: 'vmm && vector in 0x20..0x30' });
    await story.until('continue');
    await story.stack();
    await filters();
    await story.until('stepOut');
    story.expect('filter-events');
  });

  it('exceptions of either world by vector, and a triple fault of the guest', async () => {
    await story.launch({});
    const told = async (): Promise<void> => {
      const stopped = await story.client.until('continue');
      await story.tellStop('continue', stopped);
      story.tell(`  ${String(stopped['text']).replaceAll('\n', ' ')}`);
    };
    await filters({ filterId: 'event:guest-exception', condition: 'vector == GP && errorCode == 0' }, { filterId: 'event:vmm-exception', condition: '6' }, { filterId: 'exit:TRIPLE_FAULT', condition: 'reason == 2' });
    await story.breakAt(marked('lab/guest/processor.c', 'guest asks for VMX'));
    await story.run();
    await story.evaluate('$rip = 0xdead000000000000', 'repl');
    await told();
    await story.stack();
    await story.until('restart');
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_cpuid'));
    await story.until('continue');
    // UD2 in place of the next instruction.
    await story.evaluate('*(uint16_t *)$rip = 0x0b0f', 'repl');
    await told();
    await story.stack();
    await story.until('restart');
    await story.evaluate('$idtr_limit = 0', 'repl');
    await story.evaluate('$rip = 0xdead000000000000', 'repl');
    await told();
    story.expect('filter-exceptions');
  });

  it('function breakpoints named exit: and event: count hits', async () => {
    await story.launch({});
    const { breakpoints } = await story.client.request<Answer>('setFunctionBreakpoints', {
      breakpoints: [{ name: 'exit:IO_INSTRUCTION', condition: 'port == 0x71', hitCondition: '% 2' }, { name: 'event: entry if n == 3' }, { name: 'exit:CPUDI' }],
    });
    for (const b of breakpoints) story.tell(b.verified ? 'verified' : `refused: ${b.message}`);
    await story.run();
    await story.until('continue');
    story.expect('filter-functions');
  });

  it('prints messages in place of stops, by breakOnExit, filters and function breakpoints', async () => {
    await story.launch({ breakOnExit: [{ exit: 'CPUID', hitCount: '<= 3', log: 'CPUID {leaf}.{subleaf} ({leaf,d}, the {hits}.) in {function} at {$guest.rip} {$guest.eax,x} {nothing}' }, 'IO_INSTRUCTION if port == 0x71 && hits == 2 log: {in} {direction} {port} {port + 1} {gpa}', 'HLT'] });
    await filters({ filterId: 'exit:VMCALL', condition: 'number == 2 log: hypercall {number}, reason {$vmcs.VM_EXIT_REASON & 0xffff} of {name}' }, { filterId: 'event:entry', condition: 'log: entry {n} by {launch} in the {world}' }, { filterId: 'exit:RDMSR', condition: 'log: {leaf +}' }, { filterId: 'exit:WRMSR', condition: 'log:' }, { filterId: 'exit:RDTSC', condition: 'reason == 1 log text' });
    const { breakpoints } = await story.client.request<Answer>('setFunctionBreakpoints', { breakpoints: [{ name: 'exit: XSETBV log: never' }, { name: 'exit:EPT_VIOLATION', condition: 'log: {gpa} {access}', hitCondition: '1' }, { name: 'exit:CPUID log this' }] });
    for (const b of breakpoints) story.tell(b.verified ? 'verified' : `refused: ${b.message}`);
    await story.run();
    for (const line of new Set(story.client.console.split('\n'))) if (!/^entry ([3-9]|\d\d)/.test(line)) story.tell(line);
    story.expect('exit-logs');
  });

  it('messages come in order, and before the stop', async () => {
    await story.launch({ breakOnExit: ['any log: exit {n}', { exit: 'any', hitCount: '== 20' }] });
    await story.run(false);
    const numbers = [...story.client.console.matchAll(/^exit (\d+)$/gm)].map(([, n]) => Number(n));
    assert.deepStrictEqual(numbers, Array.from({ length: 20 }, (_, i) => i + 1));
    assert(story.client.console.indexOf('exit 20\n') < story.client.console.indexOf('VM exit 20'));
  });

  it('a log point of an exit whose condition cannot be computed stops once and says why', async () => {
    await story.launch({ breakOnExit: ['CPUID if port == 1 log: never'] });
    await story.run();
    assert.match(story.client.console, /The condition "port == 1" cannot be computed, so the machine stops: A CPUID exit has no "port"/);
  });

  it('unticking a filter takes what breakOnExit asked for with it', async () => {
    await story.launch({ breakOnExit: ['CPUID', 'VMCALL if number == 2'] });
    await filters();
    await story.run();
    await filters({ filterId: 'exit:CPUID' });
    await story.until('continue');
    await filters();
    await story.until('continue');
    story.expect('filter-unticked');
  });

  it('takes filters of reasons that have no row of their own', async () => {
    await story.launch({});
    const { breakpoints } = await story.client.request<Answer>('setExceptionBreakpoints', { filters: ['exit:XSETBV', 'exit:NONSENSE', 'triple-fault'] });
    assert.deepStrictEqual(breakpoints.map((b) => b.verified), [true, false, true]);
  });
});
