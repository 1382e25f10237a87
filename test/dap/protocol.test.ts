/** What the Debug Adapter Protocol asks of an adapter beside its answers: order, optional events, clients that go away. */
import assert from 'node:assert';
import { nodeHost } from '../../src/adapter/hosts/nodeHost';
import { MessageReader } from '../../src/adapter/hosts/messageStream';
import { ClientFormat } from '../../src/adapter/clientFormat';
import { Client } from './client';
import { lineWith, marked, Story } from './story';

type Variables = { variables: { name: string; value: string; variablesReference: number; indexedVariables?: number }[] };

describe('DAP: conformity', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  const toCpuid = async (configuration: object = {}): Promise<void> => {
    await story.launch(configuration);
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_cpuid'));
    await story.run(false);
  };
  const localsOf = async (name: string): Promise<number> => {
    const frame = (await story.frames()).find((f) => f.name === name)!;
    const { scopes } = await story.client.request<{ scopes: { variablesReference: number }[] }>('scopes', { frameId: frame.id });
    return scopes[0]!.variablesReference;
  };

  it('setVariable answers with the value in the frame of the variable', async () => {
    const { client } = story;
    await toCpuid();
    const locals = await localsOf('vmexit');
    const { variables } = await client.request<Variables>('variables', { variablesReference: locals });
    assert(variables.some((v) => v.name === 'reason'));
    const set = await client.request<{ value: string }>('setVariable', { variablesReference: locals, name: 'reason', value: '18' });
    assert.strictEqual(set.value, 'EXIT_VMCALL');
    // The innermost frame has no such name, by which the value could be asked for.
    const inner = await client.request<Variables>('variables', { variablesReference: await localsOf('handle_cpuid') });
    assert(!inner.variables.some((v) => v.name === 'reason'));
  });

  it('variables of one sort alone, and in parts', async () => {
    const { client } = story;
    await toCpuid();
    const { variablesReference } = await client.request<{ variablesReference: number }>('evaluate', { expression: '(uint8_t (*)[64])g', context: 'watch' });
    const [array] = (await client.request<Variables>('variables', { variablesReference })).variables;
    assert.strictEqual(array!.indexedVariables, 64);
    const part = async (more: object): Promise<string[]> => (await client.request<Variables>('variables', { variablesReference: array!.variablesReference, ...more })).variables.map((v) => v.name);
    assert.deepStrictEqual(await part({ filter: 'indexed', start: 3, count: 2 }), ['[3]', '[4]']);
    assert.deepStrictEqual(await part({ filter: 'named' }), []);
    assert.strictEqual((await client.request<Variables>('variables', { variablesReference: await localsOf('handle_cpuid'), filter: 'indexed' })).variables.length, 0);
  });

  it('places for breakpoints within columns', async () => {
    await story.launch({});
    const { source, line } = lineWith('lab/vmm/vmexits.c', 'vmcs_write(VMCS_GUEST_RIP');
    const columns = async (more: object): Promise<number[]> => (await story.client.request<{ breakpoints: { column: number }[] }>('breakpointLocations', { source, line, ...more })).breakpoints.map((b) => b.column);
    const all = await columns({});
    assert(all.length > 2, all.join());
    assert.deepStrictEqual(await columns({ column: all[1], endColumn: all[2]! - 1 }), [all[1]]);
  });

  it('modules in parts', async () => {
    await story.launch({});
    const { modules, totalModules } = await story.client.request<{ modules: { name: string }[]; totalModules: number }>('modules', { startModule: 1, moduleCount: 2 });
    assert.deepStrictEqual([modules.map((m) => m.name), totalModules], [['guest.elf', 'vmm-boot.elf'], 4]);
  });

  it('tells at a stop that memory which was read may be another, once', async () => {
    const { client } = story;
    await toCpuid();
    await client.request('readMemory', { memoryReference: 'hpa:0x1000', offset: 16, count: 32 });
    await client.request('readMemory', { memoryReference: 'hpa:0x1000', offset: -16, count: 8 });
    const told = (): unknown[] => client.events.filter((e) => e.event === 'memory').map((e) => e.body);
    assert.deepStrictEqual(told(), []);
    await client.until('next');
    assert.deepStrictEqual(told(), [{ memoryReference: 'hpa:0x1000', offset: -16, count: 64 }]);
    await client.until('next');
    assert.strictEqual(told().length, 1);
  });

  it('sends no event that the client has not said to understand', async () => {
    const { client } = story;
    await toCpuid();
    await client.request('initialize', { adapterID: 'hyperstep' });
    await client.request('readMemory', { memoryReference: 'hpa:0x1000', count: 32 });
    await story.evaluate('$rax = 1', 'repl');
    await client.until('next');
    assert.deepStrictEqual(client.events.filter((e) => e.event === 'memory' || e.event === 'invalidated'), []);
  });

  it('tells of every assignment, by a shift too', async () => {
    const { client } = story;
    await toCpuid();
    const told = (): number => client.events.filter((e) => e.event === 'invalidated').length;
    for (const [expression, times] of [['$rbx == 1', 0], ['$rbx <= 1', 0], ['$rbx <<= 1', 1], ['$rbx += 1', 2]] as const) {
      await story.evaluate(expression, 'repl');
      assert.strictEqual(told(), times, expression);
    }
  });

  it('writes all of the bytes or none', async () => {
    const { client } = story;
    await toCpuid({ machine: { memory: '64M' } });
    const last = { memoryReference: 'hpa:0x3fffffe', count: 2 };
    const before = await client.request<{ data: string }>('readMemory', last);
    await assert.rejects(client.request('writeMemory', { ...last, data: Buffer.from([1, 2, 3, 4]).toString('base64') }), /Only 2 of 4 bytes at 0x3fffffe are RAM/);
    assert.strictEqual((await client.request<{ data: string }>('readMemory', last)).data, before.data);
    assert.deepStrictEqual(await client.request('writeMemory', { ...last, data: Buffer.from([1, 2, 3, 4]).toString('base64'), allowPartial: true }), { bytesWritten: 2 });
    await assert.rejects(client.request('writeMemory', { memoryReference: 'vmm:0x10', offset: -32, data: 'AAAA' }), /no address of 64 bits/);
    await assert.rejects(client.request('readMemory', { memoryReference: 'vmm:0x10', count: 1e10 }), /too many at once/);
  });

  it('tells when EPT has mapped what a data breakpoint waits for', async () => {
    const { client } = story;
    await story.launch({ stopOnEntry: true, breakOnExit: ['CPUID'] });
    await story.run(false);
    const { breakpoints } = await client.request<{ breakpoints: { id: number; verified: boolean; reason: string }[] }>('setDataBreakpoints', { breakpoints: [{ dataId: 'gpa:0x6f00+8 x', accessType: 'write' }] });
    assert.deepStrictEqual([breakpoints[0]!.verified, breakpoints[0]!.reason], [false, 'pending']);
    const changed = client.next('breakpoint');
    await client.until('continue');
    assert.deepStrictEqual(await changed, { reason: 'changed', breakpoint: { id: breakpoints[0]!.id, verified: true } });
  });

  it('completes for clients that count from 0, and in the line that is typed', async () => {
    const { client } = story;
    await toCpuid();
    await client.request('initialize', { adapterID: 'hyperstep', linesStartAt1: false, columnsStartAt1: false });
    const complete = async (text: string, line: number, column: number): Promise<object> => {
      const { targets } = await client.request<{ targets: { label: string; start: number; length: number }[] }>('completions', { text, line, column });
      const { start, length } = targets.find((t) => t.label === 'leaf')!;
      return { start, length };
    };
    assert.deepStrictEqual(await complete('lea', 0, 3), { start: 0, length: 3 });
    assert.deepStrictEqual(await complete('1 +\n  lea + 2', 1, 5), { start: 6, length: 3 });
  });

  it('runs on when the configuration is done twice', async () => {
    const { client } = story;
    await story.launch({});
    await client.configured();
    await client.configured();
    await client.shows('vm$ ');
    await client.until('pause');
  });

  it('does not stop at power-on after a restart without debugging', async () => {
    const { client } = story;
    await story.launch({ noDebug: true, stopOnEntry: true });
    await client.configured();
    await client.shows('vm$ ');
    client.serial = '';
    await client.request('restart');
    await client.shows('vm$ ');
    assert(!client.events.some((e) => e.event === 'stopped'));
  });

  it('begins nothing for a client that has gone while the images were read', async () => {
    const { client } = story;
    const launch = assert.rejects(client.launch({}), /The session is over/);
    await client.request('initialize', { adapterID: 'hyperstep' });
    await client.session.terminate();
    await launch;
    assert(!client.events.some((e) => e.event === 'initialized'));
    await assert.rejects(client.request('continue', { threadId: 1 }), /The session is over/);
  });

  it('takes one machine a session', async () => {
    await story.launch({});
    await assert.rejects(story.client.request('launch', {}), /has a machine already/);
  });

  it('is over for all who wait for it when it is over', async () => {
    const host = nodeHost();
    const { modified } = host.files;
    let slow = false;
    const client = new Client({ ...host, files: { ...host.files, modified: async (path) => (slow && (await new Promise((resolve) => setTimeout(resolve, 10))), modified(path)) } });
    await client.launch({});
    slow = true;
    void client.session.terminate();
    await client.session.terminate();
    assert(client.events.some((e) => e.event === 'terminated'));
  });

  it('restarts a frame for that reason', async () => {
    await story.launch({});
    await story.breakAt(lineWith('lab/vmm/vmexits.c', 'g->regs.rbx = ebx;'));
    await story.run(false);
    const [top] = await story.frames();
    assert.strictEqual((await story.client.until('restartFrame', { frameId: top!.id }))['reason'], 'restart');
  });
});

