/** Steps through C and assembly of both worlds, over and into the guest. */
import { lineWith, marked, Story } from './story';

describe('DAP: stepping', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  it('steps over VMLAUNCH and VMRESUME: the guest runs until its next exit', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmentry.S', 'vmlaunch'));
    await story.run();
    await story.until('next');
    await story.breakAt(lineWith('lab/vmm/vmentry.S', 'vmresume'));
    await story.until('continue');
    await story.until('next');
    await story.stack();
    story.expect('step-over-entry');
  });

  it('steps into VMLAUNCH: the guest\'s first instruction', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmentry.S', 'vmlaunch'));
    await story.run();
    await story.until('stepIn');
    await story.stack();
    await story.until('stepIn', { granularity: 'instruction' });
    await story.until('next', { granularity: 'instruction' });
    await story.until('stepOut');
    story.expect('step-into-entry');
  });

  it('steps through the guest\'s C: exits that the VMM handles are part of a step', async () => {
    await story.launch({});
    await story.breakAt(marked('lab/guest/processor.c', 'guest asks for VMX'));
    await story.run();
    await story.stack();
    await story.until('next');
    await story.scope('Locals', { only: /^eax$/ });
    await story.until('next');
    await story.until('stepIn');
    await story.until('stepOut');
    await story.stack();
    story.expect('step-guest');
  });

  it('steps into, over and out of functions', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'r->rbx = build_memory_map(g);'));
    await story.run();
    await story.until('stepIn');
    await story.until('next');
    await story.until('next');
    await story.scope('Locals', { only: /^mb$/ });
    for (let i = 0; i < 3; i++) await story.until('next');
    await story.until('stepIn');
    await story.stack();
    await story.until('stepOut');
    await story.until('stepOut');
    await story.until('next');
    await story.scope('Locals', { path: ['g', 'regs'], only: /^r[ab]x$/ });
    // Over the closing brace into the caller.
    for (let i = 0; i < 5; i++) await story.until('next');
    story.expect('step-functions');
  });

  it('steps by instruction through a call', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmentry.S', 'call vmexit'));
    await story.run();
    await story.until('next', { granularity: 'instruction' });
    await story.until('continue');
    await story.until('stepIn', { granularity: 'instruction' });
    await story.stack();
    await story.until('stepOut');
    story.expect('step-instructions');
  });

  it('steps from the boot sector\'s first instruction: real mode, protected mode, the kernel\'s entry, long mode, C', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/boot.S', '    cli'));
    await story.run();
    await story.stack();
    await story.evaluate('$cr0');
    // Over the calls of real mode and a call of the BIOS.
    for (let i = 0; i < 4; i++) await story.until('next');
    await story.breakAt(lineWith('lab/vmm/boot.S', 'int $0x15'));
    await story.until('continue');
    await story.until('next');
    await story.breakAt(lineWith('lab/vmm/boot.S', 'orb $1, %al'));
    await story.until('continue');
    for (let i = 0; i < 4; i++) await story.until('next');
    await story.evaluate('$cr0');
    await story.evaluate('$cs');
    await story.breakAt(lineWith('lab/vmm/boot.S', 'call read_sector'));
    await story.until('continue');
    await story.until('stepIn');
    await story.stack();
    await story.until('stepOut');
    await story.breakAt(lineWith('lab/vmm/boot.S', 'jmp *(BOOT_SCRATCH + 24)'));
    await story.until('continue');
    // The kernel's entry is another symbol file's.
    for (let i = 0; i < 3; i++) await story.until('stepIn');
    await story.breakAt(lineWith('lab/lib/longmode.S', 'activates long mode'));
    await story.until('continue');
    for (let i = 0; i < 10; i++) await story.until('next');
    await story.breakAt(lineWith('lab/lib/longmode.S', 'call kernel_main'));
    await story.until('continue');
    await story.until('stepIn');
    await story.stack();
    await story.evaluate('$efer');
    story.expect('step-boot');
  });

  it('steps through the guest\'s boot sector, which the VMM has put where it runs', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/guest/boot.S', '    cli'));
    await story.run();
    await story.stack();
    for (let i = 0; i < 7; i++) await story.until('next');
    await story.evaluate('$cr0');
    for (let i = 0; i < 5; i++) await story.until('stepIn');
    await story.stack();
    story.expect('step-guest-boot');
  });

  it('steps by line from 32-bit to 64-bit code, and on to its final address', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/lib/longmode.S', 'activates long mode'));
    await story.run();
    await story.evaluate('$efer');
    for (let i = 0; i < 12; i++) await story.until('next');
    await story.stack();
    await story.evaluate('$efer');
    story.expect('step-modes');
  });

  it('steps out of a handler, and back into the guest behind the instruction that exited', async () => {
    await story.launch({ breakOnExit: ['CPUID'] });
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'cpuid(leaf, g->regs.rcx'));
    await story.run();
    await story.until('continue');
    await story.until('stepOut');
    await story.until('stepOut');
    await story.stack();
    for (let i = 0; i < 4; i++) await story.until('next');
    await story.until('stepIn');
    await story.stack();
    story.expect('step-out-of-handler');
  });

  it('runs interrupt handlers that land on a step, and waits through HLT', async () => {
    await story.launch({});
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_hlt'));
    await story.run();
    await story.until('next');
    await story.until('next');
    await story.until('stepIn');
    await story.stack();
    // STI, HLT, CLI: the timer's interrupt ends the wait, and its handler runs between two of the steps.
    for (let i = 0; i < 3; i++) await story.until('next', { granularity: 'instruction' });
    await story.until('stepOut');
    await story.until('next');
    await story.until('next');
    story.expect('step-interrupt');
  });
});
