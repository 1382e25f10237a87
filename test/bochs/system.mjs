// The system differential: small boot programs of our own over segmentation, paging, exceptions, task switches,
// virtual-8086 mode, debug registers and system calls, on Debian's Bochs and on Hyperstep. Every exception and interrupt
// writes a line of the state that it saw; both engines' lines must agree. What differs is explained in
// systemDisagreements.mjs.
//
//   npx tsx test/bochs/system.mjs [--mode 16|32|64] [--only PATTERN] [--timeout SECONDS] [--keep FOLDER] [--all]
//
// Ends with 0 when all agree or are explained, or when Bochs or the assembler is not installed (and says so); else with 1.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bochsIsThere, runBochs } from './bochs.mjs';
import { explanation } from './systemDisagreements.mjs';

// TypeScript of this repository is CommonJS to Node.
const require = createRequire(import.meta.url);
const { createMachine } = require('../../src/machine/machine.ts');

const HERE = path.dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({ options: { mode: { type: 'string' }, only: { type: 'string', default: '' }, timeout: { type: 'string', default: '240' }, keep: { type: 'string' }, all: { type: 'boolean', default: false } } });

const MODES = ['16', '32', '64'];
const MODEL = 'corei7_skylake_x';
const SECTOR = 512;
/** What the boot sector reads, in sectors. */
const ROOM = 192;
/** Ticks after which Hyperstep's run counts as hung. */
const LONGEST = 2_000_000_000;

const quoted = (text) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');

/** Blanks separate a macro's arguments. */
const compact = (line) => (/^(gate|page|to_user|to_v86) /.test(line) ? line.replace(/ ([-+*\/]) /g, '$1') : line);

/** The source of all cases behind the harness. */
function source(mode, prelude, cases) {
  const word = mode === '64' ? '.quad' : mode === '32' ? '.long' : '.word';
  const at = (label) => (mode === '16' ? `${label} - start` : label);
  const lines = [`#define MODE ${mode}`, `#include "${HERE}/systemBoot.S"`, `#include "${HERE}/systemHarness${mode}.S"`, prelude, '.balign 8', 'case_table:'];
  cases.forEach((_, i) => lines.push(`${word} ${at(`name_${i}`)}, ${at(`case_${i}`)}`));
  lines.push(`${word} 0, 0`);
  cases.forEach(([name, code], i) => lines.push(`name_${i}: .asciz "${quoted(name)}"`, `case_${i}:`, ...code.split(';').map((line) => `  ${compact(line.trim())}`)));
  return lines.join('\n') + '\n';
}

/** The disk image, or a sentence that says why there is none. */
function assemble(mode, text, folder) {
  const file = (name) => path.join(folder, name);
  fs.writeFileSync(file('cases.S'), text);
  const bits = mode === '64' ? '--64' : '--32';
  const emulation = mode === '64' ? 'elf_x86_64' : 'elf_i386';
  const steps = [
    ['cpp', '-P', '-undef', file('cases.S'), '-o', file('cases.s')],
    ['as', bits, '-o', file('cases.o'), file('cases.s')],
    ['ld', '-m', emulation, '-N', '--section-start', '.boot=0x7c00', '-Ttext', '0x10000', '-e', 'start', '-o', file('cases.elf'), file('cases.o')],
    ['objcopy', '-O', 'binary', '-j', '.boot', file('cases.elf'), file('boot.bin')],
    ['objcopy', '-O', 'binary', '-j', '.text', file('cases.elf'), file('text.bin')],
  ];
  for (const [command, ...args] of steps) {
    const run = spawnSync(command, args, { encoding: 'utf8' });
    if (run.error) return { why: `there is no ${command} (apt-get install binutils cpp)` };
    if (run.status !== 0) throw new Error(`${command}: ${run.stderr}`);
  }
  const body = fs.readFileSync(file('text.bin'));
  if (body.length > ROOM * SECTOR) throw new Error(`The cases of mode ${mode} need ${body.length} bytes; the boot sector reads ${ROOM * SECTOR}.`);
  return { image: Buffer.concat([fs.readFileSync(file('boot.bin')), body, Buffer.alloc(ROOM * SECTOR - body.length)]) };
}

