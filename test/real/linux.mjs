// Debian's stock Linux on Hyperstep: to a shell that is typed at on the serial console, with its disks by IDE and by
// virtio, off by ACPI; and KVM in it with guests of its own. The cases are in linuxCases.mjs.
//
//   node test/real/linux.mjs [--quick] [--only NAME] [--console]
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { unpacked } from './debian.mjs';
import { program } from './guestProgram.mjs';
import { busyboxInitramfs } from './initramfs.mjs';
import { check, missing, run, skip, temporaryFolder } from './lib/hyperstep.mjs';
import { CASES } from './linuxCases.mjs';

const { values: options } = parseArgs({ options: { quick: { type: 'boolean' }, only: { type: 'string' }, console: { type: 'boolean' } } });

const APPEND = 'console=ttyS0 nokaslr mitigations=off quiet cryptomgr.notests';
/** Seconds of wall time per guest; a boot takes about 10 on a free machine. */
const TIMEOUT = 300;
const PROMPT = '/ # ';
const DISK_BYTES = 4 * 2 ** 20;

const { root, why } = unpacked('linux-image-cloud-amd64', 'busybox-static');
if (why) skip(why);
const folder = temporaryFolder();
const file = (name) => path.join(folder, name);

async function boot(test) {
  const programs = {};
  for (const name of test.programs ?? []) {
    const bytes = program(name, folder);
    if (!bytes) return console.log(`skipped: ${test.name}: gcc with the kernel's headers is not there to build ${name}.c.`);
    programs[name] = bytes;
  }
  fs.writeFileSync(file('initrd.gz'), busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules'), modules: test.modules, programs }));
  const disk = Buffer.alloc(DISK_BYTES);
  disk.write('HYPERSTEP DISK SECTOR 0');
  const disks = (test.disks ?? []).flatMap((how, n) => {
    fs.writeFileSync(file(`disk${n}.img`), disk);
    return [how, file(`disk${n}.img`)];
  });
  const kernel = path.join(root, 'boot', fs.readdirSync(path.join(root, 'boot')).find((f) => f.startsWith('vmlinuz')));
  const typed = test.type.flatMap((line) => ['--expect', PROMPT, '--type', `${line}\n`]);
  // Without an expectation behind it the run goes on until the machine is switched off.
  const words = ['--kernel', kernel, '--initrd', file('initrd.gz'), '--append', APPEND, '--memory', '256M', '--cpus', String(test.cpus ?? 1), ...disks, '--fail-on', 'Kernel panic', '--fail-on', 'INSMOD', ...typed, '--expect', PROMPT, '--type', 'poweroff -f\n'];
  const result = await run(words, TIMEOUT, { show: options.console });
  const failures = missing(result.stdout, test.expect);
  if (result.status !== 0) failures.push('it has not switched itself off');
  for (const name of test.exits ?? []) if (!result.stats?.exits[name]) failures.push(`KVM had no VM exit ${name}`);
  // A hypervisor in production is no student: what Hyperstep says of it is a false alarm.
  if (/VMX check|failed/i.test(result.stderr)) failures.push('Hyperstep found fault with it');
  check(`Linux: ${test.what}`, failures, result);
}

for (const test of CASES) if (options.only === undefined ? (test.quick ?? false) === (options.quick ?? false) : options.only === test.name) await boot(test);
