/**
 * What Hyperstep's debug adapter says beyond the Debug Adapter Protocol: custom requests and events. Names and
 * types alone, no code: the adapter answers with these shapes and the extension's views and terminal read them.
 *
 * Numbers that can exceed 2^53 are strings `0x...` throughout.
 */

/** Which operation: VMX root (`vmm`) or VMX non-root (`guest`). */
export type WorldName = 'vmm' | 'guest';

/** Names of the custom requests. */
export const HyperstepRequest = {
  /** Types text on the serial port's receiver. `TypeArguments` -> nothing. */
  type: 'hyperstep/type',
  /** Memory maps. No arguments -> `E820Response`. */
  e820: 'hyperstep/e820',
  /** The VMCSs. `VmcsArguments` -> `VmcsResponse`. */
  vmcs: 'hyperstep/vmcs',
  /** Registers of both worlds. `CpuArguments` -> `RegistersResponse`. */
  registers: 'hyperstep/registers',
  /** The last VM exits and their count by reason. `ExitsArguments` -> `ExitsResponse`. */
  exits: 'hyperstep/exits',
  /** One VM exit in full. `ExitArguments` -> `ExitResponse`. */
  exit: 'hyperstep/exit',
  /** The VM exits that are ticked in the view: they stop the machine besides the filters. `BreakOnExitsArguments` -> `BreakOnExitsResponse`. */
  breakOnExits: 'hyperstep/breakOnExits',
  /** Stops the machine at accesses to what a row of a view shows. `BreakOnDataArguments` -> `BreakOnDataResponse`. */
  breakOnData: 'hyperstep/breakOnData',
  /** Translations of addresses, level by level. `TranslationsArguments` -> `TranslationsResponse`. */
  translations: 'hyperstep/translations',
  /** The line of source that a value comes from: who wrote a VMCS field. `SourceArguments` -> `SourceResponse`. */
  source: 'hyperstep/source',
  /** The symbol files. No arguments -> `SymbolsResponse`. */
  symbols: 'hyperstep/symbols',
  /** The VGA text screen. `ScreenArguments` -> `ScreenResponse`. */
  screen: 'hyperstep/screen',
  /** The picture that the display shows in place of text. `PictureArguments` -> `PictureResponse`, the whole of it. */
  picture: 'hyperstep/picture',
  /** Shows integers in hexadecimal, or as usual. `FormatArguments` -> nothing. */
  format: 'hyperstep/format',
} as const;

/** Names of the custom events. */
export const HyperstepEvent = {
  /** The machine sent text on its serial port. Body: `SerialEvent`. */
  serial: 'hyperstep/serial',
  /** Something that the views show has changed. Body: `StateEvent`. */
  state: 'hyperstep/state',
  /** What the machine has done, twice a second while it runs. Body: `ActivityEvent`. */
  activity: 'hyperstep/activity',
  /** The VGA text screen has changed; sent to who asked for it. Body: `ScreenResponse`. */
  screen: 'hyperstep/screen',
  /** The display's picture has changed; sent to who asked for it. Body: `PictureResponse`. */
  picture: 'hyperstep/picture',
} as const;

export interface TypeArguments {
  /** Where to: the serial port, unless told; `keyboard` is the PS/2 one, and then only characters of a US keyboard count. */
  device?: 'serial' | 'keyboard';
  /** Sent to the guest as UTF-8; the Enter key is '\r'. */
  text: string;
}

export interface FormatArguments {
  hexadecimal: boolean;
}

export interface SerialEvent {
  /** What the guest transmitted, decoded as UTF-8; line ends are the guest's own. */
  text: string;
}

export interface StateEvent {
  /**
   * `stopped`: read everything anew (sent after each DAP stopped event). `running`. `restarted`: the machine is back at
   * power-on, and one of the other two follows. `memory-map`: the guest was given its map.
   */
  what: 'stopped' | 'running' | 'restarted' | 'memory-map';
  /** Instruction count. */
  icount: number;
  /** The world the processor is in; only where it stands. */
  world?: WorldName;
  /** The processor that is looked at, and how many there are; only where the machine stands. */
  cpu?: number;
  cpus?: number;
}

/** A request about one processor: from then on it is the one that is looked at. */
export interface CpuArguments {
  cpu?: number;
}

export interface ActivityEvent {
  /** Instructions retired since power-on. */
  instructions: number;
  /** Millions of instructions a second since the last such event; 0 while the machine waits. */
  mips: number;
  /** VM exits since power-on. */
  exits: number;
  /** The machine waits for an interrupt or for input. */
  idle: boolean;
}

