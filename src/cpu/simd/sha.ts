/** SHA extensions (SDM volume 2, "SHA1RNDS4—Perform Four Rounds of SHA1 Operation" and its neighbours). Words are u32, element 3 is the highest. */
import type { SlowOperation } from '../processor';
import type { SimdOperation } from './simdOperation';
import { elements, join, readVector, readXmm, writeXmm } from './vectorOperands';

type Words = readonly number[];
const rotateLeft = (x: number, n: number): number => (x << n) | (x >>> (32 - n));
const rotateRight = (x: number, n: number): number => (x >>> n) | (x << (32 - n));
const choose = (x: number, y: number, z: number): number => (x & y) ^ (~x & z);
const parity = (x: number, y: number, z: number): number => x ^ y ^ z;
const majority = (x: number, y: number, z: number): number => (x & y) ^ (x & z) ^ (y & z);

/** SHA-1's functions and constants, by the immediate: 20 rounds each. */
const SHA1 = [
  [choose, 0x5a82_7999],
  [parity, 0x6ed9_eba1],
  [majority, 0x8f1b_bcdc],
  [parity, 0xca62_c1d6],
] as const;

function sha1Rounds(destination: Words, source: Words, imm: number): number[] {
  const [f, constant] = SHA1[imm & 3]!;
  let [d, c, b, a] = destination as [number, number, number, number];
  let e = 0; // the source's top word has E added already
  for (let i = 3; i >= 0; i--) {
    const next = (f(b, c, d) + rotateLeft(a, 5) + source[i]! + e + constant) | 0;
    [e, d, c, b, a] = [d, c, rotateLeft(b, 30), a, next];
  }
  return [d, c, b, a];
}

const sigma0 = (x: number): number => rotateRight(x, 7) ^ rotateRight(x, 18) ^ (x >>> 3);
const sigma1 = (x: number): number => rotateRight(x, 17) ^ rotateRight(x, 19) ^ (x >>> 10);

function sha256Rounds(destination: Words, source: Words, keys: Words): number[] {
  let [h, g, d, c] = destination as [number, number, number, number];
  let [f, e, b, a] = source as [number, number, number, number];
  for (let i = 0; i < 2; i++) {
    const first = (h + (rotateRight(e, 6) ^ rotateRight(e, 11) ^ rotateRight(e, 25)) + choose(e, f, g) + keys[i]!) | 0;
    const second = ((rotateRight(a, 2) ^ rotateRight(a, 13) ^ rotateRight(a, 22)) + majority(a, b, c)) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  return [f, e, b, a];
}

const wordsOf = (value: bigint): number[] => elements(value, 32).map(Number);

const operation = (f: (destination: Words, source: Words, imm: number, xmm0: () => Words) => number[]): SimdOperation => {
  const perform: SlowOperation = (cpu, insn) => {
    const source = wordsOf(readVector(cpu, insn, 1));
    const n = insn.operands[0].number;
    const result = f(wordsOf(readXmm(cpu.state, n)), source, insn.immLow, () => wordsOf(readXmm(cpu.state, 0)));
    writeXmm(cpu.state, n, join(result.map(BigInt), 32));
  };
  return { feature: 'sha', perform };
};

export const shaOperations: Readonly<Record<string, SimdOperation>> = {
  sha1rnds4: operation(sha1Rounds),
  sha1nexte: operation((d, s) => [s[0]!, s[1]!, s[2]!, (s[3]! + rotateLeft(d[3]!, 30)) | 0]),
  sha1msg1: operation((d, s) => [d[0]! ^ s[2]!, d[1]! ^ s[3]!, d[2]! ^ d[0]!, d[3]! ^ d[1]!]),
  sha1msg2: operation((d, s) => {
    const highest = rotateLeft(d[3]! ^ s[2]!, 1);
    return [rotateLeft(d[0]! ^ highest, 1), rotateLeft(d[1]! ^ s[0]!, 1), rotateLeft(d[2]! ^ s[1]!, 1), highest];
  }),
  sha256rnds2: operation((d, s, _imm, xmm0) => sha256Rounds(d, s, xmm0())),
  sha256msg1: operation((d, s) => [0, 1, 2, 3].map((i) => (d[i]! + sigma0(i < 3 ? d[i + 1]! : s[0]!)) | 0)),
  sha256msg2: operation((d, s) => {
    const low = [(d[0]! + sigma1(s[2]!)) | 0, (d[1]! + sigma1(s[3]!)) | 0];
    return [...low, (d[2]! + sigma1(low[0]!)) | 0, (d[3]! + sigma1(low[1]!)) | 0];
  }),
};
