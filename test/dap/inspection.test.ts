/** The requests around the edges: modules, sources, completions, breakpoint locations, the console of plain clients. */
import assert from 'node:assert';
import path from 'node:path';
import { lineWith, marked, Story } from './story';

describe('DAP: inspection', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  it('lists modules and sources', async () => {
    const { client } = story;
    await story.launch({});
    const { modules } = await client.request<{ modules: { name: string; symbolStatus: string }[] }>('modules');
    assert.deepStrictEqual(modules.map((m) => m.name), ['vmm.elf', 'guest.elf', 'vmm-boot.elf', 'guest-boot.elf']);
    assert.strictEqual(client.events.filter((e) => e.event === 'module').length, modules.length);
    const { sources } = await client.request<{ sources: { path: string }[] }>('loadedSources');
    const names = sources.map((s) => path.basename(s.path));
    for (const name of ['vmx.c', 'vmexits.c', 'processor.c', 'printf.c', 'vmentry.S']) assert(names.includes(name), name);
  });

  it('completes names, registers and fields', async () => {
    const { client } = story;
    await story.launch({});
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_cpuid'));
    await story.run(false);
    const complete = async (text: string): Promise<string[]> => (await client.request<{ targets: { label: string }[] }>('completions', { text, column: text.length + 1 })).targets.map((t) => t.label);
    assert((await complete('$ra')).includes('$rax'));
    assert((await complete('1 + $guest.ri')).includes('$guest.rip'));
    assert((await complete('$vmcs.GUEST_CR')).includes('$vmcs.GUEST_CR3'));
    assert((await complete('le')).includes('leaf'));
  });

  it('tells which lines can have a breakpoint, and moves those that cannot', async () => {
    const { client } = story;
    await story.launch({});
    const { source, line } = marked('lab/vmm/vmexits.c', 'in handle_cpuid');
    const { breakpoints } = await client.request<{ breakpoints: { line: number }[] }>('breakpointLocations', { source, line, endLine: line + 5 });
    const code = lineWith('lab/vmm/vmexits.c', 'uint32_t leaf = g->regs.rax;').line;
    assert.deepStrictEqual([...new Set(breakpoints.map((b) => b.line))], [code]);
    const set = await client.request<{ breakpoints: { verified: boolean; line: number }[] }>('setBreakpoints', { source, breakpoints: [{ line }] });
    assert.strictEqual(set.breakpoints[0]!.verified, true);
    assert.strictEqual(set.breakpoints[0]!.line, code);
    const elsewhere = await client.request<{ breakpoints: { verified: boolean; message: string }[] }>('setBreakpoints', { source: { path: '/nowhere/x.c' }, breakpoints: [{ line: 1 }] });
    assert.strictEqual(elsewhere.breakpoints[0]!.verified, false);
    assert.match(elsewhere.breakpoints[0]!.message, /No symbol file knows this source file/);
    const none = await client.request<{ breakpoints: { verified: boolean; message: string }[] }>('setFunctionBreakpoints', { breakpoints: [{ name: 'nothing_like_it' }] });
    assert.match(none.breakpoints[0]!.message, /No symbol file has a function nothing_like_it/);
  });

  it('gives the serial console to clients that have no terminal for it', async () => {
    const { client } = story;
    await story.launch({ serial: 'console' });
    await client.configured();
    await client.shows('vm$ ');
    const output = client.events.filter((e) => e.event === 'output' && e.body['category'] === 'stdout').map((e) => e.body['output']).join('');
    assert.match(output, /VMX extension hidden from guest/);
  });

  it('runs through breakpoints without debugging', async () => {
    const { client } = story;
    await story.launch({ noDebug: true, breakOnExit: ['CPUID'], stopOnEntry: true });
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_cpuid'));
    await client.configured();
    await client.shows('vm$ ');
    assert(!client.events.some((e) => e.event === 'stopped'));
  });

  it('counts lines from 0 for clients that do', async () => {
    const { client } = story;
    await story.launch({});
    await client.request('initialize', { adapterID: 'hyperstep', linesStartAt1: false, columnsStartAt1: false, pathFormat: 'uri' });
    const { source, line } = lineWith('lab/vmm/vmexits.c', 'uint32_t leaf = g->regs.rax;');
    const { breakpoints } = await client.request<{ breakpoints: { line: number }[] }>('setBreakpoints', { source: { path: `file://${source.path}` }, breakpoints: [{ line: line - 1 }] });
    assert.strictEqual(breakpoints[0]!.line, line - 1);
    await story.run(false);
    const [top] = await story.frames();
    assert.strictEqual(top!.line, line - 1);
    assert.strictEqual(top!.source!.path, `file://${source.path}`);
  });
});
