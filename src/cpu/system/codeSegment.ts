/** Checks and loads that far transfers, returns and event delivery share for CS (SDM volume 3, "Privilege Level Checking When Transferring Program Control Between Code Segments"). */
import { isCanonical } from '../../base/bits';
import { Vector } from '../fault';
import type { Processor } from '../processor';
import { type CpuState, Seg } from '../state';
import { type Descriptor, isCode, isPresent, readDescriptor, selectorCode, setTypeBits } from './descriptors';
import { Access, isLong } from './mode';
import { setSegment } from './segments';
import { withinLimit } from './segmentation';

/** Whether code of this segment runs in 64-bit mode. */
export const targets64 = (s: CpuState, d: Descriptor): boolean => isLong(s) && (d.access & Access.L) !== 0;

/** Reads a code-segment descriptor: #GP (`vector`; #TS in a task switch) for another type, or for L together with D in IA-32e mode. The caller checks privilege, then `checkPresent`. */
export function readCodeDescriptor(cpu: Processor, selector: number, ext = 0, vector: number = Vector.GP): Descriptor {
  const d = readDescriptor(cpu, selector, vector, ext);
  const both = Access.L | Access.DB;
  if (!isCode(d.access) || (isLong(cpu.state) && (d.access & both) === both)) throw cpu.fault.exception(vector, selectorCode(selector) | ext);
  return d;
}

export function checkPresent(cpu: Processor, d: Descriptor, ext = 0): void {
  if (!isPresent(d.access)) throw cpu.fault.exception(Vector.NP, selectorCode(d.selector) | ext);
}

/** The new RIP must be canonical, or inside the code segment. Throws #GP(ext). */
export function checkTarget(cpu: Processor, d: Descriptor, rip: bigint, ext = 0): void {
  const fine = targets64(cpu.state, d) ? isCanonical(rip) : withinLimit(d.access & ~Access.EXPAND_DOWN, d.limit, Number(rip), 1);
  if (!fine) throw cpu.fault.exception(Vector.GP, ext);
}

/** Loads CS with RPL `cpl` and goes to `rip`. The caller sets the CPL and calls `stateChanged`. */
export function enterCode(cpu: Processor, d: Descriptor, cpl: number, rip: bigint): void {
  setTypeBits(cpu, d, Access.ACCESSED);
  setSegment(cpu.state, Seg.CS, (d.selector & ~3) | cpl, d);
  cpu.state.rip = rip;
}
