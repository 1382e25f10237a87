/** Commands of the Debug Console, as people know them from GDB and from Bochs' debugger. */
import assert from 'node:assert';
import { lineWith, marked, Story } from './story';

describe('DAP: commands of the Debug Console', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  const say = async (...lines: string[]): Promise<void> => {
    for (const line of lines) await story.console(line);
  };
  const atCpuid = async (): Promise<void> => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'uint32_t leaf = g->regs.rax;'));
    await story.run(false);
  };

  it('help lists functions and commands', async () => {
    await atCpuid();
    await say('help');
    story.expect('console-help');
  });

  it('GDB\'s words for looking: bt, info, x, p, ptype, disassemble', async () => {
    await atCpuid();
    await say('bt', 'bt 2', 'info registers rip rsp cs', 'info args', 'info locals', 'info frame', 'info line', 'info line handle_vmcall', 'info symbol handle_cpuid', 'info functions handle_*', 'info threads', 'info files');
    await say('p g->regs', 'p/x g->regs.rax', 'p *g', 'ptype g', 'ptype struct guest_regs', 'whatis g->regs.rax', 'set var g->regs.rax = 7', 'p g->regs.rax', 'print $vmcs.EXIT_REASON');
    await say('x/3i $rip', 'x/4xg g', 'x/2dw g', 'x/s "text"', 'x/8xb gpa:0x6040', 'x/2a $rsp', 'x/q 0', 'x/1xg 0x10');
    story.expect('console-gdb');
  });

  it('words of Bochs\' debugger: creg, sreg, page, info tab, print-stack', async () => {
    await atCpuid();
    await say('creg', 'sreg', 'dreg', 'page guest:$guest.rip', 'info tab', 'guest:pages()', 'print-stack 4', 'xp /4xw 0x7c00', 'u', 'r rax');
    story.expect('console-bochs');
  });

  it('tables that exceptions go by, of both worlds and of real mode', async () => {
    await atCpuid();
    await say('info idt', 'guest:idt()', 'info gdt', 'info tss');
    await story.breakAt(lineWith('lab/vmm/boot.S', '    cli'));
    await story.until('restart');
    await say('info gdt');
    const { result } = await story.client.request<{ result: string }>('evaluate', { expression: 'info idt', context: 'repl' });
    assert.match(result, /^Interrupt vectors of real mode of the VMM at vmm:0x0, limit 0xffff: 256 of 256/);
    assert.match(result, /\n +19 +0x13 +0xf000:/);
    story.expect('console-tables-of-exceptions');
  });

  it('steps and runs, and the client is told', async () => {
    await atCpuid();
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_hlt'));
    for (const word of ['next', 's', 'stepi', 'finish', 'reverse-step', 'c']) {
      const stopped = story.client.next('stopped');
      await story.client.request('evaluate', { expression: word, context: 'repl' });
      await story.tellStop(word, await stopped);
    }
    assert.strictEqual(story.client.events.filter((e) => e.event === 'continued').length, 6);
    story.expect('console-steps');
  });

  it('says what to do instead of a command that the editor has something better for', async () => {
    await atCpuid();
    await say('break handle_cpuid', 'b *0x1000', 'watch leaf', 'vmexitbp', 'display leaf', 'list', 'up', 'run', 'quit', 'info nothing', 'info breakpoints', 'inf registers', 'frobnicate 7');
    story.expect('console-elsewhere');
  });

  it('a variable that is called like a command is meant by its name', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/lib/printf.c', 'digits[n++] = "0123456789abcdef"[value % base];'));
    await story.run();
    // `n` is a variable here, `s` is not.
    await say('n', 'n + 1', 'n == 0', 'p n', 'p/x value');
    story.expect('console-names');
  });
});