describe('DAP: what the extension adds', () => {
  let story: Story;
  beforeEach(() => (story = new Story()));
  afterEach(() => story.end());

  it('stops at the exits that are ticked in the view from the first on, and leaves out names that it does not know', async () => {
    await story.launch({ __breakOnExits: ['CPUID', 'NO_SUCH_EXIT'], __hexadecimal: true });
    await story.run(false);
    const { ticked, total } = await story.client.request<{ ticked: string[]; total: number }>('hyperstep/exits', {});
    assert.deepStrictEqual(ticked, ['CPUID']);
    assert.strictEqual(await story.client.request<{ byName: Record<string, number> }>('hyperstep/exits', {}).then((e) => e.byName['CPUID']), 1, `of ${total}`);
    assert.match((await story.client.request<{ result: string }>('evaluate', { expression: '16', context: 'watch' })).result, /^0x10$/);
  });

  it('tells of a condition in the view that is wrong, and starts', async () => {
    await story.launch({ __breakOnExits: ['CPUID', 'HLT'], __exitConditions: { CPUID: 'leaf ==', HLT: 'n > 2' } });
    await story.run(false);
    assert.match(story.client.console, /^The condition on CPUID exits, in the VM exits view, is wrong: The expression ends/m);
    assert.match(story.client.console, /^VM exit \d+: HLT/m);
  });

  it('tells a restart from steps back', async () => {
    const { client } = story;
    await story.launch({});
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_cpuid'));
    await story.run(false);
    await client.until('stepBack');
    const states = (): unknown[] => client.events.filter((e) => e.event === 'hyperstep/state').map((e) => e.body['what']);
    assert(!states().includes('restarted'));
    await client.until('restart');
    assert.strictEqual(states().filter((what) => what === 'restarted').length, 1);
  });

  it('tells no negative speed of a machine that goes back', async () => {
    const { client } = story;
    await story.launch({});
    await client.configured();
    await client.shows('vm$ ');
    await client.until('pause');
    await client.until('reverseContinue');
    const speeds = client.events.filter((e) => e.event === 'hyperstep/activity').map((e) => e.body['mips'] as number);
    assert(speeds.length > 0 && speeds.every((mips) => mips >= 0), speeds.join());
  });
});

