// The kernel's own tests of KVM (tools/testing/selftests/kvm), nested virtualization among them, in Debian's Linux on
// Hyperstep: what a test suite for hypervisors thinks of VMX here. They are built from Debian's package of the kernel's
// source where that is installed; selftestCases.mjs has what each is expected to say.
//
//   node test/real/selftests.mjs [--console] [--only NAME]... [--source linux-source-6.1.tar.xz]
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { unpacked } from './debian.mjs';
import { busyboxInitramfs, withFiles } from './initramfs.mjs';
import { extracted, librariesOf, sourceArchive } from './kernelSource.mjs';
import { check, needCommand, run, skip, temporaryFolder } from './lib/hyperstep.mjs';
import { CASES, SKIPPED } from './selftestCases.mjs';

const { values: options } = parseArgs({ options: { console: { type: 'boolean' }, only: { type: 'string', multiple: true }, source: { type: 'string' } } });

const MOST_INSTRUCTIONS = 20_000_000_000;
const MOST_SECONDS = 900;
/** Of the guest's time, per test. */
const MOST_GUEST_SECONDS = 5;
/** What the tests are built from, in the archive. */
const PARTS = ['tools/testing/selftests', 'tools/include', 'tools/arch/x86', 'tools/build', 'tools/scripts', 'tools/lib/rbtree.c', 'scripts/subarch.include'];
/** The declarations that a header of the tests does without where the system's headers are newer, and a macro that one test has by another name. */
const FLAGS = '-include linux/stddef.h -DTEST_ASSERT_EQ=ASSERT_EQ';
const PROMPT = '/ # ';
const KERNEL_OPTIONS = 'console=ttyS0 nokaslr mitigations=off quiet cryptomgr.notests';

const archive = sourceArchive(options.source);
needCommand('make', 'make');
const { root, why } = unpacked('linux-image-cloud-amd64', 'busybox-static');
if (why) skip(why);
const folder = temporaryFolder();
const cases = CASES.filter(({ name }) => options.only === undefined || options.only.includes(name));

/** The tests as [name, executable], stripped, and the libraries that they load. */
function built() {
  const tests = path.join(extracted(archive, PARTS, folder), 'tools/testing/selftests/kvm');
  const target = ({ name }) => [path.join(tests, 'x86_64', name), path.join(tests, name)].find((file) => fs.existsSync(`${file}.c`));
  const wanted = cases.filter(target);
  const made = spawnSync('make', ['-k', '-C', tests, 'ARCH=x86_64', 'KHDR_INCLUDES=', `EXTRA_CFLAGS=${FLAGS}`, `OUTPUT=${tests}`, ...wanted.map(target)], { encoding: 'utf8' });
  const files = {};
  for (const test of wanted) {
    if (!fs.existsSync(target(test))) continue;
    execFileSync('strip', [target(test)]);
    files[`tests/${test.name}`] = fs.readFileSync(target(test));
  }
  const first = wanted.map(target).find((file) => fs.existsSync(file));
  if (!first) skip(`the tests cannot be built here: ${made.stderr.trim().split('\n').pop()}`);
  for (const file of librariesOf(first)) files[`lib64/${path.basename(file)}`] = fs.readFileSync(file);
  return files;
}

const files = built();
const initrd = path.join(folder, 'initrd');
fs.writeFileSync(initrd, withFiles(busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules'), modules: ['kvm_intel'] }), ['lib64', 'tests', 'tmp'], files));
const vmlinuz = path.join(root, 'boot', fs.readdirSync(path.join(root, 'boot')).find((f) => f.startsWith('vmlinuz')));
const there = cases.filter(({ name }) => files[`tests/${name}`]);
const lines = ['dmesg -n 1; export LD_LIBRARY_PATH=/lib64', ...there.map(({ name, words = '' }) => `busybox timeout -s KILL ${MOST_GUEST_SECONDS} /tests/${name} ${words} > /tmp/out 2>&1; echo ${name} ended with $?; busybox grep -A6 -e SKIP -e Fail /tmp/out`), 'poweroff -f'];
const typed = lines.flatMap((line) => ['--expect', PROMPT, '--type', `${line}\n`]);
// These tests set registers of their guests behind the back of what runs in them, which is no mistake of KVM's.
const words = ['--kernel', vmlinuz, '--initrd', initrd, '--append', KERNEL_OPTIONS, '--memory', '768M', '--no-check', 'all', '--fail-on', 'Kernel panic', ...typed, '--max-instructions', String(MOST_INSTRUCTIONS)];
const result = await run(words, MOST_SECONDS, { show: options.console });
const failures = result.status === 0 ? [] : ['it has not switched itself off'];
let skipped = 0;
for (const { name, skips = false } of there) {
  // Not the command's echo, where the status is still a name.
  const status = Number(new RegExp(`^${name} ended with (\\d+)$`, 'm').exec(result.stdout)?.[1] ?? NaN);
  if (status === SKIPPED && skips) skipped++;
  else if (status !== 0) failures.push(`${name} ended with status ${status}`);
}
check(`${there.length - skipped} of the kernel's tests of KVM pass, ${skipped} more find that they have nothing to test`, failures, result);
