/**
 * Extended page tables (SDM volume 3, "The Extended Page Table Mechanism"): four levels, pages of 4 KiB, 2 MiB and
 * 1 GiB, accessed and dirty flags, execute permission by mode, page-modification logging.
 *
 * Translation runs at every TLB miss of a guest, so it uses page numbers and 32-bit halves, never bigint.
 */
import { ACCESS_FETCH, ACCESS_WRITE, PAGE_USER, type SecondLevel } from '../cpu/intercepts';
import type { Fault } from '../cpu/fault';
import { Offset } from '../cpu/state';
import { askForPhysicalAccess } from './apicAccess';
import { Secondary } from './tables/controls';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { EPT_POINTER, PML_INDEX, PML_ADDRESS } = Slot;

/** Bits of an entry's low half. */
const Entry = { READ: 1, WRITE: 2, EXECUTE: 4, LARGE: 0x80, ACCESSED: 0x100, DIRTY: 0x200, EXECUTE_USER: 0x400 } as const;
/** Bit 63 of an entry, in its high half. */
const SUPPRESS_VE = 0x8000_0000;
/** Entries of the page-modification log. */
const LOG_SIZE = 512;
const RIGHTS = Entry.READ | Entry.WRITE | Entry.EXECUTE;
const EPTP_ACCESSED_DIRTY = 0x40;
const PAGES_PER_4GIB = 0x10_0000;
const LEVELS = 4;
/** Memory types that exist: uncacheable, write-combining, write-through, write-protected, write-back. */
const MEMORY_TYPES = (1 << 0) | (1 << 1) | (1 << 4) | (1 << 5) | (1 << 6);
/** Bits of the exit qualification of an EPT violation. */
const Qualification = { EXECUTE_USER: 1 << 6, LINEAR_VALID: 1 << 7, FINAL_ADDRESS: 1 << 8 } as const;

/** Where the guest's own rights (PAGE_*) stand in it, on a processor with advanced information. */
const GUEST_PAGE_SHIFT = 9;

/** What a Fault of kind `second-level` carries. */
export interface EptFault {
  misconfiguration: boolean;
  /** The page-modification log is full. */
  logFull: boolean;
  /** The violation may become a virtualization exception. */
  convertible: boolean;
  qualification: number;
  gpa: number;
}

const WALK_DONE = 0;
const WALK_ABSENT = 1;
const WALK_MALFORMED = 2;

export class Ept implements SecondLevel {
  rights = 0;

  private readonly executeOnly: boolean;
  private readonly advanced: boolean;
  private readonly largePages: readonly boolean[];
  /** Address bits 51 and below that must be 0, as they lie in an entry's high half. */
  private readonly reservedHigh: number;
  // What the last walk found.
  private page = 0;
  private permitted = 0;
  private suppressVe = false;
  private used = 0;
  private readonly usedAddress = [0, 0, 0, 0];
  private readonly usedLow = [0, 0, 0, 0];

  constructor(private readonly vmx: Vmx) {
    const { capabilities } = vmx;
    this.executeOnly = capabilities.has('ept-execute-only');
    this.advanced = capabilities.has('ept-advanced-information');
    // By level: 2 is a page directory, 3 a page-directory-pointer table.
    this.largePages = [false, false, capabilities.has('ept-2m-pages'), capabilities.has('ept-1g-pages'), false];
    this.reservedHigh = 0xf_ffff & ~((1 << (vmx.physicalAddressBits - 32)) - 1);
  }

  get active(): boolean {
    return this.vmx.nonRoot && this.vmx.secondary(Secondary.EPT);
  }

  translate(gpaPage: number, access: number, offset: number, linearValid: boolean, walk: boolean, fault: Fault, guestPage = 0): number {
    const accessedDirty = (this.vmx.vmcs.low(EPT_POINTER) & EPTP_ACCESSED_DIRTY) !== 0;
    // With accessed and dirty flags, reading a guest paging structure counts as writing it.
    if (walk && accessedDirty) access |= ACCESS_WRITE;
    const outcome = this.walk(gpaPage);
    this.vmx.observer?.eptWalked?.(gpaPage, outcome === WALK_DONE ? this.page : -1, this.permitted);
    const needed = access & ACCESS_FETCH && guestPage & PAGE_USER && this.modeBased ? (access & ~ACCESS_FETCH) | Entry.EXECUTE_USER : access;
    if (outcome !== WALK_DONE || (needed & ~this.permitted) !== 0) {
      let qualification = access | ((this.permitted & RIGHTS) << 3);
      if (this.permitted & Entry.EXECUTE_USER) qualification |= Qualification.EXECUTE_USER;
      if (linearValid) qualification |= Qualification.LINEAR_VALID | (walk ? 0 : Qualification.FINAL_ADDRESS);
      if (linearValid && !walk && this.advanced) qualification |= guestPage << GUEST_PAGE_SHIFT;
      const detail: EptFault = { misconfiguration: outcome === WALK_MALFORMED, logFull: false, convertible: !this.suppressVe, qualification, gpa: gpaPage * 0x1000 + offset };
      fault.kind = 'second-level';
      fault.address = 0n;
      fault.detail = detail;
      return -1;
    }
    this.rights = this.permitted & RIGHTS;
    if (walk && this.vmx.state.get32(Offset.APIC_ACCESS_PAGE) === this.page + 1) {
      askForPhysicalAccess(this.vmx, fault);
      return -1;
    }
    if (accessedDirty) {
      const write = (access & ACCESS_WRITE) !== 0;
      if (write && !this.log(gpaPage)) {
        const detail: EptFault = { misconfiguration: false, logFull: true, convertible: false, qualification: 0, gpa: gpaPage * 0x1000 + offset };
        fault.kind = 'second-level';
        fault.address = 0n;
        fault.detail = detail;
        return -1;
      }
      this.mark(write);
    }
    return this.page;
  }

