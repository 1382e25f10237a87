/** Sizes of memory as people write them: `512M`, `2G`, `65536K`, or a number of bytes. */

const UNITS: Record<string, number> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40, P: 2 ** 50 };
/** Below 2 MiB there is no room for a kernel above the first megabyte. */
export const LEAST_MEMORY = 2 * 2 ** 20;
/** What the machine can describe to its guest; it occupies only what is touched. */
export const MOST_MEMORY = 2 ** 40;

/** Yields the number of bytes, or the sentence that says what is wrong with `value`. `key` names where it stands. */
export function parseMemorySize(key: string, value: unknown): number | string {
  const text = typeof value === 'number' ? String(value) : value;
  const match = typeof text === 'string' ? /^\s*([0-9]+)\s*([KMGTP]?)(i?B)?\s*$/i.exec(text) : null;
  if (!match) return `"${key}" is ${JSON.stringify(value)}, which is not a size: write a number with K, M, G or T, as in "512M".`;
  const bytes = Number(match[1]) * UNITS[match[2]!.toUpperCase()]!;
  if (bytes < LEAST_MEMORY) {
    // A bare number counts bytes, which hardly anybody means.
    const meant = match[2] === '' && Number(match[1]) * UNITS['M']! >= LEAST_MEMORY && Number(match[1]) * UNITS['M']! <= MOST_MEMORY;
    return `"${key}" is ${JSON.stringify(value)}, but the machine needs 2M at least: ${meant ? `did you mean "${match[1]}M"?` : '"512M" suits most.'}`;
  }
  if (bytes > MOST_MEMORY) return `"${key}" is ${JSON.stringify(value)}, but the machine can have 1T at most: "512M" suits most.`;
  if (bytes % 4096 !== 0) return `"${key}" is ${JSON.stringify(value)}, which is not a whole number of 4-KiB pages.`;
  return bytes;
}
