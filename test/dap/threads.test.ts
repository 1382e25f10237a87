/** Several processors are threads: each with its stack and registers, stepped one by one. */
import assert from 'node:assert';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { RegistersResponse, VmcsResponse } from '../../src/adapter/messages';
import { STAGE1 } from '../unit/machinePrograms';
import { lineWith, Story } from './story';

const FIXTURES = path.resolve(__dirname, '../fixtures/smp');
const SOURCE = 'test/fixtures/smp/spinlock.s';

interface Body {
  threads: { id: number; name: string }[];
  stackFrames: { id: number; instructionPointerReference: string }[];
}

describe('DAP: several processors', () => {
  let story: Story;
  let folder: string;
  beforeEach(() => {
    story = new Story();
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-threads-'));
  });
  afterEach(async () => {
    await story.end();
    fs.rmSync(folder, { recursive: true });
  });

  /** A program on a boot disk. */
  function disk(program: string): void {
    const programs = JSON.parse(fs.readFileSync(path.join(FIXTURES, 'programs.json'), 'utf8')) as Record<string, string>;
    const disk = new Uint8Array(8 * 512);
    disk.set(STAGE1);
    // The boot sector reads two sectors: CMP EBX, 2 at the end of its loop.
    disk[Buffer.from(STAGE1).indexOf(Buffer.from('83fb02', 'hex')) + 2] = 7;
    disk.set([0x55, 0xaa], 510);
    disk.set(Buffer.from(programs[program]!, 'base64'), 512);
    fs.writeFileSync(path.join(folder, 'disk.img'), disk);
  }
  /** The spin-lock program. */
  async function launch(cpus: number, more: object = {}): Promise<void> {
    disk('spinlock');
    await story.launch({ machine: { cpus, memory: '2M' }, boot: { disk: path.join(folder, 'disk.img') }, symbols: [path.join(FIXTURES, 'spinlock.elf')], cwd: FIXTURES, ...more });
  }
  const threads = async (): Promise<void> => {
    const body = await story.client.request<Body>('threads');
    story.tell(body.threads.map(({ id, name }) => `thread ${id}: ${name}`).join('\n'));
  };
  const pc = async (threadId: number): Promise<string> => (await story.client.request<Body>('stackTrace', { threadId })).stackFrames[0]!.instructionPointerReference;

  it('a breakpoint stops at the processor that reaches it; each thread has its own stack and registers', async () => {
    await launch(3);
    await story.breakAt(lineWith(SOURCE, 'lock inc dword ptr [RESULTS+12]'));
    await story.run();
    const reached = [story.thread];
    await threads();
    for (const thread of [1, 2, 3]) {
      story.thread = thread;
      await story.stack();
      await story.evaluate('$rbx');
      await story.scope('Registers', { path: ['General'], only: /^rsp$/ });
    }
    for (let i = 0; i < 2; i++) {
      await story.until('continue');
      reached.push(story.thread);
    }
    assert.deepStrictEqual(reached.sort(), [1, 2, 3], 'each comes there once');
    story.expect('threads-breakpoint');
  });

  it('every processor\'s VMCS is listed, told as its processor has it, and stays watched there', async () => {
    disk('vmx');
    const { client } = story;
    await client.launch({ machine: { cpus: 2, memory: '2M' }, boot: { disk: path.join(folder, 'disk.img') }, breakOnExit: ['VMCALL if number == 1'], vmxChecks: false });
    const stopped = client.next('stopped');
    await client.configured();
    await stopped;
    for (let i = 0; i < 3; i++) await client.until('continue');
    const { list, address } = await client.request<VmcsResponse>('hyperstep/vmcs', {});
    const other = list.find((vmcs) => vmcs.address !== address)!;
    assert.deepStrictEqual(list.map(({ current, currentOn, launched }) => [current, currentOn, launched]).sort(), [[false, 0, true], [true, undefined, true]]);
    const { groups } = await client.request<VmcsResponse>('hyperstep/vmcs', { address: other.address });
    const reason = groups.flatMap((g) => g.entries).find(({ name }) => name === 'VM_EXIT_REASON')!;
    // In its region there are no fields before it is cleared.
    assert.match(reason.value, /^VMCALL/);
    await client.request('setExceptionBreakpoints', { filters: [] });
    await client.request('hyperstep/breakOnData', { watched: reason.breakable, access: 'read' });
    const read = await client.until('continue');
    assert.deepStrictEqual([read['threadId'], read['reason']], [1, 'data breakpoint'], 'of the processor whose VMCS it is');
  });

  it('a program of assembly, with what it includes, has no C to run on to at a VM exit', async () => {
    await launch(2);
    await story.breakAt(lineWith(SOURCE, 'lock inc dword ptr [RESULTS+12]'));
    await story.run();
    const { target } = story.client.session.debugger;
    assert.ok(target.code.lineAt('vmm', target.cpu.state.rip));
    assert.strictEqual(target.code.isCompiled('vmm', target.cpu.state.rip), false);
  });

  it('registers and VMCS are told of the processor that is asked for', async () => {
    disk('vmx');
    const { client } = story;
    await client.launch({ machine: { cpus: 2, memory: '2M' }, boot: { disk: path.join(folder, 'disk.img') }, breakOnExit: ['VMCALL if number == 1'], vmxChecks: false });
    const stopped = client.next('stopped');
    const told = client.next('hyperstep/state', ({ what }) => what === 'stopped');
    await client.configured();
    await stopped;
    const { cpu, cpus } = await told;
    assert.deepStrictEqual([cpu, cpus], [1, 2]);
    await client.until('continue');
    const rbx = async (of: number): Promise<string> => {
      const { worlds } = await client.request<RegistersResponse>('hyperstep/registers', { cpu: of });
      return worlds[0]!.groups.flatMap((g) => g.entries).find(({ name }) => name === 'rbx')!.value;
    };
    assert.deepStrictEqual([await rbx(0), await rbx(1)].map(Number), [0, 1], 'its number is in EBX');
    assert.deepStrictEqual([(await client.request<VmcsResponse>('hyperstep/vmcs', { cpu: 0 })).address, (await client.request<VmcsResponse>('hyperstep/vmcs', { cpu: 1 })).address], ['0x61000', '0x63000']);
    await assert.rejects(client.request('hyperstep/vmcs', { cpu: 5 }), /There is no thread 6/);
  });

  it('a data breakpoint stays with its processor when the client sets all anew from another', async () => {
    await launch(2);
    await story.breakAt(lineWith(SOURCE, 'lock inc dword ptr [RESULTS+12]'));
    await story.run();
    const { client } = story;
    const of = story.thread;
    await client.request('stackTrace', { threadId: of });
    const watch = (): Promise<unknown> => client.request('setDataBreakpoints', { breakpoints: [{ dataId: '$vmm.rcx $rcx', accessType: 'write' }] });
    await watch();
    const cpus = (): number[] => (client.session.debugger.data as unknown as { all: { cpu: number }[] }).all.map(({ cpu }) => cpu);
    const [first] = cpus();
    const { stackFrames } = await client.request<Body>('stackTrace', { threadId: of === 1 ? 2 : 1 });
    await client.request('scopes', { frameId: stackFrames[0]!.id });
    await watch();
    assert.deepStrictEqual(cpus(), [first]);
  });

  it('a processor that nobody has started cannot be stepped', async () => {
    await launch(2, { stopOnEntry: true });
    await story.run();
    await threads();
    await assert.rejects(story.client.request('next', { threadId: 2 }), /CPU 1 waits to be started/);
    story.expect('threads-unstarted');
  });

  it('a step is of one thread, and the others run along', async () => {
    await launch(2);
    await story.breakAt(lineWith(SOURCE, 'nop'));
    await story.run();
    const { client } = story;
    await client.request('setBreakpoints', { source: { path: path.join(FIXTURES, 'spinlock.s') }, breakpoints: [] });
    for (const threadId of [1, 2, 2, 1]) {
      const before = await pc(threadId);
      const stopped = await client.until('next', { threadId, granularity: 'instruction' });
      assert.strictEqual(stopped.threadId, threadId);
      assert.strictEqual(stopped.allThreadsStopped, true);
      assert.notStrictEqual(await pc(threadId), before);
    }
    // By line, through code that waits for the other processor.
    for (let i = 0; i < 12; i++) await story.until('next', { threadId: 2 });
    story.expect('threads-steps');
  });

  it('another processor\'s breakpoint ends a step, and stepping goes back in time for a thread too', async () => {
    await launch(2);
    await story.breakAt(lineWith(SOURCE, 'inc edx'));
    await story.run();
    const { client } = story;
    // Thread 1 holds the lock until it is let on: thread 2 can only spin, whatever is stepped there.
    const before = await pc(1);
    const stopped = await client.until('next', { threadId: 1, granularity: 'instruction' });
    assert.deepStrictEqual([stopped.reason, stopped.threadId], ['step', 1]);
    const back = await client.until('stepBack', { threadId: 1, granularity: 'instruction' });
    assert.strictEqual(back.threadId, 1);
    assert.strictEqual(await pc(1), before);
    await assert.rejects(client.request('next', { threadId: 3 }), /There is no thread 3: the machine has 2 processors, threads 1 to 2/);
    await assert.rejects(client.request('stackTrace', { threadId: 9 }), /There is no thread 9/);
    story.expect('threads-others');
  });
});
