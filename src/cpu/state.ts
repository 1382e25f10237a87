/**
 * The one description of a virtual processor's state in linear memory. Generated code and TypeScript read it through
 * these offsets; nobody keeps architectural state anywhere else, so a snapshot of these bytes is the whole processor.
 *
 * Offsets are relative to the processor's block. Widths are given per field. "u64" fields are read as bigint through
 * `CpuState.u64(offset)` or as two u32 halves.
 */

/** General-purpose registers in encoding order. */
export const Gpr = { RAX: 0, RCX: 1, RDX: 2, RBX: 3, RSP: 4, RBP: 5, RSI: 6, RDI: 7, R8: 8, R9: 9, R10: 10, R11: 11, R12: 12, R13: 13, R14: 14, R15: 15 } as const;

/** Segment registers in encoding order, then LDTR and TR, as the VMCS numbers them too. */
export const Seg = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5, LDTR: 6, TR: 7 } as const;

export const Offset = {
  /** 16 x u64: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15. AH..BH are byte 1 of the first four. */
  GPR: 0x000,
  /** u64, always 0: stands for "no base" and "no index" in effective addresses. */
  ZERO: 0x080,
  /** u64. Valid outside generated code. */
  RIP: 0x088,
  /** u64. RIP of byte 0 of the current code page (linear page address minus CS.base). Owned by the engine. */
  RIP_BASE: 0x090,
  /** i64 lazy result and i32 lazy carries: see flags.ts. */
  RES: 0x098,
  AUX: 0x0a0,
  /** u32. RFLAGS without CF PF AF ZF SF OF; bit 1 is set. */
  FLAGS: 0x0a4,
  /** i32. Instructions left; owned by the engine. */
  BUDGET: 0x0a8,
  /** i32. Record to start at, or at which generated code stopped; owned by the engine. */
  RECORD: 0x0ac,
  /** u64. CS.base where it is added to RIP; 0 in 64-bit mode. Kept by `segmentChanged`. */
  CS_BASE: 0x0b0,
  /** i32. Address of the selected TLB bank; i32 of the code TLB bank; u64 generation in the low 11 bits (tags carry it). */
  TLB_BASE: 0x0b8,
  CTLB_BASE: 0x0bc,
  GENERATION: 0x0c0,
  /** i32. Non-zero asks generated code to stop after the instruction that it is executing. Owned by the engine. */
  CUT: 0x0c8,
  /** i32. Index of the code mode (16, 32 or 64-bit, stack size): see engine. */
  CODE_MODE: 0x0cc,
  /** f64. Instructions retired since power-on plus time skipped while halted: the machine's clock. Use `CpuState.icount`. */
  ICOUNT: 0x0d0,
  /** f64. The part of ICOUNT that was skipped while halted. */
  IDLE: 0x0d8,
  /** u64. Mask for the stack pointer: 0xffff, 0xffffffff or all ones. Kept by `segmentChanged`. */
  SP_MASK: 0x0e0,
  /** i32. 0 to 3. Kept by segment loads (SS.DPL); code changes it only through `setCpl`. */
  CPL: 0x0e8,
  /** u64. Linear address that an address record computed for the instruction record after it. Owned by the engine. */
  EFFECTIVE_ADDRESS: 0x0f0,
  /** u32. Bits of isa/permitted.ts: what generated code may execute. Kept by `stateChanged`. */
  PERMITTED: 0xc80,
  /** u32. Not 0: something may be due at the instruction boundary at which RFLAGS.IF becomes 1. Kept by the run loop. */
  AWAITED: 0xc84,
  /** 2 x PRIVILEGE_STRIDE bytes, supervisor and user: what the processor goes on with when 64-bit code changes its privilege; see Privileged. Kept by `stateChanged`. */
  PRIVILEGES: 0xc88,
  /** u32. Not 0: repeated string instructions stop after each iteration. Kept by the run loop. */
  STEPPING: 0xcc0,
  /** u64. Clock at which STI in generated code began to block interrupts: it ends with the next instruction. Owned by the engine. */
  STI_CLOCK: 0xcb8,
  /** u64. What generated code adds to the TSC in VMX non-root operation; 0 outside. Kept by `stateChanged`. */
  GUEST_TSC_OFFSET: 0xcc8,
  /** i32. Instructions that were left when CUT ended a slice early. Owned by the engine. */
  CUT_BUDGET: 0x0f8,

  /** 8 segment caches (ES CS SS DS FS GS LDTR TR), SEGMENT_STRIDE bytes each: see Segment. */
  SEGMENTS: 0x100,
  /** A segment cache that stays all zero but FLAT: the segments that 64-bit code ignores. */
  NO_SEGMENT: 0xc40,
  /** u64 base, u32 limit. */
  GDTR_BASE: 0x200,
  GDTR_LIMIT: 0x208,
  IDTR_BASE: 0x210,
  IDTR_LIMIT: 0x218,

  /** u64 each. */
  CR0: 0x220,
  CR2: 0x228,
  CR3: 0x230,
  CR4: 0x238,
  CR8: 0x240,
  XCR0: 0x248,
  DR0: 0x250, // DR0..DR3
  DR6: 0x270,
  DR7: 0x278,
  /** 4 x u64: the PDPTE registers of PAE paging. */
  PDPTE: 0x280,

  /** MSRs, u64 each. */
  EFER: 0x2a0,
  STAR: 0x2a8,
  LSTAR: 0x2b0,
  CSTAR: 0x2b8,
  FMASK: 0x2c0,
  KERNEL_GS_BASE: 0x2c8,
  SYSENTER_CS: 0x2d0,
  SYSENTER_ESP: 0x2d8,
  SYSENTER_EIP: 0x2e0,
  PAT: 0x2e8,
  APIC_BASE: 0x2f0,
  FEATURE_CONTROL: 0x2f8,
  MISC_ENABLE: 0x300,
  TSC_AUX: 0x308,
  /** u64. TSC = ICOUNT + TSC_ADJUST (both in ticks; one tick is one nanosecond). */
  TSC_ADJUST: 0x310,
  DEBUGCTL: 0x318,
  MTRR_DEF_TYPE: 0x320,
  PKRU: 0x328,
  XSS: 0x330,
  TSC_DEADLINE: 0x338,
  /** Room for the MTRRs: 8 x (base, mask), 11 fixed. */
  MTRR_VARIABLE: 0x340,
  MTRR_FIXED: 0x3c0,

  /** u32. 0 active, 1 HLT, 2 shutdown, 3 wait-for-SIPI (the VMCS's numbering). */
  ACTIVITY: 0x420,
  /** u32. The VMCS's interruptibility bits: 0 STI, 1 MOV SS, 2 SMI, 3 NMI. */
  INTERRUPTIBILITY: 0x424,
  /** u64. Pending debug exceptions, in the VMCS's layout. */
  PENDING_DEBUG: 0x428,
  /** u32. An NMI waits to be delivered. */
  NMI_PENDING: 0x430,
  /** u32. 1 + the host-physical page whose accesses VMX virtualizes (the APIC-access page); 0 when there is none. Such a page has no TLB tags. */
  APIC_ACCESS_PAGE: 0x434,

  /** u64. Clock at the end of the slice that generated code is in: its clock is this less BUDGET. Owned by the engine. */
  SLICE_END: 0x438,

  /** u64. RIP of the instruction that TypeScript performs or that ended generated code. Owned by the engine. */
  INSTRUCTION_RIP: 0xcf0,

  /** u32. 0 VMX off, 1 root, 2 non-root. */
  VMX_MODE: 0x440,
  /** u64 Hpa each; all ones when there is none. */
  VMXON_POINTER: 0x448,
  CURRENT_VMCS: 0x450,
  /** u32. What MONITOR and MWAIT began: bits of engine/monitoredLines.ts; the line's host-physical address is in MONITORED. */
  MONITOR: 0x444,
  /** u64. */
  MONITORED: 0xcf8,
  /** u32. Signals of other processors that wait to be taken: see engine/signals.ts. */
  SIGNALS: 0x458,
  /** 0x460 to 0x5ff: for vmx/ alone. */
  VMX_PRIVATE: 0x460,

  /** x87, SSE and AVX state; 16 x 32 bytes of YMM. */
  FPU: 0x600,
  /** u32, at its place in the FXSAVE image. Written through simd/mxcsr.ts alone. */
  MXCSR: 0x618,
  YMM: 0x800,
  /** The machine-check MSRs, u64 each: 10 banks of 4, then the global ones (system/machineCheck.ts). */
  MACHINE_CHECK_BANKS: 0xa00,
  MCG_STATUS: 0xb40,
  MCG_CTL: 0xb48,
  /** 64 bytes where accesses that cross a page or reach a device are staged; below every RAM frame. */
  SCRATCH: 0xc00,
  /** u32. Bits of simd/levels.ts that raise #UD or #NM at present. Kept by `stateChanged`. */
  SIMD_DISABLED: 0xd00,
  /** u32. What MXCSR allows generated code to compute: see simd/mxcsr.ts. */
  SIMD_FLOAT: 0xd04,
  /** u32. How generated code may walk the paging structures: bits of mmu/walkCode.ts. Kept by `stateChanged`. */
  WALK: 0xd08,
  /** 32 bytes: the memory operand of the SIMD instruction whose record follows. Owned by the engine. */
  SIMD_OPERAND: 0xd10,
  /** u64. State of the generator behind RDRAND and RDSEED. */
  RANDOM: 0xd30,
  /** 64 bytes in which generated code puts vectors to address their elements by number. */
  SIMD_SCRATCH: 0xd40,
  /** 32 bytes: what an AVX instruction has computed and not written yet. Owned by generated code. */
  SIMD_RESULT: 0xd80,
  // 0xe00 to 0xeff: vmx/held.ts (Held).
  /** The current VMCS, for vmx/ and for VMREAD and VMWRITE in generated code: 256 slots of u64 values. */
  VMCS: 0x1000,
  /** 256 x u64 each: clock and RIP of the VMWRITE that last wrote the slot. */
  VMCS_WRITER_CLOCKS: 0x1800,
  VMCS_WRITER_RIPS: 0x2000,
  // 0x2800 to 0x2fff: vmx/transfer.ts (Held).
  /** 256 x {u32, u32}: the low halves of what [RSP] and [RBP + 8] held at that VMWRITE, where a caller's address may be; 0 when unknown. */
  VMCS_WRITER_RETURNS: 0x3000,
  /** 0x3800 to 0x47ff, 4096 x u8: slot + 1 of a field by type, width and index of its encoding (`fieldKey`), 0 where there is none. */
  VMCS_SLOTS: 0x3800,
} as const;

