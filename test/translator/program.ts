/** Random programs: blocks of instructions with jumps, calls and returns between them, memory accesses of all sorts, faults. */
import { CODE, CODE_PAGES, DATA, DATA_SIZE, DEVICE, HANDLERS, type Mode, STACK } from './rig';

/** xorshift32: the same seed gives the same program everywhere. */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = (seed * 2654435761 + 1) >>> 0 || 1;
    for (let i = 0; i < 4; i++) this.next();
  }
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.state = x >>> 0);
  }
  below(n: number): number {
    return this.next() % n;
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** Bytes, or a branch (opcode, then a displacement of the code's size) to a block. */
export type Piece = number[] | { opcode: number[]; block: number; short: boolean };
export type Program = Piece[][];

const dword = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, (n >>> 24) & 0xff];
const word = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff];

class Generator {
  constructor(
    private readonly r: Random,
    private readonly mode: Mode,
    private readonly blocks: number,
  ) {}

  /** Registers that instructions may change freely; the others hold addresses. */
  private register(): number {
    if (this.r.chance(2)) return this.r.below(8);
    return this.r.of(this.mode === 64 ? [0, 1, 2, 5, 8, 9, 10, 11, 12, 13, 14, 15] : [0, 1, 2, 5]);
  }

  /** Prefixes, REX and opcode, ModRM with what follows it. `size` is 1, 2, 4 or 8; `reg` the field's number. */
  private modrm(opcode: number[], reg: number, size: number, memory: boolean, immediate: number[] = [], mandatory: number[] = []): number[] {
    const { r, mode } = this;
    const prefixes: number[] = [];
    let rex = 0;
    if (size === 2 && mode !== 16) prefixes.push(0x66);
    if (size === 4 && mode === 16) prefixes.push(0x66);
    if (size === 8) rex |= 0x48;
    if (reg >= 8) rex |= 0x44;
    const field = (reg & 7) << 3;
    let rest: number[];
    if (!memory) {
      const rm = this.register();
      if (rm >= 8) rex |= 0x41;
      rest = [0xc0 | field | (rm & 7)];
    } else {
      if (r.chance(mode === 64 ? 8 : 12)) prefixes.push(r.of([0x64, 0x65]));
      const displacement = r.chance(3) ? r.of([0xf00, 0x2000, 0x8000, 0x1f000]) : r.below(0x300) - 0x20;
      if (mode === 16 && !r.chance(20)) {
        const rm = r.of([4, 5, 7, 6]); // [si], [di], [bx], [disp16] by mod 2 or 0
        rest = rm === 6 ? [field | 6, ...word(r.below(0x2000))] : [0x80 | field | rm, ...word(displacement)];
      } else {
        if (mode === 16) prefixes.push(0x67);
        if (mode === 64 && r.chance(4)) prefixes.push(0x67);
        const base = r.of([3, 6, 7, 3, 6, 7, 4, 5]);
        if (base === 5 && mode === 64) {
          // RIP-relative: the code's own pages, now and then
          rest = [field | 5, ...dword(r.chance(30) ? r.below(64) : r.below(0x800) + 0x9000)];
        } else if (r.chance(25)) {
          if (mode === 64 && r.chance(30)) rex |= 0x42;
          rest = [0x84 | field, (r.below(4) << 6) | (r.of([1, 1, 4, 4, 2]) << 3) | (base === 5 ? 3 : base), ...dword(displacement)];
        } else rest = base === 4 ? [0x84 | field, 0x24, ...dword(displacement & 0xff)] : [0x80 | field | (base === 5 ? 3 : base), ...dword(displacement)];
      }
    }
    if (size === 1 && mode === 64 && r.chance(50)) rex |= 0x40;
    const all = [...prefixes, ...mandatory];
    if (rex !== 0 && mode === 64) all.push(rex);
    return [...all, ...opcode, ...rest, ...immediate];
  }

  private sizes(): number {
    return this.r.of(this.mode === 64 ? [1, 2, 4, 4, 8, 8, 8] : [1, 2, 4, 4]);
  }
  private immediate(size: number): number[] {
    const value = this.r.of([this.r.next(), this.r.below(256) - 128, 1, -1, 0x7fffffff, 0]);
    return size === 1 ? [value & 0xff] : size === 2 ? word(value) : dword(value);
  }
  private prefix(size: number): number[] {
    return (size === 2 && this.mode !== 16) || (size === 4 && this.mode === 16) ? [0x66] : size === 8 ? [0x48] : [];
  }

