/** The cases of the interpreter: which exist, and which one an instruction takes. */
import { type Instruction, Kind, Prefix } from '../decode/instruction';
import { mnemonicId, mnemonics } from '../decode/decode';
import { SHARED, sharedForm, type SharedForm } from '../isa/avx';
import { FUSED, fusedInformation } from '../isa/fma';
import { type Semantics, type Width } from '../isa/emitter';
import { StringKind } from '../isa/strings';
import { Seg } from '../state';
import { Special } from './record';

/** One case: an instruction at one width, operand form and variant. */
export interface Handler {
  semantics: Semantics;
  size: Width;
  form: string;
  variant: number;
}

const LETTER: Record<number, string> = { [Kind.REG]: 'r', [Kind.MEM]: 'm', [Kind.IMM]: 'i', [Kind.REL]: 'j', [Kind.XMM]: 'x', [Kind.YMM]: 'x', [Kind.SREG]: 's', [Kind.DST_STRING]: 'd', [Kind.SRC_STRING]: 'o' };
/** Operand forms as numbers: digits in base 9, one per operand. */
const DIGIT: Record<string, number> = { r: 1, m: 2, i: 3, j: 4, x: 5, s: 6, d: 7, o: 8 };
const FORM_BASE = 9;
const OTHER_KIND = FORM_BASE ** 4;

/** The digit of an operand by its Kind. */
const DIGIT_OF_KIND = Float64Array.from({ length: Math.max(...Object.values(Kind)) + 1 }, (_, kind) => (kind in LETTER ? DIGIT[LETTER[kind]!]! : OTHER_KIND));

function formNumber(form: string): number {
  let n = 0;
  for (const letter of form) n = n * FORM_BASE + DIGIT[letter]!;
  return n;
}

/** Widths 1, 2, 4, 8, 16, 32 as 0 to 5. */
const widthNumber = (size: number): number => 31 - Math.clz32(size);

const keyOf = (form: number, size: number, variant: number): number => (form * 8 + widthNumber(size)) * 16 + variant;

/** The kind of a string instruction with addresses of the code's size in DS and ES, or -1. */
function stringKind(insn: Instruction): number {
  if (insn.addressSize * 8 !== insn.codeSize || insn.segment === Seg.FS || insn.segment === Seg.GS) return -1;
  if (insn.prefixes & (Prefix.REP | Prefix.REPNE)) return insn.codeSize === 64 ? StringKind.REPEATED_64 : -1;
  return insn.codeSize === 32 && insn.segment === Seg.DS ? StringKind.PLAIN_32 : -1;
}

function chooserOf(semantics: Semantics): Chooser {
  const { forms, sizeFrom = 0, variant, bitString = false, simd = 0, ends = false } = semantics;
  return { operandless: forms.length === 1 && forms[0] === '', sizeFrom, variant: variant ? VARIANTS[variant] : -1, bitString, simd, ends, cases: new Map(), staged: new Set() };
}

/** Flags for mnemonics, by their numbers. */
export function flagged(names: Iterable<string>): Uint8Array {
  const flags = new Uint8Array(mnemonics.length);
  for (const name of names) flags[mnemonicId(name)] = 1;
  return flags;
}

const sharedKey = (size: number, memory: number, fused: boolean): number => (fused ? 64 * 64 : 0) + size * 64 + memory;

/** Semantics.variant as a number; -1 for none. */
const Variant = { CONDITION: 0, SOURCE: 1, STACK: 2, ADDRESS: 3, STRING: 4 } as const;
const VARIANTS = { condition: Variant.CONDITION, source: Variant.SOURCE, stack: Variant.STACK, address: Variant.ADDRESS, string: Variant.STRING } as const;

/** What of its Semantics decoding needs, in objects of one shape: decoding is hot. */
interface Chooser {
  readonly operandless: boolean;
  readonly sizeFrom: number;
  /** A Variant, or -1. */
  readonly variant: number;
  readonly bitString: boolean;
  readonly simd: number;
  readonly ends: boolean;
  cases: Map<number, number>;
  /** Keys of forms whose memory operand a record before loads: the case is that of the register form. */
  staged: Set<number>;
}

