/** GDB beside the editor: both see one machine, either lets it go on, both are told of the stop. */
import assert from 'node:assert';
import net from 'node:net';
import { frame, PacketReader } from '../../src/gdb/framing';
import { marked, Story } from './story';

describe('DAP: GDB beside the editor', () => {
  let story: Story;
  let socket: net.Socket | undefined;
  beforeEach(() => (story = new Story()));
  afterEach(async () => {
    socket?.destroy();
    await story.end();
  });

  it('both run the machine and are told of its stops', async () => {
    const { client } = story;
    await story.launch({ gdbPort: 0, breakOnExit: ['CPUID'] });
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(client.console)?.[1]);
    const stopped = client.next('stopped');
    await client.configured();
    await stopped;
    const replies: string[] = [];
    let waiting: ((reply: string) => void) | undefined;
    const reader = new PacketReader({ packet: (reply) => (reply.startsWith('O') && reply !== 'OK' ? undefined : waiting ? waiting(reply) : replies.push(reply)), interrupt: () => {}, damaged: () => assert.fail(), repeat: () => assert.fail() });
    socket = net.connect(port, '127.0.0.1').on('data', (bytes) => reader.bytes(bytes));
    const ask = (packet: string): Promise<string> => new Promise((resolve) => {
      waiting = (reply) => ((waiting = undefined), resolve(reply));
      socket!.write(frame(packet));
    });
    assert.match(await ask('?'), /^T05/);
    const pc = (await client.request<{ stackFrames: { instructionPointerReference: string }[] }>('stackTrace', { threadId: 1 })).stackFrames[0]!.instructionPointerReference;
    const rip = await ask('p10');
    assert.strictEqual(`vmm:0x${rip.match(/../g)!.reverse().join('')}`, pc);
    // GDB lets the machine go on; the editor's breakpoint stops it for both.
    const place = marked('lab/vmm/vmexits.c', 'in handle_vmcall');
    await client.request('setBreakpoints', { source: place.source, breakpoints: [{ line: place.line }] });
    const goes = client.next('continued');
    const editor = client.next('stopped');
    const gdb = ask('c');
    await goes;
    assert.strictEqual((await editor)['reason'], 'breakpoint');
    assert.match(await gdb, /^T05/);
    // The editor lets it go on: GDB is told when it asks.
    await client.request('setBreakpoints', { source: place.source, breakpoints: [] });
    await client.request('continue', { threadId: 1 });
    assert.match(await ask('g'), /^E\.The machine runs: the editor/);
    await client.until('pause');
    assert.match(await ask('?'), /^T/);
  });

  it('ends the connection with the session', async () => {
    await story.launch({ gdbPort: 0 });
    const gdb = (socket = net.connect(Number(/127\.0\.0\.1:(\d+)/.exec(story.client.console)?.[1]), '127.0.0.1'));
    await new Promise((resolve) => gdb.once('connect', resolve));
    const closed = new Promise((resolve) => gdb.resume().once('close', resolve));
    await story.client.request('terminate');
    await closed;
  });

  it('refuses a port that cannot be', async () => {
    await assert.rejects(story.launch({ gdbPort: 70_000 }), /"gdbPort" is 70000, but must be a port/);
  });
});
