/** Bytes and numbers as GDB's packets write them: two hexadecimal digits a byte, registers in the target's byte order. */

export const toHex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

/** Undefined for what is not an even number of hexadecimal digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** A register's value, little endian; `x` digits for one that is not known. */
export function littleEndian(value: bigint | undefined, bits: number): string {
  const digits = bits / 4;
  if (value === undefined) return 'x'.repeat(digits);
  return BigInt.asUintN(bits, value).toString(16).padStart(digits, '0').match(/../g)!.reverse().join('');
}

export function fromLittleEndian(text: string): bigint | undefined {
  const bytes = text === '' ? undefined : fromHex(text);
  return bytes && BigInt('0x' + toHex(bytes.reverse()));
}

/** An address or length: big-endian hexadecimal digits. */
export const parseNumber = (text: string | undefined): bigint | undefined => (text !== undefined && /^[0-9a-fA-F]+$/.test(text) ? BigInt('0x' + text) : undefined);

export const textToHex = (text: string): string => toHex(new TextEncoder().encode(text));
