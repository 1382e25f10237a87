/**
 * Instructions that cannot be compared alone, in programs of a few: what moves the stack pointer goes with what moves it
 * back, branches with what they skip, string instructions with registers that point into the data page, MMX registers
 * with loads and stores of them. A program ends where its bytes end.
 */
import { decode } from '../../src/cpu/decode/decode';
import { Instruction } from '../../src/cpu/decode/instruction';
import { AF, DF, OF, PF, SF } from '../../src/cpu/flags';
import type { Random } from './random';
import type { Elements } from './simdForms';

export interface MadeProgram {
  bytes: number[];
  /** General-purpose registers that are not random, by number; RDI points into the data page. */
  registers?: Record<number, bigint>;
  /** RFLAGS bits beside random status flags. */
  flags?: number;
  /** Bytes of the data page are below this. */
  dataBelow?: number;
}

export interface Program {
  name: string;
  elements: Elements;
  undefinedFlags: number;
  make(r: Random): MadeProgram;
}

const DATA = 0x2000_0000;
const [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI] = [0, 1, 2, 3, 4, 5, 6, 7];
/** inc ecx, where it may be skipped. */
const SKIPPED = [0xff, 0xc1];
const MOV_EAX_0 = [0xb8, 0, 0, 0, 0];

const programs: Program[] = [];
const add = (name: string, make: (r: Random) => MadeProgram | number[], undefinedFlags = 0, elements: Elements = 'integer'): void => {
  programs.push({
    name,
    elements,
    undefinedFlags,
    make(r) {
      const made = make(r);
      return Array.isArray(made) ? { bytes: made } : made;
    },
  });
};

const general = (r: Random): number => {
  for (;;) {
    const n = r.below(16);
    if (n !== RSP && n !== RDI) return n;
  }
};
/** An instruction with the register in its opcode, 64 or 16 bits wide. */
const short = (opcode: number, n: number, word: boolean): number[] => [...(word ? [0x66] : []), ...(n > 7 ? [0x41] : []), opcode | (n & 7)];
const displacement = (r: Random): number => r.below(100);

