/** The adapter as a process and as a server, driven by VS Code's own test client. */
import assert from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import { nodeHost } from '../../src/adapter/hosts/nodeHost';
import { serveSocket } from '../../src/adapter/hosts/socket';
import { marked } from './story';

const ROOT = path.resolve(__dirname, '../..');

/** A process starts slowly where others are busy; what does not come within this time never will. */
const PATIENCE_MS = 40_000;

/** A client over the standard streams of a process. */
class ProcessClient extends DebugClient {
  talkTo(child: ChildProcess): void {
    this.connect(child.stdout!, child.stdin!);
  }
}

/** The conversation that every client has, from launch to the exit handler. */
async function toCpuid(client: DebugClient): Promise<void> {
  client.defaultTimeout = PATIENCE_MS;
  const { source, line } = marked('lab/vmm/vmexits.c', 'in handle_cpuid');
  const initialized = client.waitForEvent('initialized');
  await client.initializeRequest();
  await Promise.all([client.launchRequest({ type: 'hyperstep', request: 'launch', name: 'test', boot: { lab: true } } as never), initialized]);
  const { body } = await client.setBreakpointsRequest({ source, breakpoints: [{ line }] });
  assert(body.breakpoints[0]!.verified);
  const stopped = client.waitForEvent('stopped');
  await client.configurationDoneRequest();
  assert.strictEqual((await stopped).body.reason, 'breakpoint');
  const { stackFrames } = (await client.stackTraceRequest({ threadId: 1 })).body;
  assert.strictEqual(stackFrames[0]!.name, 'handle_cpuid');
  assert.strictEqual(stackFrames[0]!.source!.path, source.path);
}

describe('DAP: as a process and as a server', () => {
  it('talks over standard input and output, and ends after disconnect', async () => {
    const client = new ProcessClient('node', '', 'hyperstep');
    const child: ChildProcess = spawn(process.execPath, ['--require', 'tsx/cjs', 'src/adapter/hosts/stdio.ts'], { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] });
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    try {
      client.talkTo(child);
      await toCpuid(client);
      await client.disconnectRequest({});
      assert.strictEqual(await exited, 0);
    } finally {
      child.kill();
    }
  });

  it('serves sessions on a port of this machine, one machine each', async () => {
    const { server, port } = await serveSocket(() => nodeHost(), 0);
    try {
      const clients = [new DebugClient('node', '', 'hyperstep'), new DebugClient('node', '', 'hyperstep')];
      await Promise.all(clients.map((c) => c.start(port)));
      await Promise.all(clients.map(toCpuid));
      await Promise.all(clients.map((c) => c.disconnectRequest({})));
    } finally {
      server.close();
    }
  });

  it('names a port that is taken', async () => {
    const taken = net.createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as net.AddressInfo;
    await assert.rejects(serveSocket(() => nodeHost(), port), new RegExp(`Port ${port} cannot be used`));
    taken.close();
  });
});
