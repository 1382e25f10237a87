// Plays the tiny VMMs of the VM-entry checks (test/unit/vmxEntry*Cases.ts) and of the VM exits (vmxExitCases.ts) on
// Debian's Bochs too. Of entries it compares outcome, exit reason and qualification with Hyperstep's, of exits everything
// that the SDM defines for them. What differs must be in vmxDisagreements.mjs, with the reason.
//
//   npx tsx test/bochs/vmx.mjs [--only PATTERN] [--timeout SECONDS] [--all] [--keep IMAGE]
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
import { DISAGREEMENTS, UNPLAYABLE } from './vmxDisagreements.mjs';

// TypeScript of this repository is CommonJS to Node.
const require = createRequire(import.meta.url);
const { exitReasonName, FIELDS, VMCS_REVISION } = require('../../src/vmx/index.ts');
const { EXECUTION_CASES, EXIT_ENTRY_CASES, HOST_CASES } = require('../unit/vmxEntryCases.ts');
const { MSR_CASES, REGISTER_CASES, SEGMENT_CASES, STATE_CASES } = require('../unit/vmxEntryGuestCases.ts');
const { EXIT_CASES, exitTitle, neverStays } = require('../unit/vmxExitCases.ts');
const { enterExit, isAnnounced, prepareExit, reportOf } = require('../unit/vmxExitVmm.ts');
const { prepare, rigFor, write } = require('../unit/vmxEntryVmm.ts');
const { At } = require('../unit/vmxRig.ts');

const HERE = path.dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({ options: { only: { type: 'string', default: '' }, timeout: { type: 'string', default: '240' }, all: { type: 'boolean', default: false }, keep: { type: 'string' } } });

/** The model of Bochs 2.7 with most of VMX. */
const MODEL = 'corei7_skylake_x';
/** Of vmx.S. */
const DIRECTORY_SECTOR = 16;
const DIRECTORY_SECTORS = 16;
const SECTOR = 512;
const MSR_AREA = 0x4_0000;
const PDPTES = 0x9000;
/** Host-physical ranges that a case may have filled, in bytes. */
const MEMORY = [[At.MSR_BITMAP, 0x1000], [At.IO_BITMAPS, 0x2000], [0x1_8000, 0x2000], [At.EPT, 0x4000], [MSR_AREA, 0x3000], [At.GUEST, 0x1_0000]];

/** All cases that need nothing which Bochs' processor lacks: title, and a rig ready to enter. */
function* cases() {
  const areas = { ...EXECUTION_CASES, ...EXIT_ENTRY_CASES, ...HOST_CASES, ...REGISTER_CASES, ...SEGMENT_CASES, ...STATE_CASES };
  for (const [id, c] of Object.entries(areas)) {
    for (const outcome of ['fails', 'holds']) {
      const settings = outcome === 'holds' ? { ...c, ...c.keepsIn } : c;
      // A guest that waits would wait for ever there.
      if (settings.announce || settings.without?.length || settings.vmm32 || (outcome === 'holds' && 'exit' in c && c.exit === undefined)) continue;
      yield {
        title: `${id} ${outcome}`,
        make() {
          const rig = rigFor([], []);
          prepare(rig, settings.guest ?? 'long');
          c.memory?.(rig, outcome);
          write(rig, c.base ?? {});
          write(rig, outcome === 'fails' ? c.breaks : (c.keeps ?? {}));
          return rig;
        },
      };
    }
  }
  for (const [id, c] of Object.entries(MSR_CASES)) {
    for (const outcome of ['fails', 'holds']) {
      yield {
        title: `${id} ${outcome}`,
        make() {
          const rig = rigFor([], []);
          prepare(rig, 'long');
          const count = (outcome === 'fails' ? c.count : c.keepsCount) ?? 2;
          for (let i = 0; i < count; i++) {
            const [index, value] = i === count - 1 ? (outcome === 'fails' ? c.breaks : c.keeps) : [0xc000_0102n, 0n];
            rig.write64(MSR_AREA + i * 16, index);
            rig.write64(MSR_AREA + i * 16 + 8, value);
          }
          write(rig, { VM_ENTRY_MSR_LOAD_ADDRESS: MSR_AREA, VM_ENTRY_MSR_LOAD_COUNT: count });
          return rig;
        },
      };
    }
  }
}

