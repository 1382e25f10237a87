import { Reader } from './reader';
import { countWhile } from './sorted';

/** A symbol of an ELF file (System V ABI, "Symbol Table"). */
export interface ElfSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly size: bigint;
  /** STT_NOTYPE 0, STT_OBJECT 1, STT_FUNC 2. */
  readonly type: number;
  /** STB_LOCAL 0, STB_GLOBAL 1, STB_WEAK 2. */
  readonly binding: number;
  readonly section: number;
}

const STT_SECTION = 3;
const STT_FILE = 4;
const STT_TLS = 6;

/** 32 bits of address and this many indices fit the 53 bits of a double. */
const MOST_PER_HALF = 2 ** 21;

/** Where a symbol has its parts, by the file's class. */
const LAYOUT = {
  32: { size: 16, address: 4, length: 8, info: 12, section: 14 },
  64: { size: 24, address: 8, length: 16, info: 4, section: 6 },
} as const;

/** Strings of a string section by what they are: a hash table whose entries are their numbers. */
class NameTable {
  /** By hash: one more than the number of the last string that has it. */
  private readonly heads: Uint32Array;
  /** By number: one more than that of the string before it with the same hash. */
  private readonly before: Uint32Array;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly offsets: Uint32Array,
  ) {
    this.heads = new Uint32Array(2 ** Math.ceil(Math.log2(offsets.length + 1)));
    this.before = new Uint32Array(offsets.length);
    for (let i = 0; i < offsets.length; i++) {
      const slot = this.slot(bytes, offsets[i]);
      this.before[i] = this.heads[slot];
      this.heads[slot] = i + 1;
    }
  }

  /** FNV-1a of the bytes up to a zero byte or the end. */
  private slot(bytes: Uint8Array, at: number): number {
    let hash = 0x811c9dc5;
    for (; bytes[at]; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
    return (hash >>> 0) & (this.heads.length - 1);
  }

  /** Numbers of the strings that have these bytes, ascending. */
  find(name: Uint8Array): number[] {
    const found: number[] = [];
    for (let entry = this.heads[this.slot(name, 0)]; entry > 0; entry = this.before[entry - 1]) {
      const at = this.offsets[entry - 1];
      let same = 0;
      while (same < name.length && this.bytes[at + same] === name[same]) same++;
      if (same === name.length && !this.bytes[at + same]) found.unshift(entry - 1);
    }
    return found;
  }
}

/**
 * The symbols of a file, sorted by address. A kernel has a hundred thousand, of which few are ever looked at: the table
 * keeps where they are, and makes an object of one (always the same) when it is asked for.
 */
export class SymbolTable {
  /** Positions in the section, sorted by address. */
  private readonly positions: Uint32Array;
  private readonly addresses: BigUint64Array;
  private readonly made = new Map<number, ElfSymbol>();
  private names: NameTable | undefined;

  constructor(
    private readonly entries: Reader,
    private readonly strings: Reader,
    private readonly bits: 32 | 64,
  ) {
    const layout = LAYOUT[bits];
    const view = new DataView(entries.bytes.buffer, entries.bytes.byteOffset, entries.bytes.byteLength);
    // By the upper halves of addresses: within one, half and index fit a double, and doubles sort without a comparison of ours.
    const halves = new Map<number, number[]>();
    let count = 0;
    for (let at = layout.size; at + layout.size <= entries.end; at += layout.size) {
      const type = view.getUint8(at + layout.info) & 15;
      if (type === STT_SECTION || type === STT_FILE || type === STT_TLS || view.getUint16(at + layout.section, true) === 0 || view.getUint32(at, true) === 0) continue;
      const upper = bits === 64 ? view.getUint32(at + layout.address + 4, true) : 0;
      const known = halves.get(upper);
      if (known) known.push(at);
      else halves.set(upper, [at]);
      count++;
    }
    this.positions = new Uint32Array(count);
    this.addresses = new BigUint64Array(count);
    let index = 0;
    for (const upper of [...halves.keys()].sort((a, b) => a - b)) {
      const list = halves.get(upper)!;
      if (list.length > MOST_PER_HALF) entries.damaged();
      const keys = new Float64Array(list.length);
      for (let i = 0; i < list.length; i++) keys[i] = view.getUint32(list[i] + layout.address, true) * MOST_PER_HALF + i;
      keys.sort();
      for (const key of keys) {
        this.positions[index] = list[key % MOST_PER_HALF];
        this.addresses[index++] = (BigInt(upper) << 32n) | BigInt(Math.floor(key / MOST_PER_HALF));
      }
    }
  }

  static readonly NONE = new SymbolTable(new Reader(new Uint8Array(0), ''), new Reader(new Uint8Array(0), ''), 64);

  get length(): number {
    return this.positions.length;
  }

  /** The symbol at an index in the order of addresses. */
  at(index: number): ElfSymbol {
    let symbol = this.made.get(index);
    if (symbol) return symbol;
    const { address, length, info, section } = LAYOUT[this.bits];
    const position = this.positions[index];
    const reader = (offset: number): Reader => this.entries.at(position + offset);
    const word = this.bits / 8;
    symbol = {
      name: this.strings.at(reader(0).u32()).string(),
      address: reader(address).unsigned(word),
      size: reader(length).unsigned(word),
      type: reader(info).u8() & 15,
      binding: reader(info).u8() >> 4,
      section: reader(section).u16(),
    };
    this.made.set(index, symbol);
    return symbol;
  }

  /** All symbols, in the order of addresses. */
  *[Symbol.iterator](): IterableIterator<ElfSymbol> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }

  /** How many symbols begin at or before an address: the index behind the last of them. */
  countUpTo(address: bigint): number {
    return countWhile(this.length, (i) => this.addresses[i] <= address);
  }

  /** Symbols of a name, in the order of addresses. */
  named(name: string): ElfSymbol[] {
    const names = (this.names ??= new NameTable(this.strings.bytes, this.nameOffsets()));
    return names.find(new TextEncoder().encode(name)).map((index) => this.at(index));
  }

  /** Where the symbols' names begin, in the order of addresses. */
  private nameOffsets(): Uint32Array {
    const view = new DataView(this.entries.bytes.buffer, this.entries.bytes.byteOffset, this.entries.bytes.byteLength);
    return this.positions.map((position) => view.getUint32(position, true));
  }

  /** Addresses of functions that have a size. */
  functions(): bigint[] {
    const { length, info } = LAYOUT[this.bits];
    const view = new DataView(this.entries.bytes.buffer, this.entries.bytes.byteOffset, this.entries.bytes.byteLength);
    const addresses: bigint[] = [];
    for (let index = 0; index < this.length; index++) {
      const at = this.positions[index];
      if ((view.getUint8(at + info) & 15) === 2 && view.getUint32(at + length, true) > 0) addresses.push(this.addresses[index]);
    }
    return addresses;
  }
}

