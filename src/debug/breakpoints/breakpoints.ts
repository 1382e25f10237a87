/** Breakpoints on code: on source lines, functions and instructions. Each belongs to an image and hence to a world, not to a bare address. */
import { UserError } from '../../base/errors';
import { nearest } from '../../base/nearest';
import type { InlinedCall, LineEntry, SourceFile } from '../../symbols/image';
import type { ImageSet, LoadedImage } from '../symbols/imageSet';
import { WORLD_NAME, type World } from '../world';
import { hitRules } from './hitRules';

/** A pattern that stands for more functions is a slip: a kernel has sixty thousand. */
const MOST_FUNCTIONS = 1000;

export type BreakpointSort = 'source' | 'function' | 'instruction';

/** What the user can attach to any of them. */
export interface BreakpointOptions {
  condition?: string | undefined;
  hitCondition?: string | undefined;
  logMessage?: string | undefined;
  /** The only world it stops; both when undefined. */
  world?: World | undefined;
}

interface Location {
  address: bigint;
  /** Undefined for an instruction breakpoint where no symbols are. */
  image: LoadedImage | undefined;
  world: World | undefined;
  /** The function that begins there, inlined into another. */
  inlined?: string;
}

export interface Breakpoint {
  id: number;
  /** What was asked for: two alike are the same breakpoint. */
  key: string;
  sort: BreakpointSort;
  options: BreakpointOptions;
  locations: Location[];
  /** Why it can never be hit, when it cannot. */
  message: string | undefined;
  /** Where it really is, when all its locations are on one line. */
  image: LoadedImage | undefined;
  file: SourceFile | undefined;
  line: number | undefined;
  column: number | undefined;
  hits: number;
  enough: ((hits: number) => boolean) | undefined;
}

/** A breakpoint on a line, as the client asks for it. */
export interface SourceRequest {
  /** The line on disk, which tells requests apart. */
  asked: number;
  files: readonly { image: LoadedImage; file: SourceFile; line: number }[];
  column?: number | undefined;
  options: BreakpointOptions;
}

export type InstructionOwner = 'client' | 'gdb';

/** What a hit needs of the rest of the debugger. */
export interface BreakpointEnvironment {
  /** What is wrong with the syntax of a condition, as a sentence. */
  fault(condition: string): string | undefined;
  /** Whether a condition holds in the innermost frame. Throws a UserError when it cannot be computed. */
  holds(condition: string): boolean;
  /** Prints a log message, its `{expressions}` evaluated. */
  log(message: string): void;
  /** Tells the user of a condition that failed. */
  complain(sentence: string): void;
}

export class Breakpoints {
  private readonly bySource = new Map<string, Breakpoint[]>();
  private functions: Breakpoint[] = [];
  private readonly instructions = new Map<InstructionOwner, Breakpoint[]>();
  private byAddress = new Map<bigint, { breakpoint: Breakpoint; location: Location }[]>();
  private addressSet: ReadonlySet<bigint> = new Set();
  private nextId = 1;

  constructor(
    private readonly images: ImageSet,
    private readonly environment: BreakpointEnvironment,
  ) {}

  /** A number that no breakpoint has. */
  newId(): number {
    return this.nextId++;
  }

  /** Every address that has a breakpoint; a new set whenever it changes. */
  get addresses(): ReadonlySet<bigint> {
    return this.addressSet;
  }

  /**
   * Replaces the breakpoints of one source file. `key` is the client's name for it; `files` are, per request, the files
   * of that name in each image and the line as that image counts.
   */
  setSource(key: string, requests: readonly SourceRequest[]): Breakpoint[] {
    const list = requests.map((request) => {
      const breakpoint = this.create('source', `${key}:${request.asked}:${request.column ?? 0}`, request.options);
      this.placeOnLine(breakpoint, request);
      return breakpoint;
    });
    this.bySource.set(key, list);
    this.index();
    return list;
  }

