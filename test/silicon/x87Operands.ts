/** Random and edge operands for the x87: 80-bit values, memory operands, whole states as FSAVE images. */
import type { Random } from './random';
import type { MemoryKind } from './x87Forms';

const BIAS = 16383;
const INTEGER_BIT = 1n << 63n;

export const random64 = (r: Random): bigint => (BigInt(r.next()) << 32n) | BigInt(r.next());

/** A significand: random, sparse at the bottom, all ones, or one bit. */
function fraction(r: Random): bigint {
  switch (r.below(6)) {
    case 0:
      return 0n;
    case 1:
      return INTEGER_BIT - 1n;
    case 2:
      return (random64(r) >> BigInt(1 + r.below(62))) & (INTEGER_BIT - 1n);
    case 3: {
      const kept = BigInt(r.below(64));
      return ((random64(r) & (INTEGER_BIT - 1n)) >> kept) << kept;
    }
    default:
      return random64(r) & (INTEGER_BIT - 1n);
  }
}

/** 80 bits as a bigint. `near`: most exponents lie around it. */
export function extendedValue(r: Random, near = 0): bigint {
  const sign = BigInt(r.below(2)) << 79n;
  const pack = (exponent: number, significand: bigint): bigint => sign | (BigInt(exponent) << 64n) | significand;
  const number = (exponent: number): bigint => pack(Math.max(1, Math.min(0x7ffe, exponent + BIAS)), INTEGER_BIT | fraction(r));
  switch (r.below(32)) {
    case 0:
      return pack(0, 0n);
    case 1:
      return pack(BIAS, INTEGER_BIT);
    case 2:
      return pack(0, fraction(r) | BigInt(r.below(2)));
    case 3:
      return pack(0, INTEGER_BIT | fraction(r));
    case 4:
      return pack(0x7fff, INTEGER_BIT);
    case 5:
      return pack(0x7fff, INTEGER_BIT | (1n << 62n) | (fraction(r) >> 1n));
    case 6:
      return pack(0x7fff, INTEGER_BIT | (fraction(r) >> 1n) | 1n);
    case 7:
      return pack(1 + r.below(0x7fff), fraction(r));
    case 8:
      return number(0x3fff - r.below(70));
    case 9:
      return number(-0x3ffe + r.below(70));
    case 10:
    case 11:
      return number(r.below(0x8000) - BIAS);
    case 12:
      return number((r.below(2) ? 127 : -126) + r.below(60) - 30);
    case 13:
      return number((r.below(2) ? 1023 : -1022) + r.below(110) - 55);
    case 14:
    case 15: {
      // A small integer.
      const value = random64(r) >> BigInt(40 + r.below(24));
      if (value === 0n) return pack(0, 0n);
      const length = value.toString(2).length;
      return pack(BIAS + length - 1, value << BigInt(64 - length));
    }
    case 16:
    case 17:
    case 18:
    case 19:
      return number(near + r.below(9) - 4);
    case 20:
    case 21:
      return number(near + r.below(130) - 65);
    default:
      return number(near + r.below(40) - 20);
  }
}

function floatBits(r: Random, exponentBits: number, fractionBits: number): bigint {
  const sign = BigInt(r.below(2)) << BigInt(exponentBits + fractionBits);
  const maximum = (1 << exponentBits) - 1;
  const exponent = [0, 1, maximum, maximum - 1, r.below(maximum + 1), r.below(maximum + 1), (maximum >> 1) + r.below(30) - 15, (maximum >> 1) + r.below(30) - 15][r.below(8)]!;
  return sign | (BigInt(exponent) << BigInt(fractionBits)) | (fraction(r) >> BigInt(63 - fractionBits));
}

function bcd(r: Random): bigint {
  let value = 0n;
  for (let i = 0; i < 18; i++) value = (value << 4n) | BigInt(r.below(10));
  if (r.below(4) === 0) value >>= BigInt(4 * r.below(18));
  return value | (BigInt(r.below(2)) << 79n);
}

