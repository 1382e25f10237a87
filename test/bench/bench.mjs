// npm run bench: Hyperstep beside Debian's Bochs and QEMU's TCG on the same images, in one run, as medians and ratios. Absolute times
// depend on the machine and who else is on it; the ratio is what counts.
//
//   node test/bench/bench.mjs [--runs 3] [--only TEXT] [--json FILE]
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bochsIsThere, runBochs } from '../bochs/bochs.mjs';
import { runHyperstep } from './hyperstep.mjs';
import { linuxDisk, PROMPT } from './linuxDisk.mjs';
import { qemuIsThere, runQemu } from './qemu.mjs';
import { responses } from './responses.mjs';
import { runningCosts } from './runningCosts.mjs';
import { startAlone, startUp } from './startup.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const IMAGES = path.join(HERE, 'images');
const LAB = path.resolve(HERE, '../../lab/images/complete');
const TIMEOUT = 120;
/** Starts of the process, of which what little the engine takes is a difference. */
const STARTS = 9;
/** Pairs of short runs for each cost of what is set and not hit. */
const COST_PAIRS = 40;

/** A kernel of ./kernels: timed from "begin" to the line with "end". */
function kernel(name, what) {
  return { name: `${name}: ${what}`, qemu: true, drives: [path.join(IMAGES, `${name}.img`)], texts: ['begin', 'end '] };
}

/** What is timed: from the first text (or the one that `from` numbers) to the last, or from the start of the process where there is one text. */
const WORKLOADS = [
  { name: 'lab: start to the prompt vm$', drives: [path.join(LAB, 'vmm.img'), path.join(LAB, 'guest.img')], texts: ['vm$'] },
  {
    name: 'lab: the guest counts primes, its memory filled on demand',
    drives: [path.join(LAB, 'vmm.img'), path.join(LAB, 'guest.img')],
    texts: ['vm$', 'primes 5000000', 'vm$'],
    type: ['primes 5000000\r'],
    from: 1,
  },
  kernel('compute', 'integer work in 64-bit mode'),
  kernel('computelong', 'the same for six times as long'),
  kernel('coldcode', '2000 different functions in random order'),
  kernel('syscalls', '2 000 000 round trips by SYSCALL and SYSRET'),
  kernel('pagetables', 'pages mapped, moved and unmapped, two address spaces'),
  kernel('selfmodifying', 'code executed right after it is written'),
  kernel('interrupts', '1 000 000 interrupts from the local APIC'),
  { ...kernel('exits', '300 000 round trips of a VM exit by CPUID'), qemu: false },
  { ...kernel('exitslong', 'the same for six times as long'), qemu: false },
];

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function timed(run, workload) {
  const result = await run({ ...workload, timeout: TIMEOUT });
  if (result.seconds.length < workload.texts.length) throw new Error(`${workload.name}: "${workload.texts[result.seconds.length]}" did not show within ${TIMEOUT} s.\n${result.errors ?? ''}`);
  const last = result.seconds[result.seconds.length - 1];
  return { seconds: workload.texts.length > 1 ? last - result.seconds[workload.from ?? 0] : last, stats: result.stats };
}

const { values } = parseArgs({ options: { runs: { type: 'string', default: '3' }, only: { type: 'string', default: '' }, json: { type: 'string' } } });
const peers = [
  { name: "Debian's Bochs", run: runBochs, suits: () => bochsIsThere() },
  { name: 'QEMU TCG', run: runQemu, suits: (workload) => workload.qemu === true && qemuIsThere() },
];
const linux = 'linux'.includes(values.only) ? linuxDisk() : { why: undefined };
if (linux.image) WORKLOADS.push({ name: 'linux: power-on to the shell of Debian\'s kernel, by GRUB', qemu: true, drives: [linux.image], texts: [PROMPT] });
else if (linux.why) console.log(`There is no row for Linux: ${linux.why}.`);
const rows = [];
for (const workload of WORKLOADS.filter((w) => w.name.includes(values.only))) {
  const own = [];
  const others = peers.filter((p) => p.suits(workload)).map((p) => ({ ...p, times: [] }));
  // In turn, so that a slow spell of the machine hits all.
  for (let i = 0; i < Number(values.runs); i++) {
    own.push(await timed(runHyperstep, workload));
    for (const other of others) other.times.push(await timed(other.run, workload));
  }
  const hyperstep = median(own.map((o) => o.seconds));
  const ratios = Object.fromEntries(others.map((o) => [o.name, { seconds: median(o.times.map((t) => t.seconds)), ratio: median(o.times.map((t) => t.seconds)) / hyperstep }]));
  rows.push({ workload: workload.name, hyperstep, peers: ratios, mips: own[0].stats?.mips });
}
console.log(`| workload | Hyperstep, s | ${peers.map((p) => `${p.name}, s | speed against it`).join(' | ')} |\n|---|---|${peers.map(() => '---|---|').join('')}`);
for (const r of rows) {
  const cells = peers.map((p) => (r.peers[p.name] ? `${r.peers[p.name].seconds.toFixed(2)} | ${r.peers[p.name].ratio.toFixed(2)}x` : '- | -'));
  console.log(`| ${r.workload} | ${r.hyperstep.toFixed(2)} | ${cells.join(' | ')} |`);
}
linux.remove?.();

const starts = { '16M': [], '512M': [] };
const withoutMachine = [];
for (let i = 0; i < STARTS; i++) {
  for (const memory of Object.keys(starts)) starts[memory].push(await startUp(path.join(IMAGES, 'compute.img'), memory));
  withoutMachine.push(await startAlone());
}
const [little, much] = ['16M', '512M'].map((memory) => median(starts[memory].map((s) => s.mebibytes)));
const start = median(starts['512M'].map((s) => s.seconds)) * 1000;
const alone = median(withoutMachine) * 1000;
console.log(`\nFrom the start of the process through one instruction: ${start.toFixed(0)} ms; without a machine the process takes ${alone.toFixed(0)} ms, the engine and its machine ${(start - alone).toFixed(0)} ms.`);
console.log(`Memory of the process: ${little.toFixed(0)} MiB with 16 MiB of RAM, ${much.toFixed(0)} MiB with 512 MiB that nobody has touched.`);
if ('responses'.includes(values.only)) {
  const { total, times } = await responses();
  console.log(`\nThe debug adapter's answers after ${total} VM exits, medians: ${Object.entries(times).map(([what, ms]) => `${what} ${ms.toFixed(1)} ms`).join(', ')}.`);
  const percent = (part) => `${(part * 100).toFixed(1)} %`;
  console.log('\nWhat is set and not hit costs of the speed, medians of pairs and their quartiles:');
  for (const [image, costs] of Object.entries(await runningCosts(COST_PAIRS))) {
    for (const [name, { median: middle, low, high }] of Object.entries(costs)) console.log(`  ${image}, ${name}: ${percent(middle)} (${percent(low)} to ${percent(high)})`);
  }
}
if (values.json) fs.writeFileSync(values.json, JSON.stringify(rows, undefined, 2) + '\n');
