/**
 * RFLAGS. The six status flags are kept lazily as the pair `res` (the last result, sign-extended to 64 bits) and `aux`:
 *
 *   aux bit 31     CF
 *   aux bit 30     CF xor OF (the carry into the most significant bit)
 *   aux bits 15:8  parity delta: PF is the even parity of (res ^ aux >> 8) & 0xff
 *   aux bit 3      AF
 *   aux bit 0      sign delta: SF is res bit 63 xor this bit
 *   ZF             res is 0
 *
 * Arithmetic leaves both deltas 0; they exist so that POPF, SAHF and IRET can set any combination.
 */
import { type CpuState, Offset } from './state';

export const CF = 1 << 0;
export const PF = 1 << 2;
export const AF = 1 << 4;
export const ZF = 1 << 6;
export const SF = 1 << 7;
export const TF = 1 << 8;
export const IF = 1 << 9;
export const DF = 1 << 10;
export const OF = 1 << 11;
export const IOPL = 3 << 12;
export const NT = 1 << 14;
export const RF = 1 << 16;
export const VM = 1 << 17;
export const AC = 1 << 18;
export const VIF = 1 << 19;
export const VIP = 1 << 20;
export const ID = 1 << 21;

/** The flags kept in `res` and `aux`. */
export const STATUS_FLAGS = CF | PF | AF | ZF | SF | OF;
const ALWAYS_ONE = 1 << 1;
/** The flags that exist and are not constant. */
export const DEFINED_FLAGS = STATUS_FLAGS | TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;

function evenParity(byte: number): boolean {
  const nibbles = byte ^ (byte >>> 4);
  return ((0x9669 >>> (nibbles & 15)) & 1) !== 0;
}

/** Composes RFLAGS (its upper 32 bits are always 0). */
export function readFlags(s: CpuState): number {
  const aux = s.get32(Offset.AUX);
  const low = s.get32(Offset.RES);
  const high = s.high(Offset.RES);
  let f = s.get32(Offset.FLAGS) | ALWAYS_ONE;
  if (aux >>> 31) f |= CF;
  if (((aux >>> 31) ^ (aux >>> 30)) & 1) f |= OF;
  if (aux & 8) f |= AF;
  if ((low | high) === 0) f |= ZF;
  if (((high >>> 31) ^ aux) & 1) f |= SF;
  if (evenParity((low ^ (aux >>> 8)) & 0xff)) f |= PF;
  return f;
}

/** Replaces RFLAGS; undefined and reserved bits of `value` are dropped. */
export function writeFlags(s: CpuState, value: number): void {
  const cf = value & 1;
  const of = (value >>> 11) & 1;
  s.set32(Offset.FLAGS, (value & DEFINED_FLAGS & ~STATUS_FLAGS) | ALWAYS_ONE);
  s.set32(Offset.RES, value & ZF ? 0 : 0x100);
  s.set32(Offset.RES + 4, 0);
  s.set32(Offset.AUX, ((cf << 31) | ((cf ^ of) << 30) | (value & PF ? 0 : 1 << 8) | (value & AF ? 8 : 0) | (value & SF ? 1 : 0)) >>> 0);
}

/** Whether maskable interrupts are enabled. */
export const interruptsEnabled = (s: CpuState): boolean => (s.get32(Offset.FLAGS) & IF) !== 0;