function hyperstep(image) {
  const machine = createMachine({ memory: 64 << 20, cpus: 1, without: [], drives: [{ name: 'system.img', bytes: new Uint8Array(image) }], boot: { kind: 'disk' } });
  let shown = '';
  machine.onSerial = (byte) => (shown += String.fromCharCode(byte));
  let stop;
  for (let i = 0; i < 100 && !shown.includes('END'); i++) {
    stop = machine.run(LONGEST / 100);
    if (machine.ended || stop === 'halt') break;
  }
  return { shown, stop };
}

/** Lines by case. */
function records(shown) {
  const cases = new Map();
  let lines;
  for (const line of shown.replaceAll('\r', '').split('\n')) {
    if (line.startsWith('#')) cases.set(line.slice(1), (lines = []));
    else if (line === 'END') return { cases, complete: true };
    else if (line !== '') lines?.push(line);
  }
  return { cases, complete: false };
}

/** Names of what a line of events holds, for the report. */
const FIELDS = ['vector', 'error', 'ip', 'cs', 'flags', 'frame'];

function difference(a, b) {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] === b[i]) continue;
    const [x, y] = [a[i] ?? '(nothing)', b[i] ?? '(nothing)'].map((l) => l.split(' '));
    const at = x.findIndex((word, n) => word !== y[n]);
    return `event ${i + 1}, ${FIELDS[at - 1] ?? `word ${at}`}:\n    Bochs     ${b[i]}\n    Hyperstep ${a[i]}`;
  }
  return undefined;
}

async function play(mode, folder) {
  const { CASES, PRELUDE } = await import(`./system${mode}Cases.mjs`);
  const cases = CASES.filter(([name]) => name.includes(options.only));
  if (cases.length === 0) return { failed: false };
  const { image, why } = assemble(mode, source(mode, PRELUDE, cases), folder);
  if (why) return { why };
  const disk = path.join(folder, `system${mode}.img`);
  fs.writeFileSync(disk, image);
  const ours = hyperstep(image);
  const theirs = await runBochs({ drives: [disk], texts: ['END'], timeout: Number(options.timeout), cpu: MODEL });
  if (options.keep) {
    fs.writeFileSync(path.join(folder, `hyperstep${mode}.txt`), ours.shown);
    fs.writeFileSync(path.join(folder, `bochs${mode}.txt`), theirs.console);
  }
  const [mine, other] = [records(ours.shown), records(theirs.console)];
  let failed = false;
  let stopped = false;
  const count = { agree: 0, explained: 0, differ: 0 };
  for (const [name] of cases) {
    const [a, b] = [mine.cases.get(name), other.cases.get(name)];
    const what = a && b ? difference(a, b) : `${[a ? '' : 'Hyperstep', b ? '' : 'Bochs'].filter(Boolean).join(' and ')} did not come to it`;
    const reason = explanation(mode, name);
    if (what === undefined) count.agree++;
    else if (reason !== undefined) count.explained++;
    else {
      count.differ++;
      failed = true;
      if (a || b || !stopped) console.log(`DIFFERS: ${mode}: ${name}: ${what}`);
      if (!a && !b) stopped = true;
    }
    if (options.all && reason !== undefined && what !== undefined) console.log(`explained: ${mode}: ${name}: ${reason}`);
  }
  for (const [who, record, stop] of [['Hyperstep', mine, ours.stop], ['Bochs', other, theirs.log.split('\n').filter((l) => /PANIC|exception\(\)/.test(l)).slice(-2).join(' ')]]) {
    if (record.complete) continue;
    failed = true;
    console.log(`${who} did not come to the end of mode ${mode} (${stop}).`);
  }
  console.log(`mode ${mode}: ${cases.length} cases, ${count.agree} agree, ${count.explained} differ for a reason, ${count.differ} differ.`);
  return { failed };
}

if (!bochsIsThere()) console.log('Skipped: Bochs is not installed (apt-get install bochs bochs-term).');
else {
  const folder = options.keep ?? fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-system-'));
  fs.mkdirSync(folder, { recursive: true });
  for (const mode of options.mode ? [options.mode] : MODES) {
    const { failed, why } = await play(mode, folder);
    if (why) console.log(`Skipped: ${why}.`);
    if (failed) process.exitCode = 1;
  }
  if (!options.keep) fs.rmSync(folder, { recursive: true, force: true });
}
