/** What sets flags in every way, and what reads them: regions keep flags as operands, and have to know what is left where code comes together. */
import type { Encoder } from './encoder';
import { dword, Register, word } from './encoder';

const { A, C } = Register;
/** CF PF AF ZF SF OF. */
const STATUS = 0x8d5;
const ALWAYS = 0x202;
const DF = 0x400;
const TF = 0x100;

/** A value for POPF and IRET: any status flags, mostly such as no result has. */
export function flagsImage({ r }: Encoder): number {
  return (r.next() & STATUS) | (r.chance(10) ? DF : 0) | (r.chance(2) ? TF : 0) | (r.chance(95) ? ALWAYS : 2);
}

const push = ({ mode }: Encoder, value: number): number[] => (mode === 16 ? [0x68, ...word(value)] : [0x68, ...dword(value)]);

function popf(e: Encoder): number[] {
  return [...push(e, flagsImage(e)), 0x9d];
}

/** IRET to the next instruction, with any status flags. */
function iret(e: Encoder): number[] {
  const image = push(e, flagsImage(e));
  if (e.mode === 64) return [0x8c, 0xd1, 0x48, 0x89, 0xe0, 0x51, 0x50, ...image, 0x8c, 0xc9, 0x51, 0x48, 0x8d, 0x05, 3, 0, 0, 0, 0x50, 0x48, 0xcf];
  // push cs; call the next; add [sp], what is left behind that; iret
  if (e.mode === 32) return [...image, 0x0e, 0xe8, 0, 0, 0, 0, 0x83, 0x04, 0x24, 5, 0xcf];
  return [...image, 0x0e, 0xe8, 0, 0, 0x67, 0x83, 0x04, 0x24, 6, 0xcf];
}

/** Sets flags. */
export function flagProducer(e: Encoder): number[] {
  const { r, mode } = e;
  const size = e.size();
  const wide = size === 1 ? 0 : 1;
  const wideSize = size === 1 ? 4 : size;
  const memory = r.chance(25);
  const reg = e.register();
  switch (r.below(22)) {
    case 0: case 1: case 2:
      return popf(e);
    case 3:
      return r.chance(30) && !e.pure ? iret(e) : popf(e);
    case 4:
      return [0xb4, r.next() & 0xff, 0x9e]; // mov ah, n; sahf
    case 5:
      return r.of([[0xf5], [0xf8], [0xf9], [0xf9], [0x9e]]);
    case 6: case 7:
      return e.modrm([r.below(8) * 8 + r.of([0, 2]) + wide], reg, size, memory);
    case 8:
      return e.modrm([0x83], r.below(8), wideSize, memory, [r.of([0, 1, 0xff, 0x80, 0x7f])]);
    case 9:
      return e.modrm([0x84 + wide], reg, size, memory);
    case 10: case 11:
      return e.modrm([0xfe + wide], r.below(2), size, memory); // inc, dec
    case 12:
      return e.modrm([0xf6 + wide], 3, size, memory); // neg
    case 13:
      return e.modrm([0xc0 + wide], r.below(8), size, memory, [r.of([0, 1, 3, 8, 16, 31, 32, 33, 63, 64, 200])]);
    case 14:
      return [...(r.chance(60) ? [0xb1, r.of([0, 0x20, 0x40, 1, 7])] : []), ...e.modrm([0xd2 + wide], r.below(8), size, memory)]; // mov cl, n; shift by cl
    case 15:
      return e.modrm([0x0f, 0xba], 4 + r.below(4), wideSize, memory, [r.below(256)]);
    case 16:
      return e.modrm([0x0f, r.of([0xa3, 0xab, 0xb3, 0xbb])], reg, wideSize, false);
    case 17:
      return e.modrm([0x0f, r.of([0x2e, 0x2f])], r.below(8), 0, memory, [], r.of([[], [0x66]])); // ucomis, comis
    case 18:
      return e.pure ? keptProducer(e) : r.of([[0xd9, 0xe8], [0xd9, 0xee], [0xdb, 0xf0], [0xdb, 0xe9], [0xdf, 0xf1], [0xdb, 0xe3], [0xd9, 0xf7]]); // fld1, fldz, fcomi, fucomi, fcomip, fninit, fincstp
    case 19:
      return e.modrm([0x0f, r.of([0xb0, 0xc0]) + wide], reg, size, memory); // cmpxchg, xadd
    case 20:
      return r.of([e.modrm([0x0f, r.of([0xbc, 0xbd])], reg, wideSize, memory, [], r.chance(40) ? [0xf3] : []), e.modrm([0x0f, 0xaf], reg, wideSize, memory), e.modrm([0x0f, r.of([0xa4, 0xac])], reg, wideSize, memory, [r.of([0, 1, 7, 31])])]);
    default:
      return mode === 64 ? e.modrm([0xff], r.below(2), 8, false) : [0x40 + r.of([0, 1, 2, 5, 8, 9, 10, 13])]; // inc and dec in their short form
  }
}

/** Additions, subtractions, comparisons, counts, shifts and rotations of any width: what regions keep the operands of. */
export function keptProducer(e: Encoder): number[] {
  const { r } = e;
  const size = e.size();
  const wide = size === 1 ? 0 : 1;
  switch (r.below(8)) {
    case 0: case 1: case 2: case 3:
      return e.modrm([r.of([0, 5, 7, 7, 7]) * 8 + 2 + wide], e.register(), size, r.chance(20));
    case 4:
      return e.modrm([0xfe + wide], r.below(2), size, false);
    case 5:
      return e.modrm([0xc0 + wide], r.below(8), size, false, [r.of([0, 1, 1, 4, 31])]);
    case 6:
      return e.modrm([0xd2 + wide], r.below(8), size, false);
    default:
      return e.modrm([0x0f, 0xaf], e.register(), size === 1 ? 4 : size, false);
  }
}

/** Reads flags and keeps what it found. */
export function flagConsumer(e: Encoder): number[] {
  const { r, mode } = e;
  const size = e.size();
  const wide = size === 1 ? 0 : 1;
  const memory = r.chance(20);
  const reg = e.register();
  switch (r.below(12)) {
    case 0: case 1: case 2:
      return e.modrm([0x0f, 0x90 + r.below(16)], 0, 1, memory);
    case 3: case 4:
      return e.modrm([0x0f, 0x40 + r.below(16)], reg, e.wideSize(), memory);
    case 5: case 6:
      return e.modrm([r.of([0x10, 0x18, 0x12, 0x1a]) + wide], reg, size, memory);
    case 7:
      return e.modrm([0xd0 + wide], 2 + r.below(2), size, memory); // rcl, rcr
    case 8:
      return e.modrm([0xd2 + wide], 2 + r.below(2), size, memory);
    case 9:
      return [0x9f]; // lahf
    case 10:
      return [0x9c, 0x58 + r.of([A, C])];
    default:
      return mode === 64 || e.pure ? [0xf5] : r.of([[0x27], [0x2f], [0x37], [0xd6], [0xce]]).slice(0, r.chance(90) ? 1 : 0).concat([0x9f]); // cmc; daa, das, aaa, salc, into
  }
}
