/**
 * One virtual processor: the run loop around the interpreter. Between slices of generated code it takes events
 * (interrupts, VMX boundaries, traps), performs TypeScript's instructions, and finds records for new addresses.
 */
import { MASK32 } from '../../base/bits';
import type { DeviceMsrs, InterruptController, PhysicalBus } from '../bus';
import type { CodeSize, Instruction } from '../decode/instruction';
import { mnemonics } from '../decode/decode';
import { Fault, STATE_REPLACED, Vector } from '../fault';
import { IF, TF } from '../flags';
import { EventType, type Intercepts, type SecondLevel } from '../intercepts';
import { fetchTranslate, peekTranslate, readLinear, writeLinear } from '../mmu/linear';
import type { Features, Processor, StopReason } from '../processor';
import { BANKS, CpuState, CTLB_ENTRY_SIZE, CTLB_OFFSET, type MemoryViews, Offset, Seg, TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_OFFSET } from '../state';
import { deliverEvent, deliverFault } from '../system/delivery';
import { slowOperations } from '../system/operations';
import type { CodeCache, CodePage } from './codeCache';
import { MAXIMUM_LENGTH } from './codeCache';
import type { Interpreter } from './interpreter';
import { Exit, Field, RECORD_SIZE, Special } from './record';
import { deriveState } from './derived';
import { leftOperations } from './leftOperations';

/** Generated code comes back at least so often: V8 enters optimised code only on a call, and Pause must get through. */
const SLICE = 50_000;
/** Events without a retired instruction in between, after which `run` comes back so that nobody is locked out. */
const EVENTS_PER_SLICE = 10_000;

const BLOCKING_MOVSS = 2;
const BLOCKING_STI_MOVSS = 3;
const BLOCKING_NMI = 8;
const Activity = { ACTIVE: 0, HLT: 1, SHUTDOWN: 2 } as const;

/** Generations use 12 bits; 0 marks empty entries and 0xfff would collide with withheld tags. */
const LAST_GENERATION = 0xffe;

/** TypeScript's operations by mnemonic number. */
const operationTable = mnemonics.map((name) => leftOperations[name] ?? slowOperations[name]);

/** Where TLB entries keep their page, in 32-bit words (mmu/tlb.ts). */
const TLB_WRITE_TAG_WORD = 2;
const TLB_PAGE_WORD = 5;

export interface CpuParts {
  bus: PhysicalBus;
  interrupts: InterruptController;
  deviceMsrs: DeviceMsrs;
  features: Features;
}

export class Cpu implements Processor {
  readonly state: CpuState;
  readonly bus: PhysicalBus;
  readonly interrupts: InterruptController;
  readonly deviceMsrs: DeviceMsrs;
  readonly features: Features;
  readonly fault = new Fault();
  intercepts!: Intercepts;
  secondLevel!: SecondLevel;
  instructionRip = 0n;

  /** Told when an instruction is reached that Hyperstep does not have (and CPUID does not announce); it then raises #UD. */
  onUnimplemented: (mnemonic: string, rip: bigint) => void = () => undefined;

  private stopRequested = false;
  private attention = false;
  private skipBreakpoint = false;
  /** Clock at the end of the slice that generated code is in: its clock is this less the budget left. */
  private sliceEnd = 0;
  private readonly generations = new Array<number>(BANKS).fill(1);
  /** Code size that a bank's code TLB entries are for. */
  private readonly bankCodeSize = new Array<number>(BANKS).fill(0);
  private bank = 0;
  private codeSize: CodeSize = 16;
  private breakpoints: ReadonlySet<bigint> = new Set();
  private breakpointPages = new Map<bigint, Set<number>>();
  /** An instruction fetched from two pages, or from where there is no RAM. */
  private readonly staged = new Uint8Array(MAXIMUM_LENGTH + 1);

