// What the scripts of this folder share: running the command from its sources, and skipping where something is absent.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** Ends the script, successfully, with a sentence when a file is absent that a Debian package brings. */
export function needFile(file, packageName) {
  if (fs.existsSync(file)) return;
  console.log(`skipped: there is no ${file}; install Debian's ${packageName}.`);
  process.exit(0);
}

/** The same for a command. */
export function needCommand(command, packageName) {
  if (!spawnSync(command, ['--version']).error) return;
  console.log(`skipped: there is no command ${command}; install Debian's ${packageName}.`);
  process.exit(0);
}

/** `hyperstep run` with these words, for at most so many seconds. Yields its status, its output, and what --stats wrote. */
export function run(words, seconds) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-run-'));
  try {
    const file = path.join(folder, 'stats.json');
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', path.join(root, 'src/cli/main.ts'), 'run', ...words, '--timeout', String(seconds), '--stats', file], { cwd: root, encoding: 'utf8', timeout: (seconds + 30) * 1000, maxBuffer: 1 << 28 });
    return { status, stdout: stdout ?? '', stderr: stderr ?? '', stats: fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : undefined };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** One line about a run: what was to happen, whether it did, and what it took; the whole output where it did not. */
export function report(what, passed, { status, stdout, stderr, stats }) {
  const cost = stats ? `, ${Math.round(stats.instructions / 1e6)} M instructions, ${Number(stats.seconds).toFixed(1)} s` : '';
  console.log(`${passed ? 'ok' : 'FAILED'}: ${what}${cost}`);
  if (passed) return;
  console.log(`status ${status}\n${stdout}\n${stderr}`);
  process.exitCode = 1;
}
