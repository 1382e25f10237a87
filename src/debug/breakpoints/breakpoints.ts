/** Breakpoints on code: on source lines, functions and instructions. Each belongs to an image and hence to a world, not to a bare address. */
import { UserError } from '../../base/errors';
import type { SourceFile } from '../../symbols/image';
import type { ImageSet, LoadedImage } from '../symbols/imageSet';
import type { World } from '../world';
import { hitCondition } from './hitCondition';

export type BreakpointSort = 'source' | 'function' | 'instruction';

/** What the user can attach to any of them. */
export interface BreakpointOptions {
  condition?: string;
  hitCondition?: string;
  logMessage?: string;
}

interface Location {
  address: bigint;
  /** Undefined for an instruction breakpoint where no symbols are. */
  image: LoadedImage | undefined;
  world: World | undefined;
}

export interface Breakpoint {
  id: number;
  sort: BreakpointSort;
  options: BreakpointOptions;
  locations: Location[];
  /** Why it can never be hit, when it cannot. */
  message: string | undefined;
  /** Where it really is, when all its locations are on one line. */
  image: LoadedImage | undefined;
  file: SourceFile | undefined;
  line: number | undefined;
  hits: number;
  enough: ((hits: number) => boolean) | undefined;
}

/** What a hit needs of the rest of the debugger. */
export interface BreakpointEnvironment {
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
  private instructions: Breakpoint[] = [];
  private byAddress = new Map<bigint, { breakpoint: Breakpoint; location: Location }[]>();
  private addressSet: ReadonlySet<bigint> = new Set();
  private nextId = 1;

  constructor(
    private readonly images: ImageSet,
    private readonly environment: BreakpointEnvironment,
  ) {}

  /** Every address that has a breakpoint; a new set whenever it changes. */
  get addresses(): ReadonlySet<bigint> {
    return this.addressSet;
  }

  /**
   * Replaces the breakpoints of one source file. `key` is the client's name for it; `files` are, per request, the files
   * of that name in each image and the line as that image counts.
   */
  setSource(key: string, requests: readonly { files: readonly { image: LoadedImage; file: SourceFile; line: number }[]; options: BreakpointOptions }[]): Breakpoint[] {
    const list = requests.map(({ files, options }) => {
      const breakpoint = this.create('source', options);
      if (files.length === 0) {
        breakpoint.message ??= 'No symbol file knows this source file: name the linked kernel in "symbols" of the launch configuration.';
        return breakpoint;
      }
      // One line means one line: a file that two images share may have code for it in one only, and slide in the other.
      const found = files.flatMap(({ image, file, line }) => image.image.addressesOf(file, line).map((at) => ({ image, ...at })));
      const nearest = found.reduce((least, at) => Math.min(least, at.line), Infinity);
      for (const at of found) {
        if (at.line === nearest) breakpoint.locations.push({ address: at.address, image: at.image, world: at.image.world });
      }
      if (found.length === 0) breakpoint.message ??= 'No line from here to the end of the file has code.';
      else {
        const first = found.find((at) => at.line === nearest)!;
        breakpoint.line = nearest;
        breakpoint.file = first.file;
        breakpoint.image = first.image;
      }
      return breakpoint;
    });
    this.bySource.set(key, list);
    this.index();
    return list;
  }

  /** Replaces the function breakpoints. A name may be a pattern (`handle_*`) or have `vmm:` or `guest:` in front. */
  setFunctions(requests: readonly ({ name: string } & BreakpointOptions)[]): Breakpoint[] {
    this.functions = requests.map(({ name, ...options }) => {
      const breakpoint = this.create('function', options);
      const [, world, pattern] = /^(?:(vmm|guest):)?(.*)$/.exec(name.trim())!;
      for (const image of this.images.images) {
        if (world !== undefined && image.world !== undefined && image.world !== world) continue;
        this.addFunction(breakpoint, image, pattern!, world as World | undefined);
      }
      if (breakpoint.locations.length === 0) breakpoint.message ??= `No symbol file has a function ${pattern}.`;
      return breakpoint;
    });
    this.index();
    return this.functions;
  }

  private addFunction(breakpoint: Breakpoint, image: LoadedImage, pattern: string, world: World | undefined): void {
    const functions = image.image.findFunctions(pattern);
    for (const fn of functions) {
      const address = image.image.afterPrologue(fn);
      breakpoint.locations.push({ address, image, world: world ?? image.world });
      const entry = image.image.lineAt(address);
      if (breakpoint.file || !entry) continue;
      breakpoint.file = entry.file;
      breakpoint.line = entry.line;
      breakpoint.image = image;
    }
    if (functions.length > 0 || /[*?]/.test(pattern)) return;
    // Assembly has no debug information for functions, but labels.
    for (const symbol of image.image.symbolsNamed(pattern)) breakpoint.locations.push({ address: symbol.address, image, world: world ?? image.world });
  }

  /** Replaces the instruction breakpoints. */
  setInstructions(requests: readonly ({ address: bigint; world: World | undefined } & BreakpointOptions)[]): Breakpoint[] {
    this.instructions = requests.map(({ address, world, ...options }) => {
      const breakpoint = this.create('instruction', options);
      breakpoint.locations.push({ address, image: undefined, world });
      return breakpoint;
    });
    this.index();
    return this.instructions;
  }

  /** Counts hits anew: the machine went back to power-on. */
  resetHits(): void {
    for (const breakpoint of this.all()) breakpoint.hits = 0;
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

  private stops(breakpoint: Breakpoint): boolean {
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

  private create(sort: BreakpointSort, options: BreakpointOptions): Breakpoint {
    const breakpoint: Breakpoint = { id: this.nextId++, sort, options, locations: [], message: undefined, image: undefined, file: undefined, line: undefined, hits: 0, enough: undefined };
    if (options.hitCondition?.trim()) {
      try {
        breakpoint.enough = hitCondition(options.hitCondition);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        breakpoint.message = error.message;
      }
    }
    return breakpoint;
  }

  private all(): Breakpoint[] {
    return [...[...this.bySource.values()].flat(), ...this.functions, ...this.instructions];
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