export interface MemoryRange {
  /** First address. */
  base: string;
  length: string;
  /** 1 usable, 2 reserved, 3 ACPI reclaimable, 4 ACPI NVS, 5 bad. */
  type: number;
}

/** An address map and where it was read. */
export interface MemoryMap {
  ranges: MemoryRange[];
  /** In words: `VMCALL 1 at icount 12345, multiboot information at guest-physical 0x6000`. */
  source: string;
}

export interface E820Response {
  /** The map that the VMM gave its guest; absent until it has. */
  guest?: MemoryMap;
  /** The map that the machine's own firmware reports. */
  machine: MemoryMap;
  /** What EPT maps; absent while the machine runs and where no EPT is in use. */
  ept?: {
    ranges: { base: string; length: string; /** Host-physical address of the first byte. */ hpa: string; /** `RWX`. */ rights: string; memoryType: string }[];
    /** False when there is more than is told. */
    complete: boolean;
    source: string;
  };
  /** Where the three disagree. */
  findings: { rule: string; severity: 'warning' | 'note'; base: string; sentence: string }[];
}

/** A line of a source file on disk. */
export interface SourceLine {
  path: string;
  /** From 1. */
  line: number;
}

/** One line of a view: a register, a VMCS field, a bit of one of them. */
export interface Entry {
  name: string;
  /** As shown: `0x80000021`, or hexadecimal and words: `0xa (CPUID)`. Empty for a mere heading. */
  value: string;
  /** An expression that evaluates to this entry, for Watch; absent where there is none. */
  evaluateName?: string;
  /** One sentence for the tooltip: encoding, what it means, who wrote it last. */
  description?: string;
  /** Bits and parts. */
  children?: Entry[];
  /** Where to look at it in memory: `gpa:0x6000`. */
  memoryReference?: string;
  /** Changed since the last VM exit, as far as that is known. */
  changed?: boolean;
  /** Something is wrong with it. */
  wrong?: boolean;
  /** `hyperstep/breakOnData` can watch it, by this name. */
  breakable?: string;
  /** It is watched so. */
  breaksOn?: DataAccess;
  /** Its value means nothing now, as the value's words say. */
  notDefined?: boolean;
  /** There is a line of source that it comes from: `hyperstep/source` tells it for `evaluateName`. */
  hasSource?: boolean;
  /** That line, where it has been asked for already. */
  source?: SourceLine;
}

/** A heading with its entries: `Exit information`, `Guest state`, `General`. */
export interface EntryGroup {
  name: string;
  entries: Entry[];
}

export interface VmcsArguments extends CpuArguments {
  /** The VMCS to be told in full; the current one when absent. */
  address?: string;
}

export interface VmcsResponse {
  /** All that have been current, by host-physical address. */
  list: {
    address: string;
    /** It is the one of the processor that is looked at. */
    current: boolean;
    /** Another processor whose current one it is. */
    currentOn?: number;
    launched: boolean;
    /** Where the guest stands. */
    guestRip?: string;
  }[];
  /** Host-physical address of the current VMCS; absent when there is none, and then there are no groups. */
  address?: string;
  groups: EntryGroup[];
}

export interface RegistersResponse {
  /** The world the processor is in comes first; the other one (host or guest state of the VMCS) only once a VM entry has completed. */
  worlds: {
    world: WorldName;
    /** The registers the processor holds now, as against those saved in the VMCS. */
    live: boolean;
    groups: EntryGroup[];
  }[];
}

export interface ExitsArguments {
  /** How many of the latest exits at most; 100 when absent. */
  count?: number;
  /** Tells every reason that there is, too. */
  reasons?: boolean;
}

export interface ExitArguments {
  /** Number of the exit, and of its processor, whose first exit is 1. */
  n: number;
  cpu?: number;
}

export interface ExitResponse {
  entries: Entry[];
}

export interface BreakOnExitsArguments {
  /** The SDM's names. */
  names: string[];
  /** By name: which of them, and what is printed in place of a stop, as in the Breakpoints view (`leaf == 1 log: from {rip}`). */
  conditions?: Record<string, string>;
}

export interface BreakOnExitsResponse {
  /** By name: what is wrong with its condition; there are no stops at it then. */
  complaints: Record<string, string>;
}

/** `change`: another value; `readWrite`: read and written alike. */
export type DataAccess = 'change' | 'read' | 'readWrite';

export interface BreakOnDataArguments {
  /** What an entry has in `breakable`. */
  watched: string;
  /** What the user calls it; as `watched` where nothing is said. */
  label?: string;
  /** Replaces what there was; absent: the machine is no longer stopped by it. */
  access?: DataAccess;
}

