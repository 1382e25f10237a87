/** Breakpoints, expressions and memory of two worlds whose kernels are linked at the same addresses. */
import assert from 'node:assert';
import { lineWith, marked, stable, Story } from './story';

describe('DAP: two worlds', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  const first = async (): Promise<void> => {
    const stopped = story.client.next('stopped');
    await story.client.configured();
    await story.tellStop('run', await stopped);
  };

  it('a function of both kernels is hit in each, in its own code', async () => {
    await story.launch({});
    const { breakpoints } = await story.client.request<{ breakpoints: { verified: boolean }[] }>('setFunctionBreakpoints', { breakpoints: [{ name: 'kernel_main' }] });
    assert(breakpoints[0]!.verified);
    await first();
    await story.until('continue');
    story.expect('function-in-both-worlds');
  });

  it('a line that both kernels share is hit in each; a condition may tell them apart', async () => {
    await story.launch({});
    await story.breakAt({ ...lineWith('lab/lib/e820.c', 'for ('), hitCondition: '== 1' });
    await first();
    await story.breakAt({ ...lineWith('lab/lib/e820.c', 'for ('), condition: '$cr3 != 0 && $vmm.rip != $guest.rip' });
    await story.until('continue');
    await story.stack();
    story.expect('line-in-both-worlds');
  });

  it('evaluates names, members, pointers, registers and fields in the frame that is selected', async () => {
    await story.launch({});
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_cpuid'));
    await first();
    for (const expression of ['g', 'g->regs.rax', 'g->regs', '*g', '&g->regs', 'g->regs.rax + 1', '(uint8_t)g->regs.rax', '-1', '1 << 3 | 1', 'leaf', '$rip', '$guest.rip == $vmcs.GUEST_RIP', '$vmcs.VM_EXIT_REASON', '$vmcs.GUEST_RPI', '$efer', 'nothing', 'g->nothing', 'g.regs', 'g = 0', 'sizeof(struct guest)', 'handle_cpuid', '$vmcs', '$cs', '$eax,b', 'g->regs.rax,x', '(char)65', '5 / 0', 'f(1)', 'EXIT_CPUID']) await story.evaluate(expression);
    const label = (await story.frames()).findIndex((f) => f.presentationHint === 'label');
    for (const expression of ['leaf', '$rip == $guest.rip', '$rax', '*eax', '$cr0']) await story.evaluate(expression, 'watch', label + 1);
    story.expect('evaluate');
  });

  it('assigns registers, fields and variables', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'if (leaf == 1)'));
    await first();
    for (const expression of ['leaf = 0x40000000', 'leaf', 'g->regs.rdx = leaf + 1', 'g->regs.rdx', '$r15 = 42', '$r15', '$vmcs.GUEST_RFLAGS = 0x202', '$vmcs.GUEST_RFLAGS', '$guest.rbx = 1', 'leaf += 2']) await story.evaluate(expression, 'repl');
    const [top] = await story.frames();
    const { scopes } = await story.client.request<{ scopes: { name: string; variablesReference: number }[] }>('scopes', { frameId: top!.id });
    const locals = scopes.find((s) => s.name === 'Locals')!;
    const tellSet = ({ value, type }: { value?: string; type?: string }): void => story.tell(JSON.stringify({ value, type }));
    tellSet(await story.client.request('setVariable', { variablesReference: locals.variablesReference, name: 'leaf', value: '7' }));
    // The same reference tells what is there now.
    const { variables } = await story.client.request<{ variables: { name: string; value: string }[] }>('variables', { variablesReference: locals.variablesReference });
    story.tell(`leaf in the pane = ${variables.find((v) => v.name === 'leaf')!.value}`);
    tellSet(await story.client.request('setExpression', { expression: '$vmcs.GUEST_RFLAGS', value: '2', frameId: top!.id }));
    // `next` shows that the VMM works with what was typed.
    await story.until('next');
    story.expect('assign');
  });

  it('reads, writes and disassembles memory of each world', async () => {
    await story.launch({});
    await story.breakAt(marked('lab/guest/processor.c', 'guest asks for VMX'));
    await first();
    const { client } = story;
    const [top] = await story.frames();
    const reference = top!.instructionPointerReference!;
    const { instructions } = await client.request<{ instructions: { address: string; instruction: string; symbol?: string; line?: number; presentationHint?: string }[] }>('disassemble', { memoryReference: reference, instructionOffset: -4, instructionCount: 12 });
    assert.strictEqual(instructions.length, 12);
    assert.strictEqual(BigInt(instructions[4]!.address), BigInt(reference.split(':')[1]!));
    for (const i of instructions) story.tell(stable(`${i.instruction}${i.line ? `   line` : ''}`));
    const far = await client.request<{ instructions: { presentationHint?: string }[] }>('disassemble', { memoryReference: 'guest:0x7ffffffff000', instructionOffset: -5, instructionCount: 10 });
    assert.deepStrictEqual(far.instructions.map((i) => i.presentationHint), Array(10).fill('invalid'));
    const map = await client.request<{ data: string; unreadableBytes?: number }>('readMemory', { memoryReference: 'gpa:0x6000', count: 4 });
    story.tell(`gpa:0x6000 ${Buffer.from(map.data, 'base64').toString('hex')}`);
    await client.request('writeMemory', { memoryReference: 'gpa:0x6000', data: Buffer.from([1, 2, 3, 4]).toString('base64') });
    const changed = await client.request<{ data: string }>('readMemory', { memoryReference: 'gpa:0x6000', count: 4 });
    assert.strictEqual(Buffer.from(changed.data, 'base64').toString('hex'), '01020304');
    const unmapped = await client.request<{ data: string; unreadableBytes?: number }>('readMemory', { memoryReference: 'guest:0x7ffffffff000', count: 16 });
    assert.strictEqual(unmapped.unreadableBytes, 16);
    // An instruction breakpoint behind the next instructions.
    await client.request('setInstructionBreakpoints', { breakpoints: [{ instructionReference: `guest:${instructions[6]!.address}` }] });
    await story.until('continue');
    story.expect('memory');
  });

  it('shows what the guest was given: the e820 map beside the machine\'s own, exits, VMCS and registers', async () => {
    await story.launch({});
    const given = story.client.next('hyperstep/state', (body) => body['what'] === 'memory-map');
    await story.breakAt(marked('lab/guest/processor.c', 'guest asks for VMX'));
    await first();
    await given;
    const { client } = story;
    const e820 = await client.request<Record<string, { ranges: { base: string; length: string; type: number }[]; source: string }>>('hyperstep/e820');
    for (const whose of ['guest', 'machine']) {
      const map = e820[whose]!;
      story.tell(`${whose}: ${map.source}`);
      for (const { base, length, type } of map.ranges) story.tellExactly(`  ${base} ${length} ${type}`);
    }
    const { worlds } = await client.request<{ worlds: { world: string; live: boolean; groups: { name: string; entries: { name: string }[] }[] }[] }>('hyperstep/registers');
    for (const w of worlds) story.tell(`${w.world} ${w.live ? 'live' : 'saved'}: ${w.groups.map((g) => `${g.name} (${g.entries.map((e) => e.name).join(' ')})`).join(', ')}`);
    const vmcs = await client.request<{ groups: { name: string; entries: { name: string; value: string; evaluateName?: string }[] }[] }>('hyperstep/vmcs');
    for (const g of vmcs.groups) story.tell(`${g.name}: ${g.entries[0]!.name} ${g.entries[0]!.evaluateName}`);
    const exits = await client.request<{ total: number; byName: Record<string, number>; last: { name: string; symbol?: string }[] }>('hyperstep/exits', { count: 2 });
    story.tell(Object.keys(exits.byName).sort().join(' '));
    story.tell(exits.last.map((e) => `${e.name} in ${e.symbol}`).join(', '));
    story.expect('views');
  });
});
