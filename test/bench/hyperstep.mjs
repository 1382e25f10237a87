// The built command line as a user runs it: boots disk images and tells when texts appeared on the serial console.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment } from './environment.mjs';

const CLI = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../dist/cli.js');

/** As runBochs in ../bochs/bochs.mjs, with what --stats says. Resolves to `{ console, seconds, stats }`: the time of each text since the start of the process, and what --stats says. */
export async function runHyperstep({ drives, texts, type = [], timeout }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-run-'));
  const stats = path.join(folder, 'stats.json');
  const args = ['run', '--memory', '128M', ...drives.flatMap((d) => ['--disk', d]), ...texts.flatMap((t, i) => ['--expect', t, ...(type[i] ? ['--type', type[i]] : [])]), '--timeout', String(timeout), '--stats', stats];
  const started = performance.now();
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
  let shown = '';
  let from = 0;
  let errors = '';
  const seconds = [];
  child.stdout.on('data', (chunk) => {
    shown += chunk.toString('latin1');
    for (let at; seconds.length < texts.length && (at = shown.indexOf(texts[seconds.length], from)) >= 0; ) {
      from = at + texts[seconds.length].length;
      seconds.push((performance.now() - started) / 1000);
    }
  });
  child.stderr.on('data', (chunk) => (errors += chunk));
  const status = await new Promise((resolve) => child.on('close', resolve));
  const result = { console: shown, seconds, status, errors, stats: fs.existsSync(stats) ? JSON.parse(fs.readFileSync(stats, 'utf8')) : undefined };
  fs.rmSync(folder, { recursive: true, force: true });
  return result;
}
