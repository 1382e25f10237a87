/**
 * The x87 state as memory images: the full tag word, the environment in its 16-bit and 32-bit forms (SDM volume 1,
 * "Saving the x87 FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE"), and FXSAVE's register area. FCS and FDS are
 * deprecated (CPUID.7.EBX[13]) and saved as 0.
 */
import type { Instruction } from '../decode/instruction';
import type { Processor } from '../processor';
import { isReal } from '../system/mode';
import type { CpuState } from '../state';
import { Class, classOf, zero } from './extended';
import { loadAt, storeAt } from './memoryOperand';
import {
  controlWord, lastInstruction, lastOpcode, lastOperand, physical, readRegister, setControlWord, setLastInstruction, setLastOpcode, setLastOperand, setStatusWord,
  setTagBits, setTop, significandOffset, statusWord, tagBits, writeRegister,
} from './registers'; // prettier-ignore
import { CONTROL_INITIAL } from './statusWord';

const Tag = { VALID: 0, ZERO: 1, SPECIAL: 2, EMPTY: 3 } as const;

/** The tag word of FSTENV: two bits per physical register, by its contents. */
export function fullTagWord(s: CpuState): number {
  let word = 0;
  for (let r = 0; r < 8; r++) {
    let tag: number = Tag.EMPTY;
    if (tagBits(s) & (1 << r)) {
      const kind = classOf(readRegister(s, r));
      tag = kind === Class.NORMAL ? Tag.VALID : kind === Class.ZERO ? Tag.ZERO : Tag.SPECIAL;
    }
    word |= tag << (2 * r);
  }
  return word;
}

/** Of a loaded tag word only "empty" counts; the rest is recomputed from the contents. */
export function setFullTagWord(s: CpuState, word: number): void {
  let bits = 0;
  for (let r = 0; r < 8; r++) if (((word >>> (2 * r)) & 3) !== Tag.EMPTY) bits |= 1 << r;
  setTagBits(s, bits);
}

/** FINIT: the data registers keep their contents, but are empty. */
export function initialize(s: CpuState): void {
  setControlWord(s, CONTROL_INITIAL);
  setStatusWord(s, 0);
  setTagBits(s, 0);
  setLastOpcode(s, 0);
  setLastInstruction(s, 0n);
  setLastOperand(s, 0n);
}

/** The state after RESET, which is not FINIT's: exceptions unmasked, 24-bit precision, all registers valid and zero. */
export function powerOn(s: CpuState): void {
  initialize(s);
  setControlWord(s, 0);
  for (let r = 0; r < 8; r++) writeRegister(s, r, zero(0));
  setTagBits(s, 0xff);
}

/** Bytes of the environment by operand size. */
export const environmentSize = (insn: Instruction): number => (insn.operandSize === 2 ? 14 : 28);

/** In real-address and virtual-8086 mode the pointers are linear addresses, split around the opcode. */
function pointerWords(cpu: Processor, wide: boolean): readonly [bigint, bigint, bigint, bigint] {
  const s = cpu.state;
  const opcode = BigInt(lastOpcode(s));
  const instruction = lastInstruction(s);
  const operand = lastOperand(s);
  if (!isReal(s)) return [instruction, wide ? opcode << 16n : 0n, operand, 0n];
  const mask = wide ? 0xffffn : 0xfn;
  const upper = (pointer: bigint): bigint => ((pointer >> 16n) & mask) << 12n;
  return [instruction & 0xffffn, upper(instruction) | opcode, operand & 0xffffn, upper(operand)];
}

/** Writes the environment at the memory operand; the caller has probed it. */
export function storeEnvironment(cpu: Processor, insn: Instruction): void {
  const s = cpu.state;
  const wide = insn.operandSize !== 2;
  const size = wide ? 4 : 2;
  const reserved = wide ? 0xffff_0000n : 0n;
  const words = [BigInt(controlWord(s)) | reserved, BigInt(statusWord(s)) | reserved, BigInt(fullTagWord(s)) | reserved, ...pointerWords(cpu, wide)];
  words[6] = words[6]! | reserved;
  words.forEach((word, i) => storeAt(cpu, insn, i * size, size, BigInt.asUintN(size * 8, word)));
}