export const GPR_COUNT = 16;
/** The number of the general-purpose register of which an offset of the state is a byte; undefined of other offsets. */
export const gprAt = (offset: number): number | undefined => (offset >= Offset.GPR && offset < Offset.GPR + GPR_COUNT * 8 ? (offset - Offset.GPR) >>> 3 : undefined);

/** A segment cache: the descriptor's hidden part, in the VMCS's formats. */
export const Segment = {
  /** u16. */
  SELECTOR: 0,
  /** u32. Bits 3:0 type, 4 S, 6:5 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G, 16 unusable (SDM volume 3, "Guest Register State"). */
  ACCESS: 4,
  /** u32, in bytes, after the granularity is applied. */
  LIMIT: 8,
  /** u32. 1 when an access of any size at any offset is within limits and permitted for reading and writing. Kept by `segmentChanged`. */
  FLAT: 12,
  /** u64. */
  BASE: 16,
} as const;
export const SEGMENT_STRIDE = 32;

/** What 64-bit code at a privilege level works with: copied to TLB_BASE, CTLB_BASE, GENERATION and PERMITTED. */
export const Privileged = {
  /** i32; 0 when the level cannot be entered by generated code, as its bank has to be looked after first. */
  TLB_BASE: 0,
  CTLB_BASE: 4,
  /** u64. */
  GENERATION: 8,
  /** u32. */
  PERMITTED: 16,
} as const;
export const PRIVILEGE_STRIDE = 24;

