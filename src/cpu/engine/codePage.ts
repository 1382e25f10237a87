/** What is known of the code in one host-physical page, for one code size. */
import type { CodeSize } from '../decode/instruction';

export const PAGE = 0x1000;
/** Binary logarithm of the bytes in a piece of a page: about as many as the longest instruction has. */
export const PIECE = 4;

const BEGINS = PAGE * 4;
const AWAITED = BEGINS + (PAGE >>> PIECE);
const NUMBERS = AWAITED + PAGE / 8;

/** Byte offsets in the tables that a page has in the WebAssembly memory, where generated code uses them too. */
export const PageTable = {
  /** u32 by byte of the page: address of the record, 0 where none is decoded. */
  SLOTS: 0,
  /** u8 by piece: whether an instruction was ever found to begin there. */
  BEGINS,
  /** A bit by byte of the page: whether link fields may wait for it to be decoded. */
  AWAITED,
  /** u32: writes beside its instructions that generated code has let by since TypeScript counted them. */
  LET_BY: NUMBERS,
  /** u32: address of the tables for code of another size in the same page, or 0. */
  NEXT: NUMBERS + 4,
  /** u32: not 0 where an instruction of another page may end in this one. */
  REACHED: NUMBERS + 8,
  /** A multiple of a record's. */
  SIZE: NUMBERS + 32,
} as const;

/** What is known of instructions that were overwritten, by offset. */
export class Rewrites {
  /** Their records, until they are decoded again. */
  readonly stale = new Uint32Array(PAGE);
  /** How often each was overwritten, up to 255. */
  readonly counts = new Uint8Array(PAGE);
}

export class CodePage {
  /** Where the lines of records are, for dropping them: start and end addresses in turn. */
  readonly runs: number[] = [];
  /** The same for records that stand for patched ones: see the translator. */
  readonly copies: number[] = [];
  /** Indices of the Instructions kept for TypeScript. */
  readonly instructions: number[] = [];
  /** Link fields that wait for an offset to be decoded. */
  readonly waiting = new Map<number, number[]>();
  /** Offsets to which jumps by register were seen to go; kept for the translator. */
  readonly indirectTargets = new Set<number>();
  /** Offsets with a breakpoint. */
  breakpoints: Set<number> | undefined;
  /** Records of instructions that cross out of this page, by offset and second page. */
  readonly crossings: { record: number; offset: number; second: CodePage }[] = [];
  /** Pages whose last instruction reaches into this one. */
  readonly reachedFrom = new Set<CodePage>();
  dropped = false;

  /** Made when the first instruction is overwritten. */
  rewrites: Rewrites | undefined;
  /** Regions of the translator with instructions of this page. */
  regions = 0;
  /** Instructions that can be found. */
  live = 0;
  /** Since something was decoded here: writes to the page, and instructions that they overwrote. */
  writes = 0;
  losses = 0;
  /** Instructions that did not fit where they had been. */
  misfits = 0;

  constructor(
    readonly page: number,
    readonly codeSize: CodeSize,
    /** Byte offset of the page's RAM. */
    readonly frame: number,
    /** Byte offset of the tables of PageTable, the slots first. */
    readonly slots: number,
    /** Offset of the first byte that is in the code segment; what is before it is never decoded, so that no jump of this page is linked with it. */
    readonly first = 0,
  ) {}
}
