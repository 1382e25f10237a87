/**
 * What the decoder yields: one instruction, every field a small number, one object reused for millions of decodes.
 * Field names follow the SDM, volume 2, "Instruction Format".
 */

/** Kinds of operand. */
export const Kind = {
  NONE: 0,
  /** A general-purpose register. `number` 0 to 15; `high` when it is AH, CH, DH or BH (number 0 to 3 then). */
  REG: 1,
  /** Memory through ModRM, or a direct offset (moffs): the address fields of the instruction. */
  MEM: 2,
  /** The immediate in `immLow`/`immHigh`, sign- or zero-extended to 64 bits as the instruction wants it. */
  IMM: 3,
  /** A branch displacement, in the immediate fields, sign-extended. */
  REL: 4,
  /** A far pointer: offset in the immediate fields, selector in `imm2`. */
  FAR: 5,
  SREG: 6,
  CREG: 7,
  DREG: 8,
  /** MMX, XMM, YMM register and x87 stack register. */
  MM: 9,
  XMM: 10,
  YMM: 11,
  ST: 12,
  /** A second immediate (ENTER's level, EXTRQ ...), in `imm2`. */
  IMM2: 13,
  /** Memory at DS:rSI (segment overridable) or ES:rDI: string instructions. */
  SRC_STRING: 14,
  DST_STRING: 15,
} as const;

export const Prefix = {
  LOCK: 1,
  REPNE: 2, // F2
  REP: 4, // F3
  OPERAND_SIZE: 8, // 66
  ADDRESS_SIZE: 16, // 67
  REX: 32,
  REX_W: 64,
  VEX: 128,
} as const;

/** Register number that means "none" for base and index, and RIP for base. */
export const NO_REGISTER = 16;
export const RIP_REGISTER = 17;

/** For `dispSize` and `immSize`: something else than their sizes. */
export const OTHER_SIZE = 16;

/** Code size of the segment that the bytes are in: the D and L bits. */
export type CodeSize = 16 | 32 | 64;

export class Operand {
  kind: number = Kind.NONE;
  /** Width in bytes: 1, 2, 4, 6, 8, 10, 16, 32; 0 where it has none (LEA, INVLPG). */
  size = 0;
  /** Register number. */
  number = 0;
  /** AH, CH, DH, BH. */
  high = false;
}

export class Instruction {
  /** Index into `mnemonics`; 0 is the invalid instruction: it raises #UD. */
  op = 0;
  /** Length in bytes, 1 to 15. */
  length = 0;
  codeSize: CodeSize = 64;
  /** Effective operand size in bytes, 2, 4 or 8, by prefixes, mode and the instruction's own rules (near branches in 64-bit code are 8). String instructions: the element's width, also 1. */
  operandSize = 4;
  /** Effective address size in bytes, 2, 4 or 8. */
  addressSize = 8;
  /**
   * Bits of Prefix. REP, REPNE and OPERAND_SIZE are absent where they are part of the opcode (mandatory prefixes); of REP and REPNE the last
   * one counts. REX_W is also VEX.W.
   */
  prefixes = 0;
  /** Opcode map (0 one-byte, 1 0F, 2 0F38, 3 0F3A) times 256 plus the last opcode byte. */
  opcode = 0;
  /** The ModRM byte, or -1. */
  modrm = -1;
  /** Condition code for Jcc, SETcc, CMOVcc: 0 to 15. */
  condition = 0;

  /**
   * Segment of the memory operand, 0 to 5, default or overridden; DS where there is none. SS by default for rBP and rSP bases, in 64-bit code
   * too (there it has no base, but a non-canonical address raises #SS); overrides other than FS and GS are ignored there. For string
   * instructions it is the source's; the destination's is always ES.
   */
  segment = 3;
  /** The prefix that overrides it, 0 to 5, or -1. */
  segmentOverride = -1;
  /** 0 to 15, NO_REGISTER, or RIP_REGISTER (then the displacement counts from the next instruction). The index of a gather is a vector register. */
  base = NO_REGISTER;
  index = NO_REGISTER;
  /** Shift: 0 to 3. */
  scale = 0;
  /** 64-bit displacement, sign-extended, as two signed 32-bit numbers (moffs may have all 64 bits; shorter ones are zero-extended). */
  dispLow = 0;
  dispHigh = 0;

  /**
   * 64-bit immediate as two signed 32-bit numbers. Sign-extended: immediates of the operand size (16, 32 or 64 bits), bytes that the
   * instruction extends to it, branch displacements. Zero-extended: bytes of byte operations, shift counts, ports, vectors and controls;
   * RET's and ENTER's words.
   */
  immLow = 0;
  immHigh = 0;
  /** Bytes of ModRM's displacement as the code has it: 0, 1, 2 or 4; `OTHER_SIZE` for an address without ModRM. */
  dispSize = 0;
  /** Bytes of the only immediate or branch displacement as the code has it: 0, 1, 2 or 4, negative when it is sign-extended; `OTHER_SIZE` where there are two, or one of 64 bits. */
  immSize = 0;
  /** Selector of a far pointer, or the second immediate. */
  imm2 = 0;

  /** Explicit operands in the Intel order: destination first. */
  readonly operands = [new Operand(), new Operand(), new Operand(), new Operand()] as const;
  operandCount = 0;
}
