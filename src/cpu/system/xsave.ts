/**
 * XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS, XGETBV, XSETBV (SDM volume 1, "Managing State Using the XSAVE
 * Feature Set"). A component in its initial configuration is not written where the instruction may leave it out; one
 * that was not modified since the last XRSTOR is written all the same, as the architecture allows.
 */
import { high32, low32 } from '../../base/bits';
import { Cr0, Cr4 } from '../controlBits';
import { type Instruction, Prefix } from '../decode/instruction';
import { Vector } from '../fault';
import { x87FromFxsave, x87ToFxsave } from '../fpu/environment';
import { CONTROL_INITIAL } from '../fpu/statusWord';
import type { Processor, SlowOperation } from '../processor';
import { MXCSR_AT_RESET, MXCSR_DEFINED, readMxcsr, writeMxcsr } from '../simd/mxcsr';
import { type CpuState, Gpr, Offset } from '../state';
import { Image } from './fxsave';
import { is64 } from './mode';
import { memoryLinear, readEdxEax } from './operands';
import { requireCpl0, requireEnabled, requireFeature, undefinedOpcode } from './privilege';
import { writePkru } from './protectionKeys';
import { probeArea, readArea, writeArea } from './saveArea';
import { compactedOffset, compactedSize, Component, COMPONENTS, EXTENDED_AT, LEGACY_SIZE, standardSize, supportedComponents, SUPPORTED_SUPERVISOR, xcr0Allowed } from './xsaveLayout';

const YMM_STRIDE = 32;
const YMM_HIGH = 16;
/** Where the header and its fields lie. */
const Header = { XSTATE_BV: LEGACY_SIZE, XCOMP_BV: LEGACY_SIZE + 8, RESERVED: LEGACY_SIZE + 16 } as const;
const COMPACTED = 1n << 63n;
const ALIGNMENT = 63n;
const X87_END = 24;
const REGISTERS_AT = 32;

const image = new DataView(new ArrayBuffer(standardSize(0xffff_ffff)));
const bytes = new Uint8Array(image.buffer);

const extended = COMPONENTS.filter(({ size }) => size > 0);
const vectorCount = (cpu: Processor): number => (is64(cpu.state) ? 16 : 8);

const vectorBytes = (s: CpuState, n: number, at: number): Uint8Array => s.views.u8.subarray(s.base + Offset.YMM + n * YMM_STRIDE + at, s.base + Offset.YMM + n * YMM_STRIDE + at + 16);

function isZero(s: CpuState, offset: number, length: number): boolean {
  for (let at = 0; at < length; at += 4) if (s.get32(offset + at) !== 0) return false;
  return true;
}

const X87_AREA = 160;
/** The x87 state is FNINIT's with all data registers 0. */
function x87Initial(s: CpuState): boolean {
  const at = Offset.FPU;
  if (s.get32(at) !== CONTROL_INITIAL || !isZero(s, at + 4, X87_END - 4)) return false;
  return isZero(s, at + REGISTERS_AT, X87_AREA - REGISTERS_AT);
}

function vectorsInitial(s: CpuState, half: number): boolean {
  for (let n = 0; n < 16; n++) if (!isZero(s, Offset.YMM + n * YMM_STRIDE + half, 16)) return false;
  return true;
}

/** XINUSE: the components that are not in their initial configuration. MXCSR does not count. */
function inUse(s: CpuState): number {
  return (x87Initial(s) ? 0 : Component.X87) | (vectorsInitial(s, 0) ? 0 : Component.SSE) | (vectorsInitial(s, YMM_HIGH) ? 0 : Component.AVX) | (s.get32(Offset.PKRU) === 0 ? 0 : Component.PKRU);
}

/** XINUSE as XSAVEC, XSAVES and XGETBV see it: SSE is in use too while MXCSR is not as at reset. */
const inUseWithMxcsr = (s: CpuState): number => inUse(s) | (readMxcsr(s) === MXCSR_AT_RESET ? 0 : Component.SSE);

/** What the instructions of a name are: which feature brings them, and how they differ. */
interface Kind {
  mnemonic: string;
  feature: string;
  /** Compacted format, and with it supervisor components. */
  compacted?: boolean;
  supervisor?: boolean;
  /** Components in their initial configuration are not written. */
  omits?: boolean;
}

