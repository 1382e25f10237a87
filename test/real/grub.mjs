// Debian's GRUB (grub-pc-bin, grub-common, xorriso, mtools) boots a multiboot kernel of this project's own, from an ISO
// as a CD and as a hard disk. Skipped, with a sentence, where a package is absent.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const NEEDS = [
  ['gcc', ['--version'], 'gcc'],
  ['grub-mkrescue', ['--version'], 'grub-common'],
  ['xorriso', ['--version'], 'xorriso'],
  ['mformat', ['--version'], 'mtools'],
];
/** GRUB to the kernel's last line takes some hundred million instructions. */
const MOST_INSTRUCTIONS = 3_000_000_000;
const MOST_SECONDS = 120;

for (const [command, args, packageName] of NEEDS) {
  if (!spawnSync(command, args).error) continue;
  console.log(`skipped: ${command} is not there; install Debian's ${packageName}.`);
  process.exit(0);
}
if (!fs.existsSync('/usr/lib/grub/i386-pc/cdboot.img')) {
  console.log("skipped: GRUB for PCs is not there; install Debian's grub-pc-bin.");
  process.exit(0);
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-grub-'));
let failures = 0;
try {
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
  must('grub-mkrescue', ['-d', '/usr/lib/grub/i386-pc', '-o', iso, tree]);
  const disk = path.join(folder, 'grub.img');
  fs.copyFileSync(iso, disk); // the image is a disk with a master boot record too

  for (const [name, image] of [
    ['CD', ['--cdrom', iso]],
    ['disk', ['--disk', disk]],
    ['virtio disk', ['--virtio', disk]],
  ]) {
    const stats = path.join(folder, 'stats.json');
    const run = spawnSync(process.execPath, [path.join(root, 'dist/cli.js'), 'run', ...image, '--memory', '64M', '--max-instructions', String(MOST_INSTRUCTIONS), '--timeout', String(MOST_SECONDS), '--stats', stats], { encoding: 'utf8', timeout: (MOST_SECONDS + 10) * 1000 });
    const wanted = ['loaded by GRUB 2', 'arguments: one two', 'module: text of the module', 'done'];
    const missing = wanted.filter((text) => !run.stdout.includes(text));
    const { instructions, seconds } = fs.existsSync(stats) ? JSON.parse(fs.readFileSync(stats, 'utf8')) : {};
    const passed = run.status === 0 && missing.length === 0;
    if (!passed) failures++;
    console.log(`${passed ? 'ok' : 'FAILED'}: GRUB boots a multiboot kernel from a ${name}${instructions ? `, ${Math.round(instructions / 1e6)} M instructions, ${Number(seconds).toFixed(1)} s` : ''}`);
    if (!passed) console.log(`status ${run.status}; missing: ${missing.join('; ')}\n${run.stdout}\n${run.stderr}`);
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failures > 0 ? 1 : 0;
