// npm run test:real: Debian's stock Linux on Hyperstep, by the built command line: to a shell that is typed at on the
// serial console, with its disks by IDE and by virtio, off by ACPI; and KVM in it with a guest of its own.
//
//   node test/real/linux.mjs [--only NAME] [--console]
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { unpacked } from './debian.mjs';
import { busyboxInitramfs } from './initramfs.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const CLI = path.resolve(HERE, '../../dist/cli.js');
const { values: options } = parseArgs({ options: { only: { type: 'string' }, console: { type: 'boolean' } } });

const APPEND = 'console=ttyS0 nokaslr mitigations=off quiet cryptomgr.notests';
/** Seconds of wall time per guest; a boot takes about 10 on a free machine. */
const TIMEOUT = 300;
const PROMPT = '/ # ';
const DISK_BYTES = 4 * 2 ** 20;

// The terminal echoes what is typed: texts to be expected are put together by the shell.
const CASES = [
  {
    name: 'shell',
    modules: [],
    type: ['echo sum $((6 * 7))', 'uname -a', 'cat /proc/interrupts'],
    expect: ['sum 42', 'cloud-amd64', 'LOC:'],
  },
  {
    name: 'shell4',
    cpus: 4,
    modules: [],
    type: ['nproc', 'for i in 1 2 3 4 5 6 7 8; do sha256sum /bin/busybox & done; wait; echo hashed', 'taskset 8 cat /proc/self/stat > /dev/null; grep -c "^processor" /proc/cpuinfo', 'echo 0 > /sys/devices/system/cpu/cpu2/online; nproc; echo 1 > /sys/devices/system/cpu/cpu2/online; nproc', 'grep LOC: /proc/interrupts'],
    expect: ['\n4\n', 'hashed', '\n4\n', '\n3\n', '\n4\n', 'LOC:'],
  },
  {
    name: 'ide',
    modules: ['ata_piix', 'sd_mod'],
    disk: '--disk',
    type: ['head -c 22 /dev/sda; echo', 'echo changed > /dev/sda; sync; dd if=/dev/sda of=/dev/null bs=64k 2>&1', 'grep -c piix /proc/interrupts'],
    expect: ['HYPERSTEP DISK SECTOR', '64+0 records out', '\n2\n'],
  },
  {
    name: 'virtio',
    modules: ['virtio_pci', 'virtio_blk'],
    disk: '--virtio',
    type: ['head -c 22 /dev/vda; echo', 'dd if=/dev/vda of=/dev/null bs=64k 2>&1'],
    expect: ['HYPERSTEP DISK SECTOR', '64+0 records out'],
  },
  {
    name: 'kvm',
    modules: ['kvm_intel'],
    programs: ['kvmGuest'],
    type: ['kvmGuest'],
    expect: ['KVM_EXIT_IO port=0x10 value=0x41', 'KVM_EXIT_MMIO write address=0x8000', 'KVM_EXIT_MMIO read address=0x8000', 'value=0x5a', 'value=0x18', 'KVM_EXIT_HLT', 'KVM guest done'],
    exits: ['EPT_VIOLATION', 'IO_INSTRUCTION', 'CPUID', 'EPT_MISCONFIGURATION', 'VMCALL', 'HLT'],
  },
  {
    name: 'kvm-shadow',
    modules: ['kvm_intel'],
    programs: ['kvmGuest'],
    // Without EPT KVM has shadow page tables, and no unrestricted guest: real mode is virtual-8086 mode, where HLT faults.
    type: ['busybox rmmod kvm_intel', 'insmod /lib/kvm_intel.ko ept=0', 'kvmGuest'],
    expect: ['KVM_EXIT_IO port=0x10 value=0x41', 'KVM_EXIT_MMIO write address=0x8000', 'KVM_EXIT_HLT', 'KVM guest done'],
    exits: ['EXCEPTION_OR_NMI', 'IO_INSTRUCTION', 'CPUID', 'VMCALL'],
  },
  {
    name: 'kvm4',
    cpus: 4,
    modules: ['kvm_intel'],
    programs: ['kvmGuest'],
    type: ['for i in 0 1 2 3; do taskset $((1 << i)) kvmGuest > /out$i & done; wait; cat /out*; grep -c "KVM guest done" /out0 /out1 /out2 /out3'],
    expect: ['KVM guest done', '/out0:1', '/out1:1', '/out2:1', '/out3:1'],
    exits: ['EPT_VIOLATION', 'IO_INSTRUCTION', 'CPUID', 'EPT_MISCONFIGURATION', 'VMCALL', 'HLT'],
  },
  {
    name: 'kvm-apic',
    modules: ['kvm_intel'],
    programs: ['kvmApic'],
    type: ['grep . /sys/module/kvm_intel/parameters/enable_apicv', 'kvmApic'],
    // Version, task priority, what the handlers counted: held back, delivered, timer, x2APIC's task priority, self-IPI.
    expect: ['\nY\n', 'KVM guest says: 0x14 0x70 0x0 0x1 0x1 0x50 0x2 done'],
    exits: ['APIC_WRITE', 'APIC_ACCESS'],
  },
];

