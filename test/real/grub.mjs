// Debian's GRUB (grub-pc-bin, grub-common, xorriso, mtools) boots a multiboot kernel of this project's own, from an ISO
// as a CD, as a hard disk and as a disk on virtio, and with its menu drawn as a picture.
//
//   node test/real/grub.mjs [--quick]
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpacked } from './debian.mjs';
import { check, missing, needCommand, run, skip, temporaryFolder } from './lib/hyperstep.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
/** GRUB to the kernel's last line takes about a hundred million instructions. */
const MOST_INSTRUCTIONS = 3_000_000_000;
const MOST_SECONDS = 240;
const WANTED = ['loaded by GRUB 2', 'arguments: one two', 'module: text of the module', 'done'];

needCommand('gcc', 'gcc');
needCommand('grub-mkrescue', 'grub-common');
needCommand('xorriso', 'xorriso');
needCommand('mformat', 'mtools');
const { root, why } = unpacked('grub-pc-bin');
if (why) skip(why);

const folder = temporaryFolder();
const must = (command, args) => {
  const result = spawnSync(command, args, { encoding: 'utf8', timeout: MOST_SECONDS * 1000 });
  if (result.status !== 0) throw new Error(`${command} failed: ${result.error?.message ?? result.stderr}`);
};
const tree = path.join(folder, 'tree');
fs.mkdirSync(path.join(tree, 'boot/grub'), { recursive: true });
must('gcc', ['-m32', '-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none', '-Wl,-z,noexecstack', '-Wl,-T,' + path.join(here, 'grub/kernel.ld'), path.join(here, 'grub/kernel.S'), '-o', path.join(tree, 'boot/kernel.elf')]);
fs.writeFileSync(path.join(tree, 'boot/module.txt'), 'text of the module\0');
fs.writeFileSync(path.join(tree, 'boot/grub/grub.cfg'), 'set timeout=0\nmenuentry kernel {\n  multiboot /boot/kernel.elf one two\n  module /boot/module.txt\n}\n');
const iso = path.join(folder, 'grub.iso');
must('grub-mkrescue', ['-d', path.join(root, 'usr/lib/grub/i386-pc'), '-o', iso, tree]);
const disk = path.join(folder, 'grub.img');
fs.copyFileSync(iso, disk); // the image is a disk with a master boot record too

const WAYS = [
  ['CD', ['--cdrom', iso]],
  ['disk', ['--disk', disk]],
  ['virtio disk', ['--virtio', disk]],
];
for (const [name, image] of process.argv.includes('--quick') ? WAYS.slice(0, 1) : WAYS) {
  const result = await run([...image, '--memory', '64M', '--max-instructions', String(MOST_INSTRUCTIONS)], MOST_SECONDS);
  const failures = missing(result.stdout, WANTED);
  if (result.status !== 0) failures.push('the kernel has not said that all is well');
  check(`GRUB boots a multiboot kernel from a ${name}`, failures, result);
}

/** Its menu as a picture: GRUB finds VBE's modes, draws with a font, and goes back to text for the kernel. */
const FONT = '/usr/share/grub/unicode.pf2';
if (!process.argv.includes('--quick') && fs.existsSync(FONT)) {
  fs.mkdirSync(path.join(tree, 'boot/grub/fonts'));
  fs.copyFileSync(FONT, path.join(tree, 'boot/grub/fonts/unicode.pf2'));
  const drawn = ['insmod all_video', 'set gfxmode=640x480x32', 'insmod gfxterm', 'loadfont unicode', 'terminal_output gfxterm', 'set timeout=1'];
  const menu = fs.readFileSync(path.join(tree, 'boot/grub/grub.cfg'), 'utf8').replace('set timeout=0', drawn.join('\n'));
  fs.writeFileSync(path.join(tree, 'boot/grub/grub.cfg'), menu);
  must('grub-mkrescue', ['-d', path.join(root, 'usr/lib/grub/i386-pc'), '-o', iso, tree]);
  const result = await run(['--cdrom', iso, '--memory', '64M', '--max-instructions', String(MOST_INSTRUCTIONS)], MOST_SECONDS);
  const failures = missing(result.stdout, WANTED);
  if (!/picture of 640 by 480 pixels with 32 bits/.test(result.stderr)) failures.push('GRUB has shown no picture');
  check('GRUB draws its menu and boots a multiboot kernel', failures, result);
}
