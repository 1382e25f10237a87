/** The debug registers: MOV DR, and what DR0 to DR3 with DR7 ask for (SDM volume 3, "Debug Registers"). */
import { high32 } from '../../base/bits';
import { Cr4 } from '../controlBits';
import { Vector } from '../fault';
import type { RegisterWatch } from '../mmu/watch';
import type { Processor, SlowOperation } from '../processor';
import { type CpuState, Offset } from '../state';
import { is64, isLong } from './mode';
import { readGpr, writeGpr } from './operands';
import { requireCpl0, undefinedOpcode } from './privilege';

/** DR7.GD: every MOV DR is a #DB fault. */
const DR7_GENERAL_DETECT = 1 << 13;
/** DR6.BD tells of it. */
export const DR6_BD = 1n << 13n;
/** DR6 bits that read as 1: 31:16 and 11:4 (BLD and RTM among them: bus-lock traps and transactions do not exist here). */
const DR6_FIXED = 0xffff_0ff0n;
/** Bits of DR6 that software may change: B0-B3, BD, BS, BT. */
const DR6_WRITABLE = 0xe00fn;
/** Bits 15, 14, 12 and 11 are always 0, bit 10 is always 1. */
const DR7_RESERVED = 0xd800n;
const DR7_ONE = 0x400n;
/** L0, G0 ... L3, G3. */
export const DR7_ENABLES = 0xff;
/** L0 to L3 and LE, which a task switch clears. */
export const DR7_LOCAL_ENABLES = 0x155;

/** R/W0 to R/W3. */
const Kind = { EXECUTION: 0, WRITE: 1, IO: 2, ACCESS: 3 } as const;
/** Bytes by LEN0 to LEN3. */
const LENGTHS = [1, 2, 8, 4] as const;

/** What the debug registers ask for at present. */
export interface ArmedBreakpoints {
  /** Bits of DR6 by linear address. */
  readonly execution: ReadonlyMap<bigint, number>;
  readonly data: readonly RegisterWatch[];
  readonly ports: readonly { bit: number; enabled: boolean; first: number; length: number }[];
}

export const NOTHING_ARMED: ArmedBreakpoints = { execution: new Map(), data: [], ports: [] };

const isEnabled = (dr7: number, n: number): boolean => ((dr7 >>> (n * 2)) & 3) !== 0;

/** The breakpoints of DR0 to DR3. One that is not enabled counts only to be told of in DR6 together with one that is. */
export function armedBreakpoints(s: CpuState): ArmedBreakpoints {
  const dr7 = s.get32(Offset.DR7);
  const execution = new Map<bigint, number>();
  const data: RegisterWatch[] = [];
  const ports: { bit: number; enabled: boolean; first: number; length: number }[] = [];
  for (let n = 0; n < 4; n++) {
    const kind = (dr7 >>> (16 + n * 4)) & 3;
    const length = LENGTHS[(dr7 >>> (18 + n * 4)) & 3]!;
    // Address bits below the length do not take part.
    const start = (isLong(s) ? s.get64(Offset.DR0 + n * 8) : BigInt(s.get32(Offset.DR0 + n * 8))) & ~BigInt(length - 1);
    const enabled = isEnabled(dr7, n);
    if (kind === Kind.EXECUTION) execution.set(start, (execution.get(start) ?? 0) | (1 << n) | (enabled ? ENABLED_MARK : 0));
    else if (kind !== Kind.IO) data.push({ number: n, enabled, start, length, read: kind === Kind.ACCESS, write: true });
    else if (s.cr4 & Cr4.DE) ports.push({ bit: 1 << n, enabled, first: Number(start & 0xffffn), length });
  }
  for (const [address, bits] of execution) {
    if (bits & ENABLED_MARK) execution.set(address, bits & ~ENABLED_MARK);
    else execution.delete(address);
  }
  return { execution, data: data.some((d) => d.enabled) ? data : [], ports: ports.some((p) => p.enabled) ? ports : [] };
}
const ENABLED_MARK = 0x10;

/** DR6 bits of the I/O breakpoints that an access to ports meets; 0 when none of them is enabled. */
export function portBreakpoints(armed: ArmedBreakpoints, port: number, size: number): number {
  const met = armed.ports.filter((p) => port <= p.first + p.length - 1 && port + size - 1 >= p.first);
  return met.some((p) => p.enabled) ? met.reduce((bits, p) => bits | p.bit, 0) : 0;
}

const debugOffset = (dr: number): number => (dr < 4 ? Offset.DR0 + dr * 8 : dr === 6 ? Offset.DR6 : Offset.DR7);

/** Width of MOV to and from debug registers: the operand-size prefix has no effect. */
const registerWidth = (cpu: Processor): number => (is64(cpu.state) ? 8 : 4);

/**
 * The checks of MOV DR, in order; yields the register's number, with DR4 and DR5 made DR6 and DR7. The VM exit comes before
 * the privilege check and before the #UD that CR4.DE makes of DR4 and DR5 (SDM volume 3, "Instructions That Cause VM Exits Conditionally").
 */
function access(cpu: Processor, dr: number, intercept: () => void): number {
  const s = cpu.state;
  if (dr > 7) undefinedOpcode(cpu);
  intercept();
  requireCpl0(cpu);
  if ((dr === 4 || dr === 5) && s.cr4 & Cr4.DE) undefinedOpcode(cpu);
  if (s.get32(Offset.DR7) & DR7_GENERAL_DETECT) {
    cpu.fault.exception(Vector.DB).address = DR6_BD;
    throw cpu.fault;
  }
  return dr === 4 || dr === 5 ? dr + 2 : dr;
}

export const debugRegisterOperations: Record<string, SlowOperation> = {
  mov_from_dr(cpu, insn) {
    const gpr = insn.operands[0].number;
    const { number } = insn.operands[1];
    const dr = access(cpu, number, () => cpu.intercepts.movDebugRegister(number, false, gpr, insn));
    writeGpr(cpu.state, gpr, registerWidth(cpu), cpu.state.get64(debugOffset(dr)));
  },
  mov_to_dr(cpu, insn) {
    const gpr = insn.operands[1].number;
    const { number } = insn.operands[0];
    const dr = access(cpu, number, () => cpu.intercepts.movDebugRegister(number, true, gpr, insn));
    let value = readGpr(cpu.state, gpr, registerWidth(cpu));
    if (dr >= 6 && high32(value) !== 0) throw cpu.fault.exception(Vector.GP, 0);
    if (dr === 6) value = (value & DR6_WRITABLE) | DR6_FIXED;
    if (dr === 7) value = (value & ~DR7_RESERVED) | DR7_ONE;
    cpu.state.set64(debugOffset(dr), value);
    cpu.stateChanged();
  },
};

