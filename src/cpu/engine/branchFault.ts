/**
 * Near branches to where there is no code segment any more, or to a non-canonical address: the branch itself raises #GP(0)
 * (SDM volume 2, "JMP", "CALL", "RET"). Generated code has then gone there already; what it did is taken back.
 */
import { mnemonics } from '../decode/decode';
import type { Instruction } from '../decode/instruction';
import type { Processor } from '../processor';
import { Gpr, Offset, Seg } from '../state';
import { is64 } from '../system/mode';
import { readGpr, writeGpr } from '../system/operands';
import { replacePointer, stackMask } from '../system/stack';

/** Whether code may not go on at RIP. It is asked at every look-up of an address. */
export function isOutside(cpu: Processor, long: boolean): boolean {
  const s = cpu.state;
  const high = s.high(Offset.RIP) | 0;
  if (long) return high >> 15 !== 0 && high >> 15 !== -1;
  return s.get32(Offset.RIP) > s.limit(Seg.CS);
}

/** Takes the effects of a near branch back. False when the instruction is none. What CALL has pushed stays below the stack. */
export function undoBranch(cpu: Processor, insn: Instruction): boolean {
  const s = cpu.state;
  const mnemonic = mnemonics[insn.op]!;
  const moveStack = (by: number): void => {
    const mask = is64(s) ? 0xffff_ffff_ffff_ffffn : stackMask(s.access(Seg.SS));
    const old = s.reg(Gpr.RSP);
    s.setReg(Gpr.RSP, replacePointer(old, mask, BigInt.asUintN(64, old + BigInt(by))));
  };
  switch (mnemonic) {
    case 'jmp':
    case 'jmp_near':
    case 'jcc':
    case 'jcxz':
      return true;
    case 'call':
    case 'call_near':
      moveStack(insn.operandSize);
      return true;
    case 'ret':
      moveStack(-insn.operandSize - (insn.operandCount > 0 ? insn.immLow & 0xffff : 0));
      return true;
    case 'loop':
    case 'loope':
    case 'loopne':
      writeGpr(s, Gpr.RCX, insn.addressSize, BigInt.asUintN(64, readGpr(s, Gpr.RCX, insn.addressSize) + 1n));
      return true;
  }
  return false;
}
