/**
 * Reviewed differences from silicon: where the SDM leaves the outcome to the implementation, or says what ours does. Each is
 * counted, so that one that hides too much is seen.
 */
import { Prefix, RIP_REGISTER } from '../../src/cpu/decode/instruction';
import { TF } from '../../src/cpu/flags';
import { Gpr, Seg } from '../../src/cpu/state';
import { AMD_REASONS } from './amd';
import { type Difference, offset32, only, type Reason } from './difference';
import { At, Selector, VENDOR } from './testCase';

const [DEBUG, BREAKPOINT] = [1, 3];
const [STACK_FAULT, GENERAL_PROTECTION, PAGE_FAULT, FLOATING_POINT, ALIGNMENT] = [12, 13, 14, 16, 17];

const MMX_STATE = /mm|^(p|mov|mask|cvt)/;

/** Of MXCSR: underflow is masked. */
const UNDERFLOW_MASK = 0x800;

/** Bytes of an area with x87, SSE and AVX state. */
const XSAVE_AREA = 0x340;

const REASONS: readonly Reason[] = [
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
    reason: 'POP SS and MOV SS under TF before INT3: the trap that they hold back comes at the first instruction of the handler ("Masking Exceptions and Interrupts When Switching Stacks"), where Linux drops it',
    matches: ({ what, mnemonic, insn, own, native }) => /^(pop|mov_to)_sreg$/.test(mnemonic) && insn.operands[0]!.number === Seg.SS && own === DEBUG && native === BREAKPOINT && only(what, 'vector'),
  },
  {
    reason: 'far RET whose parameters reach over the end of a 16-bit stack: the SDM ("RET") adds to SP alone, silicon carries into ESP',
    matches: ({ what, mnemonic, insn, own, native, nativeEnd }) => mnemonic === 'ret_far' && own === native && only(what, 'rsp') && nativeEnd.readUInt16LE(At.REGS + Gpr.RSP * 8) < (insn.immLow & 0xffff),
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
    matches: ({ mnemonic, own, native }) => /^v?maskmov(q|dqu)$/.test(mnemonic) && (own === BREAKPOINT || own === DEBUG) && native !== own,
  },
  {
    reason: 'MASKMOVQ and MASKMOVDQU whose bytes that are not selected lie outside the segment: silicon asks it for all of them',
    matches: ({ mnemonic, own, native }) => /^v?maskmov(q|dqu)$/.test(mnemonic) && own === PAGE_FAULT && (native === GENERAL_PROTECTION || native === STACK_FAULT),
  },
  {
    reason: 'ENTER, MASKMOVQ and MASKMOVDQU with alignment checked: silicon checks what is probed or written at once, the SDM asks for no more than their pushes and bytes',
    matches: ({ mnemonic, native }) => native === ALIGNMENT && /^(enter|v?maskmov(q|dqu))$/.test(mnemonic),
  },
  {
    reason: 'an x87 exception that waits, and a misaligned operand of a conversion to MMX registers: #MF, or #GP(0) or #SS(0), the SDM does not order them',
    matches: ({ mnemonic, own, native }) => (own === GENERAL_PROTECTION || own === STACK_FAULT) && native === FLOATING_POINT && /^cvtt?pd2pi$/.test(mnemonic),
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
    reason: 'MOV SS with TF set, in front of the INT3 that ends the case: the trap that it holds back comes at the first instruction of the handler, where Linux takes it itself',
    matches: ({ mnemonic, own, native, input }) => mnemonic === 'mov_to_sreg' && own === DEBUG && native === BREAKPOINT && (input.readBigUInt64LE(At.FLAGS) & BigInt(TF)) !== 0n,
  },
  {
    reason: 'an instruction that overwrites the one behind it: what that does with undefined flags differs',
    matches: ({ insn }) => insn.base === RIP_REGISTER && insn.dispLow === 0,
  },
  {
    reason: 'an XSAVE area that wraps at 4 GiB for 32-bit addresses: silicon addresses its parts one by one, the SDM tells of one operand',
    matches: ({ mnemonic, insn, input }) => /^x(save|rstor)/.test(mnemonic) && insn.addressSize === 4 && insn.codeSize === 64 && offset32(insn, input) > 0xffff_ffff - XSAVE_AREA,
  },
  {
    reason: 'VCVTPS2PH whose underflow is not masked: whether the result that is not delivered counts as inexact',
    matches: ({ what, mnemonic, input }) => mnemonic === 'vcvtps2ph' && only(what, 'MXCSR') && (input.readUInt32LE(At.MXCSR) & UNDERFLOW_MASK) === 0,
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

/** Those of the processor at hand. */
const APPLICABLE = VENDOR === 'AuthenticAMD' ? [...REASONS, ...AMD_REASONS] : REASONS;

/** The reason of a known difference, or undefined. */
export function explain(difference: Difference): string | undefined {
  return APPLICABLE.find(({ matches }) => matches(difference))?.reason;
}