  private placeOnLine(breakpoint: Breakpoint, { files, column }: SourceRequest): void {
    if (files.length === 0) {
      breakpoint.message ??= 'No symbol file knows this source file: name the linked kernel in "symbols" of the launch configuration.';
      return;
    }
    const { world } = breakpoint.options;
    const usable = files.filter(({ image }) => world === undefined || image.world === undefined || image.world === world);
    // One line means one line: a file that two images share may have code for it in one only, and slide in the other.
    const found = usable.flatMap(({ image, file, line }) => image.image.addressesOf(file, line, column).map((at) => ({ image, ...at })));
    const line = found.reduce((least, at) => Math.min(least, at.line), Infinity);
    for (const at of found) {
      if (at.line === line) breakpoint.locations.push({ address: at.address, image: at.image, world: world ?? at.image.world });
    }
    const first = found.find((at) => at.line === line);
    if (first) {
      breakpoint.line = line;
      breakpoint.column = column === undefined ? undefined : first.column;
      breakpoint.file = first.file;
      breakpoint.image = first.image;
    } else if (usable.length === 0) breakpoint.message ??= `The symbol files that know this source file are not the ${WORLD_NAME[world!]}'s.`;
    else breakpoint.message ??= 'No line from here to the end of the file has code.';
  }

  /**
   * Replaces the function breakpoints. A name may be a pattern (`handle_*`) and may have a world or the name of a symbol
   * file in front: `guest!start`, `vmm!handle_*`, `kernel!trap`.
   */
  setFunctions(requests: readonly ({ name: string } & BreakpointOptions)[]): Breakpoint[] {
    this.functions = requests.map(({ name, ...options }) => {
      const [, prefix, pattern] = /^(?:([^!:]+)[!:])?(.*)$/.exec(name.trim())!;
      const world = prefix === 'vmm' || prefix === 'guest' ? prefix : options.world;
      const breakpoint = this.create('function', name, { ...options, world });
      const file = prefix === world ? undefined : prefix;
      const images = this.images.images.filter((i) => (file === undefined || i.name === file) && (world === undefined || i.world === undefined || i.world === world));
      for (const image of images) this.addFunction(breakpoint, image, pattern!, world);
      if (breakpoint.locations.length === 0) breakpoint.message ??= this.whyNoFunction(pattern!, file, images);
      return breakpoint;
    });
    this.index();
    return this.functions;
  }

  private whyNoFunction(pattern: string, file: string | undefined, images: readonly LoadedImage[]): string {
    if (images.length === 0 && file !== undefined) return `No symbol file is called ${file}: before the "!" stands vmm, guest or one of ${this.images.images.map((i) => i.name).join(', ') || 'the files in "symbols"'}.`;
    if (this.images.images.length === 0) return 'There are no symbol files: name the linked kernel in "symbols" of the launch configuration.';
    if (/^\*?(0x[0-9a-f]+|\d+)$/i.test(pattern)) return 'An address is no function: breakpoints on instructions are set in the Disassembly view.';
    if (/[*?]/.test(pattern)) return `No symbol file has a function ${pattern}.`;
    const near = nearest(pattern, images.flatMap((i) => [...i.image.symbols].map((symbol) => symbol.name)));
    return `No symbol file has a function ${pattern}${near ? `: did you mean ${near}?` : '.'}`;
  }

  private addFunction(breakpoint: Breakpoint, image: LoadedImage, pattern: string, world: World | undefined): void {
    const names = /[*?]/.test(pattern) ? image.image.countFunctions(pattern) : 1;
    if (names > MOST_FUNCTIONS) {
      breakpoint.message ??= `${pattern} stands for ${names} functions of ${image.name}, and ${MOST_FUNCTIONS} at most get breakpoints: write more of the name.`;
      return;
    }
    const add = (address: bigint, inlined?: string): void => void breakpoint.locations.push({ address, image, world: world ?? image.world, inlined });
    /** Shows the breakpoint at the first place that has a line. */
    const show = (place: LineEntry | InlinedCall | undefined): void => {
      if (place) Object.assign(breakpoint, { file: place.file, line: place.line, image });
    };
    const functions = image.image.findFunctions(pattern);
    for (const fn of functions) {
      const address = image.image.afterPrologue(fn);
      add(address);
      if (!breakpoint.file) show(image.image.lineAt(address));
    }
    const copies = image.image.inlinedCopies(pattern);
    for (const { name, address } of copies) {
      add(address, name);
      if (!breakpoint.file) show(image.image.inlinedAt(address).find((c) => c.name === name));
    }
    if (functions.length > 0 || copies.length > 0 || /[*?]/.test(pattern)) return;
    // Assembly has no debug information for functions, but labels.
    for (const symbol of image.image.symbolsNamed(pattern)) add(symbol.address);
  }

