/**
 * Reviewed differences of AMD's processors from Intel's, whose architecture this machine has: what AMD's manual ("AMD64
 * Architecture Programmer's Manual", volumes 1 to 3) says otherwise than the SDM, or what both leave open.
 */
import { type Instruction, Kind, Prefix } from '../../src/cpu/decode/instruction';
import { type Difference, offset32, only, type Reason } from './difference';
import { At, YMM_SIZE } from './testCase';
import { APPROXIMATE } from './undefined';

const [DEBUG, BREAKPOINT, INVALID_OPCODE, STACK_FAULT, GENERAL_PROTECTION, PAGE_FAULT, ALIGNMENT] = [1, 3, 6, 12, 13, 14, 17];
const REPEATED = Prefix.REP | Prefix.REPNE;

const has = (insn: Instruction, ...prefixes: number[]): boolean => prefixes.every((prefix) => (insn.prefixes & prefix) !== 0);
const hasMemory = (insn: Instruction): boolean => insn.operands.some(({ kind }) => kind === Kind.MEM);

/** Instructions with memory operands that they do not name, or that lie elsewhere than what they name. */
const IMPLICIT_OPERAND = /^(enter|leave|push|pop|call|ret|iret|movs|stos|lods|scas|cmps|bt[src]?$)/;
/** Bytes of an FNSAVE area, the largest operand without a size. */
const FNSAVE_AREA = 108;
/** Whether a memory operand ends behind the first 4 GiB. */
const reachesOverEnd = (insn: Instruction, input: Buffer): boolean => insn.addressSize === 4 && insn.operands.some(({ kind, size }) => kind === Kind.MEM && offset32(insn, input) + (size === 0 ? FNSAVE_AREA : size) > 2 ** 32);

/** Of the x87 status word. */
const UE = 0x10;

/** Estimates may be wrong by this part of the value. */
const ESTIMATE = 1.5 * 2 ** -12;

/** Whether all numbers of the vector registers are estimates of the same values. */
function sameEstimates({ ownEnd, nativeEnd }: Difference): boolean {
  for (let at: number = At.YMM; at < At.YMM + 16 * YMM_SIZE; at += 4) {
    if (ownEnd.readUInt32LE(at) === nativeEnd.readUInt32LE(at)) continue;
    const [own, native] = [ownEnd.readFloatLE(at), nativeEnd.readFloatLE(at)];
    if (!(Math.abs(own - native) <= 2 * ESTIMATE * Math.abs(native))) return false;
  }
  return true;
}

