// Debian's Xen 4.17 with Debian's stock Linux as its PV dom0: it finds VMX, and dom0 gets to a shell that is typed at.
// Skipped, with a sentence, where the packages cannot be fetched.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { unpacked } from './debian.mjs';
import { busyboxInitramfs } from './initramfs.mjs';
import { report, run } from './lib/hyperstep.mjs';

/** Xen unpacks dom0's kernel, then dom0 boots: some ten thousand million instructions. */
const MOST_SECONDS = 900;
const XEN = 'console=com1 com1=115200 dom0_mem=256M';
const DOM0 = 'console=hvc0 nokaslr quiet cryptomgr.notests';

const { root, why } = unpacked('xen-hypervisor-4.17-amd64', 'linux-image-amd64', 'busybox-static');
if (why) {
  console.log(`skipped: ${why}.`);
  process.exit(0);
}
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-xen-'));
try {
  const boot = path.join(root, 'boot');
  const named = (start, end = '') => path.join(boot, fs.readdirSync(boot).find((f) => f.startsWith(start) && f.endsWith(end)));
  const file = (name) => path.join(folder, name);
  // Boot loaders unpack what is gzipped.
  fs.writeFileSync(file('xen'), zlib.gunzipSync(fs.readFileSync(named('xen-', '.gz'))));
  fs.copyFileSync(named('vmlinuz-'), file('vmlinuz'));
  fs.writeFileSync(file('initrd.gz'), busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules'), modules: [], programs: {} }));
  const args = ['--multiboot', file('xen'), '--append', XEN, '--module', `${file('vmlinuz')} ${DOM0}`, '--module', file('initrd.gz'), '--memory', '768M', '--timeout', String(MOST_SECONDS)];
  const result = run([...args, '--expect', 'HVM: VMX enabled', '--expect', '/ # ', '--type', 'cat /sys/hypervisor/type; echo sum $((6 * 7))\n', '--expect', 'xen', '--expect', 'sum 42'], MOST_SECONDS);
  report("Xen finds VMX, and Debian's Linux as dom0 gets to a shell", result.status === 0, result);
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
