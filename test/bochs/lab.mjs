// Runs the lab under Debian's Bochs 2.7: another machine's word that the images are right. Prints the console and the
// wall seconds until the signpost appeared.
//
//   node test/bochs/lab.mjs [--images lab/images] [--state complete] [--expect TEXT] [--timeout SECONDS] [--json]
//
// Ends with 0 when the signpost appeared, or when Bochs is not installed (and says so); else with 1.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bochsIsThere, runBochs } from './bochs.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** How each state of the lab ends. */
const SIGNPOSTS = {
  reason: 'Unhandled VMEXIT, aborting guest.',
  cpuid: 'cpuid not implemented',
  disk: 'ipc_host_send not implemented',
  complete: 'vm$',
};

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: path.join(ROOT, 'lab/images') },
    state: { type: 'string', default: 'complete' },
    expect: { type: 'string' },
    timeout: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});

if (!bochsIsThere()) {
  console.log(values.json ? JSON.stringify({ skipped: 'Bochs is not installed' }) : 'Skipped: Bochs is not installed (apt-get install bochs bochs-term).');
} else {
  const expect = values.expect ?? SIGNPOSTS[values.state] ?? 'vm$';
  const drives = ['vmm.img', 'guest.img'].map((name) => path.join(values.images, values.state, name));
  const { console: text, log, seconds } = await runBochs({ drives, texts: [expect], timeout: Number(values.timeout) });
  if (values.json) {
    console.log(JSON.stringify({ state: values.state, expect, seconds: seconds[0] ?? null }));
  } else {
    process.stdout.write(text.replaceAll('\r', '') + '\n');
    if (seconds.length === 0) console.log(log.split('\n').filter((line) => /PANIC|\(0\).\[|[eE]rror|>>PANIC<</.test(line)).slice(-20).join('\n'));
    console.log(seconds.length === 0 ? `Bochs did not show '${expect}'.` : `Bochs showed '${expect}' after ${seconds[0].toFixed(2)} s.`);
  }
  if (seconds.length === 0) process.exitCode = 1;
}
