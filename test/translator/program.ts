/** Random programs: blocks of instructions with jumps, loops, calls and returns between them, code that changes itself, faults. */
import { dword, Encoder, POINTERS, Random, word } from './encoder';
import { flagConsumer, flagProducer, keptProducer } from './flagPieces';
import { otherPiece, pagingPiece, pointerPiece, segmentPiece, stackPiece, stringPiece } from './memoryPieces';
import { CODE, CODE_PAGES, DATA_SIZE, type Mode, Place, WINDOW } from './rig';
import { vectorPiece } from './vectorPieces';

/** A reference to a block: the opcode, the distance to `offset` bytes behind the block's start or its address, and what follows. */
export interface Reference {
  readonly opcode: readonly number[];
  block: number;
  readonly kind: 'near' | 'short' | 'address';
  readonly offset?: number;
  readonly tail?: readonly number[];
}
export type Piece = readonly number[] | Reference;
export interface Program {
  readonly blocks: readonly (readonly Piece[])[];
  /** Where the first one begins in the window. */
  readonly origin: number;
  /** Blocks at which the program is begun. Where these are few, loops are entered at their heads alone. */
  readonly entries: readonly number[];
  /** Whether it runs in user mode. */
  readonly user: boolean;
}

/** Weights of the sources of instructions; each program stresses some of them. */
const SOURCES = ['integer', 'flags', 'reading', 'memory', 'pointer', 'stack', 'string', 'segment', 'paging', 'vector', 'other', 'patch'] as const;
type Source = (typeof SOURCES)[number];
const WEIGHTS: Record<Source, number> = { integer: 20, flags: 10, reading: 8, memory: 14, pointer: 6, stack: 5, string: 2, segment: 2, paging: 1, vector: 6, other: 2, patch: 1 };
const STRESSED = 5;
/** Of programs in which everything is generated code. */
const PURE_WEIGHTS: typeof WEIGHTS = { integer: 20, flags: 10, reading: 8, memory: 14, pointer: 4, stack: 2, string: 0, segment: 0, paging: 0, vector: 6, other: 0, patch: 0 };

/** A block that begins with an addition whose number programs change. */
const PATCHABLE = [0x83, 0xc0, 1] as const;
const PATCHED = 2;

class Generator {
  private readonly e: Encoder;
  private readonly nested: boolean;
  private readonly weighted: Source[] = [];
  private readonly made: Piece[][] = [];

  constructor(
    private readonly r: Random,
    private readonly mode: Mode,
    private readonly blocks: number,
    private readonly user: boolean,
  ) {
    this.nested = r.chance(60);
    const pure = this.nested && r.chance(60);
    this.e = new Encoder(r, mode, user, pure);
    const stressed = r.chance(60) ? [r.of(SOURCES), r.of(SOURCES)] : [];
    for (const source of SOURCES) for (let n = (pure ? PURE_WEIGHTS : WEIGHTS)[source] * (stressed.includes(source) ? STRESSED : 1); n > 0; n--) this.weighted.push(source);
  }

  private piece(): Piece {
    const { e, r, mode } = this;
    switch (r.of(this.weighted)) {
      case 'integer':
        return this.integer(r.chance(20));
      case 'memory':
        return this.integer(true);
      case 'flags':
        return flagProducer(e);
      case 'reading':
        return flagConsumer(e);
      case 'pointer':
        return pointerPiece(e, POINTERS[mode]);
      case 'stack':
        return stackPiece(e);
      case 'string':
        return stringPiece(e);
      case 'segment':
        return segmentPiece(e);
      case 'paging':
        return pagingPiece(e);
      case 'vector':
        return vectorPiece(e);
      case 'patch':
        return this.patch();
      default:
        return otherPiece(e);
    }
  }

  /** Moves and arithmetic, mostly such as sets flags with a result. */
  private integer(memory: boolean): number[] {
    const { e, r, mode } = this;
    const size = e.size();
    const wide = size === 1 ? 0 : 1;
    const wideSize = size === 1 ? 4 : size;
    const reg = e.register();
    switch (r.below(14)) {
      case 0: case 1: case 2:
        return e.modrm([r.of([0x88, 0x8a]) + wide], reg, size, memory);
      case 3: case 4:
        return e.modrm([r.below(8) * 8 + r.of([0, 2]) + wide], reg, size, memory);
      case 5:
        return e.modrm([0x80 + wide], r.below(8), size, memory, e.immediate(size));
      case 6:
        return e.modrm([0xc6 + wide], 0, size, memory, e.immediate(size));
      case 7:
        return e.modrm([0x0f, r.of([0xb6, 0xb7, 0xbe, 0xbf])], reg, wideSize, memory);
      case 8:
        return e.modrm([0x86 + wide], reg, size, memory);
      case 9:
        return e.modrm([0x8d], reg, wideSize, true);
      case 10:
        return mode === 64 ? e.modrm([0x63], reg, 8, memory) : e.modrm([0x6b], reg, wideSize, memory, e.immediate(1));
      case 11:
        return e.modrm([0x0f, r.of([0xa3, 0xab, 0xb3, 0xbb])], reg, wideSize, memory && r.chance(30));
      case 12:
        return e.modrm([0xf6 + wide], r.of([2, 4, 5]), size, memory);
      default:
        return mode === 64 && r.chance(30) ? [0x48, 0xb8 + r.of([0, 1, 2, 5]), ...dword(r.next()), ...dword(r.next())] : e.set(reg, r.of([r.next(), 0, 1, 0x7f, 0xffff_ffff | 0]));
    }
  }

