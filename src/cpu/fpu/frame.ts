/**
 * What all x87 instructions have around them: whether they may execute at all, the exception that waits to be reported,
 * and the record of the exceptions that they raise (SDM volume 1, "x87 FPU Exception Conditions"; volume 3, "System
 * Control Flags", CR0.EM, MP, TS and NE).
 */
import { Cr0 } from '../controlBits';
import type { Instruction } from '../decode/instruction';
import { Activity } from '../engine/activity';
import { STATE_REPLACED, Vector } from '../fault';
import type { Processor, SlowOperation } from '../processor';
import { Offset } from '../state';
import { requireFeature } from '../system/privilege';
import { Numeric } from './numeric';
import { controlWord, setLastInstruction, setLastOpcode, setLastOperand, setStatusWord, statusWord } from './registers';
import { BEFORE_OPERATION, EXCEPTIONS, Status } from './statusWord';

/** Interruptibility: blocking by STI, by MOV SS. */
const BLOCKING_STI_MOVSS = 3;

/** #NM where CR0 withholds the x87, #UD on a processor without one. */
export function checkAvailable(cpu: Processor): void {
  requireFeature(cpu, 'fpu');
  if (cpu.state.cr0 & (Cr0.EM | Cr0.TS)) throw cpu.fault.exception(Vector.NM);
}

/** An x87 instruction that came with a later feature: #UD without it. */
export const requiring =
  (feature: string, operation: SlowOperation): SlowOperation =>
  (cpu, insn) => {
    requireFeature(cpu, feature);
    operation(cpu, insn);
  };

/**
 * Reports an unmasked exception of an earlier instruction: #MF with CR0.NE, otherwise the way of the PC/AT: the processor
 * asserts FERR# and stops in front of the instruction until an interrupt comes.
 */
export function reportPending(cpu: Processor): void {
  const s = cpu.state;
  if (!(statusWord(s) & Status.SUMMARY)) {
    if (cpu.coprocessor?.ignoresErrors) cpu.coprocessor.errorGone();
    return;
  }
  if (s.cr0 & Cr0.NE) throw cpu.fault.exception(Vector.MF);
  if (cpu.coprocessor?.ignoresErrors) return;
  cpu.coprocessor?.reportError();
  s.rip = cpu.instructionRip;
  // It stops behind the instruction before, whose shadow is over.
  s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) & ~BLOCKING_STI_MOVSS);
  s.set32(Offset.ACTIVITY, Activity.HLT);
  throw STATE_REPLACED;
}

/** Begins a waiting instruction that computes; the pointers take it as the last one. */
export function begin(cpu: Processor): Numeric {
  checkAvailable(cpu);
  reportPending(cpu);
  return new Numeric(controlWord(cpu.state));
}

/** The opcode as FOP keeps it: low three bits of the first byte, and ModRM. */
const opcodeOf = (insn: Instruction): number => ((insn.opcode & 7) << 8) | (insn.modrm & 0xff);

/**
 * Records what an operation raised and its C1, with FIP, and FOP and FDP when an exception is unmasked. Returns false
 * when the unmasked exception is one that keeps operands and destination as they were. `operand`: the memory operand's
 * offset in its segment.
 */
export function settle(cpu: Processor, insn: Instruction, env: Numeric, operand?: bigint): boolean {
  const s = cpu.state;
  const unmasked = env.raised & ~env.control & EXCEPTIONS;
  const aborted = (unmasked & BEFORE_OPERATION) !== 0;
  let raised = env.raised;
  let { c1 } = env;
  // What would have come of an operation that was not performed is not reported.
  if (aborted) {
    raised &= BEFORE_OPERATION | Status.STACK_FAULT;
    if (!(raised & Status.STACK_FAULT)) c1 = false;
  }
  setLastInstruction(s, cpu.instructionRip);
  if (unmasked) {
    setLastOpcode(s, opcodeOf(insn));
    if (operand !== undefined) setLastOperand(s, operand);
  }
  if (env.keepsC1 && !(raised & Status.STACK_FAULT)) c1 = (statusWord(s) & Status.C1) !== 0;
  setStatusWord(s, (statusWord(s) & ~Status.C1) | raised | (c1 ? Status.C1 : 0));
  return !aborted;
}

/** An operation that raises nothing but stack faults and clears C1. */
export const simple =
  (action: (cpu: Processor, insn: Instruction) => void): SlowOperation =>
  (cpu, insn) => {
    const env = begin(cpu);
    settle(cpu, insn, env);
    action(cpu, insn);
  };
