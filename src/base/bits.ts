/** Bit and 64-bit helpers. A 64-bit value on a hot path is a (low, high) pair of 32-bit numbers; elsewhere a bigint. */

export const MASK32 = 0xffff_ffffn;
export const MASK64 = 0xffff_ffff_ffff_ffffn;

/** Joins a (low, high) pair, each signed or unsigned, to an unsigned 64-bit value. */
export const join64 = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

/** Low 32 bits of a 64-bit value, as an unsigned number. */
export const low32 = (value: bigint): number => Number(value & MASK32);

/** High 32 bits of a 64-bit value, as an unsigned number. */
export const high32 = (value: bigint): number => Number((value >> 32n) & MASK32);

/** Lower-case hexadecimal with 0x, padded to `digits`. */
export const hex = (value: number | bigint, digits = 1): string =>
  '0x' + (typeof value === 'number' ? BigInt(value) : BigInt.asUintN(64, value)).toString(16).padStart(digits, '0');

/** Whether bit `n` is set. */
export const bit = (value: number, n: number): boolean => ((value >>> n) & 1) !== 0;

/** Whether a linear address is canonical for 48-bit linear addresses. */
export const isCanonical = (value: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, value)) === BigInt.asUintN(64, value);
