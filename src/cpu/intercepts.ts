/**
 * What the processor asks of VMX. `cpu` does not know `vmx`; `vmx` implements these two interfaces.
 *
 * An intercept that causes a VM exit performs it (state saved, host state loaded). Those that return a boolean then return
 * true, and the operation has to return true at once; the others throw STATE_REPLACED, which costs microseconds and so is
 * for rare exits. Each call is made at the point that the SDM's priority rules ask for: after #UD and the privilege checks named at the call,
 * before any effect. All return at once outside VMX non-root operation.
 */
import type { Instruction } from './decode/instruction';
import type { Fault } from './fault';

/** Where an event came from, in the numbering of the VMCS's interruption-type field. */
export const EventType = { EXTERNAL: 0, NMI: 2, HARDWARE_EXCEPTION: 3, SOFTWARE_INTERRUPT: 4, PRIVILEGED_SOFTWARE: 5, SOFTWARE_EXCEPTION: 6 } as const;

export interface Intercepts {
  /** True in VMX non-root operation. */
  readonly nonRoot: boolean;
  /** True in VMX operation, root or non-root. */
  readonly inVmx: boolean;

  /** Instructions that exit unconditionally or by one control, with no qualification but their operands: CPUID, HLT, INVD, RDTSC, VMCALL ... `mnemonic` in lower case. True: a VM exit. */
  instruction(mnemonic: string, insn: Instruction): boolean;
  /** MOV from or to CR0, CR3, CR4, CR8, CLTS, LMSW. `value` is what would be written. Returns what a read yields or the value to write after masks and shadows are applied. */
  readControlRegister(cr: number, value: bigint, insn: Instruction): bigint;
  writeControlRegister(cr: number, value: bigint, insn: Instruction): bigint;
  clts(insn: Instruction): boolean;
  /** `source` is the 16-bit operand; `linear` its address when it was memory. Returns the new low four bits after masks. */
  lmsw(source: number, linear: bigint | undefined, insn: Instruction): number;
  /** SMSW and reads of CR0/CR4 below masks. */
  movDebugRegister(dr: number, write: boolean, gpr: number, insn: Instruction): void;
  /** IN, OUT, INS, OUTS: before the access, after the I/O permission checks. `linear`: the string operand's address. True: a VM exit. */
  io(port: number, size: number, input: boolean, insn: Instruction, linear: bigint | undefined): boolean;
  /** RDMSR and WRMSR. True: a VM exit. */
  rdmsr(index: number, insn: Instruction): boolean;
  wrmsr(index: number, value: bigint, insn: Instruction): boolean;
  /** RDTSC's value: offset and scaling applied. */
  timestamp(tsc: bigint): bigint;
  /** In VMX non-root operation: the bits of isa/permitted.ts for RDTSC and RDTSCP where they neither exit nor scale. Leaves what they add in Offset.GUEST_TSC_OFFSET. */
  plainTimestamps?(): number;
  /** Whether the VMM has not enabled an instruction for its guest: #UD, before any other exception of the instruction (INVPCID, RDTSCP, XSAVES, XRSTORS). */
  disabled?(mnemonic: string): boolean;
  /** INVLPG, INVPCID and descriptor-table instructions, before the address of the operand is judged: `linear` is that of INVLPG. */
  memoryOperand(mnemonic: string, linear: bigint, insn: Instruction): void;
  /** MOV to CR8 after `writeControlRegister`: true when the task priority that it writes is not the local APIC's. Throws #GP for reserved bits. */
  writeTaskPriority?(value: bigint): boolean;
  /** RDMSR and WRMSR of MSRs 0x800 to 0x8ff after `rdmsr` and `wrmsr`: x2APIC registers that VMX virtualizes; undefined and false for those of the local APIC. */
  readApicMsr?(index: number): bigint | undefined;
  writeApicMsr?(index: number, value: bigint): boolean;
  /**
   * A linear access (ACCESS_* bits, `size` bytes at `offset` in the page, `whole` unless it runs into another page) reached
   * the page of Offset.APIC_ACCESS_PAGE. Yields the host-physical page to access instead, or -1 with `fault` filled.
   */
  apicAccess?(offset: number, size: number, whole: boolean, access: number, fault: Fault): number;
  /** IRET has ended blocking by NMI; should it fault now, VMX tells so. */
  nmiUnblocked?(): void;
  /** An exception or software interrupt before its delivery. */
  event(type: number, vector: number, fault: Fault | undefined, instructionLength: number): void;
  /** An interrupt waits and the processor could take it (RFLAGS.IF is not yet considered). Returns true when it was consumed by an exit or must not be delivered. */
  externalInterrupt(): boolean;
  /** The processor is at an instruction boundary: preemption timer, interrupt and NMI windows, monitor trap flag, NMI exiting. Performs the exit and returns true, or returns false. */
  boundary(): boolean;
  /**
   * In VMX non-root operation: `boundary` would return false, `awaitsInterruptFlag` and `stepsInstructions` too, and
   * `ticksToBoundary` is Infinity; and where an interrupt may wait, `externalInterrupt` is not to be called for it.
   */
  quiet?(interruptMayWait: boolean): boolean;
  /** IRET is about to return. Whether it ends blocking by NMI. */
  iretUnblocksNmi(): boolean;
  /** Whether something besides a waiting interrupt is due as soon as RFLAGS.IF is 1: an interrupt-window exit, a virtual interrupt. Undecided means yes. */
  awaitsInterruptFlag?(): boolean;
  /** Ticks until the next boundary that VMX must see (preemption timer), or Infinity. */
  ticksToBoundary(): number;
  /** The guest is single-stepped (monitor trap flag): repeated string instructions stop after each iteration. */
  stepsInstructions?(): boolean;
  /** A task switch is due: `source` is 0 CALL, 1 IRET, 2 JMP (RIP is the next instruction's), 3 a task gate in the IDT. */
  taskSwitch(selector: number, source: number): void;
  tripleFault(): void;
  /** An INIT signal waits: 'blocked' in VMX root operation (it stays pending) and while the guest waits for a SIPI, 'exit' when it caused a VM exit, 'reset' when the processor shall do as INIT says. */
  initSignal?(): 'blocked' | 'exit' | 'reset';
  /** A start-up IPI arrived in the wait-for-SIPI state. True: a VM exit. */
  startUp?(vector: number): boolean;
  /** Faults of kind `second-level`, thrown by SecondLevel.translate. Performs the exit and returns. */
  secondLevelFault(fault: Fault): void;
  /** An event is being delivered (IDT vectoring): told at the start with its type, vector and error code, and with undefined at the end. */
  delivering(event: { type: number; vector: number; errorCode: number | undefined; length: number } | undefined): void;

