/**
 * Reviewed differences from silicon: where the SDM leaves the outcome to the implementation, or says what ours does. Each is
 * counted, so that one that hides too much is seen.
 */
import { type Instruction, Prefix } from '../../src/cpu/decode/instruction';
import { At, Selector } from './testCase';

const [STACK_FAULT, GENERAL_PROTECTION, PAGE_FAULT, FLOATING_POINT, ALIGNMENT] = [12, 13, 14, 16, 17];

export interface Difference {
  /** What differs, as judge.ts names it. */
  what: ReadonlySet<string>;
  mnemonic: string;
  insn: Instruction;
  /** Vectors here and on silicon. */
  own: number;
  native: number;
  input: Buffer;
  nativeEnd: Buffer;
}

const only = (what: ReadonlySet<string>, ...names: string[]): boolean => [...what].every((name) => names.includes(name));
const MMX_STATE = /mm|^(p|mov|mask|cvt)/;

const REASONS: readonly { reason: string; matches: (d: Difference) => boolean }[] = [
  {
    reason: 'an access that is misaligned while alignment is checked and faults anyhow: silicon reports the alignment first, the SDM ("Priority Among Concurrent Events") last',
    matches: ({ own, native }) => native === ALIGNMENT && (own === STACK_FAULT || own === GENERAL_PROTECTION || own === PAGE_FAULT),
  },
  {
    reason: 'an operand that has to be aligned, is not, and lies outside the stack segment or not canonical: #GP(0) or #SS(0), the SDM does not order them',
    matches: ({ own, native, insn, mnemonic }) => own === STACK_FAULT && native === GENERAL_PROTECTION && (insn.operands.some(({ size }) => size >= 16) || /^(fx|x)(save|rstor)/.test(mnemonic)),
  },
  {
    reason: 'a far CALL that faults in its target: silicon has pushed the return address already',
    matches: ({ what, mnemonic, native }) => mnemonic === 'call_far' && native !== 3 && only(what, 'memory', 'CR2', 'vector', 'error code'),
  },
  {
    reason: 'REP CMPS and SCAS that fault: the SDM ("REP") leaves the flags of before, silicon those of the last iteration',
    matches: ({ what, mnemonic, native }) => /^(cmps|scas)$/.test(mnemonic) && native !== 3 && only(what, 'flags'),
  },
  {
    reason: 'which byte of an area, or which of the words on the stack, CR2 names',
    matches: ({ what, mnemonic, own, native }) => /^(xsave|xrstor|fxsave|fxrstor|v?maskmov(q|dqu)$|ret_far|iret)/.test(mnemonic) && own === native && only(what, 'CR2', 'error code', 'x87'),
  },
  {
    reason: 'an MMX instruction that faults: silicon has made TOP 0 and the registers valid already',
    matches: ({ what, insn, own, native, mnemonic }) => own === native && native !== 3 && MMX_STATE.test(mnemonic) && insn.operandCount > 0 && only(what, 'x87'),
  },
  {
    reason: 'MASKMOVQ and MASKMOVDQU with no byte selected: whether they fault is left to the implementation',
    matches: ({ mnemonic, own, native }) => /^v?maskmov(q|dqu)$/.test(mnemonic) && own === 3 && native !== 3,
  },
  {
    reason: 'ENTER, MASKMOVQ and MASKMOVDQU with alignment checked: silicon checks what is probed or written at once, the SDM asks for no more than their pushes and bytes',
    matches: ({ mnemonic, native }) => native === ALIGNMENT && /^(enter|v?maskmov(q|dqu))$/.test(mnemonic),
  },
  {
    reason: 'an x87 exception that waits, and a misaligned operand of a conversion to MMX registers: #MF or #GP(0), the SDM does not order them',
    matches: ({ mnemonic, own, native }) => own === GENERAL_PROTECTION && native === FLOATING_POINT && /^cvtt?pd2pi$/.test(mnemonic),
  },
  {
    reason: 'far RET and IRET: silicon reads the selector before the offset, so that a page fault of the one precedes the misalignment of the other',
    matches: ({ mnemonic, own, native }) => /^(ret_far|iret)$/.test(mnemonic) && own === ALIGNMENT && native === PAGE_FAULT,
  },
  {
    reason: 'VMASKMOV of 256 bits that reaches beyond its segment with elements that are not chosen: silicon faults, the SDM lets only chosen ones fault',
    matches: ({ mnemonic, own, native, insn }) => /^vp?maskmov[pdq][sd]?$/.test(mnemonic) && insn.codeSize !== 64 && own !== native && (native === STACK_FAULT || native === GENERAL_PROTECTION),
  },
  {
    reason: 'RDSEED finds no entropy at times on silicon',
    matches: ({ what, mnemonic }) => mnemonic === 'rdseed' && only(what, 'flags'),
  },
  {
    reason: 'a far CALL from 64-bit code to a compatibility segment: silicon truncates the stack pointer before it pushes',
    matches: ({ mnemonic, input, insn }) => mnemonic === 'call_far' && input.readUInt16LE(At.CS) === Selector.CODE64 && (insn.prefixes & Prefix.VEX) === 0 && input.readBigUInt64LE(At.REGS + 32) >> 32n !== 0n,
  },
];

/** The reason of a known difference, or undefined. */
export function explain(difference: Difference): string | undefined {
  return REASONS.find(({ matches }) => matches(difference))?.reason;
}
