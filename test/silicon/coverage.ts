/**
 * Which user-mode instruction forms the comparisons with silicon cover: `npx tsx test/silicon/coverage.ts`. The list of
 * all forms comes from the decoder itself, by decoding every opcode of 64-bit code with every prefix, ModRM and VEX field
 * that matters; a form is a mnemonic with the kinds and widths of its operands. Covered are the forms of the bytes that
 * the comparisons make. Ends with 1 when a form is neither covered nor in the reviewed table.
 */
import { decode } from '../../src/cpu/decode/decode';
import { Instruction, Kind } from '../../src/cpu/decode/instruction';
import { mnemonics } from '../../src/cpu/decode/mnemonics';
import { comparedBytes } from './compared';
import { INCOMPARABLE } from './incomparable';

const LETTER: Record<number, string> = {
  [Kind.REG]: 'r', [Kind.MEM]: 'm', [Kind.IMM]: 'i', [Kind.REL]: 'rel', [Kind.FAR]: 'far', [Kind.SREG]: 'sreg', [Kind.CREG]: 'cr', [Kind.DREG]: 'dr', [Kind.MM]: 'mm',
  [Kind.XMM]: 'xmm', [Kind.YMM]: 'ymm', [Kind.ST]: 'st', [Kind.IMM2]: 'i', [Kind.SRC_STRING]: 'm', [Kind.DST_STRING]: 'm',
}; // prettier-ignore
/** Operand kinds whose width tells forms apart. */
const WITH_SIZE = new Set<number>([Kind.REG, Kind.MEM, Kind.SRC_STRING, Kind.DST_STRING]);

const insn = new Instruction();
const buffer = new Uint8Array(32);

/** The form of an instruction, or undefined where the bytes are none. */
export function formOf(bytes: readonly number[]): string | undefined {
  buffer.fill(0);
  buffer.set(bytes);
  if (decode(buffer, 0, 15, 64, insn) === 0 || insn.op < 2) return undefined;
  const operands = insn.operands.slice(0, insn.operandCount).map(({ kind, size }) => LETTER[kind]! + (WITH_SIZE.has(kind) ? size * 8 : ''));
  return `${mnemonics[insn.op]!} ${operands.join(',')}`.trim();
}

/** Every form of 64-bit code. */
export function allForms(): Set<string> {
  const forms = new Set<string>();
  const add = (bytes: readonly number[]): void => {
    const form = formOf(bytes);
    if (form !== undefined) forms.add(form);
  };
  const MODRMS = Array.from({ length: 8 }, (_, reg) => [(reg << 3) | 7, 0xc0 | (reg << 3) | 1]).flat();
  const modrms = (escape: number, opcode: number): readonly number[] =>
    (escape === 0 && opcode >= 0xd8 && opcode <= 0xdf) || (escape === 1 && opcode === 1) ? Array.from({ length: 256 }, (_, i) => i) : MODRMS;
  for (const prefixes of [[], [0x66], [0xf2], [0xf3]]) {
    for (const rex of [[], [0x48]]) {
      [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]].forEach((escape, map) => {
        for (let opcode = 0; opcode < 256; opcode++) for (const modrm of modrms(map, opcode)) add([...prefixes, ...rex, ...escape, opcode, modrm]);
      });
    }
  }
  for (let map = 1; map <= 3; map++) {
    for (let fields = 0; fields < 16; fields++) {
      // pp, L and W; vvvv 1111b and another register.
      const tail = (fields & 7) | ((fields >> 3) << 7);
      for (const vvvv of [0x78, 0x68]) {
        for (let opcode = 0; opcode < 256; opcode++) {
          for (const modrm of MODRMS) add([0xc4, 0xe0 | map, tail | vvvv, opcode, modrm]);
          add([0xc4, 0xe0 | map, tail | vvvv, opcode, 0x04, 0x17]); // a vector index
        }
      }
    }
  }
  return forms;
}

function main(): void {
  const all = [...allForms()].sort();
  const covered = new Set<string>();
  for (const bytes of comparedBytes()) {
    const form = formOf(bytes);
    if (form !== undefined) covered.add(form);
  }
  const reasons = new Map<string, string[]>();
  const uncovered: string[] = [];
  for (const form of all) {
    if (covered.has(form)) continue;
    const reason = INCOMPARABLE.find(({ forms }) => forms.test(form))?.reason;
    if (reason === undefined) uncovered.push(form);
    else reasons.set(reason, [...(reasons.get(reason) ?? []), form]);
  }
  for (const [reason, forms] of reasons) console.log(`${forms.length} not comparable, ${reason}: ${[...new Set(forms.map((f) => f.split(' ')[0]))].join(' ')}`);
  if (uncovered.length > 0) console.log(`uncovered:\n${uncovered.map((form) => `  ${form}\n`).join('')}`);
  console.log(`${all.length} forms of 64-bit code, ${all.filter((form) => covered.has(form)).length} covered, ${uncovered.length} uncovered`);
  process.exitCode = uncovered.length > 0 ? 1 : 0;
}

if (require.main === module) main();
