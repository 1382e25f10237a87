/**
 * One virtual processor: the run loop around the interpreter. Between slices of generated code it takes events
 * (interrupts, VMX boundaries, traps), performs TypeScript's instructions, and finds records for new addresses.
 */
import { high32, low32, MASK32 } from '../../base/bits';
import type { CoprocessorPins, DeviceMsrs, InterruptController, PhysicalBus } from '../bus';
import { type CodeSize, type Instruction, Prefix } from '../decode/instruction';
import { mnemonicId, mnemonics } from '../decode/decode';
import { Fault, STATE_REPLACED, Vector } from '../fault';
import { IF, RF, TF } from '../flags';
import type { Intercepts, SecondLevel } from '../intercepts';
import { Permitted } from '../isa/permitted';
import { DevicePages } from '../mmu/devicePages';
import { peekTranslate, readLinear, writeLinear } from '../mmu/linear';
import { readPhysical, writePhysical } from '../mmu/physical';
import { found } from '../mmu/walk';
import { linearPage, type Watch, Watches, type WatchHit } from '../mmu/watch';
import type { Features, Processor, StopReason } from '../processor';
import { withSimd } from '../simd/operations';
import { withheldLevels } from '../simd/levels';
import { CpuState, type MemoryViews, Offset, PRIVILEGE_STRIDE, Privileged, Seg } from '../state';
import { deliverFault } from '../system/delivery';
import { MONITOR_LINE } from '../system/monitorOperations';
import { slowOperations } from '../system/operations';
import { Activity } from './activity';
import type { CodeCache } from './codeCache';
import { CodeFetch, Fetched } from './codeFetch';
import { isOutside, undoBranch } from './branchFault';
import type { Interpreter } from './interpreter';
import { endMonitoring, Monitoring } from './monitoredLines';
import { forgetAnswer, keepAnswer } from './portAnswer';
import { Exit, Field, RECORD_SIZE, Special } from './record';
import { DebugUnit } from './debugUnit';
import { alignmentChecked, announcedInstructions, type Derive, deriveFor, TIMESTAMPS } from './derived';
import { leftOperations } from './leftOperations';
import { takeEvent } from './events';
import { TlbBanks } from './tlbBanks';
import { type Translator, translatorPolicy } from './translator';

/** Events without a retired instruction in between, after which `run` comes back so that nobody is locked out. */
const EVENTS_PER_SLICE = 10_000;

/** Slices that devices cut short count for the translator when they come to this part of the longest together. */
const SAMPLED_PART = 5;

const MAXIMUM_32 = 0xffff_ffff;
/** Upper half of Offset.STI_CLOCK when no STI of generated code blocks interrupts. */
const NO_CLOCK = 0xffff_ffff;
const BLOCKING_STI = 1;
const BLOCKING_STI_MOVSS = 3;

/** What an observer of TypeScript's instructions leaves to generated code. */
const OBSERVED = Permitted.RDTSC | Permitted.RDTSCP | Permitted.PAUSE;

const IRET = mnemonicId('iret');
const LEAVE = mnemonicId('leave');