export const ACCESS_UNUSABLE = 1 << 16;

/** Software TLB, one bank: TLB_ENTRIES x 32 bytes {u64 read tag, u64 write tag, i32 addend, u32 page, u32 first watched byte, u32 watched bytes}: see mmu/tlb.ts. */
export const TLB_ENTRIES = 4096;
export const TLB_ENTRY_SIZE = 32;
/** Code TLB, one bank: TLB_ENTRIES x 16 bytes {u64 tag, i32 code page, spare}. */
export const CTLB_ENTRY_SIZE = 16;
/** Banks: bit 0 user (CPL 3) or supervisor, bit 1 VMX non-root. */
export const BANKS = 4;

/** The answer of a port that stays what it is up to a known instant: see PortAnswer. Not architectural, no snapshot has it. */
export const PORT_ANSWER = 0x4800;
export const PortAnswer = {
  /** u32. */
  PORT: 0,
  VALUE: 4,
  /** u64. Clock from which the port has to be asked again; 0 when no answer is kept. */
  UNTIL: 8,
} as const;

/** 2 x u32. How many reads and how many writes beside watched bytes the TLB miss has let by since the translator looked last. Not architectural. */
export const LET_BY = 0x4810;

/** 2 x u64: of linear and of host-physical pages, which may have watched bytes: bit n says that some do whose number modulo 64 is n. Not architectural. */
export const WATCHED_PAGES = 0x4820;

