/**
 * The processor as its own parts, `vmx/` and `machine/` see it. Each part of the architecture is a file with functions
 * that take a Processor; this file only ties them together.
 */
import type { CoprocessorPins, DeviceMsrs, InterruptController, PhysicalBus } from './bus';
import type { Instruction } from './decode/instruction';
import type { Fault } from './fault';
import type { Intercepts, SecondLevel } from './intercepts';
import type { CodePages } from './mmu/codePages';
import type { DevicePages } from './mmu/devicePages';
import type { Watch, Watches, WatchHit } from './mmu/watch';
import type { CpuState, MemoryViews } from './state';

export type { Watch, WatchHit } from './mmu/watch';

/** Why generated code and the run loop came back. */
export type StopReason =
  /** The budget is used up. */
  | 'budget'
  /** HLT (or another inactive state) with no event to end it. */
  | 'halt'
  /** A breakpoint at the present RIP, which was not executed. */
  | 'breakpoint'
  /** An instruction has accessed watched memory and retired (or a repeated string instruction has done one iteration, or an event was delivered through it): see `watchHits`. */
  | 'watch'
  /** Somebody asked through `requestStop` (a device, a VM-exit hook). */
  | 'request'
  /** Triple fault outside VMX non-root operation, or a VMX abort. */
  | 'shutdown';

export interface Processor {
  readonly state: CpuState;
  readonly views: MemoryViews;
  readonly index: number;
  /** Processors of the machine; 1 unless said. */
  readonly processors?: number;
  readonly bus: PhysicalBus;
  readonly interrupts: InterruptController;
  readonly deviceMsrs: DeviceMsrs;
  readonly features: Features;
  /** Pages with decoded instructions or paging structures: memory accesses ask and tell it. */
  readonly codePages: CodePages;
  /** Page walks tell `codePages` which pages they use. */
  tracksTables: boolean;
  intercepts: Intercepts;
  secondLevel: SecondLevel;
  /** The one fault object: `throw cpu.fault.exception(Vector.GP, 0)`. */
  readonly fault: Fault;

  /** Told of PAUSE while other processors could run instead. */
  onPause?: (() => void) | undefined;

  /** MONITOR: watches the line of memory at a host-physical address for writes. */
  armMonitor?(address: number): void;
  /** MWAIT: waits for such a write or an event, if the line is armed; `breaks`: also for an interrupt that RFLAGS.IF masks. */
  waitMonitored?(breaks: boolean): void;

  /** Where x87 exceptions go while CR0.NE is clear. Without, the processor waits for an interrupt that nobody sends. */
  coprocessor?: CoprocessorPins | undefined;

  /** RIP of the instruction that is executing (state.rip is already the next one's). */
  instructionRip: bigint;

  /**
   * Told of each instruction that TypeScript performs, when it has retired or become a VM exit (not when it faults): the
   * debugger has it only while it watches system registers.
   */
  onOperation?: ((insn: Instruction) => void) | undefined;

  /** Whether a trap follows every instruction (RFLAGS.TF, VMX's monitor trap flag): a repeated string instruction then stops, and counts, after each iteration. */
  readonly stepping: boolean;
  /** SYSCALL, SYSRET, INT n: whether a single-step trap follows the instruction, whatever RFLAGS.TF was before it. */
  decideSingleStep(trap: boolean): void;
  /** Whether an access to ports meets an I/O breakpoint of DR0 to DR3: repeated ones are then made singly. */
  breaksOnPort(port: number, size: number): boolean;
  /** Ports were accessed: I/O breakpoints become traps after the instruction. */
  portAccessed(port: number, size: number): void;

  /** Runs at most `budget` ticks. The clock, `state.icount`, says exactly how many were used. */
  run(budget: number): StopReason;
  /** Makes `run` return 'request' after the instruction that is executing. */
  requestStop(): void;
  /** Makes the run loop look at interrupts and deadlines again after the instruction that is executing (a device changed its line). */
  requestAttention(): void;

