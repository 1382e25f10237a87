// npm run bench: Hyperstep beside Debian's Bochs and QEMU's TCG on the same images, in one run, as medians and ratios. Absolute times
// depend on the machine and who else is on it; the ratio is what counts.
//
//   node test/bench/bench.mjs [--runs 3] [--json FILE]
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bochsIsThere, runBochs } from '../bochs/bochs.mjs';
import { runHyperstep } from './hyperstep.mjs';
import { qemuIsThere, runQemu } from './qemu.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const IMAGES = path.join(HERE, 'images');
const LAB = path.resolve(HERE, '../../lab/images/complete');
const TIMEOUT = 120;

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
  { name: 'compute: integer work in 64-bit mode', qemu: true, drives: [path.join(IMAGES, 'compute.img')], texts: ['begin', 'end 0x'] },
  { name: 'exits: 300 000 round trips of a VM exit by CPUID', drives: [path.join(IMAGES, 'exits.img')], texts: ['begin', 'end 300000'] },
];

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function timed(run, workload) {
  const result = await run({ ...workload, timeout: TIMEOUT });
  if (result.seconds.length < workload.texts.length) throw new Error(`${workload.name}: "${workload.texts[result.seconds.length]}" did not show within ${TIMEOUT} s.\n${result.errors ?? ''}`);
  const last = result.seconds[result.seconds.length - 1];
  return { seconds: workload.texts.length > 1 ? last - result.seconds[workload.from ?? 0] : last, stats: result.stats };
}

const { values } = parseArgs({ options: { runs: { type: 'string', default: '3' }, json: { type: 'string' } } });
const peers = [
  { name: "Debian's Bochs", run: runBochs, suits: () => bochsIsThere() },
  { name: 'QEMU TCG', run: runQemu, suits: (workload) => workload.qemu === true && qemuIsThere() },
];
const rows = [];
for (const workload of WORKLOADS) {
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
if (values.json) fs.writeFileSync(values.json, JSON.stringify(rows, undefined, 2) + '\n');
