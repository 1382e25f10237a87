/** Where a processor stands, in the terms that stepping compares. */
import { Offset, Segment, SEGMENT_STRIDE, Seg, type CpuState } from '../../cpu/state';
import type { Processor } from '../../cpu/processor';
import type { VmxInspection } from '../../vmx/observe';
import type { World } from '../world';

const LMA = 1 << 10;
/** Bit 13 of a segment's access rights: 64-bit code. */
const CODE_64 = 1 << 13;
/** Bit 14: 32-bit code. */
const CODE_32 = 1 << 14;

export const worldOf = (vmx: VmxInspection): World => (vmx.nonRoot ? 'guest' : 'vmm');

/** Code size in bits by given EFER and CS access rights. */
export const codeBits = (efer: number, csAccess: number): 16 | 32 | 64 => (efer & LMA && csAccess & CODE_64 ? 64 : csAccess & CODE_32 ? 32 : 16);

const csAccess = (s: CpuState): number => s.get32(Offset.SEGMENTS + Seg.CS * SEGMENT_STRIDE + Segment.ACCESS);

export const codeBitsOf = (s: CpuState): 16 | 32 | 64 => codeBits(s.efer, csAccess(s));

/** Linear address of an instruction pointer. */
export function linearPc(rip: bigint, bits: 16 | 32 | 64, csBase: bigint): bigint {
  return bits === 64 ? rip : BigInt.asUintN(32, csBase + rip);
}

export interface Position {
  world: World;
  /** Linear address of the next instruction. */
  pc: bigint;
  rsp: bigint;
}

export function positionOf(cpu: Processor, vmx: VmxInspection): Position {
  const s = cpu.state;
  return { world: worldOf(vmx), pc: linearPc(s.rip, codeBitsOf(s), s.segBase(Seg.CS)), rsp: s.reg(4) };
}
