/**
 * The instruction decoder: bytes to an Instruction record, by tables, without allocating.
 * SDM volume 2, "Instruction Format"; the opcodes stand in opcodes*.ts.
 */
import { Dimension, FormFlag, VEX_MAP_BASE } from './compile';
import { Instruction, Kind, NO_REGISTER, OTHER_SIZE, Prefix, RIP_REGISTER, type CodeSize, type Operand } from './instruction';
import { INVALID_OP, TABLES, TOO_LONG_OP } from './mnemonics';
import { Method, SIZE_CONTEXTS, SIZES } from './notation';
import { Gpr, Seg } from '../state';

export { mnemonicId, mnemonics } from './mnemonics';

/** The processor refuses longer instructions with #GP. SDM volume 3, "Interrupt and Exception Handling", "General Protection Exception". */
export const MAX_LENGTH = 15;

/**
 * Names of this module for imported tables: an imported name is a property of another module's object for some loaders, which made this
 * decoder six times slower.
 */
const M = Method;
const K = Kind;
const P = Prefix;
const F = FormFlag;
const D = Dimension;
const S = Seg;
const R = Gpr;
const NONE = NO_REGISTER;
const RIP = RIP_REGISTER;
const OTHER = OTHER_SIZE;
const VEX_BASE = VEX_MAP_BASE;
const OPERAND_SIZES = SIZES;
const CONTEXTS = SIZE_CONTEXTS;

const INVALID = INVALID_OP;
const TOO_LONG = TOO_LONG_OP;
/** By opcode, map times 256 plus byte: whether a ModRM byte follows. */
export const HAS_MODRM_BYTE = TABLES.modrm;
const { roots: ROOTS, modrm: HAS_MODRM, nodes: NODES, formOp: FORM_OP, formFlags: FORM_FLAGS, formCount: FORM_COUNT, formOperands: FORM_OPERANDS } = TABLES;

/** What a byte is as a prefix: 0 none; low three bits as below. Segment overrides hold the segment in bits 6:4. */
export const NOT_PREFIX = 0;
const IS_SEGMENT = 1;
const IS_OPERAND_SIZE = 2;
export const IS_ADDRESS_SIZE = 3;
const IS_LOCK = 4;
const IS_REPNE = 5;
const IS_REP = 6;
export const IS_REX = 7;
export const PREFIX_CLASS = new Uint8Array(256);
PREFIX_CLASS[0x26] = IS_SEGMENT | (S.ES << 4);
PREFIX_CLASS[0x2e] = IS_SEGMENT | (S.CS << 4);
PREFIX_CLASS[0x36] = IS_SEGMENT | (S.SS << 4);
PREFIX_CLASS[0x3e] = IS_SEGMENT | (S.DS << 4);
PREFIX_CLASS[0x64] = IS_SEGMENT | (S.FS << 4);
PREFIX_CLASS[0x65] = IS_SEGMENT | (S.GS << 4);
PREFIX_CLASS[0x66] = IS_OPERAND_SIZE;
PREFIX_CLASS[0x67] = IS_ADDRESS_SIZE;
PREFIX_CLASS[0xf0] = IS_LOCK;
PREFIX_CLASS[0xf2] = IS_REPNE;
PREFIX_CLASS[0xf3] = IS_REP;
PREFIX_CLASS.fill(IS_REX, 0x40, 0x50); // in 64-bit code only

/** 16-bit addressing forms: base and index by ModRM.r/m. SDM volume 2, "16-Bit Addressing Forms with the ModR/M Byte". */
const BASE16 = Uint8Array.of(R.RBX, R.RBX, R.RBP, R.RBP, R.RSI, R.RDI, R.RBP, R.RBX);
const INDEX16 = Uint8Array.of(R.RSI, R.RDI, R.RSI, R.RDI, NONE, NONE, NONE, NONE);

/** Control registers that exist: CR0, CR2, CR3, CR4, CR8. */
const CONTROL_REGISTERS = 0b1_0001_1101;

/**
 * The bytes being decoded. Which byte is read depends only on the bytes before it, so what stands behind the readable ones never
 * decides anything: reading it merely makes the length exceed what is available. The room covers the longest prefix run and tail.
 */
const code = new Uint8Array(48);

