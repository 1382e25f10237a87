/**
 * Two processors with the same memory content and a random program: one interprets, the other translates everything at once.
 * After every run their whole state and memory have to be the same.
 *
 * What a program uses lies in a window of 64 KiB, so that 16-bit code reaches it too: its segments begin there.
 */
import type { InterruptController } from '../../src/cpu/bus';
import { Cr0, Cr4, Efer } from '../../src/cpu/controlBits';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { createEngine } from '../../src/cpu/engine/engine';
import { resetProcessor } from '../../src/cpu/engine/reset';
import { translatorPolicy } from '../../src/cpu/engine/translator';
import { readFlags } from '../../src/cpu/flags';
import { CPU_STATE_SIZE, Gpr, Offset, Seg, TLB_ENTRIES } from '../../src/cpu/state';
import { Frame } from '../../src/cpu/mmu/frameTable';
import { bareParts, noVmx, tellFrames } from '../silicon/flatMachine';

export type Mode = 16 | 32 | 64;

export const WINDOW = 0x1_0000;
/** Offsets in the window. */
export const Place = {
  CODE: 0,
  HANDLERS: 0x4000,
  DATA: 0x5000,
  /** The first page of DATA once more, the third one read-only, and the first page of CODE. */
  ALIAS: 0x9000,
  READ_ONLY: 0xa000,
  CODE_ALIAS: 0xb000,
  /** The page table of all this: 8 bytes for a page. */
  TABLE: 0xc000,
  /** Not present at first; the stack grows into it. */
  MISSING: 0xd000,
  STACK: 0xe000,
  STACK_TOP: 0xf000,
  /** Registers: reads tell the clock, writes ask for attention, flush the TLB or raise an interrupt. */
  DEVICE: 0xf000,
} as const;
export const CODE = WINDOW + Place.CODE;
export const CODE_PAGES = 4;
export const HANDLERS = WINDOW + Place.HANDLERS;
export const DATA = WINDOW + Place.DATA;
export const DATA_SIZE = 0x4000;
/** Where interrupts and single-step traps are counted. */
export const COUNT = Place.DATA + 0x3ff0;
/** Linear addresses so far apart have the same page table, and the same entry of the TLB. */
export const CONFLICT = TLB_ENTRIES * 0x1000;

/** What lies behind it acts as the device. */
const MEMORY = 0x2_0000;
/** Physical pages of tables that are put back when a program has spoilt them. */
const TABLE_PAGES = 9;
const PML4 = 0x1000;
const PDPT = 0x2000;
const PD = 0x3000;
const PT = 0x4000;
const GDT = 0x5000;
const IDT = 0x6000;
const PAE_PDPT = 0x7000;
const TSS = 0x8000;
const MAPPED = 2 * CONFLICT;
/** Vectors that count and return; that load CR3 anew and return. */
export const INTERRUPT = 0x40;
export const FLUSH = 0x41;
const PAGE_FAULT = 14;
const DEBUG = 1;
const BREAKPOINT = 3;
const HLT = 0xf4;
/** In the order that SYSCALL and SYSRET want. */
export const Selector = { HANDLER: 8, STACK: 0x10, DATA: 0x18, CODE: 0x20, FS: 0x28, GS: 0x30 } as const;

/** Bytes of the state that are the engine's own; flags are compared as such. */
const OWNED: readonly (readonly [offset: number, length: number])[] = [
  [Offset.RIP_BASE, 8], [Offset.RES, 8], [Offset.AUX, 4], [Offset.BUDGET, 8], [Offset.TLB_BASE, 20], [Offset.EFFECTIVE_ADDRESS, 8], [Offset.CUT_BUDGET, 4], [Offset.SLICE_END, 8],
  [Offset.SCRATCH, 64], [Offset.SIMD_OPERAND, 48], [Offset.SIMD_SCRATCH, 64], [Offset.SIMD_RESULT, 32],
]; // prettier-ignore

export interface Rig {
  readonly cpu: Cpu;
  /** Host offset of physical address 0. */
  readonly ram: number;
  /** Regions translated so far. */
  readonly made: () => number;
  /** An interrupt waits until the processor takes it. */
  raise(): void;
  /** Begins to keep the pages that are written, as a snapshot does. */
  snapshot(): void;
  /** Memory as it was at the last snapshot, put together from the pages that were kept. */
  atSnapshot(): Buffer;
  /** Whether `atSnapshot` is what memory was then. */
  snapshotHolds(): boolean;
  /** Puts the tables and the mapping back as they were made. */
  restoreTables(): void;
  /** Bytes of the state, valid until the next call; without the engine's own. */
  state(): Buffer;
  memory(): Buffer;
}

