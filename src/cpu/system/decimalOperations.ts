/** Decimal arithmetic of 16- and 32-bit code (SDM volume 2, "DAA" to "AAS"). */
import { Vector } from '../fault';
import { AF, CF, PF, readFlags, SF, STATUS_FLAGS, writeFlags, ZF } from '../flags';
import type { Processor, SlowOperation } from '../processor';
import { type CpuState, Gpr } from '../state';

const al = (s: CpuState): number => s.reg32(Gpr.RAX) & 0xff;
const ah = (s: CpuState): number => (s.reg32(Gpr.RAX) >>> 8) & 0xff;
function setAx(s: CpuState, value: number): void {
  s.setReg(Gpr.RAX, (s.reg(Gpr.RAX) & ~0xffffn) | BigInt(value & 0xffff));
}
const setAl = (s: CpuState, value: number): void => setAx(s, (ah(s) << 8) | (value & 0xff));

/** SF, ZF and PF of a byte. */
export function byteFlags(value: number): number {
  let ones = 0;
  for (let i = 0; i < 8; i++) ones += (value >>> i) & 1;
  return (value & 0x80 ? SF : 0) | ((value & 0xff) === 0 ? ZF : 0) | (ones % 2 === 0 ? PF : 0);
}

/** Replaces the six status flags. */
export function setStatus(s: CpuState, flags: number): void {
  writeFlags(s, (readFlags(s) & ~STATUS_FLAGS) | flags);
}

/** DAA and DAS; `sign` is +1 or -1. */
function adjustPacked(s: CpuState, sign: number): void {
  const flags = readFlags(s);
  const old = al(s);
  let value = old;
  let result = 0;
  if ((old & 15) > 9 || flags & AF) {
    value += sign * 6;
    result |= AF;
    if (flags & CF || value < 0 || value > 0xff) result |= CF;
  }
  if (old > 0x99 || flags & CF) {
    value += sign * 0x60;
    result |= CF;
  }
  setAl(s, value);
  setStatus(s, result | byteFlags(al(s)));
}

/** AAA and AAS. */
function adjustUnpacked(s: CpuState, sign: number): void {
  let result = 0;
  if ((al(s) & 15) > 9 || readFlags(s) & AF) {
    setAx(s, s.reg32(Gpr.RAX) + sign * 0x106);
    result = AF | CF;
  }
  setAl(s, al(s) & 15);
  setStatus(s, result | byteFlags(al(s)));
}

function divideByBase(cpu: Processor, base: number): void {
  const s = cpu.state;
  if (base === 0) throw cpu.fault.exception(Vector.DE);
  const value = al(s);
  setAx(s, (Math.floor(value / base) << 8) | (value % base));
  setStatus(s, byteFlags(al(s)));
}

export const decimalOperations: Record<string, SlowOperation> = {
  daa: (cpu) => adjustPacked(cpu.state, 1),
  das: (cpu) => adjustPacked(cpu.state, -1),
  aaa: (cpu) => adjustUnpacked(cpu.state, 1),
  aas: (cpu) => adjustUnpacked(cpu.state, -1),
  aam: (cpu, insn) => divideByBase(cpu, insn.immLow & 0xff),
  aad(cpu, insn) {
    const s = cpu.state;
    setAx(s, (al(s) + ah(s) * (insn.immLow & 0xff)) & 0xff);
    setStatus(s, byteFlags(al(s)));
  },
};
