/**
 * One virtual processor: what others ask of it, what follows from its state, and the run loop, which takes events
 * (interrupts, VMX boundaries, traps) between slices of generated code.
 */
import { high32, low32 } from '../../base/bits';
import type { CoprocessorPins, DeviceMsrs, InterruptController, PhysicalBus } from '../bus';
import type { CodeSize, Instruction } from '../decode/instruction';
import { Fault } from '../fault';
import type { Intercepts, SecondLevel } from '../intercepts';
import { Permitted } from '../isa/permitted';
import { DevicePages } from '../mmu/devicePages';
import { peekTranslate, readLinear, writeLinear } from '../mmu/linear';
import { readPhysical, writePhysical } from '../mmu/physical';
import { found } from '../mmu/walk';
import { linearPage, type Watch, Watches, type WatchHit } from '../mmu/watch';
import { walkMode } from '../mmu/walkCode';
import type { Features, Processor, StopReason } from '../processor';
import { withheldLevels } from '../simd/levels';
import { CpuState, type MemoryViews, Offset, PRIVILEGE_STRIDE, Privileged, WATCHED_PAGES } from '../state';
import { MONITOR_LINE } from '../system/monitorOperations';
import { Activity } from './activity';
import type { CodeCache } from './codeCache';
import { CodeFetch, Fetched } from './codeFetch';
import type { Interpreter } from './interpreter';
import { endMonitoring, Monitoring } from './monitoredLines';
import { forgetAnswer, keepAnswer } from './portAnswer';
import { DebugUnit } from './debugUnit';
import { alignmentChecked, announcedInstructions, type Derive, derivedFor, TIMESTAMPS } from './derived';
import { takeEvent } from './events';
import { BLOCKING_STI_MOVSS, NO_CLOCK, Slices } from './slices';
import { TlbBanks } from './tlbBanks';
import type { Translator } from './translator';

/** Events without a retired instruction in between, after which `run` comes back so that nobody is locked out. */
const EVENTS_PER_SLICE = 10_000;

/** What an observer of TypeScript's instructions leaves to generated code. */
const OBSERVED = Permitted.RDTSC | Permitted.RDTSCP | Permitted.PAUSE;

export interface CpuParts {
  bus: PhysicalBus;
  interrupts: InterruptController;
  deviceMsrs: DeviceMsrs;
  features: Features;
  /** Processors of the machine; 1 unless said. */
  processors?: number;
}

export class Cpu implements Processor {
  readonly state: CpuState;
  readonly bus: PhysicalBus;
  readonly interrupts: InterruptController;
  readonly deviceMsrs: DeviceMsrs;
  readonly features: Features;
  readonly processors: number;
  readonly fault = new Fault();
  readonly watches = new Watches();
  readonly devicePages = new DevicePages();
  watchHits: readonly WatchHit[] = [];
  private readonly debug = new DebugUnit(this);
  stepping = false;
  intercepts!: Intercepts;
  secondLevel!: SecondLevel;
  tracksTables = false;

  /** Told when an instruction is reached that Hyperstep does not have (and CPUID does not announce); it then raises #UD. */
  onUnimplemented: (mnemonic: string, rip: bigint) => void = () => undefined;
  get onOperation(): ((insn: Instruction) => void) | undefined {
    return this.operationObserver;
  }
  set onOperation(observer: ((insn: Instruction) => void) | undefined) {
    this.operationObserver = observer;
    this.deriveMode();
  }
  private operationObserver: ((insn: Instruction) => void) | undefined = undefined;

  private stopRequested = false;
  private readonly withheldSimd: number;
  private readonly announced: number;
  private readonly deriveState: Derive;
  private readonly banks: TlbBanks;
  private readonly fetch: CodeFetch;
  /** Code size that CS asks for. */
  codeSize: CodeSize = 16;
  private readonly slices: Slices;

