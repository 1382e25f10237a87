// A disk image from which Debian's GRUB boots Debian's Linux to a busybox shell, for any machine with a BIOS.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { unpacked } from '../real/debian.mjs';
import { busyboxInitramfs } from '../real/initramfs.mjs';

const MODULES = '/usr/lib/grub/i386-pc';
const APPEND = 'console=ttyS0 nokaslr mitigations=off quiet cryptomgr.notests';
const SECONDS = 120;

/** What the shell shows when it waits. */
export const PROMPT = '/ # ';

const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/** `{ image, remove }`, or `{ why }` in one sentence when the image cannot be made here. */
export function linuxDisk() {
  for (const [command, name] of [['grub-mkrescue', 'grub-common'], ['xorriso', 'xorriso'], ['mformat', 'mtools']]) if (!has(command)) return { why: `the package ${name} is not installed` };
  if (!fs.existsSync(`${MODULES}/cdboot.img`)) return { why: 'the package grub-pc-bin is not installed' };
  const { root, why } = unpacked('linux-image-cloud-amd64', 'busybox-static');
  if (why) return { why };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-linux-disk-'));
  const remove = () => fs.rmSync(folder, { recursive: true, force: true });
  const boot = path.join(folder, 'tree/boot');
  fs.mkdirSync(path.join(boot, 'grub'), { recursive: true });
  fs.copyFileSync(path.join(root, 'boot', fs.readdirSync(path.join(root, 'boot')).find((f) => f.startsWith('vmlinuz'))), path.join(boot, 'vmlinuz'));
  fs.writeFileSync(path.join(boot, 'initrd.gz'), busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules'), modules: [], programs: {} }));
  fs.writeFileSync(path.join(boot, 'grub/grub.cfg'), `set timeout=0\nmenuentry linux {\n  linux /boot/vmlinuz ${APPEND}\n  initrd /boot/initrd.gz\n}\n`);
  const image = path.join(folder, 'linux.img');
  const made = spawnSync('grub-mkrescue', ['-d', MODULES, '-o', image, path.join(folder, 'tree')], { encoding: 'utf8', timeout: SECONDS * 1000 });
  if (made.status === 0) return { image, remove };
  remove();
  return { why: `grub-mkrescue failed: ${made.error?.message ?? made.stderr}` };
}
