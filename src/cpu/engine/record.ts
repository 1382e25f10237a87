/**
 * Decoded instructions as the interpreter reads them: fixed-size records in linear memory, one after another along a
 * straight line of code. Nothing in a record depends on where its page is mapped or which processor runs it: registers
 * are offsets into the processor's state, addresses are relative to the page (Offset.RIP_BASE).
 */

/** Two to a cache line of the host: a kernel's code is hundreds of thousands of them. */
export const RECORD_SIZE = 32;

/** Byte offsets in a record. */
export const Field = {
  /** u16: the case of the interpreter's br_table. */
  HANDLER: 0,
  /** u16: the handler that a breakpoint or ENTER replaced. */
  ORIGINAL: 2,
  /** u16: the instruction's offset in its page; u8: its length. */
  OFFSET: 4,
  LENGTH: 6,
  /** u8: scale in bits 1:0; for address records the address size in bits 7:6, as its logarithm less 1: a shift count's bits above 5 count for nothing. */
  SCALE: 7,
  /** u16 each: state offsets of register operands 0, 1 and 2. */
  REGISTER: 8,
  /** u16 each: state offsets of base and index. */
  BASE: 14,
  INDEX: 16,
  /** u16: table index of the region's function. For ENTER. */
  REGION: 18,
  /** i32, in records without a memory operand i64: the immediate, or the branch target relative to the page's first byte. */
  IMMEDIATE: 20,
  /** i32. */
  DISPLACEMENT: 24,
  /** i64: the displacement of address records. */
  LONG_DISPLACEMENT: 20,
  /** u32: record of the branch target when it is in the same page and decoded, else 0. For CROSS: slots of the second page. */
  LINK: 28,
  /** u32: index of the Instruction for its TypeScript operation. Branches have none; indices are below any record's address. */
  INSTRUCTION: 28,
  /** u16: state offset of the segment cache; u16: access flags. For address records. */
  SEGMENT: 8,
  ACCESS: 10,
  /** u16: bits of simd/levels.ts of which one suffices to leave. For LOAD records. */
  SIMD: 8,
} as const;

/** Where Field.SCALE has the address size, and what stands for 4 bytes there. */
export const ADDRESS_SIZE_SHIFT = 6;
export const ADDRESS_SIZE_4 = 1;

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
