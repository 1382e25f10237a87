/** Stops at VM exits, and what they show. */
import { Story } from './story';

describe('DAP: VM exits', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  it('stops on CPUID inside the C handler, shows both worlds, steps line by line', async () => {
    await story.launch({ breakOnExit: ['CPUID'] });
    await story.run();
    await story.stack();
    await story.scope('Locals', { only: /^g$/ });
    await story.scope('VMCS', { path: ['Exit information'], only: /^(VM_EXIT_REASON|EXIT_QUALIFICATION|VM_EXIT_INSTRUCTION_LENGTH)$/ });
    await story.scope('VMCS', { path: ['Controls', 'SECONDARY_PROCESSOR_BASED_CONTROLS'], only: /EPT|unrestricted|VPID/i });
    await story.scope('VMCS', { path: ['Guest state'], only: /^GUEST_(CR0|CR4|CS_SELECTOR|CS_ACCESS_RIGHTS|ACTIVITY_STATE)$/ });
    await story.scope('Registers', { path: ['Control'], only: /^cr[04]$/ });
    await story.scope('Registers', { frame: 6, path: ['General'], only: /^r[abcd]x$/ });
    for (let i = 0; i < 3; i++) await story.until('next');
    await story.scope('Locals', { only: /^reason$/ });
    story.expect('cpuid-exit');
  });

  it('tells qualifications by their reason, registers in words, what is injected, and what the VMM has written since', async () => {
    await story.launch({});
    await story.client.request('setExceptionBreakpoints', { filters: ['exit:EPT_VIOLATION'] });
    await story.run();
    await story.scope('VMCS', { path: ['Exit information'], only: /QUAL|ADDRESS|INFO|ERROR/ });
    await story.scope('VMCS', { path: ['Exit information', 'EXIT_QUALIFICATION'] });
    await story.client.request('setExceptionBreakpoints', { filters: ['exit:IO_INSTRUCTION'] });
    await story.until('continue');
    await story.scope('VMCS', { path: ['Exit information', 'EXIT_QUALIFICATION'] });
    for (const field of ['VM_ENTRY_INTERRUPTION_INFO', 'IDT_VECTORING_INFO']) {
      await story.evaluate(`$vmcs.${field} = 0x80000b0e`, 'repl');
      await story.evaluate(`vmcs("${field}")`, 'repl');
    }
    await story.scope('Registers', { path: ['Segments', 'cs'] });
    await story.scope('Registers', { path: ['Segments', 'tr'] });
    for (const assignment of ['$dr7 = 0x000d0402', '$st0 = 0x4000c000000000000000', '$xmm3 = 0x3f8000004000000040400000c0800000', '$mxcsr = 0x1fa2', '$lstar = &handle_cpuid', '$pat = 0x0007040600070401']) await story.evaluate(assignment, 'repl');
    await story.scope('Registers', { path: ['Debug', 'dr7'], only: /^(G0|LE|RW0|LEN0)$/ });
    await story.scope('Registers', { path: ['Vector', 'xmm3'] });
    for (const register of ['$dr7', '$st0', '$xmm3', '$ymm3', '$mxcsr', '$lstar', '$pat', '$apic_base', '$eflags']) await story.evaluate(register);
    story.expect('exit-information');
  });

  it('stops at HOST_RIP itself when asked to', async () => {
    await story.launch({ breakOnExit: ['CPUID'], vmexit: { stopAt: 'exit' } });
    await story.run();
    story.expect('stop-at-exit');
  });

  it('stops only where the condition holds', async () => {
    await story.launch({});
    await story.client.request('setExceptionBreakpoints', { filters: [], filterOptions: [{ filterId: 'exit:IO_INSTRUCTION', condition: 'port == 0x71 && direction == "in"' }, { filterId: 'exit:VMCALL', condition: 'number == 2' }] });
    await story.run();
    await story.until('continue');
    story.expect('exit-conditions');
  });

  it('names the details when a condition speaks of another', async () => {
    await story.launch({});
    await story.client.request('setExceptionBreakpoints', { filters: [], filterOptions: [{ filterId: 'exit:CPUID', condition: 'laef == 1' }] });
    await story.run();
    story.tell(story.client.console);
    const { breakpoints } = await story.client.request<{ breakpoints: { verified: boolean; message?: string }[] }>('setExceptionBreakpoints', { filters: [], filterOptions: [{ filterId: 'exit:CPUID', condition: 'leaf ==' }] });
    story.tell(JSON.stringify(breakpoints));
    story.expect('exit-condition-wrong');
  });
});
