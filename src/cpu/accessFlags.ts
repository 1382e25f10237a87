/**
 * What a memory access asks for, as generated code and TypeScript tell it to the translation: the size in bytes (1 to
 * 64) in bits 7:0, and the flags above.
 */
export const AccessFlag = {
  /** Mask of the size. */
  SIZE: 0xff,
  WRITE: 1 << 8,
  /** Together with WRITE: the present value is needed too. */
  RMW: 1 << 9,
  /** A non-canonical address raises #SS(0), not #GP(0). */
  STACK: 1 << 10,
  /** Of use only where there is plain RAM in one page that nobody watches: else nothing happens. */
  PLAIN: 1 << 11,
  /** Raises no #AC. */
  ANY_ALIGNMENT: 1 << 12,
} as const;
