/** SSE, AVX, MMX and x87: registers that live across blocks, and what reads them all at once. */
import type { Encoder } from './encoder';
import { dword } from './encoder';

/** Mandatory prefix, opcode, and whether an immediate follows: moves, integers, floats, shuffles, conversions, general-purpose registers. */
const SSE: readonly (readonly [prefix: number, opcode: number, immediate?: boolean])[] = [
  [0x66, 0x6f], [0x66, 0x7f], [0xf3, 0x6f], [0xf3, 0x7f], [0, 0x28], [0, 0x29], [0, 0x10], [0, 0x11], [0x66, 0x10], [0x66, 0x11], [0xf2, 0x10], [0xf2, 0x11], [0xf3, 0x10], [0xf3, 0x11],
  [0xf3, 0x7e], [0x66, 0xd6], [0x66, 0x6e], [0x66, 0x7e], [0, 0x12], [0, 0x16], [0x66, 0x12], [0x66, 0x17], [0xf3, 0x12], [0xf2, 0x12],
  [0x66, 0xef], [0x66, 0xfe], [0x66, 0xd4], [0x66, 0xdb], [0x66, 0xeb], [0x66, 0x74], [0x66, 0x66], [0x66, 0xf4], [0x66, 0xd5], [0x66, 0xe4], [0x66, 0xf6], [0x66, 0x63], [0x66, 0x67],
  [0, 0x57], [0, 0x54], [0, 0x58], [0x66, 0x58], [0xf2, 0x58], [0xf3, 0x58], [0xf2, 0x59], [0x66, 0x5c], [0xf3, 0x5e], [0xf2, 0x51], [0, 0x5d], [0x66, 0xc2, true], [0xf2, 0xc2, true],
  [0x66, 0x61], [0x66, 0x6c], [0, 0x14], [0x66, 0x70, true], [0xf2, 0x70, true], [0, 0xc6, true], [0x66, 0xc6, true],
  [0xf2, 0x2a], [0xf3, 0x2a], [0xf2, 0x2d], [0xf3, 0x2c], [0xf2, 0x5a], [0, 0x5b], [0xf3, 0xe6], [0, 0x5a],
]; // prettier-ignore
/** The same with 0F 38. */
const SSE_38 = [0x00, 0x08, 0x10, 0x14, 0x17, 0x1c, 0x29, 0x3b, 0x40, 0x20, 0x31] as const;
/** VEX.0F: pp and opcode of three-operand instructions, and of moves. */
const AVX: readonly (readonly [pp: number, opcode: number, two?: boolean])[] = [[0, 0x58], [1, 0xef], [1, 0xd4], [0, 0x57], [3, 0x59], [0, 0x10, true], [0, 0x11, true], [2, 0x6f, true], [2, 0x7f, true], [1, 0x6c], [1, 0xfe]]; // prettier-ignore
/** Round modes and masks of MXCSR; the last two let exceptions through. */
const MXCSR = [0x1f80, 0x3f80, 0x5f80, 0x7f80, 0x9fc0, 0x1f80, 0x1f80, 0x1e80] as const;

export function vectorPiece(e: Encoder): number[] {
  const { r, mode } = e;
  const register = (): number => r.below(mode === 64 && r.chance(30) ? 16 : 8);
  const memory = r.chance(45);
  switch (e.pure ? 7 + r.below(13) : r.below(20)) {
    case 0: {
      // VEX of 128 or 256 bits.
      const [pp, opcode, two] = r.of(AVX);
      const vvvv = two ? 0xf : 0xf ^ r.below(8);
      const tail = e.modrm([opcode], r.below(8), 0, false).slice(-1)[0]!;
      const modrm = memory ? (tail & 0x38) | (mode === 16 ? 5 : 7) : (tail & 0x38) | 0xc0 | r.below(8);
      return [0xc5, 0x80 | (vvvv << 3) | (r.below(2) << 2) | pp, opcode, modrm];
    }
    case 1:
      return [0xc5, 0xf8 | (r.below(2) << 2), 0x77]; // vzeroupper, vzeroall
    case 2: {
      // MXCSR through the stack.
      const at = [0x44, 0x24, 0xf8];
      return [...e.wideAddress, ...e.sizePrefix(4), 0xc7, ...at, ...dword(r.of(MXCSR)), ...e.wideAddress, 0x0f, 0xae, 0x44 | (2 << 3), 0x24, 0xf8];
    }
    case 3:
      return e.modrm([0x0f, 0xae], 3, 0, true); // stmxcsr
    case 4:
      // fxsave and fxrstor at an aligned place
      return r.chance(50) ? e.absolute([0x0f, 0xae], 0, 0, 0x7000) : e.absolute([0x0f, 0xae], r.chance(70) ? 0 : 1, 0, 0x7000);
    case 5:
      return r.of([e.modrm([0x0f, 0x6f], r.below(8), 0, memory), e.modrm([0x0f, 0x7f], r.below(8), 0, true), [0x0f, 0x77], [0x0f, 0xef, 0xc0 | r.below(64)], e.modrm([0xdd], r.of([0, 2, 3]), 0, true), e.modrm([0xd8], r.below(8), 0, true), [0xd8, 0xc0 | r.below(64)]]);
    case 6:
      return [0x0f, 0x50, 0xc0 | (r.of([0, 1, 2, 5]) << 3) | r.below(8)]; // movmskps
    case 7: case 8:
      return e.modrm([0x0f, 0x38, r.of(SSE_38)], register(), 0, memory, [], [0x66], r.chance(96));
    case 9:
      return e.modrm([0x0f, r.of([0x71, 0x72, 0x73])], r.of([2, 4, 6, 3, 7]), 0, false, [r.below(20)], [0x66]); // shifts by a number
    default: {
      const [prefix, opcode, immediate] = r.of(SSE);
      const wide = mode === 64 && r.chance(10) && prefix !== 0 ? 8 : 0;
      return e.modrm([0x0f, opcode], register(), wide, memory, immediate ? [r.next() & 0xff] : [], prefix ? [prefix] : [], r.chance(96));
    }
  }
}
