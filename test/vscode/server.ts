/** A VS Code server with fresh folders and the packaged extension installed. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from './install';

const run = promisify(execFile);

export const ROOT = path.resolve(__dirname, '../..');
/** Screenshots and logs, not part of the repository. */
export const OUT = path.join(__dirname, 'out');

export type HostKind = 'node' | 'web';

/** What a server has otherwise than usual. */
export interface ServerOptions {
  /** Name of the folder that is opened. */
  folder?: string;
  /** Settings besides, or instead of, those that all have. */
  settings?: Record<string, unknown>;
  /** Folders are to be trusted by the user first. */
  trust?: boolean;
}

const START_MS = 180_000;

/** Packs the extension as for the marketplace; what .vscodeignore leaves out is then missing in the tests too. */
export async function packExtension({ node, vsce }: Installation): Promise<string> {
  const vsix = path.join(OUT, 'hyperstep.vsix');
  fs.mkdirSync(OUT, { recursive: true });
  fs.rmSync(vsix, { force: true });
  await run(node, [vsce, 'package', '--no-dependencies', '--allow-missing-repository', '--skip-license', '--no-rewrite-relative-links', '--out', vsix], { cwd: ROOT, timeout: START_MS, maxBuffer: 1 << 26 });
  return vsix;
}

export class Server {
  #process: ChildProcess;
  readonly #scratch: string;

  private constructor(
    process: ChildProcess,
    scratch: string,
    readonly url: string,
    /** The folder that is opened. */
    readonly workspace: string,
  ) {
    this.#process = process;
    this.#scratch = scratch;
  }

  /** Installs the extension into an empty VS Code and starts it; `fill` puts files into the folder to open. */
  static async start(installation: Installation, vsix: string, kind: HostKind, fill: (workspace: string) => void, { folder = 'workspace', settings: more = {}, trust = false }: ServerOptions = {}): Promise<Server> {
    const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-test-'));
    const [data, extensions, workspace] = ['data', 'extensions', folder].map((name) => path.join(scratch, name));
    fs.mkdirSync(path.join(data, 'User'), { recursive: true });
    fs.mkdirSync(workspace);
    fill(workspace);
    fs.writeFileSync(path.join(data, 'User/settings.json'), JSON.stringify({ ...settings(kind), 'security.workspace.trust.enabled': trust, ...more }, undefined, 2));
    fs.writeFileSync(path.join(scratch, 'config.yaml'), 'auth: none\n');
    const common = [installation.codeServer, '--config', path.join(scratch, 'config.yaml'), '--user-data-dir', data, '--extensions-dir', extensions];
    const env = { ...process.env, PATH: `${path.dirname(installation.node)}${path.delimiter}${process.env.PATH}` };
    await run(installation.node, [...common, '--install-extension', vsix], { env, timeout: START_MS });

    const port = await freePort();
    const options = ['--bind-addr', `127.0.0.1:${port}`, '--auth', 'none', '--disable-telemetry', '--disable-update-check', '--disable-getting-started-override', ...(trust ? [] : ['--disable-workspace-trust'])];
    const log = fs.openSync(path.join(OUT, `server-${kind}.log`), 'w');
    const child = spawn(installation.node, [...common, ...options], { env, stdio: ['ignore', log, log], detached: true });
    const server = new Server(child, scratch, `http://127.0.0.1:${port}`, workspace);
    try {
      await server.#healthy();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async #healthy(): Promise<void> {
    const deadline = Date.now() + START_MS;
    while (Date.now() < deadline && this.#process.exitCode === null) {
      const answer = await fetch(`${this.url}/healthz`).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`The VS Code server did not start within ${START_MS / 1000} s: see test/vscode/out.`);
  }

  /** Ends the server with all that it has started, and removes its folders. */
  async stop(): Promise<void> {
    const { pid } = this.#process;
    if (pid !== undefined && this.#process.exitCode === null) {
      const gone = new Promise((resolve) => this.#process.once('exit', resolve));
      process.kill(-pid, 'SIGTERM');
      const late = setTimeout(() => process.kill(-pid, 'SIGKILL'), 5_000);
      await gone;
      clearTimeout(late);
    }
    fs.rmSync(this.#scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What makes the user interface the same in every run. */
const settings = (kind: HostKind): Record<string, unknown> => ({
  ...(kind === 'web' ? { 'remote.extensionKind': { 'hyperstep.hyperstep': ['web'] } } : {}),
  'workbench.startupEditor': 'none',
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'window.commandCenter': false,
  'extensions.ignoreRecommendations': true,
  'telemetry.telemetryLevel': 'off',
  'terminal.integrated.gpuAcceleration': 'off',
  'terminal.integrated.accessibleViewPreserveCursorPosition': true,
  'debug.toolBarLocation': 'docked',
  'editor.minimap.enabled': false,
  'git.enabled': false,
});

/** A TCP port that is free now. */
async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
