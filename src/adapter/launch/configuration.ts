/** The launch configuration: its keys as a table, and the typed value the rest works with. */
import { faultOf, UserError } from '../../base/errors';
import { nearest } from '../../base/nearest';
import { CHECKS } from '../../debug/checks/table';
import type { ExitBreakpointRequest } from '../../debug/exits/exitBreakpoints';
import { EXIT_ENTRY, exitRequest, type ExitEntry } from './breakOnExit';
import { parseMemorySize } from './memorySize';
import { check, noText, type Shape } from './schema';
import { CpuFeatures } from '../../cpu/system/features';
import { MODELS, withheldBy } from '../../cpu/system/models';

/** What the user wrote, checked and with defaults filled in; paths are still as written. */
export interface LaunchConfiguration {
  machine: { memory: number; cpus: number; without: string[]; e820: string | undefined; firmware: string[]; translator: boolean | undefined };
  /** Undefined: a tree found in the folder, or the built-in lab. */
  boot: BootConfiguration | undefined;
  /** Undefined: those of the tree that the boot disk belongs to. */
  drives: string[] | undefined;
  /** In drives A: and B:, behind a boot disk that is a floppy disk itself. */
  floppies: string[];
  persistDrives: boolean;
  /** Undefined: those that belong to the lab or the tree found, or none. */
  symbols: SymbolFile[] | undefined;
  /** Prefix in the debug information -> prefix of the file to open. */
  sourceMap: Record<string, string>;
  breakOnExit: ExitBreakpointRequest[];
  stopAt: StopAt;
  /** Ids of run-time checks that are switched off. */
  checksOff: string[];
  stopOnEntry: boolean;
  /** Where GDB may connect to the same machine; 0 takes a free port. */
  gdbPort: number | undefined;
  /** Snapshots are kept while the machine runs, so that steps can go back. */
  history: boolean;
  /** `terminal`: only as hyperstep/serial events. `console`: as output events too, for clients that have no terminal for it. */
  serial: 'terminal' | 'console';
  /** Folder that relative paths start from. */
  cwd: string | undefined;
  noDebug: boolean;
}

export type BootConfiguration =
  | { kind: 'disk'; disk: string }
  | { kind: 'cdrom'; cdrom: string }
  | { kind: 'multiboot'; multiboot: string; append: string; modules: { file: string; append: string }[] }
  | { kind: 'kernel'; kernel: string; initrd: string | undefined; append: string; entry: 16 | 32 | 64 | undefined }
  | { kind: 'lab' };

export interface SymbolFile {
  file: string;
  world: 'vmm' | 'guest' | undefined;
}

/** Where to stop after a VM exit that an exit breakpoint matched: at the first C line, or at HOST_RIP itself. */
export type StopAt = 'source' | 'exit';

/** Keys that VS Code itself puts into every launch configuration. */
const CLIENT_KEYS = new Set(['type', 'request', 'name', 'preLaunchTask', 'postDebugTask', 'internalConsoleOptions', 'debugServer', 'presentation', 'serverReadyAction', 'suppressMultipleSessionWarning', 'restart']);

const STRING: Shape = { kind: 'string' };
const BOOLEAN: Shape = { kind: 'boolean' };
const FILE_WITH_APPEND: Shape = {
  kind: 'choose',
  by: (value) => (typeof value === 'string' ? STRING : { kind: 'object', keys: { file: STRING, append: { kind: 'rule', check: text } }, required: ['file'] }),
};

function text(key: string, value: unknown): string | undefined {
  return typeof value === 'string' ? undefined : `"${key}" is ${JSON.stringify(value)}, but must be a text.`;
}

function entryBits(key: string, value: unknown): string | undefined {
  return value === 16 || value === 32 || value === 64 ? undefined : `"${key}" is ${JSON.stringify(value)}, but the entries of a Linux kernel are 16, 32 and 64.`;
}

/** All checks are on: `vmxChecks` is false for none, a list of those to switch off, or an object of ids and whether they are on. */
function vmxChecks(key: string, value: unknown): string | undefined {
  if (typeof value === 'boolean') return undefined;
  if (typeof value !== 'object' || value === null) return `"${key}" is ${JSON.stringify(value)}, but must be false, a list of checks to switch off, or an object as in { "exit-storm": false }.`;
  const ids = CHECKS.map((c) => c.id);
  const sentences = (Array.isArray(value) ? value.map((id): [unknown, boolean] => [id, false]) : Object.entries(value)).flatMap(([name, on]) => {
    if (typeof on !== 'boolean') return `"${key}.${String(name)}" is ${JSON.stringify(on)}, but must be true or false.`;
    if (typeof name === 'string' && ids.includes(name)) return [];
    const near = typeof name === 'string' ? nearest(name, ids) : undefined;
    return `"${key}" names ${JSON.stringify(name)}, which is no check: ${near ? `did you mean "${near}"?` : `the checks are ${ids.join(', ')}.`}`;
  });
  return sentences.length === 0 ? undefined : sentences.join(' ');
}

