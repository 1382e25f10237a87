/**
 * The page walk (SDM volume 3, "Paging"): 32-bit paging with PSE-36, PAE paging and 4-level paging, with every
 * paging-structure access and the final address going through EPT when it is active.
 *
 * It runs at every TLB miss, so it allocates nothing and uses no bigint: addresses are (low, high) pairs, page numbers
 * JavaScript numbers.
 */
import { join64 } from '../../base/bits';
import { Cr0, Cr4, Efer, RESERVED_ADDRESS_HIGH } from '../controlBits';
import { AC } from '../flags';
import { ACCESS_FETCH, ACCESS_READ, ACCESS_WRITE, PAGE_EXECUTE_DISABLE, PAGE_USER, PAGE_WRITABLE } from '../intercepts';
import type { Processor } from '../processor';
import { Offset } from '../state';

/** On whose behalf memory is accessed. */
export const Privilege = {
  /** An instruction at CPL 0 to 2: SMAP yields to RFLAGS.AC. */
  SUPERVISOR: 0,
  USER: 1,
  /** The processor itself, for descriptor tables and the TSS: SMAP always applies. */
  IMPLICIT: 2,
  /** The debugger: no permission, no accessed or dirty bit, no fault. */
  PEEK: 3,
} as const;

/** What the last successful walk found. */
export const found = {
  /** Host-physical page number. */
  page: 0,
  gpaPage: 0,
  /** Every level had U/S set, with paging enabled. */
  user: false,
  /** Writes of the same privilege need no further walk: permitted, and the dirty bit is set. */
  writable: false,
  readable: false,
  /** The page stays valid in other address spaces (CR4.PGE). */
  global: false,
  /** Level of the entry that maps it: 1 for a 4-KiB page, 2 and 3 for larger ones. Without paging 1. */
  level: 1,
};

/** Bits of a paging-structure entry. */
const Entry = { P: 1, RW: 2, US: 4, A: 0x20, D: 0x40, PS: 0x80, G: 0x100 } as const;
const NX_HIGH = 0x8000_0000;
/** Bits of the #PF error code. */
const Code = { P: 1, W: 2, U: 4, RSVD: 8, I: 16, PK: 32 } as const;

const PAGES_PER_4GIB = 0x10_0000;

/** Access disabled and write disabled, of a key. */
const PKRU_AD = 1;
const PKRU_WD = 2;

/** Where the entries used by this walk lie (host-physical page and offset), with their tables' guest-physical pages and low halves. */
const usedPage = [0, 0, 0, 0];
const usedOffset = [0, 0, 0, 0];
const usedTable = [0, 0, 0, 0];
const usedLow = [0, 0, 0, 0];

/** The entry that `readEntry` read. */
let entryLow = 0;
let entryHigh = 0;

function readEntry(cpu: Processor, page: number, offset: number, wide: boolean): void {
  const frame = cpu.bus.frameForRead(page);
  if (frame !== 0) {
    const i = (frame + offset) >>> 2;
    entryLow = cpu.views.u32[i]!;
    entryHigh = wide ? cpu.views.u32[i + 1]! : 0;
  } else {
    entryLow = cpu.bus.read(page * 0x1000 + offset, 4);
    entryHigh = wide ? cpu.bus.read(page * 0x1000 + offset + 4, 4) : 0;
  }
}

/** Replaces the low half of an entry, whose accessed or dirty bits are set. */
function writeEntry(cpu: Processor, page: number, offset: number, value: number): void {
  const frame = cpu.bus.frameForWrite(page);
  if (frame === 0) {
    cpu.bus.write(page * 0x1000 + offset, 4, value >>> 0);
    return;
  }
  cpu.views.u32[(frame + offset) >>> 2] = value;
  if (cpu.codePages.has(page)) cpu.codePages.marked(page, offset);
}

function pageFault(cpu: Processor, low: number, high: number, access: number, privilege: number, code: number): boolean {
  if (privilege === Privilege.PEEK) return false;
  const s = cpu.state;
  if (access & ACCESS_WRITE) code |= Code.W;
  if (privilege === Privilege.USER) code |= Code.U;
  const tellsFetch = (s.cr4 & Cr4.SMEP) !== 0 || ((s.cr4 & Cr4.PAE) !== 0 && (s.efer & Efer.NXE) !== 0);
  if (access & ACCESS_FETCH && tellsFetch) code |= Code.I;
  cpu.fault.pageFault(join64(low, high), code);
  return false;
}

