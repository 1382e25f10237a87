// Debian's Xen 4.17 with Debian's stock Linux as its PV dom0: it finds VMX, and dom0 gets to a shell that is typed at.
//
//   node test/real/xen.mjs [--console]
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { unpacked } from './debian.mjs';
import { busyboxInitramfs } from './initramfs.mjs';
import { check, missing, run, skip, temporaryFolder } from './lib/hyperstep.mjs';

/** Xen unpacks dom0's kernel, then dom0 boots: some ten thousand million instructions. */
const MOST_SECONDS = 900;
const XEN = 'console=com1 com1=115200 dom0_mem=256M';
const DOM0 = 'console=hvc0 nokaslr quiet cryptomgr.notests';
const TYPED = 'cat /sys/hypervisor/type; echo sum $((6 * 7))\n';

const { root, why } = unpacked('xen-hypervisor-4.17-amd64', 'linux-image-amd64', 'busybox-static');
if (why) skip(why);
const folder = temporaryFolder();
const boot = path.join(root, 'boot');
const named = (start, end = '') => path.join(boot, fs.readdirSync(boot).find((f) => f.startsWith(start) && f.endsWith(end)));
const file = (name) => path.join(folder, name);
// Boot loaders unpack what is gzipped.
fs.writeFileSync(file('xen'), zlib.gunzipSync(fs.readFileSync(named('xen-', '.gz'))));
fs.copyFileSync(named('vmlinuz-'), file('vmlinuz'));
fs.writeFileSync(file('initrd.gz'), busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules'), modules: [], programs: {} }));
const words = ['--multiboot', file('xen'), '--append', XEN, '--module', `${file('vmlinuz')} ${DOM0}`, '--module', file('initrd.gz'), '--memory', '768M'];
const result = await run([...words, '--expect', 'HVM: VMX enabled', '--expect', '/ # ', '--type', TYPED, '--expect', 'xen\n', '--expect', 'sum 42'], MOST_SECONDS, { show: process.argv.includes('--console') });
const failures = missing(result.stdout, ['HVM: VMX enabled', '/ # ', 'xen\n', 'sum 42']);
if (result.status !== 0) failures.push('dom0 has not come to its shell');
for (const line of result.stdout.split('\n')) if (/HVM: VMX enabled|\/ # |^xen$|^sum 42$/.test(line)) console.log(`  ${line.trim()}`);
check("Xen finds VMX, and Debian's Linux as dom0 gets to a shell", failures, result);
