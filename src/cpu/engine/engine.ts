/** The engine: one WebAssembly memory, one interpreter, one code cache, and the processors that share them. */
import { UserError } from '../../base/errors';
import { AccessFlag } from '../accessFlags';
import { AbsentInstructions } from '../decode/absent';
import type { Fault } from '../fault';
import { instructionSet } from '../isa/index';
import { prebuilt } from '../prebuilt';
import { Frame, FRAME_PAGES, FRAME_TABLE } from '../mmu/frameTable';
import { access, commit, reach } from '../mmu/slowPath';
import { CPU_BLOCK_SIZE, MemoryViews, Offset, SEGMENT_STRIDE } from '../state';
import { segmentLinear } from '../system/segmentation';
import { CodeCache } from './codeCache';
import { Cpu, type CpuParts } from './cpu';
import { HandlerTable } from './handlers';
import { createInterpreter, generateInterpreter, type Interpreter } from './interpreter';
import { CPU_BASE, FRAMES_BASE, MAXIMUM_CPUS, memoryPages } from './layout';
import type { MonitoredLines } from './monitoredLines';
import { Translator, translatorPolicy } from './translator';

export interface Engine {
  readonly views: MemoryViews;
  /** The area of RAM frames: byte offsets, multiples of 4096. */
  readonly frameBase: number;
  readonly frameLimit: number;
  /** Of the pages below 4 GiB, for who hands out the frames: see mmu/frameTable.ts. */
  readonly frameTable: Uint32Array;
  /** Lines of memory that processors wait for. */
  readonly monitored: MonitoredLines;
  createProcessor(index: number, parts: CpuParts): Cpu;
}

/** The interpreter as the host has compiled it. */
export interface CompiledInterpreter {
  readonly module: WebAssembly.Module;
  /** Is told of the interpreter's function in each engine. */
  connected?(run: (cpu: number) => number): void;
}

let compile = (bytes: Uint8Array<ArrayBuffer>): CompiledInterpreter => ({ module: new WebAssembly.Module(bytes) });

/** For a host that has a better way to compile the interpreter; to be called before the first engine is made. */
export function compileInterpreterWith(other: typeof compile): void {
  compile = other;
}

/** The handlers and the interpreter never change: they are made once, at first use, and serve every memory, so that what V8 has optimised is kept. */
let shared: (CompiledInterpreter & { handlers: HandlerTable }) | undefined;

function sharedParts(): CompiledInterpreter & { handlers: HandlerTable } {
  if (!shared) {
    const handlers = new HandlerTable(instructionSet);
    shared = { handlers, ...compile(prebuilt?.interpreter ?? generateInterpreter(handlers.handlers)) };
  }
  return shared;
}

/** The generated interpreter's bytes, for the build. */
export const interpreterBytes = (): Uint8Array<ArrayBuffer> => generateInterpreter(new HandlerTable(instructionSet).handlers);

class EngineImplementation implements Engine {
  readonly views: MemoryViews;
  readonly frameBase = FRAMES_BASE;
  readonly frameLimit: number;
  readonly frameTable: Uint32Array;
  private readonly cpus: (Cpu | undefined)[] = [];
  private readonly interpreter: Interpreter;
  private readonly cache: CodeCache;

  private readonly translator: Translator | undefined;

