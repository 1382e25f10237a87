/**
 * MOV to ES, DS, FS and GS as loaders do it all the time: in real-address mode, and of plain data segments at privilege
 * level 0 whose descriptor the TLB has and nothing has to be written to. All else is TypeScript's (system/segments.ts).
 */
import { Value } from '../../wasm/value';
import { Cr0 } from '../controlBits';
import { VM } from '../flags';
import { Offset, Seg, Segment, SEGMENT_STRIDE } from '../state';
import { BASE, long, word } from '../stateCode';
import { Access } from '../system/mode';
import { isFlat } from '../system/segmentationCode';
import { type Semantics } from './emitter';
import { routine, type RoutineBody } from './routine';
import { runAt } from './strings';

const DESCRIPTOR_SIZE = 8;

const cacheOf = (seg: number): number => Offset.SEGMENTS + seg * SEGMENT_STRIDE;

/** Fills a segment register from its descriptor, for data alone. */
function loadFromTable(b: RoutineBody, cache: Value, selector: Value): void {
  b.require(word(Offset.CPL).or(word(Offset.FLAGS).and(VM)).eqz());
  b.require(selector.and(4).eqz().and(selector.gtU(3)));
  const offset = b.let(selector.and(0xfff8));
  b.require(offset.add(DESCRIPTOR_SIZE - 1).leU(word(Offset.GDTR_LIMIT)));
  const at = runAt(b, b.let(long(Offset.GDTR_BASE).add(offset.extendU())), Value.i32(DESCRIPTOR_SIZE), false);
  const [low, high] = [b.let(at.load('i32', 4)), b.let(at.load('i32', 4, 4))];
  const access = b.let(high.shrU(8).and(0xf0ff));
  const wanted = Access.S | Access.P | Access.ACCESSED;
  b.require(access.and(wanted | Access.CODE).eq(wanted));
  b.require(selector.and(3).leU(access.shrU(5).and(3)));
  const raw = b.let(low.and(0xffff).or(high.and(0xf_0000)));
  const limit = b.let(Value.select(access.and(Access.G), raw.shl(12).or(0xfff), raw));
  const base = low.shrU(16).or(high.and(0xff).shl(16)).or(high.and(0xff00_0000));
  b.store(cache, access, 4, Segment.ACCESS);
  b.store(cache, limit, 4, Segment.LIMIT);
  b.store(cache, isFlat(access, limit), 4, Segment.FLAT);
  b.store(cache, base.extendU(), 8, Segment.BASE);
}

/** (cpu, host address of the segment register's cache, selector) -> 1 when it is loaded, 0 with nothing done. */
const loadSegment = routine('segment.load', ['i32', 'i32', 'i32'], 'i32', (b) => {
  const cache = b.argument(1);
  const selector = b.let(b.argument(2).and(0xffff));
  const offset = cache.sub(BASE);
  b.require(offset.ne(cacheOf(Seg.CS)).and(offset.ne(cacheOf(Seg.SS))));
  const isProtected = b.let(word(Offset.CR0).and(Cr0.PE));
  b.when(isProtected, () => loadFromTable(b, cache, selector));
  // Real mode changes selector and base only.
  b.when(isProtected.eqz(), () => b.store(cache, selector.shl(4).extendU(), 8, Segment.BASE));
  b.store(cache, selector, 2, Segment.SELECTOR);
  return Value.i32(1);
});

export const segmentLoads: readonly Semantics[] = [
  {
    mnemonic: 'mov_to_sreg',
    sizes: [2],
    forms: ['sr'],
    emit: (e) => e.leave(e.call(loadSegment, e.state(), e.registerHost(0), e.read(1, 2)).eqz()),
  },
];
