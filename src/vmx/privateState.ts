/**
 * What VMX keeps beside the VMCS, in the processor's state so that a snapshot has it: offsets from the processor's block,
 * all inside Offset.VMX_PRIVATE.
 */
import { Offset } from '../cpu/state';

const at = (offset: number): number => Offset.VMX_PRIVATE + offset;

export const Private = {
  /** f64 each: VM exits and VM entries since power-on. */
  EXITS: at(0x00),
  ENTRIES: at(0x08),
  /** f64. Clock at which the preemption timer expires; 0 when it is not active. */
  TIMER_DEADLINE: at(0x10),
  /** f64. Clock at the last VM entry, Infinity if it was to an inactive state: the monitor trap flag exits once the clock has moved. */
  ENTRY_CLOCK: at(0x18),
  /** u32. Launch state of the current VMCS: 0 clear, 1 launched. */
  LAUNCHED: at(0x20),
  /** u32 each. The event that is being delivered, in the format of the IDT-vectoring fields; bit 31 valid. */
  DELIVERING: at(0x24),
  DELIVERING_ERROR: at(0x28),
  DELIVERING_LENGTH: at(0x2c),
  /** u32. What is due at the next boundary: bits of Pending. */
  TRAP_PENDING: at(0x30),
  /** u32. Real NMIs are blocked while the guest's interruptibility state is about virtual ones. */
  PHYSICAL_NMI_BLOCKED: at(0x34),
  /** The last exit, for its record: see record.ts. u32 reason, u32 instruction length. */
  EXIT_REASON: at(0x38),
  EXIT_LENGTH: at(0x3c),
  /** u64 each. */
  EXIT_QUALIFICATION: at(0x40),
  EXIT_RIP: at(0x48),
  EXIT_LINEAR: at(0x50),
  EXIT_GPA: at(0x58),
  /** u32 each. */
  EXIT_INTERRUPTION: at(0x60),
  EXIT_ERROR_CODE: at(0x64),
  EXIT_VECTORING: at(0x68),
  EXIT_INSTRUCTION_INFO: at(0x6c),
  /** f64. */
  EXIT_CLOCK: at(0x70),
  /** 16 x u64: the guest's general-purpose registers at the exit, RSP included. */
  EXIT_GPR: at(0x80),
  /** f64 each: clock of the first PAUSE of a loop, and of the last PAUSE at CPL 0. */
  PAUSE_FIRST: at(0x100),
  PAUSE_LAST: at(0x108),
  /** u32. With Pending.APIC_EXIT: the exit reason in bits 7:0, the exit qualification above. */
  APIC_EXIT: at(0x110),
  /** u32. With Pending.APIC_WRITE: the offset on the virtual-APIC page in bits 11:0, the size above. */
  APIC_WRITE: at(0x114),
  /** f64. Clock at which an IRET that has not retired ended blocking by NMI; -1 when none did. */
  IRET_UNBLOCKED: at(0x118),
  /** u32. The general-purpose registers that were not as at the exit before, one bit each by number. */
  EXIT_CHANGES: at(0x120),
  /** u32. The general-purpose registers that were not at the last entry as at the exit before it, one bit each by number. */
  ENTRY_CHANGES: at(0x124),
  /** u32. Number of the copy of the VMCS's fields: see checkMemo.ts. */
  HELD: at(0x140),
} as const;

/** Bits of Private.TRAP_PENDING. All end with a VM exit. */
export const Pending = {
  /** A monitor-trap-flag exit. */
  TRAP: 1,
  /** A trap-like exit of APIC virtualization. */
  APIC_EXIT: 2,
  /** A write to the APIC-access page was virtualized; its emulation follows the instruction. */
  APIC_WRITE: 4,
  /** A virtual interrupt is recognized and waits until it can be delivered. */
  VIRTUAL_INTERRUPT: 8,
} as const;

/** Values of Offset.VMX_MODE. */
export const VmxMode = { OFF: 0, ROOT: 1, NON_ROOT: 2 } as const;
