/**
 * Where the RAM and ROM of the pages below 4 GiB lie in the WebAssembly memory: a table in that memory itself, so that page
 * walks of generated code find paging structures and pages without asking anybody. Whoever hands out frames keeps it; of
 * pages without RAM or ROM, and of those above 4 GiB, it knows nothing, and then TypeScript walks.
 */

/** Its address. */
export const FRAME_TABLE = 0x80_0000;
/** Pages that it has. */
export const FRAME_PAGES = 0x10_0000;
/** Its bytes: a u32 per page, the byte offset of its frame (0: none yet) and bits of Frame. */
export const FRAME_TABLE_SIZE = FRAME_PAGES * 4;

/** What is said of a page besides its frame. */
export const Frame = {
  /** It has been written since the newest snapshot: it may be written directly. ROM never is. */
  WRITTEN: 1,
  /** Writes to it must be told: see CodePages. */
  TOLD: 2,
  /** A device's registers lie over it. */
  DEVICE: 4,
  /** The A20 line is off: the page is not accessed, but the one a megabyte below. */
  FOLDED: 8,
  /** All of these; what is above them is the frame. */
  BITS: 0xfff,
} as const;

/** Byte offset of the frame in an entry. */
export const frameIn = (entry: number): number => (entry & ~Frame.BITS) >>> 0;
