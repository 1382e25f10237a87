// Debian's memtest86+ shows its screen on the serial console and completes its first tests over 64 MiB without an error.
import { needFile, report, run } from './lib/hyperstep.mjs';

const IMAGE = '/boot/memtest86+x64.bin';
/** Tests 0 to 3 take about one and a half thousand million instructions. */
const MOST_INSTRUCTIONS = 6_000_000_000;
const MOST_SECONDS = 240;

needFile(IMAGE, 'memtest86+');
const result = run(
  [
    '--kernel', IMAGE, '--append', 'console=ttyS0,115200', '--memory', '64M', '--max-instructions', String(MOST_INSTRUCTIONS),
    '--expect', '[?25l', '--type', '\\r', '--expect', 'Memtest86+', '--expect', '#0  [', '--expect', '#4  [',
  ],
  MOST_SECONDS,
);
const errors = [...result.stdout.matchAll(/Errors:\s*(\d+)/g)].map(([, n]) => Number(n));
report('memtest86+ completes its tests 0 to 3 over 64 MiB without an error', result.status === 0 && errors.length > 0 && errors.every((n) => n === 0), result);