  /** VMXON, VMXOFF, VMCLEAR, VMPTRLD, VMPTRST, VMREAD, VMWRITE, VMLAUNCH, VMRESUME, VMCALL, VMFUNC, INVEPT, INVVPID. RIP is already that of the next instruction. True: a VM exit. */
  execute(mnemonic: string, insn: Instruction): boolean;
  /** Reads or writes an MSR of VMX's (0x480 to 0x493, 0x3A lock rules); undefined or false when it is not one of them. */
  readMsr(index: number): bigint | undefined;
  /** Whether CR0 or CR4 may take a value in VMX operation (fixed bits). */
  controlRegisterAllowed(cr: 0 | 4, value: bigint): boolean;
}

/** Rights that an access needs; also the EPT-violation qualification's low bits. */
export const ACCESS_READ = 1;
export const ACCESS_WRITE = 2;
export const ACCESS_FETCH = 4;

/** What the guest's own paging says of the page that is accessed: the linear address is user-mode, may be written by somebody, may not be executed. Also bits 11:9 of an EPT violation's qualification. */
export const PAGE_USER = 1;
export const PAGE_WRITABLE = 2;
export const PAGE_EXECUTE_DISABLE = 4;

/** EPT, as the page walker sees it. */
export interface SecondLevel {
  /** True when EPT translates at present. */
  readonly active: boolean;
  /**
   * Translates a guest-physical page for an access. Returns the host-physical page number, or -1 with `fault` filled
   * but for its linear address, which the caller knows. `rights` of the translation (ACCESS_* that a cached entry may have, dirty rules applied) are left in `this.rights`;
   * `offset` is that of the access in its page, `linearValid` says that there is a linear address, `walk` that the access is to a paging structure of the guest; `guestPage` has PAGE_* bits for what is no walk.
   */
  translate(gpaPage: number, access: number, offset: number, linearValid: boolean, walk: boolean, fault: Fault, guestPage?: number): number;
  readonly rights: number;
  /** The same for inspection: no fault, no exit, no accessed or dirty bit. Host-physical page number, or -1 when nothing is mapped. */
  peek(gpaPage: number): number;
}
