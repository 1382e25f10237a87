/**
 * FXSAVE, FXRSTOR, LDMXCSR and STMXCSR (SDM volume 2, "FXSAVE—Save x87 FPU, MMX Technology, and SSE State"). The x87
 * part of the image is fpu/environment.ts's.
 */
import { Cr0 } from '../controlBits';
import { type Instruction, Prefix } from '../decode/instruction';
import { Vector } from '../fault';
import { x87FromFxsave, x87ToFxsave } from '../fpu/environment';
import type { Processor, SlowOperation } from '../processor';
import { requireSimd } from '../simd/check';
import { MXCSR_DEFINED, readMxcsr, writeMxcsr } from '../simd/mxcsr';
import { Offset } from '../state';
import { is64 } from './mode';
import { memoryLinear, readOperand, writeOperand } from './operands';
import { requireFeature } from './privilege';
import { probeArea, readArea, writeArea } from './saveArea';

export const FXSAVE_SIZE = 512;
/** Byte offsets in the image. */
export const Image = { FIP_HIGH: 12, FDP_HIGH: 20, MXCSR: 24, MXCSR_MASK: 28, XMM: 160 } as const;
const YMM_STRIDE = 32;

const image = new Uint8Array(FXSAVE_SIZE);
const view = new DataView(image.buffer);

/** Registers that the mode has. */
const xmmCount = (cpu: Processor): number => (is64(cpu.state) ? 16 : 8);

const xmmBytes = (cpu: Processor, n: number): Uint8Array => {
  const at = cpu.state.base + Offset.YMM + n * YMM_STRIDE;
  return cpu.views.u8.subarray(at, at + 16);
};

/** The checks of FXSAVE and FXRSTOR; yields the linear address of the image. */
function imageLinear(cpu: Processor, insn: Instruction, write: boolean): bigint {
  requireFeature(cpu, 'fxsr');
  if (cpu.state.cr0 & (Cr0.EM | Cr0.TS)) throw cpu.fault.exception(Vector.NM);
  const linear = memoryLinear(cpu, insn, FXSAVE_SIZE, write);
  if (linear & 15n) throw cpu.fault.exception(Vector.GP, 0);
  return linear;
}

const fxsave: SlowOperation = (cpu, insn) => {
  const s = cpu.state;
  const linear = imageLinear(cpu, insn, true);
  // What lies beyond the registers is left as it is in memory.
  const length = Image.XMM + xmmCount(cpu) * 16;
  probeArea(cpu, linear, 0, FXSAVE_SIZE);
  image.fill(0);
  x87ToFxsave(s, view);
  if (!(insn.prefixes & Prefix.REX_W)) {
    view.setUint32(Image.FIP_HIGH, 0, true);
    view.setUint32(Image.FDP_HIGH, 0, true);
  }
  view.setUint32(Image.MXCSR, readMxcsr(s), true);
  view.setUint32(Image.MXCSR_MASK, MXCSR_DEFINED, true);
  for (let n = 0; n < xmmCount(cpu); n++) image.set(xmmBytes(cpu, n), Image.XMM + n * 16);
  writeArea(cpu, linear, view, 0, length);
};

const fxrstor: SlowOperation = (cpu, insn) => {
  const s = cpu.state;
  const linear = imageLinear(cpu, insn, false);
  readArea(cpu, linear, view, 0, FXSAVE_SIZE);
  const mxcsr = view.getUint32(Image.MXCSR, true);
  if (mxcsr & ~MXCSR_DEFINED) throw cpu.fault.exception(Vector.GP, 0);
  if (!(insn.prefixes & Prefix.REX_W)) {
    view.setUint32(Image.FIP_HIGH, 0, true);
    view.setUint32(Image.FDP_HIGH, 0, true);
  }
  x87FromFxsave(s, view);
  writeMxcsr(s, mxcsr);
  for (let n = 0; n < xmmCount(cpu); n++) xmmBytes(cpu, n).set(image.subarray(Image.XMM + n * 16, Image.XMM + n * 16 + 16));
};

/** LDMXCSR and VLDMXCSR once they are allowed. */
export const loadMxcsr: SlowOperation = (cpu, insn) => {
  const value = Number(readOperand(cpu, insn, 0, 4));
  if (value & ~MXCSR_DEFINED) throw cpu.fault.exception(Vector.GP, 0);
  writeMxcsr(cpu.state, value);
};

/** STMXCSR and VSTMXCSR once they are allowed. */
export const storeMxcsr: SlowOperation = (cpu, insn) => writeOperand(cpu, insn, 0, BigInt(readMxcsr(cpu.state)), 4);

const withSse =
  (operation: SlowOperation): SlowOperation =>
  (cpu, insn) => {
    requireSimd(cpu, 'sse');
    operation(cpu, insn);
  };

export const fxsaveOperations: Record<string, SlowOperation> = { fxsave, fxrstor, ldmxcsr: withSse(loadMxcsr), stmxcsr: withSse(storeMxcsr) };
