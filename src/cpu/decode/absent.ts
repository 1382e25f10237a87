/**
 * Instructions that a processor without some feature does not have: they decode to the invalid one, which raises #UD, or
 * to what the bytes meant before the feature came. Looked at once per decoded instruction, so that nothing is asked when
 * it is executed.
 */
import type { Features } from '../processor';
import { type Instruction, Kind } from './instruction';
import { INVALID_OP, mnemonicId, mnemonics, vexVectorMnemonics } from './mnemonics';

/** By feature, the instructions that came with it. Others ask for their feature when they are executed. */
const BROUGHT: Readonly<Record<string, RegExp>> = {
  cx16: /^cmpxchg16b$/,
  cmov: /^(cmovcc|fcmov\w+)$/,
  popcnt: /^popcnt$/,
  bmi1: /^(andn|bextr|blsi|blsmsk|blsr)$/,
  bmi2: /^(bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx)$/,
  aes: /^vaes/,
  pclmulqdq: /^vpclmulqdq$/,
  f16c: /^vcvt(ph2ps|ps2ph)$/,
  fma: /^vfn?m/,
  avx2: /^v(pbroadcast\w+|pblendd|pmaskmov\w+|ps[lr][la]v\w|p?gather\w+|broadcasti128|extracti128|inserti128|perm(d|q|ps|pd|2i128))$/,
};
/** What an instruction without its feature is: its prefix means nothing then. */
const FORMERLY: readonly (readonly [feature: string, mnemonic: string, former: string])[] = [
  ['bmi1', 'tzcnt', 'bsf'],
  ['lzcnt', 'lzcnt', 'bsr'],
];

/** Integer instructions of AVX whose 256-bit form is AVX2's; and broadcasts, whose register form is. */
const INTEGER = /^v(mpsadbw|movntdqa|p(?!ermilp[sd]$|test$)\w+)$/;
const BROADCAST = /^vbroadcasts[sd]$/;

const Absent = { NO: 0, ALWAYS: 1, IN_256_BITS: 2, BETWEEN_REGISTERS: 3 } as const;

const isWide = (insn: Instruction): boolean => insn.operands.some((operand, i) => i < insn.operandCount && operand.kind === Kind.YMM);

export class AbsentInstructions {
  private readonly rules = new Uint8Array(mnemonics.length);
  private readonly former = new Map<number, number>();

  private constructor() {}

  /** What a processor with these features lacks; undefined when it lacks nothing. */
  static of(features: Features): AbsentInstructions | undefined {
    const absent = new AbsentInstructions();
    mnemonics.forEach((name, op) => {
      const without = (feature: string): boolean => !features.has(feature);
      const vector = vexVectorMnemonics.has(name);
      if ((vector && without('avx')) || Object.entries(BROUGHT).some(([feature, pattern]) => pattern.test(name) && without(feature))) absent.rules[op] = Absent.ALWAYS;
      else if (vector && without('avx2') && INTEGER.test(name)) absent.rules[op] = Absent.IN_256_BITS;
      else if (without('avx2') && BROADCAST.test(name)) absent.rules[op] = Absent.BETWEEN_REGISTERS;
    });
    for (const [feature, mnemonic, former] of FORMERLY) if (!features.has(feature)) absent.former.set(mnemonicId(mnemonic), mnemonicId(former));
    return absent.former.size > 0 || absent.rules.some((rule) => rule !== Absent.NO) ? absent : undefined;
  }

  /** Turns a decoded instruction into what this processor makes of it. */
  apply(insn: Instruction): void {
    const { op } = insn;
    const former = this.former.get(op);
    if (former !== undefined) insn.op = former;
    const rule = this.rules[op];
    if (rule === Absent.ALWAYS || (rule === Absent.IN_256_BITS && isWide(insn)) || (rule === Absent.BETWEEN_REGISTERS && insn.operands[1].kind !== Kind.MEM)) {
      insn.op = INVALID_OP;
      insn.operandCount = 0;
    }
  }
}