/** Where the bytes of the instruction end so far; an index into `code`. */
let cursor = 0;

const s8 = (at: number): number => (code[at]! << 24) >> 24;
const u16 = (at: number): number => code[at]! | (code[at + 1]! << 8);
const i32 = (at: number): number => code[at]! | (code[at + 1]! << 8) | (code[at + 2]! << 16) | (code[at + 3]! << 24);

/** Ends a decode: judges the length against what could be read and what is allowed. */
function finish(out: Instruction, op: number, available: number): number {
  if (cursor > available) return 0;
  out.op = op;
  if (op === INVALID) out.operandCount = 0;
  out.length = cursor;
  return cursor;
}

/** Ends the decode of an instruction of more than 15 bytes: more bytes are wanted while fewer than 15 could be read. */
function tooLong(out: Instruction, available: number): number {
  if (available < MAX_LENGTH) return 0;
  out.op = TOO_LONG;
  out.operandCount = 0;
  out.length = MAX_LENGTH;
  return MAX_LENGTH;
}

/** Reads SIB and displacement for ModRM.mod 0 to 2, and sets the address fields but the segment override. */
function decodeMemory(out: Instruction, modrm: number, rexX: number, rexB: number, vsib: boolean): void {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  let dispSize: number;
  if (out.addressSize === 2) {
    dispSize = mod === 1 ? 1 : mod === 2 ? 2 : 0;
    if (mod === 0 && rm === 6) dispSize = 2;
    else {
      out.base = BASE16[rm]!;
      out.index = INDEX16[rm]!;
      if (out.base === R.RBP) out.segment = S.SS;
    }
  } else {
    dispSize = mod === 1 ? 1 : mod === 2 ? 4 : 0;
    let base = rm;
    if (rm === 4) {
      const sib = code[cursor++]!;
      base = sib & 7;
      const index = ((sib >> 3) & 7) | rexX;
      if (index !== 4 || vsib) {
        out.index = index;
        out.scale = sib >> 6;
      }
      if (mod === 0 && base === 5) dispSize = 4; // no base, whatever REX.B says
      else out.base = base | rexB;
    } else if (mod === 0 && rm === 5) {
      dispSize = 4;
      if (out.codeSize === 64) out.base = RIP;
    } else out.base = rm | rexB;
    if (out.base === R.RSP || out.base === R.RBP) out.segment = S.SS;
  }
  if (dispSize === 1) out.dispLow = s8(cursor);
  else if (dispSize === 2) out.dispLow = (u16(cursor) << 16) >> 16;
  else if (dispSize === 4) out.dispLow = i32(cursor);
  out.dispHigh = out.dispLow >> 31;
  out.dispSize = dispSize;
  cursor += dispSize;
}

/** Reads a sign-extended immediate or branch displacement of 1, 2 or 4 bytes. */
function readSigned(out: Instruction, size: number): void {
  const low = size === 1 ? s8(cursor) : size === 2 ? (u16(cursor) << 16) >> 16 : i32(cursor);
  out.immLow = low;
  out.immHigh = low >> 31;
  out.immSize = -size;
  cursor += size;
}

/** A general register operand: without REX the byte registers 4 to 7 are AH, CH, DH, BH. */
function setGeneral(operand: Operand, number: number, anyRex: boolean): void {
  operand.kind = K.REG;
  const high = operand.size === 1 && number >= 4 && number < 8 && !anyRex;
  operand.high = high;
  operand.number = high ? number - 4 : number;
}

/**
 * Decodes one instruction.
 *
 * @param bytes memory; `position` is an index into it, up to 4 GiB
 * @param available bytes that may be read from there: to the end of the page; more than 15 are not looked at
 * @param codeSize the code segment's L and D bits: 16, 32 or 64
 * @param out receives the instruction; every field is set whenever the result is not 0
 * @returns the length, 1 to 15; 0 when the instruction needs more than `available` bytes (then `out` is undefined). An invalid
 *   instruction has `out.op` 0, one of more than 15 bytes the op of 'too_long'.
 */
