/**
 * The options of `hyperstep run`: one table, and the JSON-able value that the rest works with. Only the words are
 * checked here, no file is touched.
 */
import { DEFAULT_MEMORY } from '../adapter/launch/configuration';
import { parseMemorySize } from '../adapter/launch/memorySize';
import { nearest } from '../base/nearest';
import { UserError } from '../base/errors';
import { CHECKS } from '../debug/checks/table';
import { EXIT_REASONS } from '../vmx/tables';
import { unescape } from './unescape';
import { MODELS, withheldBy } from '../cpu/system/models';

/** The lab's states, in the order in which a student gets through them. */
export const LAB_STATES = ['reason', 'cpuid', 'disk', 'complete'] as const;
export type LabState = (typeof LAB_STATES)[number];

/** What the console must show, or what is typed once it has shown the step before. */
export type Step =
  /** The serial console shows a text. */
  | { kind: 'expect'; text: string }
  /** The VGA screen shows a text, in one of its rows. */
  | { kind: 'expect-screen'; text: string }
  /** Typed on the serial port. */
  | { kind: 'type'; text: string }
  /** Typed on the PS/2 keyboard. */
  | { kind: 'press'; text: string };

export interface SymbolOption {
  file: string;
  world: 'vmm' | 'guest' | undefined;
}

export interface RunOptions {
  /** Drive 0 first. Empty: the lab, or a kernel without disks. */
  disks: string[];
  /** Floppy disks, A: first; one with a boot sector is booted before the drives. */
  floppies: string[];
  /** CDs; the first one is booted when there is no kernel. */
  cdroms: string[];
  /** Drives on virtio. */
  virtio: string[];
  /** Firmware images in place of the built-in BIOS: the one that ends at 4 GiB first. */
  firmware: string[];
  multiboot: string | undefined;
  modules: string[];
  /** A kernel (bzImage or ELF), and its initial RAM disk. */
  kernel: string | undefined;
  initrd: string | undefined;
  append: string;
  /** Bits of the Linux kernel's entry. */
  linuxEntry: 16 | 32 | 64 | undefined;
  /** File with the memory map that the firmware reports. */
  e820: string | undefined;
  /** State of the built-in lab, when no image is named. */
  lab: LabState;
  symbols: SymbolOption[];
  /** Bytes. */
  memory: number;
  cpus: number;
  /** False: nothing is translated. */
  translator: boolean;
  without: string[];
  /** `--expect` and `--type` in their order. */
  script: Step[];
  failOn: string[];
  maxInstructions: number | undefined;
  /** Seconds of wall time. */
  timeout: number | undefined;
  exits: string | undefined;
  stats: string | undefined;
  /** Names of exit reasons. */
  breakOnExit: string[];
  /** Ids of run-time checks that are switched off. */
  checksOff: string[];
  /** Prints a table of VM exits at the end. */
  summary: boolean;
  /** The VGA screen is printed at the end. */
  screen: boolean;
  /** File for the picture that is shown at the end. */
  screenshot: string | undefined;
}

interface Option {
  /** What follows the option, for the help; undefined for a switch. */
  argument: string | undefined;
  help: string;
  set(options: RunOptions, value: string, name: string): void;
}

const usage = (sentence: string): UserError => new UserError('usage', sentence);

function positive(name: string, value: string, whole: boolean): number {
  const number = /^[0-9][0-9_]*(\.[0-9]+)?$/.test(value) ? Number(value.replaceAll('_', '')) : NaN;
  if (!(number > 0) || (whole && !Number.isSafeInteger(number))) throw usage(`${name} is ${JSON.stringify(value)}, but must be a ${whole ? 'whole ' : ''}number above 0.`);
  return number;
}

function memory(name: string, value: string): number {
  const bytes = parseMemorySize(name, value);
  if (typeof bytes === 'string') throw usage(bytes);
  return bytes;
}

function exitName(name: string, value: string): string {
  const names = EXIT_REASONS.map((r) => r.name as string);
  const wanted = value.toUpperCase();
  if (names.includes(wanted)) return wanted;
  const near = nearest(wanted, names);
  throw usage(`${name} ${value}: there is no VM-exit reason of that name${near ? `; did you mean ${near}?` : ', for example CPUID, VMCALL, EPT_VIOLATION or IO_INSTRUCTION.'}`);
}

