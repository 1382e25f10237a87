/** What happens to a random program from outside: stops at random counts, breakpoints, watches, interrupts, snapshots, and new beginnings. */
import { writeFlags } from '../../src/cpu/flags';
import { x87FromFxsave } from '../../src/cpu/fpu/environment';
import { writeMxcsr } from '../../src/cpu/simd/mxcsr';
import { Gpr, Offset } from '../../src/cpu/state';
import { POINTERS, Random, Register } from './encoder';
import { type Assembled, dataBytes } from './program';
import { CODE, DATA, type Mode, Place, type Rig, WINDOW } from './rig';

export type Happening =
  | { kind: 'kick'; seed: number }
  | { kind: 'breakpoints'; seeds: readonly number[] }
  | { kind: 'watch'; ranges: readonly { place: number; length: number; read: boolean; write: boolean; physical: boolean }[] }
  /** A data breakpoint in DR0, of a length and a kind as DR7 has them; without a place it is lifted. */
  | { kind: 'debugRegister'; place: number | undefined; length: number; type: number }
  | { kind: 'unwatch' | 'interrupt' | 'snapshot' | 'flush' | 'registers' }
  /** The debugger writes a byte of the program, or changes whether a page is present or writable. */
  | { kind: 'poke'; seed: number }
  | { kind: 'protect'; place: number; bits: number };

/** Something that happens, perhaps, and then a run. */
export interface Step {
  readonly happening: Happening | undefined;
  readonly length: number;
}

/** Values in registers at a new beginning. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] as const;
const KICKED = 14;
const X87 = new DataView(new ArrayBuffer(512));
X87.setUint16(0, 0x37f, true);
const MXCSR = 0x1f80;

/** Where data breakpoints are: mostly near to what programs access all the time. */
const watched = (r: Random): number =>
  r.of([Place.DATA + r.below(0x3000), Place.DATA + 0x200, ...[0x1f8, 0x240, 0x10f0, 0x1120, 0x2430, 0xfe0, 0x2000].map((at) => Place.DATA + at), Place.ALIAS + 0x310, Place.STACK_TOP - r.below(0x140), Place.STACK_TOP - 0x800, Place.CODE + r.below(0x100)]);

function happening(r: Random): Happening | undefined {
  if (r.chance(KICKED)) return { kind: 'kick', seed: r.next() };
  switch (r.below(40)) {
    case 0: case 1:
      return { kind: 'breakpoints', seeds: [r.next(), r.next()].slice(0, 1 + r.below(2)) };
    case 2: case 3:
      return { kind: 'breakpoints', seeds: [] };
    case 4: case 5: case 23: case 24: case 25: case 26:
      return { kind: 'watch', ranges: Array.from({ length: r.of([1, 1, 2, 3]) }, () => ({ place: watched(r), length: 1 + r.below(r.of([1, 8, 8, 64, 0x1000])), read: r.chance(40), write: r.chance(80), physical: r.chance(50) })) };
    case 6: case 7: case 8:
      return { kind: 'unwatch' };
    case 9: case 10: case 11: case 12:
      return { kind: 'interrupt' };
    case 13: case 14:
      return { kind: 'snapshot' };
    case 15:
      return { kind: 'flush' };
    case 16:
      return { kind: 'poke', seed: r.next() };
    case 17: case 18:
      return { kind: 'protect', place: r.of([Place.DATA, Place.DATA + 0x1000, Place.STACK, Place.ALIAS, Place.CODE]), bits: r.of([7, 5, 6, 7]) };
    case 19: case 20:
      return { kind: 'registers' };
    case 21:
      return { kind: 'debugRegister', place: watched(r) & ~7, length: r.below(4), type: r.of([1, 3]) };
    case 22:
      return { kind: 'debugRegister', place: undefined, length: 0, type: 1 };
    default:
      return undefined;
  }
}

/** So many steps. */
export function steps(seed: number, count: number): Step[] {
  const r = new Random(seed ^ 0x5555);
  return Array.from({ length: count }, (_, i) => ({ happening: i === 0 ? { kind: 'kick', seed: r.next() } : happening(r), length: r.of([1, 1, 2, 1 + r.below(20), 1 + r.below(300), 1 + r.below(300), 1 + r.below(3000)]) }));
}

/** Memory with the program and its data. */
export function load({ cpu, ram }: Rig, { bytes, starts }: Assembled, seed: number): void {
  cpu.views.u8.set(bytes, ram + CODE + starts[0]!);
  cpu.views.u8.set(dataBytes(seed), ram + DATA);
}