/** The guest program, built by the compiler at hand; undefined without one. */
function compiled(name, folder) {
  const file = path.join(folder, name);
  const result = spawnSync('gcc', ['-O1', '-static', '-nostdlib', '-ffreestanding', '-fno-stack-protector', '-fno-builtin', '-mno-sse', '-o', file, path.join(HERE, `${name}.c`)], { encoding: 'utf8' });
  return result.status === 0 ? fs.readFileSync(file) : undefined;
}

async function run(test, { root, folder }) {
  const programs = {};
  for (const name of test.programs ?? []) {
    const bytes = compiled(name, folder);
    if (!bytes) return { skipped: `gcc with the kernel's headers is not there to build ${name}.c` };
    programs[name] = bytes;
  }
  const file = (name) => path.join(folder, name);
  fs.writeFileSync(file('initrd.gz'), busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules'), modules: test.modules, programs }));
  const disk = Buffer.alloc(DISK_BYTES);
  disk.write('HYPERSTEP DISK SECTOR 0');
  fs.writeFileSync(file('disk.img'), disk);
  const kernel = path.join(root, 'boot', fs.readdirSync(path.join(root, 'boot')).find((f) => f.startsWith('vmlinuz')));
  const typed = test.type.flatMap((line) => ['--expect', PROMPT, '--type', `${line}\n`]);
  const args = ['run', '--kernel', kernel, '--initrd', file('initrd.gz'), '--append', APPEND, '--memory', '256M', '--cpus', String(test.cpus ?? 1), ...(test.disk ? [test.disk, file('disk.img')] : []), '--stats', file('stats.json'), '--timeout', String(TIMEOUT), '--fail-on', 'Kernel panic', '--fail-on', 'INSMOD'];
  // Without an expectation behind it the run goes on until the machine is switched off.
  const child = spawn(process.execPath, [CLI, ...args, ...typed, '--expect', PROMPT, '--type', 'poweroff -f\n'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let shown = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    shown += chunk.toString('latin1').replaceAll('\r', '');
    if (options.console) process.stdout.write(chunk);
  });
  child.stderr.on('data', (chunk) => (errors += chunk));
  const status = await new Promise((resolve) => child.on('close', resolve));
  const failures = [];
  if (status !== 0) failures.push(`ended with status ${status}: ${errors.trim()}\n${shown.slice(-2000)}`);
  let from = 0;
  for (const text of test.expect) {
    const at = shown.indexOf(text, from);
    if (at < 0) failures.push(`the console has not shown ${JSON.stringify(text)}:\n${shown.slice(-2000)}`);
    else from = at;
  }
  const stats = fs.existsSync(file('stats.json')) ? JSON.parse(fs.readFileSync(file('stats.json'), 'utf8')) : undefined;
  for (const name of test.exits ?? []) if (!stats?.exits[name]) failures.push(`KVM had no VM exit ${name}`);
  // A hypervisor in production is no student: what Hyperstep says of it is a false alarm.
  if (/VMX check|failed/i.test(errors)) failures.push(`Hyperstep found fault with it:\n${errors}`);
  return { failures, stats };
}

const packages = unpacked('linux-image-cloud-amd64', 'busybox-static');
if (packages.why) {
  console.log(`skipped: ${packages.why}.`);
  process.exit(0);
}
if (!fs.existsSync(CLI)) {
  console.error('dist/cli.js is not there: run "npm run build" first.');
  process.exit(2);
}
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-linux-'));
let failed = false;
for (const test of CASES) {
  if (options.only !== undefined && options.only !== test.name) continue;
  const { skipped, failures, stats } = await run(test, { root: packages.root, folder });
  if (skipped) console.log(`skipped: ${test.name}: ${skipped}.`);
  else if (failures.length > 0) {
    failed = true;
    console.log(`FAILED: ${test.name}: ${failures.join('\n')}`);
  } else console.log(`ok: ${test.name}: ${(stats.instructions / 1e6).toFixed(0)} million instructions in ${stats.seconds.toFixed(1)} s, ${stats.mips.toFixed(0)} MIPS`);
}
fs.rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