export interface BreakOnDataResponse {
  /** What is watched, in words, and what that costs. */
  description: string;
}

export interface SourceArguments {
  expression: string;
}

export interface SourceResponse {
  source?: SourceLine;
}

export interface TranslationsArguments extends CpuArguments {
  /** Expressions: an address, or a call of `walk`, `ept` or `maps`. They are watched: what the VMM changes after a VM exit is told. */
  expressions: string[];
}

export interface TranslationsResponse {
  items: {
    expression: string;
    /** Where the address leads, or what is wrong with the expression. */
    value: string;
    /** A rule has ended the translation. */
    wrong: boolean;
    entries: Entry[];
  }[];
}

export interface SymbolsResponse {
  files: {
    name: string;
    path: string;
    /** The worlds in whose memory its code is now; absent while the machine runs. */
    appliesIn?: WorldName[];
    /** Source files that it knows; 0 without debug information. */
    sources: number;
    address: string;
  }[];
}

export interface ScreenArguments {
  /** Sends `hyperstep/screen` events from now on, or none any more. */
  live?: boolean;
}

export interface ScreenResponse {
  columns: number;
  rows: number;
  /** Base64 of two bytes a cell: code page 437's character and the attribute. */
  cells: string;
  cursor?: { row: number; column: number };
  blinks: boolean;
  /** A picture is shown in place of the text, which is what it was before. */
  picture?: PictureMode;
}

export interface PictureMode {
  /** In pixels. */
  width: number;
  height: number;
  /** Who made it, and its colours: `VGA, 256 colours`. */
  words: string;
}

export interface PictureArguments {
  /** Sends `hyperstep/picture` events from now on, or none any more. */
  live?: boolean;
}

/** Nothing at all while the display shows text. */
export interface PictureResponse {
  picture?: PictureMode & {
    /** The first line, from the top, that is told; those that are not are as they were. */
    first: number;
    /** Base64 of red, green and blue of each pixel, line by line. */
    rgb: string;
  };
}

export interface ExitsResponse {
  /** Exits since power-on. */
  total: number;
  byName: Record<string, number>;
  /** All reasons of the SDM, when asked for. */
  reasons?: { name: string; sentence: string }[];
  /** Names of exits that stop the machine: by the view's own ticks, and by the filters or the launch configuration. */
  ticked: string[];
  filtered: string[];
  /** Oldest first. */
  last: {
    n: number;
    cpu: number;
    icount: number;
    reason: number;
    name: string;
    qualification: string;
    guestRip: string;
    /** Function that holds guestRip, with offset, when symbols know it. */
    symbol?: string;
    details: Record<string, number | string | boolean>;
    /** Name and details: `CPUID leaf 1`. */
    words: string;
    /** Where the guest was, with line: `cpuid (x86.h:54)`. */
    place: string;
    /** Guest-linear and guest-physical address, where the exit has one. */
    linear?: string;
    gpa?: string;
    source?: SourceLine;
  }[];
}

/**
 * The web adapter runs in a worker (`hosts/worker.ts`) and has no file system: these messages carry DAP both ways and
 * ask the extension for files. Paths are whole URIs as strings; those the user wrote relative are resolved by the
 * extension before launch.
 */
export type ToWorker =
  /** First message. `packageRoot` is the URI of the folder that holds `lab/images`. */
  | { kind: 'start'; packageRoot: string }
  | { kind: 'dap'; message: unknown }
  /** Answer to a file request: `value` as `FileSource` returns it, or the sentence of a UserError. */
  | { kind: 'file'; id: number; value: unknown }
  | { kind: 'file'; id: number; error: string };

export type FromWorker =
  | { kind: 'dap'; message: unknown }
  /** Calls one method of `FileSource`. */
  | { kind: 'file'; id: number; method: 'size' | 'modified' | 'read' | 'exists' | 'list' | 'write'; path: string; bytes?: Uint8Array }
  /** The worker itself failed: a sentence for the user. */
  | { kind: 'fatal'; error: string };

/** What the extension adds to a launch configuration; keys that begin so are none of the user's. */
export interface ExtensionArguments {
  /** The command that builds the folder and starts again, offered where there is no image yet. Absent where nothing can be built. */
  __remedyNotBuilt?: { command: string; title: string };
  /** The VM exits that are ticked in the view, so that the machine's first ones stop it too. */
  __breakOnExits?: string[];
  /** Their conditions and messages. */
  __exitConditions?: Record<string, string>;
  /** Integers are shown in hexadecimal. */
  __hexadecimal?: boolean;
  /** The client shows disassembly where a stop has no source (sourceless.ts). */
  __disassembles?: boolean;
}