/** The program begins anew at one of its blocks, with other registers and flags, and the tables as they were at first. */
function kick(rig: Rig, { bytes, starts, entries }: Assembled, mode: Mode, seed: number): void {
  const { cpu, ram } = rig;
  const r = new Random(seed);
  const s = cpu.state;
  const origin = mode === 16 ? 0 : WINDOW;
  const { u8 } = cpu.views;
  if (r.chance(60)) {
    const at = CODE + starts[0]!;
    for (let page = at >>> 12; page <= (at + bytes.length - 1) >>> 12; page++) {
      const from = Math.max(at, page * 0x1000);
      const part = bytes.subarray(from - at, Math.min(bytes.length, (page + 1) * 0x1000 - at));
      if (Buffer.compare(part, u8.subarray(ram + from, ram + from + part.length)) === 0) continue;
      cpu.bus.frameForWrite(page);
      u8.set(part, ram + from);
      cpu.memoryChanged(page);
    }
  }
  for (let n = 0; n < 16; n++) s.setReg(n, r.chance(50) ? BigInt(r.of(EDGES)) : (BigInt(r.next()) << 32n) | BigInt(r.next()));
  for (const n of POINTERS[mode]) s.setReg(n, BigInt(origin + r.of([Place.DATA + 0x200, Place.DATA + 0x1100, Place.DATA + 0x2400, Place.DATA + 0xff0, Place.DATA + 0x1ff8, Place.DATA + 0x2ff0, Place.ALIAS + 0x300])));
  s.setReg(Gpr.RSP, BigInt(origin + Place.STACK_TOP - 0x100));
  if (mode !== 64) for (let n = 8; n < 16; n++) s.setReg(n, 0n);
  x87FromFxsave(s, X87);
  writeMxcsr(s, MXCSR);
  if (r.chance(50)) s.setReg(Register.C, BigInt(1 + r.below(60)));
  writeFlags(s, (r.next() & 0x8d5) | 0x202 | (r.chance(50) ? 0x3000 : 0)); // IOPL lets user mode reach ports
  s.rip = BigInt(origin + Place.CODE + r.of(entries));
  s.set32(Offset.ACTIVITY, 0);
  s.set32(Offset.INTERRUPTIBILITY, 0);
  s.set64(Offset.PENDING_DEBUG, 0n);
  rig.restoreTables();
}

/** Does to one processor what happens. */
export function happen(rig: Rig, what: Happening, program: Assembled, mode: Mode): void {
  const { cpu, ram } = rig;
  const s = cpu.state;
  switch (what.kind) {
    case 'kick':
      return kick(rig, program, mode, what.seed);
    case 'breakpoints':
      return cpu.setBreakpoints(new Set(what.seeds.map((seed) => BigInt(CODE + program.pieces[seed % program.pieces.length]!))));
    case 'watch':
      return cpu.setWatches(what.ranges.map((w, i) => ({ id: i + 1, space: w.physical ? 'physical' : 'linear', start: BigInt(WINDOW + w.place), length: w.length, read: w.read, write: w.write || !w.read })));
    case 'debugRegister':
      if (what.place !== undefined) s.set64(Offset.DR0, BigInt(WINDOW + what.place));
      s.set64(Offset.DR7, what.place === undefined ? 0x400n : 0x402n | (BigInt(what.type) << 16n) | (BigInt(what.length) << 18n));
      return cpu.stateChanged();
    case 'unwatch':
      return cpu.setWatches([]);
    case 'interrupt':
      return rig.raise();
    case 'snapshot':
      return rig.snapshot();
    case 'flush':
      return cpu.flushTlb();
    case 'registers':
      // The debugger writes registers: nothing that a region keeps may survive.
      s.setReg(Register.A, s.reg(Register.A) ^ 0x8000_0001n);
      s.u64[(s.base + Offset.YMM) >>> 3] = s.get64(Offset.YMM) + 1n;
      return cpu.stateChanged();
    case 'poke': {
      const place = program.pieces[what.seed % program.pieces.length]!;
      const page = (CODE + place) >>> 12;
      cpu.bus.frameForWrite(page);
      cpu.views.u8[ram + CODE + place] = 0x90;
      return cpu.memoryChanged(page);
    }
    case 'protect': {
      const entry = (WINDOW + Place.TABLE) & 0xfff;
      const at = 0x4000 + entry + ((WINDOW + what.place) >>> 12) * 8;
      cpu.bus.frameForWrite(4);
      cpu.views.u8[ram + at] = (cpu.views.u8[ram + at]! & ~7) | what.bits;
      cpu.memoryChanged(4);
      return cpu.flushPage(BigInt(WINDOW + what.place));
    }
  }
}
