/**
 * The TLB banks: one for each of user and supervisor, VMX root and non-root. Flushing is a new generation, which no
 * tag has yet; the bytes are cleared only when the 11 bits of the generation have been used up.
 *
 * What a change of address space keeps (SDM volume 3, "Operations that Invalidate TLBs and Paging-Structure Caches"):
 * a user bank has a generation per process-context identifier, so that an address space finds its translations again. A
 * supervisor bank has one generation: what is global stays, and the few entries that are not are remembered and taken out.
 * Global user pages are looked up anew, which is stricter than real processors are.
 */
import { Cr4 } from '../controlBits';
import { EMPTY_BANK, TOLD } from '../mmu/tlb';
import { BANKS, type CpuState, CTLB_ENTRY_SIZE, CTLB_OFFSET, KNOWN_LARGE, KNOWN_LARGE_ENTRIES, LOCAL_ENTRIES, LOCAL_ENTRIES_SIZE, type MemoryViews, Offset, PRIVILEGE_STRIDE, Privileged, TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_OFFSET } from '../state';
import { LocalEntries } from './localEntries';

/** 0 marks empty entries, the bit above is that of `BESIDE`, and with it 0x7ff would collide with withheld tags. */
const LAST_GENERATION = 0x7fe;

/** Words of a TLB entry (mmu/tlb.ts). */
const WRITE_TAG = 2;
const PAGE = 5;

/** 4-KiB pages in larger ones. */
const PAGES_PER_2MIB = 512;
const PAGES_PER_GIB = 0x4_0000;
const PAGES_PER_4GIB = 0x10_0000;
/** After so many large pages a change of address space drops everything. */
const MANY_LARGE = 4096;

/** How a large page is remembered: by the 2-MiB region, or by a number below 0 for 1 GiB. */
const key2MiB = (page: number): number => Math.floor(page / PAGES_PER_2MIB);
const keyGiB = (page: number): number => -1 - Math.floor(page / PAGES_PER_GIB);

export class TlbBanks {
  private readonly generations = new Array<number>(BANKS).fill(1);
  /** The last generation that a bank has used. */
  private readonly used = new Array<number>(BANKS).fill(1);
  /** Code size that a bank's code TLB entries are for. */
  private readonly codeSizes = new Array<number>(BANKS).fill(0);
  /** Of the user banks (root, non-root): generations of address spaces that are not in use, by process-context identifier. */
  private readonly contexts: Map<number, number>[] = [new Map(), new Map()];
  /** Of the supervisor banks: generations by the size of the code that had them. */
  private readonly sizes: Map<number, number>[] = [new Map(), new Map()];
  /** Entries of the supervisor banks that are not global. */
  private readonly locals: LocalEntries[];
  /** Large pages of which a bank pair has held pieces since it was last emptied: INVLPG of such a page has to drop all of them. */
  private readonly large: Set<number>[] = [new Set(), new Set()];

  constructor(
    private readonly views: MemoryViews,
    private readonly state: CpuState,
  ) {
    this.locals = [0, 1].map((operation) => new LocalEntries(views.u32, state.base + LOCAL_ENTRIES + operation * LOCAL_ENTRIES_SIZE));
  }

  private tlb(bank: number): number {
    return this.state.base + TLB_OFFSET + bank * TLB_ENTRIES * TLB_ENTRY_SIZE;
  }
  private ctlb(bank: number): number {
    return this.state.base + CTLB_OFFSET + bank * TLB_ENTRIES * CTLB_ENTRY_SIZE;
  }
  /** The bank in use: generated code may have gone from the supervisor's to the user's or back. */
  private get current(): number {
    const at = this.state.get32(Offset.CTLB_BASE);
    return at === 0 ? 0 : (at - this.ctlb(0)) / (TLB_ENTRIES * CTLB_ENTRY_SIZE); // 0 at power-on
  }
  /** 1 for VMX non-root operation. */
  private get operation(): number {
    return this.current >> 1;
  }

