/**
 * The notation of the opcode tables: how an operand such as `Ev` or `Wdq` is written, and the numbers it compiles to.
 * It follows the SDM, volume 2, appendix "Opcode Map", "Codes for Addressing Method" and "Codes for Operand Type".
 */
import { Gpr, Seg } from '../state';

/** How an operand is found in the instruction's bytes. */
export const Method = {
  NONE: 0,
  /** General register or memory, by ModRM.mod and r/m. */
  E: 1,
  /** General register, ModRM.reg. */
  G: 2,
  /** General register, low three bits of the opcode. */
  Z: 3,
  /** Memory only. */
  M: 4,
  /** General register, ModRM.r/m. */
  R: 5,
  /** The fixed general register in the spec's number. */
  FIXED: 6,
  /** Immediate, zero-extended (`Ib`, `Iw`). */
  I: 7,
  /** Immediate byte, sign-extended to the operation's size (`Ibs`). */
  IS: 8,
  /** Immediate of at most 32 bits, sign-extended (`Iz`). */
  IZ: 9,
  /** Immediate of the full operand size (`Iv`). */
  IV: 10,
  /** The immediate 1 that shifts by one have no byte for. */
  ONE: 11,
  /** Second immediate byte. */
  I2: 12,
  /** Branch displacement, a byte (`Jb`) or of the operand size (`Jz`). */
  JB: 13,
  JZ: 14,
  /** Memory at an offset of the address size that stands in the instruction. */
  O: 15,
  X: 16,
  Y: 17,
  /** Far pointer. */
  A: 18,
  /** Segment register, ModRM.reg. */
  S: 19,
  /** The fixed segment register in the spec's number. */
  FIXED_SREG: 20,
  C: 21,
  D: 22,
  /** MMX: P by ModRM.reg, Q by mod and r/m, N by r/m. */
  P: 23,
  Q: 24,
  N: 25,
  /** XMM or YMM: V by ModRM.reg, W by mod and r/m, U by r/m, H by VEX.vvvv, L by the top of the immediate byte. */
  V: 26,
  W: 27,
  U: 28,
  H: 29,
  L: 30,
  /** General register by VEX.vvvv. */
  B: 31,
  /** x87 stack top, and the register in ModRM.r/m. */
  ST0: 32,
  STI: 33,
  /** Memory whose index is a vector register (VSIB); its size is that of one element. */
  VM: 34,
} as const;

/** Operand types whose width depends on context; all others are constants. */
const CONTEXT_SIZES: Record<string, (operandSize: number, rexW: boolean, code64: boolean, vectorLength: number) => number> = {
  /** Operand size. */
  v: (o) => o,
  /** Operand size, at most 4. */
  z: (o) => Math.min(o, 4),
  /** 8 with REX.W or VEX.W in 64-bit code, else 4. */
  y: (_o, w) => (w ? 8 : 4),
  /** Native: 8 in 64-bit code, else 4. */
  n: (_o, _w, code64) => (code64 ? 8 : 4),
  /** Pseudo-descriptor: limit and base. */
  s: (_o, _w, code64) => (code64 ? 10 : 6),
  /** Far pointer: offset and selector. */
  p: (o) => o + 2,
  /** BOUND's pair. */
  a: (o) => 2 * o,
  /** Vector of the instruction's length. */
  x: (_o, _w, _c, length) => length,
  ps: (_o, _w, _c, length) => length,
  pd: (_o, _w, _c, length) => length,
  /** Half, quarter and eighth of the vector. */
  xh: (_o, _w, _c, length) => length / 2,
  xq: (_o, _w, _c, length) => length / 4,
  xe: (_o, _w, _c, length) => length / 8,
};
const CONSTANT_SIZES: Record<string, number> = { '': 0, b: 1, w: 2, d: 4, q: 8, t: 10, dq: 16, qq: 32, ss: 4, sd: 8 };

/** Names of the operand types; the index is what the compiled tables hold. */
const SIZE_NAMES = [...Object.keys(CONSTANT_SIZES), ...Object.keys(CONTEXT_SIZES)];

/** Combinations of operand size (bits 1:0 = size / 4 rounded down), REX.W (bit 2), 64-bit code (bit 3), 256-bit vector (bit 4). */
export const SIZE_CONTEXTS = 32;

