// Debian's Linux with its driver for floppy disks: it reads a whole disk by DMA, and what it writes is read back.
//
//   node test/real/floppy.mjs [--console]
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { unpacked } from './debian.mjs';
import { busyboxInitramfs } from './initramfs.mjs';
import { check, missing, run, skip, temporaryFolder } from './lib/hyperstep.mjs';

const MOST_SECONDS = 200;
const PROMPT = '/ # ';
const SIZE = 1_474_560;

const { root, why } = unpacked('linux-image-amd64', 'busybox-static');
if (why) skip(why);
const folder = temporaryFolder();
const initrd = path.join(folder, 'initrd.gz');
fs.writeFileSync(initrd, busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules'), modules: ['floppy'], programs: {} }));
const disk = path.join(folder, 'floppy.img');
const bytes = Uint8Array.from({ length: SIZE }, (_, n) => (n * 7 + (n >> 9) * 13) & 0xff);
fs.writeFileSync(disk, bytes);
const sum = createHash('md5').update(bytes).digest('hex');
const kernel = path.join(root, 'boot', fs.readdirSync(path.join(root, 'boot')).find((f) => f.startsWith('vmlinuz')));
const words = ['--kernel', kernel, '--initrd', initrd, '--append', 'console=ttyS0 quiet cryptomgr.notests', '--memory', '512M', '--floppy', disk, '--expect', PROMPT, '--type', 'md5sum /dev/fd0; echo written > /dev/fd0; sync; echo 3 > /proc/sys/vm/drop_caches; head -c 7 /dev/fd0 | tr a-z A-Z; dmesg | grep Floppy\n', '--expect', PROMPT, '--type', 'poweroff -f\n'];
const result = await run(words, MOST_SECONDS, { show: process.argv.includes('--console') });
const failures = missing(result.stdout, [sum, 'WRITTEN', 'fd0 is 1.44M']);
if (result.status !== 0) failures.push('it has not switched itself off');
if (/which it does not have|without having sought/.test(result.stderr)) failures.push('it has met something that the controller lacks');
if (!fs.readFileSync(disk).equals(bytes)) failures.push('the file of the disk was written');
check("Debian's Linux reads and writes a floppy disk by its own driver", failures, result);