function checkIds(name: string, value: string): string[] {
  const ids = CHECKS.map((c) => c.id);
  if (value === 'all') return ids;
  if (ids.includes(value)) return [value];
  const near = nearest(value, ids);
  throw usage(`${name} ${value}: there is no VMX check of that name${near ? `; did you mean ${near}?` : `: they are ${ids.join(', ')}.`}`);
}

function symbolFile(value: string): SymbolOption {
  const [, world, file] = /^(?:(vmm|guest):)?(.*)$/s.exec(value)!;
  return { file: file!, world: world as SymbolOption['world'] };
}

const OPTIONS: Readonly<Record<string, Option>> = {
  '--disk': { argument: 'FILE', help: 'a drive; the first one is booted (repeatable)', set: (o, value) => void o.disks.push(value) },
  '--multiboot': {
    argument: 'FILE',
    help: 'boots a multiboot ELF',
    set: (o, value, name) => {
      if (o.multiboot !== undefined) throw usage(`${name} is there twice, but one kernel can be booted: name further files by --module.`);
      o.multiboot = value;
    },
  },
  '--module': { argument: '"FILE ARGS"', help: 'a module for the multiboot kernel, with its command line (repeatable)', set: (o, value) => void o.modules.push(value) },
  '--append': { argument: 'TEXT', help: 'command line of the kernel', set: (o, value) => (o.append = value) },
  '--cdrom': { argument: 'FILE', help: 'a CD image; booted unless a kernel is named (repeatable)', set: (o, value) => void o.cdroms.push(value) },
  '--floppy': { argument: 'FILE', help: 'a floppy disk, booted before drives; so is a first --disk of 1.44 MB (repeatable)', set: (o, value) => void o.floppies.push(value) },
  '--virtio': { argument: 'FILE', help: 'a drive on virtio instead of IDE (repeatable)', set: (o, value) => void o.virtio.push(value) },
  '--kernel': { argument: 'FILE', help: 'boots a kernel: a Linux bzImage, or an ELF by multiboot, PVH or its entry point', set: (o, value) => (o.kernel = value) },
  '--firmware': { argument: 'FILE', help: 'firmware in place of the built-in BIOS, as OVMF.fd; OVMF_CODE.fd and then OVMF_VARS.fd (repeatable)', set: (o, value) => void o.firmware.push(value) },
  '--initrd': { argument: 'FILE', help: 'its initial RAM disk', set: (o, value) => (o.initrd = value) },
  '--linux-entry': {
    argument: '16|32|64',
    help: 'which entry of the Linux kernel to take, the widest unless told',
    set: (o, value, name) => {
      const bits = ([16, 32, 64] as const).find((b) => String(b) === value);
      if (bits === undefined) throw usage(`${name} is ${JSON.stringify(value)}, but the entries of a Linux kernel are 16, 32 and 64.`);
      o.linuxEntry = bits;
    },
  },
  '--lab': {
    argument: 'STATE',
    help: `with no image: the state of the built-in lab, ${LAB_STATES.join(', ')}`,
    set: (o, value, name) => {
      const state = LAB_STATES.find((s) => s === value);
      if (!state) throw usage(`${name} is ${JSON.stringify(value)}, but the lab's states are ${LAB_STATES.join(', ')}.`);
      o.lab = state;
    },
  },
  '--symbols': { argument: '[vmm:|guest:]FILE', help: 'an ELF with symbols and debug information, a folder of them or a pattern such as obj/**/*.elf (repeatable)', set: (o, value) => void o.symbols.push(symbolFile(value)) },
  '--memory': { argument: 'SIZE', help: 'RAM, 512M unless told', set: (o, value, name) => (o.memory = memory(name, value)) },
  '--e820': { argument: 'FILE', help: 'the memory map that the firmware reports, as .e820 text', set: (o, value) => (o.e820 = value) },
  '--cpus': {
    argument: 'N',
    help: 'processors, 1 unless told',
    set: (o, value, name) => {
      o.cpus = positive(name, value, true);
      if (o.cpus > 8) throw usage(`${name} is ${value}, but the machine can have 8 processors at most.`);
    },
  },
  '--cpu': {
    argument: 'MODEL',
    help: `the processor's model: ${MODELS.join(', ')}`,
    set: (o, value, name) => {
      const withheld = withheldBy(value);
      if (!withheld) throw usage(`${name} is "${value}", but the models are: ${MODELS.join(', ')}.`);
      o.without.push(...withheld);
    },
  },
  '--no-translator': { argument: undefined, help: 'interprets hot code too: slower, and otherwise the same', set: (o) => (o.translator = false) },
  '--without': { argument: 'FEATURE,...', help: 'features that the processor shall not have', set: (o, value) => void o.without.push(...value.split(',').filter((f) => f !== '')) },
  '--expect': { argument: 'TEXT', help: 'ends with 0 once the console has shown TEXT (repeatable, in order)', set: (o, value, name) => void o.script.push({ kind: 'expect', text: text(name, value) }) },
  '--type': { argument: 'TEXT', help: 'types TEXT once the preceding --expect has matched; \\n, \\r, \\t, \\xNN', set: (o, value, name) => void o.script.push({ kind: 'type', text: text(name, value) }) },
  '--expect-screen': { argument: 'TEXT', help: 'the same for a row of the VGA screen (repeatable, in order with --expect)', set: (o, value, name) => void o.script.push({ kind: 'expect-screen', text: text(name, value) }) },
  '--press': { argument: 'TEXT', help: 'types TEXT on the PS/2 keyboard once the preceding text has come', set: (o, value, name) => void o.script.push({ kind: 'press', text: text(name, value) }) },
  '--fail-on': { argument: 'TEXT', help: 'ends with 1 when the console shows TEXT (repeatable)', set: (o, value, name) => void o.failOn.push(text(name, value)) },
  '--max-instructions': { argument: 'N', help: 'ends with 3 after N instructions', set: (o, value, name) => (o.maxInstructions = positive(name, value, true)) },
  '--timeout': { argument: 'SECONDS', help: 'ends with 3 after so many seconds', set: (o, value, name) => (o.timeout = positive(name, value, false)) },
  '--exits': { argument: 'FILE', help: 'writes one JSON object per VM exit, one a line', set: (o, value) => (o.exits = value) },
  '--stats': { argument: 'FILE', help: 'writes instructions, seconds, MIPS and exits by name as JSON', set: (o, value) => (o.stats = value) },
  '--break-on-exit': { argument: 'NAME', help: 'prints the first such VM exit, the VMCS and the stack, and ends', set: (o, value, name) => void o.breakOnExit.push(...value.split(',').map((v) => exitName(name, v))) },
  '--no-check': { argument: 'ID,...', help: 'VMX checks that are not made; "all" for none at all', set: (o, value, name) => void o.checksOff.push(...value.split(',').flatMap((v) => checkIds(name, v))) },
  '--screen': { argument: undefined, help: 'prints the VGA text screen at the end', set: (o) => (o.screen = true) },
  '--screenshot': { argument: 'FILE', help: 'writes the picture that the guest shows at the end as PNG', set: (o, value) => (o.screenshot = value) },
  '--summary': { argument: undefined, help: 'prints a table of VM exits by reason at the end', set: (o) => (o.summary = true) },
};