  /** Replaces the instruction breakpoints of an owner: the client, or GDB beside it. */
  setInstructions(requests: readonly ({ address: bigint } & BreakpointOptions)[], owner: InstructionOwner = 'client'): Breakpoint[] {
    const list = requests.map(({ address, ...options }) => {
      const breakpoint = this.create('instruction', `${address}`, options);
      breakpoint.locations.push({ address, image: undefined, world: options.world });
      return breakpoint;
    });
    this.instructions.set(owner, list);
    this.index();
    return list;
  }

  /** Counts hits anew: the machine went back to power-on. */
  resetHits(): void {
    for (const breakpoint of this.all()) breakpoint.hits = 0;
  }

  /** What has been counted, for a machine that goes back to an earlier instant: the function returned puts it back. */
  saveHits(): () => void {
    const kept = new Map(this.all().map((b) => [b.id, b.hits]));
    return () => {
      for (const b of this.all()) b.hits = kept.get(b.id) ?? 0;
    };
  }

  /** The breakpoints that stop `world` at `pc`; counts hits, prints log messages. */
  hit(world: World, pc: bigint): Breakpoint[] {
    const here = this.byAddress.get(pc);
    if (!here) return [];
    // Memory has changed since an image was last compared.
    this.images.forget();
    return [...new Set(here.filter(({ location }) => this.applies(location, world, pc)).map(({ breakpoint }) => breakpoint))].filter((b) => this.stops(b));
  }

  private applies(location: Location, world: World, pc: bigint): boolean {
    if (location.world !== undefined && location.world !== world) return false;
    return location.image === undefined || this.images.at(world, pc) === location.image;
  }

  /** The functions of a breakpoint that begin at an address, inlined into another. */
  inlinedAt(breakpoint: Breakpoint, address: bigint): string[] {
    return breakpoint.locations.flatMap((location) => (location.address === address && location.inlined !== undefined ? [location.inlined] : []));
  }

  /** Counts a hit where the condition holds; whether the machine is to stop. A log message is printed instead. */
  stops(breakpoint: Pick<Breakpoint, 'options' | 'hits' | 'enough'>): boolean {
    const { condition, logMessage } = breakpoint.options;
    if (condition?.trim()) {
      try {
        if (!this.environment.holds(condition)) return false;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        this.environment.complain(`The condition "${condition}" cannot be computed here: ${error.message}`);
      }
    }
    breakpoint.hits++;
    if (breakpoint.enough && !breakpoint.enough(breakpoint.hits)) return false;
    if (!logMessage) return true;
    this.environment.log(logMessage);
    return false;
  }

  /** A request that was there before keeps its number and its count of hits. */
  private create(sort: BreakpointSort, request: string, options: BreakpointOptions): Breakpoint {
    const key = JSON.stringify([sort, request, options.condition, options.hitCondition, options.logMessage, options.world]);
    const old = this.all().find((b) => b.key === key);
    return {
      id: old?.id ?? this.nextId++, key, sort, locations: [], image: undefined, file: undefined, line: undefined, column: undefined, hits: old?.hits ?? 0, ...hitRules(options, (condition) => this.environment.fault(condition)),
    };
  }

  private all(): Breakpoint[] {
    return [...[...this.bySource.values()].flat(), ...this.functions, ...[...this.instructions.values()].flat()];
  }

  private index(): void {
    this.byAddress = new Map();
    for (const breakpoint of this.all()) {
      for (const location of breakpoint.locations) {
        const here = this.byAddress.get(location.address) ?? [];
        here.push({ breakpoint, location });
        this.byAddress.set(location.address, here);
      }
    }
    this.addressSet = new Set(this.byAddress.keys());
  }
}