  /** A store into the number of a block's first instruction, in place or through another mapping of the page. */
  private patch(): Piece {
    const { r, mode } = this;
    const patchable = this.made.flatMap((pieces, i) => (pieces[0] === PATCHABLE ? [i] : []));
    if (patchable.length === 0) return [];
    const block = r.of(patchable);
    const offset = PATCHED + (r.chance(30) ? Place.CODE_ALIAS - Place.CODE : 0);
    const direct = mode === 16 ? 0x06 : 0x05;
    const [opcode, tail] = r.of<readonly [number[], number[]]>([[[0xfe, direct], []], [[0xc6, direct], [r.next() & 0xff]], [[0x80, direct | 0x30], [3]]]);
    return { opcode, block, kind: mode === 64 ? 'near' : 'address', offset, tail };
  }

  /** How a block ends; nothing lets it run into the next. */
  private end(index: number): Piece[] {
    const { e, r, mode } = this;
    const block = (): number => (r.chance(50) ? Math.max(0, Math.min(this.blocks - 1, index - 3 + r.below(7))) : r.below(this.blocks));
    const address = (register: number): Reference =>
      mode === 64 ? { opcode: [0x48, 0x8d, 0x05 | (register << 3)], block: block(), kind: 'near' } : { opcode: [0xb8 + register], block: block(), kind: 'address' };
    switch (r.below(20)) {
      case 0: case 1: case 2: case 3: case 4: case 5: case 6: case 7:
        return [{ opcode: [0x0f, 0x80 + r.below(16)], block: block(), kind: 'near' }];
      case 8:
        return [{ opcode: [0x0f, 0x80 + r.below(16)], block: block(), kind: 'near' }, { opcode: [0x0f, 0x80 + r.below(16)], block: block(), kind: 'near' }];
      case 9: case 10: case 11:
        return [{ opcode: [0xe9], block: block(), kind: 'near' }];
      case 12: case 13:
        return [{ opcode: [0xe8], block: block(), kind: 'near' }];
      case 14:
        return [[0xc3]];
      case 15:
        return [e.set(1, 1 + r.below(40)).slice(0, r.chance(40) ? undefined : 0), { opcode: [r.of([0xe0, 0xe1, 0xe2, 0xe3])], block: index - r.below(2), kind: 'short' }]; // loop, jrcxz
      case 16:
        return [address(0), [0xff, r.chance(70) ? 0xe0 : 0xd0]]; // jmp or call by register
      case 17:
        return [address(0), address(1), [...(mode === 64 ? [0x48] : []), 0x0f, 0x40 + r.below(16), 0xc1], [0xff, 0xe0]]; // one of two, by a flag
      case 18:
        return [e.absolute([0xff], 1, 4, Place.DATA + 0x3f00 + r.below(16) * 4), { opcode: [0x0f, 0x85], block: block(), kind: 'near' }]; // a loop that counts in memory
      default:
        return [];
    }
  }

  /** A block that has not ended yet. It may be asked to read flags first, or to set them last. */
  private open(reads = this.r.chance(60), sets = false): Piece[] {
    const { e, r } = this;
    const pieces: Piece[] = !reads && r.chance(40) ? [PATCHABLE] : [];
    this.made.push(pieces);
    if (reads) pieces.push(flagConsumer(e));
    for (let n = r.below(8); n > 0; n--) pieces.push(this.piece());
    if (sets || r.chance(65)) pieces.push(sets || r.chance(50) ? keptProducer(e) : flagProducer(e));
    return pieces;
  }

  /** Blocks that jump and call anywhere. */
  private tangle(): void {
    for (let i = 0; i < this.blocks; i++) this.open().push(...this.end(i));
  }