  constructor(
    readonly views: MemoryViews,
    readonly index: number,
    base: number,
    parts: CpuParts,
    interpreter: Interpreter,
    private readonly cache: CodeCache,
    private readonly translator?: Translator,
  ) {
    this.state = new CpuState(views, base);
    this.bus = parts.bus;
    this.interrupts = parts.interrupts;
    this.deviceMsrs = parts.deviceMsrs;
    this.features = parts.features;
    this.processors = parts.processors ?? 1;
    this.withheldSimd = withheldLevels(parts.features);
    this.announced = announcedInstructions(parts.features);
    this.deriveState = derivedFor(views.memory).derive;
    this.banks = new TlbBanks(views, this.state);
    this.fetch = new CodeFetch(this, cache, this.banks);
    this.slices = new Slices(this, interpreter, cache, this.fetch, this.debug, translator);
  }

  get instructionRip(): bigint {
    return this.state.get64(Offset.INSTRUCTION_RIP);
  }
  set instructionRip(rip: bigint) {
    this.state.set64(Offset.INSTRUCTION_RIP, rip);
  }

  get codePages(): CodeCache {
    return this.cache;
  }

  // What others ask of the processor.

  readLinear(linear: bigint, size: number, supervisor = false): bigint {
    return readLinear(this, linear, size, supervisor);
  }
  writeLinear(linear: bigint, size: number, value: bigint, supervisor = false): void {
    writeLinear(this, linear, size, value, supervisor);
  }
  peekTranslate(linear: bigint): number {
    return peekTranslate(this, linear);
  }

  readPhysical(address: number, size: number): bigint {
    return readPhysical(this, address, size);
  }
  writePhysical(address: number, size: number, value: bigint): void {
    writePhysical(this, address, size, value);
  }

  requestStop(): void {
    this.stopRequested = true;
    this.requestAttention();
  }
  requestAttention(): void {
    this.slices.attention = true;
    if (this.state.get32(Offset.CUT) === 0) this.state.set32(Offset.CUT, 1);
  }
  memoryChanged(page: number): void {
    this.cache.pageChanged(page);
  }

  skipBreakpointOnce(): void {
    this.slices.skipBreakpoint = true;
  }
  setBreakpoints(linear: ReadonlySet<bigint>): void {
    this.slices.breakpoints = new Set(linear);
    this.cache.clearBreakpoints();
    this.armBreakpoints();
  }
  /** The debugger's breakpoints and those of DR0 to DR3 are the same kind of record. One that is lifted may stay: it is looked up when it is reached. */
  private armBreakpoints(): void {
    const { execution } = this.debug.armed;
    this.forgetPortAnswers(); // I/O breakpoints want to see every access
    this.fetch.setBreakpoints(execution.size === 0 ? this.slices.breakpoints : new Set([...this.slices.breakpoints, ...execution.keys()]));
    this.flushTlb();
  }
  decideSingleStep(trap: boolean): void {
    this.debug.decision = trap;
  }
  breaksOnPort(port: number, size: number): boolean {
    return this.debug.breaksOnPort(port, size);
  }
  portAccessed(port: number, size: number): void {
    if (this.debug.portAccessed(port, size)) this.requestAttention();
  }

  /** A 1-byte input was made: generated code may answer the next ones itself as long as they would be the same. */
  keepPortAnswer(port: number, value: number): void {
    const until = this.bus.steadyUntil?.(port) ?? 0;
    if (until !== 0 && this.debug.armed.ports.length === 0) keepAnswer(this.state, port, value, until);
  }
  /** A device's ports may answer otherwise from now on. */
  forgetPortAnswers(): void {
    forgetAnswer(this.state);
  }

  setWatches(watches: readonly Watch[]): void {
    if (this.watches.set(watches)) this.translator?.forgetWatched();
    this.tellWatched();
    this.flushTlb();
  }
  /** Tells the page walk of generated code which pages it has to leave alone, and the translator that there are some. */
  private tellWatched(): void {
    this.translator?.watches(this, this.watches.active);
    const { linear, physical } = this.watches.pages;
    this.state.set64(WATCHED_PAGES, linear);
    this.state.set64(WATCHED_PAGES + 8, physical);
  }
  deviceWrote(address: number, length: number): void {
    if (this.watches.active && this.watches.noteDevice(address, length)) this.requestAttention();
  }

  // Translation caches.