  instruction(): number[] {
    const { r, mode } = this;
    const memory = r.chance(45);
    const size = this.sizes();
    const wide = size === 1 ? 0 : 1;
    const reg = this.register();
    const wordSize = size === 1 ? 4 : size;
    switch (r.below(46)) {
      case 0: case 1: case 2: case 3:
        return this.modrm([r.below(8) * 8 + wide], reg, size, memory);
      case 4: case 5: case 6:
        return this.modrm([r.below(8) * 8 + 2 + wide], reg, size, memory);
      case 7: case 8:
        return this.modrm([0x80 + wide], r.below(8), size, memory, this.immediate(size));
      case 9: case 10:
        return this.modrm([0x83], r.below(8), wordSize, memory, this.immediate(1));
      case 11: case 12: case 13:
        return this.modrm([r.of([0x88, 0x8a]) + wide], reg, size, memory);
      case 14:
        return this.modrm([0xc6 + wide], 0, size, memory, this.immediate(size));
      case 15:
        return this.modrm([0x84 + wide], reg, size, memory);
      case 16:
        return this.modrm([0x86 + wide], reg, size, memory);
      case 17:
        return this.modrm([0x8d], reg, wordSize, true);
      case 18: case 19:
        return this.modrm([0x0f, r.of([0xb6, 0xb7, 0xbe, 0xbf])], reg, wordSize, memory);
      case 20: case 21:
        return this.modrm([0xc0 + wide], r.below(8), size, memory, [r.of([0, 1, 3, 8, 31, 33, 63, 200])]);
      case 22:
        return this.modrm([0xd2 + wide], r.below(8), size, memory);
      case 23:
        return this.modrm([0xd0 + wide], r.below(8), size, memory);
      case 24: case 25: {
        const which = r.below(8);
        return this.modrm([0xf6 + wide], which, size, memory, which < 2 ? this.immediate(size) : []);
      }
      case 26: case 27:
        return this.modrm([0xfe + wide], r.below(2), size, memory);
      case 28:
        return [0x50 + (reg & 7)];
      case 29:
        return [0x58 + r.of([0, 1, 2, 5])];
      case 30:
        return this.modrm([0x0f, 0x40 + r.below(16)], reg, wordSize, memory);
      case 31:
        return this.modrm([0x0f, 0x90 + r.below(16)], 0, 1, memory);
      case 32:
        return this.modrm([0x0f, 0xaf], reg, wordSize, memory);
      case 33:
        return this.modrm([0x6b], reg, wordSize, memory, this.immediate(1));
      case 34:
        return this.modrm([0x0f, r.of([0xa3, 0xab, 0xb3, 0xbb])], reg, wordSize, memory && r.chance(30));
      case 35:
        return this.modrm([0x0f, 0xba], 4 + r.below(4), wordSize, memory, [r.below(256)]);
      case 36:
        return this.modrm([0x0f, r.of([0xbc, 0xbd])], reg, wordSize, memory, [], r.chance(30) ? [0xf3] : []);
      case 37:
        return this.modrm([0x0f, r.of([0xb0, 0xc0]) + wide], reg, size, memory);
      case 38:
        return this.modrm([0x0f, r.of([0xa4, 0xac])], reg, wordSize, memory, [r.below(70)]);
      case 39:
        return r.of([[0x98], [0x99], [0xf5], [0xf8], [0xf9], [0x9f], [0x9e], [0x9c], [...this.prefix(4), 0x98], [0x90]]);
      case 40:
        return r.of([[0x0f, 0x31], [0x9c, 0x9d], [0xfc], [0x6a, r.below(256)], [0x0f, 0xa2], [0xa4], [0xaa], [0xad], [0xe4, 0x40], [0xf3, 0x90]]);
      case 41: case 42: {
        // SSE: moves and integers between registers, memory and general-purpose registers
        const [mandatory, opcode] = r.of<readonly [number[], number]>([
          [[0x66], 0x6f], [[0x66], 0x7f], [[0xf3], 0x6f], [[0xf3], 0x7f], [[0x66], 0xef], [[0x66], 0xfe], [[0x66], 0xd4], [[0x66], 0x6e], [[0x66], 0x7e],
          [[0x66], 0xd6], [[0xf3], 0x7e], [[], 0x10], [[], 0x11], [[0xf2], 0x58], [[0xf2], 0x59], [[0xf2], 0x2a], [[0x66], 0x61], [[], 0x57], [[0xf2], 0x10], [[0xf2], 0x11],
        ]); // prettier-ignore
        return this.modrm([0x0f, opcode], r.below(8), mode === 64 && r.chance(10) ? 8 : mode === 16 ? 2 : 4, memory, [], mandatory);
      }
      case 43:
        return mode === 16 ? [0xb8 + r.of([0, 1, 2, 5]), ...word(r.next())] : [...(mode === 64 && r.chance(30) ? [0x41] : []), 0xb8 + r.of([0, 1, 2, 5]), ...dword(r.next())];
      case 44:
        // An address register to another place: the device, the end of a page, code.
        return this.pointer(r.of([3, 6, 7]), r.of([DATA, DATA + 0x7f0, DATA + 0xffc, DATA + 0x1ff9, DATA + 0x400, DATA + 0x2fe0, r.chance(30) ? DEVICE : DATA, r.chance(20) ? CODE + r.below(0x1000) : DATA, r.chance(20) ? 0x12_eff0 : DATA]));
      default:
        return this.pointer(4, STACK - r.below(4) * 0x100 - r.of([0, 0, 4, 2]));
    }
  }

