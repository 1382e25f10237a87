// Debian's Bochs 2.7 as another machine to compare with: runs disk images and tells when texts appeared on the serial port.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const BOCHS_ROMS = '/usr/share/bochs';

const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/** Whether Bochs and what it needs are installed. */
export const bochsIsThere = () => has('bochs') && has('script') && fs.existsSync(BOCHS_ROMS);

/** Bochs detects the geometry of a flat image by its size, and wants whole cylinders. */
function copyPadded(from, to) {
  const cylinder = 16 * 63 * 512;
  const bytes = fs.readFileSync(from);
  fs.writeFileSync(to, Buffer.concat([bytes, Buffer.alloc(Math.ceil(bytes.length / cylinder) * cylinder - bytes.length)]));
}

function configuration(folder, drives) {
  return [
    'megs: 128',
    `romimage: file=${BOCHS_ROMS}/BIOS-bochs-latest`,
    `vgaromimage: file=${BOCHS_ROMS}/VGABIOS-lgpl-latest`,
    'cpu: model=corei7_haswell_4770, count=1, ips=50000000, reset_on_triple_fault=0',
    'clock: sync=none, time0=946681200',
    'ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14',
    ...drives.map((drive, i) => `ata0-${i === 0 ? 'master' : 'slave'}: type=disk, mode=flat, path="${drive}"`),
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

/**
 * Boots from up to two drives and watches the serial port until all texts have shown, in order, or `timeout` seconds
 * have passed. Resolves to `{ console, log, seconds }`, `seconds` with the time of each text that showed.
 */
export async function runBochs({ drives, texts, timeout }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-bochs-'));
  const copies = drives.map((image, i) => path.join(folder, `drive${i}.img`));
  drives.forEach((image, i) => copyPadded(image, copies[i]));
  fs.writeFileSync(path.join(folder, 'rc'), configuration(folder, copies));
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
  const seconds = [];
  while (!ended && seconds.length < texts.length && performance.now() - started < timeout * 1000) {
    while (seconds.length < texts.length && serial().includes(texts[seconds.length])) seconds.push((performance.now() - started) / 1000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
  const log = fs.existsSync(path.join(folder, 'log')) ? fs.readFileSync(path.join(folder, 'log'), 'latin1') : '';
  const result = { console: serial(), log, seconds };
  fs.rmSync(folder, { recursive: true, force: true });
  return result;
}
