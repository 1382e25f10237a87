// Debian's Bochs 2.7 as another machine to compare with: runs disk images and tells when texts appeared on the serial port.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
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

function configuration(folder, drives, port, cpu) {
  return [
    'megs: 128',
    `romimage: file=${BOCHS_ROMS}/BIOS-bochs-latest`,
    `vgaromimage: file=${BOCHS_ROMS}/VGABIOS-lgpl-latest`,
    `cpu: model=${cpu}, count=1, ips=50000000, reset_on_triple_fault=0`,
    'clock: sync=none, time0=946681200',
    'ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14',
    ...drives.map((drive, i) => `ata0-${i === 0 ? 'master' : 'slave'}: type=disk, mode=flat, path="${drive}"`),
    'boot: disk',
    // Bochs waits for the connection before it powers on.
    `com1: enabled=1, mode=socket-server, dev=localhost:${port}`,
    'display_library: term',
    `log: ${folder}/log`,
    'panic: action=fatal',
    'error: action=report',
    'info: action=ignore',
    'debug: action=ignore',
    '',
  ].join('\n');
}

/** A TCP port of the loopback that is free at present. */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Connects as soon as somebody listens; undefined when `giveUp()` says so. */
async function connect(port, giveUp) {
  while (!giveUp()) {
    const socket = await new Promise((resolve) => {
      const s = net.connect({ port, host: 'localhost' }, () => resolve(s)).on('error', () => resolve(undefined));
    });
    if (socket) return socket;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return undefined;
}

/**
 * Boots from up to two drives and watches the serial port until all texts have shown, in order, or `timeout` seconds
 * have passed. `cpu` is one of Bochs' models. `type[i]` is typed when text i has shown. Resolves to `{ console, log, seconds }`, `seconds` with the time
 * of each text that showed.
 */
export async function runBochs({ drives, texts, type = [], timeout, cpu = 'corei7_haswell_4770' }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-bochs-'));
  const copies = drives.map((image, i) => path.join(folder, `drive${i}.img`));
  drives.forEach((image, i) => copyPadded(image, copies[i]));
  const port = await freePort();
  fs.writeFileSync(path.join(folder, 'rc'), configuration(folder, copies, port, cpu));
  fs.writeFileSync(path.join(folder, 'commands'), 'c\n'); // Debian's build has the debugger in: it waits for a command
  const started = performance.now();
  // The terminal display wants a terminal: script makes one.
  const child = spawn('script', ['-qfec', `bochs -q -f ${folder}/rc -rc ${folder}/commands`, '/dev/null'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { ...process.env, TERM: 'xterm' },
  });
  let ended = false;
  child.on('exit', () => (ended = true));
  const over = () => ended || performance.now() - started >= timeout * 1000;
  const seconds = [];
  let shown = '';
  let from = 0;
  const socket = await connect(port, over);
  socket?.on('error', () => (ended = true));
  socket?.on('data', (chunk) => {
    shown += chunk.toString('latin1');
    for (let at; seconds.length < texts.length && (at = shown.indexOf(texts[seconds.length], from)) >= 0; ) {
      from = at + texts[seconds.length].length;
      const typed = type[seconds.length];
      seconds.push((performance.now() - started) / 1000);
      if (typed) socket.write(typed);
    }
  });
  while (!over() && seconds.length < texts.length) await new Promise((resolve) => setTimeout(resolve, 5));
  socket?.destroy();
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
  const log = fs.existsSync(path.join(folder, 'log')) ? fs.readFileSync(path.join(folder, 'log'), 'latin1') : '';
  fs.rmSync(folder, { recursive: true, force: true });
  return { console: shown, log, seconds };
}
