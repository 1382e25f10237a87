// Debian's memtest86+ shows its screen on the serial console and completes its first tests over 64 MiB without an error.
import path from 'node:path';
import { unpacked } from './debian.mjs';
import { check, missing, run, skip } from './lib/hyperstep.mjs';

/** Tests 0 to 3 take about one and a half thousand million instructions. */
const MOST_INSTRUCTIONS = 6_000_000_000;
const MOST_SECONDS = 240;
/** It draws its screen once a second, and does tests 1 to 3 in less. */
const FIRST_SEEN = ['#0  [', '#4  ['];

const { root, why } = unpacked('memtest86+');
if (why) skip(why);
const words = ['--kernel', path.join(root, 'boot/memtest86+x64.bin'), '--append', 'console=ttyS0,115200', '--memory', '64M', '--max-instructions', String(MOST_INSTRUCTIONS)];
const result = await run([...words, '--expect', '[?25l', '--type', '\\r', '--expect', 'Memtest86+', ...FIRST_SEEN.flatMap((text) => ['--expect', text])], MOST_SECONDS);
const errors = [...result.stdout.matchAll(/Errors:\s*(\d+)/g)].map(([, n]) => Number(n));
const failures = missing(result.stdout, ['Memtest86+', ...FIRST_SEEN]);
if (result.status !== 0) failures.push('it has not come so far');
if (errors.length === 0 || errors.some((n) => n !== 0)) failures.push(`it counts errors: ${errors.join(', ') || 'none are told'}`);
check('memtest86+ completes its tests 0 to 3 over 64 MiB without an error', failures, result);
