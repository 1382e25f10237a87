/**
 * Filling and looking up the software TLB, whose layout state.ts describes. What must not be accessed directly
 * (devices, ROM, pages with decoded code, watched pages, pages that a snapshot still has to copy) simply gets no tag, so that
 * generated code comes to the slow path.
 */
import { Cr4 } from '../controlBits';
import type { Processor } from '../processor';
import { Offset, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../state';
import { found } from './walk';
import { linearPage } from './watch';

const WITHHELD = 0xffff_ffff;

/**
 * Address of a bank that stays empty, below the processors' blocks: the one in use while alignment is checked, so that
 * every access comes to the slow path.
 */
export const EMPTY_BANK = 0x1000;

/** Whether unaligned accesses raise #AC at present: CPL 3 with CR0.AM and RFLAGS.AC. */
export const checksAlignment = (cpu: Processor): boolean => cpu.state.get32(Offset.TLB_BASE) === EMPTY_BANK;

/** Fields of an entry, in 32-bit words. */
const Word = { READ_TAG: 0, WRITE_TAG: 2, ADDEND: 4, PAGE: 5 } as const;

const entryIndex = (bank: number, low: number): number => (bank + ((low >>> 12) & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE) >>> 2;

/**
 * Enters the translation in `found` into the bank of the present privilege. `frame` is the host byte offset of the
 * page's RAM; `write` says that the walk was for writing and `frame` came from `frameForWrite`.
 */
export function fill(cpu: Processor, low: number, high: number, frame: number, write: boolean): void {
  const s = cpu.state;
  if (checksAlignment(cpu)) return;
  // In the supervisor's bank a user page is accessible only while RFLAGS.AC is set, which generated code does not ask.
  if (found.user && s.cr4 & Cr4.SMAP && s.cpl !== 3) return;
  const u32 = cpu.views.u32;
  const i = entryIndex(s.get32(Offset.TLB_BASE), low);
  const tagLow = ((low & ~0xfff) | s.get32(Offset.GENERATION)) >>> 0;
  let reads = found.readable && (!write || cpu.bus.frameForRead(found.page) === frame);
  // A clean page gets its write tag at the first write: asking for the frame now would copy it for a snapshot.
  let writes = write && found.writable && !cpu.codePages.has(found.page);
  if (cpu.watches.active) {
    const linear = linearPage(low, high);
    reads &&= !cpu.watches.withholds(linear, found.page, false);
    writes &&= !cpu.watches.withholds(linear, found.page, true);
  }
  u32[i + Word.READ_TAG] = reads ? tagLow : WITHHELD;
  u32[i + Word.READ_TAG + 1] = reads ? high : WITHHELD;
  u32[i + Word.WRITE_TAG] = writes ? tagLow : WITHHELD;
  u32[i + Word.WRITE_TAG + 1] = writes ? high : WITHHELD;
  u32[i + Word.ADDEND] = frame - (low & ~0xfff);
  cpu.translationKept(i, low, high);
  u32[i + Word.PAGE] = found.page;
}

/** Host address of `size` bytes at a linear address when the TLB of the present privilege has them, else 0. */
export function lookup(cpu: Processor, low: number, high: number, size: number, write: boolean): number {
  if ((low & 0xfff) + size > 0x1000) return 0;
  const s = cpu.state;
  const u32 = cpu.views.u32;
  const i = entryIndex(s.get32(Offset.TLB_BASE), low);
  const t = i + (write ? Word.WRITE_TAG : Word.READ_TAG);
  if (u32[t] !== ((low & ~0xfff) | s.get32(Offset.GENERATION)) >>> 0 || u32[t + 1] !== high >>> 0) return 0;
  return (low + u32[i + Word.ADDEND]!) >>> 0;
}

/** Drops the entry that a linear address has in the bank of the present privilege. */
export function forget(cpu: Processor, low: number): void {
  const i = entryIndex(cpu.state.get32(Offset.TLB_BASE), low);
  cpu.views.u32.fill(WITHHELD, i + Word.READ_TAG, i + Word.ADDEND);
}
