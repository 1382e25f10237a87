/** Instructions of the guest that cause VM exits (SDM volume 3, "Instructions That Cause VM Exits"), but those about registers, ports and MSRs. */
import type { Instruction } from '../cpu/decode/instruction';
import { Offset } from '../cpu/state';
import { pauseLoopExits } from './interceptEvents';
import { exitByInstruction, exitOfInstruction, NO_INFORMATION } from './exit';
import { displacement, operandInfo } from './instructionInfo';
import { Primary, Secondary } from './tables/controls';
import { Reason } from './tables/exitReasons';
import type { Vmx } from './vmx';

interface Rule {
  reason: number;
  /** Controls of which one must be set for the exit; without them it is unconditional. */
  primary?: number;
  secondary?: number;
}

/** Secondary controls without which an instruction raises #UD in the guest. */
const ENABLES: Readonly<Record<string, number>> = { rdtscp: Secondary.RDTSCP, rdpid: Secondary.RDTSCP, invpcid: Secondary.INVPCID, xsaves: Secondary.XSAVES, xrstors: Secondary.XSAVES };

/** Whether the VMM keeps an instruction from its guest altogether (SDM volume 3, "Changes to Instruction Behavior in VMX Non-Root Operation"). */
export const instructionDisabled = (vmx: Vmx, mnemonic: string): boolean => !vmx.secondary(ENABLES[mnemonic]!);

/** By mnemonic. */
const RULES: Readonly<Record<string, Rule>> = {
  cpuid: { reason: Reason.CPUID },
  getsec: { reason: Reason.GETSEC },
  invd: { reason: Reason.INVD },
  xsetbv: { reason: Reason.XSETBV },
  hlt: { reason: Reason.HLT, primary: Primary.HLT_EXITING },
  rdpmc: { reason: Reason.RDPMC, primary: Primary.RDPMC_EXITING },
  rdtsc: { reason: Reason.RDTSC, primary: Primary.RDTSC_EXITING },
  rdtscp: { reason: Reason.RDTSCP, primary: Primary.RDTSC_EXITING },
  mwait: { reason: Reason.MWAIT, primary: Primary.MWAIT_EXITING },
  monitor: { reason: Reason.MONITOR, primary: Primary.MONITOR_EXITING },
  pause: { reason: Reason.PAUSE, primary: Primary.PAUSE_EXITING },
  wbinvd: { reason: Reason.WBINVD, secondary: Secondary.WBINVD_EXITING },
  wbnoinvd: { reason: Reason.WBINVD, secondary: Secondary.WBINVD_EXITING },
  rdrand: { reason: Reason.RDRAND, secondary: Secondary.RDRAND_EXITING },
  rdseed: { reason: Reason.RDSEED, secondary: Secondary.RDSEED_EXITING },
  // With no supervisor component in IA32_XSS, no bit of the XSS-exiting bitmap can ask for an exit.
  xsaves: { reason: Reason.XSAVES, secondary: 0 },
  xrstors: { reason: Reason.XRSTORS, secondary: 0 },
  vmcall: { reason: Reason.VMCALL },
};

/** Instructions with no operand that the exit describes. True: a VM exit. */
export function interceptInstruction(vmx: Vmx, mnemonic: string, insn: Instruction): boolean {
  const rule = RULES[mnemonic];
  if (!rule) throw new Error(`VMX does not know how to intercept the instruction "${mnemonic}".`);
  const conditional = rule.primary !== undefined || rule.secondary !== undefined;
  const asked = (rule.primary !== undefined && vmx.primary(rule.primary)) || (rule.secondary !== undefined && vmx.secondary(rule.secondary));
  if (conditional && !asked && !(mnemonic === 'pause' && pauseLoopExits(vmx))) return false;
  const info = mnemonic === 'rdrand' || mnemonic === 'rdseed' ? (insn.operands[0].number << 3) | ((insn.operandSize >>> 2) << 11) : 0;
  if (mnemonic === 'mwait') return exitOfInstruction(vmx, rule.reason, insn, { qualification: vmx.state.get32(Offset.MONITOR) === 0 ? 0n : 1n });
  return exitOfInstruction(vmx, rule.reason, insn, info === 0 ? NO_INFORMATION : { instructionInfo: info });
}

/** Bits 29:28 of the instruction information. */
const GDT_IDENTITY: Readonly<Record<string, number>> = { sgdt: 0, sidt: 1, lgdt: 2, lidt: 3 };
const LDT_IDENTITY: Readonly<Record<string, number>> = { sldt: 0, str: 1, lldt: 2, ltr: 3 };
const OPERAND_IS_32_BITS = 1 << 11;

/** INVLPG, INVPCID and the descriptor-table instructions; `linear` is the address of INVLPG's operand. */
export function interceptMemoryOperand(vmx: Vmx, mnemonic: string, linear: bigint, insn: Instruction): void {
  if (mnemonic === 'invlpg') {
    if (vmx.primary(Primary.INVLPG_EXITING)) exitByInstruction(vmx, Reason.INVLPG, insn, { qualification: linear });
    return;
  }
  if (mnemonic === 'invpcid') {
    if (vmx.primary(Primary.INVLPG_EXITING)) exitByInstruction(vmx, Reason.INVPCID, insn, { qualification: displacement(insn, vmx.state.rip), instructionInfo: operandInfo(insn, 1, 0) });
    return;
  }
  if (!vmx.secondary(Secondary.DESCRIPTOR_TABLE_EXITING)) return;
  const gdt = GDT_IDENTITY[mnemonic];
  const identity = gdt ?? LDT_IDENTITY[mnemonic];
  if (identity === undefined) throw new Error(`VMX does not know how to intercept the instruction "${mnemonic}".`);
  let info = operandInfo(insn, 0) | (identity << 28);
  if (gdt !== undefined && insn.operandSize === 4) info |= OPERAND_IS_32_BITS;
  exitByInstruction(vmx, gdt !== undefined ? Reason.GDTR_IDTR_ACCESS : Reason.LDTR_TR_ACCESS, insn, { qualification: displacement(insn, vmx.state.rip), instructionInfo: info >>> 0 });
}