/** A write over the end of a page that generated code has put at SCRATCH: where its bytes belong. Not architectural. */
export const CROSSING = 0x4830;
export const Crossing = {
  /** u32 each: host addresses of the bytes in the first and in the second page. */
  TO: 0,
  NEXT: 4,
  /** u32 each: how many; 0 in the first when there is no such write. */
  FIRST: 8,
  REST: 12,
} as const;

/** Entries of a TLB bank that a change of address space takes out, for each of root and non-root operation LOCAL_ENTRIES_SIZE bytes: u32 how many there were, then u32 each the first of them, as indices of 32-bit words. Not architectural. */
export const LOCAL_ENTRIES = 0x4840;
export const MOST_LOCAL_ENTRIES = 512;
export const LOCAL_ENTRIES_SIZE = 4 + MOST_LOCAL_ENTRIES * 4 + 4;

/** 2-MiB regions of linear addresses of which TypeScript knows that the TLB has had pieces, outside VMX non-root operation: KNOWN_LARGE_ENTRIES x u64, each the region's number with the bit KNOWN, where its low bits say. */
export const KNOWN_LARGE = LOCAL_ENTRIES + 2 * LOCAL_ENTRIES_SIZE;
export const KNOWN_LARGE_ENTRIES = 256;
export const KNOWN = 1n << 63n;

export const TLB_OFFSET = (KNOWN_LARGE + KNOWN_LARGE_ENTRIES * 8 + 63) & ~63;
export const CTLB_OFFSET = TLB_OFFSET + BANKS * TLB_ENTRIES * TLB_ENTRY_SIZE;
export const CPU_BLOCK_SIZE = CTLB_OFFSET + BANKS * TLB_ENTRIES * CTLB_ENTRY_SIZE;

/** The bytes that a snapshot keeps: everything but the table of fields, which never changes, and the kept answer and the TLBs, which are rebuilt. */
export const CPU_STATE_SIZE = Offset.VMCS_SLOTS;

/** Typed views of the whole WebAssembly memory; made once, the memory never grows. */
export class MemoryViews {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
  readonly data: DataView;
  constructor(readonly memory: WebAssembly.Memory) {
    const b = memory.buffer;
    this.u8 = new Uint8Array(b);
    this.u16 = new Uint16Array(b);
    this.u32 = new Uint32Array(b);
    this.i32 = new Int32Array(b);
    this.f64 = new Float64Array(b);
    this.u64 = new BigUint64Array(b);
    this.data = new DataView(b);
  }
}