  /** Execute permission depends on the mode of the linear address: bit 2 for supervisor's, bit 10 for user's. */
  private get modeBased(): boolean {
    return this.vmx.secondary(Secondary.MODE_BASED_EXECUTE);
  }

  /** Enters a page whose dirty flag is about to be set into the page-modification log. False when that is full. */
  private log(gpaPage: number): boolean {
    const { vmcs, cpu } = this.vmx;
    if (!this.vmx.secondary(Secondary.PML) || (this.usedLow[this.used - 1]! & Entry.DIRTY) !== 0) return true;
    const index = vmcs.low(PML_INDEX);
    if (index >= LOG_SIZE) return false;
    cpu.writePhysical(vmcs.address(PML_ADDRESS) + index * 8, 8, BigInt(gpaPage) * 0x1000n);
    vmcs.setLow(PML_INDEX, (index - 1) & 0xffff);
    return true;
  }

  peek(gpaPage: number): number {
    return this.walk(gpaPage) === WALK_DONE ? this.page : -1;
  }

  /** Walks the tables of the current VMCS. Permissions of all levels end up in `permitted`, 0 when an entry is absent. */
  private walk(gpaPage: number): number {
    const { vmcs } = this.vmx;
    let table = (vmcs.low(EPT_POINTER) >>> 12) + (vmcs.high(EPT_POINTER) & 0xf_ffff) * PAGES_PER_4GIB;
    const modeBased = this.modeBased;
    const allRights = modeBased ? RIGHTS | Entry.EXECUTE_USER : RIGHTS;
    let permitted = allRights;
    for (let level = LEVELS; ; level--) {
      const index = level === 4 ? Math.floor(gpaPage / 0x800_0000) & 0x1ff : (gpaPage >>> (9 * (level - 1))) & 0x1ff;
      const address = table * 0x1000 + index * 8;
      if (this.vmx.cpu.tracksTables) this.vmx.cpu.codePages.tableUsed(table);
      const frame = this.vmx.cpu.bus.frameForRead(table);
      const low = frame !== 0 ? this.vmx.state.u32[(frame + index * 8) >>> 2]! : this.vmx.cpu.bus.read(address, 4);
      const high = frame !== 0 ? this.vmx.state.u32[(frame + index * 8 + 4) >>> 2]! : this.vmx.cpu.bus.read(address + 4, 4);
      const rights = low & allRights;
      this.suppressVe = (high & SUPPRESS_VE) !== 0;
      if (rights === 0) {
        this.permitted = 0;
        return WALK_ABSENT;
      }
      const leaf = level === 1 || ((low & Entry.LARGE) !== 0 && this.largePages[level]!);
      if (this.malformed(level, low, high, rights, leaf)) {
        this.permitted = 0;
        return WALK_MALFORMED;
      }
      permitted &= rights;
      this.usedAddress[LEVELS - level] = address;
      this.usedLow[LEVELS - level] = low;
      table = (low >>> 12) + (high & 0xf_ffff) * PAGES_PER_4GIB;
      if (!leaf) continue;
      const pages = 2 ** (9 * (level - 1));
      this.page = table + (gpaPage % pages);
      this.permitted = permitted;
      this.used = LEVELS - level + 1;
      return WALK_DONE;
    }
  }

  /** Whether a present entry is a misconfiguration (SDM volume 3, "EPT Misconfigurations"). */
  private malformed(level: number, low: number, high: number, rights: number, leaf: boolean): boolean {
    if ((rights & (Entry.READ | Entry.WRITE)) === Entry.WRITE) return true;
    if ((rights & Entry.READ) === 0 && rights !== 0 && !this.executeOnly) return true;
    if ((high & this.reservedHigh) !== 0) return true;
    if (!leaf) return (low & (level === 4 ? 0xf8 : 0xf8 & ~(this.largePages[level] ? Entry.LARGE : 0))) !== 0;
    if (((MEMORY_TYPES >>> ((low >>> 3) & 7)) & 1) === 0) return true;
    // Address bits below the page's size.
    return (level === 3 && (low & 0x3fff_f000) !== 0) || (level === 2 && (low & 0x1f_f000) !== 0);
  }

  /** Sets accessed flags, and the dirty flag of the last entry for a write; a clean page may not be cached as writable. */
  private mark(write: boolean): void {
    for (let i = 0; i < this.used; i++) {
      const last = i === this.used - 1;
      const want = last && write ? Entry.ACCESSED | Entry.DIRTY : Entry.ACCESSED;
      const low = this.usedLow[i]!;
      if ((low & want) !== want) this.store(this.usedAddress[i]!, low | want);
      if (last && !write && (low & Entry.DIRTY) === 0) this.rights &= ~ACCESS_WRITE;
    }
  }

  private store(address: number, low: number): void {
    const { cpu, state } = this.vmx;
    const page = Math.floor(address / 0x1000);
    const frame = cpu.bus.frameForWrite(page);
    if (frame === 0) return cpu.bus.write(address, 4, low >>> 0);
    state.u32[(frame + (address % 0x1000)) >>> 2] = low;
    if (cpu.codePages.has(page)) cpu.codePages.marked(page, address % 0x1000);
  }
}