export function decode(bytes: Uint8Array, position: number, available: number, codeSize: CodeSize, out: Instruction): number {
  const readable = available < MAX_LENGTH ? available : MAX_LENGTH;
  for (let i = 0; i < readable; i++) code[i] = bytes[position + i]!;
  const code64 = codeSize === 64;

  // Prefixes, in any order; REX counts only immediately before the opcode.
  let prefixes = 0;
  let rex = 0;
  let segmentOverride = -1;
  let at = 0;
  let byte = 0;
  for (;;) {
    if (at >= readable) return at >= MAX_LENGTH ? tooLong(out, available) : 0;
    byte = code[at++]!;
    const prefix = PREFIX_CLASS[byte]!;
    if (prefix === NOT_PREFIX) break;
    if (prefix === IS_REX) {
      if (!code64) break;
      rex = byte;
      continue;
    }
    rex = 0;
    switch (prefix & 7) {
      case IS_SEGMENT:
        // In 64-bit code ES, CS, SS and DS overrides do nothing, so they do not undo FS or GS either.
        if (!code64 || segmentOverride < S.FS || prefix >> 4 >= S.FS) segmentOverride = prefix >> 4;
        break;
      case IS_OPERAND_SIZE: prefixes |= P.OPERAND_SIZE; break; // prettier-ignore
      case IS_ADDRESS_SIZE: prefixes |= P.ADDRESS_SIZE; break; // prettier-ignore
      case IS_LOCK: prefixes |= P.LOCK; break; // prettier-ignore
      case IS_REPNE: prefixes = (prefixes & ~P.REP) | P.REPNE; break; // prettier-ignore
      case IS_REP: prefixes = (prefixes & ~P.REPNE) | P.REP; break; // prettier-ignore
    }
  }

  out.codeSize = codeSize;
  out.condition = 0;
  out.modrm = -1;
  out.segmentOverride = segmentOverride;
  out.segment = S.DS;
  out.base = NONE;
  out.index = NONE;
  out.scale = 0;
  out.dispLow = 0;
  out.dispHigh = 0;
  out.immLow = 0;
  out.immHigh = 0;
  out.dispSize = 0;
  out.immSize = 0;
  out.imm2 = 0;
  out.operandCount = 0;

  // Escape bytes or VEX select the opcode map. VEX in 16- and 32-bit code is what would be LES or LDS with a register operand.
  let map = 0;
  let vvvv = 0;
  let vectorLength = 0;
  let selector = prefixes & P.REPNE ? 3 : prefixes & P.REP ? 2 : prefixes & P.OPERAND_SIZE ? 1 : 0;
  let badVex = false;
  if (byte === 0x0f) {
    map = 1;
    byte = code[at++]!;
    if (byte === 0x38 || byte === 0x3a) {
      map = byte === 0x38 ? 2 : 3;
      byte = code[at++]!;
    }
  } else if ((byte === 0xc4 || byte === 0xc5) && (code64 || code[at]! >= 0xc0)) {
    badVex = selector !== 0 || rex !== 0 || (prefixes & (P.LOCK | P.OPERAND_SIZE)) !== 0;
    prefixes |= P.VEX;
    let last = code[at++]!;
    rex = (~last >> 5) & 4; // inverted R
    map = 1;
    if (byte === 0xc4) {
      rex |= (~last >> 5) & 3; // inverted X and B
      map = last & 31;
      last = code[at++]!;
      rex |= (last >> 4) & 8;
    }
    if (!code64) rex &= 8;
    vvvv = (~last >> 3) & 15;
    vectorLength = (last >> 2) & 1;
    selector = last & 3;
    byte = code[at++]!;
    if (map < 1 || map > 3) {
      badVex = true;
      map = 1;
    }
    map += VEX_BASE;
  }
  const anyRex = (prefixes & P.VEX) !== 0 || rex !== 0;
  const rexW = code64 ? (rex >> 3) & 1 : 0;
  const rexB = (rex << 3) & 8;
  const rexR = (rex << 1) & 8;
  if (rex !== 0 && (prefixes & P.VEX) === 0) prefixes |= P.REX;
  if (rex & 8) prefixes |= P.REX_W;

  // ModRM, then the form among those that the opcode has.
  const opcode = (map << 8) | byte;
  out.opcode = ((map > VEX_BASE ? map - VEX_BASE : map) << 8) | byte;
  let modrm = 0;
  if (HAS_MODRM[opcode] === 1) {
    modrm = code[at++]!;
    out.modrm = modrm;
  }
  let form = ROOTS[opcode]!;
  while (form < 0) {
    const node = -form;
    let value = 0;
    switch (NODES[node]) {
      case D.MODE: value = code64 ? 1 : 0; break; // prettier-ignore
      case D.PREFIX: value = selector; break; // prettier-ignore
      case D.W: value = (rex >> 3) & 1; break; // prettier-ignore
      case D.L: value = vectorLength; break; // prettier-ignore
      case D.REG: value = (modrm >> 3) & 7; break; // prettier-ignore
      case D.MOD: value = modrm >= 0xc0 ? 1 : 0; break; // prettier-ignore
      case D.RM: value = modrm & 7; break; // prettier-ignore
      case D.B: value = rex & 1; break; // prettier-ignore
    }
    form = NODES[node + 1 + value]!;
  }
  const flags = FORM_FLAGS[form]!;

  // Sizes.
  let operandSize: number;
  const by66 = (prefixes & P.OPERAND_SIZE) !== 0 && (flags & F.MANDATORY_66) === 0;
  if (code64) {
    operandSize = rexW === 1 || (flags & F.FORCE_64) !== 0 ? 8 : by66 ? 2 : (flags & F.DEFAULT_64) !== 0 ? 8 : 4;
    out.addressSize = prefixes & P.ADDRESS_SIZE ? 4 : 8;
  } else {
    operandSize = (codeSize === 32) !== by66 ? 4 : 2;
    out.addressSize = (codeSize === 32) !== ((prefixes & P.ADDRESS_SIZE) !== 0) ? 4 : 2;
  }
  out.operandSize = operandSize;
  if (flags & F.MANDATORY_REP) prefixes &= ~(P.REP | P.REPNE);
  if (flags & F.MANDATORY_66) prefixes &= ~P.OPERAND_SIZE;
  out.prefixes = prefixes;
  if (flags & F.CONDITION) out.condition = byte & 15;

  // Memory address: SIB and displacement stand before the immediates.
  cursor = at;
  const operands = out.operands;
  operands[0].kind = operands[1].kind = operands[2].kind = operands[3].kind = K.NONE;
  if (form === 0 || badVex) return cursor > MAX_LENGTH ? tooLong(out, available) : finish(out, INVALID, available);
  const isRegister = modrm >= 0xc0 || (flags & F.NO_MOD) !== 0;
  if (out.modrm >= 0 && !isRegister) decodeMemory(out, modrm, (rex << 2) & 8, rexB, (flags & F.VSIB) !== 0);
  if (segmentOverride >= 0 && (!code64 || segmentOverride >= S.FS)) out.segment = segmentOverride;

  // Operands.
  let valid = true;
  if (flags & F.VVVV) {
    if (!code64) vvvv &= 7;
  } else if (vvvv !== 0) valid = false;
  const context = (operandSize >> 2) | (rexW << 2) | (code64 ? 8 : 0) | (vectorLength << 4);
  const count = FORM_COUNT[form]!;
  const regNumber = ((modrm >> 3) & 7) | rexR;
  const rmNumber = (modrm & 7) | rexB;
  for (let n = 0; n < count; n++) {
    const spec = FORM_OPERANDS[form * 4 + n]!;
    const operand = operands[n]!;
    operand.size = OPERAND_SIZES[((spec >> 8) & 0xff) * CONTEXTS + context]!;
    operand.number = 0;
    operand.high = false;
    switch (spec & 0xff) {
      case M.E:
        if (isRegister) setGeneral(operand, rmNumber, anyRex);
        else operand.kind = K.MEM;
        break;
      case M.G: setGeneral(operand, regNumber, anyRex); break; // prettier-ignore
      case M.Z: setGeneral(operand, (byte & 7) | rexB, anyRex); break; // prettier-ignore
      case M.M: operand.kind = K.MEM; break; // prettier-ignore
      case M.VM:
        operand.kind = K.MEM;
        if ((modrm & 7) !== 4 || out.addressSize === 2) valid = false; // a vector index needs a SIB byte
        break;
      case M.R: setGeneral(operand, rmNumber, anyRex); break; // prettier-ignore
      case M.FIXED:
        operand.kind = K.REG;
        operand.number = spec >> 16;
        break;
      case M.I:
        operand.kind = K.IMM;
        out.immLow = operand.size === 1 ? code[cursor]! : u16(cursor);
        out.immSize = operand.size;
        cursor += operand.size;
        break;
      case M.IS:
        operand.kind = K.IMM;
        readSigned(out, 1);
        break;
      case M.IZ:
      case M.IV:
        operand.kind = K.IMM;
        readSigned(out, operandSize === 2 ? 2 : 4);
        if (operandSize === 8 && (spec & 0xff) === M.IV) {
          out.immSize = OTHER;
          out.immHigh = i32(cursor);
          cursor += 4;
        }
        break;
      case M.ONE:
        operand.kind = K.IMM;
        out.immLow = 1;
        break;
      case M.I2:
        operand.kind = K.IMM2;
        out.immSize = OTHER;
        out.imm2 = code[cursor++]!;
        break;
      case M.JB:
        operand.kind = K.REL;
        readSigned(out, 1);
        break;
      case M.JZ:
        operand.kind = K.REL;
        readSigned(out, operandSize === 2 ? 2 : 4);
        break;
      case M.O:
        operand.kind = K.MEM;
        out.dispSize = OTHER;
        out.dispLow = out.addressSize === 2 ? u16(cursor) : i32(cursor);
        if (out.addressSize === 8) out.dispHigh = i32(cursor + 4);
        cursor += out.addressSize;
        break;
      case M.X: operand.kind = K.SRC_STRING; break; // prettier-ignore
      case M.Y: operand.kind = K.DST_STRING; break; // prettier-ignore
      case M.A:
        operand.kind = K.FAR;
        out.immSize = OTHER;
        out.immLow = operandSize === 2 ? u16(cursor) : i32(cursor);
        cursor += operandSize;
        out.imm2 = u16(cursor);
        cursor += 2;
        break;
      case M.S:
        operand.kind = K.SREG;
        operand.number = (modrm >> 3) & 7;
        if (operand.number > S.GS || (n === 0 && operand.number === S.CS)) valid = false; // CS is never a destination of MOV
        break;
      case M.FIXED_SREG:
        operand.kind = K.SREG;
        operand.number = spec >> 16;
        break;
      case M.C:
        operand.kind = K.CREG;
        operand.number = regNumber;
        if (((CONTROL_REGISTERS >> regNumber) & 1) === 0) valid = false;
        break;
      case M.D:
        operand.kind = K.DREG;
        operand.number = regNumber;
        if (regNumber > 7) valid = false;
        break;
      case M.P:
        operand.kind = K.MM;
        operand.number = (modrm >> 3) & 7;
        break;
      case M.Q:
      case M.N:
        operand.kind = isRegister ? K.MM : K.MEM;
        if (isRegister) operand.number = modrm & 7;
        break;
      case M.V:
        operand.kind = operand.size === 32 ? K.YMM : K.XMM;
        operand.number = regNumber;
        break;
      case M.W:
      case M.U:
        operand.kind = !isRegister ? K.MEM : operand.size === 32 ? K.YMM : K.XMM;
        if (isRegister) operand.number = rmNumber;
        break;
      case M.H:
        operand.kind = operand.size === 32 ? K.YMM : K.XMM;
        operand.number = vvvv;
        break;
      case M.L:
        operand.kind = operand.size === 32 ? K.YMM : K.XMM;
        out.immSize = OTHER;
        operand.number = (code[cursor++]! >> 4) & (code64 ? 15 : 7);
        break;
      case M.B:
        setGeneral(operand, vvvv, true);
        break;
      case M.ST0: operand.kind = K.ST; break; // prettier-ignore
      case M.STI:
        operand.kind = K.ST;
        operand.number = modrm & 7;
        break;
    }
  }
  out.operandCount = count;
  if (flags & F.DISTINCT && (regNumber === vvvv || regNumber === out.index || vvvv === out.index)) valid = false;
  if (flags & F.STRING) out.operandSize = operands[0].size;
  if (prefixes & P.LOCK && ((flags & F.LOCK) === 0 || operands[0].kind !== K.MEM)) valid = false;
  if (cursor > MAX_LENGTH) return tooLong(out, available);
  return finish(out, valid ? FORM_OP[form]! : INVALID, available);
}