const dword = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, (n >>> 24) & 0xff];

/** Makes the page of CR2 present and writable and goes on; halts where no page table is. */
function pageFaultHandler(mode: Mode): number[] {
  const table = (mode === 16 ? 0 : WINDOW) + Place.TABLE;
  const w = mode === 64 ? [0x48] : [];
  const body = [
    ...w, 0x89, 0xc1, ...w, 0xc1, 0xe9, 12, 0x81, 0xe1, ...dword(0x1ff), // the page's number
    0x80, 0x0c, 0xcd, ...dword(table), 7, // or byte [rcx*8 + table], 7
    ...(mode === 16 ? [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8] : [0x0f, 0x01, 0x38]), // CR3 anew, or invlpg [rax]
    0x59, 0x58, ...w, 0x83, 0xc4, mode === 64 ? 8 : 4, ...w, 0xcf,
  ]; // prettier-ignore
  return [0x50, 0x51, 0x0f, 0x20, 0xd0, ...w, 0x3d, ...dword(MAPPED), 0x73, body.length, ...body, HLT];
}

/** Counts and returns. */
function countingHandler(mode: Mode): number[] {
  const count = (mode === 16 ? 0 : WINDOW) + COUNT;
  return mode === 64 ? [0xff, 0x04, 0x25, ...dword(count), 0x48, 0xcf] : [0xff, 0x05, ...dword(count), 0xcf];
}

/** push rax; mov rax, cr3; mov cr3, rax; pop rax; iret */
const flushingHandler = (mode: Mode): number[] => [0x50, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8, 0x58, ...(mode === 64 ? [0x48] : []), 0xcf];

/** What SYSCALL enters: counts and returns. */
const systemCall = (): number[] => [0xff, 0x04, 0x25, ...dword(WINDOW + COUNT), 0x48, 0x0f, 0x07];

