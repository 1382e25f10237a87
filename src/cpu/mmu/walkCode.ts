/**
 * The page walk of walk.ts as generated code, for what operating systems do all the time: 4-KiB and 2-MiB pages of 4-level
 * paging, or no paging at all, outside VMX non-root operation, with everything in plain RAM below 4 GiB and at most the bits
 * of the last entry to be set. It enters the translation into the TLB as `fill` of tlb.ts would. Where anything is otherwise it
 * leaves all as it was, and TypeScript walks.
 */
import { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { AccessFlag } from '../accessFlags';
import { Cr0, Cr4, Efer, RESERVED_ADDRESS_HIGH } from '../controlBits';
import type { Processor } from '../processor';
import { KNOWN, KNOWN_LARGE, KNOWN_LARGE_ENTRIES, LOCAL_ENTRIES, MOST_LOCAL_ENTRIES, Offset, WATCHED_PAGES } from '../state';
import { assign, BASE, keep, set, when, word } from '../stateCode';
import { Frame, FRAME_PAGES, FRAME_TABLE } from './frameTable';
import { EMPTY_BANK, TOLD, Word } from './tlb';
import { ADDEND, entryOf, tagOf } from './tlbCode';

/** Bits of Offset.WALK: whether generated code may walk, and how. */
const Walk = {
  ALLOWED: 1,
  /** 4-level paging; else there is none. */
  PAGING: 2,
  SMAP: 4,
  PROTECTION_KEYS: 8,
  GLOBAL_PAGES: 16,
  NO_EXECUTE: 32,
} as const;

/** What Offset.WALK has to be in the present state. Where the paging structures in use have to be known, TypeScript walks. */
export function walkMode(cpu: Processor): number {
  const s = cpu.state;
  if (cpu.secondLevel.active || s.get32(Offset.VMX_MODE) === 2 || cpu.tracksTables) return 0;
  if ((s.cr0 & Cr0.PG) === 0) return Walk.ALLOWED;
  const { cr4, efer } = s;
  if ((efer & Efer.LMA) === 0) return 0;
  let mode = Walk.ALLOWED | Walk.PAGING;
  if ((cr4 & Cr4.SMAP) !== 0) mode |= Walk.SMAP;
  if ((cr4 & Cr4.PKE) !== 0) mode |= Walk.PROTECTION_KEYS;
  if ((cr4 & Cr4.PGE) !== 0) mode |= Walk.GLOBAL_PAGES;
  if ((efer & Efer.NXE) !== 0) mode |= Walk.NO_EXECUTE;
  return mode;
}

/** Bits of a paging-structure entry. */
const Entry = { P: 1n, RW: 2n, US: 4n, A: 0x20n, D: 0x40n, PS: 0x80n, G: 0x100n, KEY: 0xfn << 59n, XD: 1n << 63n } as const;
const RESERVED = BigInt(RESERVED_ADDRESS_HIGH) << 32n;
/** Bits 20:13 of an entry that maps 2 MiB. */
const RESERVED_LARGE = 0x1f_e000n;
const PAGE_NUMBER = 0xf_ffff_ffff_f000n;
/** Access disabled and write disabled, of key 0. */
const KEY_0 = 3;

/**
 * (cpu, linear address, flags as for `access` of slowPath.ts) -> the host address of a byte that may be accessed in plain
 * RAM, its translation being in the TLB of the present privilege now; else 0. Of a write that has to be told the translation is
 * there too, and 0 what is returned.
 */
export function walkFunction(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i64', 'i32'], ['i32']);
  const [linear, flags] = [Value.local(1, 'i64'), Value.local(2, 'i32')];
  const failIf = (condition: Value): void =>
    when(f, condition, () => {
      f.i32(0);
      f.return();
    });
  /** What the table says of a page that may be read directly. */
  const frameEntry = (page: Value): Value => {
    failIf(page.geU(BigInt(FRAME_PAGES)));
    const entry = keep(f, page.wrap().shl(2).load('i32', 4, FRAME_TABLE));
    failIf(entry.and(Frame.DEVICE | Frame.FOLDED).or(entry.leU(Frame.BITS)));
    return entry;
  };

  const mode = keep(f, word(Offset.WALK));
  const bank = keep(f, word(Offset.TLB_BASE));
  const offset = keep(f, linear.wrap().and(0xfff));
  failIf(mode.eqz().or(bank.eq(EMPTY_BANK)).or(offset.add(flags.and(AccessFlag.SIZE)).gtU(0x1000)));
  const writes = keep(f, flags.and(AccessFlag.WRITE));
  const at = keep(f, entryOf(linear, bank));

  const [pageLocal, writableLocal, localLocal] = [f.local('i64'), f.local('i32'), f.local('i32')];
  const [page, writable, local] = [Value.local(pageLocal, 'i64'), Value.local(writableLocal, 'i32'), Value.local(localLocal, 'i32')];
  assign(f, pageLocal, linear.shrU(12));
  assign(f, writableLocal, Value.i32(1));
  const toMarkLocal = f.local('i32');
  const toMark = Value.local(toMarkLocal, 'i32');
  when(f, mode.and(Walk.PAGING), () => {
    failIf(linear.shl(16).shrS(16).ne(linear)); // not canonical
    const reserved = keep(f, Value.select(mode.and(Walk.NO_EXECUTE), Value.i64(RESERVED), Value.i64(RESERVED | Entry.XD)));
    const [entryLocal, allLocal, tableLocal, whereLocal] = [f.local('i64'), f.local('i64'), f.local('i32'), f.local('i32')];
    const [entry, all, table, where] = [Value.local(entryLocal, 'i64'), Value.local(allLocal, 'i64'), Value.local(tableLocal, 'i32'), Value.local(whereLocal, 'i32')];
    const look = (shift: number): void => {
      assign(f, tableLocal, frameEntry(keep(f, entry.and(PAGE_NUMBER).shrU(12))));
      assign(f, whereLocal, table.and(~Frame.BITS).add(linear.shrU(shift).wrap().and(0x1ff).shl(3)));
      assign(f, entryLocal, where.load('i64', 8));
      assign(f, allLocal, all.and(entry));
      failIf(entry.and(Entry.P).eqz().or(entry.and(reserved).ne(0n)));
    };
    const leadsOn = (): void => failIf(entry.and(Entry.A | Entry.PS).ne(Entry.A));
    assign(f, entryLocal, BASE.load('i64', 8, Offset.CR3));
    assign(f, allLocal, Value.i64(-1));
    look(39);
    leadsOn();
    look(30);
    leadsOn();
    look(21);
    const isLarge = keep(f, entry.and(Entry.PS).ne(0n));
    when(
      f,
      isLarge,
      () => {
        // INVLPG of any address in it has to drop all of its pieces: TypeScript remembers that there are some.
        const key = linear.shrU(21);
        const known = BASE.add(key.wrap().and(KNOWN_LARGE_ENTRIES - 1).shl(3)).load('i64', 8, KNOWN_LARGE);
        failIf(entry.and(RESERVED_LARGE).ne(0n).or(known.ne(key.or(KNOWN))));
      },
      () => {
        failIf(entry.and(Entry.A).eqz());
        look(12);
      },
    );

    const user = keep(f, all.and(Entry.US).ne(0n));
    const isUser = keep(f, word(Offset.CPL).eq(3));
    failIf(Value.select(isUser, user.eqz(), user.and(mode.and(Walk.SMAP).ne(0))));
    // Of the protection keys only the first is looked at here, and only when it allows everything.
    const keyMatters = entry.and(Entry.KEY).ne(0n).or(word(Offset.PKRU).and(KEY_0).ne(0));
    failIf(user.and(mode.and(Walk.PROTECTION_KEYS).ne(0)).and(keyMatters));
    const isWritable = all.and(Entry.RW).ne(0n);
    failIf(writes.ne(0).and(isWritable.eqz()));
    const marked = keep(f, entry.or(Value.select(writes, Value.i64(Entry.A | Entry.D), Value.i64(Entry.A))));
    when(f, marked.ne(entry), () => {
      failIf(table.and(Frame.WRITTEN | Frame.TOLD).ne(Frame.WRITTEN));
      assign(f, toMarkLocal, where);
    });
    assign(f, writableLocal, isWritable.and(marked.and(Entry.D).ne(0n)));
    const isGlobal = entry.and(Entry.G).ne(0n).and(mode.and(Walk.GLOBAL_PAGES).ne(0));
    assign(f, localLocal, isUser.or(isGlobal).eqz());
    const first = entry.and(PAGE_NUMBER).shrU(12);
    assign(f, pageLocal, Value.select(isLarge, first.and(~0x1ffn).or(linear.shrU(12).and(0x1ffn)), first));
  });

  const watched = (number: Value, at: number): Value => BASE.load('i64', 8, WATCHED_PAGES + at).shrU(number);
  failIf(watched(linear.shrU(12), 0).or(watched(page, 8)).and(1n).wrap());

  const frame = frameEntry(page);
  const told = frame.and(Frame.TOLD).ne(0);
  const written = frame.and(Frame.WRITTEN).ne(0);
  failIf(writes.ne(0).and(written.eqz()));
  when(f, toMark, () => {
    const bits = Value.select(writes, Value.i32(Number(Entry.A | Entry.D)), Value.i32(Number(Entry.A)));
    toMark.store(f, toMark.load('i32', 4).or(bits), 4);
  });
  // A change of address space takes out just the entries that are not global.
  when(f, local, () => {
    const count = keep(f, word(LOCAL_ENTRIES));
    when(f, count.ltU(MOST_LOCAL_ENTRIES), () => BASE.add(count.shl(2)).store(f, at.shrU(2), 4, LOCAL_ENTRIES + 4));
    set(f, LOCAL_ENTRIES, count.add(1));
  });

  const tag = keep(f, linear.and(~0xfffn).or(BASE.load('i64', 8, Offset.GENERATION)));
  at.store(f, tag, 8, tagOf(false));
  at.store(f, Value.select(writable.and(written), Value.select(told, tag.or(BigInt(TOLD)), tag), Value.i64(-1)), 8, tagOf(true));
  at.store(f, page.wrap(), 4, Word.PAGE * 4);
  const start = keep(f, frame.and(~Frame.BITS));
  at.store(f, start.sub(linear.wrap().and(~0xfff)), 4, ADDEND);
  // A write that has to be told is found in the TLB by who tells it.
  Value.select(writes.ne(0).and(told), Value.i32(0), start.add(offset)).emit(f);
  return f;
}
