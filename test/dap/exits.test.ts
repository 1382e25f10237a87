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