  constructor(
    readonly views: MemoryViews,
    readonly index: number,
    base: number,
    parts: CpuParts,
    private readonly interpreter: Interpreter,
    private readonly cache: CodeCache,
  ) {
    this.state = new CpuState(views, base);
    this.bus = parts.bus;
    this.interrupts = parts.interrupts;
    this.deviceMsrs = parts.deviceMsrs;
    this.features = parts.features;
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
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.readPhysicalByte(address + i));
    return value;
  }
  private readPhysicalByte(address: number): number {
    const frame = this.bus.frameForRead(Math.floor(address / 0x1000));
    return frame !== 0 ? this.views.u8[frame + (address % 0x1000)]! : this.bus.read(address, 1);
  }
  writePhysical(address: number, size: number, value: bigint): void {
    for (let i = 0; i < size; i++, value >>= 8n) {
      const at = address + i;
      const page = Math.floor(at / 0x1000);
      const frame = this.bus.frameForWrite(page);
      const byte = Number(value & 0xffn);
      if (frame === 0) {
        this.bus.write(at, 1, byte);
        continue;
      }
      this.views.u8[frame + (at % 0x1000)] = byte;
      if (this.cache.has(page)) this.cache.written(page, at % 0x1000, 1);
    }
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
    this.cache.dropPage(page);
  }

  skipBreakpointOnce(): void {
    this.skipBreakpoint = true;
  }
  setBreakpoints(linear: ReadonlySet<bigint>): void {
    this.breakpoints = new Set(linear);
    this.breakpointPages = new Map();
    for (const address of linear) {
      const page = address & ~0xfffn;
      const offsets = this.breakpointPages.get(page) ?? new Set<number>();
      this.breakpointPages.set(page, offsets.add(Number(address & 0xfffn)));
    }
    this.cache.clearBreakpoints();
    this.flushTlb();
  }

  // Translation caches.

  flushTlb(): void {
    this.attention = true; // the code that is executing may be mapped otherwise now
    for (let bank = 0; bank < BANKS; bank++) this.newGeneration(bank);
    this.state.set64(Offset.GENERATION, BigInt(this.generations[this.bank]!));
  }

  private newGeneration(bank: number): void {
    const next = this.generations[bank]! + 1;
    if (next <= LAST_GENERATION) {
      this.generations[bank] = next;
      return;
    }
    const { u32 } = this.views;
    const tlb = this.state.base + TLB_OFFSET + bank * TLB_ENTRIES * TLB_ENTRY_SIZE;
    const ctlb = this.state.base + CTLB_OFFSET + bank * TLB_ENTRIES * CTLB_ENTRY_SIZE;
    u32.fill(0, tlb >>> 2, (tlb + TLB_ENTRIES * TLB_ENTRY_SIZE) >>> 2);
    u32.fill(0, ctlb >>> 2, (ctlb + TLB_ENTRIES * CTLB_ENTRY_SIZE) >>> 2);
    this.generations[bank] = 1;
  }

  flushPage(linear: bigint): void {
    this.attention = true;
    const index = Number((linear >> 12n) & BigInt(TLB_ENTRIES - 1));
    const { u32 } = this.views;
    for (let bank = 0; bank < BANKS; bank++) {
      const tlb = (this.state.base + TLB_OFFSET + (bank * TLB_ENTRIES + index) * TLB_ENTRY_SIZE) >>> 2;
      u32.fill(0, tlb, tlb + 4);
      const ctlb = (this.state.base + CTLB_OFFSET + (bank * TLB_ENTRIES + index) * CTLB_ENTRY_SIZE) >>> 2;
      u32.fill(0, ctlb, ctlb + 2);
    }
  }

  /** A page got its first decoded instruction: its write tags must go, whatever they are for. */
  withholdWrites(page: number): void {
    const { u32 } = this.views;
    const start = (this.state.base + TLB_OFFSET) >>> 2;
    const end = start + ((BANKS * TLB_ENTRIES * TLB_ENTRY_SIZE) >>> 2);
    const low = page >>> 0;
    for (let entry = start; entry < end; entry += TLB_ENTRY_SIZE >>> 2) {
      if (u32[entry + TLB_PAGE_WORD] === low) {
        u32[entry + TLB_WRITE_TAG_WORD] = 0xffff_ffff;
        u32[entry + TLB_WRITE_TAG_WORD + 1] = 0xffff_ffff;
      }
    }
  }

  stateChanged(): void {
    const s = this.state;
    this.codeSize = deriveState(s);
    const bank = (s.cpl === 3 ? 1 : 0) | (s.get32(Offset.VMX_MODE) === 2 ? 2 : 0);
    if (this.bankCodeSize[bank] !== this.codeSize) {
      this.bankCodeSize[bank] = this.codeSize;
      this.newGeneration(bank);
    }
    this.bank = bank;
    s.set32(Offset.TLB_BASE, s.base + TLB_OFFSET + bank * TLB_ENTRIES * TLB_ENTRY_SIZE);
    s.set32(Offset.CTLB_BASE, s.base + CTLB_OFFSET + bank * TLB_ENTRIES * CTLB_ENTRY_SIZE);
    s.set64(Offset.GENERATION, BigInt(this.generations[bank]!));
    this.attention = true;
  }

  /** The state was replaced as a whole (restore): nothing derived may survive. */
  restored(): void {
    this.bankCodeSize.fill(0);
    this.stopRequested = false;
    this.skipBreakpoint = false;
    this.state.set32(Offset.CUT, 0);
    this.flushTlb();
    this.stateChanged();
  }

  // The run loop.

  run(budget: number): StopReason {
    const s = this.state;
    const end = s.icount + budget;
    this.stopRequested = false;
    for (let events = 0; ; ) {
      if (this.stopRequested) {
        this.stopRequested = false;
        return 'request';
      }
      this.attention = false;
      if (this.takeEvent()) {
        if (++events > EVENTS_PER_SLICE) return 'budget';
        continue;
      }
      const activity = s.get32(Offset.ACTIVITY);
      if (activity === Activity.SHUTDOWN) return 'shutdown';
      if (activity !== Activity.ACTIVE) return 'halt';
      const left = end - s.icount;
      if (left <= 0) return 'budget';
      const shadow = s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_STI_MOVSS;
      const trap = (s.get32(Offset.FLAGS) & TF) !== 0;
      const before = s.icount;
      const slice = shadow || trap ? 1 : Math.min(left, SLICE, this.intercepts.ticksToBoundary());
      if (this.slice(slice)) return 'breakpoint';
      const retired = s.icount !== before;
      if (retired) events = 0;
      else if (++events > EVENTS_PER_SLICE) return 'budget';
      if (retired && shadow) s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) & ~shadow);
      if (retired && trap) this.singleStepTrap();
    }
  }

  /** RFLAGS.TF was set before the instruction: a #DB follows it, unless the instruction was MOV SS or POP SS, which hold it back. */
  private singleStepTrap(): void {
    if (this.state.get32(Offset.INTERRUPTIBILITY) & BLOCKING_MOVSS) return;
    this.guarded(() => {
      this.fault.exception(Vector.DB);
      this.fault.address = 1n << 14n; // DR6.BS
      this.instructionRip = this.state.rip;
      deliverFault(this, this.fault);
    });
  }

  /** Takes one event that waits at this instruction boundary. Returns whether the state changed. */
  private takeEvent(): boolean {
    const s = this.state;
    let taken = false;
    this.guarded(() => {
      if (this.intercepts.nonRoot && this.intercepts.boundary()) {
        taken = true;
        return;
      }
      const blocking = s.get32(Offset.INTERRUPTIBILITY);
      if (s.get32(Offset.NMI_PENDING) !== 0 && (blocking & (BLOCKING_NMI | 2)) === 0) {
        taken = true;
        s.set32(Offset.NMI_PENDING, 0);
        this.wake();
        this.intercepts.event(EventType.NMI, Vector.NMI, undefined, 0);
        s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) | BLOCKING_NMI);
        this.instructionRip = s.rip;
        deliverEvent(this, EventType.NMI, Vector.NMI, undefined, 0);
        return;
      }
      if ((blocking & BLOCKING_STI_MOVSS) !== 0 || !this.interrupts.pending() || s.get32(Offset.ACTIVITY) === Activity.SHUTDOWN) return;
      if (this.intercepts.nonRoot && this.intercepts.externalInterrupt()) {
        taken = true;
        return;
      }
      if ((s.get32(Offset.FLAGS) & IF) === 0) return;
      taken = true;
      this.wake();
      this.instructionRip = s.rip;
      deliverEvent(this, EventType.EXTERNAL, this.interrupts.acknowledge(), undefined, 0);
    });
    return taken;
  }

  private wake(): void {
    this.state.set32(Offset.ACTIVITY, Activity.ACTIVE);
  }

  /** Runs what may replace the state (a VM exit) or fault, to its end. */
  private guarded(action: () => void): void {
    try {
      action();
    } catch (thrown) {
      if (thrown === STATE_REPLACED) return;
      if (thrown !== this.fault) throw thrown;
      this.guarded(() => deliverFault(this, this.fault));
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
          break;
        case Exit.SLOW:
          this.leaveAtRecord();
          if (!this.perform()) return false;
          next = this.following(s.get32(Offset.RECORD));
          break;
        case Exit.BREAK:
          this.leaveAtRecord();
          if (this.breakpoints.has(this.linearRip())) return true;
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
    const s = this.state;
    const offset = this.views.u16[(s.get32(Offset.RECORD) + Field.OFFSET) >>> 1]!;
    s.rip = this.maskRip(s.get64(Offset.RIP_BASE) + BigInt(offset));
    this.instructionRip = s.rip;
  }

  /**
   * Generated code does not say which segment a non-canonical address was for. With an rSP or rBP base it is SS, and the
   * exception #SS(0) instead of #GP(0); the instruction is decoded once more to tell.
   */
  private stackFaultByBase(): void {
    if (this.codeSize !== 64 || this.fault.kind !== 'exception' || this.fault.vector !== Vector.GP) return;
    const insn = this.cache.peek(this.state.get32(Offset.RECORD));
    if (insn && insn.segment === Seg.SS) this.fault.exception(Vector.SS, 0);
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
    const start = s.rip;
    this.instructionRip = start;
    const next = this.maskRip(start + BigInt(insn.length));
    s.rip = next;
    // The clock that the instruction sees is the one before it; it retires when it completes.
    s.icount -= 1;
    const flags = s.get32(Offset.FLAGS);
    try {
      const operation = operationTable[insn.op];
      if (!operation) {
        this.onUnimplemented(mnemonics[insn.op]!, start);
        throw this.fault.exception(Vector.UD);
      }
      operation(this, insn);
    } catch (thrown) {
      if (thrown === STATE_REPLACED) {
        this.attention = true;
        return false;
      }
      if (thrown !== this.fault) throw thrown;
      this.deliver();
      return false;
    }
    // A long REP stops early with RIP still on the instruction: it has not retired then.
    const rip = s.rip;
    this.wentOn = rip === next;
    if (rip !== start || !this.repeats(insn)) s.icount += 1;
    // Interrupts may have been enabled, a trap flag set, the processor halted.
    if (s.get32(Offset.FLAGS) !== flags || (s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_STI_MOVSS) !== 0 || s.get32(Offset.ACTIVITY) !== 0) this.attention = true;
    return !this.attention;
  }

  private repeats(insn: Instruction): boolean {
    return (insn.prefixes & 6) !== 0;
  }


  private deliver(): void {
    this.state.rip = this.instructionRip;
    this.guarded(() => deliverFault(this, this.fault));
    this.attention = true;
  }

  private linearRip(): bigint {
    const s = this.state;
    const linear = s.rip + s.get64(Offset.CS_BASE);
    return this.codeSize === 64 ? BigInt.asUintN(64, linear) : linear & MASK32;
  }

  // Finding code.

  /** The record for RIP. 0 when the fetch faulted (and was delivered) or the instruction had to be performed here. */
  private findRecord(): number {
    const known = this.lookUp();
    if (known !== 0) return known;
    const s = this.state;
    const linear = this.linearRip();
    this.instructionRip = s.rip;
    if (!this.withinCodeSegment(s.rip)) {
      this.fault.exception(Vector.GP, 0);
      this.deliver();
      return 0;
    }
    const page = this.codePageAt(linear);
    if (page === undefined) return 0;
    if (page === null) {
      this.performUncached(linear);
      return 0;
    }
    const record = this.cache.record(page, Number(linear & 0xfffn));
    if (record === 0) return 0; // everything was dropped for want of room: look again
    s.set64(Offset.RIP_BASE, s.rip - (linear & 0xfffn));
    return record;
  }

  /** RIP to record by the code TLB, as generated code does it; 0 on a miss. It is hot: no bigint. */
  private lookUp(): number {
    const { u32 } = this.views;
    const base = this.state.base >>> 2;
    const ripLow = u32[base + (Offset.RIP >>> 2)]!;
    const ripHigh = u32[base + (Offset.RIP >>> 2) + 1]!;
    const sum = ripLow + u32[base + (Offset.CS_BASE >>> 2)]!;
    // Beyond 32 bits legacy code wraps: the long way masks.
    if (sum > 0xffff_ffff) return 0;
    const entry = (u32[base + (Offset.CTLB_BASE >>> 2)]! >>> 2) + ((sum >>> 12) & (TLB_ENTRIES - 1)) * (CTLB_ENTRY_SIZE >>> 2);
    if (u32[entry] !== ((sum & ~0xfff) | u32[base + (Offset.GENERATION >>> 2)]!) >>> 0 || u32[entry + 1] !== ripHigh) return 0;
    const offset = sum & 0xfff;
    const record = u32[(u32[entry + 2]! >>> 2) + offset]!;
    if (record === 0) return 0;
    const baseLow = ripLow - offset;
    u32[base + (Offset.RIP_BASE >>> 2)] = baseLow;
    u32[base + (Offset.RIP_BASE >>> 2) + 1] = baseLow < 0 ? ripHigh - 1 : ripHigh;
    return record;
  }

  /** IP beyond CS.limit raises #GP(0). 64-bit code has no limit. */
  private withinCodeSegment(rip: bigint): boolean {
    return this.codeSize === 64 || rip <= BigInt(this.state.limit(Seg.CS));
  }

  /** Whether every byte of the linear page may be executed as far as CS.limit goes. */
  private limitCoversPage(linear: bigint): boolean {
    if (this.codeSize === 64) return true;
    const limit = this.state.limit(Seg.CS);
    if (limit === 0xffff_ffff) return true;
    const start = (linear & ~0xfffn) - this.state.get64(Offset.CS_BASE);
    return start >= 0n && start + 0xfffn <= BigInt(limit);
  }

  /**
   * The code page for a linear address: by the code TLB, else by translation. Undefined when the fetch faulted and was
   * delivered, null where code cannot be kept (no RAM, or CS.limit ends inside the page).
   */
  private codePageAt(linear: bigint): CodePage | undefined | null {
    const s = this.state;
    const low = Number(linear & MASK32);
    const high = Number(linear >> 32n);
    const physical = fetchTranslate(this, low, high);
    if (physical < 0) {
      this.deliver();
      return undefined;
    }
    const frame = this.bus.frameForRead(physical);
    if (frame === 0 || !this.limitCoversPage(linear)) return null;
    const page = this.cache.find(physical, this.codeSize, frame, this.breakpointPages.get(linear & ~0xfffn));
    const entry = (s.get32(Offset.CTLB_BASE) + ((low >>> 12) & (TLB_ENTRIES - 1)) * CTLB_ENTRY_SIZE) >>> 2;
    const { u32 } = this.views;
    u32[entry] = ((low & ~0xfff) | s.get32(Offset.GENERATION)) >>> 0;
    u32[entry + 1] = high;
    u32[entry + 2] = page.slots;
    return page;
  }

  /** Copies an instruction's bytes from wherever they are. Returns how many could be fetched; 0 when a fault was delivered. */
  private stage(linear: bigint): number {
    let physical = -1;
    for (let i = 0; i < MAXIMUM_LENGTH; i++) {
      const at = this.codeSize === 64 ? BigInt.asUintN(64, linear + BigInt(i)) : (linear + BigInt(i)) & MASK32;
      if (i === 0 || (at & 0xfffn) === 0n) {
        physical = fetchTranslate(this, Number(at & MASK32), Number(at >> 32n));
        if (physical < 0) {
          this.deliver();
          return 0;
        }
      }
      this.staged[i] = this.readPhysicalByte(physical * 0x1000 + Number(at & 0xfffn));
    }
    return MAXIMUM_LENGTH;
  }

  /** The instruction at RIP runs over the end of its page: connects its records with the next page as it is mapped now. */
  private connectCrossing(): boolean {
    const linear = this.linearRip();
    const first = this.codePageAt(linear);
    const second = first && this.codePageAt(BigInt.asUintN(64, (linear & ~0xfffn) + 0x1000n));
    if (first === undefined || second === undefined) return false;
    if (first === null || second === null) {
      this.performUncached(linear);
      return !this.attention;
    }
    if (this.stage(linear) === 0) return false;
    this.cache.cross(first, second, Number(linear & 0xfffn), this.staged);
    return true;
  }

  /** Executes one instruction without keeping it: fetched from a device, from nowhere, or near CS.limit. */
  private performUncached(linear: bigint): void {
    if (this.stage(linear) === 0) return;
    const s = this.state;
    const record = this.cache.single(this.staged, this.codeSize, Number(linear & 0xfffn));
    if (record.length > 1 && !this.withinCodeSegment(s.rip + BigInt(record.length - 1))) {
      this.fault.exception(Vector.GP, 0);
      this.deliver();
      return;
    }
    s.set64(Offset.RIP_BASE, s.rip - (linear & 0xfffn));
    const exit = this.enter(record.at, 1);
    switch (exit) {
      case Exit.BUDGET:
      case Exit.CROSS:
        this.leaveAtRecord();
        break;
      case Exit.LOOKUP:
        break;
      case Exit.SLOW:
        this.leaveAtRecord();
        this.performInstruction(record.insn);
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
        throw new Error(`The interpreter returned ${exit} for a single instruction.`);
    }
    this.attention = true;
  }
}