/** The checks before memory is looked at. True: a VM exit. */
function check(cpu: Processor, insn: Instruction, kind: Kind): boolean {
  if (kind.supervisor) requireEnabled(cpu, kind.feature, kind.mnemonic);
  else requireFeature(cpu, kind.feature);
  if (!(cpu.state.cr4 & Cr4.OSXSAVE)) undefinedOpcode(cpu);
  if (kind.supervisor) {
    requireCpl0(cpu);
    if (cpu.intercepts.instruction(kind.mnemonic, insn)) return true;
  }
  if (cpu.state.cr0 & Cr0.TS) throw cpu.fault.exception(Vector.NM);
  return false;
}

/** The components asked for in EDX:EAX among those that are enabled. */
function requested(s: CpuState, supervisor: boolean): number {
  const enabled = s.get64(Offset.XCR0) | (supervisor ? s.get64(Offset.XSS) : 0n);
  return Number(readEdxEax(s) & enabled);
}

function areaLinear(cpu: Processor, insn: Instruction, size: number, write: boolean): bigint {
  const linear = memoryLinear(cpu, insn, size, write);
  if (linear & ALIGNMENT) throw cpu.fault.exception(Vector.GP, 0);
  return linear;
}

/** Puts the legacy region's part of the chosen components into the image. */
function legacyToImage(cpu: Processor, insn: Instruction, mask: number): void {
  const s = cpu.state;
  if (mask & Component.X87) {
    x87ToFxsave(s, image);
    if (!(insn.prefixes & Prefix.REX_W)) {
      image.setUint32(Image.FIP_HIGH, 0, true);
      image.setUint32(Image.FDP_HIGH, 0, true);
    }
  }
  image.setUint32(Image.MXCSR, readMxcsr(s), true);
  image.setUint32(Image.MXCSR_MASK, MXCSR_DEFINED, true);
  if (mask & Component.SSE) for (let n = 0; n < vectorCount(cpu); n++) bytes.set(vectorBytes(s, n, 0), Image.XMM + n * 16);
}

/** Puts a component of the extended region into the image and yields how many bytes are to be written. */
function extendedToImage(cpu: Processor, bit: number, at: number): number {
  const s = cpu.state;
  if (1 << bit === Component.PKRU) {
    image.setUint32(at, s.get32(Offset.PKRU), true);
    image.setUint32(at + 4, 0, true);
    return 8;
  }
  for (let n = 0; n < vectorCount(cpu); n++) bytes.set(vectorBytes(s, n, YMM_HIGH), at + n * 16);
  return vectorCount(cpu) * 16;
}

const save =
  (kind: Kind): SlowOperation =>
  (cpu, insn) => {
    if (check(cpu, insn, kind)) return true;
    const s = cpu.state;
    const mask = requested(s, kind.supervisor === true);
    const used = kind.compacted ? inUseWithMxcsr(s) : inUse(s);
    const saved = kind.omits ? mask & used : mask;
    const linear = areaLinear(cpu, insn, kind.compacted ? compactedSize(mask) : standardSize(mask), true);
    // Pieces of the area, as start and end in turn; all are probed before the first is written.
    const pieces: number[] = [];
    legacyToImage(cpu, insn, saved);
    const mxcsr = kind.compacted ? (saved & Component.SSE) !== 0 : (mask & (Component.SSE | Component.AVX)) !== 0;
    if (saved & Component.X87) pieces.push(0, X87_END, REGISTERS_AT, Image.XMM);
    if (mxcsr) pieces.push(Image.MXCSR, REGISTERS_AT);
    if (saved & Component.SSE) pieces.push(Image.XMM, Image.XMM + vectorCount(cpu) * 16);
    for (const { bit, offset } of extended) {
      if (!(saved & (1 << bit))) continue;
      const at = kind.compacted ? compactedOffset(mask, bit) : offset;
      pieces.push(at, at + extendedToImage(cpu, bit, at));
    }
    pieces.push(Header.XSTATE_BV, kind.compacted ? Header.RESERVED : Header.XCOMP_BV);
    for (let i = 0; i < pieces.length; i += 2) probeArea(cpu, linear, pieces[i]!, pieces[i + 1]!);
    if (kind.compacted) {
      image.setBigUint64(Header.XSTATE_BV, BigInt(saved), true);
      image.setBigUint64(Header.XCOMP_BV, COMPACTED | BigInt(mask), true);
    } else {
      readArea(cpu, linear, image, Header.XSTATE_BV, Header.XCOMP_BV);
      const before = image.getBigUint64(Header.XSTATE_BV, true);
      image.setBigUint64(Header.XSTATE_BV, (before & ~BigInt(mask)) | BigInt(mask & used), true);
    }
    for (let i = 0; i < pieces.length; i += 2) writeArea(cpu, linear, image, pieces[i]!, pieces[i + 1]!);
  };

