/** A disassembler as the host provides it. */
export interface DisassembledLine {
  length: number;
  /** In Intel's syntax. */
  text: string;
  /** False where the bytes are no instruction. */
  valid: boolean;
}

export interface Disassembler {
  /** Decodes the bytes of code at `address`, `bits` wide, as far as they reach, up to `count` instructions. */
  decode(bytes: Uint8Array, address: bigint, bits: 16 | 32 | 64, count: number): DisassembledLine[];
}
