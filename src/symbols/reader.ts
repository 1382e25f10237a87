import { UserError } from '../base/errors';

const utf8 = new TextDecoder();

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

  /** Unsigned LEB128 that fits a number (up to 2^53). */
  uleb(): number {
    let byte = this.u8();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 128;
    do {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte & 0x80);
    if (value > Number.MAX_SAFE_INTEGER) this.damaged();
    return value;
  }

  /** Signed LEB128 that fits a number. */
  sleb(): number {
    let byte = this.u8();
    if (byte < 0x80) return byte & 0x40 ? byte - 0x80 : byte;
    let value = byte & 0x7f;
    let scale = 128;
    do {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte & 0x80);
    return byte & 0x40 ? value - scale : value;
  }

  /** Unsigned LEB128 of up to 64 bits. */
  ulebBig(): bigint {
    let value = 0n;
    let shift = 0n;
    let byte;
    do {
      byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
    } while (byte & 0x80);
    return BigInt.asUintN(64, value);
  }

  /** Signed LEB128 of up to 64 bits. */
  slebBig(): bigint {
    const first = this.view.getUint8(this.take(1));
    if (first < 0x80) return BigInt(first & 0x40 ? first - 0x80 : first);
    let value = BigInt(first & 0x7f);
    let shift = 7n;
    let byte;
    do {
      byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
    } while (byte & 0x80);
    return byte & 0x40 ? value - (1n << shift) : value;
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
