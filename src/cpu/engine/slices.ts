/**
 * Slices of generated code: runs them, finds records for new addresses, performs the instructions that are TypeScript's, and
 * delivers the faults of both.
 */
import { MASK32 } from '../../base/bits';
import { mnemonicId, mnemonics } from '../decode/decode';
import { type Instruction, Prefix } from '../decode/instruction';
import { STATE_REPLACED, Vector } from '../fault';
import { IF, RF, TF } from '../flags';
import { withSimd } from '../simd/operations';
import { type CpuState, type MemoryViews, Offset } from '../state';
import { deliverFault } from '../system/delivery';
import { slowOperations } from '../system/operations';
import { isOutside, undoBranch } from './branchFault';
import type { CodeCache } from './codeCache';
import { type CodeFetch, Fetched } from './codeFetch';
import type { Cpu } from './cpu';
import type { DebugUnit } from './debugUnit';
import { branchAtRecord, stackFaultByBase } from './faultedRecord';
import type { Interpreter } from './interpreter';
import { leftOperations } from './leftOperations';
import { Exit, Field, RECORD_SIZE, Special } from './record';
import { type Translator, translatorPolicy } from './translator';

/** Slices that devices cut short count for the translator when they come to this part of the longest together. */
const SAMPLED_PART = 5;

const MAXIMUM_32 = 0xffff_ffff;
/** Upper half of Offset.STI_CLOCK when no STI of generated code blocks interrupts. */
export const NO_CLOCK = 0xffff_ffff;
const BLOCKING_STI = 1;
export const BLOCKING_STI_MOVSS = 3;

const IRET = mnemonicId('iret');

/** TypeScript's operations by mnemonic number. */
const operationTable = mnemonics.map((name) => withSimd(name, leftOperations[name] ?? slowOperations[name]));

export class Slices {
  /** The run loop has to look before generated code goes on. */
  attention = false;
  /** The breakpoint at RIP was stopped at already. */
  skipBreakpoint = false;
  /** The debugger's breakpoints, linear addresses. */
  breakpoints: ReadonlySet<bigint> = new Set();
  /** The instruction that TypeScript performs has become a VM entry or a VM exit. */
  inNewWorld = false;
  /** Generated code comes back at least so often. */
  readonly longest: number;
  private readonly state: CpuState;
  private readonly views: MemoryViews;
  /** Clock at the end of the slice that generated code is in: its clock is this less the budget left. */
  private sliceEnd = 0;
  /** Budget that generated code left over, slices cut short by devices included. */
  private unused = 0;
  /** TypeScript's instruction went on to the next one. */
  private wentOn = false;
  /** Clock at the last sample for the translator. */
  private sampled = 0;

  constructor(
    private readonly cpu: Cpu,
    private readonly interpreter: Interpreter,
    private readonly cache: CodeCache,
    private readonly fetch: CodeFetch,
    private readonly debug: DebugUnit,
    private readonly translator: Translator | undefined,
  ) {
    this.state = cpu.state;
    this.views = cpu.views;
    this.longest = (translator?.policy ?? translatorPolicy).slice;
  }

