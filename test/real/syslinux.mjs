// Debian's SYSLINUX and ISOLINUX load Debian's memtest86+: from a CD without emulation, from a CD that emulates a floppy
// disk, and from a floppy's image as a hard disk without partitions.
//
//   node test/real/syslinux.mjs
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { unpacked } from './debian.mjs';
import { check, missing, needCommand, run, skip, temporaryFolder } from './lib/hyperstep.mjs';

const MOST_INSTRUCTIONS = 8_000_000_000;
const MOST_SECONDS = 240;
const FLOPPY_BYTES = 1440 * 1024;
const CONFIGURATION = 'SERIAL 0 115200\nDEFAULT memtest\nPROMPT 0\nLABEL memtest\n KERNEL memtest\n APPEND console=ttyS0,115200\n';
const WANTED = ['Memtest86+', 'Testing'];

needCommand('xorriso', 'xorriso');
needCommand('mformat', 'mtools');
const { root, why } = unpacked('syslinux', 'syslinux-common', 'isolinux', 'memtest86+');
if (why) skip(why);
const folder = temporaryFolder();
const file = (...names) => path.join(folder, ...names);
const must = (command, ...args) => {
  const result = spawnSync(command, args, { encoding: 'utf8', timeout: MOST_SECONDS * 1000 });
  if (result.status !== 0) throw new Error(`${command} failed: ${result.error?.message ?? result.stderr}`);
};
const memtest = path.join(root, 'boot/memtest86+x64.bin');

const floppy = file('floppy', 'floppy.img');
fs.mkdirSync(file('floppy'));
fs.writeFileSync(floppy, Buffer.alloc(FLOPPY_BYTES));
fs.writeFileSync(file('syslinux.cfg'), CONFIGURATION);
must('mformat', '-i', floppy, '-f', '1440', '::');
must('mcopy', '-i', floppy, memtest, '::/memtest');
must('mcopy', '-i', floppy, file('syslinux.cfg'), '::/syslinux.cfg');
must(path.join(root, 'usr/bin/syslinux'), '--install', floppy);
must('xorriso', '-as', 'mkisofs', '-quiet', '-o', file('floppy.iso'), '-b', 'floppy.img', '-c', 'boot.cat', file('floppy'));

fs.mkdirSync(file('cd'));
fs.copyFileSync(path.join(root, 'usr/lib/ISOLINUX/isolinux.bin'), file('cd', 'isolinux.bin'));
fs.copyFileSync(path.join(root, 'usr/lib/syslinux/modules/bios/ldlinux.c32'), file('cd', 'ldlinux.c32'));
fs.copyFileSync(memtest, file('cd', 'memtest'));
fs.writeFileSync(file('cd', 'isolinux.cfg'), CONFIGURATION);
must('xorriso', '-as', 'mkisofs', '-quiet', '-o', file('cd.iso'), '-b', 'isolinux.bin', '-c', 'boot.cat', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', file('cd'));

const WAYS = [
  ['a CD that emulates a floppy disk', ['--cdrom', file('floppy.iso')]],
  ['a CD', ['--cdrom', file('cd.iso')]],
  ['a disk without partitions', ['--disk', floppy]],
];
for (const [name, image] of WAYS) {
  const result = await run([...image, '--memory', '64M', ...WANTED.flatMap((text) => ['--expect', text]), '--max-instructions', String(MOST_INSTRUCTIONS)], MOST_SECONDS);
  const failures = missing(result.stdout, WANTED);
  if (result.status !== 0) failures.push('memtest86+ has not shown its screen');
  check(`SYSLINUX loads memtest86+ from ${name}`, failures, result);
}
