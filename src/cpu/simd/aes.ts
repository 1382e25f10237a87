/** AES-NI (SDM volume 2, "AESENC—Perform One Round of an AES Encryption Flow" and its neighbours). Byte 4c + r of a vector is row r of column c. */
import type { SlowOperation } from '../processor';
import type { SimdOperation } from './simdOperation';
import { elements, first, join, second, writeResult } from './vectorOperands';

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (; b !== 0; b >>= 1) {
    if (b & 1) product ^= a;
    a = (a << 1) ^ (a & 0x80 ? 0x11b : 0);
  }
  return product;
}

/** S-box: the multiplicative inverse (0 for 0), then an affine map. */
const SUBSTITUTE = new Uint8Array(256);
const INVERSE = new Uint8Array(256);
for (let x = 0; x < 256; x++) {
  let inverse = 0;
  if (x !== 0) while (multiply(x, inverse) !== 1) inverse++;
  let y = 0x63;
  for (let i = 0; i < 5; i++) y ^= ((inverse << i) | (inverse >> (8 - i))) & 0xff;
  SUBSTITUTE[x] = y;
  INVERSE[y] = x;
}

type Bytes = readonly number[];
const substitute = (state: Bytes, box: Uint8Array): number[] => state.map((x) => box[x]!);
/** Row r turned left by r columns (right for the inverse). */
const shiftRows = (state: Bytes, direction: 1 | -1): number[] => state.map((_x, i) => state[(i + direction * 4 * (i % 4) + 16) % 16]!);
const mixColumns = (state: Bytes, factors: Bytes): number[] =>
  state.map((_x, i) => {
    const column = i - (i % 4);
    return [0, 1, 2, 3].reduce((sum, k) => sum ^ multiply(state[column + k]!, factors[(k - (i % 4) + 4) % 4]!), 0);
  });
const MIX = [2, 3, 1, 1];
const UNMIX = [14, 11, 13, 9];

const bytesOf = (value: bigint): number[] => elements(value, 8).map(Number);
const valueOf = (bytes: Bytes): bigint => join(bytes.map(BigInt), 8);

/** destination = f(destination) XOR source */
const round =
  (f: (state: number[]) => number[]): SlowOperation =>
  (cpu, insn) => {
    const key = second(cpu, insn);
    writeResult(cpu, insn, valueOf(f(bytesOf(first(cpu, insn)))) ^ key);
  };

const fromSource =
  (f: (source: bigint, imm: number) => bigint): SlowOperation =>
  (cpu, insn) =>
    writeResult(cpu, insn, f(second(cpu, insn), insn.immLow));

/** SubWord of the source's words 1 and 3, each also rotated and with the round constant. */
function keyAssist(source: bigint, imm: number): bigint {
  const words = elements(valueOf(substitute(bytesOf(source), SUBSTITUTE)), 32);
  const rotated = (word: bigint): bigint => BigInt.asUintN(32, (word >> 8n) | (word << 24n)) ^ BigInt(imm);
  return join([words[1]!, rotated(words[1]!), words[3]!, rotated(words[3]!)], 32);
}

const operation = (perform: SlowOperation): SimdOperation => ({ feature: 'aes', perform });

export const aesOperations: Readonly<Record<string, SimdOperation>> = {
  aesenc: operation(round((state) => mixColumns(substitute(shiftRows(state, 1), SUBSTITUTE), MIX))),
  aesenclast: operation(round((state) => substitute(shiftRows(state, 1), SUBSTITUTE))),
  aesdec: operation(round((state) => mixColumns(substitute(shiftRows(state, -1), INVERSE), UNMIX))),
  aesdeclast: operation(round((state) => substitute(shiftRows(state, -1), INVERSE))),
  aesimc: operation(fromSource((source) => valueOf(mixColumns(bytesOf(source), UNMIX)))),
  aeskeygenassist: operation(fromSource(keyAssist)),
};
