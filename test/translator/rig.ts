/**
 * Two processors with the same memory content and a random program: one interprets, the other translates everything at once.
 * After every run their whole state and memory have to be the same.
 */
import { createEngine } from '../../src/cpu/engine/engine';
import { translatorPolicy } from '../../src/cpu/engine/translator';
import { resetProcessor } from '../../src/cpu/engine/reset';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { CPU_STATE_SIZE, Gpr, Offset, Seg } from '../../src/cpu/state';
import { bareParts, noVmx } from '../silicon/flatMachine';

export const CODE = 0x10_0000;
export const CODE_PAGES = 4;
export const HANDLERS = 0x10_8000;
export const DATA = 0x11_0000;
export const DATA_SIZE = 0x4000;
export const STACK = 0x11_8000;
/** A page of registers: reads tell the clock, writes ask for attention or flush the TLB. */
export const DEVICE = 0x12_0000;
const MEMORY = 0x20_0000;
const GDT = 0x5000;
const IDT = 0x6000;

/** Bytes of the state that are the engine's own. */
const OWNED: readonly (readonly [offset: number, length: number])[] = [
  [Offset.RIP_BASE, 8], [Offset.BUDGET, 8], [Offset.TLB_BASE, 20], [Offset.EFFECTIVE_ADDRESS, 8], [Offset.CUT_BUDGET, 4], [Offset.SLICE_END, 8],
  [Offset.SCRATCH, 64], [Offset.SIMD_OPERAND, 48], [Offset.SIMD_SCRATCH, 64],
]; // prettier-ignore

export type Mode = 16 | 32 | 64;

export interface Rig {
  readonly cpu: Cpu;
  /** Host offset of physical address 0. */
  readonly ram: number;
  /** Regions translated so far. */
  readonly made: () => number;
  state(): string;
  memory(): Buffer;
}

/** A processor of its own. `translate` makes everything that a sample finds a region. */
export function makeRig(mode: Mode, translate: boolean): Rig {
  const before = { ...translatorPolicy };
  Object.assign(translatorPolicy, { enabled: translate, threshold: 0, slice: 150, misses: 1 });
  const engine = createEngine({ ramBytes: MEMORY, cpus: 1 });
  Object.assign(translatorPolicy, before);
  const frame = (page: number): number => (page < MEMORY / 0x1000 && page !== DEVICE / 0x1000 ? engine.frameBase + page * 0x1000 : 0);
  const parts = bareParts({
    frameForRead: frame,
    frameForWrite: frame,
    read: (address) => (cpu.state.icount * 3 + address) >>> 0,
    write: (address) => ((address & 0x10) === 0 ? cpu.flushTlb() : cpu.requestAttention()),
    in: (port) => (cpu.state.icount + port) >>> 0,
  });
  const cpu: Cpu = engine.createProcessor(0, parts);
  cpu.intercepts = cpu.secondLevel = noVmx();
  resetProcessor(cpu);
  const ram = engine.frameBase;
  const { views, state: s } = cpu;
  const put = (at: number, value: bigint): void => views.data.setBigUint64(ram + at, value, true);
  put(0x1000, 0x2007n);
  put(0x2000, 0x3007n);
  put(0x3000, 0x4007n);
  for (let page = 1; page < 512; page++) if (page !== 0x12f) put(0x4000 + page * 8, BigInt(page * 0x1000) | 7n);
  // Descriptors: code and data of the mode; then the interrupt handlers' 64-bit (or 32-bit) code.
  const codeAccess = mode === 64 ? 0xa09b : mode === 32 ? 0xc09b : 0x009b;
  put(GDT + 8, mode === 64 ? 0x00af_9b00_0000_ffffn : mode === 32 ? 0x00cf_9b00_0000_ffffn : 0x000f_9b00_0000_ffffn);
  put(GDT + 16, 0x00cf_9300_0000_ffffn);
  put(GDT + 24, 0x0040_9310_0000_ffffn | (BigInt(DATA >>> 16) << 32n)); // a data segment of 64 KiB at DATA, not flat
  for (let vector = 0; vector < 32; vector++) {
    const handler = BigInt(HANDLERS + vector * 16);
    const gate = (handler & 0xffffn) | (8n << 16n) | (0x8en << 40n) | ((handler >> 16n) << 48n);
    if (mode === 64) {
      put(IDT + vector * 16, gate);
      put(IDT + vector * 16 + 8, 0n);
    } else put(IDT + vector * 8, gate);
  }
  const long = mode === 64;
  s.set64(Offset.CR3, 0x1000n);
  s.set64(Offset.CR4, 0x620n);
  s.set64(Offset.CR0, long ? 0x8000_0011n : 0x11n);
  s.set64(Offset.EFER, long ? 0x500n : 0n);
  for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) {
    s.setAccess(seg, seg === Seg.CS ? codeAccess : 0xc093);
    s.setLimit(seg, 0xffff_ffff);
    s.setSegBase(seg, 0n);
    s.setSelector(seg, seg === Seg.CS ? 8 : 16);
  }
  s.setSegBase(Seg.FS, BigInt(DATA + 0x800));
  s.setSegBase(Seg.GS, BigInt(DATA + 0x1804));
  if (!long) {
    s.setLimit(Seg.GS, 0x1fff);
    s.setAccess(Seg.GS, 0x4093);
  }
  s.set64(Offset.GDTR_BASE, BigInt(GDT));
  s.set32(Offset.GDTR_LIMIT, 31);
  s.set64(Offset.IDTR_BASE, BigInt(IDT));
  s.set32(Offset.IDTR_LIMIT, 0xfff);
  s.rip = BigInt(CODE);
  s.setReg(Gpr.RSP, BigInt(STACK));
  cpu.stateChanged();
  const state = (): string => {
    const bytes = Buffer.from(views.u8.slice(s.base, s.base + CPU_STATE_SIZE));
    for (const [offset, length] of OWNED) bytes.fill(0, offset, offset + length);
    return bytes.toString('latin1');
  };
  return { cpu, ram, state, made: () => cpu.regionsMade, memory: () => Buffer.from(views.u8.slice(ram, ram + MEMORY)) };
}

/** Names and values of what differs between two states. */
export function differences(a: Rig, b: Rig): string {
  const names = Object.entries(Offset).sort((x, y) => x[1] - y[1]);
  const [one, other] = [a.state(), b.state()];
  const lines: string[] = [];
  for (let at = 0; at < one.length; at += 8) {
    if (one.slice(at, at + 8) === other.slice(at, at + 8)) continue;
    const name = names.filter((n) => n[1] <= at + 7).pop()!;
    const hex = (text: string): string => Buffer.from(text.slice(at, at + 8), 'latin1').readBigUInt64LE().toString(16);
    lines.push(`${name[0]}+${at - name[1]}: interpreted ${hex(one)}, translated ${hex(other)}`);
  }
  const [m, n] = [a.memory(), b.memory()];
  for (let at = 0; at < m.length && lines.length < 12; at++) if (m[at] !== n[at]) lines.push(`memory ${at.toString(16)}: interpreted ${m[at]!.toString(16)}, translated ${n[at]!.toString(16)}`);
  return lines.slice(0, 12).join('\n');
}