export class HandlerTable {
  readonly handlers: Handler[] = [];
  private readonly choosers: (Chooser | undefined)[] = [];
  /** Whether the instruction that `find` saw last wants its memory operand loaded by a record before. */
  staged = false;
  /** How a shared case performs the instruction that `find` saw last; undefined when its case is its own. */
  shared: SharedForm | undefined;
  /** Semantics.ends by handler, as 0 or 1. */
  private readonly ending: Uint8Array;
  /** Shared cases by vector length and width of the memory operand (0 for none). */
  private readonly sharedCases = new Map<number, number>();

  constructor(instructionSet: readonly Semantics[]) {
    for (const semantics of instructionSet) {
      const chooser = (this.choosers[mnemonicId(semantics.mnemonic)] ??= chooserOf(semantics));
      for (const alias of semantics.aliases ?? []) this.choosers[mnemonicId(alias)] = chooser;
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
    for (const semantics of [...SHARED, ...FUSED]) {
      for (const size of semantics.sizes) {
        for (const form of semantics.forms) {
          for (const variant of form.includes('m') ? semantics.variants! : [0]) {
            this.sharedCases.set(sharedKey(size, variant, FUSED.includes(semantics)), Special.COUNT + this.handlers.length);
            this.handlers.push({ semantics, size, form, variant });
          }
        }
      }
    }
    this.ending = Uint8Array.from(this.handlers, (h) => (h.semantics.ends ? 1 : 0));
  }

  /** Semantics.simd of the instruction that `find` saw last, 0 where it has none. */
  simdOf(insn: Instruction): number {
    return this.shared ? SHARED[0]!.simd! : this.choosers[insn.op]!.simd;
  }
  /** Semantics.ends of a handler. */
  ends(handler: number): boolean {
    return this.ending[handler - Special.COUNT] === 1;
  }

  /** The handler of an instruction, or -1 when TypeScript performs it. */
  find(insn: Instruction): number {
    this.shared = undefined;
    this.staged = false;
    const own = this.findOwn(insn);
    if (own >= 0 || (insn.prefixes & Prefix.VEX) === 0) return own;
    const mnemonic = mnemonics[insn.op]!;
    const fused = fusedInformation(mnemonic);
    this.shared = fused === undefined ? sharedForm(insn, mnemonic) : { first: 1, second: 2, information: fused };
    if (!this.shared) return -1;
    const source = insn.operands[this.shared.second]!;
    const length = insn.operands[0].kind === Kind.YMM ? 32 : 16;
    const number = this.sharedCases.get(sharedKey(length, source.kind === Kind.MEM ? source.size : 0, fused !== undefined));
    if (number === undefined) this.shared = undefined;
    return number ?? -1;
  }

  private findOwn(insn: Instruction): number {
    const chooser = this.choosers[insn.op];
    if (!chooser) return -1;
    if (chooser.bitString && (insn.codeSize !== 64 || insn.addressSize !== 8) && insn.operands[0].kind === Kind.MEM && insn.operands[1].kind === Kind.REG) return -1;
    let form = 0;
    if (!chooser.operandless) {
      for (let i = 0; i < insn.operandCount; i++) {
        const { kind, number } = insn.operands[i]!;
        form = form * FORM_BASE + (kind === Kind.SREG && number > Seg.GS ? OTHER_KIND : DIGIT_OF_KIND[kind]!);
      }
    }
    const from = chooser.sizeFrom;
    const size = from === -3 ? 16 : from === -2 ? 1 : from === -1 ? insn.operandSize : insn.operands[from]!.size;
    let variant = 0;
    switch (chooser.variant) {
      case Variant.CONDITION:
        variant = insn.condition;
        break;
      case Variant.SOURCE:
        variant = insn.operands[1].size;
        break;
      case Variant.STACK:
        variant = insn.codeSize === 64 ? 1 : 0;
        break;
      case Variant.ADDRESS:
        variant = insn.addressSize;
        break;
      case Variant.STRING:
        variant = stringKind(insn);
        if (variant < 0) return -1;
        break;
    }
    const key = keyOf(form, size, variant);
    this.staged = chooser.staged.has(key);
    return chooser.cases.get(key) ?? -1;
  }
}