function text(name: string, value: string): string {
  if (value === '') throw usage(`${name} has an empty text.`);
  return unescape(value);
}

/** Reads the words behind `hyperstep run`. Throws a UserError with one sentence. */
export function parseRunOptions(words: readonly string[]): RunOptions {
  const options: RunOptions = {
    disks: [], floppies: [], cdroms: [], virtio: [], firmware: [], multiboot: undefined, modules: [], kernel: undefined, initrd: undefined, append: '', linuxEntry: undefined, e820: undefined, lab: 'complete', symbols: [], memory: DEFAULT_MEMORY, cpus: 1, translator: true, without: [],
    script: [], failOn: [], maxInstructions: undefined, timeout: undefined, exits: undefined, stats: undefined, breakOnExit: [], checksOff: [], summary: false, screen: false, screenshot: undefined,
  };
  const given = new Set<string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith('-')) throw usage(`${word} is not an option: name a disk image by --disk ${word}.`);
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name]! : undefined;
    if (!option) throw usage(`There is no option ${name}${suggestion(name, Object.keys(OPTIONS))}`);
    if (option.argument === undefined && equals >= 0) throw usage(`${name} takes no value.`);
    const value = option.argument === undefined ? '' : equals < 0 ? words[++i] : word.slice(equals + 1);
    if (value === undefined) throw usage(`${name} needs ${option.argument} behind it.`);
    option.set(options, value, name);
    given.add(name);
  }
  refuseContradictions(options, given);
  return options;
}