  /** MOV of an address to rBX, rSP, rSI or rDI. */
  private pointer(register: number, address: number): number[] {
    const op32 = this.mode === 16 ? [0x66] : [];
    return [...op32, 0xb8 + register, ...dword(this.mode === 16 ? address & 0xffff : address)];
  }

  /** How a block ends; undefined lets it run into the next. */
  private end(): Piece[] {
    const { r, mode } = this;
    const block = r.below(this.blocks);
    const n = r.below(20);
    if (n < 9) return [{ opcode: [0x0f, 0x80 + r.below(16)], block, short: false }];
    if (n < 11) return [{ opcode: [0xe9], block, short: false }];
    if (n < 14) return [{ opcode: [0xe8], block, short: false }];
    if (n < 16) return [[0xc3]];
    if (n < 17) return [mode === 64 ? [0x48, 0x83, 0xc9, 0x02] : [0x83, 0xc9, 0x02], { opcode: [0xe2], block, short: true }]; // or rcx, 2; loop
    if (n < 18 && mode === 64) return [{ opcode: [0x48, 0x8d, 0x05], block, short: false }, [0xff, 0xe0 | (r.below(2) * 0x30 & 0)]]; // lea rax, block; jmp rax
    return [];
  }

  program(): Program {
    const { r } = this;
    const program: Program = [];
    for (let i = 0; i < this.blocks; i++) {
      const pieces: Piece[] = [];
      for (let n = r.below(9); n >= 0; n--) pieces.push(this.instruction());
      program.push([...pieces, ...this.end()]);
    }
    return program;
  }
}

export const generate = (seed: number, mode: Mode, blocks: number): Program => new Generator(new Random(seed), mode, blocks).program();

/** The bytes at CODE. Blocks lie behind one another; the last jumps to the first. Branches that do not reach go to where they are. */
export function assemble(program: Program, mode: Mode): Uint8Array {
  const displacement = mode === 16 ? 2 : 4;
  const lengthOf = (p: Piece): number => (Array.isArray(p) ? p.length : p.opcode.length + (p.short ? 1 : displacement));
  const starts: number[] = [];
  let at = 0;
  for (const block of program) {
    starts.push(at);
    for (const piece of block) at += lengthOf(piece);
  }
  const bytes: number[] = [];
  for (const block of program) {
    for (const piece of block) {
      if (Array.isArray(piece)) {
        bytes.push(...piece);
        continue;
      }
      const from = bytes.length + lengthOf(piece);
      const distance = starts[Math.min(piece.block, starts.length - 1)]! - from;
      bytes.push(...piece.opcode);
      if (piece.short) bytes.push(distance >= -128 && distance < 128 ? distance & 0xff : 0xfe);
      else bytes.push(...(displacement === 2 ? word(distance) : dword(distance)));
    }
  }
  const back = -(bytes.length + 1 + displacement);
  bytes.push(0xe9, ...(displacement === 2 ? word(back) : dword(back)));
  if (bytes.length > CODE_PAGES * 0x1000) throw new Error('The program is longer than the room for it.');
  return Uint8Array.from(bytes);
}

/** Handlers of exceptions: each sets the address registers anew, drops the frame and starts the program again. */
export function handlers(mode: Mode): Uint8Array {
  const bytes = new Uint8Array(0x400);
  const common = 0x200;
  for (let vector = 0; vector < 32; vector++) {
    const from = vector * 16;
    bytes.set([0xe9, ...dword(common - from - 5)].slice(0, mode === 16 ? 3 : 5), from);
    if (mode === 16) bytes.set([0x66, 0xe9, ...dword(common - from - 6)], from);
  }
  const p = mode === 16 ? [0x66] : [];
  const set = (register: number, value: number): number[] => [...p, 0xb8 + register, ...dword(value)];
  const start = mode === 64 ? CODE : CODE;
  bytes.set([...set(3, DATA + 0x100), ...set(6, DATA + 0x1200), ...set(7, DATA + 0x2400), ...set(4, STACK), ...p, 0xe9], common);
  let end = common;
  while (bytes[end] !== 0xe9 || end < common + 4 * (5 + p.length)) end++;
  const next = end + 5;
  bytes.set(dword(start - (HANDLERS + next)), end + 1);
  return bytes;
}

export const dataBytes = (seed: number): Uint8Array => {
  const r = new Random(seed + 77);
  return Uint8Array.from({ length: DATA_SIZE }, () => r.next() & 0xff);
};
