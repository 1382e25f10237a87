/** Data breakpoints: variables, memory of every space, registers, MSRs, VMCS fields; read, written, changed. */
import { lineWith, marked, Story } from './story';

interface Info {
  dataId: string | null;
  description: string;
}

describe('DAP: data breakpoints', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  const info = async (args: object): Promise<string | null> => {
    const { dataId, description } = await story.client.request<Info>('dataBreakpointInfo', args);
    story.tell(`${dataId === null ? 'cannot be watched' : 'can be watched'}: ${description}`);
    return dataId;
  };
  const watch = async (...breakpoints: { dataId: string; accessType?: string; condition?: string; hitCondition?: string }[]): Promise<void> => {
    const answer = await story.client.request<{ breakpoints: { verified: boolean; message?: string }[] }>('setDataBreakpoints', { breakpoints });
    for (const b of answer.breakpoints) if (!b.verified) story.tell(`not verified: ${b.message}`);
  };
  /** Runs to the stop and tells why, where and by what. */
  const until = async (): Promise<void> => {
    const stopped = await story.client.until('continue');
    await story.tellStop('continue', stopped);
    story.tell(`  ${String(stopped['text']).replaceAll('\n', ' ')}`);
  };

  it('variables, from the Variables pane and by expression', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'if (leaf == 1)'));
    await story.run();
    const frameId = (await story.frames())[0]!.id;
    const { scopes } = await story.client.request<{ scopes: { name: string; variablesReference: number }[] }>('scopes', { frameId });
    const locals = scopes.find((s) => s.name === 'Locals')!.variablesReference;
    const ecx = await info({ variablesReference: locals, name: 'ecx' });
    const rax = await info({ name: 'g->regs.rax', frameId });
    await info({ name: 'leaf + 1', frameId });
    await info({ name: 'nothing', frameId });
    await watch({ dataId: ecx!, accessType: 'write' });
    await until();
    await watch({ dataId: rax!, accessType: 'write' });
    await until();
    await watch({ dataId: rax!, accessType: 'read' });
    await until();
    await story.stack();
    story.expect('data-variables');
  });

  it('addresses of both worlds, guest-physical and host-physical', async () => {
    await story.launch({});
    await story.breakAt(marked('lab/guest/processor.c', 'guest asks for VMX'));
    await story.run();
    await story.client.request('setBreakpoints', { source: marked('lab/guest/processor.c', 'guest asks for VMX').source, breakpoints: [] });
    await watch({ dataId: 'gpa:0xb8000+4000 the screen', accessType: 'write' });
    await until();
    await watch({ dataId: (await info({ name: 'gpa:0x6000', bytes: 44 }))!, accessType: 'readWrite' }, { dataId: 'gpa:0x7fff00000+4' });
    await story.until('restart');
    story.expect('data-spaces');
  });

  it('ranges and expressions of every address space, by mode, every n-th time', async () => {
    await story.launch({});
    const place = marked('lab/guest/processor.c', 'guest asks for VMX');
    await story.breakAt(place);
    await story.run();
    await story.client.request('setBreakpoints', { source: place.source, breakpoints: [] });
    const frameId = (await story.frames())[0]!.id;
    await info({ name: 'hpa:ept(0x6000)', bytes: 44, frameId });
    await info({ name: 'guest:0xffffffff80100000', bytes: 4096 });
    await info({ name: '&eax', asAddress: true, bytes: 4, frameId });
    await info({ name: '(char *)vmm:guest.ept_root,16', frameId });
    const rcx = await info({ name: 'vmm:guest.regs.rcx', mode: 'vmm', frameId });
    await info({ name: 'vmm:guest.regs.rcx', mode: 'sideways', frameId });
    await watch({ dataId: rcx!, accessType: 'write', hitCondition: '2' });
    await until();
    await watch({ dataId: rcx!.replace('!vmm', '!guest'), accessType: 'write' }, { dataId: (await info({ name: 'hpa:0xb8000', bytes: 4000 }))!, accessType: 'write', condition: '$cr3 == 0x1000 || 1' });
    await until();
    story.expect('data-ranges');
  });

  it('VMCS fields: read by VMREAD, written by VMWRITE, changed by a VM exit', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'if (leaf == 1)'));
    await story.run();
    const rip = await info({ name: '$vmcs.GUEST_RIP' });
    await watch({ dataId: rip! });
    await until();
    await watch({ dataId: '$vmcs.EXIT_QUALIFICATION', accessType: 'read' });
    await until();
    await watch({ dataId: (await info({ name: '$vmcs.VM_EXIT_INSTRUCTION_LENGTH', mode: 'change' }))! });
    await until();
    await watch({ dataId: '$vmcs.GUEST_RPI' });
    story.expect('data-fields');
  });

  it('registers: control registers, MSRs and general-purpose ones', async () => {
    await story.launch({ stopOnEntry: true });
    await story.run();
    await watch({ dataId: '$vmm.cr3' });
    await until();
    await watch({ dataId: 'msr:EFER', accessType: 'readWrite' });
    await until();
    await until();
    await watch({ dataId: '$vmm.cr4', condition: '$cr4 & 0x2000' });
    await until();
    await watch({ dataId: '$guest.cr3' });
    await until();
    await watch({ dataId: (await info({ name: '$guest.rbp' }))! });
    await until();
    await watch({ dataId: '$rip' });
    story.expect('data-registers');
  });

  it('is found again going back', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'if (leaf == 1)'));
    await story.run();
    const frameId = (await story.frames())[0]!.id;
    await watch({ dataId: (await info({ name: 'g->regs.rcx', frameId }))! });
    await until();
    await story.until('reverseContinue');
    await story.until('reverseContinue');
    story.expect('data-back');
  });
});
