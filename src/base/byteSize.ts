/** Sizes for people. */

const UNITS: readonly [bytes: bigint, unit: string][] = [
  [1n << 60n, 'EiB'],
  [1n << 50n, 'PiB'],
  [1n << 40n, 'TiB'],
  [1n << 30n, 'GiB'],
  [1n << 20n, 'MiB'],
  [1n << 10n, 'KiB'],
];

/** A number of bytes in the largest unit that fits, to two decimals at most and marked `~` where they are not exact: `637 KiB`, `~3.5 GiB`, `1 byte`. */
export function byteSize(bytes: bigint): string {
  const found = UNITS.find(([size]) => bytes >= size);
  if (!found) return bytes === 1n ? '1 byte' : `${bytes} bytes`;
  const [size, unit] = found;
  const hundredths = (bytes * 100n + size / 2n) / size;
  const exact = hundredths * size === bytes * 100n;
  const fraction = (hundredths % 100n).toString().padStart(2, '0').replace(/0+$/, '');
  return `${exact ? '' : '~'}${hundredths / 100n}${fraction ? '.' + fraction : ''} ${unit}`;
}