/** Second-level translation has filled the fault but for the linear address. */
function secondLevelFault(cpu: Processor, low: number, high: number): false {
  cpu.fault.address = join64(low, high);
  return false;
}

/** Second-level translation of the page in `found.gpaPage`, which is as PAGE_* bits say; fills `found.page`. */
function finish(cpu: Processor, low: number, high: number, access: number, privilege: number, guestPage: number): boolean {
  const second = cpu.secondLevel;
  if (!second.active) {
    found.page = found.gpaPage;
    found.readable = true;
    return true;
  }
  if (privilege === Privilege.PEEK) {
    found.page = second.peek(found.gpaPage);
    return found.page >= 0;
  }
  const page = second.translate(found.gpaPage, access, low & 0xfff, true, false, cpu.fault, guestPage);
  if (page < 0) return secondLevelFault(cpu, low, high);
  found.page = page;
  found.readable = (second.rights & ACCESS_READ) !== 0;
  if (!(second.rights & ACCESS_WRITE)) found.writable = false;
  return true;
}

/**
 * Translates a linear address (canonical where LMA is set; `high` is 0 otherwise) for an access (ACCESS_* bits) with a
 * Privilege. Returns true with `found` filled, or false with `cpu.fault` filled (a page fault, or what second-level
 * translation asks for); with Privilege.PEEK false says only that nothing is mapped.
 */
