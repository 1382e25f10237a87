/** The language of Watch and the Debug Console: address spaces, the functions of inspection, completions, places in sources. */
import assert from 'node:assert';
import { marked, Story } from './story';

interface Variable {
  name: string;
  value: string;
  variablesReference: number;
  indexedVariables?: number;
  memoryReference?: string;
  declarationLocationReference?: number;
  valueLocationReference?: number;
}

describe('DAP: expressions', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  /** Stops in the handler of the guest's CPUID. */
  const inHandler = async (): Promise<number> => {
    await story.launch({});
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_cpuid'));
    const stopped = story.client.next('stopped');
    await story.client.configured();
    await stopped;
    return (await story.frames())[0]!.id;
  };
  const variables = async (variablesReference: number, rest: object = {}): Promise<Variable[]> => (await story.client.request<{ variables: Variable[] }>('variables', { variablesReference, ...rest })).variables;
  const evaluate = (expression: string, rest: object = {}) => story.client.request<Variable & { result: string }>('evaluate', { expression, context: 'watch', ...rest });

  it('reads every address space', async () => {
    await inHandler();
    for (const expression of ['*(uint32_t *)gpa:0x6000,x', '(gpa:0x6034)[20]', '*(uint32_t *)(gpa:0x6000 + 44)', 'guest:kernel_main', 'walk(gpa:0x6000) == ept(0x6000)', '*(uint32_t *)hpa:ept(0x6000),x', 'vmm:g == g', '$guest.rip == $vmcs.GUEST_RIP', 'gpa:0x123456789000', '*(uint8_t *)gpa:0x123456789000']) await story.evaluate(expression);
    story.expect('address-spaces');
  });

  it('assigns through an address space', async () => {
    const frameId = await inHandler();
    await evaluate('*(uint32_t *)gpa:0x6ff0 = 0x12345678', { context: 'repl', frameId });
    assert.strictEqual((await evaluate('*(uint32_t *)hpa:(ept(0x6ff0)),x', { frameId })).result, '0x12345678');
    await story.client.request('setExpression', { expression: '*(uint16_t *)gpa:0x6ff0', value: '0xabcd', frameId });
    assert.strictEqual((await evaluate('*(uint32_t *)gpa:0x6ff0,x', { frameId })).result, '0x1234abcd');
  });

  it('tells what is under the mouse: C, registers of assembly, constants that number VMCS fields', async () => {
    await inHandler();
    for (const word of ['leaf', 'g->regs.rax', 'VMCS_GUEST_RIP', 'VMCS_EXIT_REASON', 'EPT_READ', 'rsp', 'eax', 'GUEST_CR3', 'handle_cpuid', 'return']) await story.evaluate(word, 'hover');
    story.expect('hover');
  });

  it('shows translations, maps, exits and symbols as tables in the console', async () => {
    await inHandler();
    for (const expression of ['walk(guest:$guest.rip)', 'walk($guest.rsp)', 'walk(0)', 'ept(0xa0000)', 'maps(gpa:0x6000)', 'e820()', 'exits(3)', 'vmcs("GUEST_CS")', 'gpa:0x6040', 'walk()', 'exits(1, 2)', 'vmcs("nothing")', 'maps(0)']) await story.evaluate(expression, 'repl');
    story.expect('console-tables');
  });

  it('opens the same in Watch, level by level', async () => {
    const frameId = await inHandler();
    const told = async (reference: number, depth: number): Promise<void> => {
      for (const v of await variables(reference)) {
        story.tell(`${'  '.repeat(depth)}${v.name} = ${v.value}`);
        if (v.variablesReference && depth < 2) await told(v.variablesReference, depth + 1);
      }
    };
    const walk = await evaluate('walk(guest:$guest.rsp)', { frameId });
    story.tell(walk.result);
    await told(walk.variablesReference, 1);
    story.expect('walk-tree');
  });

  it('completes what is being typed', async () => {
    const frameId = await inHandler();
    const complete = async (text: string): Promise<void> => {
      const { targets } = await story.client.request<{ targets: { label: string; text?: string; type: string; detail?: string }[] }>('completions', { text, column: text.length + 1, frameId });
      story.tell(`${text}| ${targets.slice(0, 8).map((t) => `${t.text ?? t.label} (${t.type}${t.detail ? `: ${t.detail}` : ''})`).join('; ')}${targets.length > 8 ? ' ...' : ''}`);
    };
    for (const text of ['g->', '1 + g->regs.rb', '(*g).re', 'wal', 'gp', '$guest.ri', '$vmcs.GUEST_CR', '$ea', 'le', 'nothing_like_it']) await complete(text);
    // Casts, functions, enumerators, names of the other world, fields by name, words of the console.
    for (const text of ['(struct gu', '*(uint3', 'sizeof(enum ver', '&handle_c', 'EXIT_CP', 'guest:processor_c', 'vmcs("GUEST_CS_A', 'info re', 'monitor info', 'info nothing']) await complete(text);
    story.expect('completions');
  });

  it('knows the #define constants of the sources, in conditions and completions too', async () => {
    const frameId = await inHandler();
    for (const [expression, result] of [['VMCALL_GETDISK', '6'], ['INTERRUPTION_VALID == 0x80000000', '1'], ['INTERRUPTION_HARDWARE | VECTOR_GP', '781 (0x30d)']]) assert.strictEqual((await evaluate(expression!, { frameId })).result, result);
    // With parameters too.
    assert.strictEqual((await evaluate('IO_SIZE(3) + IO_PORT(0x700000)', { frameId })).result, '116 (0x74)');
    await assert.rejects(evaluate('IO_SIZE', { frameId }), /IO_SIZE is a macro with parameters: write IO_SIZE\(q\)/);
    await assert.rejects(evaluate('IO_SIZE(1 +)', { frameId }), /Macros make this/);
    const { targets } = await story.client.request<{ targets: { label: string; type: string; detail?: string }[] }>('completions', { text: 'VMCALL_G', column: 9, frameId });
    assert.deepStrictEqual(targets.map((t) => [t.label, t.type, t.detail]), [['VMCALL_GETDISK', 'value', 'macro']]);
    // The guest asks for its memory map first; of its hypercalls only the one for the disk image stops.
    await story.client.request('setBreakpoints', { ...marked('lab/vmm/vmexits.c', 'in handle_cpuid'), breakpoints: [] });
    await story.client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'handle_vmcall', condition: 'IO_SIZE(g->regs.rax) == IO_SIZE(VMCALL_GETDISK)' }] });
    const stopped = story.client.next('stopped');
    await story.client.request('continue', { threadId: 1 });
    await stopped;
    assert.strictEqual((await evaluate('g->regs.rax', { frameId: (await story.frames())[0]!.id })).result, '6');
  });

  it('jumps to declarations, functions and the line that wrote a field', async () => {
    const frameId = await inHandler();
    const place = async (reference: number | undefined): Promise<string> => {
      assert(reference, 'no location');
      const { source, line } = await story.client.request<{ source: { path: string }; line: number }>('locations', { locationReference: reference });
      return story.sourceLine(source.path, line);
    };
    const { scopes } = await story.client.request<{ scopes: Variable[] }>('scopes', { frameId });
    const locals = await variables(scopes.find((s) => s.name === 'Locals')!.variablesReference);
    story.tell(`leaf is declared at ${await place(locals.find((v) => v.name === 'leaf')!.declarationLocationReference)}`);
    story.tell(`main is at ${await place((await evaluate('&guest:kernel_main')).valueLocationReference)}`);
    const fields = await variables((await evaluate('vmcs("HOST_RIP")')).variablesReference);
    story.tell(`HOST_RIP was written at ${await place(fields[0]!.valueLocationReference)}`);
    story.expect('locations');
  });

  it('switches to hexadecimal', async () => {
    const frameId = await inHandler();
    const { scopes } = await story.client.request<{ scopes: Variable[] }>('scopes', { frameId });
    await story.client.request('hyperstep/format', { hexadecimal: true });
    const locals = await variables(scopes.find((s) => s.name === 'Locals')!.variablesReference);
    assert.match(locals.find((v) => v.name === 'leaf')!.value, /^0x/);
    assert.strictEqual((await evaluate('15 + 1', { frameId })).result, '0x10');
    await story.client.request('hyperstep/format', { hexadecimal: false });
    assert.strictEqual((await evaluate('15 + 1', { frameId })).result, '16 (0x10)');
    assert.strictEqual((await evaluate('15 + 1', { frameId, format: { hex: true } })).result, '0x10');
  });

  it('pages an array by start and count', async () => {
    const frameId = await inHandler();
    const array = await evaluate('(uint64_t *)vmm:$gdtr_base,5000', { frameId });
    assert.strictEqual(array.indexedVariables, 5000);
    const part = await variables(array.variablesReference, { filter: 'indexed', start: 3, count: 2 });
    assert.deepStrictEqual(part.map((v) => v.name), ['[3]', '[4]']);
    assert.strictEqual((await variables(array.variablesReference, { filter: 'indexed', start: 4900, count: 100 })).at(-1)!.name, '[4999]');
    await story.client.request('setVariable', { variablesReference: array.variablesReference, name: '[4]', value: '0x1234' });
    assert.strictEqual((await evaluate('((uint64_t *)vmm:$gdtr_base)[4],x', { frameId })).result, '0x1234');
  });

  it('has a memory reference for every pointer', async () => {
    const frameId = await inHandler();
    assert.match((await evaluate('g', { frameId })).memoryReference!, /^vmm:0x/);
    assert.match((await evaluate('$rsp', { frameId })).memoryReference!, /^vmm:0x/);
    assert.match((await evaluate('$guest.rip', { frameId })).memoryReference!, /^guest:0x/);
    assert.match((await evaluate('$vmcs.EPT_POINTER', { frameId })).memoryReference!, /^hpa:0x/);
    assert.strictEqual((await evaluate('gpa:0x6000', { frameId })).memoryReference, 'gpa:0x6000');
    const { data } = await story.client.request<{ data: string }>('readMemory', { memoryReference: 'gpa:0x6000', count: 4 });
    assert.strictEqual(Buffer.from(data, 'base64').readUInt32LE(0), 0x40);
  });
});
