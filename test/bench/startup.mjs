// What it costs before the first instruction: time to start the command line with a machine in it, and the memory of the process
// with little and with much RAM configured.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment } from './environment.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const CLI = path.resolve(HERE, '../../dist/cli.js');

/** Runs the command line with arguments. Resolves to `{ seconds, mebibytes }`. */
async function run(args) {
  const started = performance.now();
  const child = spawn(process.execPath, ['--import', path.join(HERE, 'usage.mjs'), CLI, ...args], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], env: environment });
  let said = '';
  child.stdio[3].on('data', (chunk) => (said += chunk));
  await new Promise((resolve) => child.on('close', resolve));
  return { seconds: (performance.now() - started) / 1000, mebibytes: Number(said) / 1024 };
}

/** Runs one instruction of an image. Resolves to `{ seconds, mebibytes }`. */
export const startUp = (image, memory) => run(['run', '--disk', image, '--memory', memory, '--max-instructions', '1']);

/** Loads the same program and makes no machine. Resolves to seconds. */
export const startAlone = async () => (await run(['--version'])).seconds;
