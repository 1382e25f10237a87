// npm run test:real: what people already have, on the built command. Guests are Debian's packages, fetched by apt where
// that is there; each script skips with a line what it cannot have. `--quick` is the part that CI runs at every change:
// a minute of processor time instead of ten.
//
//   node test/real/real.mjs [--quick]
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const quick = process.argv.includes('--quick');
/** `quick`: the script has a part that is quick. */
const SCRIPTS = [
  { name: 'linux', quick: true },
  { name: 'grub', quick: true },
  { name: 'uefi', quick: true },
  { name: 'syslinux', quick: false },
  { name: 'floppy', quick: false },
  { name: 'ipxe', quick: false },
  { name: 'memtest', quick: true },
  { name: 'i386', quick: false },
  { name: 'xen', quick: false },
  { name: 'qemu', quick: false },
  { name: 'beneath', quick: false },
  { name: 'selftests', quick: false },
  { name: 'processorTests', quick: false },
];

for (const script of SCRIPTS) {
  if (quick && !script.quick) continue;
  const { status } = spawnSync(process.execPath, [path.join(here, `${script.name}.mjs`), ...(quick ? ['--quick'] : [])], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
