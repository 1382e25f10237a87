/**
 * Decoded instructions as the interpreter reads them: fixed-size records in linear memory, one after another along a
 * straight line of code. Nothing in a record depends on where its page is mapped or which processor runs it: registers
 * are offsets into the processor's state, addresses are relative to the page (Offset.RIP_BASE).
 */

export const RECORD_SIZE = 64;

/** Byte offsets in a record. */
export const Field = {
  /** u32: the case of the interpreter's br_table. */
  HANDLER: 0,
  /** u32: the handler that a breakpoint or ENTER replaced. */
  ORIGINAL: 4,
  /** u16: the instruction's offset in its page; u16: the next one's (may be beyond the page). */
  OFFSET: 8,
  NEXT: 10,
  /** u16 each: state offsets of register operands 0, 1 and 2. */
  REGISTER: 12,
  /** u16 each: state offsets of base and index; u8: scale; u8: address size. */
  BASE: 18,
  INDEX: 20,
  SCALE: 22,
  ADDRESS_SIZE: 23,
  /** i64. */
  DISPLACEMENT: 24,
  /** i64: the immediate, or the branch target relative to the page's first byte. */
  IMMEDIATE: 32,
  /** u32: record of the branch target when it is in the same page and decoded, else 0. For CROSS: slots of the second page. */
  LINK: 40,
  /** u32: index of the Instruction for its TypeScript operation. */
  INSTRUCTION: 44,
  /** u16: state offset of the segment cache; u16: access flags, for address records. */
  SEGMENT: 48,
  ACCESS: 50,
  /** u16: bits of simd/levels.ts of which one suffices to leave, for LOAD records. */
  SIMD: 52,
  /** u16: number of the block to enter; u32: table index of the region's function. For ENTER. */
  ENTRY: 54,
  REGION: 56,
} as const;

/** Handlers that are not instructions. Numbers are fixed; instructions come after them. */
export const Special = {
  /** A breakpoint: leave before the instruction. */
  BREAK: 0,
  /** The record's bytes were overwritten: leave and look up again. */
  STALE: 1,
  /** Go on at LINK; not an instruction. */
  GLUE: 2,
  /** Go on at OFFSET by look-up (end of page or of a long run); not an instruction. */
  CONTINUE: 3,
  /** An instruction that crosses into the next page follows, if that page is still the one that LINK names. */
  CROSS: 4,
  /** Computes the linear address of the instruction record that follows: 64-bit code with FS, GS or 32-bit addresses. */
  ADDRESS_LONG: 5,
  /** The same for 16- and 32-bit code, with segment checks. */
  ADDRESS_LEGACY: 6,
  /** An instruction that TypeScript performs. */
  SLOW: 7,
  /** Loads the memory operand of the SIMD instruction record that follows into Offset.SIMD_OPERAND: 1, 2, 4, 8 or 16 (aligned) bytes. */
  LOAD_1: 8,
  LOAD_2: 9,
  LOAD_4: 10,
  LOAD_8: 11,
  LOAD_16: 12,
  /** A translated region has a block that begins with this instruction: the region runs instead. */
  ENTER: 13,
  COUNT: 14,
} as const;

/** What the interpreter returns. */
export const Exit = {
  /** The budget is used up; RECORD is the next instruction. */
  BUDGET: 1,
  /** The instruction at RECORD faulted; the Fault is filled. */
  FAULT: 2,
  /** RIP (in the state) has no record yet. The instruction that went there has retired. */
  LOOKUP: 3,
  /** The instruction at RECORD is TypeScript's; counted already. */
  SLOW: 4,
  BREAK: 5,
  STALE: 6,
  CROSS: 7,
  /** The instruction at RECORD raises #DE. */
  DIVIDE: 8,
} as const;

/** What a region's function returns. Registers, flags, budget are in the state. */
export const Left = {
  /** Go on at RECORD. */
  AT_RECORD: 0,
  /** Go on at RIP, which is in the state, by look-up; RECORD is the branch that went there. */
  AT_RIP: 1,
} as const;
