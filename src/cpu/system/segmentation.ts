/** From a segment and an offset to a linear address, with every check (SDM volume 3, "Limit Checking", "Type Checking"). */
import { isCanonical } from '../../base/bits';
import { Vector } from '../fault';
import type { Processor } from '../processor';
import { ACCESS_UNUSABLE, type CpuState, Seg } from '../state';
import { Access, is64, isReal } from './mode';

/** Whether `size` bytes at an offset are inside a segment with these rights and this limit. */
export function withinLimit(access: number, limit: number, offset: number, size: number): boolean {
  const expandDown = (access & (Access.S | Access.CODE | Access.EXPAND_DOWN)) === (Access.S | Access.EXPAND_DOWN);
  if (expandDown) {
    const upper = access & Access.DB ? 0xffff_ffff : 0xffff;
    return offset > limit && offset + size - 1 <= upper;
  }
  // A flat segment wraps at 4 GiB.
  return limit === 0xffff_ffff || offset + size - 1 <= limit;
}

/** Whether the segment's type permits the access; real-address and virtual-8086 mode do not ask. */
function permitted(s: CpuState, access: number, write: boolean): boolean {
  if (isReal(s)) return true;
  if (access & ACCESS_UNUSABLE) return false;
  if (access & Access.CODE) return !write && (access & Access.READABLE) !== 0;
  return !write || (access & Access.WRITABLE) !== 0;
}

/**
 * Linear address of `size` bytes at a segment's offset, checked for the access. Throws #GP(0), or #SS(0) for the stack
 * segment.
 */
export function segmentLinear(cpu: Processor, seg: number, offset: bigint, size: number, write: boolean): bigint {
  const s = cpu.state;
  const vector = seg === Seg.SS ? Vector.SS : Vector.GP;
  const linear = uncheckedLinear(cpu, seg, offset);
  if (is64(s)) {
    if (!isCanonical(linear) || (size > 1 && !isCanonical(BigInt.asUintN(64, linear + BigInt(size - 1))))) throw cpu.fault.exception(vector, 0);
    return linear;
  }
  const access = s.access(seg);
  if (!permitted(s, access, write) || !withinLimit(access, s.limit(seg), Number(offset), size)) throw cpu.fault.exception(vector, 0);
  return linear;
}

/** Linear address of a segment's offset, without any check. */
export function uncheckedLinear(cpu: Processor, seg: number, offset: bigint): bigint {
  const s = cpu.state;
  if (!is64(s)) return BigInt.asUintN(32, s.segBase(seg) + offset);
  return seg === Seg.FS || seg === Seg.GS ? BigInt.asUintN(64, s.segBase(seg) + offset) : offset;
}
