/** Searches in the bytes of a section as they stand, which finds what a few units have without reading all of them. */

/** Where `wanted` stands in bytes. */
export const placesOf = (bytes: Uint8Array, wanted: Uint8Array): number[] => {
  const places: number[] = [];
  const last = wanted.length - 1;
  if (last < 0) return places;
  /** By the byte under the end of `wanted`: how far it can be moved on. */
  const shifts = new Uint16Array(256).fill(Math.min(wanted.length, 0xffff));
  for (let i = 0; i < last; i++) shifts[wanted[i]] = Math.min(last - i, 0xffff);
  for (let end = last; end < bytes.length; end += shifts[bytes[end]]) {
    let i = last;
    while (i >= 0 && bytes[end - last + i] === wanted[i]) i--;
    if (i < 0) places.push(end - last);
  }
  return places;
};

/** Where a text stands that ends with a zero byte. What precedes it is not looked at: linkers let a text share the end of a longer one. */
export const placesOfText = (bytes: Uint8Array, text: string): number[] => placesOf(bytes, new TextEncoder().encode(`${text}\0`));

/** With more numbers than this, nearly every byte in debug information seems to be the end of one. */
const FEW_ENDS = 2;

/**
 * Where one of some numbers of 32 bits stands in bytes, wherever it begins. It looks at pairs of bytes: at most places they are of
 * none of the numbers, and two or three places are passed at once.
 */
export const placesOfNumbers = (bytes: Uint8Array, numbers: readonly number[]): number[] => {
  const places: number[] = [];
  if (numbers.length === 0) return places;
  const wanted = new Set(numbers);
  // The highest byte of an offset is 0 as a rule, as are many other bytes: of several numbers it tells too little.
  const last = new Set(numbers.map((number) => number >>> 16)).size <= FEW_ENDS ? 3 : 2;
  /** By a pair of bytes: how far it is to the end of what is looked at of a number; `last` where they are in none. */
  const shifts = new Uint8Array(0x10000).fill(last);
  for (let distance = last - 1; distance >= 0; distance--) for (const number of wanted) shifts[(number >>> (8 * (last - 1 - distance))) & 0xffff] = distance;
  const { length } = bytes;
  const behind = 3 - last;
  let end = last;
  while (end + behind < length) {
    const shift = shifts[bytes[end - 1] | (bytes[end] << 8)];
    if (shift > 0) {
      end += shift;
      continue;
    }
    const at = end - last;
    const number = (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
    if (wanted.has(number)) places.push(at);
    end++;
  }
  return places;
};
