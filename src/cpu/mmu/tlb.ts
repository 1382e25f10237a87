/**
 * Filling and looking up the software TLB, whose layout state.ts describes. What must not be accessed directly
 * (devices, ROM, pages with decoded code, watched bytes, pages that a snapshot still has to copy) simply gets no tag, so that
 * generated code comes to the slow path.
 */
import { Cr4 } from '../controlBits';
import type { Processor } from '../processor';
import { Offset, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../state';
import { Frame, FRAME_PAGES, FRAME_TABLE } from './frameTable';
import { found } from './walk';
import { linearPage } from './watch';

const WITHHELD = 0xffff_ffff;
/**
 * In the place of a write tag's generation: it is withheld only because writes to the page have to be told. No generation
 * has this number; whether the entry is in force, the read tag says.
 */
export const TOLD = 0xfff;

/**
 * Added to the generation in a tag: it is withheld only because bytes of the page are watched, and holds for accesses that
 * lie beside all of them. The words FIRST and WATCHED say where they are. No generation has this bit.
 */
export const BESIDE = 0x800;

/**
 * Address of a bank that stays empty, below the processors' blocks: the one in use while alignment is checked, so that
 * every access comes to the slow path.
 */
export const EMPTY_BANK = 0x1000;

/** Whether unaligned accesses raise #AC at present: CPL 3 with CR0.AM and RFLAGS.AC. */
export const checksAlignment = (cpu: Processor): boolean => cpu.state.get32(Offset.TLB_BASE) === EMPTY_BANK;

/** In the place of an entry's page: the last miss was of a device's registers, of which no walk finds RAM. No page below 4 GiB has this number, and of others generated code does not walk. */
export const DEVICE = 0xffff_ffff;

/** Fields of an entry, in 32-bit words. FIRST: low half of the linear address of the page's first watched byte; WATCHED: bytes from there to its last. Valid with a tag that has BESIDE. */
export const Word = { READ_TAG: 0, WRITE_TAG: 2, ADDEND: 4, PAGE: 5, FIRST: 6, WATCHED: 7 } as const;

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
  const reads = found.readable && (!write || cpu.bus.frameForRead(found.page) === frame);
  // A clean page gets its write tag at the first write: asking for the frame now would copy it for a snapshot. EPT has not been asked about writes.
  const writes = found.writable && (write || (!cpu.secondLevel.active && cpu.bus.frameWritten?.(found.page) === frame));
  let readTag = tagLow;
  let writeTag = tagLow;
  if (cpu.watches.active && cpu.watches.onPage(linearPage(low, high), found.page)) {
    const { first, last, reads: readsToo } = cpu.watches.found;
    writeTag = (tagLow | BESIDE) >>> 0; // also for reading alone: an instruction that reads and writes asks for this tag
    if (readsToo) readTag = writeTag;
    u32[i + Word.FIRST] = (low & ~0xfff) | first;
    u32[i + Word.WATCHED] = last - first + 1;
  }
  if (cpu.codePages.has(found.page)) writeTag = (tagLow | TOLD) >>> 0;
  else if (found.page < FRAME_PAGES) u32[(FRAME_TABLE >>> 2) + found.page]! &= ~Frame.TOLD; // it need not be told any more
  u32[i + Word.READ_TAG] = reads ? readTag : WITHHELD;
  u32[i + Word.READ_TAG + 1] = reads ? high : WITHHELD;
  u32[i + Word.WRITE_TAG] = writes ? writeTag : WITHHELD;
  u32[i + Word.WRITE_TAG + 1] = writes ? high : WITHHELD;
  u32[i + Word.ADDEND] = frame - (low & ~0xfff);
  cpu.translationKept(i, low, high);
  u32[i + Word.PAGE] = found.page;
}

/** Whether an access inside an entry's page lies beside all of the page's watched bytes. tlbCode.ts has the same for generated code. */
const isBeside = (u32: Uint32Array, entry: number, low: number, size: number): boolean => (low + size - 1 - u32[entry + Word.FIRST]!) >>> 0 >= u32[entry + Word.WATCHED]! + size - 1;

/** What is watched in a page: low half of the linear address of its first watched byte, and bytes from there to its last. */
export interface WatchedPart {
  readonly first: number;
  readonly bytes: number;
}

