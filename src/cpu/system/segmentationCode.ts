/**
 * The checks of segmentation.ts as generated code, for 16- and 32-bit code with segments that do not end at 4 GiB. Real-address
 * mode has no others: there every access is checked.
 */
import { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { AccessFlag } from '../accessFlags';
import { Cr0 } from '../controlBits';
import { VM } from '../flags';
import { ACCESS_UNUSABLE, Offset, Segment } from '../state';
import { BASE, keep, when, word } from '../stateCode';
import { Access } from './mode';

/** Segment.FLAT for access rights and limit: no access through the segment can violate its type or limit. */
export const isFlat = (access: Value, limit: Value): Value =>
  access.and(ACCESS_UNUSABLE | Access.P | Access.CODE | Access.EXPAND_DOWN | Access.WRITABLE).eq(Access.P | Access.WRITABLE).and(limit.eq(-1));

/**
 * (cpu, state offset of a segment's cache, offset in the segment, flags as for `access` of slowPath.ts) -> 1 where the segment
 * permits the access and does not expand down; of all else the function with the index `otherwise`, which has the same
 * parameters, decides.
 */
export function segmentCheckFunction(otherwise: number): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32'], ['i32']);
  const [segment, offset, flags] = [Value.local(1, 'i32'), Value.local(2, 'i32'), Value.local(3, 'i32')];
  const cache = keep(f, BASE.add(segment));
  const access = keep(f, cache.load('i32', 4, Segment.ACCESS));
  const limit = keep(f, cache.load('i32', 4, Segment.LIMIT));
  const has = (bits: number): Value => access.and(bits).ne(0);
  const reads = flags.and(AccessFlag.WRITE).eqz();

  const isReal = word(Offset.CR0).and(Cr0.PE).eqz().or(word(Offset.FLAGS).and(VM).ne(0));
  const usable = access.and(ACCESS_UNUSABLE | Access.S).eq(Access.S);
  const code = reads.and(has(Access.READABLE));
  const data = reads.or(has(Access.WRITABLE));
  const permits = isReal.or(usable.and(Value.select(has(Access.CODE), code, data)));
  const expandsDown = access.and(Access.S | Access.CODE | Access.EXPAND_DOWN).eq(Access.S | Access.EXPAND_DOWN);
  const inside = limit.eq(-1).or(offset.leU(limit).and(limit.sub(offset).geU(flags.and(AccessFlag.SIZE).sub(1))));
  when(f, permits.and(inside).and(expandsDown.eqz()), () => {
    f.i32(1);
    f.return();
  });
  Value.call(otherwise, 'i32', BASE, segment, offset, flags).emit(f);
  return f;
}
