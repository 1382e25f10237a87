/**
 * Decompression of zlib data (RFC 1950 and RFC 1951), for compressed debug sections. The size of the result is known
 * beforehand (ELF's compression header), so the output is one buffer that never grows.
 */

/** Base and extra bits of the length codes 257 to 285 (RFC 1951, "Compressed blocks"). */
const LENGTH_BASE = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
/** Order in which the lengths of the code-length code are stored. */
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LONGEST_CODE = 15;

/** A canonical Huffman code: how many codes each length has, and the symbols in code order. */
interface Code {
  counts: Uint16Array;
  symbols: Uint16Array;
}

const codeOf = (lengths: ArrayLike<number>): Code => {
  const counts = new Uint16Array(LONGEST_CODE + 1);
  for (let i = 0; i < lengths.length; i++) counts[lengths[i]]++;
  counts[0] = 0;
  const next = new Uint16Array(LONGEST_CODE + 2);
  for (let length = 1; length <= LONGEST_CODE; length++) next[length + 1] = next[length] + counts[length];
  const symbols = new Uint16Array(lengths.length);
  for (let i = 0; i < lengths.length; i++) if (lengths[i]) symbols[next[lengths[i]]++] = i;
  return { counts, symbols };
};

const fixedLengths = Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
const FIXED = { literals: codeOf(fixedLengths), distances: codeOf(new Array<number>(30).fill(5)) };

class Inflater {
  private held = 0;
  private heldBits = 0;
  private written = 0;

  constructor(
    private readonly input: Uint8Array,
    private position: number,
    private readonly output: Uint8Array,
  ) {}

  private bits(count: number): number {
    while (this.heldBits < count) {
      if (this.position >= this.input.length) throw new RangeError('compressed data ends early');
      this.held |= this.input[this.position++] << this.heldBits;
      this.heldBits += 8;
    }
    const value = this.held & ((1 << count) - 1);
    this.held >>>= count;
    this.heldBits -= count;
    return value;
  }

  /** Reads one symbol bit by bit: codes of one length are consecutive, so comparing with the first of each is enough. */
  private symbol(code: Code): number {
    let value = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= LONGEST_CODE; length++) {
      value |= this.bits(1);
      const count = code.counts[length];
      if (value - first < count) return code.symbols[index + value - first];
      index += count;
      first = (first + count) << 1;
      value <<= 1;
    }
    throw new RangeError('compressed data holds an impossible code');
  }

  private put(byte: number): void {
    if (this.written >= this.output.length) throw new RangeError('compressed data is longer than announced');
    this.output[this.written++] = byte;
  }

  private stored(): void {
    this.held = 0;
    this.heldBits = 0;
    const length = this.input[this.position] | (this.input[this.position + 1] << 8);
    this.position += 4;
    if (this.position + length > this.input.length || this.written + length > this.output.length) throw new RangeError('compressed data ends early');
    this.output.set(this.input.subarray(this.position, this.position + length), this.written);
    this.position += length;
    this.written += length;
  }

  private dynamicCodes(): { literals: Code; distances: Code } {
    const literalCount = this.bits(5) + 257;
    const distanceCount = this.bits(5) + 1;
    const order = new Uint8Array(19);
    const orderCount = this.bits(4) + 4;
    for (let i = 0; i < orderCount; i++) order[CODE_LENGTH_ORDER[i]] = this.bits(3);
    const lengthCode = codeOf(order);
    const lengths = new Uint8Array(literalCount + distanceCount);
    for (let i = 0; i < lengths.length; ) {
      const symbol = this.symbol(lengthCode);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      const value = symbol === 16 ? lengths[i - 1] : 0;
      let repeat = symbol === 16 ? 3 + this.bits(2) : symbol === 17 ? 3 + this.bits(3) : 11 + this.bits(7);
      while (repeat-- > 0 && i < lengths.length) lengths[i++] = value;
    }
    return { literals: codeOf(lengths.subarray(0, literalCount)), distances: codeOf(lengths.subarray(literalCount)) };
  }

  private compressed(literals: Code, distances: Code): void {
    for (;;) {
      const symbol = this.symbol(literals);
      if (symbol === 256) return;
      if (symbol < 256) {
        this.put(symbol);
        continue;
      }
      const length = LENGTH_BASE[symbol - 257] + this.bits(LENGTH_EXTRA[symbol - 257]);
      const distanceCode = this.symbol(distances);
      const extra = distanceCode < 4 ? 0 : (distanceCode >> 1) - 1;
      const distance = distanceCode < 4 ? distanceCode + 1 : ((2 + (distanceCode & 1)) << extra) + 1 + this.bits(extra);
      if (distance > this.written) throw new RangeError('compressed data refers to before its start');
      for (let i = 0; i < length; i++) this.put(this.output[this.written - distance]);
    }
  }

  run(): void {
    let last;
    do {
      last = this.bits(1);
      const kind = this.bits(2);
      if (kind === 0) this.stored();
      else if (kind === 1) this.compressed(FIXED.literals, FIXED.distances);
      else if (kind === 2) {
        const codes = this.dynamicCodes();
        this.compressed(codes.literals, codes.distances);
      } else throw new RangeError('compressed data holds an unknown block');
    } while (!last);
    if (this.written !== this.output.length) throw new RangeError('compressed data is shorter than announced');
  }
}

/** Inflates a zlib stream into exactly `size` bytes. Throws RangeError when the data is damaged. */
export const inflate = (zlib: Uint8Array, size: number): Uint8Array => {
  const output = new Uint8Array(size);
  new Inflater(zlib, 2, output).run();
  return output;
};
