/** Whether a VMM means to give its guest registers of its own: by the code in front of VMLAUNCH or VMRESUME. */
import { decode, mnemonics } from '../../cpu/decode/decode';
import { Instruction, Kind, type Operand } from '../../cpu/decode/instruction';

const MOST_LENGTH = 15;
const GPRS = 16;
const bit = (register: number): number => 1 << register;
const isRegister = (o: Operand): boolean => o.kind === Kind.REG;

/** So far in front of an instruction registers are loaded. */
const LOADING_CODE = 160n;
/** Who loads so many registers of others means to load all. */
const SEVERAL = 6;

/** Whether the code in front of an instruction loads registers from memory, as a VMM does before VMRESUME with those of its guest. */
export function loadsRegisters(read: (address: bigint, length: number) => Uint8Array, rip: bigint, codeSize: 16 | 32 | 64): boolean {
  const code = read(rip - LOADING_CODE, Number(LOADING_CODE));
  const insn = new Instruction();
  // Where the first instruction begins is not known: the beginning counts from which the code comes to `rip`.
  for (let start = 0; start < MOST_LENGTH; start++) {
    let loaded = 0;
    let at = start;
    while (at < code.length) {
      const length = decode(code, at, code.length - at, codeSize, insn);
      if (length === 0) break;
      const [to, from] = insn.operands;
      const name = mnemonics[insn.op]!;
      if (isRegister(to) && ((name === 'mov' && from.kind === Kind.MEM) || name === 'pop')) loaded |= bit(to.number);
      if (name === 'xchg') for (const o of [to, from]) if (isRegister(o) && (to.kind === Kind.MEM || from.kind === Kind.MEM)) loaded |= bit(o.number);
      if (name === 'popa') loaded = 0xff;
      at += length;
    }
    if (at === code.length) return Array.from({ length: GPRS }, (_, n) => (loaded >> n) & 1).reduce((sum, one) => sum + one, 0) >= SEVERAL;
  }
  return false;
}
