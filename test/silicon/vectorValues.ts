/** Random and edge values for general-purpose and vector registers: integers, floating-point numbers of every width, MXCSR. */
import type { Random } from './random';

/** What the bits of an instruction's operands most likely mean. */
export type Elements = 'integer' | 'single' | 'double' | 'half';

/** What an SSE instruction's operands are, by its mnemonic. */
export function elementsOf(mnemonic: string): Elements {
  const conversion = /^cvtt?(ps|ss|pd|sd)/.exec(mnemonic);
  const suffix = conversion ? conversion[1]! : mnemonic.slice(-2);
  if (mnemonic.startsWith('cvtdq') || mnemonic.startsWith('cvtsi')) return 'integer';
  return suffix === 'ps' || suffix === 'ss' ? 'single' : suffix === 'pd' || suffix === 'sd' ? 'double' : 'integer';
}

export const MXCSR_DEFAULT = 0x1f80;

const INTEGERS = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn];
/** Zero, denormals, the smallest and largest numbers, infinities, quiet and signalling NaNs, bounds of the integer conversions. */
const SINGLES = [
  0, 1, 2, 0x007f_ffff, 0x0040_0000, 0x0080_0000, 0x0080_0001, 0x7f7f_ffff, 0x7f80_0000, 0x7fc0_0000, 0x7fc1_2345, 0x7f80_0001, 0x7fbf_ffff, 0x3f80_0000, 0x3f00_0000, 0x3fc0_0000,
  0x4020_0000, 0x4f00_0000, 0x4eff_ffff, 0x5f00_0000, 0x5eff_ffff, 0x4b80_0000, 0x4b00_0001, 0x3f80_0001, 0x3f7f_ffff, 0x3380_0000, 0x2000_0000, 0x1fff_ffff,
];
const DOUBLES = [
  0n, 1n, 0x000f_ffff_ffff_ffffn, 0x0008_0000_0000_0000n, 0x0010_0000_0000_0000n, 0x0010_0000_0000_0001n, 0x7fef_ffff_ffff_ffffn, 0x7ff0_0000_0000_0000n, 0x7ff8_0000_0000_0000n,
  0x7ff8_1234_5678_9abcn, 0x7ff0_0000_0000_0001n, 0x7ff4_0000_0000_0000n, 0x3ff0_0000_0000_0000n, 0x3fe0_0000_0000_0000n, 0x3ff8_0000_0000_0000n, 0x4004_0000_0000_0000n,
  0x41e0_0000_0000_0000n, 0x41df_ffff_ffc0_0000n, 0x41df_ffff_ffe0_0000n, 0x43e0_0000_0000_0000n, 0x43df_ffff_ffff_ffffn, 0x4340_0000_0000_0000n, 0x4330_0000_0000_0001n,
  0x3810_0000_0000_0000n, 0x380f_ffff_ffff_ffffn, 0x36a0_0000_0000_0000n, 0x3690_0000_0000_0000n, 0x47ef_ffff_e000_0000n, 0x47ef_ffff_f000_0000n, 0x47f0_0000_0000_0000n, 0x3ff0_0000_0000_0001n,
];

export function integer(r: Random): bigint {
  switch (r.below(4)) {
    case 0:
      return INTEGERS[r.below(INTEGERS.length)]!;
    case 1:
      return BigInt.asUintN(64, BigInt.asIntN(1 + r.below(64), r.next64()));
    default:
      return r.next64();
  }
}

const floats = new DataView(new ArrayBuffer(8));
function single(r: Random): number {
  const sign = r.below(2) ? 0x8000_0000 : 0;
  switch (r.below(5)) {
    case 0:
      return (SINGLES[r.below(SINGLES.length)]! | sign) >>> 0;
    case 1: // small numbers with few digits: exact results
      floats.setFloat32(0, (r.below(2048) - 1024) / (1 << r.below(4)));
      return floats.getUint32(0);
    case 2: // near each other in size
      return (((120 + r.below(16)) << 23) | (r.next() & 0x7f_ffff) | sign) >>> 0;
    case 3: // at the edges of the exponent's range
      return (((r.below(2) ? r.below(28) : 254 - r.below(28)) << 23) | (r.next() & 0x7f_ffff) | sign) >>> 0;
    default:
      return r.next();
  }
}

/** A single near the range of half precision. */
function nearHalf(r: Random): number {
  if (r.below(3) === 0) return single(r);
  return (((r.next() & 0x8000_0000) | ((98 + r.below(50)) << 23) | (r.next() & 0x7f_ffff)) & (r.below(2) ? -1 : -1 << 12)) >>> 0;
}

function double(r: Random): bigint {
  const sign = r.below(2) ? 1n << 63n : 0n;
  const fraction = r.next64() & 0xf_ffff_ffff_ffffn;
  switch (r.below(5)) {
    case 0:
      return DOUBLES[r.below(DOUBLES.length)]! | sign;
    case 1:
      floats.setFloat64(0, (r.below(1 << 20) - (1 << 19)) / (1 << r.below(8)));
      return floats.getBigUint64(0);
    case 2:
      return (BigInt(1000 + r.below(80)) << 52n) | fraction | sign;
    case 3:
      return (BigInt(r.below(3) === 0 ? r.below(60) : r.below(2) ? 2046 - r.below(60) : 860 + r.below(300)) << 52n) | fraction | sign;
    default:
      return r.next64();
  }
}

export function quadword(r: Random, elements: Elements): bigint {
  const kind = r.below(12) === 0 ? 'integer' : elements;
  if (kind === 'integer') return integer(r);
  if (kind === 'half') return (BigInt(nearHalf(r)) << 32n) | BigInt(nearHalf(r));
  return kind === 'double' ? double(r) : (BigInt(single(r)) << 32n) | BigInt(single(r));
}

/** The default most often; other roundings, flags set before, denormals as zeros, unmasked exceptions. */
export function mxcsr(r: Random): number {
  let value = MXCSR_DEFAULT;
  if (r.below(2)) value |= r.below(64);
  if (r.below(3) === 0) value |= r.below(4) << 13;
  if (r.below(4) === 0) value |= 1 << 6;
  if (r.below(4) === 0) value |= 1 << 15;
  if (r.below(4) === 0) value &= ~((r.below(64) << 7) & 0x1f80);
  return value;
}