add('push r, pop r', (r) => {
  const word = r.below(2) === 1;
  return [...short(0x50, general(r), word), ...short(0x58, general(r), word)];
});
add('push imm, pop r', (r) => {
  const word = r.below(2) === 1;
  const immediate = r.below(2) ? [0x6a, r.below(256)] : [0x68, ...Array.from({ length: word ? 2 : 4 }, () => r.below(256))];
  return [...(word ? [0x66] : []), ...immediate, ...short(0x58, general(r), word)];
});
add('push m, pop m', (r) => {
  const prefix = r.below(2) ? [0x66] : [];
  return [...prefix, 0xff, 0x77, displacement(r), ...prefix, 0x8f, 0x47, displacement(r)];
});
// IF is not compared: the masks leave the status flags and DF.
add('pushf, pop rax, and eax, 0xcd5', () => [0x9c, 0x58, 0x25, 0xd5, 0x0c, 0, 0]);
add('and eax, 0xcd5, push rax, popf', (r) => (r.below(2) ? [0x25, 0xd5, 0x0c, 0, 0, 0x50, 0x9d] : [0x25, 0xd5, 0x0c, 0, 0, 0x66, 0x50, 0x66, 0x9d]));
add('enter, leave', (r) => ({ bytes: [0xc8, r.below(64) * 8, 0, r.below(4), 0xc9], registers: { [RBP]: BigInt(DATA + 128) } }));
add('call rel, ret', () => [0xe8, 2, 0, 0, 0, 0xeb, 3, ...SKIPPED, 0xc3]);
add('push rax, call rel, ret 8', () => [0x50, 0xe8, 2, 0, 0, 0, 0xeb, 5, ...SKIPPED, 0xc2, 8, 0]);
add('jmp rel32', () => [0xe9, 2, 0, 0, 0, ...SKIPPED]);
for (let cc = 0; cc < 16; cc++) {
  add(`j${cc} rel8`, () => [0x70 | cc, 2, ...SKIPPED]);
  add(`j${cc} rel32`, () => [0x0f, 0x80 | cc, 2, 0, 0, 0, ...SKIPPED]);
}
/** RCX where its width matters. */
const counts = [0n, 1n, 2n, 1n << 32n, (1n << 32n) + 1n, (1n << 64n) - 1n];
for (const [name, opcode] of [['loopne', 0xe0], ['loope', 0xe1], ['loop', 0xe2], ['jrcxz', 0xe3]] as const) {
  add(`${name} forwards`, (r) => ({ bytes: [...(r.below(2) ? [0x67] : []), opcode, 2, 0xff, 0xc2], registers: { [RCX]: counts[r.below(counts.length)]! } }));
  if (opcode < 0xe3) add(`dec edx, ${name} backwards`, (r) => ({ bytes: [0xff, 0xca, opcode, 0xfc], registers: { [RCX]: BigInt(1 + r.below(8)), [RDX]: BigInt(r.below(8)) } }));
}
add('jmp rax', () => [0x48, 0x8d, 0x05, 4, 0, 0, 0, 0xff, 0xe0, ...SKIPPED, ...MOV_EAX_0]);
add('jmp [rdi + 8]', () => [0x48, 0x8d, 0x05, 9, 0, 0, 0, 0x48, 0x89, 0x47, 8, 0xff, 0x67, 8, ...SKIPPED, ...MOV_EAX_0, 0x48, 0x89, 0x47, 8]);
add('call rax, ret', () => [0x48, 0x8d, 0x05, 4, 0, 0, 0, 0xff, 0xd0, 0xeb, 3, ...SKIPPED, 0xc3, ...MOV_EAX_0]);
add('call [rdi + 8], ret', () => [0x48, 0x8d, 0x05, 9, 0, 0, 0, 0x48, 0x89, 0x47, 8, 0xff, 0x57, 8, 0xeb, 3, ...SKIPPED, 0xc3, ...MOV_EAX_0, 0x48, 0x89, 0x47, 8]);
add('xlat', () => ({ bytes: [0xd7], registers: { [RBX]: BigInt(DATA) } }));

for (const [name, opcode] of [['movs', 0xa4], ['cmps', 0xa6], ['stos', 0xaa], ['lods', 0xac], ['scas', 0xae]] as const) {
  for (const [repeat, prefix] of [['', []], ['rep ', [0xf3]], ['repne ', [0xf2]]] as const) {
    add(repeat + name, (r) => {
      const width = r.below(4);
      const bytes = [...(r.below(4) === 0 ? [0x67] : []), ...(width === 1 ? [0x66] : []), ...prefix, ...(width === 3 ? [0x48] : []), opcode | (width === 0 ? 0 : 1)];
      const registers: Record<number, bigint> = { [RSI]: BigInt(DATA + 64 + r.below(32)), [RDI]: BigInt(DATA + 128 + r.below(32)) };
      if (prefix.length > 0) registers[RCX] = BigInt(r.below(7));
      if (name === 'scas' && r.below(2)) registers[RAX] = r.below(2) ? 0n : 0x0101_0101_0101_0101n;
      return { bytes, registers, flags: r.below(2) ? DF : 0, dataBelow: r.below(2) ? 2 : 256 };
    });
  }
}

