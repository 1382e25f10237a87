/** What the SDM leaves undefined of an instruction's results, and what is this or that processor's by design. */
import type { Instruction } from '../../src/cpu/decode/instruction';
import { mnemonics } from '../../src/cpu/decode/mnemonics';
import { AF, CF, OF, PF, SF, STATUS_FLAGS, ZF } from '../../src/cpu/flags';

const LOGIC = AF;
const PRODUCT = SF | ZF | AF | PF;
const BIT = OF | SF | AF | PF;
/** Status flags that an instruction leaves undefined whatever its operands. */
const FLAGS: Record<string, number> = {
  or: LOGIC, and: LOGIC, xor: LOGIC, test: LOGIC, mul: PRODUCT, imul: PRODUCT, imul1: PRODUCT, div: STATUS_FLAGS, idiv: STATUS_FLAGS, bt: BIT, bts: BIT, btr: BIT, btc: BIT,
  bsf: CF | BIT, bsr: CF | BIT, tzcnt: BIT, lzcnt: BIT, shld: AF, shrd: AF, shl: AF, shr: AF, sar: AF, andn: AF | PF, bextr: AF | SF | PF, blsi: AF | PF, blsr: AF | PF, blsmsk: AF | PF, bzhi: AF | PF,
  aam: OF | AF | CF, aad: OF | AF | CF, aaa: OF | SF | ZF | PF, aas: OF | SF | ZF | PF, daa: OF, das: OF,
}; // prettier-ignore

/** Status flags that are undefined after `insn`; `cl` is CL before it. */
export function undefinedFlagsOf(insn: Instruction, cl: number): number {
  const mnemonic = mnemonics[insn.op]!;
  let mask = FLAGS[mnemonic] ?? 0;
  const double = /^sh[lr]d$/.test(mnemonic);
  if (!double && !/^(ro[lr]|rc[lr]|sh[lr]|sal|sar)$/.test(mnemonic)) return mask;
  const size = insn.operands[0].size;
  // The last operand is an immediate but in the encodings with CL; with 1 as an operand it is in the opcode.
  const opcode = insn.opcode;
  const count = (opcode & 0xfe) === 0xd0 ? 1 : (opcode & 0xfe) === 0xd2 || (double && (opcode & 1) === 1) ? cl : insn.immLow & 0xff;
  const masked = count & (size === 8 ? 63 : 31);
  if (masked === 0) return 0;
  if (masked !== 1) mask |= OF;
  if (/^s/.test(mnemonic) && !double && masked > size * 8) mask |= CF;
  if (double && masked > size * 8) mask |= STATUS_FLAGS;
  return mask;
}

/** Registers whose low halves (`low`) or all bits are this processor's own. */
const OWN_RESULTS: Record<string, { registers: readonly number[]; low: boolean }> = {
  cpuid: { registers: [0, 1, 2, 3], low: true },
  rdtsc: { registers: [0, 2], low: true },
  rdtscp: { registers: [0, 1, 2], low: true },
  xgetbv: { registers: [0], low: true },
};

/** The mask of a register's bits that both processors must agree on. */
export function comparedBits(insn: Instruction, register: number): bigint {
  const mnemonic = mnemonics[insn.op]!;
  const own = OWN_RESULTS[mnemonic];
  if (own?.registers.includes(register)) return 0xffff_ffff_0000_0000n;
  if (/^(rdrand|rdseed|rdpid)$/.test(mnemonic) && insn.operands[0].number === register) return 0n;
  return 0xffff_ffff_ffff_ffffn;
}

/** Transcendental instructions: silicon does not round them exactly and the engine does. */
export const APPROXIMATE = /^(f2xm1|fyl2x|fyl2xp1|fptan|fpatan|fsin|fcos|fsincos)$/;
