// Debian's 32-bit kernels, with and without PAE, on two processors to a shell: 32-bit paging, segments and system calls.
//
//   node test/real/i386.mjs [--console]
import fs from 'node:fs';
import path from 'node:path';
import { unpacked } from './debian.mjs';
import { busyboxInitramfs } from './initramfs.mjs';
import { check, missing, run, skip, temporaryFolder } from './lib/hyperstep.mjs';

const APPEND = 'console=ttyS0 nokaslr mitigations=off quiet cryptomgr.notests';
/** The kernel unpacks itself by xz: most of its three thousand million instructions. */
const MOST_SECONDS = 300;
const PROMPT = '/ # ';
const DISK_BYTES = 4 * 2 ** 20;
const MODULES = ['ata_piix', 'sd_mod', 'virtio_pci', 'virtio_blk'];

const folder = temporaryFolder();
const file = (name) => path.join(folder, name);
for (const kernel of ['linux-image-686', 'linux-image-686-pae']) {
  const { root, why } = unpacked(`${kernel}:i386`, 'busybox-static:i386');
  if (why) skip(`${why} (dpkg --add-architecture i386 and apt-get update make it known)`);
  fs.writeFileSync(file('initrd.gz'), busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules'), modules: MODULES }));
  fs.writeFileSync(file('disk.img'), Buffer.alloc(DISK_BYTES));
  const vmlinuz = path.join(root, 'boot', fs.readdirSync(path.join(root, 'boot')).find((f) => f.startsWith('vmlinuz')));
  const typed = ['uname -m; cat /proc/partitions; echo $(nproc) processors', 'poweroff -f'].flatMap((line) => ['--expect', PROMPT, '--type', `${line}\n`]);
  const words = ['--kernel', vmlinuz, '--initrd', file('initrd.gz'), '--append', APPEND, '--memory', '256M', '--cpus', '2', '--disk', file('disk.img'), '--virtio', file('disk.img'), '--fail-on', 'Kernel panic', '--fail-on', 'INSMOD'];
  const result = await run([...words, ...typed], MOST_SECONDS, { show: process.argv.includes('--console') });
  const failures = missing(result.stdout, ['i686', '2 processors']);
  for (const disk of ['vda', 'sda']) if (!result.stdout.includes(` ${disk}\n`)) failures.push(`there is no disk ${disk}`);
  if (result.status !== 0) failures.push('it has not switched itself off');
  check(`Debian's ${kernel} gets to a shell on two processors and finds its disks`, failures, result);
}