const gp = (cpu: Processor): never => {
  throw cpu.fault.exception(Vector.GP, 0);
};

/** The header's checks; yields XSTATE_BV, and XCOMP_BV without its top bit or undefined in the standard format. */
function readHeader(cpu: Processor, linear: bigint, kind: Kind): { present: number; format: number | undefined } {
  const s = cpu.state;
  readArea(cpu, linear, image, Header.XSTATE_BV, EXTENDED_AT);
  const present = image.getBigUint64(Header.XSTATE_BV, true);
  const format = image.getBigUint64(Header.XCOMP_BV, true);
  const compacted = (format & COMPACTED) !== 0n;
  const enabled = s.get64(Offset.XCR0) | (kind.supervisor ? s.get64(Offset.XSS) : 0n);
  if (!compacted) {
    if (kind.supervisor || format !== 0n || image.getBigUint64(Header.RESERVED, true) !== 0n || present & ~enabled) gp(cpu);
    return { present: Number(present), format: undefined };
  }
  if (!cpu.features.has('xsavec')) gp(cpu);
  const components = format & ~COMPACTED;
  if (components & ~enabled || present & ~components) gp(cpu);
  for (let at: number = Header.RESERVED; at < EXTENDED_AT; at += 8) if (image.getBigUint64(at, true) !== 0n) gp(cpu);
  return { present: Number(present), format: Number(components) };
}

/** Initial values of the legacy region: what an absent component becomes. */
function initialLegacy(mask: number): void {
  if (mask & Component.X87) {
    bytes.fill(0, 0, X87_END);
    bytes.fill(0, REGISTERS_AT, Image.XMM);
    image.setUint16(0, CONTROL_INITIAL, true);
  }
  if (mask & Component.SSE) bytes.fill(0, Image.XMM, Image.XMM + 256);
}

const restore =
  (kind: Kind): SlowOperation =>
  (cpu, insn) => {
    if (check(cpu, insn, kind)) return true;
    const s = cpu.state;
    const mask = requested(s, kind.supervisor === true);
    const linear = areaLinear(cpu, insn, EXTENDED_AT, false);
    const { present, format } = readHeader(cpu, linear, kind);
    const size = format === undefined ? standardSize(mask) : compactedSize(format);
    if (size > EXTENDED_AT) areaLinear(cpu, insn, size, false);
    const loaded = mask & present;
    // Everything is read before anything is changed: a fault leaves the state as it was.
    if (loaded & Component.X87) {
      readArea(cpu, linear, image, 0, X87_END);
      readArea(cpu, linear, image, REGISTERS_AT, Image.XMM);
    }
    if (loaded & Component.SSE) readArea(cpu, linear, image, Image.XMM, Image.XMM + vectorCount(cpu) * 16);
    let mxcsr: number | undefined;
    if (format === undefined ? mask & (Component.SSE | Component.AVX) : loaded & Component.SSE) {
      readArea(cpu, linear, image, Image.MXCSR, REGISTERS_AT);
      mxcsr = image.getUint32(Image.MXCSR, true);
      if (mxcsr & ~MXCSR_DEFINED) gp(cpu);
    } else if (format !== undefined && mask & Component.SSE) mxcsr = MXCSR_AT_RESET;
    for (const { bit, offset } of extended) {
      if (!(mask & (1 << bit))) continue;
      const at = format === undefined ? offset : compactedOffset(format, bit);
      const length = 1 << bit === Component.PKRU ? 8 : vectorCount(cpu) * 16;
      if (loaded & (1 << bit)) readArea(cpu, linear, image, at, at + length);
      else bytes.fill(0, at, at + length);
    }
    initialLegacy(mask & ~present);
    if (mask & Component.X87) {
      if (!(insn.prefixes & Prefix.REX_W)) {
        image.setUint32(Image.FIP_HIGH, 0, true);
        image.setUint32(Image.FDP_HIGH, 0, true);
      }
      x87FromFxsave(s, image);
    }
    if (mxcsr !== undefined) writeMxcsr(s, mxcsr);
    if (mask & Component.SSE) for (let n = 0; n < vectorCount(cpu); n++) vectorBytes(s, n, 0).set(bytes.subarray(Image.XMM + n * 16, Image.XMM + n * 16 + 16));
    for (const { bit, offset } of extended) {
      if (!(mask & (1 << bit))) continue;
      const at = format === undefined ? offset : compactedOffset(format, bit);
      if (1 << bit === Component.PKRU) writePkru(cpu, image.getUint32(at, true));
      else for (let n = 0; n < vectorCount(cpu); n++) vectorBytes(s, n, YMM_HIGH).set(bytes.subarray(at + n * 16, at + n * 16 + 16));
    }
  };

