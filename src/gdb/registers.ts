/**
 * The registers that GDB is told of, in the order of its packets, by feature of the target description. The names and
 * types of the first three features are GDB's own (GDB manual, "i386 Features").
 */
import { lastInstruction, lastOpcode, lastOperand, controlWord, physical, readRegister, statusWord, setControlWord, setLastInstruction, setLastOpcode, setLastOperand, setStatusWord, writeRegister } from '../cpu/fpu/registers';
import { fullTagWord } from '../cpu/fpu/environment';
import { extended } from '../cpu/fpu/extended';
import { readMxcsr, writeMxcsr, MXCSR_DEFINED } from '../cpu/simd/mxcsr';
import { type CpuState, Offset } from '../cpu/state';
import type { RegisterView } from './registerView';

export interface GdbRegister {
  name: string;
  feature: Feature;
  bits: number;
  /** In the target description. */
  type: string;
  group?: string;
  read(view: RegisterView): bigint | undefined;
  /** False when it cannot be written now. */
  write(view: RegisterView, value: bigint): boolean;
}

export const FEATURES = ['org.gnu.gdb.i386.core', 'org.gnu.gdb.i386.sse', 'org.gnu.gdb.i386.segments', 'org.hyperstep.system'] as const;
export type Feature = (typeof FEATURES)[number];
const [CORE, SSE, SEGMENTS, SYSTEM] = FEATURES;

/** A register of the debugger's own table. */
const plain = (feature: Feature, name: string, bits: number, type: string, source = name): GdbRegister => ({
  name, feature, bits, type,
  read: (view) => view.read(source),
  write: (view, value) => view.write(source, value),
});

/** A register of the x87 or SSE units, which only the world that runs has. */
const unit = (feature: Feature, name: string, bits: number, type: string, group: string, read: (s: CpuState) => bigint, write: ((s: CpuState, value: bigint) => void) | undefined): GdbRegister => ({
  name, feature, bits, type, group,
  read: (view) => view.live && read(view.live),
  write(view, value) {
    if (!view.live || !write) return false;
    write(view.live, value);
    return true;
  },
});

const SIGNIFICAND_BITS = 64n;
const EXPONENT_BITS = 15n;

function stack(i: number): GdbRegister {
  return unit(CORE, `st${i}`, 80, 'i387_ext', 'float',
    (s) => {
      const { sign, exponent, significand } = readRegister(s, physical(s, i));
      return (BigInt(sign) << (SIGNIFICAND_BITS + EXPONENT_BITS)) | (BigInt(exponent) << SIGNIFICAND_BITS) | significand;
    },
    (s, value) => writeRegister(s, physical(s, i), extended(Number((value >> 79n) & 1n), Number((value >> SIGNIFICAND_BITS) & 0x7fffn), BigInt.asUintN(64, value))));
}

const control = (name: string, read: (s: CpuState) => bigint, write?: (s: CpuState, value: bigint) => void): GdbRegister => unit(CORE, name, 32, 'int', 'float', read, write);
const high = (value: bigint): bigint => (value >> 32n) & 0xffffn;
const withLow = (value: bigint, low: bigint): bigint => (value & ~0xffff_ffffn) | BigInt.asUintN(32, low);
const withHigh = (value: bigint, part: bigint): bigint => (BigInt.asUintN(16, part) << 32n) | BigInt.asUintN(32, value);

const X87_CONTROL: GdbRegister[] = [
  control('fctrl', (s) => BigInt(controlWord(s)), (s, v) => setControlWord(s, Number(BigInt.asUintN(16, v)))),
  control('fstat', (s) => BigInt(statusWord(s)), (s, v) => setStatusWord(s, Number(BigInt.asUintN(16, v)))),
  control('ftag', (s) => BigInt(fullTagWord(s))),
  control('fiseg', (s) => high(lastInstruction(s)), (s, v) => setLastInstruction(s, withHigh(lastInstruction(s), v))),
  control('fioff', (s) => BigInt.asUintN(32, lastInstruction(s)), (s, v) => setLastInstruction(s, withLow(lastInstruction(s), v))),
  control('foseg', (s) => high(lastOperand(s)), (s, v) => setLastOperand(s, withHigh(lastOperand(s), v))),
  control('fooff', (s) => BigInt.asUintN(32, lastOperand(s)), (s, v) => setLastOperand(s, withLow(lastOperand(s), v))),
  control('fop', (s) => BigInt(lastOpcode(s)), (s, v) => setLastOpcode(s, Number(BigInt.asUintN(16, v)))),
];

const YMM_STRIDE = 32;

function vector(n: number): GdbRegister {
  const at = Offset.YMM + n * YMM_STRIDE;
  return unit(SSE, `xmm${n}`, 128, 'vec128', 'vector',
    (s) => (s.get64(at + 8) << 64n) | s.get64(at),
    (s, value) => {
      s.set64(at, BigInt.asUintN(64, value));
      s.set64(at + 8, value >> 64n);
    });
}

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

export const GDB_REGISTERS: readonly GdbRegister[] = [
  ...['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi'].map((name) => plain(CORE, name, 64, 'int64')),
  ...['rbp', 'rsp'].map((name) => plain(CORE, name, 64, 'data_ptr')),
  ...count(8).map((n) => plain(CORE, `r${n + 8}`, 64, 'int64')),
  plain(CORE, 'rip', 64, 'code_ptr'),
  plain(CORE, 'eflags', 32, 'i386_eflags', 'rflags'),
  ...['cs', 'ss', 'ds', 'es', 'fs', 'gs'].map((name) => plain(CORE, name, 32, 'int32')),
  ...count(8).map(stack),
  ...X87_CONTROL,
  ...count(16).map(vector),
  unit(SSE, 'mxcsr', 32, 'i386_mxcsr', 'vector', (s) => BigInt(readMxcsr(s)), (s, v) => writeMxcsr(s, Number(v) & MXCSR_DEFINED)),
  plain(SEGMENTS, 'fs_base', 64, 'int'),
  plain(SEGMENTS, 'gs_base', 64, 'int'),
  plain(SYSTEM, 'k_gs_base', 64, 'int64', 'kernel_gs_base'),
  ...['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'].map((name) => plain(SYSTEM, name, 64, 'int64')),
];

/** Numbers of the registers that a stop reply brings along, so that GDB need not ask. */
export const EXPEDITED = ['rbp', 'rsp', 'rip'].map((name) => GDB_REGISTERS.findIndex((r) => r.name === name));
