/**
 * The TLB banks: one for each of user and supervisor, VMX root and non-root. Flushing is a new generation, which no
 * tag has yet; the bytes are cleared only when the 12 bits of the generation have been used up.
 */
import { EMPTY_BANK } from '../mmu/tlb';
import { BANKS, type CpuState, CTLB_ENTRY_SIZE, CTLB_OFFSET, type MemoryViews, Offset, TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_OFFSET } from '../state';

/** 0 marks empty entries, and 0xfff would collide with withheld tags. */
const LAST_GENERATION = 0xffe;

/** Words of a TLB entry (mmu/tlb.ts). */
const WRITE_TAG = 2;
const PAGE = 5;
const WITHHELD = 0xffff_ffff;

export class TlbBanks {
  private readonly generations = new Array<number>(BANKS).fill(1);
  /** Code size that a bank's code TLB entries are for. */
  private readonly codeSizes = new Array<number>(BANKS).fill(0);
  private current = 0;

  constructor(
    private readonly views: MemoryViews,
    private readonly state: CpuState,
  ) {}

  private tlb(bank: number): number {
    return this.state.base + TLB_OFFSET + bank * TLB_ENTRIES * TLB_ENTRY_SIZE;
  }
  private ctlb(bank: number): number {
    return this.state.base + CTLB_OFFSET + bank * TLB_ENTRIES * CTLB_ENTRY_SIZE;
  }

  /** Makes a bank the one that generated code uses; what it knows of code of another size is forgotten. `empty`: data accesses find nothing in it. */
  select(bank: number, codeSize: number, empty: boolean): void {
    if (this.codeSizes[bank] !== codeSize) {
      this.codeSizes[bank] = codeSize;
      this.renew(bank);
    }
    this.current = bank;
    this.state.set32(Offset.TLB_BASE, empty ? EMPTY_BANK : this.tlb(bank));
    this.state.set32(Offset.CTLB_BASE, this.ctlb(bank));
    this.publish();
  }

  /** Drops every translation of every bank. */
  flush(): void {
    for (let bank = 0; bank < BANKS; bank++) this.renew(bank);
    this.publish();
  }

  /** Drops the translations of VMX non-root operation, or of all other operation. */
  flushOperation(nonRoot: boolean): void {
    const first = nonRoot ? 2 : 0;
    this.renew(first);
    this.renew(first + 1);
    this.publish();
  }

  /** The generation is a u64 so that generated code can use it as a tag's low bits; its upper half stays 0. */
  private publish(): void {
    this.state.set32(Offset.GENERATION, this.generations[this.current]!);
  }

  private renew(bank: number): void {
    const next = this.generations[bank]! + 1;
    if (next <= LAST_GENERATION) {
      this.generations[bank] = next;
      return;
    }
    const { u32 } = this.views;
    u32.fill(0, this.tlb(bank) >>> 2, (this.tlb(bank) + TLB_ENTRIES * TLB_ENTRY_SIZE) >>> 2);
    u32.fill(0, this.ctlb(bank) >>> 2, (this.ctlb(bank) + TLB_ENTRIES * CTLB_ENTRY_SIZE) >>> 2);
    this.generations[bank] = 1;
  }

  /** Drops what the banks know of one linear page. */
  flushPage(linear: bigint): void {
    const index = Number((linear >> 12n) & BigInt(TLB_ENTRIES - 1));
    const { u32 } = this.views;
    for (let bank = 0; bank < BANKS; bank++) {
      const tlb = (this.tlb(bank) + index * TLB_ENTRY_SIZE) >>> 2;
      u32.fill(0, tlb, tlb + 4);
      const ctlb = (this.ctlb(bank) + index * CTLB_ENTRY_SIZE) >>> 2;
      u32.fill(0, ctlb, ctlb + 2);
    }
  }

  /** Takes the write tags of a host-physical page away, in every bank. */
  withholdWrites(page: number): void {
    const { u32 } = this.views;
    const start = this.tlb(0) >>> 2;
    const end = this.tlb(BANKS) >>> 2;
    const low = page >>> 0;
    for (let entry = start; entry < end; entry += TLB_ENTRY_SIZE >>> 2) {
      if (u32[entry + PAGE] !== low) continue;
      u32[entry + WRITE_TAG] = WITHHELD;
      u32[entry + WRITE_TAG + 1] = WITHHELD;
    }
  }
}
