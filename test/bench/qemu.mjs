// QEMU's TCG as a third machine, for workloads without VMX (TCG has none): its serial port is its standard output.
import { spawn, spawnSync } from 'node:child_process';

export const qemuIsThere = () => spawnSync('sh', ['-c', 'command -v qemu-system-x86_64']).status === 0;

/** As runBochs in ../bochs/bochs.mjs, without typing. */
export async function runQemu({ drives, texts, timeout }) {
  const args = ['-machine', 'pc,accel=tcg', '-m', '128', '-display', 'none', '-serial', 'stdio', '-no-reboot'];
  // snapshot=on: the image is never written.
  drives.forEach((file, index) => args.push('-drive', `file=${file},format=raw,if=ide,index=${index},snapshot=on`));
  const started = performance.now();
  const child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const clock = setTimeout(() => child.kill('SIGKILL'), timeout * 1000);
  const seconds = [];
  let shown = '';
  let from = 0;
  child.stdout.on('data', (chunk) => {
    shown += chunk.toString('latin1');
    for (let at; seconds.length < texts.length && (at = shown.indexOf(texts[seconds.length], from)) >= 0; ) {
      from = at + texts[seconds.length].length;
      seconds.push((performance.now() - started) / 1000);
    }
    if (seconds.length === texts.length) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(clock);
  return { console: shown, seconds };
}
