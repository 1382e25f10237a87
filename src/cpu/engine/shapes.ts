/**
 * Which bytes and fields of an instruction belong to its shape: see recordTemplates.ts. The shape names neither the general
 * registers that ModRM, SIB and opcode name, where the records differ in their state offsets alone, nor displacement and
 * immediate.
 */
import { HAS_MODRM_BYTE, IS_ADDRESS_SIZE, IS_REX, NOT_PREFIX, PREFIX_CLASS } from '../decode/decode';

/** What a byte at the beginning of an instruction is, by its value; behind 0F, by 256 more. */
export const Lead = {
  /** A prefix other than REX, of which a shape has at most one. */
  PREFIX: 1,
  /** REX, in 64-bit code. */
  REX: 2,
  /** An opcode with a ModRM byte. */
  MODRM: 4,
  /** 0F: the next byte tells. */
  ESCAPE: 8,
  /** Shapes are not told: of three-byte opcodes, of VEX, with an address size that is not the code's own. */
  UNTOLD: 16,
  /** ModRM.reg is a general register: the second operand, or the first. */
  REG: 32,
  REG_FIRST: 64,
  /** ModRM.rm is a general register where it is no address: the operand that ModRM.reg is not, or the first. */
  RM: 128,
  /** These registers are bytes: without REX their numbers mean others. */
  REG_BYTE: 256,
  RM_BYTE: 512,
  /** The low three bits of the opcode are a general register, the first operand. */
  OPCODE_REGISTER: 1024,
} as const;

/** Names of this module, as in decode.ts. */
const [CLASS, MODRM, NONE, REX, ADDRESS_SIZE] = [PREFIX_CLASS, HAS_MODRM_BYTE, NOT_PREFIX, IS_REX, IS_ADDRESS_SIZE] as const;

const EXTENDED = 0x0f;
const TWO_BYTE = 0x100;
const isLonger = (second: number): boolean => second === 0x38 || second === 0x3a;
const isVex = (byte: number): boolean => byte === 0xc4 || byte === 0xc5;

/** What opcodes are whose operands lie in ModRM.rm and ModRM.reg, in this order. */
const WORDS = Lead.REG | Lead.RM;
const BYTES = WORDS | Lead.REG_BYTE | Lead.RM_BYTE;

const from = (first: number, last: number, step = 1): number[] => Array.from({ length: (last - first) / step + 1 }, (_, i) => first + i * step);
const behind0F = (...seconds: number[]): number[] => seconds.map((second) => TWO_BYTE + second);

/** Opcodes with general registers, by what they are besides MODRM. ADD to CMP are eight apart. */
const REGISTERS: readonly (readonly [number, readonly number[]])[] = [
  [BYTES, [...from(0x00, 0x38, 8), 0x84, 0x86, 0x88]],
  [WORDS, [...from(0x01, 0x39, 8), 0x85, 0x87, 0x89, ...behind0F(0xa3, 0xab, 0xb1, 0xb3, 0xbb, 0xc1)]],
  [BYTES | Lead.REG_FIRST, [...from(0x02, 0x3a, 8), 0x8a]],
  [WORDS | Lead.REG_FIRST, [...from(0x03, 0x3b, 8), 0x63, 0x69, 0x6b, 0x8b, ...behind0F(...from(0x40, 0x4f), 0xaf, 0xb7, 0xbc, 0xbd, 0xbf)]],
  [WORDS | Lead.REG_FIRST | Lead.RM_BYTE, behind0F(0xb6, 0xbe)],
  [Lead.REG | Lead.REG_FIRST, [0x8d]],
  [Lead.RM | Lead.RM_BYTE, [0x80, 0xc0, 0xc6, 0xd0, 0xd2, 0xf6, 0xfe, ...behind0F(...from(0x90, 0x9f))]],
  [Lead.RM, [0x81, 0x83, 0xc1, 0xc7, 0xd1, 0xd3, 0xf7, 0xff, ...behind0F(0xba)]],
  [Lead.OPCODE_REGISTER, [...from(0x50, 0x5f), ...from(0xb8, 0xbf)]],
];

/** Bits of Lead by byte, and by byte behind 0F. */
export function leads(): Uint16Array {
  const all = new Uint16Array(2 * TWO_BYTE);
  for (let i = 0; i < all.length; i++) all[i] = leadOf(i >>> 8, i & 0xff);
  for (const [registers, opcodes] of REGISTERS) for (const opcode of opcodes) all[opcode]! |= registers;
  return all;
}

function leadOf(map: number, byte: number): number {
  const modrm = MODRM[(map << 8) | byte] === 1 ? Lead.MODRM : 0;
  if (map === 1) return isLonger(byte) ? Lead.UNTOLD : modrm;
  if (byte === EXTENDED) return Lead.ESCAPE;
  if (isVex(byte)) return Lead.UNTOLD;
  switch (CLASS[byte]) {
    case NONE:
      return modrm;
    case REX:
      return Lead.REX;
    case ADDRESS_SIZE:
      return Lead.UNTOLD;
    default:
      return Lead.PREFIX;
  }
}