function writePair(s: CpuState, value: bigint): void {
  s.setReg32(Gpr.RAX, low32(value));
  s.setReg32(Gpr.RDX, high32(value));
}

const xgetbv: SlowOperation = (cpu) => {
  const s = cpu.state;
  requireFeature(cpu, 'xsave');
  if (!(s.cr4 & Cr4.OSXSAVE)) undefinedOpcode(cpu);
  const index = s.reg32(Gpr.RCX);
  if (index === 0) return writePair(s, s.get64(Offset.XCR0));
  if (index !== 1 || !cpu.features.has('xgetbv1')) gp(cpu);
  writePair(s, s.get64(Offset.XCR0) & BigInt(inUseWithMxcsr(s)));
};

const xsetbv: SlowOperation = (cpu, insn) => {
  const s = cpu.state;
  requireFeature(cpu, 'xsave');
  if (!(s.cr4 & Cr4.OSXSAVE)) undefinedOpcode(cpu);
  requireCpl0(cpu);
  if (cpu.intercepts.instruction('xsetbv', insn)) return true;
  const value = readEdxEax(s);
  if (s.reg32(Gpr.RCX) !== 0 || !xcr0Allowed(cpu.features, value)) gp(cpu);
  s.set64(Offset.XCR0, value);
  cpu.stateChanged();
};

/** IA32_XSS: WRMSR refuses components that do not exist. */
export const xssAllowed = (value: bigint): boolean => (value & ~SUPPORTED_SUPERVISOR) === 0n;

/** CPUID leaf 0xD but for its feature bits: sizes follow from what is enabled now. */
export function xsaveLeaf(cpu: Processor, subleaf: number): { eax?: number; ebx?: number; ecx?: number; edx?: number } {
  if (!cpu.features.has('xsave')) return {};
  const supported = supportedComponents(cpu.features);
  const s = cpu.state;
  if (subleaf === 0) return { eax: supported, ebx: standardSize(s.get32(Offset.XCR0)), ecx: standardSize(supported) };
  if (subleaf === 1) return { ebx: cpu.features.has('xsavec') || cpu.features.has('xsaves') ? compactedSize(s.get32(Offset.XCR0) | s.get32(Offset.XSS)) : 0 };
  const component = extended.find(({ bit }) => bit === subleaf && supported & (1 << bit));
  return component ? { eax: component.size, ebx: component.offset } : {};
}

export const xsaveOperations: Record<string, SlowOperation> = {
  xsave: save({ mnemonic: 'xsave', feature: 'xsave' }),
  xsaveopt: save({ mnemonic: 'xsaveopt', feature: 'xsaveopt', omits: true }),
  xsavec: save({ mnemonic: 'xsavec', feature: 'xsavec', omits: true, compacted: true }),
  xsaves: save({ mnemonic: 'xsaves', feature: 'xsaves', omits: true, compacted: true, supervisor: true }),
  xrstor: restore({ mnemonic: 'xrstor', feature: 'xsave' }),
  xrstors: restore({ mnemonic: 'xrstors', feature: 'xsaves', compacted: true, supervisor: true }),
  xgetbv,
  xsetbv,
};
