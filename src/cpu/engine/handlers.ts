/** The cases of the interpreter: which exist, and which one an instruction takes. */
import { type Instruction, Kind } from '../decode/instruction';
import { mnemonicId } from '../decode/decode';
import { type Semantics, type Width } from '../isa/emitter';
import { Special } from './record';

/** One case: an instruction at one width, operand form and variant. */
export interface Handler {
  semantics: Semantics;
  size: Width;
  form: string;
  variant: number;
}

const LETTER: Record<number, string> = { [Kind.REG]: 'r', [Kind.MEM]: 'm', [Kind.IMM]: 'i', [Kind.REL]: 'j' };
/** Operand forms as numbers: base 5 digits, one per operand. */
const DIGIT: Record<string, number> = { r: 1, m: 2, i: 3, j: 4 };
const OTHER_KIND = 5 ** 4;

function formNumber(form: string): number {
  let n = 0;
  for (const letter of form) n = n * 5 + DIGIT[letter]!;
  return n;
}

/** Widths 1, 2, 4, 8 as 0 to 3. */
const widthNumber = (size: number): number => 31 - Math.clz32(size);

const keyOf = (form: number, size: number, variant: number): number => (form * 4 + widthNumber(size)) * 16 + variant;

interface Chooser {
  semantics: Semantics;
  cases: Map<number, number>;
}

export class HandlerTable {
  readonly handlers: Handler[] = [];
  private readonly choosers: (Chooser | undefined)[] = [];

  constructor(instructionSet: readonly Semantics[]) {
    for (const semantics of instructionSet) {
      const id = mnemonicId(semantics.mnemonic);
      const chooser = (this.choosers[id] ??= { semantics, cases: new Map() });
      for (const form of semantics.forms) {
        for (const size of semantics.sizes) {
          for (const variant of semantics.variants ?? [0]) {
            if (semantics.variant === 'source' && variant > size) continue;
            chooser.cases.set(keyOf(formNumber(form), size, variant), Special.COUNT + this.handlers.length);
            this.handlers.push({ semantics, size, form, variant });
          }
        }
      }
    }
  }

  semanticsOf(insn: Instruction): Semantics | undefined {
    return this.choosers[insn.op]?.semantics;
  }

  /** The handler of an instruction, or -1 when TypeScript performs it. */
  find(insn: Instruction): number {
    const chooser = this.choosers[insn.op];
    if (!chooser) return -1;
    const { semantics } = chooser;
    const noOperands = semantics.forms.length === 1 && semantics.forms[0] === '';
    let form = 0;
    if (!noOperands) {
      for (let i = 0; i < insn.operandCount; i++) {
        const letter = LETTER[insn.operands[i]!.kind];
        form = form * 5 + (letter === undefined ? OTHER_KIND : DIGIT[letter]!);
      }
    }
    const from = semantics.sizeFrom ?? 0;
    const size = from === -2 ? 1 : from === -1 ? insn.operandSize : insn.operands[from]!.size;
    let variant = 0;
    switch (semantics.variant) {
      case 'condition':
        variant = insn.condition;
        break;
      case 'source':
        variant = insn.operands[1].size;
        break;
      case 'stack':
        variant = insn.codeSize === 64 ? 1 : 0;
        break;
      case 'address':
        variant = insn.addressSize;
        break;
    }
    return chooser.cases.get(keyOf(form, size, variant)) ?? -1;
  }
}
