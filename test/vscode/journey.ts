/** The hooks of a suite that goes through one window of VS Code step by step; each step leaves a picture. */
import fs from 'node:fs';
import path from 'node:path';
import { install, type Installation } from './install';
import { packExtension, ROOT, Server, type HostKind, type ServerOptions } from './server';
import { Workbench } from './workbench';

const INSTALL_MS = 15 * 60_000;

let packed: Promise<{ installation: Installation; vsix: string }> | undefined;

async function pack(): Promise<{ installation: Installation; vsix: string }> {
  const installation = await install();
  return { installation, vsix: await packExtension(installation) };
}

export interface Journey {
  /** There from the first step on. */
  vscode: Workbench;
  /** The folder that is opened: the lab as a student has it, sources and images, no launch.json. */
  workspace: string;
}

/** Opens the lab before the suite's first step. Steps build on one another: after a failure the rest is skipped. */
export function journey(kind: HostKind, name: string, sideBarWider: number, fill: (workspace: string) => void = () => undefined, options: ServerOptions = {}): Journey {
  const window = {} as Journey;
  let server: Server | undefined;
  let failed = false;

  before(async function () {
    this.timeout(INSTALL_MS);
    const { installation, vsix } = await (packed ??= pack());
    server = await Server.start(installation, vsix, kind, (workspace) => {
      fs.cpSync(path.join(ROOT, 'lab'), workspace, { recursive: true });
      fill(workspace);
    }, options);
    window.workspace = server.workspace;
    window.vscode = await Workbench.open(server.url, server.workspace, name);
    await window.vscode.widenSideBar(sideBarWider);
  });
  after(async () => {
    await window.vscode?.close();
    await server?.stop();
  });
  beforeEach(function () {
    if (failed) this.skip();
  });
  afterEach(async function () {
    const { title, state } = this.currentTest!;
    if (state === 'pending') return;
    failed ||= state === 'failed';
    await window.vscode.screenshot(title.replace(/[^a-z0-9]+/gi, '-'));
  });
  return window;
}