export const AMD_REASONS: readonly Reason[] = [
  {
    reason: 'AMD: near branches in 64-bit code obey the operand-size prefix, and the target is of 16 bits',
    matches: ({ insn, mnemonic }) => insn.codeSize === 64 && has(insn, Prefix.OPERAND_SIZE) && /^(jcc|jcxz|loop(n?e)?|(jmp|call)(_near)?|ret)$/.test(mnemonic),
  },
  {
    reason: 'AMD: F2 and F3 in front of LOOPE and LOOPNE choose the condition',
    matches: ({ what, insn, mnemonic }) => /^loopn?e$/.test(mnemonic) && (insn.prefixes & REPEATED) !== 0 && only(what, 'RIP', 'vector', 'CR2', 'error code'),
  },
  {
    reason: 'AMD: repeated string instructions with 32-bit addresses leave the upper halves of registers when they end before the first element',
    matches: ({ what, insn }) => insn.codeSize === 64 && insn.addressSize === 4 && (insn.prefixes & REPEATED) !== 0 && only(what, 'rcx', 'rsi', 'rdi', 'CR2'),
  },
  {
    reason: 'AMD: CMPS reads its destination first, and that one faults',
    matches: ({ what, mnemonic }) => mnemonic === 'cmps' && only(what, 'vector', 'CR2', 'error code'),
  },
  {
    reason: 'AMD: other estimates of reciprocals and square roots, within 1.5 * 2^-12 of the value both',
    matches: (d) => /^v?r(sqrt|cp)[ps]s$/.test(d.mnemonic) && only(d.what, /^ymm/) && sameEstimates(d),
  },
  {
    reason: 'AMD: areas of FXSAVE and XSAVE hold the last x87 instruction only while an exception waits, and a mask of MXCSR with bit 17',
    matches: ({ what, mnemonic }) => /^(fx|x)save/.test(mnemonic) && only(what, 'memory'),
  },
  {
    reason: 'AMD: operands of 16 bytes of the SHA extensions need no alignment',
    matches: ({ mnemonic, own, native, insn }) => mnemonic.startsWith('sha') && hasMemory(insn) && own === GENERAL_PROTECTION && native !== own,
  },
  {
    reason: 'AMD: with alignment checked, operands of 16 and 32 bytes that need none raise #AC, and MOVSXD to 16 bits reads 4 bytes',
    matches: ({ own, native, insn }) => native === ALIGNMENT && own !== native && hasMemory(insn),
  },
  {
    reason: 'AMD: LDMXCSR takes bit 17, which lets misaligned operands be',
    matches: ({ mnemonic, own, native, what }) => /^v?ldmxcsr$/.test(mnemonic) && own === GENERAL_PROTECTION && native !== own && what.has('MXCSR'),
  },
  {
    reason: 'AMD: FNSAVE and its like access their operand up to the end of the segment',
    matches: ({ mnemonic, own, native }) => /^f(nsave|rstor|nstenv|ldenv)$/.test(mnemonic) && own === GENERAL_PROTECTION && native === PAGE_FAULT,
  },
  {
    reason: 'AMD: PREFETCHW with a register is no instruction',
    matches: ({ mnemonic, native, insn }) => mnemonic === 'nop' && insn.opcode === 0x10d && native === INVALID_OPCODE,
  },
  {
    reason: 'AMD: far pointers in memory have offsets of 32 bits at most',
    matches: ({ mnemonic, insn }) => /^(l[sfg]s|call_far|jmp_far)$/.test(mnemonic) && has(insn, Prefix.REX_W),
  },
  {
    reason: 'SHLD and SHRD of 16 bits by more than 16: undefined',
    matches: ({ what, mnemonic, insn }) => /^sh[lr]d$/.test(mnemonic) && insn.operands[0]!.size === 2 && only(what, 'memory', 'flags', /^r/),
  },
  {
    reason: 'AMD: which of several NaNs DPPS and DPPD yield, and what their sums raise',
    matches: ({ what, mnemonic }) => /^v?dpp[sd]$/.test(mnemonic) && only(what, /^ymm/, 'MXCSR'),
  },
  {
    reason: 'AMD: F3 90 with REX.B exchanges R8 and RAX',
    matches: ({ what, mnemonic, insn }) => mnemonic === 'pause' && has(insn, Prefix.REX) && only(what, 'rax', 'r8'),
  },
  {
    reason: 'AMD: far RET and IRET read all that they may need before they look at the code segment, and want all 64 bits of an offset of 64 within that segment',
    matches: ({ mnemonic, insn, own, native }) => /^(ret_far|iret)$/.test(mnemonic) && ((own === STACK_FAULT && native === GENERAL_PROTECTION) || (own === GENERAL_PROTECTION && (native === PAGE_FAULT || native === STACK_FAULT)) || (native === GENERAL_PROTECTION && has(insn, Prefix.REX_W))),
  },
  {
    reason: 'AMD: a near CALL to an address that is not canonical faults before it pushes',
    matches: ({ what, mnemonic }) => /^call(_near)?$/.test(mnemonic) && only(what, 'memory', 'rsp'),
  },
  {
    reason: 'AMD: x87 stores that raise an unmasked exception have their operand checked before',
    matches: ({ mnemonic, native }) => /^f(i|b)?s(t|tt)p?p?$/.test(mnemonic) && [GENERAL_PROTECTION, STACK_FAULT, PAGE_FAULT, ALIGNMENT].includes(native),
  },
  {
    reason: 'AMD: an operand that reaches over the end of a segment of 4 GiB faults; on Intel\'s it goes on at 0',
    matches: ({ insn, input, own, native, mnemonic }) => insn.codeSize !== 64 && (own === PAGE_FAULT || own === ALIGNMENT) && (native === GENERAL_PROTECTION || native === STACK_FAULT) && (IMPLICIT_OPERAND.test(mnemonic) || reachesOverEnd(insn, input)),
  },
  {
    reason: 'AMD: PUSH and POP of a segment register access all bytes of the element on the stack',
    matches: ({ what, mnemonic, native }) => /^(push|pop)_sreg$/.test(mnemonic) && (only(what, 'memory') || native === ALIGNMENT),
  },
  {
    reason: 'AMD: elements of VMASKMOV with 32-bit addresses go on at 0 behind the first 4 GiB',
    matches: ({ what, mnemonic, insn }) => /^vp?maskmov/.test(mnemonic) && insn.addressSize === 4 && only(what, 'CR2'),
  },
  {
    reason: 'AMD: SYSCALL and SYSRET exist in compatibility mode',
    matches: ({ mnemonic, insn, own }) => /^sys(call|ret)$/.test(mnemonic) && insn.codeSize !== 64 && own === INVALID_OPCODE,
  },
  {
    reason: 'AMD: VPEXTRD and VPINSRD with VEX.W do not exist outside 64-bit mode',
    matches: ({ mnemonic, insn, native }) => /^vp(extr|insr)d$/.test(mnemonic) && insn.codeSize !== 64 && has(insn, Prefix.REX_W) && native === INVALID_OPCODE,
  },
  {
    reason: 'AMD: VCVTPS2PH whose store faults leaves MXCSR as it was, and its operand is checked before its exceptions',
    matches: ({ what, mnemonic, insn, native }) => mnemonic === 'vcvtps2ph' && hasMemory(insn) && native !== BREAKPOINT && native !== DEBUG && only(what, 'MXCSR', 'vector', 'CR2', 'error code'),
  },
  {
    reason: 'AMD: FPREM and FPREM1 by infinity of a denormal number, and transcendental results at the border of the denormal numbers, raise an unmasked underflow',
    matches: ({ what, mnemonic, ownEnd, nativeEnd }) => (/^fprem1?$/.test(mnemonic) || APPROXIMATE.test(mnemonic)) && only(what, 'x87') && (nativeEnd[At.X87 + 2]! & ~ownEnd[At.X87 + 2]! & UE) !== 0,
  },
  {
    reason: 'protection keys, which a virtual machine of AMD\'s may lack',
    matches: ({ mnemonic, native }) => /pkru$/.test(mnemonic) && native === INVALID_OPCODE,
  },
  {
    reason: 'INT1 in a virtual machine: the hypervisor of the host reports the instruction, not the one behind it',
    matches: ({ what, mnemonic }) => mnemonic === 'int1' && only(what, 'RIP'),
  },
];
