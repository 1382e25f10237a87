// Debian's iPXE, as a Linux kernel and from its CD by ISOLINUX: it looks at all buses, gathers randomness from the
// clock's interrupts and finds no network. Its 16-bit code begins within a page and writes among its instructions.
//
//   node test/real/ipxe.mjs
import path from 'node:path';
import { unpacked } from './debian.mjs';
import { check, run, skip } from './lib/hyperstep.mjs';

const MOST_INSTRUCTIONS = 3_000_000_000;
const MOST_SECONDS = 400;

const { root, why } = unpacked('ipxe');
if (why) skip(why);
const file = (name) => path.join(root, name);
const WAYS = [
  ['a Linux kernel', ['--kernel', file('boot/ipxe.lkrn')]],
  ['a CD', ['--cdrom', file('usr/lib/ipxe/ipxe.iso')]],
];
for (const [name, image] of WAYS) {
  const result = await run([...image, '--memory', '64M', '--expect-screen', 'Open Source Network Boot Firmware', '--expect-screen', 'No more network devices', '--max-instructions', String(MOST_INSTRUCTIONS)], MOST_SECONDS);
  check(`iPXE starts as ${name} and finds no network`, result.status === 0 ? [] : ['it has not come to its end'], result);
}