/** A processor of its own, in user mode if wanted. `translate` makes everything that a sample finds a region; after so many `misses` regions call TypeScript. */
export function makeRig(mode: Mode, translate: boolean, user = false, misses = 1): Rig {
  const before = { ...translatorPolicy };
  Object.assign(translatorPolicy, { enabled: translate, threshold: 0, slice: 150, straight: 0, misses, leaves: 0, letBy: 1 });
  const engine = createEngine({ ramBytes: MEMORY, cpus: 1 });
  Object.assign(translatorPolicy, before);
  const { views, frameBase: ram } = engine;
  const long = mode === 64;
  const devicePage = (WINDOW + Place.DEVICE) >>> 12;
  const frame = (page: number): number => (page < MEMORY / 0x1000 && page !== devicePage ? ram + page * 0x1000 : 0);
  tellFrames(engine, MEMORY / 0x1000, frame);
  let waiting = false;
  const interrupts: InterruptController = {
    pending: () => waiting,
    acknowledge: () => ((waiting = false), INTERRUPT),
    getTaskPriority: () => 0,
    setTaskPriority: () => undefined,
    setBase: () => undefined,
  };
  const kept = new Map<number, Uint8Array>();
  let whole: Buffer | undefined;
  const raise = (): void => {
    waiting = true;
    cpu.requestAttention();
  };
  const parts = bareParts({
    frameForRead: frame,
    frameForWrite: (page) => {
      const at = frame(page);
      if (at !== 0 && whole && !kept.has(page)) kept.set(page, views.u8.slice(at, at + 0x1000));
      if (at !== 0) engine.frameTable[page]! |= Frame.WRITTEN;
      return at;
    },
    frameWritten: (page) => (!whole || kept.has(page) ? frame(page) : 0),
    read: (address) => (cpu.state.icount * 3 + address) >>> 0,
    write: (address) => ((address & 0x40) !== 0 ? raise() : (address & 0x10) === 0 ? cpu.flushTlb() : cpu.requestAttention()),
    in: (port) => (cpu.state.icount + port) >>> 0,
  });
  const cpu: Cpu = engine.createProcessor(0, { ...parts, interrupts });
  cpu.intercepts = cpu.secondLevel = noVmx();
  resetProcessor(cpu);
  const s = cpu.state;
  const put = (at: number, value: bigint): void => views.data.setBigUint64(ram + at, value, true);

  put(PML4, BigInt(PDPT) | 7n);
  put(PDPT, BigInt(PD) | 7n);
  put(PAE_PDPT, BigInt(PD) | 1n);
  for (let i = 0; i < MAPPED / 0x20_0000; i++) put(PD + i * 8, BigInt(PT) | 7n);
  for (let page = 1; page < 512; page++) put(PT + page * 8, BigInt(page * 0x1000) | 7n);
  const map = (place: number, physical: number, bits: bigint): void => put(PT + ((WINDOW + place) >>> 12) * 8, BigInt(physical) | bits);
  // Neighbours in linear memory are none in physical memory.
  map(Place.DATA + 0x1000, DATA + 0x2000, 7n);
  map(Place.DATA + 0x2000, DATA + 0x1000, 7n);
  map(Place.ALIAS, DATA, 7n);
  map(Place.READ_ONLY, DATA + 0x1000, 5n);
  map(Place.CODE_ALIAS, CODE, 7n);
  map(Place.TABLE, PT, 7n);
  map(Place.MISSING, WINDOW + Place.MISSING, 6n);

  // Bases are the window's in 16-bit code; FS and GS lie elsewhere, GS with a limit.
  const base = mode === 16 ? WINDOW : 0;
  const descriptor = (start: number, limit: number, access: number): bigint => BigInt(limit & 0xffff) | (BigInt(start & 0xff_ffff) << 16n) | (BigInt(access) << 40n) | (BigInt(limit >>> 16) << 48n) | (BigInt(start >>> 24) << 56n);
  const level = user ? 3 : 0;
  const dpl = level << 5;
  const codeAccess = { 64: 0xa09b, 32: 0xc09b, 16: 0x009b }[mode] | dpl;
  const dataAccess = (mode === 16 ? 0x0093 : 0xc093) | dpl;
  const limit = mode === 16 ? 0xffff : 0xf_ffff;
  const [fs, gs] = [DATA + 0x800, DATA + 0x1804];
  put(GDT + Selector.CODE, descriptor(base, limit, codeAccess));
  put(GDT + Selector.DATA, descriptor(base, mode === 16 ? 0xf_ffff : limit, dataAccess));
  put(GDT + Selector.STACK, descriptor(0, 0xf_ffff, 0xc093));
  put(GDT + Selector.HANDLER, descriptor(0, 0xf_ffff, long ? 0xa09b : 0xc09b));
  put(GDT + Selector.FS, descriptor(fs, 0xf_ffff, 0xc093 | dpl));
  put(GDT + Selector.GS, descriptor(gs, 0x1fff, 0x4093 | dpl));
  const gate = (vector: number, at: number): void => {
    const access = [BREAKPOINT, INTERRUPT, FLUSH].includes(vector) ? 0xeen : 0x8en;
    const low = (BigInt(at) & 0xffffn) | (BigInt(Selector.HANDLER) << 16n) | (access << 40n) | (BigInt(at >>> 16) << 48n);
    if (long) put(IDT + vector * 16, low);
    else put(IDT + vector * 8, low);
  };
  for (let vector = 0; vector < 32; vector++) {
    gate(vector, HANDLERS + vector * 16);
    views.u8[ram + HANDLERS + vector * 16] = HLT;
  }
  views.u8.set(countingHandler(mode), ram + HANDLERS + 0x400);
  views.u8.set(pageFaultHandler(mode), ram + HANDLERS + 0x440);
  for (const vector of [INTERRUPT, DEBUG, BREAKPOINT]) gate(vector, HANDLERS + 0x400);
  gate(PAGE_FAULT, HANDLERS + 0x440);
  views.u8.set(flushingHandler(mode), ram + HANDLERS + 0x480);
  gate(FLUSH, HANDLERS + 0x480);
  views.u8.set(systemCall(), ram + HANDLERS + 0x4c0);
  // The stack of the handlers of a program in user mode, in the page of the handlers.
  put(TSS + 4, BigInt(HANDLERS + 0xff0) | (long ? 0n : BigInt(Selector.STACK) << 32n));
  views.data.setUint16(ram + TSS + 0x66, 0x68, true);
  const tables = Buffer.from(views.u8.slice(ram, ram + TABLE_PAGES * 0x1000));

  s.set64(Offset.CR3, BigInt(long ? PML4 : PAE_PDPT));
  s.set64(Offset.PDPTE, BigInt(PD) | 1n);
  s.set64(Offset.CR4, BigInt(Cr4.PAE | Cr4.PGE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.OSXSAVE | (long ? Cr4.FSGSBASE : 0)));
  s.set64(Offset.XCR0, 7n);
  s.set64(Offset.CR0, BigInt(Cr0.PG + Cr0.WP + Cr0.NE + Cr0.ET + Cr0.MP + Cr0.PE));
  s.set64(Offset.EFER, BigInt(long ? Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE : 0));
  s.set64(Offset.STAR, (BigInt(Selector.STACK) << 48n) | (BigInt(Selector.HANDLER) << 32n));
  s.set64(Offset.LSTAR, BigInt(HANDLERS + 0x4c0));
  s.set64(Offset.FMASK, 0x700n);
  s.set64(Offset.GDTR_BASE, BigInt(GDT));
  s.set32(Offset.GDTR_LIMIT, 0x7f);
  s.set64(Offset.IDTR_BASE, BigInt(IDT));
  s.set32(Offset.IDTR_LIMIT, 0xfff);
  s.setAccess(Seg.TR, 0x8b);
  s.setSegBase(Seg.TR, BigInt(TSS));
  s.setLimit(Seg.TR, 0x67);

  const restoreTables = (): void => {
    for (let page = 0; page < TABLE_PAGES; page++) {
      const at = ram + page * 0x1000;
      const good = tables.subarray(page * 0x1000, (page + 1) * 0x1000);
      if (good.equals(views.u8.subarray(at, at + 0x1000))) continue;
      parts.bus.frameForWrite(page);
      views.u8.set(good, at);
      cpu.memoryChanged(page);
    }
    s.set64(Offset.CR3, BigInt(long ? PML4 : PAE_PDPT));
    for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) {
      s.setSelector(seg, (seg === Seg.CS ? Selector.CODE : Selector.DATA) | level);
      s.setAccess(seg, seg === Seg.CS ? codeAccess : dataAccess);
      s.setLimit(seg, mode !== 16 ? 0xffff_ffff : seg === Seg.CS ? limit : 0xf_ffff);
      s.setSegBase(seg, BigInt(base));
    }
    for (const [seg, at] of [[Seg.FS, fs], [Seg.GS, gs]] as const) s.setSegBase(seg, BigInt(at));
    if (!long) {
      s.setSelector(Seg.FS, Selector.FS | level);
      s.setAccess(Seg.FS, 0xc093 | dpl);
      s.setLimit(Seg.FS, 0xffff_ffff);
      s.setSelector(Seg.GS, Selector.GS | level);
      s.setAccess(Seg.GS, 0x4093 | dpl);
      s.setLimit(Seg.GS, 0x1fff);
    }
    s.set64(Offset.KERNEL_GS_BASE, BigInt(DATA + 0x2408));
    s.set32(Offset.CPL, level);
    cpu.flushTlb();
    cpu.stateChanged();
  };
  restoreTables();
  s.rip = BigInt(CODE - base);
  s.setReg(Gpr.RSP, BigInt(WINDOW - base + Place.STACK_TOP));

  const bytes = Buffer.alloc(CPU_STATE_SIZE);
  const state = (): Buffer => {
    bytes.set(views.u8.subarray(s.base, s.base + CPU_STATE_SIZE));
    for (const [offset, length] of OWNED) bytes.fill(0, offset, offset + length);
    bytes.writeUInt32LE(readFlags(s), Offset.AUX);
    return bytes;
  };
  const memory = (): Buffer => Buffer.from(views.u8.buffer, ram, MEMORY);
  const atSnapshot = (): Buffer => {
    const then = Buffer.from(memory());
    for (const [page, old] of kept) then.set(old, page * 0x1000);
    return then;
  };
  return {
    cpu,
    ram,
    state,
    memory,
    raise,
    restoreTables,
    made: () => cpu.regionsMade,
    snapshot: () => {
      kept.clear();
      whole = Buffer.from(memory());
      for (let page = 0; page < MEMORY / 0x1000; page++) engine.frameTable[page]! &= ~Frame.WRITTEN;
      cpu.flushTlb();
    },
    atSnapshot,
    snapshotHolds: () => !whole || whole.equals(atSnapshot()),
  };
}

/** Names and values of what differs between two states. */
export function differences(a: Rig, b: Rig): string {
  const names = Object.entries(Offset).sort((x, y) => x[1] - y[1]);
  const [one, other] = [a.state(), b.state()];
  const lines: string[] = [];
  for (let at = 0; at < one.length; at += 8) {
    const hex = (bytes: Buffer): string => bytes.readBigUInt64LE(at).toString(16);
    if (hex(one) === hex(other)) continue;
    const name = names.filter((n) => n[1] <= at + 7).pop()!;
    lines.push(`${name[0]}+${at - name[1]}: interpreted ${hex(one)}, translated ${hex(other)}`);
  }
  const [m, n] = [a.memory(), b.memory()];
  if (!m.equals(n)) for (let at = 0; at < m.length && lines.length < 12; at++) if (m[at] !== n[at]) lines.push(`memory ${at.toString(16)}: interpreted ${m[at]!.toString(16)}, translated ${n[at]!.toString(16)}`);
  return lines.slice(0, 12).join('\n');
}
