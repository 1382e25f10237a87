// UEFI: Debian's OVMF (package ovmf) as firmware. Its shell keeps a variable over a reset; GRUB from a FAT disk, and OVMF
// itself by the kernel's EFI stub, boot Debian's Linux to a shell and off; a hypervisor of our own (uefi/hypervisor.c) is a
// UEFI application and runs a guest on every processor; Debian's SeaBIOS (package seabios) boots the lab, Linux without a disk,
// and with the display's BIOS beside it shows itself on the screen;
// Debian's U-Boot (package u-boot-qemu), of 32 and of 64 bits, comes to its prompt.
//
//   node test/real/uefi.mjs [--quick] [--console]
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpacked } from './debian.mjs';
import { busyboxInitramfs } from './initramfs.mjs';
import { check, missing, run, temporaryFolder } from './lib/hyperstep.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const quick = process.argv.includes('--quick');
const show = process.argv.includes('--console');
const MOST_SECONDS = 300;
const DISK_BYTES = 40 * 2 ** 20;
const SHELL = 'Shell>';
const PROMPT = '/ # ';
const APPEND = 'console=ttyS0 nokaslr mitigations=off quiet cryptomgr.notests';

const folder = temporaryFolder();
const file = (name) => path.join(folder, name);
const skipped = (what, why) => console.log(`skipped: ${what}: ${why}.`);
const has = (command) => !spawnSync(command, ['--version']).error;
/** A package's folder, or undefined with a line that says why the part that needs it is skipped. */
function needed(what, ...packages) {
  const { root, why } = unpacked(...packages);
  if (why) skipped(what, why);
  return root;
}
function must(command, ...args) {
  const result = spawnSync(command, args, { encoding: 'utf8', timeout: MOST_SECONDS * 1000 });
  if (result.status !== 0) throw new Error(`${command} failed: ${result.error?.message ?? result.stderr}`);
}
const plain = (text) => text.replace(/\x1b\[[0-9;=]*[A-Za-z]/g, '');
/** The console is a terminal's: what moves its cursor goes. */
const shown = async (words) => {
  const result = await run(words, MOST_SECONDS, { show });
  return { ...result, stdout: plain(result.stdout) };
};
const offOr = (result, failures) => (result.status === 0 ? failures : [...failures, 'it has not switched itself off']);

const ovmf = needed('UEFI', 'ovmf');
const whole = ovmf && path.join(ovmf, 'usr/share/ovmf/OVMF.fd');

/** Its shell: typed at, a variable in flash that outlives a reset, and off. */
async function shell() {
  const parts = ['OVMF_CODE_4M.fd', 'OVMF_VARS_4M.fd'].map((name) => path.join(ovmf, 'usr/share/OVMF', name));
  const before = fs.readFileSync(parts[1]);
  const VARIABLE = 'setvar kept -guid 6b1f8a52-3c77-4a44-9d7a-0f6e2f7c1b11';
  const type = (text) => ['--expect', SHELL, '--type', `${text}\\r`];
  const result = await shown(['--firmware', parts[0], '--firmware', parts[1], '--memory', '256M', ...type('ver'), ...type(`${VARIABLE} -bs -rt -nv =0x48797065`), ...type('reset'), ...type(VARIABLE), ...type('smbiosview -t 1'), ...type('reset -s')]);
  const failures = missing(result.stdout, ['UEFI Interactive Shell', 'UEFI v2.', 'UEFI Interactive Shell', 'kept - 0004 Bytes', '48 79 70 65', 'Virtual PC']);
  if (!fs.readFileSync(parts[1]).equals(before)) failures.push('the file with the variables was written');
  check('OVMF comes to its shell, and keeps a variable over a reset', offOr(result, failures), result);
}

/** A hypervisor as a UEFI application, straight from its file: a guest on every processor, and a stop at its exit. */
async function hypervisor() {
  if (!has('clang') || !has('lld-link')) return skipped('a hypervisor as a UEFI application', "clang and lld-link are not there: install Debian's clang and lld");
  must('clang', '-target', 'x86_64-unknown-windows', '-ffreestanding', '-fshort-wchar', '-mno-red-zone', '-mgeneral-regs-only', '-fno-stack-protector', '-O1', '-gdwarf-4', '-c', path.join(here, 'uefi/hypervisor.c'), '-o', file('hypervisor.obj'));
  must('lld-link', '/nologo', '/nodefaultlib', '/subsystem:efi_application', '/entry:efi_main', '/debug:dwarf', '/base:0x4000000', `/out:${file('hypervisor.efi')}`, file('hypervisor.obj'));
  for (const cpus of quick ? [4] : [1, 4]) {
    const result = await shown(['--firmware', whole, '--kernel', file('hypervisor.efi'), '--memory', '256M', '--cpus', String(cpus), '--fail-on', SHELL]);
    const failures = missing(result.stdout, ['a hypervisor from UEFI', `guests ran on ${cpus} of ${cpus}`]);
    for (const name of ['CPUID', 'RDMSR', 'VMCALL']) if (result.stats?.exits[name] !== cpus) failures.push(`there were not ${cpus} VM exits ${name}`);
    if (/VMX check|failed/i.test(result.stderr)) failures.push('Hyperstep found fault with it');
    check(`a hypervisor that is a UEFI application runs a guest on ${cpus} of ${cpus} processors`, offOr(result, failures), result);
  }
  if (quick) return;
  if (!has('objcopy')) return skipped('its symbols', "objcopy is not there: install Debian's binutils");
  must('objcopy', '-I', 'pei-x86-64', '-O', 'elf64-x86-64', file('hypervisor.efi'), file('hypervisor.elf'));
  const result = await shown(['--firmware', whole, '--kernel', file('hypervisor.efi'), '--symbols', file('hypervisor.elf'), '--memory', '256M', '--break-on-exit', 'RDMSR', '--fail-on', SHELL]);
  check('it is stopped at a VM exit, with symbols', missing(result.stderr, ['VM exit 2: RDMSR msr 0x3a at guest 0x', 'exit_entry', 'VM exit: RDMSR msr 0x3a (exit 2)', 'guest+0x']), result);
}

/** Linux with GRUB from a FAT disk, and by its EFI stub alone. */
async function linux() {
  const root = needed('Linux from UEFI', 'linux-image-cloud-amd64', 'busybox-static');
  if (!root) return;
  fs.writeFileSync(file('initrd.gz'), busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules'), modules: [], programs: {} }));
  const kernel = path.join(root, 'boot', fs.readdirSync(path.join(root, 'boot')).find((name) => name.startsWith('vmlinuz')));
  const boot = async (what, cpus, words) => {
    const result = await shown(['--firmware', whole, ...words, '--memory', '512M', '--cpus', String(cpus), '--fail-on', 'Kernel panic', '--expect', PROMPT, '--type', 'echo processors: $(nproc), $(ls /sys/firmware/efi/systab)\n', '--expect', PROMPT, '--type', 'poweroff -f\n']);
    check(`OVMF boots Debian's Linux ${what}, with ${cpus} processors`, offOr(result, missing(result.stdout, [`processors: ${cpus}, /sys/firmware/efi/systab`])), result);
  };
  for (const cpus of [1, 4]) await boot('by its EFI stub', cpus, ['--kernel', kernel, '--initrd', file('initrd.gz'), '--append', APPEND]);
  if (!has('grub-mkimage') || !has('mformat')) return skipped('GRUB from UEFI', "grub-mkimage and mformat are not there: install Debian's grub-common and mtools");
  const grub = needed('GRUB from UEFI', 'grub-efi-amd64-bin');
  if (!grub) return;
  fs.writeFileSync(file('first.cfg'), 'search --file --set=root /vmlinuz\nconfigfile /grub.cfg\n');
  fs.writeFileSync(file('grub.cfg'), `set timeout=0\nmenuentry linux {\n  linux /vmlinuz ${APPEND}\n  initrd /initrd.gz\n}\n`);
  must('grub-mkimage', '-d', path.join(grub, 'usr/lib/grub/x86_64-efi'), '-O', 'x86_64-efi', '-p', '/EFI/BOOT', '-c', file('first.cfg'), '-o', file('BOOTX64.EFI'), ...['normal', 'linux', 'fat', 'search', 'search_fs_file', 'configfile', 'echo', 'efi_gop', 'all_video']);
  fs.writeFileSync(file('disk.img'), '');
  fs.truncateSync(file('disk.img'), DISK_BYTES);
  must('mformat', '-i', file('disk.img'), '-F', '::');
  must('mmd', '-i', file('disk.img'), '::/EFI', '::/EFI/BOOT');
  must('mcopy', '-i', file('disk.img'), file('BOOTX64.EFI'), '::/EFI/BOOT/');
  must('mcopy', '-i', file('disk.img'), file('initrd.gz'), file('grub.cfg'), '::/');
  must('mcopy', '-i', file('disk.img'), kernel, '::/vmlinuz');
  await boot('with GRUB from a FAT disk', 1, ['--disk', file('disk.img')]);
  await boot('with GRUB from a FAT disk on virtio', 4, ['--virtio', file('disk.img')]);
}

/** SeaBIOS finds the lab's boot sector, whose BIOS calls it answers. */
async function seabios() {
  const root = needed('SeaBIOS', 'seabios');
  if (!root) return;
  const image = (name) => path.join(here, '../../lab/images/complete', name);
  const result = await shown(['--firmware', path.join(root, 'usr/share/seabios/bios-256k.bin'), '--disk', image('vmm.img'), '--disk', image('guest.img'), '--expect', 'vm$ ', '--type', 'help\n', '--expect', 'vm$ ']);
  const failures = missing(result.stdout, ['SeaBIOS (version', 'Booting from Hard Disk', 'VMXON succeeded']);
  if (result.status !== 0) failures.push("it has not come to the guest's shell");
  check('SeaBIOS boots the lab', failures, result);
  const display = await shown(['--firmware', path.join(root, 'usr/share/seabios/bios-256k.bin'), '--firmware', path.join(root, 'usr/share/seabios/vgabios-stdvga.bin'), '--disk', image('vmm.img'), '--expect-screen', 'SeaBIOS (version', '--expect-screen', 'Booting from Hard Disk']);
  check("SeaBIOS shows itself by the display's BIOS", display.status === 0 ? [] : ['the screen does not show it'], display);
  if (quick) return;
  const linux = needed('Linux with SeaBIOS', 'linux-image-cloud-amd64', 'busybox-static');
  if (!linux) return;
  fs.writeFileSync(file('small.gz'), busyboxInitramfs({ busybox: path.join(linux, 'bin/busybox'), moduleFolder: path.join(linux, 'lib/modules'), modules: [], programs: {} }));
  const kernel = path.join(linux, 'boot', fs.readdirSync(path.join(linux, 'boot')).find((name) => name.startsWith('vmlinuz')));
  const booted = await shown(['--firmware', path.join(root, 'usr/share/seabios/bios-256k.bin'), '--kernel', kernel, '--initrd', file('small.gz'), '--append', APPEND, '--memory', '512M', '--expect', PROMPT, '--type', 'poweroff -f\n']);
  check("SeaBIOS boots Debian's Linux by an option ROM", offOr(booted, missing(booted.stdout, ['Booting from ROM'])), booted);
}

/** U-Boot writes to its ROM, as to any memory; a command is typed at its prompt. */
async function uBoot() {
  const root = needed('U-Boot', 'u-boot-qemu');
  if (!root) return;
  for (const build of ['qemu-x86', 'qemu-x86_64']) {
    const result = await shown(['--firmware', path.join(root, 'usr/lib/u-boot', build, 'u-boot.rom'), '--memory', '256M', '--expect', 'stop autoboot', '--type', '\\n', '--expect', '=> ', '--type', 'setenv sum 42; echo sum $sum\\n', '--expect', 'sum 42']);
    check(`U-Boot comes to its prompt (${build})`, result.status === 0 ? [] : ['it has not added'], result);
  }
}

if (whole) {
  await hypervisor();
  if (!quick) await shell();
  if (!quick) await linux();
}
await seabios();
if (!quick) await uBoot();
