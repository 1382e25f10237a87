// A hypervisor of our own that is launched late (beneath/beneath.c), as a module in Debian's Linux: Linux goes on as its
// guest, on one processor and on four, one of which is taken away and brought back through INIT and SIPI; then the module is
// removed, and Linux goes on without it.
//
//   node test/real/beneath.mjs [--console]
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpacked } from './debian.mjs';
import { busyboxInitramfs, withFiles } from './initramfs.mjs';
import { check, missing, needCommand, run, skip, temporaryFolder } from './lib/hyperstep.mjs';

const SOURCES = path.join(path.dirname(fileURLToPath(import.meta.url)), 'beneath');
const APPEND = 'console=ttyS0 nokaslr mitigations=off quiet cryptomgr.notests';
const PROMPT = '/ # ';
const MOST_SECONDS = 300;

needCommand('gcc', 'gcc');
needCommand('make', 'make');
const { root, why } = unpacked('linux-image-cloud-amd64', 'busybox-static');
if (why) skip(why);
const kernel = path.join(root, 'boot', fs.readdirSync(path.join(root, 'boot')).find((f) => f.startsWith('vmlinuz')));
const version = path.basename(kernel).replace('vmlinuz-', '');
const common = version.replace(/-cloud-amd64$/, '-common');
const headers = unpacked(`linux-headers-${version}`, `linux-headers-${common}`, `linux-kbuild-${/^\d+\.\d+/.exec(version)[0]}`);
if (headers.why) skip(headers.why);

const folder = temporaryFolder();
/** The module, built where the headers were unpacked: they name the place where they would be installed. */
function built() {
  const tree = path.join(headers.root, 'usr/src', `linux-headers-${version}`);
  fs.writeFileSync(path.join(tree, 'Makefile'), `include ${path.join(headers.root, 'usr/src', `linux-headers-${common}`, 'Makefile')}\n`);
  for (const name of fs.readdirSync(SOURCES)) fs.copyFileSync(path.join(SOURCES, name), path.join(folder, name));
  const result = spawnSync('make', ['-s', '-C', tree, `M=${folder}`, 'CC=gcc', 'modules'], { encoding: 'utf8' });
  if (result.status !== 0) skip(`the module cannot be built here: ${/.*error.*|$/i.exec(result.stderr)[0] || result.stderr.trim().split('\n').pop()}`);
  return fs.readFileSync(path.join(folder, 'beneath.ko'));
}

const ramDisk = withFiles(busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules') }), [], { 'lib/beneath.ko': built() });
fs.writeFileSync(path.join(folder, 'initrd'), ramDisk);

const LOAD = 'insmod /lib/beneath.ko; dmesg | grep beneath:';
const UNLOAD = 'busybox rmmod beneath; dmesg | grep beneath:';
const WORK = 'for i in 1 2 3; do sha256sum /bin/busybox & done; wait; sleep 1; echo worked $((6 * 7))';
const CASES = [
  { cpus: 1, type: [LOAD, WORK, UNLOAD, WORK], expect: ['a guest on 1 of 1'] },
  {
    cpus: 4,
    type: [LOAD, WORK, 'echo 0 > /sys/devices/system/cpu/cpu2/online; nproc; echo 1 > /sys/devices/system/cpu/cpu2/online; nproc', 'taskset 4 sha256sum /bin/busybox', UNLOAD, WORK],
    expect: ['a guest on 4 of 4', '\n3\n4\n', 'processor 2 had 1 VM exits 3', 'processor 2 had 1 VM exits 4'],
  },
];
const ALWAYS = ['signature Beneath Linu, VMX hidden, IA32_VMX_BASIC hidden, CR4.VMXE hidden', 'holds 8, after 1 reads and 2 writes', 'worked 42', 'its own master, CR4.VMXE clear, the watched page holds 8', 'worked 42'];
const EXITS = ['CPUID', 'VMCALL', 'RDMSR', 'EPT_VIOLATION', 'MONITOR_TRAP_FLAG'];

for (const { cpus, type, expect } of CASES) {
  const typed = type.flatMap((line) => ['--expect', PROMPT, '--type', `${line}\n`]);
  const words = ['--kernel', kernel, '--initrd', path.join(folder, 'initrd'), '--append', APPEND, '--memory', '256M', '--cpus', String(cpus), '--fail-on', 'Kernel panic', ...typed, '--expect', PROMPT, '--type', 'poweroff -f\n'];
  const result = await run(words, MOST_SECONDS, { show: process.argv.includes('--console') });
  const failures = [...missing(result.stdout, [expect[0], ...ALWAYS]), ...missing(result.stdout, expect)];
  if (result.status !== 0) failures.push('it has not switched itself off');
  for (const name of EXITS) if (!result.stats?.exits[name]) failures.push(`there was no VM exit ${name}`);
  if (/VMX check|failed|invalid/i.test(result.stderr)) failures.push('Hyperstep found fault with it');
  check(`Linux becomes a guest while it runs, on ${cpus} processor${cpus > 1 ? 's' : ''}, and is given back`, failures, result);
}
