import { UserError } from '../base/errors';

const utf8 = new TextDecoder();
/** In place of a length of 32 bits: one of 64 follows. */
const IS_64_BIT = 0xffffffff;

/**
 * A cursor over little-endian bytes. Every read checks the end: a damaged file gives a UserError that names `what`
 * (the file and section), never a wrong value.
 */
export class Reader {
  constructor(
    readonly bytes: Uint8Array,
    readonly what: string,
    public position = 0,
    readonly end = bytes.length,
    private readonly view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  ) {}

  /** Another cursor over the same bytes, which costs next to nothing. */
  at(position: number, end = this.bytes.length): Reader {
    return new Reader(this.bytes, this.what, position, Math.min(end, this.bytes.length), this.view);
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  private take(count: number): number {
    const at = this.position;
    if (!(count >= 0 && at >= 0 && at + count <= this.end)) this.damaged();
    this.position = at + count;
    return at;
  }

  /** Throws the UserError of a damaged file. */
  damaged(): never {
    throw new UserError('symbols.damaged', `${this.what} is damaged at offset 0x${this.position.toString(16)}: build or copy the file again.`);
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }

  i8(): number {
    return this.view.getInt8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u24(): number {
    return this.u16() | (this.u8() << 16);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  /** DWARF's initial length, which begins each unit of a section: how wide offsets in it are, and where it ends. */
  initialLength(): { offsetSize: 4 | 8; end: number } {
    const short = this.u32();
    const offsetSize = short === IS_64_BIT ? 8 : 4;
    const length = offsetSize === 8 ? this.offset(8) : short;
    const end = this.position + length;
    if (end > this.end) this.damaged();
    return { offsetSize, end };
  }

  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  /** Unsigned integer of 1 to 8 bytes. */
  unsigned(size: number): bigint {
    switch (size) {
      case 1: return BigInt(this.u8());
      case 2: return BigInt(this.u16());
      case 4: return BigInt(this.u32());
      case 8: return this.u64();
      default: return this.damaged();
    }
  }

  /** A 4- or 8-byte offset or length inside the file, as a number. */
  offset(size: number): number {
    if (size === 4) return this.u32();
    const value = this.u64();
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? this.damaged() : Number(value);
  }

  /** The last byte of the LEB128 that `groups` or `bigGroups` has read, and its bits. */
  private lastByte = 0;
  private lebBits = 0;

  /** Groups of seven bits, of which the first has been read. */
  private groups(first: number): number {
    let value = first & 0x7f;
    let scale = 128;
    let bits = 7;
    let byte;
    do {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      bits += 7;
    } while (byte & 0x80);
    this.lastByte = byte;
    this.lebBits = bits;
    return value;
  }

  private bigGroups(first: number): bigint {
    let value = BigInt(first & 0x7f);
    let bits = 7;
    let byte;
    do {
      byte = this.u8();
      value |= BigInt(byte & 0x7f) << BigInt(bits);
      bits += 7;
    } while (byte & 0x80);
    this.lastByte = byte;
    this.lebBits = bits;
    return value;
  }

  /** Unsigned LEB128 that fits a number (up to 2^53). */
  uleb(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    const value = this.groups(first);
    if (value > Number.MAX_SAFE_INTEGER) this.damaged();
    return value;
  }

  /** Signed LEB128 that fits a number. */
  sleb(): number {
    const first = this.u8();
    if (first < 0x80) return first & 0x40 ? first - 0x80 : first;
    const value = this.groups(first);
    return this.lastByte & 0x40 ? value - 2 ** this.lebBits : value;
  }

  /** Unsigned LEB128 of up to 64 bits. */
  ulebBig(): bigint {
    const first = this.u8();
    return first < 0x80 ? BigInt(first) : BigInt.asUintN(64, this.bigGroups(first));
  }

  /** Signed LEB128 of up to 64 bits. */
  slebBig(): bigint {
    const first = this.u8();
    if (first < 0x80) return BigInt(first & 0x40 ? first - 0x80 : first);
    const value = this.bigGroups(first);
    return this.lastByte & 0x40 ? value - (1n << BigInt(this.lebBits)) : value;
  }

  /** Steps over an LEB128 of either sign. */
  skipLeb(): void {
    while (this.u8() & 0x80);
  }

  /** A string that ends with a zero byte, as UTF-8. */
  string(): string {
    const start = this.position;
    const stop = this.bytes.indexOf(0, start);
    if (stop < 0 || stop >= this.end) this.damaged();
    this.position = stop + 1;
    return decodeText(this.bytes.subarray(start, stop));
  }

  /** Steps over a string that ends with a zero byte. */
  skipString(): void {
    const stop = this.bytes.indexOf(0, this.position);
    if (stop < 0 || stop >= this.end) this.damaged();
    this.position = stop + 1;
  }

  block(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  skip(length: number): void {
    this.take(length);
  }
}

/** UTF-8 to string; the short ASCII names that fill symbol tables do not pay for a decoder call. */
export const decodeText = (bytes: Uint8Array): string => {
  if (bytes.length > 48) return utf8.decode(bytes);
  let text = '';
  for (const byte of bytes) {
    if (byte >= 0x80) return utf8.decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
};