/** What is watched in the pages of which the TLB of the present privilege has a translation, each part once. */
export function watchedParts(u32: Uint32Array, bank: number, generation: number): WatchedPart[] {
  const parts: WatchedPart[] = [];
  for (let page = 0; page < TLB_ENTRIES; page++) {
    const i = entryIndex(bank, page << 12);
    if ((u32[i + Word.READ_TAG]! & 0xfff) !== (generation | BESIDE) && (u32[i + Word.WRITE_TAG]! & 0xfff) !== (generation | BESIDE)) continue;
    const part = { first: u32[i + Word.FIRST]!, bytes: u32[i + Word.WATCHED]! };
    if (!parts.some((p) => p.first === part.first && p.bytes === part.bytes)) parts.push(part);
  }
  return parts;
}

/** Host address of `size` bytes at a linear address when the TLB of the present privilege has them, else 0. */
export function lookup(cpu: Processor, low: number, high: number, size: number, write: boolean): number {
  const s = cpu.state;
  return lookupIn(cpu.views.u32, s.get32(Offset.TLB_BASE), s.get32(Offset.GENERATION), low, high, size, write);
}

/** Host address of a byte at a linear address in a page of which every byte may be accessed directly, else 0. */
export function lookupPage(cpu: Processor, low: number, high: number, write: boolean): number {
  return lookup(cpu, low & ~0xfff, high, 0x1000, write) && lookup(cpu, low, high, 1, write);
}

/** The same as `lookup` in a bank of a given generation. */
export function lookupIn(u32: Uint32Array, bank: number, generation: number, low: number, high: number, size: number, write: boolean): number {
  if ((low & 0xfff) + size > 0x1000) return 0;
  const i = entryIndex(bank, low);
  const t = i + (write ? Word.WRITE_TAG : Word.READ_TAG);
  if (u32[t + 1] !== high >>> 0) return 0;
  const tag = ((low & ~0xfff) | generation) >>> 0;
  if (u32[t] !== tag && (u32[t] !== (tag | BESIDE) >>> 0 || !isBeside(u32, i, low, size))) return 0;
  return (low + u32[i + Word.ADDEND]!) >>> 0;
}

/**
 * Performs what a write of `size` bytes by generated code needs where only the page's code or paging structures withhold
 * the write tag. Returns the host address for the write, or 0: it takes the long way.
 */
export function tellWrite(cpu: Processor, low: number, high: number, size: number): number {
  const offset = low & 0xfff;
  const s = cpu.state;
  const u32 = cpu.views.u32;
  const i = entryIndex(s.get32(Offset.TLB_BASE), low);
  const page = (low & ~0xfff) >>> 0;
  high >>>= 0;
  // The last page's would look like a tag that is withheld altogether.
  if (u32[i + Word.WRITE_TAG] !== (page | TOLD) >>> 0 || u32[i + Word.WRITE_TAG + 1] !== high || (high === WITHHELD && page === 0xffff_f000)) return 0;
  if (offset + size > 0x1000 || (u32[i]! & ~BESIDE) >>> 0 !== (page | s.get32(Offset.GENERATION)) >>> 0 || u32[i + 1] !== high) return 0;
  const physical = u32[i + Word.PAGE]!;
  if (cpu.watches.active && cpu.watches.near(linearPage(low, high), physical, offset, size)) return 0;
  if (!cpu.codePages.written(physical, offset, size)) return 0; // it need not be told any more: it can have its tag
  return (low + u32[i + Word.ADDEND]!) >>> 0;
}

/** Has the entry of a linear address say that a device's registers are there. */
export function fillDevice(cpu: Processor, low: number): void {
  if (!checksAlignment(cpu)) cpu.views.u32[entryIndex(cpu.state.get32(Offset.TLB_BASE), low) + Word.PAGE] = DEVICE;
}

/** Drops the entry that a linear address has in the bank of the present privilege. */
export function forget(cpu: Processor, low: number): void {
  const i = entryIndex(cpu.state.get32(Offset.TLB_BASE), low);
  cpu.views.u32.fill(WITHHELD, i + Word.READ_TAG, i + Word.ADDEND);
}