  /** Makes a bank the one that generated code uses, with what it knows beside code of this size. `empty`: data accesses find nothing in it. */
  select(bank: number, codeSize: number, empty: boolean): void {
    if (this.codeSizes[bank] !== codeSize) this.changeSize(bank, codeSize);
    this.state.set32(Offset.TLB_BASE, empty ? EMPTY_BANK : this.tlb(bank));
    this.state.set32(Offset.CTLB_BASE, this.ctlb(bank));
    this.publish(bank);
  }

  /**
   * Records are of code of one size. Loaders go between 16- and 32-bit code at every call of the BIOS: each keeps its
   * translations, by its generation. The user's banks have their generations by process-context identifiers instead.
   */
  private changeSize(bank: number, codeSize: number): void {
    const sizes = this.sizes[bank >> 1]!;
    const before = this.codeSizes[bank]!;
    this.codeSizes[bank] = codeSize;
    if (bank & 1) return this.forget(bank);
    sizes.set(before, this.generations[bank]!);
    const known = sizes.get(codeSize);
    if (known !== undefined) this.generations[bank] = known;
    else this.renew(bank);
  }

  /** Told of an entry, by its index in 32-bit words, of the bank in use. Called at every TLB miss. */
  filled(index: number, global: boolean, page: number, level: number): void {
    if (!global && (this.current & 1) === 0) this.locals[this.operation]!.add(index);
    if (level === 1) return;
    const large = this.large[this.operation]!;
    if (level === 3) return void large.add(keyGiB(page));
    large.add(key2MiB(page));
    if (this.operation === 0) this.makeKnown(key2MiB(page));
    if (!(this.state.cr4 & Cr4.PAE)) large.add(key2MiB(page ^ PAGES_PER_2MIB)); // it has 4 MiB
  }

  /** Tells generated code of a 2-MiB region that `large` has. */
  private makeKnown(region: number): void {
    const at = (this.state.base + KNOWN_LARGE + (region & (KNOWN_LARGE_ENTRIES - 1)) * 8) >>> 2;
    this.views.u32[at] = region;
    this.views.u32[at + 1] = Math.floor(region / 2 ** 32) | 0x8000_0000;
  }
  private forgetLarge(operation: number): void {
    this.large[operation]!.clear();
    if (operation === 0) this.views.u8.fill(0, this.state.base + KNOWN_LARGE, this.state.base + KNOWN_LARGE + KNOWN_LARGE_ENTRIES * 8);
  }

  /** Drops every translation of every bank. */
  flush(): void {
    for (let bank = 0; bank < BANKS; bank++) this.forget(bank);
    for (const operation of [0, 1]) this.forgetLarge(operation);
    this.publish();
  }

  /** Drops the translations of VMX non-root operation, or of all other operation. */
  flushOperation(nonRoot: boolean): void {
    const first = nonRoot ? 2 : 0;
    this.forget(first);
    this.forget(first + 1);
    this.forgetLarge(first >> 1);
    this.publish();
  }

  /**
   * The present operation goes from one address space to another, by process-context identifiers. `keep`: what was kept of
   * the new one is still valid; else it is dropped.
   */
  switchContext(from: number, to: number, keep: boolean): void {
    if (this.large[this.operation]!.size > MANY_LARGE) return this.flushOperation(this.operation === 1);
    const user = this.operation * 2 + 1;
    const contexts = this.contexts[this.operation]!;
    contexts.set(from, this.generations[user]!);
    const known = keep ? contexts.get(to) : undefined;
    if (known === undefined) this.renew(user);
    else this.generations[user] = known;
    this.dropLocals();
    this.publish();
  }

  /** Drops what is not global of one identifier (not the present one), or of all. */
  dropContext(identifier: number | undefined): void {
    const contexts = this.contexts[this.operation]!;
    if (identifier !== undefined) return void contexts.delete(identifier);
    contexts.clear();
    this.renew(this.operation * 2 + 1);
    this.dropLocals();
    this.publish();
  }