/** The fields behind reason and qualification of a line of vmx.S. */
const REPORTED = ['VM_EXIT_INSTRUCTION_LENGTH', 'VM_EXIT_INSTRUCTION_INFO', 'VM_EXIT_INTERRUPTION_INFO', 'VM_EXIT_INTERRUPTION_ERROR_CODE', 'IDT_VECTORING_INFO', 'IDT_VECTORING_ERROR_CODE', 'GUEST_LINEAR_ADDRESS', 'GUEST_PHYSICAL_ADDRESS', 'GUEST_RIP', 'GUEST_ACTIVITY_STATE', 'GUEST_INTERRUPTIBILITY_STATE', 'GUEST_PENDING_DEBUG_EXCEPTIONS', 'GUEST_RFLAGS'];

/** The guests of the VM exits; nothing can be made to wait at Bochs' processor. */
function* exitCases() {
  for (const c of EXIT_CASES.filter((each) => isAnnounced(each) && !each.waits)) {
    for (const outcome of neverStays(c) ? ['exits'] : ['exits', 'stays']) yield { title: exitTitle(c, outcome), exit: c, make: () => prepareExit(c, outcome) };
  }
}

/** What of a line of vmx.S is compared: all that is defined for the exit of a case, else the outcome. */
function comparable(line, exit) {
  const [kind, ...values] = line.split(' ');
  if (kind !== 'X' || !exit) return line.split(' ').slice(0, 3).join(' ');
  const fields = Object.fromEntries(['VM_EXIT_REASON', 'EXIT_QUALIFICATION', ...REPORTED].map((name, i) => [name, BigInt(`0x${values[i]}`)]));
  const report = reportOf((name) => fields[name], exit, exitReasonName(Number(fields.VM_EXIT_REASON & 0xffffn)));
  return Object.entries(report).filter(([, value]) => value !== 'none').map(([name, value]) => (name === 'reason' ? value : `${name} ${value}`)).join(', ');
}

/** The case as vmx.S reads it. */
function image(rig) {
  const words = [];
  for (const [start, size] of MEMORY) {
    for (let at = start; at < start + size; at += 8) {
      const value = rig.read64(at);
      if (value !== 0n) words.push([BigInt(at), value]);
    }
  }
  for (let i = 0; i < 4; i++) words.push([BigInt(PDPTES + i * 8), rig.read64(PDPTES + i * 8)]);
  words.push([BigInt(At.OTHER_VMCS), BigInt.asUintN(32, rig.read64(At.OTHER_VMCS) - BigInt(VMCS_REVISION))]);
  const fields = FIELDS.filter((f) => f.group !== 'exit-information').flatMap((f) => {
    const value = rig.get(f.name);
    // Fields that some processors lack are written where they hold something; the others were cleared, but not all processors clear them.
    return value === undefined || (value === 0n && f.feature !== '') ? [] : [[BigInt(f.encoding), value]];
  });
  const out = BigUint64Array.from([BigInt(words.length), ...words.flat(), BigInt(fields.length), ...fields.flat()]);
  return Buffer.from(out.buffer);
}

/** Hyperstep's outcome, in the words of vmx.S. */
function play(rig) {
  enterExit(rig);
  const hex = (value) => value.toString(16);
  if (rig.exits.length > 0) return ['X', ...['VM_EXIT_REASON', 'EXIT_QUALIFICATION', ...REPORTED].map((name) => hex(rig.get(name)))].join(' ');
  return rig.status === 'invalid' ? 'I 0 0' : `V ${hex(rig.status)} 0`;
}