/** TypeScript's operations by mnemonic number. */
const operationTable = mnemonics.map((name) => withSimd(name, leftOperations[name] ?? slowOperations[name]));

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
  private attention = false;
  private skipBreakpoint = false;
  /** Clock at the end of the slice that generated code is in: its clock is this less the budget left. */
  private sliceEnd = 0;
  /** Generated code comes back at least so often. */
  private readonly longestSlice: number;
  /** Clock at the last sample for the translator. */
  private sampled = 0;
  private readonly withheldSimd: number;
  private readonly announced: number;
  private readonly deriveState: Derive;
  private readonly banks: TlbBanks;
  private readonly fetch: CodeFetch;
  /** Code size that CS asks for. */
  codeSize: CodeSize = 16;
  private breakpoints: ReadonlySet<bigint> = new Set();

  constructor(
    readonly views: MemoryViews,
    readonly index: number,
    base: number,
    parts: CpuParts,
    private readonly interpreter: Interpreter,
    private readonly cache: CodeCache,
    private readonly translator?: Translator,
  ) {
    this.longestSlice = (translator?.policy ?? translatorPolicy).slice;
    this.state = new CpuState(views, base);
    this.bus = parts.bus;
    this.interrupts = parts.interrupts;
    this.deviceMsrs = parts.deviceMsrs;
    this.features = parts.features;
    this.processors = parts.processors ?? 1;
    this.withheldSimd = withheldLevels(parts.features);
    this.announced = announcedInstructions(parts.features);
    this.deriveState = deriveFor(views.memory);
    this.banks = new TlbBanks(views, this.state);
    this.fetch = new CodeFetch(this, cache, this.banks);
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
    this.attention = true;
    if (this.state.get32(Offset.CUT) === 0) this.state.set32(Offset.CUT, 1);
  }
  memoryChanged(page: number): void {
    this.cache.pageChanged(page);
  }

  skipBreakpointOnce(): void {
    this.skipBreakpoint = true;
  }
  setBreakpoints(linear: ReadonlySet<bigint>): void {
    this.breakpoints = new Set(linear);
    this.cache.clearBreakpoints();
    this.armBreakpoints();
  }
  /** The debugger's breakpoints and those of DR0 to DR3 are the same kind of record. One that is lifted may stay: it is looked up when it is reached. */
  private armBreakpoints(): void {
    const { execution } = this.debug.armed;
    this.forgetPortAnswers(); // I/O breakpoints want to see every access
    this.fetch.setBreakpoints(execution.size === 0 ? this.breakpoints : new Set([...this.breakpoints, ...execution.keys()]));
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
    this.watches.set(watches);
    this.flushTlb();
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
    this.attention = true;
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
    this.attention = true;
  }
  worldChanged(): void {
    if (this.state.get32(Offset.MONITOR) !== 0) this.endMonitoring(); // VM entries and VM exits clear it
    this.state.set32(Offset.STI_CLOCK + 4, NO_CLOCK); // blocking by STI is now what was loaded
    this.derive();
    this.inNewWorld = true;
  }
  /** The instruction that TypeScript performs has become a VM entry or a VM exit. */
  private inNewWorld = false;

  private derive(): void {
    const s = this.state;
    this.deriveMode();
    this.fetch.segmentChanged();
    if (this.debug.rearm()) this.armBreakpoints();
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
  }

  changePrivilege(level: 0 | 3): void {
    const s = this.state;
    const from = Offset.PRIVILEGES + (level === 3 ? PRIVILEGE_STRIDE : 0);
    s.set32(Offset.CPL, level);
    s.set32(Offset.TLB_BASE, s.get32(from + Privileged.TLB_BASE));
    s.set32(Offset.CTLB_BASE, s.get32(from + Privileged.CTLB_BASE));
    s.set32(Offset.GENERATION, s.get32(from + Privileged.GENERATION));
    s.set32(Offset.PERMITTED, s.get32(from + Privileged.PERMITTED));
    this.attention = true;
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
    this.skipBreakpoint = false;
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
      this.settle();
      this.debug.takeHits();
      if (this.watches.hit) {
        this.watchHits = this.watches.takeHits();
        return 'watch';
      }
      if (this.stopRequested) {
        this.stopRequested = false;
        return 'request';
      }
      this.attention = false;
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
      const slice = shadow || trap ? 1 : Math.min(left, this.longestSlice, this.intercepts.ticksToBoundary());
      this.inNewWorld = false;
      if (this.slice(slice)) {
        this.settle();
        return 'breakpoint';
      }
      const retired = s.icount !== before;
      if (retired) events = 0;
      else if (++events > EVENTS_PER_SLICE) return 'budget';
      // A VM entry brings its own blocking and its own pending debug exceptions; a single step of the VMM is none of them.
      if (!retired || this.inNewWorld) continue;
      if (shadow) s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) & ~shadow);
      this.debug.stepped(trap, !branches || s.rip !== next);
    }
  }

  /** RIP behind the instruction at RIP; RIP itself where it cannot be fetched. */
  private nextRip(): bigint {
    const { rip } = this.state;
    const single = this.fetch.single();
    return single === Fetched.FAULT ? rip : this.maskRip(rip + BigInt(single.insn.length));
  }

  /** Takes back what ended with an instruction that has retired since: RF, and blocking by an STI of generated code. */
  private settle(): void {
    const s = this.state;
    this.debug.settleResume();
    const high = s.high(Offset.STI_CLOCK);
    if (high === NO_CLOCK) return;
    const blocking = s.get32(Offset.INTERRUPTIBILITY);
    if (blocking & BLOCKING_STI && s.icount <= high * 0x1_0000_0000 + s.get32(Offset.STI_CLOCK)) return;
    s.set32(Offset.INTERRUPTIBILITY, blocking & ~BLOCKING_STI);
    s.set32(Offset.STI_CLOCK + 4, NO_CLOCK);
  }

  /** Deals with what ended something that may replace the state or fault: a VM exit is complete, a fault is delivered. */
  recover(thrown: unknown): void {
    while (thrown !== STATE_REPLACED) {
      if (thrown !== this.fault) throw thrown;
      try {
        return deliverFault(this, this.fault);
      } catch (next) {
        thrown = next;
      }
    }
  }

  /**
   * Runs at most `budget` instructions, to the first thing that needs the loop above. Returns true at a breakpoint.
   */
  private slice(budget: number): boolean {
    const s = this.state;
    let left = budget;
    let next = 0;
    while (left > 0 && !this.attention) {
      const record = next !== 0 ? next : this.findRecord();
      next = 0;
      if (record === 0) {
        if (this.attention) return false;
        continue; // a fault was delivered or an instruction without a record performed
      }
      let exit = 0;
      if (this.skipBreakpoint) {
        this.skipBreakpoint = false;
        this.cache.withoutBreakpoint(record, () => (exit = this.enter(record, 1)));
        left -= 1 - this.unused;
      } else {
        exit = this.enter(record, left);
        left = this.unused;
      }
      switch (exit) {
        case Exit.BUDGET:
          this.leaveAtRecord();
          if (this.translator && s.icount - this.sampled >= this.longestSlice / SAMPLED_PART) this.sample(this.translator);
          break;
        case Exit.STALE:
          this.leaveAtRecord();
          break;
        case Exit.FAULT:
          this.leaveAtRecord();
          this.stackFaultByBase();
          this.deliver();
          return false;
        case Exit.DIVIDE:
          this.leaveAtRecord();
          this.fault.exception(Vector.DE);
          this.deliver();
          return false;
        case Exit.LOOKUP:
          if (isOutside(this, this.codeSize === 64) && this.branchFault(this.branchAtRecord())) return false;
          break;
        case Exit.SLOW:
          this.leaveAtRecord();
          if (!this.perform()) return false;
          next = this.following(s.get32(Offset.RECORD));
          break;
        case Exit.BREAK:
          this.leaveAtRecord();
          if (this.breakpoints.has(this.fetch.linearRip())) return true;
          if (this.instructionBreakpoint()) return false;
          // Another mapping of the same page: no breakpoint here.
          this.skipBreakpoint = true;
          break;
        case Exit.CROSS:
          this.leaveAtRecord();
          if (!this.connectCrossing()) return false;
          break;
        default:
          throw new Error(`The interpreter returned ${exit}.`);
      }
    }
    return false;
  }

  /** The instruction that generated code executed last; undefined when no instruction's record led here. */
  private branchAtRecord(): Instruction | undefined {
    const record = this.state.get32(Offset.RECORD);
    const { u32 } = this.views;
    let handler = u32[(record + Field.HANDLER) >>> 2]!;
    if (handler === Special.ENTER || handler === Special.BREAK) handler = u32[(record + Field.ORIGINAL) >>> 2]!;
    return handler >= Special.COUNT ? this.cache.peek(record) : undefined;
  }

  /** The near branch at RECORD went where no code may be: it faults itself, and RIP is its own. Returns whether it was one. */
  private branchFault(insn: Instruction | undefined): boolean {
    if (!insn || !undoBranch(this, insn)) return false;
    this.state.icount -= 1;
    this.leaveAtRecord();
    this.fault.exception(Vector.GP, 0);
    this.deliver();
    return true;
  }

  /** Delivers the #DB of an instruction breakpoint in DR0 to DR3 at RIP. Returns whether there is one. */
  private instructionBreakpoint(): boolean {
    if (this.debug.armed.execution.size === 0 || !this.debug.atInstruction(this.fetch.linearRip())) return false;
    this.skipBreakpoint = false;
    this.instructionRip = this.state.rip;
    this.deliver();
    return true;
  }

  /** Tells the translator where the processor is; time that it was halted does not count. */
  private sample(translator: Translator): void {
    const now = this.state.icount;
    translator.sample(this.state, Math.max(0, Math.min(now - this.sampled, this.longestSlice)));
    this.sampled = now;
  }

  /** Translates the code at RIP now, as if a sample had found it hot: for tests. */
  translateHere(): void {
    if (this.translator && this.fetch.find() > 0) this.translator.sample(this.state, Infinity);
  }

  /** How often a region was made since the engine was. */
  get regionsMade(): number {
    return this.translator?.made ?? 0;
  }

  /** The record behind a TypeScript instruction that went on to the next one, or 0 when it has to be looked up. */
  private following(record: number): number {
    const { u32 } = this.views;
    if (!this.wentOn || u32[(record + Field.HANDLER) >>> 2] !== Special.SLOW) return 0;
    return record + RECORD_SIZE;
  }
  private wentOn = false;

  /** Budget that generated code left over, slices cut short by devices included. */
  private unused = 0;

  private enter(record: number, budget: number): number {
    const s = this.state;
    s.set32(Offset.RECORD, record);
    s.set32(Offset.BUDGET, budget);
    s.set32(Offset.CUT, 0);
    this.sliceEnd = s.icount + budget;
    s.set32(Offset.SLICE_END, this.sliceEnd);
    s.set32(Offset.SLICE_END + 4, this.sliceEnd / 0x1_0000_0000);
    const exit = this.interpreter.run(s.base);
    let unused = s.get32(Offset.BUDGET);
    if (s.get32(Offset.CUT) === 2) {
      unused += s.get32(Offset.CUT_BUDGET);
      this.attention = true;
    }
    this.unused = unused;
    s.icount = this.sliceEnd - unused;
    return exit;
  }

  /** Called before a device is reached from generated code: makes the clock exact. */
  synchronize(budgetLeft: number): void {
    this.state.icount = this.sliceEnd - budgetLeft;
  }

  /** RIP of the record at which generated code stopped. */
  private leaveAtRecord(): void {
    const { u32, u16 } = this.views;
    const base = this.state.base >>> 2;
    const sum = u32[base + (Offset.RIP_BASE >>> 2)]! + u16[(u32[base + (Offset.RECORD >>> 2)]! + Field.OFFSET) >>> 1]!;
    const high = this.codeSize === 64 ? u32[base + (Offset.RIP_BASE >>> 2) + 1]! + (sum > MAXIMUM_32 ? 1 : 0) : 0;
    u32[base + (Offset.INSTRUCTION_RIP >>> 2)] = u32[base + (Offset.RIP >>> 2)] = sum;
    u32[base + (Offset.INSTRUCTION_RIP >>> 2) + 1] = u32[base + (Offset.RIP >>> 2) + 1] = high;
  }

  /**
   * Generated code does not say which segment a non-canonical address was for. With an rSP or rBP base it is SS, and the
   * exception #SS(0) instead of #GP(0); the instruction is decoded once more to tell.
   */
  private stackFaultByBase(): void {
    if (this.codeSize !== 64 || this.fault.kind !== 'exception' || this.fault.vector !== Vector.GP) return;
    const insn = this.cache.peek(this.state.get32(Offset.RECORD));
    if (insn && (insn.segment === Seg.SS || insn.op === LEAVE)) this.fault.exception(Vector.SS, 0);
  }

  private maskRip(rip: bigint): bigint {
    return this.codeSize === 64 ? BigInt.asUintN(64, rip) : rip & MASK32;
  }

  /** An instruction of TypeScript's: counted by generated code, taken back when it faults. Returns false when the loop above must look. */
  private perform(): boolean {
    const record = this.state.get32(Offset.RECORD);
    const insn = this.cache.instructions[this.views.u32[(record + Field.INSTRUCTION) >>> 2]!]!;
    return this.performInstruction(insn);
  }

  private performInstruction(insn: Instruction): boolean {
    const s = this.state;
    const { u32 } = this.views;
    const rip = (s.base + Offset.RIP) >>> 2;
    const startLow = u32[rip]!;
    const startHigh = u32[rip + 1]!;
    s.set32(Offset.INSTRUCTION_RIP, startLow);
    s.set32(Offset.INSTRUCTION_RIP + 4, startHigh);
    const sum = startLow + insn.length;
    u32[rip] = sum;
    u32[rip + 1] = this.codeSize === 64 ? startHigh + (sum > MAXIMUM_32 ? 1 : 0) : 0;
    const nextLow = u32[rip]!;
    const nextHigh = u32[rip + 1]!;
    // The clock that the instruction sees is the one before it; it retires when it completes.
    s.icount -= 1;
    this.settle();
    this.inNewWorld = false;
    const flags = s.get32(Offset.FLAGS);
    try {
      const operation = operationTable[insn.op];
      if (!operation) {
        this.onUnimplemented(mnemonics[insn.op]!, this.instructionRip);
        throw this.fault.exception(Vector.UD);
      }
      if (operation(this, insn) === true) {
        this.replaced(insn);
        return this.goesOn();
      }
    } catch (thrown) {
      if (thrown === STATE_REPLACED) {
        this.replaced(insn);
        this.attention = true;
        return false;
      }
      if (thrown !== this.fault) throw thrown;
      this.deliver();
      return false;
    }
    // A long REP stops early with RIP still on the instruction: it has not retired then.
    this.wentOn = u32[rip] === nextLow && u32[rip + 1] === nextHigh;
    const stayed = u32[rip] === startLow && u32[rip + 1] === startHigh;
    this.onOperation?.(insn);
    if (!stayed || this.stepping || !this.repeats(insn)) s.icount += 1;
    if (s.get32(Offset.FLAGS) & RF && (insn.op === IRET || stayed || !(flags & RF))) {
      this.debug.resumeSet();
      this.attention = true;
    }
    if (this.inNewWorld) return this.goesOn();
    // Interrupts may have been enabled, a trap flag set, the processor halted.
    if (s.get32(Offset.FLAGS) !== flags || (s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_STI_MOVSS) !== 0 || s.get32(Offset.ACTIVITY) !== 0) this.attention = true;
    return !this.attention;
  }

  /** A VM exit or entry took the instruction's place. */
  private replaced(insn: Instruction): void {
    this.onOperation?.(insn);
    this.watches.forgetInstruction();
    this.debug.resumeSet();
  }

  /**
   * After a VM entry or VM exit in an instruction's place: whether the slice may go on, as the loop above would find nothing
   * to do. What that loop looks at is looked at here; what it prepares for generated code must be so already. An interrupt
   * that waits has been seen by the loop, as it asks for attention when it comes.
   */
  private goesOn(): boolean {
    this.wentOn = false;
    const s = this.state;
    const { watches } = this;
    if (this.attention || this.stepping || this.operationObserver || watches.hit || watches.registerHits !== 0) return this.looks();
    const events = s.get32(Offset.SIGNALS) | s.get32(Offset.PENDING_DEBUG) | s.get32(Offset.NMI_PENDING) | s.get32(Offset.ACTIVITY);
    const flags = s.get32(Offset.FLAGS);
    if (events !== 0 || flags & (TF | RF) || s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_STI_MOVSS || s.high(Offset.STI_CLOCK) !== NO_CLOCK) return this.looks();
    const waits = s.get32(Offset.AWAITED) !== 0;
    if ((waits && (flags & IF) !== 0) || (this.intercepts.nonRoot && this.intercepts.quiet?.(waits) !== true)) return this.looks();
    return true;
  }
  private looks(): false {
    this.attention = true;
    return false;
  }

  private repeats(insn: Instruction): boolean {
    return (insn.prefixes & (Prefix.REP | Prefix.REPNE)) !== 0;
  }

  private deliver(): void {
    this.settle();
    this.state.rip = this.instructionRip;
    this.watches.forgetInstruction();
    this.recover(this.fault);
    this.attention = true;
  }

  // Finding code.

  /** The record for RIP. 0 when the fetch faulted (and was delivered) or the instruction had to be performed here. */
  private findRecord(): number {
    // The debugger's own breakpoint stops first; when it goes on from there, that of DR0 to DR3 is due.
    if (this.debug.armed.execution.size !== 0 && (this.skipBreakpoint || !this.breakpoints.has(this.fetch.linearRip())) && this.instructionBreakpoint()) return 0;
    const found = this.fetch.find();
    switch (found) {
      case Fetched.FAULT:
        this.instructionRip = this.state.rip;
        this.deliver();
        return 0;
      case Fetched.UNCACHED:
        this.performUncached();
        return 0;
      default:
        return found; // 0 when everything was dropped for want of room: the caller looks again
    }
  }

  /** The instruction at RIP runs over the end of its page. Returns false when the loop above must look. */
  private connectCrossing(): boolean {
    switch (this.fetch.connectCrossing()) {
      case Fetched.FAULT:
        this.deliver();
        return false;
      case Fetched.UNCACHED:
        this.performUncached();
        return false;
      default:
        return true;
    }
  }

  /** Executes one instruction without keeping it: fetched from a device, from nowhere, or near CS.limit. */
  private performUncached(): void {
    const s = this.state;
    this.attention = true;
    this.instructionRip = s.rip;
    const single = this.fetch.single();
    if (single === Fetched.FAULT) return this.deliver();
    switch (this.enter(single.at, 1)) {
      case Exit.BUDGET:
      case Exit.CROSS:
        this.leaveAtRecord();
        break;
      case Exit.LOOKUP:
        if (isOutside(this, this.codeSize === 64)) this.branchFault(single.insn);
        break;
      case Exit.SLOW:
        this.leaveAtRecord();
        this.performInstruction(single.insn);
        break;
      case Exit.DIVIDE:
        this.fault.exception(Vector.DE);
        this.deliver();
        break;
      case Exit.FAULT:
        this.leaveAtRecord();
        this.deliver();
        break;
      default:
        throw new Error('The interpreter left a single instruction in a way that only kept records can.');
    }
  }
}
