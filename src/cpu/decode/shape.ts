/**
 * The shape of an instruction: all of its bytes but displacement and immediate, for instructions as compilers emit them. Two
 * instructions of one shape in code of one size differ in these two numbers alone.
 */
import { HAS_MODRM_BYTE, IS_ADDRESS_SIZE, IS_REX, NOT_PREFIX, PREFIX_CLASS } from './decode';
import type { CodeSize } from './instruction';

/** Names of this module, as in decode.ts. */
const CLASS = PREFIX_CLASS;
const MODRM = HAS_MODRM_BYTE;
const NONE = NOT_PREFIX;
const REX = IS_REX;
const ADDRESS_SIZE = IS_ADDRESS_SIZE;

const TWO_BYTES = 0x0f;
/** Second bytes that lead to three-byte opcodes, and first bytes of VEX. */
const isLonger = (second: number): boolean => second === 0x38 || second === 0x3a;
const isVex = (byte: number): boolean => byte === 0xc4 || byte === 0xc5;

export class Shape {
  /** Two unsigned 32-bit numbers that name the shape and the size of the code. */
  low = 0;
  high = 0;
  /** Bytes before displacement and immediate. */
  length = 0;

  /** Reads the shape of the instruction at an index of `bytes`; at least 8 bytes can be read from there. False for shapes that are not told: of several prefixes, three-byte opcodes, VEX, 32-bit addresses in 64-bit code. */
  read(bytes: Uint8Array, position: number, codeSize: CodeSize): boolean {
    let at = position;
    let byte = bytes[at++]!;
    let prefix = 0;
    let rex = 0;
    const code64 = codeSize === 64;
    let kind = CLASS[byte]!;
    if (kind !== NONE && (kind !== REX || code64)) {
      if (kind === ADDRESS_SIZE) return false;
      if (kind !== REX) {
        prefix = byte;
        byte = bytes[at++]!;
        kind = CLASS[byte]!;
      }
      if (kind === REX && code64) {
        rex = byte;
        byte = bytes[at++]!;
        kind = CLASS[byte]!;
      }
      if (kind !== NONE && (kind !== REX || code64)) return false;
    }
    let map = 0;
    if (byte === TWO_BYTES) {
      map = 1;
      byte = bytes[at++]!;
      if (isLonger(byte)) return false;
    } else if (isVex(byte)) return false;
    let modrm = 0;
    let sib = 0;
    if (MODRM[(map << 8) | byte] === 1) {
      modrm = bytes[at++]!;
      if (modrm < 0xc0 && (modrm & 7) === 4 && codeSize !== 16) sib = bytes[at++]!;
    }
    this.low = (prefix | (rex << 8) | (byte << 16) | (modrm << 24)) >>> 0;
    this.high = (sib | (map << 8) | (codeSize << 16)) >>> 0;
    this.length = at - position;
    return true;
  }
}