  flushTlb(): void {
    this.requestAttention(); // generated code holds the generation, and may itself be mapped otherwise now
    this.devicePages.forget();
    this.banks.flush();
  }
  flushOperation(nonRoot: boolean): void {
    this.slices.attention = true;
    this.devicePages.forget();
    this.banks.flushOperation(nonRoot);
  }
  switchContext(from: number, to: number, keep: boolean): void {
    this.requestAttention();
    this.devicePages.forget();
    this.banks.switchContext(from, to, keep);
  }
  dropContext(identifier: number | undefined): void {
    this.requestAttention();
    this.devicePages.forget();
    this.banks.dropContext(identifier);
  }
  translationKept(index: number, low: number, high: number): void {
    if (found.global && found.level === 1) return;
    this.banks.filled(index, found.global, linearPage(low, high), found.level);
  }
  flushPage(linear: bigint): void {
    this.flushPageAt(low32(linear), high32(linear));
  }
  /** The same for an address in unsigned halves. In 64-bit code one that is not canonical has no translations. */
  flushPageAt(low: number, high: number): void {
    this.devicePages.forget();
    if (!this.banks.flushPage(low, high)) this.requestAttention();
  }
  /** Writes to a page have to be seen from now on: its write tags must go, whatever they are for. */
  withholdWrites(page: number): void {
    this.banks.withholdWrites(page);
  }

  stateChanged(): void {
    this.derive();
    this.slices.attention = true;
  }
  worldChanged(): void {
    if (this.state.get32(Offset.MONITOR) !== 0) this.endMonitoring(); // VM entries and VM exits clear it
    this.state.set32(Offset.STI_CLOCK + 4, NO_CLOCK); // blocking by STI is now what was loaded
    this.derive();
    this.slices.inNewWorld = true;
  }

  private derive(): void {
    const s = this.state;
    this.deriveMode();
    this.fetch.segmentChanged();
    if (this.debug.rearm()) {
      this.tellWatched();
      this.armBreakpoints();
    }
    this.banks.select((s.cpl === 3 ? 1 : 0) | (s.get32(Offset.VMX_MODE) === 2 ? 2 : 0), this.codeSize, alignmentChecked(s));
  }

  /** What generated code may execute of isa/permitted.ts, as far as the state allows it. Who watches what TypeScript performs wants generated code to leave it all to TypeScript. */
  private permissible(): number {
    const s = this.state;
    let { announced } = this;
    if (this.pauseYields) announced &= ~Permitted.PAUSE;
    if (this.operationObserver) announced &= OBSERVED;
    s.clear64(Offset.GUEST_TSC_OFFSET);
    if (s.get32(Offset.VMX_MODE) === 2) announced &= ~TIMESTAMPS | (this.intercepts.plainTimestamps?.() ?? 0);
    return announced;
  }
  /** Recomputes what generated code works with besides the TLB. */
  private deriveMode(): void {
    this.codeSize = this.deriveState(this.state.base, this.withheldSimd, this.permissible());
    this.state.set32(Offset.WALK, walkMode(this));
  }

  changePrivilege(level: 0 | 3): void {
    const s = this.state;
    const from = Offset.PRIVILEGES + (level === 3 ? PRIVILEGE_STRIDE : 0);
    s.set32(Offset.CPL, level);
    s.set32(Offset.TLB_BASE, s.get32(from + Privileged.TLB_BASE));
    s.set32(Offset.CTLB_BASE, s.get32(from + Privileged.CTLB_BASE));
    s.set32(Offset.GENERATION, s.get32(from + Privileged.GENERATION));
    s.set32(Offset.PERMITTED, s.get32(from + Privileged.PERMITTED));
    this.slices.attention = true;
  }

  /** Whether PAUSE tells `onPause`: while another processor could run instead of waiting with this one. */
  yieldAtPause(yields: boolean): void {
    if (yields === this.pauseYields) return;
    this.pauseYields = yields;
    this.deriveMode();
  }
  private pauseYields = false;
  onPause: (() => void) | undefined = undefined;
  coprocessor: CoprocessorPins | undefined = undefined;

  /** The state was replaced as a whole (restore): nothing derived may survive. */
  restored(): void {
    this.stopRequested = false;
    this.slices.skipBreakpoint = false;
    this.state.set32(Offset.CUT, 0);
    this.forgetPortAnswers();
    this.cache.monitored.set(this.index, this.state.get32(Offset.MONITOR) !== 0 ? Number(this.state.get64(Offset.MONITORED)) : undefined);
    this.banks.flush();
    this.stateChanged();
  }

