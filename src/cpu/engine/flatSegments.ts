/**
 * Segments that a region of 16- or 32-bit code takes for flat: from 0 to 4 GiB, writable data, and a stack of 32 bits. What
 * most 32-bit code runs with needs no check and no base then. Regions never change segments themselves, so that it is
 * enough to look at them where a region is entered.
 */
import { Value } from '../../wasm/value';
import { type CpuState, Offset, Seg, Segment, SEGMENT_STRIDE } from '../state';

/** State offset of the stack segment's cache. */
export const SS_CACHE = Offset.SEGMENTS + Seg.SS * SEGMENT_STRIDE;
/** What Offset.SP_MASK is for a stack of 32 bits. */
export const STACK_32 = 0xffff_ffffn;

/** State offsets of the caches of the segments that are flat at present. */
export function flatSegments(s: CpuState): Set<number> {
  const flat = new Set<number>();
  for (let segment: number = Seg.ES; segment <= Seg.GS; segment++) {
    const cache = Offset.SEGMENTS + segment * SEGMENT_STRIDE;
    const wide = segment !== Seg.SS || s.get64(Offset.SP_MASK) === STACK_32;
    if (wide && s.get32(cache + Segment.FLAT) !== 0 && s.get64(cache + Segment.BASE) === 0n) flat.add(cache);
  }
  return flat;
}

/** Whether one of these segments is not flat any more, for generated code; undefined where there are none. `cpu` is the address of the processor's block. */
export function someNotFlat(cpu: Value, caches: Iterable<number>): Value | undefined {
  let any: Value | undefined;
  const or = (condition: Value): void => void (any = any ? any.or(condition) : condition);
  for (const cache of caches) {
    or(cpu.load('i32', 4, cache + Segment.FLAT).eqz());
    or(cpu.load('i64', 8, cache + Segment.BASE).ne(0));
    if (cache === SS_CACHE) or(cpu.load('i64', 8, Offset.SP_MASK).ne(STACK_32));
  }
  return any;
}