export function walk(cpu: Processor, low: number, high: number, access: number, privilege: number): boolean {
  const s = cpu.state;
  const cr0 = s.cr0;
  if ((cr0 & Cr0.PG) === 0) {
    found.gpaPage = low >>> 12;
    found.user = false;
    found.writable = true;
    found.global = true;
    found.level = 1;
    return finish(cpu, low, high, access, privilege, PAGE_USER | PAGE_WRITABLE);
  }
  const cr4 = s.cr4;
  const efer = s.efer;
  const wide = (cr4 & Cr4.PAE) !== 0;
  const long = (efer & Efer.LMA) !== 0;
  const nxe = wide && (efer & Efer.NXE) !== 0;
  const second = cpu.secondLevel;
  const nested = second.active;

  // Bits of an entry's high half that must be 0: addresses beyond the implemented width; in PAE paging 62:52 too; XD
  // unless NXE.
  let reservedHigh = 0;
  if (wide) reservedHigh = RESERVED_ADDRESS_HIGH | (long ? 0 : 0x7ff0_0000) | (nxe ? 0 : NX_HIGH);

  let table: number;
  let level: number;
  if (long || !wide) {
    table = (s.get32(Offset.CR3) >>> 12) + (long ? (s.high(Offset.CR3) & 0xf_ffff) * PAGES_PER_4GIB : 0);
    level = long ? 4 : 2;
  } else {
    const offset = Offset.PDPTE + (low >>> 30) * 8;
    const pdpte = s.get32(offset);
    if (!(pdpte & Entry.P)) return pageFault(cpu, low, high, access, privilege, 0);
    table = (pdpte >>> 12) + (s.high(offset) & 0xf_ffff) * PAGES_PER_4GIB;
    level = 2;
  }

  let rights = Entry.US | Entry.RW;
  let executable = true;
  let used = 0;
  let gpaPage: number;
  for (;;) {
    let index: number;
    if (!wide) index = level === 2 ? low >>> 22 : (low >>> 12) & 0x3ff;
    else if (level === 1) index = (low >>> 12) & 0x1ff;
    else if (level === 2) index = (low >>> 21) & 0x1ff;
    else if (level === 3) index = ((high & 0x7f) << 2) | (low >>> 30);
    else index = (high >>> 7) & 0x1ff;

    let tablePage = table;
    if (nested) {
      tablePage = privilege === Privilege.PEEK ? second.peek(table) : second.translate(table, ACCESS_READ, wide ? index << 3 : index << 2, true, true, cpu.fault);
      if (tablePage < 0) return privilege !== Privilege.PEEK && secondLevelFault(cpu, low, high);
    }
    const offset = wide ? index << 3 : index << 2;
    readEntry(cpu, tablePage, offset, wide);
    if (cpu.tracksTables) cpu.codePages.tableUsed(tablePage);
    const entry = entryLow;
    if (!(entry & Entry.P)) return pageFault(cpu, low, high, access, privilege, 0);

    const large = (entry & Entry.PS) !== 0 && (level === 3 || (level === 2 && (wide || (cr4 & Cr4.PSE) !== 0)));
    let reserved = (entryHigh & reservedHigh) !== 0;
    if (level === 4 && entry & Entry.PS) reserved = true;
    if (large) {
      if (level === 3) reserved ||= (entry & 0x3fff_e000) !== 0 || !cpu.features.has('1g-pages');
      else if (wide) reserved ||= (entry & 0x001f_e000) !== 0;
      else reserved ||= (entry & 0x0020_0000) !== 0; // PSE-36 uses bits 20:13 for address bits 39:32
    }
    if (reserved) return pageFault(cpu, low, high, access, privilege, Code.P | Code.RSVD);

    usedPage[used] = tablePage;
    usedOffset[used] = offset;
    usedTable[used] = table;
    usedLow[used] = entry;
    used++;
    rights &= entry;
    if (nxe && entryHigh & NX_HIGH) executable = false;

    const above4GiB = (entryHigh & 0xf_ffff) * PAGES_PER_4GIB;
    if (level === 1) {
      gpaPage = (entry >>> 12) + above4GiB;
      break;
    }
    if (large) {
      if (level === 3) gpaPage = ((entry & 0xc000_0000) >>> 12) + above4GiB + ((low & 0x3fff_ffff) >>> 12);
      else if (wide) gpaPage = ((entry & 0xffe0_0000) >>> 12) + above4GiB + ((low & 0x1f_ffff) >>> 12);
      else gpaPage = ((entry & 0xffc0_0000) >>> 12) + ((entry >>> 13) & 0xff) * PAGES_PER_4GIB + ((low & 0x3f_ffff) >>> 12);
      break;
    }
    table = (entry >>> 12) + above4GiB;
    level--;
  }

  const userPage = (rights & Entry.US) !== 0;
  let mayWrite = (rights & Entry.RW) !== 0 || (privilege !== Privilege.USER && (cr0 & Cr0.WP) === 0);
  // Protection keys (SDM volume 3, "Protection Keys"): bits 62:59 of the last entry choose two bits of PKRU for data accesses to user pages.
  let keyDenies = false;
  if (cr4 & Cr4.PKE && long && userPage && !(access & ACCESS_FETCH)) {
    const key = s.get32(Offset.PKRU) >>> ((entryHigh >>> 26) & 0x1e);
    const refusesWrites = (key & PKRU_WD) !== 0 && (privilege === Privilege.USER || (cr0 & Cr0.WP) !== 0);
    keyDenies = (key & PKRU_AD) !== 0 || ((access & ACCESS_WRITE) !== 0 && refusesWrites);
    if (refusesWrites) mayWrite = false;
  }
  found.gpaPage = gpaPage;
  found.user = userPage;
  found.level = level;
  found.global = (usedLow[used - 1]! & Entry.G) !== 0 && (cr4 & Cr4.PGE) !== 0;
  const guestPage = (userPage ? PAGE_USER : 0) | (rights & Entry.RW ? PAGE_WRITABLE : 0) | (executable ? 0 : PAGE_EXECUTE_DISABLE);
  if (privilege === Privilege.PEEK) return finish(cpu, low, high, access, privilege, guestPage);

  let denied = false;
  if (privilege === Privilege.USER) denied = !userPage;
  else if (userPage) {
    if (access & ACCESS_FETCH) denied = (cr4 & Cr4.SMEP) !== 0;
    else if (cr4 & Cr4.SMAP) denied = privilege === Privilege.IMPLICIT || !(s.get32(Offset.FLAGS) & AC);
  }
  if (access & ACCESS_FETCH && !executable) denied = true;
  if (access & ACCESS_WRITE && !mayWrite) denied = true;
  if (denied || keyDenies) return pageFault(cpu, low, high, access, privilege, keyDenies ? Code.P | Code.PK : Code.P);

  // Accessed and dirty bits, once the access is known to be permitted.
  for (let i = 0; i < used; i++) {
    const want = i === used - 1 && access & ACCESS_WRITE ? Entry.A | Entry.D : Entry.A;
    if ((usedLow[i]! & want) === want) continue;
    if (nested && second.translate(usedTable[i]!, ACCESS_READ | ACCESS_WRITE, usedOffset[i]!, true, true, cpu.fault) < 0) return secondLevelFault(cpu, low, high);
    usedLow[i]! |= want;
    writeEntry(cpu, usedPage[i]!, usedOffset[i]!, usedLow[i]!);
  }
  found.writable = mayWrite && (usedLow[used - 1]! & Entry.D) !== 0;
  return finish(cpu, low, high, access, privilege, guestPage);
}