  /** Takes the entries of the present operation's supervisor bank out that are not global. */
  private dropLocals(): void {
    if (!this.locals[this.operation]!.drop()) this.forget(this.operation * 2);
  }

  /** The generation is a u64 so that generated code can use it as a tag's low bits; its upper half stays 0. */
  private publish(current = this.current): void {
    this.state.set32(Offset.GENERATION, this.generations[current]!);
    // What the processor goes on with at the other privilege of the same operation, if both run 64-bit code.
    this.offer(current & 2, Offset.PRIVILEGES);
    this.offer(current | 1, Offset.PRIVILEGES + PRIVILEGE_STRIDE);
  }
  private offer(bank: number, at: number): void {
    const s = this.state;
    s.set32(at + Privileged.TLB_BASE, this.codeSizes[bank] === 64 ? this.tlb(bank) : 0);
    s.set32(at + Privileged.CTLB_BASE, this.ctlb(bank));
    s.set32(at + Privileged.GENERATION, this.generations[bank]!);
  }

  /** Drops all that a bank holds, for every address space. */
  private forget(bank: number): void {
    this.renew(bank);
    if (bank & 1) this.contexts[bank >> 1]!.clear();
    else {
      this.sizes[bank >> 1]!.clear();
      this.locals[bank >> 1]!.clear();
    }
  }

  private renew(bank: number): void {
    const next = this.used[bank]! + 1;
    if (next <= LAST_GENERATION) {
      this.used[bank] = this.generations[bank] = next;
      return;
    }
    const { u32 } = this.views;
    u32.fill(0, this.tlb(bank) >>> 2, (this.tlb(bank) + TLB_ENTRIES * TLB_ENTRY_SIZE) >>> 2);
    u32.fill(0, this.ctlb(bank) >>> 2, (this.ctlb(bank) + TLB_ENTRIES * CTLB_ENTRY_SIZE) >>> 2);
    (bank & 1 ? this.contexts : this.sizes)[bank >> 1]!.clear();
    this.used[bank] = this.generations[bank] = 1;
  }

  /**
   * Drops what the banks know of the page, of whatever size, at a linear address, for every address space. Returns whether
   * generated code may go on: the generation is the same and its own page is another one.
   */
  flushPage(low: number, high: number): boolean {
    const page = high * PAGES_PER_4GIB + (low >>> 12);
    const index = (low >>> 12) & (TLB_ENTRIES - 1);
    // Of a large page there may be many pieces, which the entries do not tell.
    for (const large of this.large) if (large.size !== 0 && (large.has(key2MiB(page)) || large.has(keyGiB(page)))) {
      this.flush();
      return false;
    }
    const { u32 } = this.views;
    for (let bank = 0; bank < BANKS; bank++) {
      const tlb = (this.tlb(bank) + index * TLB_ENTRY_SIZE) >>> 2;
      u32[tlb] = u32[tlb + 1] = u32[tlb + WRITE_TAG] = u32[tlb + WRITE_TAG + 1] = 0;
      const ctlb = (this.ctlb(bank) + index * CTLB_ENTRY_SIZE) >>> 2;
      u32[ctlb] = u32[ctlb + 1] = 0;
    }
    const s = this.state;
    return ((s.get32(Offset.RIP_BASE) + s.get32(Offset.CS_BASE)) ^ low) >>> 12 !== 0;
  }

  /** Makes writes to a host-physical page be told, in every bank. */
  withholdWrites(page: number): void {
    const { u32 } = this.views;
    const low = page >>> 0;
    for (let bank = 0; bank < BANKS; bank++) {
      if (this.codeSizes[bank] === 0) continue; // it was never in use
      const end = this.tlb(bank + 1) >>> 2;
      for (let entry = this.tlb(bank) >>> 2; entry < end; entry += TLB_ENTRY_SIZE >>> 2) {
        if (u32[entry + PAGE] !== low) continue;
        u32[entry + WRITE_TAG]! |= TOLD;
      }
    }
  }
}