function build(folder) {
  const object = path.join(folder, 'vmx.o');
  const binary = path.join(folder, 'vmx.bin');
  for (const [tool, ...args] of [['as', '--64', '-o', object, path.join(HERE, 'vmx.S')], ['ld', '-Ttext', '0x7c00', '--oformat', 'binary', '-o', binary, object]]) {
    const { status, stderr, error } = spawnSync(tool, args, { encoding: 'utf8' });
    if (error?.code === 'ENOENT') return undefined;
    if (status !== 0 && !/warning/.test(stderr)) throw new Error(stderr);
  }
  return fs.readFileSync(binary);
}

const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc((SECTOR - (bytes.length % SECTOR)) % SECTOR)]);

async function main() {
  if (!bochsIsThere()) return void console.log('Skipped: Bochs is not installed (apt-get install bochs bochs-term).');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-vmx-'));
  try {
    const code = build(folder);
    if (!code) return void console.log('Skipped: there is no assembler (apt-get install binutils).');
    const directory = Buffer.alloc(DIRECTORY_SECTORS * SECTOR);
    const parts = [];
    const titles = [];
    const exits = [];
    const ours = [];
    let sector = DIRECTORY_SECTOR + DIRECTORY_SECTORS;
    for (const { title, make, exit } of [...cases(), ...exitCases()]) {
      if (!title.includes(options.only) || UNPLAYABLE[title]) continue;
      const rig = make();
      const bytes = padded(image(rig));
      directory.writeUInt32LE(sector, titles.length * 8);
      directory.writeUInt32LE(bytes.length / SECTOR, titles.length * 8 + 4);
      parts.push(bytes);
      titles.push(title);
      exits.push(exit);
      ours.push(comparable(play(rig), exit));
      sector += bytes.length / SECTOR;
    }
    if (titles.length * 8 >= directory.length) throw new Error('The directory is full: make DIRECTORY_SECTORS larger, here and in vmx.S.');
    const disk = path.join(folder, 'vmx.img');
    fs.writeFileSync(disk, Buffer.concat([code, Buffer.alloc(DIRECTORY_SECTOR * SECTOR - code.length), directory, ...parts]));

    if (options.keep) fs.copyFileSync(disk, options.keep);
    const { console: shown, log } = await runBochs({ drives: [disk], texts: ['E\n'], timeout: Number(options.timeout), cpu: MODEL });
    const theirs = shown.replaceAll('\r', '').split('\n').filter((line) => /^[VIXU] /.test(line));
    if (theirs.length < titles.length) console.log(`Bochs has told of ${theirs.length} entries only.\n${log.split('\n').slice(-12).join('\n')}`);
    let agreed = 0;
    let explained = 0;
    let wrong = 0;
    titles.forEach((title, i) => {
      const bochs = theirs[i] === undefined ? 'nothing' : comparable(theirs[i], exits[i]);
      if (bochs === ours[i]) {
        agreed++;
        if (!DISAGREEMENTS[title] || DISAGREEMENTS[title].sometimes) return;
        console.log(`${title}: agrees with Bochs now; its row in vmxDisagreements.mjs can go.`);
        wrong++;
        return;
      }
      const known = DISAGREEMENTS[title];
      if (known && known.bochs === bochs) {
        explained++;
        if (options.all) console.log(`${title}: Hyperstep ${ours[i]}, Bochs ${bochs}. ${known.why} ("${known.section}")`);
        return;
      }
      wrong++;
      console.log(`${title}: Hyperstep ${ours[i]}, Bochs ${bochs}.`);
    });
    const exitCount = exits.filter(Boolean).length;
    console.log(`${titles.length - exitCount} VM entries and ${exitCount} VM exits: ${agreed} agree, ${explained} differ as explained, ${wrong} do not.`);
    if (wrong > 0) process.exitCode = 1;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

await main();
