// Runs the lab under Debian's Bochs 2.7: another machine's word that the images are right. Prints the console and the
// wall seconds until the signpost appeared.
//
//   node test/bochs/lab.mjs [--images lab/images] [--state complete] [--expect TEXT] [--timeout SECONDS] [--json]
//
// Ends with 0 when the signpost appeared, or when Bochs is not installed (and says so); else with 1.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BOCHS_ROMS = '/usr/share/bochs';

/** How each state of the lab ends. */
const SIGNPOSTS = {
  reason: 'Unhandled VMEXIT, aborting guest.',
  cpuid: 'cpuid not implemented',
  disk: 'ipc_host_send not implemented',
  complete: 'vm$',
};

const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/** Bochs detects the geometry of a flat image by its size, and wants whole cylinders. */
function copyPadded(from, to) {
  const cylinder = 16 * 63 * 512;
  const bytes = fs.readFileSync(from);
  fs.writeFileSync(to, Buffer.concat([bytes, Buffer.alloc(Math.ceil(bytes.length / cylinder) * cylinder - bytes.length)]));
}

function configuration(folder) {
  return [
    'megs: 128',
    `romimage: file=${BOCHS_ROMS}/BIOS-bochs-latest`,
    `vgaromimage: file=${BOCHS_ROMS}/VGABIOS-lgpl-latest`,
    'cpu: model=corei7_haswell_4770, count=1, ips=50000000, reset_on_triple_fault=0',
    'clock: sync=none, time0=946681200',
    'ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14',
    `ata0-master: type=disk, mode=flat, path="${folder}/vmm.img"`,
    `ata0-slave: type=disk, mode=flat, path="${folder}/guest.img"`,
    'boot: disk',
    `com1: enabled=1, mode=file, dev="${folder}/serial"`,
    'display_library: term',
    `log: ${folder}/log`,
    'panic: action=fatal',
    'error: action=report',
    'info: action=ignore',
    'debug: action=ignore',
    '',
  ].join('\n');
}

/** Runs until the text shows on the serial port. Resolves to `{ console, seconds }`; seconds is undefined when time ran out. */
async function run(images, expect, timeout) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-bochs-'));
  for (const image of ['vmm.img', 'guest.img']) copyPadded(path.join(images, image), path.join(folder, image));
  fs.writeFileSync(path.join(folder, 'rc'), configuration(folder));
  fs.writeFileSync(path.join(folder, 'commands'), 'c\n'); // Debian's build has the debugger in: it waits for a command
  const serial = () => (fs.existsSync(path.join(folder, 'serial')) ? fs.readFileSync(path.join(folder, 'serial'), 'latin1') : '');
  // The terminal display wants a terminal: script makes one.
  const child = spawn('script', ['-qfec', `bochs -q -f ${folder}/rc -rc ${folder}/commands`, '/dev/null'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { ...process.env, TERM: 'xterm' },
  });
  const started = performance.now();
  let ended = false;
  child.on('exit', () => (ended = true));
  let seconds;
  while (!ended && performance.now() - started < timeout * 1000) {
    if (serial().includes(expect)) {
      seconds = (performance.now() - started) / 1000;
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
  const log = fs.existsSync(path.join(folder, 'log')) ? fs.readFileSync(path.join(folder, 'log'), 'latin1') : '';
  const result = { console: serial(), seconds, log };
  fs.rmSync(folder, { recursive: true, force: true });
  return result;
}

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: path.join(ROOT, 'lab/images') },
    state: { type: 'string', default: 'complete' },
    expect: { type: 'string' },
    timeout: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});

if (!has('bochs') || !has('script') || !fs.existsSync(BOCHS_ROMS)) {
  console.log(values.json ? JSON.stringify({ skipped: 'Bochs is not installed' }) : 'Skipped: Bochs is not installed (apt-get install bochs bochs-term).');
} else {
  const expect = values.expect ?? SIGNPOSTS[values.state] ?? 'vm$';
  const result = await run(path.join(values.images, values.state), expect, Number(values.timeout));
  if (values.json) {
    console.log(JSON.stringify({ state: values.state, expect, seconds: result.seconds ?? null }));
  } else {
    process.stdout.write(result.console.replaceAll('\r', '') + '\n');
    if (result.seconds === undefined) console.log(result.log.split('\n').filter((line) => /PANIC|\(0\).\[|[eE]rror|>>PANIC<</.test(line)).slice(-20).join('\n'));
    console.log(result.seconds === undefined ? `Bochs did not show '${expect}'.` : `Bochs showed '${expect}' after ${result.seconds.toFixed(2)} s.`);
  }
  if (result.seconds === undefined) process.exitCode = 1;
}