/** Reads and writes one processor's state. */
export class CpuState {
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;
  constructor(
    readonly views: MemoryViews,
    /** Byte offset of the processor's block; a multiple of 4096. */
    readonly base: number,
  ) {
    this.u32 = views.u32;
    this.u64 = views.u64;
  }

  get64(offset: number): bigint {
    return this.u64[(this.base + offset) >>> 3]!;
  }
  set64(offset: number, value: bigint): void {
    this.u64[(this.base + offset) >>> 3] = value; // a BigUint64Array keeps the low 64 bits
  }
  clear64(offset: number): void {
    const i = (this.base + offset) >>> 2;
    this.u32[i] = 0;
    this.u32[i + 1] = 0;
  }
  get32(offset: number): number {
    return this.u32[(this.base + offset) >>> 2]!;
  }
  set32(offset: number, value: number): void {
    this.u32[(this.base + offset) >>> 2] = value;
  }
  /** High half of a u64 field, without bigint. */
  high(offset: number): number {
    return this.u32[(this.base + offset + 4) >>> 2]!;
  }

  reg(n: number): bigint {
    return this.get64(Offset.GPR + n * 8);
  }
  setReg(n: number, value: bigint): void {
    this.set64(Offset.GPR + n * 8, value);
  }
  /** Low 32 bits of a general-purpose register, unsigned. */
  reg32(n: number): number {
    return this.get32(Offset.GPR + n * 8);
  }
  /** Writes 32 bits and clears the upper half, as 32-bit operations do in 64-bit mode. */
  setReg32(n: number, value: number): void {
    const i = (this.base + Offset.GPR + n * 8) >>> 2;
    this.u32[i] = value;
    this.u32[i + 1] = 0;
  }

  get rip(): bigint {
    return this.get64(Offset.RIP);
  }
  set rip(value: bigint) {
    this.set64(Offset.RIP, value);
  }
  get cr0(): number {
    return this.get32(Offset.CR0);
  }
  get cr3(): bigint {
    return this.get64(Offset.CR3);
  }
  get cr4(): number {
    return this.get32(Offset.CR4);
  }
  get efer(): number {
    return this.get32(Offset.EFER);
  }
  get cpl(): number {
    return this.get32(Offset.CPL);
  }

  /** The machine's clock in ticks (one tick is one instruction retired, or one nanosecond halted). */
  get icount(): number {
    return this.views.f64[(this.base + Offset.ICOUNT) >>> 3]!;
  }
  set icount(value: number) {
    this.views.f64[(this.base + Offset.ICOUNT) >>> 3] = value;
  }
  get idle(): number {
    return this.views.f64[(this.base + Offset.IDLE) >>> 3]!;
  }
  set idle(value: number) {
    this.views.f64[(this.base + Offset.IDLE) >>> 3] = value;
  }

  selector(seg: number): number {
    return this.views.u16[(this.segment(seg) + Segment.SELECTOR) >>> 1]!;
  }
  setSelector(seg: number, value: number): void {
    this.views.u16[(this.segment(seg) + Segment.SELECTOR) >>> 1] = value;
  }
  access(seg: number): number {
    return this.u32[(this.segment(seg) + Segment.ACCESS) >>> 2]!;
  }
  setAccess(seg: number, value: number): void {
    this.u32[(this.segment(seg) + Segment.ACCESS) >>> 2] = value;
  }
  limit(seg: number): number {
    return this.u32[(this.segment(seg) + Segment.LIMIT) >>> 2]!;
  }
  setLimit(seg: number, value: number): void {
    this.u32[(this.segment(seg) + Segment.LIMIT) >>> 2] = value;
  }
  segBase(seg: number): bigint {
    return this.u64[(this.segment(seg) + Segment.BASE) >>> 3]!;
  }
  setSegBase(seg: number, value: bigint): void {
    this.u64[(this.segment(seg) + Segment.BASE) >>> 3] = value;
  }
  private segment(seg: number): number {
    return this.base + Offset.SEGMENTS + seg * SEGMENT_STRIDE;
  }
}