  /** Choices and loops inside one another, so many at most. Loops count in memory. */
  private nest(depth: number): void {
    const { e, made, mode, r } = this;
    const jump = (opcode: number[]): Reference => ({ opcode, block: 0, kind: 'near' });
    for (let n = 1 + r.below(3); n > 0 && made.length < this.blocks; n--) {
      const kind = depth === 0 ? 0 : r.below(4);
      // Operands of one operation or another are kept where the two ways come together.
      const joins = kind >= 2 && r.chance(50);
      const before = this.open(undefined, joins);
      if (kind === 1) {
        const counter = Place.DATA + 0x3f00 + depth * 4;
        before.push(e.absolute([0xc7], 0, 4, counter, dword(1 + r.below(24))));
        // A pointer often walks over the end of a page.
        const pointer = r.of(POINTERS[mode]);
        const walks = r.chance(60);
        if (walks) before.push(e.set(pointer, e.beforeEnd(r.below(80))));
        const head = made.length;
        this.open();
        this.nest(depth - 1);
        this.open().push(...(walks ? [e.step(pointer, r.of([1, 2, 3, 4, 4, 6, 8, 12, -4]))] : []), e.absolute([0xff], 1, 4, counter), { ...jump([0x0f, 0x85]), block: head });
      } else if (kind >= 2) {
        const otherwise = jump([0x0f, 0x80 + r.below(16)]);
        before.push(otherwise);
        this.nest(depth - 1);
        const last = this.open(undefined, joins);
        const over = jump([0xe9]);
        if (kind === 3) {
          last.push(over);
          otherwise.block = made.length;
          this.nest(depth - 1);
          this.open(undefined, joins);
          over.block = made.length;
        } else otherwise.block = made.length;
        this.open(joins || undefined);
      }
    }
  }

  program(): Program {
    const { made, r } = this;
    const { nested } = this;
    if (nested) this.nest(4);
    else this.tangle();
    const all = made.map((_, i) => i);
    return { blocks: made.map((pieces) => pieces.filter((p) => !isBytes(p) || p.length > 0)), origin: r.chance(25) ? 0x1000 - r.below(400) : r.below(16), entries: r.chance(nested ? 10 : 60) ? all : [0], user: this.user };
  }
}

const isBytes = (p: Piece): p is readonly number[] => Array.isArray(p);

/** Every third program runs in user mode. */
export const generate = (seed: number, mode: Mode, blocks: number): Program => new Generator(new Random(seed), mode, blocks, seed % 3 === 0).program();

export interface Assembled {
  readonly bytes: Uint8Array;
  /** Offsets in the window of the blocks, of those at which the program is begun, and of all pieces. */
  readonly starts: readonly number[];
  readonly entries: readonly number[];
  readonly pieces: readonly number[];
}

/** The bytes at CODE + origin. Blocks lie behind one another; the last jumps to the first. Short branches that do not reach go to where they are. */
export function assemble({ blocks, origin, entries }: Program, mode: Mode): Assembled {
  const width = mode === 16 ? 2 : 4;
  const lengthOf = (p: Piece): number => (isBytes(p) ? p.length : p.opcode.length + (p.kind === 'short' ? 1 : width) + (p.tail?.length ?? 0));
  const starts: number[] = [];
  const places: number[] = [];
  let at = origin;
  for (const block of blocks) {
    starts.push(at);
    for (const piece of block) {
      places.push(at);
      at += lengthOf(piece);
    }
  }
  const bytes: number[] = [];
  const number = (n: number): number[] => (width === 2 ? word(n) : dword(n));
  for (const piece of blocks.flat()) {
    if (isBytes(piece)) {
      bytes.push(...piece);
      continue;
    }
    const target = starts[Math.max(0, Math.min(piece.block, starts.length - 1))]! + (piece.offset ?? 0);
    const distance = target - (origin + bytes.length + lengthOf(piece));
    bytes.push(...piece.opcode);
    if (piece.kind === 'short') bytes.push(distance >= -128 && distance < 128 ? distance & 0xff : 0xfe);
    else bytes.push(...number(piece.kind === 'near' ? distance : target + Place.CODE + (mode === 16 ? 0 : WINDOW)));
    bytes.push(...(piece.tail ?? []));
  }
  bytes.push(0xe9, ...number(-(bytes.length + 1 + width)));
  if (origin + bytes.length > CODE_PAGES * 0x1000) throw new Error('The program is longer than the room for it.');
  return { bytes: Uint8Array.from(bytes), starts, entries: entries.map((i) => starts[i]!), pieces: places };
}

/** What the program's data are at first. */
export const dataBytes = (seed: number): Uint8Array => {
  const r = new Random(seed + 77);
  return Uint8Array.from({ length: DATA_SIZE }, () => r.next() & 0xff);
};

/** The program as hexadecimal bytes and references, by block. */
export function textOf({ blocks, origin, user }: Program): string {
  const hex = (bytes: readonly number[]): string => Buffer.from(bytes).toString('hex');
  const lines = blocks.map((block, i) => `${i}: ${block.map((p) => (isBytes(p) ? hex(p) : `${hex(p.opcode)}->${p.block}${p.offset ? `+${p.offset}` : ''}${p.tail?.length ? ` ${hex(p.tail)}` : ''}`)).join(' ')}`);
  return [`${user ? 'in user mode, ' : ''}at ${(CODE + origin).toString(16)}`, ...lines.filter((line) => !line.endsWith(': '))].join('\n');
}
