/** What the firmware's tables are written with: little-endian numbers, names of fixed length, and the sum that checks them. */

export const ascii = (text: string, length: number): number[] => [...text.padEnd(length)].map((c) => c.charCodeAt(0));
export const u16 = (v: number): number[] => [v & 0xff, (v >> 8) & 0xff];
export const u32 = (v: number): number[] => [...u16(v), ...u16(v >>> 16)];
/** An integer below 2^53. */
export const u64 = (v: number): number[] => [...u32(v % 2 ** 32), ...u32(Math.floor(v / 2 ** 32))];
/** The byte that makes all bytes add up to 0. */
export const checksum = (bytes: readonly number[]): number => -bytes.reduce((sum, b) => sum + b, 0) & 0xff;
