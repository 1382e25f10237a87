/**
 * What the symbols need of the machine to find variables and callers: the registers of one stack frame and memory.
 * The debugger implements it for the innermost frame; unwinding yields it for the callers.
 *
 * Registers have their x86-64 DWARF numbers (System V ABI, AMD64 supplement, "DWARF Register Number Mapping") in all
 * modes and for images of both classes: 0 rax, 1 rdx, 2 rcx, 3 rbx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8 to 15 r8 to r15,
 * 16 the return address (rip).
 */
export interface Frame {
  /** Linear address of the instruction pointer: for a caller, the address it returns to. */
  readonly pc: bigint;
  /** Whether `pc` is a return address, so that the call in front of it is what the frame executes. */
  readonly isCaller: boolean;
  /** Word size of the code. */
  readonly bits: 16 | 32 | 64;
  /** A register by x86-64 DWARF number; undefined where the frame's value is lost. */
  register(dwarfNumber: number): bigint | undefined;
  /** Memory at a linear address, undefined when any byte of it is not readable. */
  memory(address: bigint, length: number): Uint8Array | undefined;
}

/** Where to look a frame's code up: inside the call for a caller, as the return address may belong to the next line. */
export const lookupAddress = (frame: Frame): bigint => (frame.isCaller ? frame.pc - 1n : frame.pc);

/** Reads a little-endian word. */
export const readWord = (frame: Pick<Frame, 'memory'>, address: bigint, size: number): bigint | undefined => {
  const bytes = frame.memory(address, size);
  return bytes && unsignedOf(bytes);
};

/** Little-endian bytes as an unsigned integer of any width. */
export const unsignedOf = (bytes: Uint8Array): bigint => {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
  return value;
};

/** An integer as little-endian bytes. */
export const bytesOf = (value: bigint, size: number): Uint8Array => {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return bytes;
};
