/** Prepares the decoder before the machine runs. */
import { decode } from './decode';
import { Instruction } from './instruction';

/**
 * Decodes every opcode of every map once in each mode. A JavaScript engine optimises a function for the paths it has seen and starts over
 * when a new one turns up; having seen all of them once, the decoder is optimised once. About 10 ms; halves the time of the first 300
 * thousand decodes. Call it at start-up.
 */
export function warmUpDecoder(): void {
  const bytes = new Uint8Array(16);
  const insn = new Instruction();
  for (const codeSize of [16, 32, 64] as const)
    for (const escapes of [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a], [0xc5, 0xf8], [0xc4, 0xe2, 0x79]])
      for (let opcode = 0; opcode < 256; opcode++) {
        bytes.fill(opcode * 5); // differing ModRM, SIB and displacement bytes
        bytes.set(escapes);
        bytes[escapes.length] = opcode;
        decode(bytes, 0, bytes.length, codeSize, insn);
      }
}