/** A feature to do without: the sentence is the one that CpuFeatures has for a name that does not exist. */
function feature(key: string, value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return noText(key, value);
  const wrong = faultOf(() => new CpuFeatures([value]));
  return wrong === undefined ? undefined : `"${key}": ${wrong}`;
}

function checksOff(written: Written['vmxChecks']): string[] {
  if (written === undefined || written === true) return [];
  if (written === false) return CHECKS.map((c) => c.id);
  return Array.isArray(written) ? written : Object.keys(written).filter((id) => written[id] === false);
}

const port = (key: string, value: unknown): string | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65535 ? undefined : `"${key}" is ${JSON.stringify(value)}, but must be a port: a number from 1 to 65535, or 0 for a free one.`;

const BOOT_FORMS = '{ "disk": "file" }, { "cdrom": "file" }, { "multiboot": "file", "append": "..." }, { "kernel": "file", "initrd": "file", "append": "..." } or { "lab": true }';

const BOOT: Shape = {
  kind: 'choose',
  by: (value): Shape => {
    if (typeof value === 'string' && value !== '') return { kind: 'rule', check: (key) => `"${key}" is a text, but says how to start too: write ${/\.iso$/i.test(value) ? `{ "cdrom": ${JSON.stringify(value)} }` : `{ "disk": ${JSON.stringify(value)} } for a disk image, { "kernel": ${JSON.stringify(value)} } for a kernel`}.` };
    const boot = typeof value === 'object' && value !== null ? value : {};
    const forms = ['disk', 'cdrom', 'multiboot', 'kernel', 'lab'].filter((form) => form in boot);
    if (forms.length > 1) return { kind: 'rule', check: (key) => `"${key}" has both "${forms[0]}" and "${forms[1]}": keep the one the machine is to start from.` };
    switch (forms[0]) {
      case 'disk':
        return { kind: 'object', keys: { disk: STRING } };
      case 'cdrom':
        return { kind: 'object', keys: { cdrom: STRING } };
      case 'multiboot':
        return { kind: 'object', keys: { multiboot: STRING, append: { kind: 'rule', check: text }, modules: { kind: 'list', of: FILE_WITH_APPEND } } };
      case 'lab':
        return { kind: 'object', keys: { lab: { kind: 'rule', check: (key, lab) => (lab === true ? undefined : `"${key}" is ${JSON.stringify(lab)}, but can only be true.`) } } };
      case 'kernel':
        return { kind: 'object', keys: { kernel: STRING, initrd: STRING, append: { kind: 'rule', check: text }, entry: { kind: 'rule', check: entryBits } } };
      default:
        // An object without a known form: name the nearest key when there is one, else say what the forms are.
        return Object.keys(boot).length === 0
          ? { kind: 'rule', check: (key) => `"${key}" says nothing to start from: write ${BOOT_FORMS}.` }
          : { kind: 'object', keys: { disk: STRING, cdrom: STRING, multiboot: STRING, kernel: STRING, initrd: STRING, append: STRING, modules: { kind: 'list', of: FILE_WITH_APPEND }, lab: BOOLEAN } };
    }
  },
};

const WORLD: Shape = { kind: 'word', words: ['vmm', 'guest'] };

/** What launch configurations of other debuggers call it. */
const FOREIGN_KEYS: Readonly<Record<string, string>> = {
  program: 'what the machine starts is "boot": { "disk": "file" }, and whose source is debugged "symbols": ["file"]',
  image: 'what the machine starts is "boot": { "disk": "file" }',
  disk: 'what the machine starts is "boot": { "disk": "file" }',
  floppy: 'floppy disks are "floppies": ["file"], and one to start from "boot": { "disk": "file" }',
  kernel: 'what the machine starts is "boot": { "kernel": "file" }',
  args: 'a kernel\'s command line is "boot": { "kernel": "file", "append": "..." }',
  symbolFile: 'files with symbols are "symbols": ["file"]',
  sourceFileMap: 'prefixes of source paths are replaced by "sourceMap"',
  memory: 'the amount of RAM is "machine": { "memory": "512M" }',
  cpus: 'the number of processors is "machine": { "cpus": 2 }',
  stopAtEntry: 'it is called "stopOnEntry"',
};