/** Bit strings: the register's index reaches beyond the operand, forwards and backwards. */
['bt', 'bts', 'btr', 'btc'].forEach((name, i) => {
  add(
    `${name} m, r`,
    (r) => {
      const width = r.below(3);
      const n = [RAX, RCX, RDX, RBX, RBP, RSI][r.below(6)]!;
      const index = BigInt(r.below(600) - 300);
      const locked = name !== 'bt' && r.below(2) === 1;
      // Locked accesses across cache lines make some hosts stop the program for a while.
      const at = displacement(r) & (locked ? ~7 : ~0);
      const bytes = [...(locked ? [0xf0] : []), ...(width === 0 ? [0x66] : []), ...(width === 2 ? [0x48] : []), 0x0f, 0xa3 + i * 8, 0x47 | (n << 3), at];
      return { bytes, registers: { [n]: BigInt.asUintN(64, index) } };
    },
    OF | SF | AF | PF,
  );
});
for (const wide of [false, true]) {
  const w = wide ? [0x48] : [];
  add(`cmpxchg${wide ? 16 : 8}b`, (r) => {
    const at = r.below(6) * 16;
    const high = at + (wide ? 8 : 4);
    const differs = r.below(2) ? [] : [0xff, r.below(2) ? 0xc0 : 0xc2]; // inc eax or edx
    return [...w, 0x8b, 0x47, at, ...w, 0x8b, 0x57, high, ...differs, ...(r.below(2) ? [0xf0] : []), ...w, 0x0f, 0xc7, 0x4f, at];
  });
}

/** movq mm0, [rdi + 8], and back; EMMS. */
const LOAD_MM = [0x0f, 0x6f, 0x47, 8];
const STORE_MM = [0x0f, 0x7f, 0x47, 16];
const EMMS = [0x0f, 0x77];
for (const [name, prefix, opcode, elements] of [
  ['cvtpi2ps', [], 0x2a, 'integer'],
  ['cvtpi2pd', [0x66], 0x2a, 'integer'],
  ['movq2dq', [0xf3], 0xd6, 'integer'],
] as const) {
  add(`${name} xmm, mm`, (r) => [...LOAD_MM, ...prefix, 0x0f, opcode, 0xc0 | (r.below(8) << 3), ...EMMS], 0, elements);
}
for (const [name, prefix, opcode, elements] of [
  ['cvtps2pi', [], 0x2d, 'single'],
  ['cvttps2pi', [], 0x2c, 'single'],
  ['cvtpd2pi', [0x66], 0x2d, 'double'],
  ['cvttpd2pi', [0x66], 0x2c, 'double'],
  ['movdq2q', [0xf2], 0xd6, 'integer'],
] as const) {
  add(`${name} mm, xmm`, (r) => [...prefix, 0x0f, opcode, 0xc0 | r.below(8), ...STORE_MM, ...EMMS], 0, elements);
  if (opcode !== 0xd6) add(`${name} mm, m`, (r) => [...prefix, 0x0f, opcode, 0x47, r.below(4) ? r.below(6) * 16 : r.below(90), ...STORE_MM, ...EMMS], 0, elements);
}

/** All x87 registers 0 and empty. */
const CLEAR_X87 = [...Array.from({ length: 8 }, () => [0xd9, 0xee]).flat(), 0xdb, 0xe3];
const XORPS = [0x0f, 0x57, 0xc0]; // xmm0
for (const [name, opcode, saves, restores] of [
  ['fxsave, fxrstor', 0xae, 0x07, 0x0f],
  ['xsave, xrstor', 0xae, 0x27, 0x2f],
] as const) {
  for (const rex of [[], [0x48]]) {
    add(`${rex.length ? 'rex.w ' : ''}${name}`, () => ({
      bytes: [...CLEAR_X87, ...rex, 0x0f, opcode, saves, ...XORPS, ...rex, 0x0f, opcode, restores],
      registers: { [RDI]: BigInt(DATA), [RAX]: 7n, [RDX]: 0n },
    }));
  }
}

export const PROGRAMS: readonly Program[] = programs;

const insn = new Instruction();
/** The instructions of a program, each as its bytes. */
export function* instructionsOf(bytes: readonly number[]): Generator<readonly number[]> {
  const code = Uint8Array.from([...bytes, ...new Array<number>(16).fill(0)]);
  for (let at = 0; at < bytes.length; ) {
    const length = decode(code, at, 15, 64, insn);
    yield bytes.slice(at, at + length);
    at += length;
  }
}