function refuseContradictions(options: RunOptions, given: ReadonlySet<string>): void {
  const { multiboot, kernel } = options;
  if (multiboot !== undefined && kernel !== undefined) throw usage('--multiboot and --kernel are both there, but one kernel can be booted.');
  if (given.has('--module') && multiboot === undefined) throw usage('--module belongs to a multiboot kernel: give that by --multiboot.');
  if (given.has('--initrd') && kernel === undefined) throw usage('--initrd belongs to a kernel: give that by --kernel.');
  if (given.has('--linux-entry') && kernel === undefined) throw usage('--linux-entry belongs to a Linux kernel: give that by --kernel.');
  if (given.has('--append') && multiboot === undefined && kernel === undefined) throw usage('--append is the command line of a kernel: give that by --kernel or --multiboot.');
  if (given.has('--firmware')) refuseBesideFirmware(given);
  if (given.has('--lab') && (options.disks.length > 0 || options.cdroms.length > 0 || options.floppies.length > 0 || multiboot !== undefined || kernel !== undefined)) throw usage('--lab runs the built-in lab, so it goes with none of --disk, --floppy, --cdrom, --multiboot and --kernel.');
  const ide = options.disks.length + options.cdroms.length;
  if (ide > 4) throw usage(`There are ${ide} drives, but the machine has room for 4.`);
  if (options.virtio.length > 4) throw usage(`There are ${options.virtio.length} virtio drives, but the machine has room for 4.`);
}

/** Firmware makes its own map, and takes a Linux kernel or UEFI application by --kernel, in its one way. */
function refuseBesideFirmware(given: ReadonlySet<string>): void {
  const wrong = ['--multiboot', '--e820', '--linux-entry', '--lab'].find((name) => given.has(name));
  if (wrong) throw usage(`${wrong} is for Hyperstep's own BIOS, so it does not go with --firmware.`);
}

/** The end of a sentence about an unknown word: what was probably meant, or how to get the list. */
export function suggestion(word: string, words: readonly string[]): string {
  const near = nearest(word, words);
  return near ? `; did you mean ${near}?` : '; hyperstep --help lists all there are.';
}

/** Headings of the help, by the option that each stands above. */
const HEADINGS: Readonly<Record<string, string>> = {
  '--disk': 'What it boots:',
  '--memory': 'The machine:',
  '--expect': 'The console, and when it ends:',
  '--exits': 'What it tells:',
};

/** The options, one a line, for `--help`. */
export function runOptionsHelp(without: readonly string[] = []): string {
  const left = (name: string): string => [name, OPTIONS[name]!.argument ?? []].flat().join(' ');
  const names = Object.keys(OPTIONS);
  const width = Math.max(...names.map((name) => left(name).length));
  const lines: string[] = [];
  for (const name of names) {
    if (name in HEADINGS) lines.push(...(lines.length > 0 ? [''] : []), HEADINGS[name]!);
    if (!without.includes(name)) lines.push(`  ${left(name).padEnd(width)}  ${OPTIONS[name]!.help}`);
  }
  // A heading with nothing below it goes.
  return lines.filter((line, i) => !line.endsWith(':') || line.startsWith(' ') || lines[i + 1]?.startsWith(' ')).join('\n').replace(/\n{3,}/g, '\n\n').trimEnd();
}
