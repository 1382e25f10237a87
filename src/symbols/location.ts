import { bytesOf, Frame } from './frame';
import { REGISTER_NAMES } from './registers';

/** Where a value is. */
export type Location =
  | { readonly kind: 'memory'; readonly address: bigint }
  /** In a register (x86-64 DWARF number), starting at byte `offset` of it. */
  | { readonly kind: 'register'; readonly register: number; readonly offset: number }
  /** Nowhere: the debug information says what the value is. Cannot be assigned. */
  | { readonly kind: 'value'; readonly bytes: Uint8Array }
  /** In several places, in order; sizes and offsets in bits. */
  | { readonly kind: 'pieces'; readonly pieces: readonly Piece[] }
  /** `reason` is a clause for the user, such as `optimized out`. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface Piece {
  readonly location: Location;
  readonly bits: number;
  /** Bits to skip inside the location. */
  readonly bitOffset: number;
}

export type ReadResult = { readonly bytes: Uint8Array } | { readonly reason: string };

export const unavailable = (reason: string): Location => ({ kind: 'unavailable', reason });

/** Copies `count` bits between little-endian byte arrays. */
const copyBits = (from: Uint8Array, fromBit: number, to: Uint8Array, toBit: number, count: number): void => {
  for (let i = 0; i < count; i++) {
    const source = fromBit + i;
    const target = toBit + i;
    if ((from[source >> 3] >> (source & 7)) & 1) to[target >> 3] |= 1 << (target & 7);
  }
};

/** Reads `size` bytes from a location in a frame, or says why that is impossible. */
export const readLocation = (location: Location, size: number, frame: Pick<Frame, 'register' | 'memory'>): ReadResult => {
  switch (location.kind) {
    case 'memory': {
      const bytes = frame.memory(location.address, size);
      return bytes ? { bytes } : { reason: `cannot read memory at 0x${location.address.toString(16)}` };
    }
    case 'register': {
      const value = frame.register(location.register);
      if (value === undefined) return { reason: `${REGISTER_NAMES[location.register] ?? `register ${location.register}`} is not known in this frame` };
      return { bytes: bytesOf(value >> BigInt(8 * location.offset), size) };
    }
    case 'value': {
      if (location.bytes.length >= size) return { bytes: location.bytes.subarray(0, size) };
      const bytes = new Uint8Array(size);
      bytes.set(location.bytes);
      return { bytes };
    }
    case 'pieces': {
      const bytes = new Uint8Array(size);
      let at = 0;
      for (const piece of location.pieces) {
        const bits = Math.min(piece.bits, size * 8 - at);
        if (bits <= 0) break;
        const part = readLocation(piece.location, Math.ceil((piece.bitOffset + bits) / 8), frame);
        if ('reason' in part) return { reason: `partly unavailable: ${part.reason}` };
        copyBits(part.bytes, piece.bitOffset, bytes, at, bits);
        at += piece.bits;
      }
      return at < size * 8 && location.pieces.length === 0 ? { reason: 'optimized out' } : { bytes };
    }
    case 'unavailable':
      return { reason: location.reason };
  }
};

/** The location of a part (a member, an element) `offset` bytes inside another. */
export const partOf = (location: Location, offset: number): Location => {
  if (offset === 0) return location;
  switch (location.kind) {
    case 'memory': return { kind: 'memory', address: BigInt.asUintN(64, location.address + BigInt(offset)) };
    case 'register': return { ...location, offset: location.offset + offset };
    case 'value': return { kind: 'value', bytes: location.bytes.subarray(offset) };
    case 'unavailable': return location;
    case 'pieces': {
      const pieces: Piece[] = [];
      let skip = offset * 8;
      for (const piece of location.pieces) {
        if (skip >= piece.bits) skip -= piece.bits;
        else {
          pieces.push({ location: piece.location, bits: piece.bits - skip, bitOffset: piece.bitOffset + skip });
          skip = 0;
        }
      }
      // A part that is one whole piece of bytes is simply there, and can be assigned.
      const [first] = pieces;
      return pieces.length === 1 && first.bitOffset % 8 === 0 ? partOf(first.location, first.bitOffset / 8) : { kind: 'pieces', pieces };
    }
  }
};
