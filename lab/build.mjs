// Builds the lab: npm run build:lab [-- --state NAME] [--cc gcc|clang|zig] [--out FOLDER] [--dwarf N]
//
// Every state of the lab is made of the same sources; a state says which of the marked regions are switched on. The
// images of a state are vmm.img and guest.img (drives 0 and 1) and, with debug information, vmm.elf and guest.elf, and
// their boot sectors as vmm-boot.elf and guest-boot.elf.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pickCompiler } from './tools/compiler.mjs';
import { guestDisk, vmmDisk } from './tools/disk.mjs';

const LAB = path.dirname(fileURLToPath(import.meta.url));

/** State -> regions that are done. README.md tells how each state ends. */
const STATES = {
  reason: [],
  cpuid: ['LAB_REASON', 'LAB_MBMAP'],
  disk: ['LAB_REASON', 'LAB_MBMAP', 'LAB_CPUID'],
  complete: ['LAB_REASON', 'LAB_MBMAP', 'LAB_CPUID', 'LAB_IPC'],
};

/** The sources of a folder in a fixed order, whatever the file system's is. */
const sources = (folder) =>
  fs.readdirSync(path.join(LAB, folder)).filter((name) => /\.[cS]$/.test(name)).sort().map((name) => `${folder}/${name}`);

class Build {
  #objects = new Map();

  constructor(compiler, scratch) {
    this.compiler = compiler;
    this.scratch = scratch;
  }

  /** The object of a source under a state's regions. Only those that a source names matter, so states share the rest. */
  #object(source, regions) {
    const text = fs.readFileSync(path.join(LAB, source), 'utf8');
    const defines = regions.filter((region) => text.includes(region));
    const key = [source, ...defines].join(' ');
    if (!this.#objects.has(key)) {
      const object = path.join(this.scratch, `${this.#objects.size}.o`);
      this.compiler.compile(source, object, defines);
      this.#objects.set(key, object);
    }
    return this.#objects.get(key);
  }

  #link(script, files, regions) {
    const output = path.join(this.scratch, 'linked.elf');
    this.compiler.link(script, files.map((source) => this.#object(source, regions)), output);
    return fs.readFileSync(output);
  }

  /** The images of a state. */
  state(regions) {
    const elf = {};
    const boot = {};
    for (const kernel of ['vmm', 'guest']) {
      const sector = `${kernel}/boot.S`;
      const files = [...sources(kernel), ...sources('lib')].filter((source) => source !== sector);
      elf[kernel] = this.#link('lib/kernel.ld', files, regions);
      boot[kernel] = this.#link(`${kernel}/boot.ld`, [sector], []);
    }
    const folder = path.join(LAB, 'guest', 'files');
    const files = fs.readdirSync(folder).sort().map((name) => ({
      name,
      // A checkout on Windows may have turned the line ends around; the guest's disk has the same bytes everywhere.
      bytes: Buffer.from(fs.readFileSync(path.join(folder, name), 'latin1').replaceAll('\r\n', '\n'), 'latin1'),
    }));
    return {
      'vmm.img': vmmDisk(boot.vmm, elf.vmm),
      'guest.img': guestDisk(boot.guest, elf.guest, files),
      'vmm.elf': elf.vmm,
      'guest.elf': elf.guest,
      'vmm-boot.elf': boot.vmm,
      'guest-boot.elf': boot.guest,
    };
  }
}

function main() {
  const { values } = parseArgs({
    options: { state: { type: 'string' }, cc: { type: 'string' }, out: { type: 'string' }, dwarf: { type: 'string', default: '4' } },
  });
  if (values.state && !(values.state in STATES))
    throw new Error(`There is no state ${values.state}: --state is one of ${Object.keys(STATES).join(', ')}.`);
  if (!/^[2-5]$/.test(values.dwarf)) throw new Error(`--dwarf is 2, 3, 4 or 5, not ${values.dwarf}.`);
  const out = path.resolve(values.out ?? path.join(LAB, 'images'));
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-lab-'));
  try {
    const compiler = pickCompiler(values.cc, LAB, scratch, values.dwarf);
    console.log(`Building the lab with ${compiler.name}.`);
    const build = new Build(compiler, scratch);
    for (const state of values.state ? [values.state] : Object.keys(STATES)) {
      const folder = path.join(out, state);
      const images = build.state(STATES[state]);
      fs.mkdirSync(folder, { recursive: true });
      for (const [name, bytes] of Object.entries(images)) fs.writeFileSync(path.join(folder, name), bytes);
      console.log(`${state}: ${Object.entries(images).map(([name, bytes]) => `${name} ${Math.ceil(bytes.length / 1024)} KiB`).join(', ')}`);
    }
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
