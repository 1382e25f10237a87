// What the scripts of this folder share: running the built command, counting checks as mocha does, and skipping where
// something is absent.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const CLI = path.join(root, 'dist/cli.js');
/** How much of a console is shown when a check fails. */
const CONSOLE_END = 4000;
/** Seconds that the process gets for its end beyond those of the run. */
const GRACE = 30;

let passed = 0;
let failed = 0;
process.on('exit', () => {
  if (passed + failed === 0) return;
  console.log(`  ${passed} passing`);
  if (failed > 0) {
    console.log(`  ${failed} failing`);
    process.exitCode ||= 1;
  }
});

/** Ends the script with a sentence: what it needs is not there, which is no failure. */
export function skip(why) {
  console.log(`skipped: ${path.basename(process.argv[1])}: ${why}.`);
  process.exit();
}

/** Skips the script when a file is absent that a Debian package brings. */
export function needFile(file, packageName) {
  if (!fs.existsSync(file)) skip(`there is no ${file}; install Debian's ${packageName}`);
}

/** The same for a command. */
export function needCommand(command, packageName) {
  if (spawnSync(command, ['--version']).error) skip(`there is no command ${command}; install Debian's ${packageName}`);
}

/** A folder that is removed when the script ends. */
export function temporaryFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-real-test-'));
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * `hyperstep run` with these words, for at most so many seconds. Yields its status, its output, and what --stats wrote;
 * `show` also shows the console while it runs.
 */
export async function run(words, seconds, { show = false } = {}) {
  if (!fs.existsSync(CLI)) throw new Error('dist/cli.js is not there: run "npm run build" first.');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-run-'));
  try {
    const file = path.join(folder, 'stats.json');
    const child = spawn(process.execPath, [CLI, 'run', ...words, '--timeout', String(seconds), '--stats', file], { stdio: ['ignore', 'pipe', 'pipe'], timeout: (seconds + GRACE) * 1000 });
    const output = { stdout: [], stderr: [] };
    for (const stream of ['stdout', 'stderr'])
      child[stream].on('data', (chunk) => {
        output[stream].push(chunk);
        if (show) process.stdout.write(chunk);
      });
    const status = await new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
    const text = (stream) => Buffer.concat(output[stream]).toString('latin1').replaceAll('\r', '');
    return { status, stdout: text('stdout'), stderr: text('stderr'), stats: fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : undefined };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** One check: what was to happen, and sentences about what did not; the run that it is about says what it took. */
export function check(what, failures, { status, stdout, stderr, stats }) {
  const cost = stats ? `, ${Math.round(stats.instructions / 1e6)} million instructions in ${Number(stats.seconds).toFixed(1)} s, ${Number(stats.mips).toFixed(0)} MIPS` : '';
  console.log(`${failures.length === 0 ? 'ok' : 'FAILED'}: ${what}${cost}`);
  if (failures.length === 0) {
    passed++;
    return;
  }
  failed++;
  console.log([...failures, `status ${status}, the console's end:`, stdout.slice(-CONSOLE_END), stderr].join('\n'));
}

/** The texts that a console has not shown, in their order, as sentences. */
export function missing(shown, texts) {
  let from = 0;
  return texts.flatMap((text) => {
    const at = shown.indexOf(text, from);
    if (at >= 0) from = at + text.length;
    return at < 0 ? [`the console has not shown ${JSON.stringify(text)}`] : [];
  });
}
