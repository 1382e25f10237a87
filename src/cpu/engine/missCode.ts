/**
 * What generated code calls for want of a translation, itself generated: the usual page walks, accesses beside watched
 * bytes, writes beside the code of their page, and accesses that cross into a page which the TLB has too. What is left is
 * mmu/slowPath.ts's.
 */
import { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { AccessFlag } from '../accessFlags';
import { FRAME_PAGES } from '../mmu/frameTable';
import { DEVICE, TOLD, Word } from '../mmu/tlb';
import { ADDEND, entryOf, liesBeside, tagOf, watchedTag } from '../mmu/tlbCode';
import { CROSSING, Crossing, LET_BY, Offset, WATCHED_PAGES } from '../state';
import { assign, BASE, keep, long, set, when, word } from '../stateCode';
import { MAXIMUM_LENGTH } from './codeLines';
import { PAGE, PageTable, PIECE } from './codePage';
import { CODE_TABLES } from './layout';
import { Field, Special } from './record';

const PAGE_MASK = ~0xfffn;
const DROP = 0x1a;
/** After so many writes beside code TypeScript counts them; a power of two. */
const LET_BY_AT_ONCE = 64;

const yieldIt = (f: FunctionBuilder, result: Value): void => {
  result.emit(f);
  f.return();
};

/** (tables of a page's code, offset, bytes) -> 1 where a write reaches no instruction, as far as their records tell that at once. */
export function missesCode(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32'], ['i32']);
  const [table, offset, size] = [Value.local(0, 'i32'), Value.local(1, 'i32'), Value.local(2, 'i32')];
  const reachesBack = offset.sub(MAXIMUM_LENGTH - 1);
  const atLocal = f.local('i32');
  const at = Value.local(atLocal, 'i32');
  assign(f, atLocal, Value.select(reachesBack.gtS(0), reachesBack, Value.i32(0)));
  const end = keep(f, offset.add(size));
  const loop = f.loop();
  const record = keep(f, table.add(at.shl(2)).load('i32', 4, PageTable.SLOTS));
  when(f, record, () => {
    const isPlain = record.load('i32', 2, Field.HANDLER).geU(Special.COUNT);
    const endsBefore = at.add(record.load('i32', 1, Field.LENGTH)).leU(offset);
    when(f, at.ltU(offset).and(isPlain).and(endsBefore).eqz(), () => yieldIt(f, Value.i32(0)));
  });
  assign(f, atLocal, at.add(1));
  at.ltU(end).emit(f);
  f.branchIf(loop);
  f.end();
  f.i32(1);
  return f;
}

/**
 * A write of which only the code in its page has to be told, `entry` being its translation: lets it by where no
 * instruction can begin that it may reach.
 */
function writeBesideCode(f: FunctionBuilder, misses: number, linear: Value, size: Value, entry: Value): void {
  const offset = keep(f, linear.wrap().and(0xfff));
  const page = keep(f, entry.load('i32', 4, Word.PAGE * 4));
  const tag = linear.and(PAGE_MASK).or(long(Offset.GENERATION));
  const isWhole = entry.load('i64', 8, tagOf(false)).eq(tag).and(offset.add(size).leU(PAGE));
  when(f, isWhole.and(page.ltU(FRAME_PAGES)), () => {
    const table = keep(f, page.shl(2).load('i32', 4, CODE_TABLES));
    const watched = (number: Value, at: number): Value => long(WATCHED_PAGES + at).shrU(number);
    const isWatched = watched(linear.shrU(12), 0).or(watched(page.extendU(), 8)).and(1n).wrap();
    when(f, table.ne(0).and(isWatched.eqz()), () => {
      const isFar = keep(f, offset.geU(MAXIMUM_LENGTH));
      const first = keep(f, Value.select(isFar, offset.sub(MAXIMUM_LENGTH - 1).shrU(PIECE), Value.i32(0)));
      const pieces = offset.add(size).sub(1).shrU(PIECE).sub(first).add(1); // at most 6
      // Of the code of both sizes; the same tables twice where there is one.
      const next = keep(f, table.load('i32', 4, PageTable.NEXT));
      const tables = [table, keep(f, Value.select(next, next, table))];
      const begins = tables.map((t) => t.add(first).load('i64', 8, PageTable.BEGINS)).reduce((a, b) => a.or(b));
      const isReached = tables.map((t) => t.load('i32', 4, PageTable.REACHED)).reduce((a, b) => a.or(b));
      const count = keep(f, table.load('i32', 4, PageTable.LET_BY).add(1));
      when(f, isFar.or(isReached.eqz()).and(count.ltU(LET_BY_AT_ONCE)), () => {
        const isBeside = f.local('i32');
        const nobody = begins.shl(Value.i64(64).sub(pieces.shl(3).extendU())).eq(0n);
        const call = (t: Value): Value => Value.call(misses, 'i32', t, offset, size);
        when(f, nobody, () => assign(f, isBeside, Value.i32(1)), () => assign(f, isBeside, call(tables[0]!).and(call(tables[1]!))));
        when(f, Value.local(isBeside, 'i32'), () => {
          table.store(f, count, 4, PageTable.LET_BY);
          yieldIt(f, linear.wrap().add(entry.load('i32', 4, ADDEND)));
        });
      });
    });
  });
}

/** An access to two pages that both can be accessed directly: goes to the scratch bytes, from where `commit` takes what is written. */
function crossPages(f: FunctionBuilder, walk: number, linear: Value, flags: Value, size: Value, entry: Value): void {
  const second = keep(f, linear.or(0xfffn).add(1));
  const bank = word(Offset.TLB_BASE);
  const other = keep(f, entryOf(second, bank));
  const write = flags.and(AccessFlag.WRITE);
  const allows = (at: Value, address: Value, writes: boolean): Value => at.load('i64', 8, tagOf(writes)).eq(address.and(PAGE_MASK).or(long(Offset.GENERATION)));
  const isAllowed = (at: Value, address: Value): Value => allows(at, address, false).and(allows(at, address, true).or(write.eqz()));
  const oneByte = keep(f, flags.and(~AccessFlag.SIZE).or(1));
  for (const [at, address] of [[entry, linear], [other, second]] as const) {
    when(f, isAllowed(at, address).eqz(), () => {
      Value.call(walk, 'i32', BASE, address, oneByte).emit(f);
      f.op(DROP);
    });
  }
  when(f, isAllowed(entry, linear).and(isAllowed(other, second)), () => {
    const first = keep(f, second.sub(linear).wrap());
    const rest = keep(f, size.sub(first));
    const host = (at: Value, address: Value): Value => keep(f, address.wrap().add(at.load('i32', 4, ADDEND)));
    const [from, next] = [host(entry, linear), host(other, second)];
    const scratch = BASE.add(Offset.SCRATCH);
    copy(f, scratch, from, first);
    copy(f, scratch.add(first), next, rest);
    when(f, write, () => {
      set(f, CROSSING + Crossing.TO, from);
      set(f, CROSSING + Crossing.NEXT, next);
      set(f, CROSSING + Crossing.FIRST, first);
      set(f, CROSSING + Crossing.REST, rest);
    });
    yieldIt(f, scratch);
  });
}

function copy(f: FunctionBuilder, to: Value, from: Value, length: Value): void {
  for (const value of [to, from, length]) value.emit(f);
  f.memoryCopy();
}

/** Functions of the module: walkFunction of mmu/walkCode.ts, and `missesCode`. */
export interface MissHelpers {
  readonly walk: number;
  readonly misses: number;
}

/**
 * With the parameters of the import that does the rest. `stages`: the result may be the scratch bytes, which the caller
 * commits where it has written them.
 */
export function missFunction(accessImport: number, { walk, misses }: MissHelpers, stages: boolean): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32', 'i32'], ['i32']);
  const [low, flags] = [Value.local(1, 'i32'), Value.local(3, 'i32')];
  const linear = keep(f, low.extendU().or(Value.local(2, 'i32').extendU().shl(32)));
  const size = keep(f, flags.and(AccessFlag.SIZE));
  const entry = keep(f, entryOf(linear, word(Offset.TLB_BASE)));
  const last = linear.add(size.extendU()).sub(1);
  const tag = watchedTag(last.and(PAGE_MASK).or(long(Offset.GENERATION)));
  const write = flags.and(AccessFlag.WRITE);
  when(f, tag.eq(Value.select(write, entry.load('i64', 8, tagOf(true)), entry.load('i64', 8, tagOf(false)))), () =>
    when(f, liesBeside(entry, linear, size), () => {
      const count = keep(f, Value.select(write, BASE.add(4), BASE));
      count.store(f, count.load('i32', 4, LET_BY).add(1), 4, LET_BY);
      yieldIt(f, low.add(entry.load('i32', 4, ADDEND)));
    }),
  );
  // A write that has only to be told has its translation, and a device's registers have none.
  const isTold = linear.and(PAGE_MASK).or(BigInt(TOLD)).eq(entry.load('i64', 8, tagOf(true))).and(write.ne(0));
  when(
    f,
    isTold,
    () => writeBesideCode(f, misses, linear, size, entry),
    () =>
      when(f, entry.load('i32', 4, Word.PAGE * 4).ne(DEVICE | 0), () => {
        const host = keep(f, Value.call(walk, 'i32', BASE, linear, flags));
        when(f, host, () => yieldIt(f, host));
      }),
  );
  if (stages) {
    when(f, last.xor(linear).and(PAGE_MASK).ne(0n), () => crossPages(f, walk, linear, flags, size, entry));
    set(f, CROSSING + Crossing.FIRST, 0);
  }
  Value.call(accessImport, 'i32', ...[0, 1, 2, 3, 4].map((n) => Value.local(n, 'i32'))).emit(f);
  return f;
}

/** Puts what was written to the scratch bytes where it belongs: what `missFunction` has staged, or the import has. */
export function commitFunction(commitImport: number): FunctionBuilder {
  const f = new FunctionBuilder(['i32'], []);
  const first = keep(f, word(CROSSING + Crossing.FIRST));
  when(
    f,
    first,
    () => {
      const scratch = BASE.add(Offset.SCRATCH);
      copy(f, word(CROSSING + Crossing.TO), scratch, first);
      copy(f, word(CROSSING + Crossing.NEXT), scratch.add(first), word(CROSSING + Crossing.REST));
      set(f, CROSSING + Crossing.FIRST, 0);
    },
    () => {
      BASE.emit(f);
      f.call(commitImport);
    },
  );
  return f;
}