  // Address-range monitoring.

  armMonitor(address: number): void {
    const s = this.state;
    const line = Math.floor(address / MONITOR_LINE) * MONITOR_LINE;
    s.set32(Offset.MONITOR, Monitoring.ARMED);
    s.set64(Offset.MONITORED, BigInt(line));
    this.cache.monitored.set(this.index, line);
  }
  waitMonitored(breaks: boolean): void {
    const s = this.state;
    if (s.get32(Offset.MONITOR) !== Monitoring.ARMED) return; // written meanwhile, or never armed: there is nothing to wait for
    s.set32(Offset.MONITOR, Monitoring.ARMED | Monitoring.WAITING | (breaks ? Monitoring.BREAKS : 0));
    s.set32(Offset.ACTIVITY, Activity.HLT);
    this.requestAttention();
  }
  /** The line was written, or an event has come. */
  endMonitoring(): void {
    endMonitoring(this.state);
    this.cache.monitored.set(this.index, undefined);
  }

  // The run loop.

  run(budget: number): StopReason {
    const s = this.state;
    const end = s.icount + budget;
    this.stopRequested = false;
    this.debug.resumeSet(); // if RF is set: it is settled whenever this method returns
    s.set32(Offset.STI_CLOCK + 4, NO_CLOCK);
    for (let events = 0; ; ) {
      this.slices.settle();
      this.debug.takeHits();
      if (this.watches.hit) {
        this.watchHits = this.watches.takeHits();
        return 'watch';
      }
      if (this.stopRequested) {
        this.stopRequested = false;
        return 'request';
      }
      this.slices.attention = false;
      if (takeEvent(this)) {
        if (++events > EVENTS_PER_SLICE) return 'budget';
        continue;
      }
      const activity = s.get32(Offset.ACTIVITY);
      // A guest in shutdown waits for an NMI, INIT or its VMM's timer.
      if (activity === Activity.SHUTDOWN && !this.intercepts.nonRoot) return 'shutdown';
      if (activity !== Activity.ACTIVE) return 'halt';
      const left = end - s.icount;
      if (left <= 0) return 'budget';
      const shadow = s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_STI_MOVSS;
      const trap = this.debug.traps;
      this.stepping = trap || (this.intercepts.nonRoot && this.intercepts.stepsInstructions?.() === true);
      s.set32(Offset.STEPPING, this.stepping ? 1 : 0);
      this.debug.decision = undefined;
      const before = s.icount;
      const branches = this.debug.stepsBranches;
      const next = !branches ? 0n : trap ? this.nextRip() : s.rip;
      const slice = shadow || trap ? 1 : Math.min(left, this.slices.longest, this.intercepts.ticksToBoundary());
      this.slices.inNewWorld = false;
      if (this.slices.run(slice)) {
        this.slices.settle();
        return 'breakpoint';
      }
      const retired = s.icount !== before;
      if (retired) events = 0;
      else if (++events > EVENTS_PER_SLICE) return 'budget';
      // A VM entry brings its own blocking and its own pending debug exceptions; a single step of the VMM is none of them.
      if (!retired || this.slices.inNewWorld) continue;
      if (shadow) s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) & ~shadow);
      this.debug.stepped(trap, !branches || s.rip !== next);
    }
  }

  /** RIP behind the instruction at RIP; RIP itself where it cannot be fetched. */
  private nextRip(): bigint {
    const { rip } = this.state;
    const single = this.fetch.single();
    return single === Fetched.FAULT ? rip : this.slices.maskRip(rip + BigInt(single.insn.length));
  }

  // What generated code and tests ask of the slice at hand.

  recover(thrown: unknown): void {
    this.slices.recover(thrown);
  }
  /** Called before a device is reached from generated code: makes the clock exact. */
  synchronize(budgetLeft: number): void {
    this.slices.synchronize(budgetLeft);
  }
  /** Translates the code at RIP now, as if a sample had found it hot: for tests. */
  translateHere(): void {
    if (this.translator && this.fetch.find() > 0) this.translator.sample(this.state, Infinity);
  }
  /** How often a region was made since the engine was. */
  get regionsMade(): number {
    return this.translator?.made ?? 0;
  }
}
