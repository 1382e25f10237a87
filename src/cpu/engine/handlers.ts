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

const LETTER: Record<number, string> = { [Kind.REG]: 'r', [Kind.MEM]: 'm', [Kind.IMM]: 'i', [Kind.REL]: 'j', [Kind.XMM]: 'x' };
/** Operand forms as numbers: base 6 digits, one per operand. */
const DIGIT: Record<string, number> = { r: 1, m: 2, i: 3, j: 4, x: 5 };
const FORM_BASE = 6;
const OTHER_KIND = FORM_BASE ** 4;

function formNumber(form: string): number {
  let n = 0;
  for (const letter of form) n = n * FORM_BASE + DIGIT[letter]!;
  return n;
}

/** Widths 1, 2, 4, 8, 16 as 0 to 4. */
const widthNumber = (size: number): number => 31 - Math.clz32(size);

const keyOf = (form: number, size: number, variant: number): number => (form * 8 + widthNumber(size)) * 16 + variant;

interface Chooser {
  semantics: Semantics;
  cases: Map<number, number>;
  /** Keys of forms whose memory operand a record before loads: the case is that of the register form. */
  staged: Set<number>;
}

export class HandlerTable {
  readonly handlers: Handler[] = [];
  private readonly choosers: (Chooser | undefined)[] = [];
  /** Whether the instruction that `find` saw last wants its memory operand loaded by a record before. */
  staged = false;

  constructor(instructionSet: readonly Semantics[]) {
    for (const semantics of instructionSet) {
      const id = mnemonicId(semantics.mnemonic);
      const chooser = (this.choosers[id] ??= { semantics, cases: new Map(), staged: new Set() });
      for (const form of semantics.forms) {
        for (const size of semantics.sizes) {
          for (const variant of semantics.variants ?? [0]) {
            if (semantics.variant === 'source' && variant > size) continue;
            const number = Special.COUNT + this.handlers.length;
            chooser.cases.set(keyOf(formNumber(form), size, variant), number);
            const memoryForm = form[0] + 'm' + form.slice(2);
            if (semantics.stages && 'xr'.includes(form[1] ?? '-') && !semantics.forms.includes(memoryForm)) {
              const key = keyOf(formNumber(memoryForm), size, variant);
              chooser.cases.set(key, number);
              chooser.staged.add(key);
            }
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
        form = form * FORM_BASE + (letter === undefined ? OTHER_KIND : DIGIT[letter]!);
      }
    }
    const from = semantics.sizeFrom ?? 0;
    const size = from === -3 ? 16 : from === -2 ? 1 : from === -1 ? insn.operandSize : insn.operands[from]!.size;
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
    const key = keyOf(form, size, variant);
    this.staged = chooser.staged.has(key);
    return chooser.cases.get(key) ?? -1;
  }
}
