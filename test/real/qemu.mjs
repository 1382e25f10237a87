// Debian's QEMU with KVM in Debian's Linux on Hyperstep: SeaBIOS and a boot sector; Debian's kernel on two virtual
// processors to a shell that is typed at; and in that Linux KVM once more, with a guest of its own.
//
//   node test/real/qemu.mjs [--console]
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { unpacked, unpackedWithLibraries } from './debian.mjs';
import { bootSector, program } from './guestProgram.mjs';
import { busyboxInitramfs, withFiles } from './initramfs.mjs';
import { check, missing, run, skip, temporaryFolder } from './lib/hyperstep.mjs';

/** All of it is two thousand million instructions, and takes 40 seconds of processor time. */
const MOST_INSTRUCTIONS = 10_000_000_000;
const MOST_SECONDS = 900;
const KERNEL_OPTIONS = 'console=ttyS0 nokaslr mitigations=off quiet cryptomgr.notests';
const PROMPT = '/ # ';
const FIRMWARE = ['usr/share/seabios/bios-256k.bin', 'usr/share/qemu/kvmvapic.bin', 'usr/share/qemu/bios-microvm.bin', 'usr/share/seabios/bios-microvm.bin', 'usr/share/qemu/linuxboot_dma.bin'];

const { root, why } = unpacked('linux-image-cloud-amd64', 'busybox-static');
if (why) skip(why);
const qemu = unpackedWithLibraries('qemu-system-x86', 'qemu-system-data', 'seabios');
if (qemu.why) skip(qemu.why);
const folder = temporaryFolder();
const sector = bootSector('qemu/bootSector.S', folder);
const kvmGuest = program('kvmGuest', folder);
if (!sector || !kvmGuest) skip("gcc with the kernel's headers is not there to build the guests");

/** QEMU's libraries with the loader, as that loader finds them. */
function libraries(executable) {
  const at = (name) => path.join(qemu.root, name);
  const loader = at('lib64/ld-linux-x86-64.so.2');
  const folders = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'].map(at).join(':');
  const listed = spawnSync(loader, ['--library-path', folders, '--list', executable], { encoding: 'utf8' });
  if (listed.status !== 0) skip(`QEMU's libraries cannot be listed here: ${(listed.error?.message ?? listed.stderr + listed.stdout).trim().split('\n').pop()}`);
  const found = [...listed.stdout.matchAll(/^\s*(\S+) => (\/\S+)/gm)].map(([, name, file]) => [name, file]);
  return [...found.filter(([, file]) => file !== loader), [path.basename(loader), loader]];
}

const vmlinuz = path.join(root, 'boot', fs.readdirSync(path.join(root, 'boot')).find((f) => f.startsWith('vmlinuz')));
const ramDisk = (contents) => busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules'), modules: ['kvm_intel'], ...contents });
const executable = path.join(qemu.root, 'usr/bin/qemu-system-x86_64');
const files = { 'bin/qemu': fs.readFileSync(executable), 'guest/sector': Buffer.concat([sector, Buffer.alloc(0xfe00)]), 'guest/vmlinuz': fs.readFileSync(vmlinuz), 'guest/initrd': ramDisk({ programs: { kvmGuest } }) };
for (const [name, file] of libraries(executable)) files[`lib64/${name}`] = fs.readFileSync(file);
for (const file of FIRMWARE) if (fs.existsSync(path.join(qemu.root, file))) files[`firmware/${path.basename(file)}`] = fs.readFileSync(path.join(qemu.root, file));
const initrd = path.join(folder, 'initrd');
fs.writeFileSync(initrd, withFiles(ramDisk({}), ['firmware', 'guest', 'lib64', 'tmp'], files));

const QEMU = 'qemu -L /firmware -accel kvm -cpu host -nodefaults -display none -serial stdio -no-reboot';
const SECTOR = '-machine pc -m 16 -device isa-debug-exit,iobase=0xf4,iosize=4 -drive file=/guest/sector,format=raw';
const LINUX = `-machine microvm,rtc=on -smp 2 -m 160 -kernel /guest/vmlinuz -initrd /guest/initrd -append "${KERNEL_OPTIONS} reboot=t"`;
const typed = [
  'export LD_LIBRARY_PATH=/lib64',
  `${QEMU} ${SECTOR}; echo the sector ended QEMU with $?`,
  `${QEMU} ${LINUX}; echo Linux ended QEMU with $?`,
  'nproc; echo the inner sum is $((6 * 7))',
  'kvmGuest',
  'poweroff -f', // of the guest
  'poweroff -f',
].flatMap((line) => ['--expect', PROMPT, '--type', `${line}\n`]);
const EXPECTED = ['a boot sector speaks', 'the sector ended QEMU with 33', '\n2\n', 'the inner sum is 42', 'KVM_EXIT_IO port=0x10 value=0x41', 'KVM_EXIT_MMIO write address=0x8000', 'KVM guest done', 'Linux ended QEMU with 0'];
/** By which it is seen that KVM used what the processor has, and that the innermost KVM's VMX instructions were carried out. */
const EXITS = ['EPT_VIOLATION', 'EPT_MISCONFIGURATION', 'IO_INSTRUCTION', 'CR_ACCESS', 'CPUID', 'HLT', 'PREEMPTION_TIMER', 'VMXON', 'VMLAUNCH', 'VMRESUME', 'INVEPT'];

const words = ['--kernel', vmlinuz, '--initrd', initrd, '--append', KERNEL_OPTIONS, '--memory', '768M', '--cpus', '2', '--fail-on', 'Kernel panic', '--fail-on', 'INSMOD', ...typed, '--max-instructions', String(MOST_INSTRUCTIONS)];
const result = await run(words, MOST_SECONDS, { show: process.argv.includes('--console') });
const failures = missing(result.stdout, EXPECTED);
if (result.status !== 0) failures.push('it has not switched itself off');
for (const name of EXITS) if (!result.stats?.exits[name]) failures.push(`KVM had no VM exit ${name}`);
if (/VMX check|failed/i.test(result.stderr)) failures.push('Hyperstep found fault with KVM');
check("Debian's QEMU with KVM boots SeaBIOS, Debian's Linux, and in that one KVM's guest", failures, result);