  /** Takes back what ended with an instruction that has retired since: RF, and blocking by an STI of generated code. */
  settle(): void {
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
      if (thrown !== this.cpu.fault) throw thrown;
      try {
        return deliverFault(this.cpu, this.cpu.fault);
      } catch (next) {
        thrown = next;
      }
    }
  }

  /**
   * Runs at most `budget` instructions, to the first thing that needs the run loop. Returns true at a breakpoint.
   */
  run(budget: number): boolean {
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
          if (this.translator && s.icount - this.sampled >= this.longest / SAMPLED_PART) this.sample(this.translator);
          break;
        case Exit.STALE:
          this.leaveAtRecord();
          break;
        case Exit.FAULT:
          this.leaveAtRecord();
          stackFaultByBase(this.cpu, this.cache);
          this.deliver();
          return false;
        case Exit.DIVIDE:
          this.leaveAtRecord();
          this.cpu.fault.exception(Vector.DE);
          this.deliver();
          return false;
        case Exit.LOOKUP:
          if (isOutside(this.cpu, this.cpu.codeSize === 64) && this.branchFault(branchAtRecord(this.cpu, this.cache))) return false;
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

  /** The near branch at RECORD went where no code may be: it faults itself, and RIP is its own. Returns whether it was one. */
  private branchFault(insn: Instruction | undefined): boolean {
    if (!insn || !undoBranch(this.cpu, insn)) return false;
    this.state.icount -= 1;
    this.leaveAtRecord();
    this.cpu.fault.exception(Vector.GP, 0);
    this.deliver();
    return true;
  }

  /** Delivers the #DB of an instruction breakpoint in DR0 to DR3 at RIP. Returns whether there is one. */
  private instructionBreakpoint(): boolean {
    if (this.debug.armed.execution.size === 0 || !this.debug.atInstruction(this.fetch.linearRip())) return false;
    this.skipBreakpoint = false;
    this.cpu.instructionRip = this.state.rip;
    this.deliver();
    return true;
  }

  /** Tells the translator where the processor is; time that it was halted does not count. */
  private sample(translator: Translator): void {
    const now = this.state.icount;
    translator.sample(this.state, Math.max(0, Math.min(now - this.sampled, this.longest)));
    this.sampled = now;
  }

  /** The record behind a TypeScript instruction that went on to the next one, or 0 when it has to be looked up. */
  private following(record: number): number {
    const { u16 } = this.views;
    if (!this.wentOn || u16[(record + Field.HANDLER) >>> 1] !== Special.SLOW) return 0;
    return record + RECORD_SIZE;
  }
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
    const high = this.cpu.codeSize === 64 ? u32[base + (Offset.RIP_BASE >>> 2) + 1]! + (sum > MAXIMUM_32 ? 1 : 0) : 0;
    u32[base + (Offset.INSTRUCTION_RIP >>> 2)] = u32[base + (Offset.RIP >>> 2)] = sum;
    u32[base + (Offset.INSTRUCTION_RIP >>> 2) + 1] = u32[base + (Offset.RIP >>> 2) + 1] = high;
  }

  maskRip(rip: bigint): bigint {
    return this.cpu.codeSize === 64 ? BigInt.asUintN(64, rip) : rip & MASK32;
  }

  /** An instruction of TypeScript's: counted by generated code, taken back when it faults. Returns false when the run loop must look. */
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
    u32[rip + 1] = this.cpu.codeSize === 64 ? startHigh + (sum > MAXIMUM_32 ? 1 : 0) : 0;
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
        this.cpu.onUnimplemented(mnemonics[insn.op]!, this.cpu.instructionRip);
        throw this.cpu.fault.exception(Vector.UD);
      }
      if (operation(this.cpu, insn) === true) {
        this.replaced(insn);
        return this.goesOn();
      }
    } catch (thrown) {
      if (thrown === STATE_REPLACED) {
        this.replaced(insn);
        this.attention = true;
        return false;
      }
      if (thrown !== this.cpu.fault) throw thrown;
      this.deliver();
      return false;
    }
    // A long REP stops early with RIP still on the instruction: it has not retired then.
    this.wentOn = u32[rip] === nextLow && u32[rip + 1] === nextHigh;
    const stayed = u32[rip] === startLow && u32[rip + 1] === startHigh;
    this.cpu.onOperation?.(insn);
    if (!stayed || this.cpu.stepping || !this.repeats(insn)) s.icount += 1;
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
    this.cpu.onOperation?.(insn);
    this.cpu.watches.forgetInstruction();
    this.debug.resumeSet();
  }

  /**
   * After a VM entry or VM exit in an instruction's place: whether the slice may go on, as the run loop would find nothing
   * to do. What the run loop looks at is looked at here; what it prepares for generated code must be so already. An interrupt
   * that waits has been seen by the loop, as it asks for attention when it comes.
   */
  private goesOn(): boolean {
    this.wentOn = false;
    const s = this.state;
    const { watches } = this.cpu;
    if (this.attention || this.cpu.stepping || this.cpu.onOperation || watches.hit || watches.registerHits !== 0) return this.looks();
    const events = s.get32(Offset.SIGNALS) | s.get32(Offset.PENDING_DEBUG) | s.get32(Offset.NMI_PENDING) | s.get32(Offset.ACTIVITY);
    const flags = s.get32(Offset.FLAGS);
    if (events !== 0 || flags & (TF | RF) || s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_STI_MOVSS || s.high(Offset.STI_CLOCK) !== NO_CLOCK) return this.looks();
    const waits = s.get32(Offset.AWAITED) !== 0;
    if ((waits && (flags & IF) !== 0) || (this.cpu.intercepts.nonRoot && this.cpu.intercepts.quiet?.(waits) !== true)) return this.looks();
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
    this.state.rip = this.cpu.instructionRip;
    this.cpu.watches.forgetInstruction();
    this.recover(this.cpu.fault);
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
        this.cpu.instructionRip = this.state.rip;
        this.deliver();
        return 0;
      case Fetched.UNCACHED:
        this.performUncached();
        return 0;
      default:
        return found; // 0 when everything was dropped for want of room: the caller looks again
    }
  }

  /** The instruction at RIP runs over the end of its page. Returns false when the run loop must look. */
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
    this.cpu.instructionRip = s.rip;
    const single = this.fetch.single();
    if (single === Fetched.FAULT) return this.deliver();
    switch (this.enter(single.at, 1)) {
      case Exit.BUDGET:
      case Exit.CROSS:
        this.leaveAtRecord();
        break;
      case Exit.LOOKUP:
        if (isOutside(this.cpu, this.cpu.codeSize === 64)) this.branchFault(single.insn);
        break;
      case Exit.SLOW:
        this.leaveAtRecord();
        this.performInstruction(single.insn);
        break;
      case Exit.DIVIDE:
        this.cpu.fault.exception(Vector.DE);
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
