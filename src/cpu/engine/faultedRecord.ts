/** What generated code leaves unsaid of the instruction at Offset.RECORD, at which it stopped. */
import { mnemonicId } from '../decode/decode';
import type { Instruction } from '../decode/instruction';
import { Vector } from '../fault';
import { Offset, Seg } from '../state';
import type { CodeCache } from './codeCache';
import type { Cpu } from './cpu';
import { Field, Special } from './record';

const LEAVE = mnemonicId('leave');

/** The instruction that generated code executed last; undefined when no instruction's record led here. */
export function branchAtRecord(cpu: Cpu, cache: CodeCache): Instruction | undefined {
  const record = cpu.state.get32(Offset.RECORD);
  const { u16 } = cpu.views;
  let handler = u16[(record + Field.HANDLER) >>> 1]!;
  if (handler === Special.ENTER || handler === Special.BREAK) handler = u16[(record + Field.ORIGINAL) >>> 1]!;
  return handler >= Special.COUNT ? cache.peek(record) : undefined;
}

/**
 * Generated code does not say which segment a non-canonical address was for. With an rSP or rBP base it is SS, and the
 * exception #SS(0) instead of #GP(0); the instruction is decoded once more to tell.
 */
export function stackFaultByBase(cpu: Cpu, cache: CodeCache): void {
  if (cpu.codeSize !== 64 || cpu.fault.kind !== 'exception' || cpu.fault.vector !== Vector.GP) return;
  const insn = cache.peek(cpu.state.get32(Offset.RECORD));
  if (insn && (insn.segment === Seg.SS || insn.op === LEAVE)) cpu.fault.exception(Vector.SS, 0);
}