/** Reads the whole environment, and only then yields a function that installs it: a fault changes nothing. */
export function loadEnvironment(cpu: Processor, insn: Instruction): () => void {
  const s = cpu.state;
  const wide = insn.operandSize !== 2;
  const size = wide ? 4 : 2;
  const words: bigint[] = [];
  for (let i = 0; i < 7; i++) words.push(loadAt(cpu, insn, i * size, size));
  const [control, status, tags, ip, ipHigh, dp, dpHigh] = words as [bigint, bigint, bigint, bigint, bigint, bigint, bigint];
  return () => {
    setControlWord(s, Number(control & 0xffffn));
    setStatusWord(s, Number(status & 0xffffn));
    setFullTagWord(s, Number(tags & 0xffffn));
    if (!isReal(s)) {
      setLastInstruction(s, ip);
      setLastOperand(s, dp);
      setLastOpcode(s, wide ? Number(ipHigh >> 16n) : 0);
    } else {
      setLastInstruction(s, (ip & 0xffffn) | ((ipHigh >> 12n) << 16n));
      setLastOperand(s, (dp & 0xffffn) | ((dpHigh >> 12n) << 16n));
      setLastOpcode(s, Number(ipHigh & 0x7ffn));
    }
  };
}

/**
 * For FXSAVE and XSAVE: bytes 0 to 23 (FCW, FSW, abridged FTW, FOP, FIP, FDP) and 32 to 159 (ST(0) to ST(7) by stack
 * position) of the area into `image`; the rest is left alone. FIP and FDP have 64 bits, as with REX.W: without it the
 * caller clears bytes 12 to 15 and 20 to 23 (FCS and FDS, deprecated).
 */
export function x87ToFxsave(s: CpuState, image: DataView): void {
  image.setUint16(0, controlWord(s), true);
  image.setUint16(2, statusWord(s), true);
  image.setUint8(4, tagBits(s));
  image.setUint8(5, 0);
  image.setUint16(6, lastOpcode(s), true);
  image.setBigUint64(8, lastInstruction(s), true);
  image.setBigUint64(16, lastOperand(s), true);
  for (let i = 0; i < 8; i++) {
    const x = readRegister(s, physical(s, i));
    image.setBigUint64(32 + i * 16, x.significand, true);
    image.setBigUint64(40 + i * 16, BigInt((x.sign << 15) | x.exponent), true);
  }
}

/** For FXRSTOR and XRSTOR: the reverse. */
export function x87FromFxsave(s: CpuState, image: DataView): void {
  setControlWord(s, image.getUint16(0, true));
  setStatusWord(s, image.getUint16(2, true));
  setTagBits(s, image.getUint8(4));
  setLastOpcode(s, image.getUint16(6, true));
  setLastInstruction(s, image.getBigUint64(8, true));
  setLastOperand(s, image.getBigUint64(16, true));
  for (let i = 0; i < 8; i++) {
    const high = image.getUint16(40 + i * 16, true);
    writeRegister(s, physical(s, i), { sign: high >>> 15, exponent: high & 0x7fff, significand: image.getBigUint64(32 + i * 16, true) });
  }
}

/**
 * What every instruction on MMX registers but EMMS does before it writes (SDM volume 1, "MMX Instructions and the x87
 * FPU Tag Word"): TOP becomes 0 and all tags valid. CVTPI2PS, MOVQ2DQ and their like belong to them.
 */
export function enterMmx(s: CpuState): void {
  setTop(s, 0);
  setTagBits(s, 0xff);
}

/** MM_i. */
export const readMmx = (s: CpuState, i: number): bigint => s.get64(significandOffset(i));
/** Writes MM_i; its exponent and sign become all ones. */
export function writeMmx(s: CpuState, i: number, value: bigint): void {
  s.set64(significandOffset(i), value);
  s.views.u16[(s.base + significandOffset(i) + 8) >>> 1] = 0xffff;
}

