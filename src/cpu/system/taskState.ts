/** What the TSS holds for a change of privilege level (SDM volume 3, "Task-State Segment (TSS)", "64-Bit Mode TSS"). */
import { Vector } from '../fault';
import { readLinear } from '../mmu/linear';
import type { Processor } from '../processor';
import { Seg } from '../state';
import { selectorCode } from './descriptors';

function readTss(cpu: Processor, offset: number, size: number, ext: number): bigint {
  const s = cpu.state;
  if (offset + size - 1 > s.limit(Seg.TR)) throw cpu.fault.exception(Vector.TS, selectorCode(s.selector(Seg.TR)) | ext);
  return readLinear(cpu, s.segBase(Seg.TR) + BigInt(offset), size, true);
}

/** RSP for a privilege level from a 64-bit TSS; `ist` 1 to 7 selects an interrupt-stack-table entry instead. */
export const stackPointer64 = (cpu: Processor, cpl: number, ist: number, ext = 0): bigint => readTss(cpu, ist === 0 ? 4 + cpl * 8 : 0x24 + (ist - 1) * 8, 8, ext);

/** SS and ESP for a privilege level from a 32-bit or 16-bit TSS. */
export function stackOf(cpu: Processor, cpl: number, ext = 0): { selector: number; pointer: bigint } {
  const wide = (cpu.state.access(Seg.TR) & 8) !== 0;
  // The whole SS:ESP pair is checked against the limit before it is read.
  const offset = wide ? 4 + cpl * 8 : 2 + cpl * 4;
  readTss(cpu, offset, wide ? 8 : 4, ext);
  const pointer = readTss(cpu, offset, wide ? 4 : 2, ext);
  const selector = Number(readTss(cpu, offset + (wide ? 4 : 2), 2, ext));
  return { selector, pointer };
}
