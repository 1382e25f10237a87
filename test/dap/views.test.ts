/** What the extension's views ask for beyond the protocol: exits, VMCSs, translations, memory maps, symbols, the VGA screen. */
import assert from 'node:assert';
import type { ActivityEvent, E820Response, Entry, ExitResponse, ExitsResponse, RegistersResponse, ScreenResponse, SymbolsResponse, TranslationsResponse, VmcsResponse } from '../../src/adapter/messages';
import { marked, Story } from './story';

describe('DAP: views', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  const stopAt = async (file: string, marker: string): Promise<void> => {
    await story.launch({});
    await story.breakAt(marked(file, marker));
    const stopped = story.client.next('stopped');
    await story.client.configured();
    await stopped;
  };
  const ask = <T>(request: string, args: object = {}): Promise<T> => story.client.request<T>(`hyperstep/${request}`, args);
  const tell = (entries: readonly Entry[], depth = 0, most = 0): void => {
    for (const e of entries) {
      story.tell(`${'  '.repeat(depth)}${e.wrong ? '! ' : ''}${e.changed ? '* ' : ''}${e.name} = ${e.value}${e.source ? ` (${story.sourceLine(e.source.path, e.source.line)})` : ''}`);
      if (depth < most) tell(e.children ?? [], depth + 1, most);
    }
  };

  it('tells exits with the guest\'s lines, and one of them in full', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    const exits = await ask<ExitsResponse>('exits', { count: 3 });
    story.tell(Object.entries(exits.byName).map(([name, n]) => `${name} ${n}`).join(', '));
    for (const r of exits.last) story.tell(`${r.words} at ${r.place}${r.source ? `: ${story.sourceLine(r.source.path, r.source.line)}` : ''}`);
    tell((await ask<ExitResponse>('exit', { n: exits.last.at(-1)!.n })).entries);
    await assert.rejects(ask('exit', { n: 9999 }), /not among those that are kept/);
    story.expect('view-exits');
  });

  it('stops at an exit that is ticked in the view, besides the filters', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    await ask('breakOnExits', { names: ['HLT', 'EXTERNAL_INTERRUPT'] });
    assert.deepStrictEqual((await ask<ExitsResponse>('exits')).ticked, ['HLT', 'EXTERNAL_INTERRUPT']);
    await story.client.request('setBreakpoints', { source: marked('lab/vmm/vmexits.c', 'in handle_cpuid').source, breakpoints: [] });
    const stopped = await story.client.until('continue');
    assert.match(String(stopped['description']), /^VM exit \d+: (HLT|EXTERNAL_INTERRUPT)/);
    assert.deepStrictEqual(await ask('breakOnExits', { names: ['HLT', 'CPUID'], conditions: { CPUID: 'leaf ==', HLT: 'log: halted' } }), { complaints: { CPUID: 'The expression ends where a value should follow.' } });
    await ask('breakOnExits', { names: ['HLT', 'VMCALL'], conditions: { HLT: 'log: the guest halts at {rip} in {function}', VMCALL: 'n > 9999' } });
    await story.client.request('setExceptionBreakpoints', { filters: [], filterOptions: [{ filterId: 'exit:CPUID', condition: 'log: {leaf}' }, { filterId: 'exit:RDMSR', condition: 'msr == 1' }] });
    assert.deepStrictEqual((await ask<ExitsResponse>('exits')).filtered, ['RDMSR'], 'what merely logs does not stop');
    const said = story.client.next('output', ({ output }) => /^the guest halts at 0x[0-9a-f]+ in /m.test(String(output)));
    await story.client.request('restart');
    await said;
    await assert.rejects(ask('breakOnExits', { names: ['NOTHING'] }), /There is no VM exit named NOTHING/);
  });

  it('lists the VMCSs and marks what the VMM has written since the exit', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    const written = async (): Promise<string[]> => {
      const { groups, list } = await ask<VmcsResponse>('vmcs');
      assert.deepStrictEqual(list.map(({ current, launched }) => [current, launched]), [[true, true]]);
      return groups.flatMap((g) => g.entries.filter((e) => e.changed).map((e) => e.name));
    };
    assert.deepStrictEqual(await written(), []);
    await story.client.until('stepOut');
    assert.deepStrictEqual(await written(), ['GUEST_RIP']);
  });

  it('lists several VMCSs, marks the current one, and tells the other in full', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    const frameId = (await story.frames())[0]!.id;
    const type = (expression: string): Promise<unknown> => story.client.request('evaluate', { expression, context: 'repl', frameId });
    const first = (await ask<VmcsResponse>('vmcs')).address!;
    // A region of the same revision, and VMPTRLD [RIP + 0xf8] to make it current, in memory that nobody uses.
    await type('*(uint32_t *)(KERNBASE + 0x1f000000) = *(uint32_t *)hpa:$vmcs & 0x7fffffff');
    await type('*(uint64_t *)(KERNBASE + 0x1f001000) = 0xf835c70f');
    await type('*(uint64_t *)(KERNBASE + 0x1f0010ff) = 0x1f000000');
    await type('$rip = KERNBASE + 0x1f001000');
    await story.client.until('stepIn', { granularity: 'instruction' });
    const both = await ask<VmcsResponse>('vmcs');
    assert.deepStrictEqual(both.list.map(({ address, current, launched }) => [address, current, launched]), [[first, false, true], ['0x1f000000', true, false]]);
    assert.strictEqual(both.address, '0x1f000000');
    const other = await ask<VmcsResponse>('vmcs', { address: first });
    const reason = other.groups.flatMap((g) => g.entries).find((e) => e.name === 'VM_EXIT_REASON')!;
    assert.match(reason.value, /^CPUID/);
    assert.strictEqual(other.list[0]!.guestRip !== undefined, true);
    assert.strictEqual(reason.evaluateName, `$vmcs(${first}).VM_EXIT_REASON`, 'the bare name would be the field of the current one');
  });

  it('breaks on a field of the VMCS whose row it is, whichever is current', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    const type = async (expression: string): Promise<{ result: string }> => story.client.request('evaluate', { expression, context: 'repl', frameId: (await story.frames())[0]!.id });
    const first = (await ask<VmcsResponse>('vmcs')).address!;
    const write = async (offset: number, ...bytes: number[]): Promise<void> => {
      const { result } = await type(`KERNBASE + ${0x1f001000 + offset},x`);
      await story.client.request('writeMemory', { memoryReference: `vmm:${/0x[0-9a-f]+/.exec(result)![0]}`, data: Buffer.from(bytes).toString('base64') });
    };
    const address = (value: number): number[] => [...new Uint8Array(new BigUint64Array([BigInt(value)]).buffer)];
    await type('*(uint32_t *)(KERNBASE + 0x1f000000) = *(uint32_t *)hpa:$vmcs & 0x7fffffff');
    await write(0, 0x0f, 0xc7, 0x35, 0xf9, 0, 0, 0); // vmptrld [rip + 0xf9]: the second VMCS
    await write(7, 0x0f, 0x79, 0xd0); //                vmwrite rdx, rax
    await write(10, 0x0f, 0xc7, 0x35, 0xf7, 0, 0, 0); // vmptrld [rip + 0xf7]: the first one
    await write(17, 0x0f, 0x79, 0xd0); //               vmwrite rdx, rax
    await write(20, 0xeb, 0xfe); //                     jmp to itself
    await write(0x100, ...address(0x1f000000), ...address(Number(first)));
    await type('$rdx = 0x681e');
    await type('$rax = 0x1234');
    await type('$rip = KERNBASE + 0x1f001000');
    await story.client.request('setBreakpoints', { source: marked('lab/vmm/vmexits.c', 'in handle_cpuid').source, breakpoints: [] });
    await story.client.until('stepIn', { granularity: 'instruction' });
    const other = await ask<VmcsResponse>('vmcs', { address: first });
    const row = other.groups.flatMap((g) => g.entries).find((e) => e.name === 'GUEST_RIP')!;
    assert.deepStrictEqual(await ask('breakOnData', { watched: row.breakable, access: 'change' }), { description: `VMCS field GUEST_RIP of the VMCS at hpa:${first}` });
    const stopped = await story.client.until('continue');
    assert.match(String(stopped['description']), new RegExp(`^\\$vmcs\\(${first}\\)\\.GUEST_RIP changed: it was 0x[0-9a-f]+ and is 0x1234$`));
    assert.strictEqual((await ask<VmcsResponse>('vmcs')).address, first);
    const { result } = await type('$rip - KERNBASE - 0x1f001000');
    assert.match(result, /\b20\b/, 'the write to the other VMCS was none of it');
  });

  it('tells which exit information the exit leaves undefined: in the view, in the Variables pane and in Watch', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    const { groups } = await ask<VmcsResponse>('vmcs');
    const undefinedFields = groups.flatMap((g) => g.entries.filter((e) => e.notDefined));
    assert.deepStrictEqual(undefinedFields.map((e) => e.name).sort(), [
      'GUEST_LINEAR_ADDRESS', 'GUEST_PHYSICAL_ADDRESS', 'IDT_VECTORING_ERROR_CODE', 'IO_RCX', 'IO_RDI', 'IO_RIP', 'IO_RSI', 'VM_EXIT_INSTRUCTION_INFO', 'VM_EXIT_INTERRUPTION_ERROR_CODE',
    ]);
    for (const e of undefinedFields) {
      assert.match(e.value, /, not defined by this exit$/);
      assert.strictEqual(e.memoryReference, undefined);
    }
    type Row = { name: string; variablesReference: number; presentationHint?: { visibility?: string } };
    const { scopes } = await story.client.request<{ scopes: Row[] }>('scopes', { frameId: (await story.frames())[0]!.id });
    const below = async (rows: Row[], name: string): Promise<Row[]> => (await story.client.request<{ variables: Row[] }>('variables', { variablesReference: rows.find((r) => r.name === name)!.variablesReference })).variables;
    const variables = await below(await below(scopes, 'VMCS'), 'Exit information');
    const hint = (name: string): string | undefined => variables.find((v) => v.name === name)?.presentationHint?.visibility;
    assert.deepStrictEqual([hint('IO_RCX'), hint('VM_EXIT_REASON')], ['internal', undefined]);
    assert.match((await story.client.request<{ result: string }>('evaluate', { expression: '$vmcs.GUEST_PHYSICAL_ADDRESS', context: 'watch' })).result, /, not defined by this exit$/);
  });

  it('breaks on what a row of the VMCS and of the registers holds, until that is removed', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    await story.client.request('setBreakpoints', { source: marked('lab/vmm/vmexits.c', 'in handle_cpuid').source, breakpoints: [] });
    const vmcsRow = async (name: string): Promise<Entry> => (await ask<VmcsResponse>('vmcs')).groups.flatMap((g) => g.entries).find((e) => e.name === name)!;
    assert.deepStrictEqual([(await vmcsRow('GUEST_RIP')).breaksOn, (await vmcsRow('GUEST_RIP')).evaluateName], [undefined, '$vmcs.GUEST_RIP']);
    const { breakable: watched } = await vmcsRow('GUEST_RIP');
    const { address } = await ask<VmcsResponse>('vmcs');
    assert.strictEqual(watched, `$vmcs(${address}).GUEST_RIP`);
    assert.deepStrictEqual(await ask('breakOnData', { watched, label: '$vmcs.GUEST_RIP', access: 'change' }), { description: `VMCS field GUEST_RIP of the VMCS at hpa:${address}` });
    assert.strictEqual((await vmcsRow('GUEST_RIP')).breaksOn, 'change');
    assert.strictEqual((await vmcsRow('GUEST_RSP')).breaksOn, undefined);
    const stopped = await story.client.until('continue');
    assert.match(String(stopped['text'] ?? stopped['description']), /GUEST_RIP/);
    await ask('breakOnData', { watched });
    assert.strictEqual((await vmcsRow('GUEST_RIP')).breaksOn, undefined);
    // A read of the reason is the first thing that the next exit's handler does.
    await ask('breakOnData', { watched: (await vmcsRow('VM_EXIT_REASON')).breakable, access: 'read' });
    assert.match(JSON.stringify(await story.client.until('continue')), /VM_EXIT_REASON/);
    const { worlds } = await ask<RegistersResponse>('registers');
    const general = (name: string): Entry | undefined => worlds[0]!.groups.flatMap((g) => g.entries).find((e) => e.name === name);
    assert.deepStrictEqual([general('rax')?.breakable, general('cr3')?.breakable, general('rip')?.breakable], ['$vmm.rax', '$vmm.cr3', undefined]);
    await assert.rejects(ask('breakOnData', { watched: '$rip', access: 'change' }), /RIP changes with every instruction/);
    await assert.rejects(ask('breakOnData', { watched: 'vmm:0x1000+8', access: 'change' }), /vmm:0x1000\+8 cannot be watched/);
    await assert.rejects(ask('breakOnData', { watched: '$rax', access: 'never' }), /"access" is change, read, readWrite/);
  });

  it('tells the line that wrote a field', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    const { groups } = await ask<VmcsResponse>('vmcs');
    const field = groups.flatMap((g) => g.entries).find((e) => e.name === 'HOST_RIP')!;
    assert.strictEqual(field.hasSource, true);
    const { source } = await ask<{ source: { path: string; line: number } }>('source', { expression: field.evaluateName });
    assert.match(story.sourceLine(source.path, source.line), /HOST_RIP/);
    assert.deepStrictEqual(await ask('source', { expression: '$rax' }), {});
  });

  it('tells translations, and what the VMM has changed since the exit', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    const first = await ask<TranslationsResponse>('translations', { expressions: ['$guest.rip', 'gpa:0xa0000', 'maps(gpa:0x6000)', 'nothing_like_it'] });
    for (const item of first.items) {
      story.tell(`${item.expression}: ${item.wrong ? '! ' : ''}${item.value}`);
      tell(item.entries, 1);
    }
    story.expect('view-translations');
    // The next EPT violation: its handler maps the page that the guest missed.
    await ask('breakOnExits', { names: ['EPT_VIOLATION'] });
    await story.client.until('continue');
    const { last } = await ask<ExitsResponse>('exits', { count: 1 });
    const gpa = await story.client.request<{ result: string }>('evaluate', { expression: '$vmcs.GUEST_PHYSICAL_ADDRESS', context: 'watch' });
    assert.strictEqual(last[0]!.name, 'EPT_VIOLATION');
    const expressions = [`gpa:${gpa.result}`];
    const before = await ask<TranslationsResponse>('translations', { expressions });
    assert.strictEqual(before.items[0]!.wrong, true, before.items[0]!.value);
    // The handler maps the page.
    for (let i = 0; i < 4; i++) {
      await story.client.until('stepOut');
      const after = await ask<TranslationsResponse>('translations', { expressions });
      if (!after.items[0]!.wrong) return;
    }
    assert.fail('the handler has not mapped the page');
  });

  it('marks an entry that was changed after the exit', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    await ask('translations', { expressions: ['gpa:0x6000'] });
    await ask('breakOnExits', { names: ['HLT', 'EXTERNAL_INTERRUPT', 'EPT_VIOLATION'] });
    await story.client.until('continue');
    const before = await ask<TranslationsResponse>('translations', { expressions: ['gpa:0x6000'] });
    const pte = before.items[0]!.entries.find((e) => e.name.startsWith('EPT PTE'))!;
    await story.client.request('evaluate', { expression: `${pte.evaluateName} = 0`, context: 'repl' });
    const after = await ask<TranslationsResponse>('translations', { expressions: ['gpa:0x6000'] });
    const changed = after.items[0]!.entries.filter((e) => e.changed);
    assert.deepStrictEqual(changed.map((e) => e.name), [pte.name]);
    assert.match(changed[0]!.value, /nothing is mapped here.*was 0x[0-9a-f]+ at the last VM exit/);
    assert.strictEqual(after.items[0]!.wrong, true);
  });

  it('compares what the guest was told with what EPT maps and the firmware reports', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    const maps = await ask<E820Response>('e820');
    assert.strictEqual(maps.guest!.ranges.length, 3);
    assert(maps.ept!.ranges.some((r) => r.base === '0x6000' && r.rights === 'RWX'));
    assert.deepStrictEqual(maps.findings.map((f) => `${f.severity} ${f.rule}`), ['note told-but-not-mapped', 'note told-but-not-mapped']);
    // The guest gets at its own EPT root and at a frame twice.
    const root = await story.client.request<{ result: string }>('evaluate', { expression: '$vmcs.EPT_POINTER & 0xffffffffff000,x', context: 'watch' });
    const { items } = await ask<TranslationsResponse>('translations', { expressions: ['gpa:0x6000'] });
    const pte = items[0]!.entries.find((e) => e.name.startsWith('EPT PTE'))!;
    await story.client.request('evaluate', { expression: `((uint64_t *)${pte.memoryReference!})[0] = ${root.result} | 0x37`, context: 'repl' });
    await story.client.request('evaluate', { expression: `((uint64_t *)${pte.memoryReference!})[20] = ${root.result} | 0x37`, context: 'repl' });
    const broken = await ask<E820Response>('e820');
    assert.deepStrictEqual(broken.findings.filter((f) => f.severity === 'warning').map((f) => f.rule), ['secret-reachable', 'secret-reachable', 'shared-frame']);
    assert.match(broken.findings[0]!.sentence, /EPT lets the guest reach the root of its own EPT tables/);
  });

  it('tells where each symbol file applies', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    const { files } = await ask<SymbolsResponse>('symbols');
    assert.deepStrictEqual(files.map((f) => [f.name, f.appliesIn]), [['vmm.elf', ['vmm']], ['guest.elf', ['guest']], ['vmm-boot.elf', []], ['guest-boot.elf', []]]);
    assert(files.every((f) => f.sources > 0));
  });

  it('shows the VGA screen with its colours, live', async () => {
    await stopAt('lab/vmm/vmexits.c', 'in handle_cpuid');
    const { columns, rows, cells } = await ask<ScreenResponse>('screen', { live: true });
    assert.deepStrictEqual([columns, rows, Buffer.from(cells, 'base64').length], [80, 25, 4000]);
    await story.client.request('setBreakpoints', { source: marked('lab/vmm/vmexits.c', 'in handle_cpuid').source, breakpoints: [] });
    const changed = story.client.next('hyperstep/screen');
    await story.client.request('continue', { threadId: 1 });
    const body = (await changed) as unknown as ScreenResponse;
    assert.strictEqual(Buffer.from(body.cells, 'base64').length, 4000);
  });

  it('tells which image is being read, to clients that show progress', async () => {
    const { client } = story;
    await client.request('initialize', { adapterID: 'hyperstep', supportsProgressReporting: true });
    const initialized = client.next('initialized');
    await Promise.all([client.request('launch', { type: 'hyperstep', request: 'launch', name: 'test', cwd: '/' }), initialized]);
    const told = client.events.filter(({ event }) => event.startsWith('progress')).map(({ event, body }) => `${event} ${String(body['message'] ?? body['title'] ?? '')}`.trim());
    assert.deepStrictEqual(told, ['progressStart Hyperstep', 'progressUpdate reading vmm.img', 'progressUpdate reading guest.img', 'progressUpdate reading vmm.elf', 'progressUpdate reading guest.elf', 'progressUpdate reading vmm-boot.elf', 'progressUpdate reading guest-boot.elf', 'progressEnd']);
  });

  it('tells what a running machine does, and is silent about one that waits', async () => {
    await story.launch({});
    const active = story.client.next('hyperstep/activity');
    await story.client.configured();
    const body = (await active) as unknown as ActivityEvent;
    assert(body.instructions > 0 && body.mips >= 0);
    await story.client.shows('vm$ ');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const count = story.client.events.filter((e) => e.event === 'hyperstep/activity').length;
    const screens = story.client.events.filter((e) => e.event === 'hyperstep/screen').length;
    assert.strictEqual(screens, 0, 'nobody watches the screen');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert(story.client.events.filter((e) => e.event === 'hyperstep/activity').length - count <= 3);
  });
});