/** Control word: usually all exceptions masked; any rounding and precision. */
export function controlWord(r: Random): number {
  const masks = r.below(3) ? 0x3f : r.next() & 0x3f;
  return 0x40 | masks | (r.below(2) ? 0x300 : (r.next() & 3) << 8) | (r.below(2) ? 0 : (r.next() & 3) << 10);
}

/** FSAVE's image in the 32-bit format: environment and registers. */
export function stateImage(r: Random, near: number): Uint8Array {
  const image = new Uint8Array(112);
  const view = new DataView(image.buffer);
  const control = controlWord(r);
  const top = r.below(8);
  const pending = r.below(8) === 0 ? r.next() & 0x7f : 0;
  view.setUint32(0, 0xffff_0000 | control, true);
  view.setUint32(4, 0xffff_0000 | (top << 11) | (r.next() & 0x4700) | pending, true);
  // Mostly seven registers and one free for a push; sometimes anything.
  const choice = r.below(8);
  const free = choice < 5 ? 1 << ((top + 7) & 7) : choice === 5 ? 0 : choice === 6 ? r.next() & r.next() & 0xff : r.next() & 0xff;
  let tags = 0;
  for (let i = 0; i < 8; i++) if (free & (1 << i)) tags |= 3 << (2 * i);
  view.setUint32(8, 0xffff_0000 | tags, true);
  view.setUint32(12, r.next(), true);
  view.setUint32(16, (r.next() & 0x7ff) << 16, true);
  view.setUint32(20, r.next(), true);
  view.setUint32(24, 0xffff_0000, true);
  for (let i = 0; i < 8; i++) {
    const value = extendedValue(r, near);
    view.setBigUint64(28 + i * 10, value & 0xffff_ffff_ffff_ffffn, true);
    view.setUint16(36 + i * 10, Number(value >> 64n), true);
  }
  // Small counts for the shifts of MMX.
  if (r.below(4) === 0) for (let i = 0; i < 8; i++) if (r.below(2)) view.setBigUint64(28 + i * 10, BigInt(r.below(70)), true);
  // Now and then two equal operands, or opposite ones.
  if (r.below(8) === 0) {
    image.copyWithin(38, 28, 38);
    if (r.below(2)) image[47]! ^= 0x80;
    if (r.below(3) === 0) image[38]! ^= 1;
  }
  return image;
}

/** Bytes for a memory operand. */
export function memoryOperand(r: Random, kind: MemoryKind, wide: boolean): Uint8Array {
  const bytes = new Uint8Array(112);
  const view = new DataView(bytes.buffer);
  const integer = (): bigint => {
    const v = random64(r);
    return r.below(2) ? v : BigInt.asUintN(64, BigInt.asIntN(64, v) >> BigInt(r.below(64)));
  };
  switch (kind) {
    case 'single':
      view.setUint32(0, Number(floatBits(r, 8, 23)), true);
      break;
    case 'double':
      view.setBigUint64(0, floatBits(r, 11, 52), true);
      break;
    case 'extended': {
      const value = extendedValue(r);
      view.setBigUint64(0, value & 0xffff_ffff_ffff_ffffn, true);
      view.setUint16(8, Number(value >> 64n), true);
      break;
    }
    case 'bcd': {
      const value = bcd(r);
      view.setBigUint64(0, value & 0xffff_ffff_ffff_ffffn, true);
      view.setUint16(8, Number(value >> 64n), true);
      break;
    }
    case 'control':
      view.setUint16(0, r.below(2) ? controlWord(r) : r.next() & 0xffff, true);
      break;
    case 'environment': {
      const image = stateImage(r, 0);
      if (wide) bytes.set(image);
      else {
        const from = new DataView(image.buffer);
        for (let i = 0; i < 7; i++) view.setUint16(i * 2, from.getUint16(i * 4, true), true);
        view.setUint16(8, 0, true);
        bytes.set(image.subarray(28, 108), 14);
      }
      if (r.below(2)) view.setUint16(wide ? 4 : 2, r.next() & 0xffff, true);
      break;
    }
    default:
      view.setBigUint64(0, integer(), true);
  }
  return bytes;
}
