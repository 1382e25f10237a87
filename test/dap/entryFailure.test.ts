/** The report of a VM entry that fails: Debug Console, exception information, marks in the Variables pane. */
import assert from 'node:assert';
import { lineWith, Story } from './story';

describe('DAP: a VM entry that fails', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  it('tells every failed check with its values and writers, and marks the fields to blame', async () => {
    await story.launch({});
    await story.client.request('setExceptionBreakpoints', { filters: ['entry-failure'] });
    await story.breakAt(lineWith('lab/vmm/vmentry.S', 'vmlaunch'));
    const stopped = story.client.next('stopped');
    await story.client.configured();
    await story.tellStop('run', await stopped);
    // The writer of one of them is the VMM, as far as the processor knows; the other was written by the debugger.
    await story.evaluate('$vmcs.GUEST_RFLAGS = 8', 'repl');
    await story.evaluate('$vmcs.GUEST_TR_ACCESS_RIGHTS = 0x89', 'repl');
    story.client.console = '';
    await story.until('continue');
    story.tell(`Debug Console:\n${story.client.console.trimEnd()}`);
    const { description } = await story.client.request<{ description: string }>('exceptionInfo', { threadId: 1 });
    assert(story.client.console.includes(description), 'the Debug Console says all that exceptionInfo does');
    await story.scope('VMCS');
    await story.scope('VMCS', { path: ['Guest state'], only: /RFLAGS|_TR_ACCESS|_CS_ACCESS/ });
    story.expect('entry-failure-report');
  });
});
