// The kernel's own tests of the processor as programs see it (tools/testing/selftests/x86 and others), on Debian's
// Linux of 64 and of 32 bits on Hyperstep. They are built from Debian's package of the kernel's source where that is
// installed, with gcc-multilib; processorTestCases.mjs has what each is expected to say.
//
//   node test/real/processorTests.mjs [--console] [--kernel 64|32] [--only NAME]... [--source linux-source-6.1.tar.xz] [--keep FOLDER]
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { unpacked } from './debian.mjs';
import { busyboxInitramfs, withFiles } from './initramfs.mjs';
import { extracted, librariesOf, sourceArchive } from './kernelSource.mjs';
import { check, run, skip, temporaryFolder } from './lib/hyperstep.mjs';
import { CASES } from './processorTestCases.mjs';

const { values: options } = parseArgs({ options: { console: { type: 'boolean' }, kernel: { type: 'string' }, only: { type: 'string', multiple: true }, source: { type: 'string' }, keep: { type: 'string' } } });

const MOST_SECONDS = 900;
/** Of the guest's time, per test. */
const MOST_GUEST_SECONDS = 8;
const PARTS = ['tools/testing/selftests', 'tools/include', 'arch/x86/include/asm/desc_defs.h'];
const COMPILER = ['-O2', '-g', '-std=gnu99', '-pthread', '-w', '-no-pie', '-I../../../../tools/include', '-DCAN_BUILD_64', '-DCAN_BUILD_32'];
const LIBRARIES = ['-lrt', '-ldl', '-lm'];
const PROMPT = '/ # ';
const KERNEL_OPTIONS = 'console=ttyS0 nokaslr quiet cryptomgr.notests vsyscall=xonly';
const KERNELS = [
  { bits: 64, packages: ['linux-image-amd64', 'busybox-static'] },
  { bits: 32, packages: ['linux-image-686-pae:i386', 'busybox-static:i386'] },
];

const archive = sourceArchive(options.source);
const folder = options.keep ?? temporaryFolder();
if (spawnSync('gcc', ['-m32', '-xc', '-', '-o', path.join(folder, 'thirtyTwo')], { input: '#include <stdlib.h>\nint main(void) { return 0; }\n' }).status !== 0) skip("gcc -m32 does not build programs; install Debian's gcc-multilib");

/** The tests that can be built, as { title, file, bits, test }, and the libraries that they load. */
function built() {
  const tests = path.join(extracted(archive, PARTS, folder), 'tools/testing/selftests');
  const programs = [];
  const libraries = new Set();
  for (const test of CASES.filter(({ name }) => options.only === undefined || options.only.includes(name)))
    for (const bits of test.bits) {
      const cwd = path.join(tests, test.folder);
      const title = `${test.name}_${bits}`;
      const file = path.join(folder, title);
      const { status, stderr } = spawnSync('gcc', [`-m${bits}`, ...COMPILER, '-o', file, `${test.name}.c`, ...(test.files?.[bits] ?? []), ...(test.flags ?? []), ...LIBRARIES], { cwd, encoding: 'utf8' });
      if (status !== 0) {
        console.log(`skipped: ${title} cannot be built here: ${stderr.trim().split('\n').find((line) => /error|undefined/.test(line))}`);
        continue;
      }
      spawnSync('strip', [file]);
      if (!test.flags?.includes('-static')) for (const library of librariesOf(file)) libraries.add(library);
      programs.push({ title, file, bits, test });
    }
  return { programs, libraries };
}

const { programs, libraries } = built();
for (const { bits: kernelBits, packages } of KERNELS) {
  if (options.kernel !== undefined && Number(options.kernel) !== kernelBits) continue;
  const { root, why } = unpacked(...packages);
  if (why) {
    console.log(`skipped: processorTests.mjs: ${why}.`);
    continue;
  }
  const here = programs.filter(({ bits }) => kernelBits === 64 || bits === 32);
  const files = {};
  for (const { title, file } of here) files[`tests/${title}`] = fs.readFileSync(file);
  for (const library of libraries) if (kernelBits === 64 || !/64/.test(library)) files[library.includes('64') ? `lib64/${path.basename(library)}` : `lib/${path.basename(library)}`] = fs.readFileSync(library);
  const initrd = path.join(folder, `initrd${kernelBits}`);
  fs.writeFileSync(initrd, withFiles(busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules') }), ['lib64', 'tests', 'tmp'], files));
  const kernel = path.join(root, 'boot', fs.readdirSync(path.join(root, 'boot')).find((f) => f.startsWith('vmlinuz')));
  const lines = ['dmesg -n 1; export LD_LIBRARY_PATH=/lib64:/lib; busybox mkdir /etc; echo root > /etc/passwd', ...here.map(({ title }) => `(cd /tests; busybox timeout -s KILL ${MOST_GUEST_SECONDS} ./${title} > /tmp/out 2>&1); echo ${title} ended with $?; busybox grep -iE -e FAIL /tmp/out | head -20`), 'poweroff -f'];
  const typed = lines.flatMap((line) => ['--expect', PROMPT, '--type', `${line}\n`]);
  const words = ['--kernel', kernel, '--initrd', initrd, '--append', KERNEL_OPTIONS, '--memory', '512M', '--cpus', '2', '--fail-on', 'Kernel panic', ...typed];
  if (options.keep) fs.writeFileSync(path.join(folder, `lines${kernelBits}`), lines.join('\n'));
  const result = await run(words, MOST_SECONDS, { show: options.console });
  const failures = result.status === 0 ? [] : ['it has not switched itself off'];
  for (const { title } of here) {
    // Not the command's echo, where the status is still a name.
    const status = Number(new RegExp(`^${title} ended with (\\d+)$`, 'm').exec(result.stdout)?.[1] ?? NaN);
    if (status !== 0) failures.push(`${title} ended with status ${status}`);
  }
  check(`on a ${kernelBits}-bit kernel ${here.length} of the kernel's tests of the processor pass`, failures, result);
}
