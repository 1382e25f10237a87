/**
 * The x87 registers in the processor's state. The area at Offset.FPU has FXSAVE's layout up to its byte 31; from byte 32
 * on lie the data registers, 16 bytes each, in the order of their physical numbers R0 to R7, so that R_i is also MM_i
 * (FXSAVE's own order, by stack position, is environment.ts's business).
 */
import { type CpuState, Offset } from '../state';
import { type Extended, extended } from './extended';
import { CONTROL_ALWAYS, CONTROL_WRITABLE, EXCEPTIONS, Status, TOP_MASK, TOP_SHIFT } from './statusWord';

/** Byte offsets in the area. */
export const Area = { CONTROL: 0, STATUS: 2, TAGS: 4, OPCODE: 6, INSTRUCTION: 8, OPERAND: 16, MXCSR: 24, REGISTERS: 32, STRIDE: 16 } as const;

const at16 = (s: CpuState, at: number): number => (s.base + Offset.FPU + at) >>> 1;

export const controlWord = (s: CpuState): number => s.views.u16[at16(s, Area.CONTROL)]!;
export const statusWord = (s: CpuState): number => s.views.u16[at16(s, Area.STATUS)]!;
/** One bit per physical register: 1 when it is not empty. */
export const tagBits = (s: CpuState): number => s.views.u8[s.base + Offset.FPU + Area.TAGS]!;

export function setTagBits(s: CpuState, bits: number): void {
  s.views.u8[s.base + Offset.FPU + Area.TAGS] = bits;
}

/** Writes the status word; ES and B follow from the exceptions that are unmasked. */
export function setStatusWord(s: CpuState, value: number): void {
  const pending = (value & ~controlWord(s) & EXCEPTIONS) !== 0;
  const summary = Status.SUMMARY | Status.BUSY;
  s.views.u16[at16(s, Area.STATUS)] = pending ? value | summary : value & ~summary;
}

export function setControlWord(s: CpuState, value: number): void {
  s.views.u16[at16(s, Area.CONTROL)] = (value & CONTROL_WRITABLE) | CONTROL_ALWAYS;
  setStatusWord(s, statusWord(s));
}

export const lastOpcode = (s: CpuState): number => s.views.u16[at16(s, Area.OPCODE)]!;
export const lastInstruction = (s: CpuState): bigint => s.get64(Offset.FPU + Area.INSTRUCTION);
export const lastOperand = (s: CpuState): bigint => s.get64(Offset.FPU + Area.OPERAND);
export function setLastOpcode(s: CpuState, value: number): void {
  s.views.u16[at16(s, Area.OPCODE)] = value & 0x7ff;
}
export const setLastInstruction = (s: CpuState, value: bigint): void => s.set64(Offset.FPU + Area.INSTRUCTION, value);
export const setLastOperand = (s: CpuState, value: bigint): void => s.set64(Offset.FPU + Area.OPERAND, value);

/** Physical number of the stack's top. */
export const top = (s: CpuState): number => (statusWord(s) >>> TOP_SHIFT) & 7;
export function setTop(s: CpuState, value: number): void {
  const at = at16(s, Area.STATUS);
  s.views.u16[at] = (s.views.u16[at]! & ~TOP_MASK) | ((value & 7) << TOP_SHIFT);
}

/** Physical number of ST(i). */
export const physical = (s: CpuState, i: number): number => (top(s) + i) & 7;

/** Low 64 bits of a physical register: the significand, and MM_i. */
export const significandOffset = (r: number): number => Offset.FPU + Area.REGISTERS + r * Area.STRIDE;

export function readRegister(s: CpuState, r: number): Extended {
  const high = s.views.u16[(s.base + significandOffset(r) + 8) >>> 1]!;
  return extended(high >>> 15, high & 0x7fff, s.get64(significandOffset(r)));
}

export function writeRegister(s: CpuState, r: number, value: Extended): void {
  s.set64(significandOffset(r), value.significand);
  s.views.u16[(s.base + significandOffset(r) + 8) >>> 1] = (value.sign << 15) | value.exponent;
}

export const isEmpty = (s: CpuState, i: number): boolean => (tagBits(s) & (1 << physical(s, i))) === 0;
export const readStack = (s: CpuState, i: number): Extended => readRegister(s, physical(s, i));

/** Writes ST(i) and tags it valid. */
export function writeStack(s: CpuState, i: number, value: Extended): void {
  const r = physical(s, i);
  writeRegister(s, r, value);
  setTagBits(s, tagBits(s) | (1 << r));
}

/** Tags ST(0) empty and increments TOP. */
export function pop(s: CpuState): void {
  setTagBits(s, tagBits(s) & ~(1 << top(s)));
  setTop(s, top(s) + 1);
}

/** Decrements TOP and writes the new ST(0); the caller has looked for overflow. */
export function push(s: CpuState, value: Extended): void {
  setTop(s, top(s) - 1);
  writeStack(s, 0, value);
}