describe('DAP: bytes and paths', () => {
  it('gives up a stream that is not the protocol, and says so once', () => {
    for (const [bytes, what] of [
      ['GET / HTTP/1.1\r\n\r\n', /a header without Content-Length/],
      ['Content-Length: 4\r\n\r\nnull', /a message that is no object/],
      ['Content-Length: 4\r\n\r\n{{{{', /a message that is not JSON/],
      ['x'.repeat(10_000), /a header without end/],
    ] as const) {
      const told: string[] = [];
      const reader = new MessageReader(() => assert.fail('nothing is a message'), (sentence) => void told.push(sentence));
      reader.push(Buffer.from(bytes));
      reader.push(Buffer.from(bytes));
      assert.strictEqual(told.length, 1);
      assert.match(told[0]!, what);
    }
  });

  it('takes messages that come in pieces', () => {
    const seen: unknown[] = [];
    const reader = new MessageReader((message) => void seen.push(message), assert.fail);
    for (const byte of Buffer.from('Content-Length: 12\r\n\r\n{"a":"\u00e4\u00e4"}Content-Length: 2\r\n\r\n{}')) reader.push(Buffer.of(byte));
    assert.deepStrictEqual(seen, [{ a: '\u00e4\u00e4' }, {}]);
  });

  it('writes paths as URIs for clients that want them, of Windows too', () => {
    const format = new ClientFormat();
    format.initialize({ adapterID: 'hyperstep', pathFormat: 'uri' });
    for (const [path, uri] of [
      ['/lab/a b/\u00fc#.c', 'file:///lab/a%20b/%C3%BC%23.c'],
      ['C:/lab/vmx.c', 'file:///C%3A/lab/vmx.c'],
      ['//server/share/x.c', 'file://server/share/x.c'],
    ] as const) {
      assert.strictEqual(format.path(path), uri);
      assert.strictEqual(format.fromPath(uri), path);
    }
    assert.strictEqual(format.path('C:\\lab\\vmx.c'), 'file:///C%3A/lab/vmx.c');
    assert.strictEqual(format.path('vscode-vfs://github/x'), 'vscode-vfs://github/x');
    assert.throws(() => format.fromPath('file:///100%'), /is no URI/);
  });
});