  constructor(ramBytes: number, translate: boolean) {
    const pages = memoryPages(ramBytes);
    const memory = allocate(pages);
    this.views = new MemoryViews(memory);
    this.frameLimit = pages * 0x1_0000;
    this.frameTable = new Uint32Array(memory.buffer, FRAME_TABLE, FRAME_PAGES);
    const { handlers, module, connected } = sharedParts();
    this.cache = new CodeCache(this.views, handlers, {
      watchedPageAppeared: (page) => {
        if (page < FRAME_PAGES) this.frameTable[page]! |= Frame.TOLD;
        this.cpus.forEach((cpu) => cpu?.withholdWrites(page));
      },
      allDropped: () => {
        this.translator?.dropAll();
        this.cpus.forEach((cpu) => cpu?.flushTlb());
      },
      recordsChange: (page) => this.translator?.dropPage(page),
      instructionChanges: (page, offset) => this.translator?.dropInstruction(page, offset),
    });
    this.cache.monitored.onWrite = (processor) => this.cpus[processor]?.endMonitoring();
    this.interpreter = createInterpreter(module, memory, {
      access: (base, low, high, flags, budget) => {
        const cpu = this.cpuAt(base);
        cpu.synchronize(budget);
        return access(cpu, low, high, flags, budget);
      },
      reach: (base, low, high, flags, budget) => {
        const cpu = this.cpuAt(base);
        cpu.synchronize(budget);
        const drops = this.translator?.drops;
        const host = reach(cpu, low, high, flags, budget);
        // The write, or accessed bits that the walk has set, may have changed code: the region's own perhaps.
        return drops === this.translator?.drops ? host : 0;
      },
      commit: (base) => commit(this.cpuAt(base)),
      portIn: (base, port, size, budget) => {
        const cpu = this.cpuAt(base);
        cpu.synchronize(budget);
        cpu.portAccessed(port, size);
        const value = cpu.bus.in(port, size);
        if (size === 1) cpu.keepPortAnswer(port, value);
        return value;
      },
      portOut: (base, port, size, value, budget) => {
        const cpu = this.cpuAt(base);
        cpu.synchronize(budget);
        cpu.portAccessed(port, size);
        cpu.bus.out(port, size, value >>> 0);
      },
      invalidatePage: (base, low, high) => this.cpuAt(base).flushPageAt(low >>> 0, high >>> 0),
      checkSegment: (base, segment, offset, flags) => this.checkSegment(this.cpuAt(base), segment, offset, flags),
    });
    connected?.(this.interpreter.run);
    if (translate) this.translator = new Translator(this.views, this.cache, handlers.handlers, this.interpreter.regions, { reach: this.interpreter.reach, checkSegment: this.interpreter.checkSegment }, { ...translatorPolicy });
  }

  get monitored(): MonitoredLines {
    return this.cache.monitored;
  }

  private cpuAt(base: number): Cpu {
    return this.cpus[(base - CPU_BASE) / CPU_BLOCK_SIZE]!;
  }

  /** `segment` is the state offset of its cache. */
  private checkSegment(cpu: Cpu, segment: number, offset: number, flags: number): number {
    const seg = (segment - Offset.SEGMENTS) / SEGMENT_STRIDE;
    try {
      segmentLinear(cpu, seg, BigInt(offset >>> 0), flags & AccessFlag.SIZE, (flags & AccessFlag.WRITE) !== 0);
      return 1;
    } catch (thrown) {
      if ((thrown as Fault) !== cpu.fault) throw thrown;
      return 0;
    }
  }

  createProcessor(index: number, parts: CpuParts): Cpu {
    if (index >= MAXIMUM_CPUS) throw new Error(`Processor ${index} does not exist: the engine has ${MAXIMUM_CPUS}.`);
    this.cache.absent = AbsentInstructions.of(parts.features); // of all processors: they are alike
    const cpu = new Cpu(this.views, index, CPU_BASE + index * CPU_BLOCK_SIZE, parts, this.interpreter, this.cache, this.translator);
    this.cpus[index] = cpu;
    return cpu;
  }
}

function allocate(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: 0x1_0000 });
  } catch {
    throw new UserError('memory.host', `This host cannot reserve ${Math.round(pages / 16)} MiB for the machine; give machine.memory a smaller value.`);
  }
}

/** Makes an engine with room for so much RAM. Throws a UserError when the host cannot reserve it. */
export function createEngine(options: { ramBytes: number; cpus: number; translator?: boolean | undefined }): Engine {
  return new EngineImplementation(options.ramBytes, (options.translator ?? true) && translatorPolicy.enabled);
}
