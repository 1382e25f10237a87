/** Disassembly by iced-x86, in Intel's syntax. */
import { Decoder, DecoderError, DecoderOptions, Formatter, FormatterSyntax, Instruction } from 'iced-x86';
import type { DisassembledLine, Disassembler } from '../../debug/disassembly/disassembler';

function makeFormatter(): Formatter {
  const formatter = new Formatter(FormatterSyntax.Intel);
  formatter.hexPrefix = '0x';
  formatter.hexSuffix = '';
  formatter.uppercaseHex = false;
  formatter.spaceAfterOperandSeparator = true;
  formatter.branchLeadingZeros = false;
  formatter.smallHexNumbersInDecimal = true;
  return formatter;
}

export class IcedDisassembler implements Disassembler {
  /** Made on first use: loading costs some milliseconds, and many sessions never disassemble. */
  private formatter: Formatter | undefined;

  decode(bytes: Uint8Array, address: bigint, bits: 16 | 32 | 64, count: number): DisassembledLine[] {
    this.formatter ??= makeFormatter();
    const decoder = new Decoder(bits, bytes, DecoderOptions.None);
    const instruction = new Instruction();
    const lines: DisassembledLine[] = [];
    try {
      decoder.ip = address;
      while (lines.length < count && decoder.canDecode) {
        decoder.decodeOut(instruction);
        // An instruction that the bytes end within is not there.
        if (instruction.isInvalid && decoder.lastError === DecoderError.NoMoreBytes) break;
        lines.push({ length: instruction.length, text: this.formatter.format(instruction), valid: !instruction.isInvalid });
      }
    } finally {
      instruction.free();
      decoder.free();
    }
    return lines;
  }
}