  /** Drops cached translations of the current or of all banks. Code mode or paging changed. */
  flushTlb(): void;
  /** Drops the cached translations of VMX non-root operation alone, or of all other operation. */
  flushOperation(nonRoot: boolean): void;
  /**
   * MOV to CR3: from one process-context identifier to another (0 without CR4.PCIDE). What is global stays; what is not of
   * the new one stays if `keep` says so. The paging mode is the same.
   */
  switchContext(from: number, to: number, keep: boolean): void;
  /** Drops what is not global of one identifier that is not in use, or of all (INVPCID). */
  dropContext(identifier: number | undefined): void;
  /** The translation in `found` (mmu/walk.ts) of a linear page was entered into the bank in use; `index` is its entry's, in 32-bit words. */
  translationKept(index: number, low: number, high: number): void;
  /** Drops the cached translations of one linear page (INVLPG). */
  flushPage(linear: bigint): void;
  /** Recomputes all that is derived: code mode, CS_BASE, SP_MASK, FLAT, TLB bank. Call after segments, CPL, CR0, CR4, EFER or VMX mode changed. */
  stateChanged(): void;
  /** The same for a VM entry or VM exit: the run loop decides by itself whether anything is due then. */
  worldChanged(): void;

  /** 64-bit code goes on at another privilege level, 0 or 3, with CS and SS loaded: what `stateChanged` has prepared applies. Only where Offset.PRIVILEGES has a bank for it. */
  changePrivilege?(level: 0 | 3): void;
  /** What page walks found of device registers. */
  readonly devicePages?: DevicePages;

  /** Linear memory with paging and the present privilege (or the supervisor's for descriptor tables). Throw the fault. Sizes 1, 2, 4, 8. */
  readLinear(linear: bigint, size: number, supervisor?: boolean): bigint;
  writeLinear(linear: bigint, size: number, value: bigint, supervisor?: boolean): void;
  /** Host-physical memory, little endian, any alignment. */
  readPhysical(address: number, size: number): bigint;
  writePhysical(address: number, size: number, value: bigint): void;
  /**
   * Translates for inspection: no fault, no accessed or dirty bits, no EPT violation. -1 when nothing is mapped.
   * Yields the host-physical address.
   */
  peekTranslate(linear: bigint): number;

  /** Bytes of memory were written behind the processor's back (device, debugger): drop decoded instructions of the page. */
  memoryChanged(page: number): void;

  /** Breakpoints by linear address, whatever the world; `run` stops before the instruction. */
  setBreakpoints(linear: ReadonlySet<bigint>): void;
  /**
   * Watches memory for the debugger; replaces the watches set before. `run` returns 'watch' right after an instruction
   * that accessed a watched range: it has retired, `state.icount` counts it, RIP is the next one's, and no interrupt has
   * come in between. The interrupted access of an instruction that faults or exits does not count. A repeated string
   * instruction stops after the iteration, with RIP still on it and uncounted until its last. Costs nothing while the list is empty; accesses to other bytes of a
   * watched page take the slow path. Not seen: the page walk's own accesses and VMX's to its structures.
   */
  setWatches(watches: readonly Watch[]): void;
  /** What was accessed when `run` last returned 'watch': at most one hit per watch and direction, in order. */
  readonly watchHits: readonly WatchHit[];
  /** A device wrote host-physical memory while the machine runs (DMA, firmware): watches of it are hit. */
  deviceWrote(address: number, length: number): void;
  /** What is watched, for the memory accesses. */
  readonly watches: Watches;
  /** The next `run` executes the instruction at RIP even if it has a breakpoint. */
  skipBreakpointOnce(): void;
}

/**
 * Performs one instruction in TypeScript. RIP is already that of the next instruction; throws the fault. Returns true when a
 * VM exit has replaced the state instead.
 */
export type SlowOperation = (cpu: Processor, insn: Instruction) => boolean | void;

/** What CPUID announces and what therefore works; names as in `machine.cpu.without`. */
export interface Features {
  has(name: string): boolean;
}