/** Width in bytes at [operand type * SIZE_CONTEXTS + context]. */
export const SIZES = new Uint8Array(SIZE_NAMES.length * SIZE_CONTEXTS);
SIZE_NAMES.forEach((name, type) => {
  for (let context = 0; context < SIZE_CONTEXTS; context++) {
    const byContext = CONTEXT_SIZES[name];
    SIZES[type * SIZE_CONTEXTS + context] = byContext
      ? byContext([2, 4, 8, 8][context & 3]!, (context & 4) !== 0, (context & 8) !== 0, (context & 16) !== 0 ? 32 : 16)
      : CONSTANT_SIZES[name]!;
  }
});

/** Operands that are one fixed thing: method, number, operand type. */
const FIXED: Record<string, readonly [method: number, number: number, type: string]> = {
  AL: [Method.FIXED, Gpr.RAX, 'b'],
  AX: [Method.FIXED, Gpr.RAX, 'w'],
  eAX: [Method.FIXED, Gpr.RAX, 'z'],
  rAX: [Method.FIXED, Gpr.RAX, 'v'],
  CL: [Method.FIXED, Gpr.RCX, 'b'],
  DX: [Method.FIXED, Gpr.RDX, 'w'],
  ES: [Method.FIXED_SREG, Seg.ES, 'w'],
  CS: [Method.FIXED_SREG, Seg.CS, 'w'],
  SS: [Method.FIXED_SREG, Seg.SS, 'w'],
  DS: [Method.FIXED_SREG, Seg.DS, 'w'],
  FS: [Method.FIXED_SREG, Seg.FS, 'w'],
  GS: [Method.FIXED_SREG, Seg.GS, 'w'],
  '1': [Method.ONE, 0, 'b'],
  ST: [Method.ST0, 0, 't'],
  STi: [Method.STI, 0, 't'],
  Ibs: [Method.IS, 0, 'v'],
  Iz: [Method.IZ, 0, 'v'],
  Iv: [Method.IV, 0, 'v'],
  I2b: [Method.I2, 0, 'b'],
  Jb: [Method.JB, 0, ''],
  Jz: [Method.JZ, 0, ''],
};

const LETTERS: Record<string, number> = {
  E: Method.E, G: Method.G, Z: Method.Z, M: Method.M, R: Method.R, I: Method.I, O: Method.O, X: Method.X, Y: Method.Y, A: Method.A,
  S: Method.S, C: Method.C, D: Method.D, P: Method.P, Q: Method.Q, N: Method.N, V: Method.V, W: Method.W, U: Method.U, H: Method.H,
  L: Method.L, B: Method.B, VM: Method.VM,
}; // prettier-ignore

/** One operand as the tables hold it: bits 7:0 method, 15:8 operand type, 19:16 number. */
export const operandSpec = (text: string): number => {
  const fixed = FIXED[text];
  if (fixed) return fixed[0] | (SIZE_NAMES.indexOf(fixed[2]) << 8) | (fixed[1] << 16);
  const [, letter, type] = /^(VM|[A-Z])([a-z]*)$/.exec(text) ?? [];
  const method = LETTERS[letter ?? ''];
  const size = SIZE_NAMES.indexOf(type ?? '?');
  if (method === undefined || size < 0) throw new Error(`opcode table: unknown operand "${text}"`);
  return method | (size << 8);
};

export const methodOf = (spec: number): number => spec & 0xff;

/** Methods that read the ModRM byte. */
const MODRM_METHODS = new Set<number>([
  Method.E, Method.G, Method.M, Method.R, Method.S, Method.C, Method.D, Method.P, Method.Q, Method.N, Method.V, Method.W, Method.U, Method.STI, Method.VM,
]); // prettier-ignore
export const usesModrm = (spec: number): boolean => MODRM_METHODS.has(methodOf(spec));

/** Whether an operand exists in memory form alone, or in register form alone. */
export const memoryOnly = (spec: number): boolean => methodOf(spec) === Method.M || methodOf(spec) === Method.VM;
export const registerOnly = (spec: number): boolean => methodOf(spec) === Method.R || methodOf(spec) === Method.U || methodOf(spec) === Method.N;