const CONFIGURATION: Shape = {
  kind: 'object',
  foreign: FOREIGN_KEYS,
  ignore: (key) => CLIENT_KEYS.has(key) || key.startsWith('__') || key.startsWith('$'),
  keys: {
    machine: {
      kind: 'object',
      keys: {
        memory: { kind: 'rule', check: (key, value) => sentence(parseMemorySize(key, value)) },
        cpus: { kind: 'integer', least: 1, most: 8 },
        e820: STRING,
        firmware: { kind: 'choose', by: (value) => (typeof value === 'string' ? STRING : { kind: 'list', of: STRING }) },
        translator: BOOLEAN,
        cpu: { kind: 'object', keys: { model: { kind: 'word', words: MODELS }, without: { kind: 'list', of: { kind: 'rule', check: feature } } } },
      },
    },
    boot: BOOT,
    drives: { kind: 'list', of: STRING },
    floppies: { kind: 'list', of: STRING },
    persistDrives: BOOLEAN,
    symbols: { kind: 'list', of: { kind: 'choose', by: (value) => (typeof value === 'string' ? STRING : { kind: 'object', keys: { file: STRING, world: WORLD }, required: ['file'] }) } },
    sourceMap: { kind: 'map', of: STRING },
    breakOnExit: { kind: 'list', of: EXIT_ENTRY },
    vmexit: { kind: 'object', keys: { stopAt: { kind: 'word', words: ['source', 'exit'] } } },
    vmxChecks: { kind: 'rule', check: vmxChecks },
    stopOnEntry: BOOLEAN,
    gdbPort: { kind: 'rule', check: port },
    history: BOOLEAN,
    serial: { kind: 'word', words: ['terminal', 'console'] },
    cwd: STRING,
    noDebug: BOOLEAN,
  },
};

const sentence = (parsed: number | string): string | undefined => (typeof parsed === 'string' ? parsed : undefined);

/** The keys as the user may write them, all optional; read only after CONFIGURATION has approved them. */
interface Written {
  machine?: { memory?: string | number; cpus?: number; e820?: string; firmware?: string | string[]; translator?: boolean; cpu?: { model?: string; without?: string[] } };
  boot?: { disk?: string; cdrom?: string; multiboot?: string; kernel?: string; initrd?: string; append?: string; entry?: 16 | 32 | 64; modules?: (string | { file: string; append?: string })[]; lab?: true };
  drives?: string[];
  floppies?: string[];
  persistDrives?: boolean;
  symbols?: (string | { file: string; world?: 'vmm' | 'guest' })[];
  sourceMap?: Record<string, string>;
  breakOnExit?: ExitEntry[];
  vmexit?: { stopAt?: StopAt };
  vmxChecks?: boolean | string[] | Record<string, boolean>;
  stopOnEntry?: boolean;
  gdbPort?: number;
  history?: boolean;
  serial?: 'terminal' | 'console';
  cwd?: string;
  noDebug?: boolean;
}

export const DEFAULT_MEMORY = 512 * 2 ** 20;

/** Checks what the client sent. Throws a UserError with one sentence per wrong key. */
export function readConfiguration(value: unknown): LaunchConfiguration {
  const sentences = check(CONFIGURATION, '', value);
  if (sentences.length > 0) throw new UserError('launch-configuration', sentences.join(' '));
  const w = value as Written;
  const memory = w.machine?.memory === undefined ? DEFAULT_MEMORY : (parseMemorySize('machine.memory', w.machine.memory) as number);
  return {
    machine: { memory, cpus: w.machine?.cpus ?? 1, e820: w.machine?.e820, firmware: [w.machine?.firmware ?? []].flat(), translator: w.machine?.translator, without: [...(withheldBy(w.machine?.cpu?.model ?? '') ?? []), ...(w.machine?.cpu?.without ?? [])] },
    boot: readBoot(w.boot),
    drives: w.drives,
    floppies: w.floppies ?? [],
    persistDrives: w.persistDrives ?? false,
    symbols: w.symbols?.map((s) => (typeof s === 'string' ? { file: s, world: undefined } : { file: s.file, world: s.world })),
    sourceMap: w.sourceMap ?? {},
    breakOnExit: (w.breakOnExit ?? []).map(exitRequest),
    stopAt: w.vmexit?.stopAt ?? 'source',
    checksOff: checksOff(w.vmxChecks),
    stopOnEntry: w.stopOnEntry ?? false,
    gdbPort: w.gdbPort,
    history: w.history ?? true,
    serial: w.serial ?? 'terminal',
    cwd: w.cwd,
    noDebug: w.noDebug ?? false,
  };
}

function readBoot(boot: Written['boot']): BootConfiguration | undefined {
  if (!boot) return undefined;
  if (boot.disk !== undefined) return { kind: 'disk', disk: boot.disk };
  if (boot.cdrom !== undefined) return { kind: 'cdrom', cdrom: boot.cdrom };
  if (boot.kernel !== undefined) return { kind: 'kernel', kernel: boot.kernel, initrd: boot.initrd, append: boot.append ?? '', entry: boot.entry };
  if (boot.multiboot === undefined) return { kind: 'lab' };
  const modules = (boot.modules ?? []).map((m) => (typeof m === 'string' ? { file: m, append: '' } : { file: m.file, append: m.append ?? '' }));
  return { kind: 'multiboot', multiboot: boot.multiboot, append: boot.append ?? '', modules };
}
