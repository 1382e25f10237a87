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

/** Opcodes with general registers, from the first to the last of each row: what they are besides MODRM. */
const WORDS_TO_RM = Lead.REG | Lead.RM;
const BYTES_TO_RM = WORDS_TO_RM | Lead.REG_BYTE | Lead.RM_BYTE;
const REGISTERS: readonly (readonly [number, number, number])[] = [
  ...Array.from({ length: 8 }, (_, i) => [[i * 8, i * 8, BYTES_TO_RM], [i * 8 + 1, i * 8 + 1, WORDS_TO_RM], [i * 8 + 2, i * 8 + 2, BYTES_TO_RM | Lead.REG_FIRST], [i * 8 + 3, i * 8 + 3, WORDS_TO_RM | Lead.REG_FIRST]] as const).flat(), // ADD to CMP
  [0x50, 0x5f, Lead.OPCODE_REGISTER], // PUSH, POP
  [0x63, 0x63, WORDS_TO_RM | Lead.REG_FIRST], // MOVSXD, in 64-bit code
  [0x69, 0x69, WORDS_TO_RM | Lead.REG_FIRST], // IMUL
  [0x6b, 0x6b, WORDS_TO_RM | Lead.REG_FIRST],
  [0x80, 0x80, Lead.RM | Lead.RM_BYTE],
  [0x81, 0x81, Lead.RM],
  [0x83, 0x83, Lead.RM],
  [0x84, 0x84, BYTES_TO_RM], // TEST, XCHG, MOV
  [0x85, 0x85, WORDS_TO_RM],
  [0x86, 0x86, BYTES_TO_RM],
  [0x87, 0x87, WORDS_TO_RM],
  [0x88, 0x88, BYTES_TO_RM],
  [0x89, 0x89, WORDS_TO_RM],
  [0x8a, 0x8a, BYTES_TO_RM | Lead.REG_FIRST],
  [0x8b, 0x8b, WORDS_TO_RM | Lead.REG_FIRST],
  [0x8d, 0x8d, Lead.REG | Lead.REG_FIRST], // LEA
  [0xb8, 0xbf, Lead.OPCODE_REGISTER], // MOV of an immediate
  [0xc0, 0xc0, Lead.RM | Lead.RM_BYTE],
  [0xc1, 0xc1, Lead.RM],
  [0xc6, 0xc6, Lead.RM | Lead.RM_BYTE],
  [0xc7, 0xc7, Lead.RM],
  [0xd0, 0xd0, Lead.RM | Lead.RM_BYTE],
  [0xd1, 0xd1, Lead.RM],
  [0xd2, 0xd2, Lead.RM | Lead.RM_BYTE],
  [0xd3, 0xd3, Lead.RM],
  [0xf6, 0xf6, Lead.RM | Lead.RM_BYTE],
  [0xf7, 0xf7, Lead.RM],
  [0xfe, 0xfe, Lead.RM | Lead.RM_BYTE],
  [0xff, 0xff, Lead.RM],
  [TWO_BYTE + 0x40, TWO_BYTE + 0x4f, WORDS_TO_RM | Lead.REG_FIRST], // CMOVcc
  [TWO_BYTE + 0x90, TWO_BYTE + 0x9f, Lead.RM | Lead.RM_BYTE], // SETcc
  [TWO_BYTE + 0xa3, TWO_BYTE + 0xa3, WORDS_TO_RM], // BT, BTS
  [TWO_BYTE + 0xab, TWO_BYTE + 0xab, WORDS_TO_RM],
  [TWO_BYTE + 0xaf, TWO_BYTE + 0xaf, WORDS_TO_RM | Lead.REG_FIRST], // IMUL
  [TWO_BYTE + 0xb1, TWO_BYTE + 0xb1, WORDS_TO_RM], // CMPXCHG
  [TWO_BYTE + 0xb3, TWO_BYTE + 0xb3, WORDS_TO_RM], // BTR
  [TWO_BYTE + 0xb6, TWO_BYTE + 0xb6, WORDS_TO_RM | Lead.REG_FIRST | Lead.RM_BYTE], // MOVZX
  [TWO_BYTE + 0xb7, TWO_BYTE + 0xb7, WORDS_TO_RM | Lead.REG_FIRST],
  [TWO_BYTE + 0xba, TWO_BYTE + 0xba, Lead.RM],
  [TWO_BYTE + 0xbb, TWO_BYTE + 0xbb, WORDS_TO_RM], // BTC, BSF, BSR
  [TWO_BYTE + 0xbc, TWO_BYTE + 0xbd, WORDS_TO_RM | Lead.REG_FIRST],
  [TWO_BYTE + 0xbe, TWO_BYTE + 0xbe, WORDS_TO_RM | Lead.REG_FIRST | Lead.RM_BYTE], // MOVSX
  [TWO_BYTE + 0xbf, TWO_BYTE + 0xbf, WORDS_TO_RM | Lead.REG_FIRST],
  [TWO_BYTE + 0xc1, TWO_BYTE + 0xc1, WORDS_TO_RM], // XADD
];

/** Bits of Lead by byte, and by byte behind 0F. */
export function leads(): Uint16Array {
  const all = new Uint16Array(2 * TWO_BYTE);
  for (let i = 0; i < all.length; i++) all[i] = leadOf(i >>> 8, i & 0xff);
  for (const [first, last, registers] of REGISTERS) for (let i = first; i <= last; i++) all[i]! |= registers;
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
