/** SIMD instructions of the engine against real silicon: YMM registers, MXCSR, flags and memory. */
import { spawnSync } from 'node:child_process';
import { readFlags, STATUS_FLAGS, writeFlags } from '../../src/cpu/flags';
import { readMxcsr, writeMxcsr } from '../../src/cpu/simd/mxcsr';
import { Offset } from '../../src/cpu/state';
import { createFlatMachine } from './flatMachine';
import { integer, mxcsr, quadword } from './vectorValues';
import { Random } from './random';
import { type Elements, SIMD_FORMS, type SimdForm } from './simdForms';
import { type MadeProgram, PROGRAMS } from './programs';
import { encodeVex, VEX_FORMS } from './vexForms';

// Layout of runner.c's struct test_case.
export const DATA = 0x2000_0000;
export const DATA_SIZE = 256;
export const REGS_AT = 32;
export const FLAGS_AT = REGS_AT + 16 * 8;
export const DATA_AT = FLAGS_AT + 8;
const YMM_AT = DATA_AT + DATA_SIZE;
const YMM = 32;
export const MXCSR_AT = YMM_AT + 16 * YMM;
export const CASE_SIZE = MXCSR_AT + 8;
/** PAE, OSFXSR, OSXMMEXCPT, OSXSAVE. */
const CR4 = 0x4_0620n;
const XCR0 = 7n;
const SIGILL = 4;
const HLT = 0xf4;
/** Programs loop a few times at most. */
const MAXIMUM_STEPS = 64;
/** Where the engine's stack is; the runner has its own. */
const STACK = 0x30_0000n;
const RSP = 4;
const RDI = 7;

/** A form as the comparison sees it. */
interface Comparable {
  name: string;
  mnemonic: string;
  elements: Elements;
  immediate: boolean;
  /** Status flags that are left undefined. */
  undefinedFlags: number;
  encode(r: Random): Made;
}

interface Made extends MadeProgram {
  /** The vector register that holds indices into memory, their width and shift: gathers. */
  indices?: { register: number; bits: number; scale: number };
}

/** One instruction of an SSE form; memory operands are [rdi + disp8]. */
export function encodeSimd(form: SimdForm, r: Random): Made {
  const bytes: number[] = [];
  if (form.prefix !== undefined) bytes.push(form.prefix);
  const memory = !form.registerOnly && (form.memoryOnly || r.below(2) === 1);
  let rex = form.rexW || (form.rexW === undefined && (form.regKind === 'gpr' || form.rmKind === 'gpr') && r.below(2)) ? 8 : 0;
  const pick = (kind: 'xmm' | 'gpr'): number => {
    for (;;) {
      const n = r.below(2) ? r.below(16) : r.below(4);
      if (kind === 'xmm' || n !== RSP) return n;
    }
  };
  const reg = form.reg ?? pick(form.regKind);
  if (reg > 7) rex |= 4;
  const after: number[] = [];
  if (memory) {
    after.push(0x40 | ((reg & 7) << 3) | 7, r.below(8) === 0 ? r.below(64) : r.below(6) * 16);
  } else {
    const rm = pick(form.rmKind);
    if (rm > 7) rex |= 1;
    after.push(0xc0 | ((reg & 7) << 3) | (rm & 7));
  }
  if (form.immediate) after.push(r.below(4) === 0 ? r.below(256) : r.below(16));
  if (rex || r.below(4) === 0) bytes.push(0x40 | rex);
  bytes.push(...form.opcode, ...after);
  return { bytes };
}

const hex = (bytes: Uint8Array): string => [...bytes].reverse().map((b) => b.toString(16).padStart(2, '0')).join('');

/** Compares every SIMD form; yields the number of disagreements. */
export function compareSimd(runner: string, perForm: number, seed: number, only?: RegExp): number {
  const { cpu, ram } = createFlatMachine(1024);
  const s = cpu.state;
  s.set64(Offset.CR4, CR4);
  s.set64(Offset.XCR0, XCR0);
  const missing = new Set<string>();
  const lacking = new Set<string>();
  const registers = s.base + Offset.YMM;
  let cases = 0;
  let failures = 0;
  const forms: Comparable[] = [
    ...SIMD_FORMS.map((form) => ({ ...form, undefinedFlags: 0, encode: (r: Random) => encodeSimd(form, r) })),
    ...VEX_FORMS.map((form) => ({ ...form, encode: (r: Random) => encodeVex(form, r) })),
    ...PROGRAMS.map((program) => ({ ...program, mnemonic: program.name, immediate: false, encode: (r: Random) => program.make(r) })),
  ];
  for (const form of forms) {
    if (only && !only.test(form.name)) continue;
    let unimplemented = false;
    cpu.onUnimplemented = () => (unimplemented = true);
    const r = new Random(seed * 104729 + cases + 1);
    const input = Buffer.alloc(CASE_SIZE * perForm);
    const info: Made[] = [];
    for (let i = 0; i < perForm; i++) {
      const at = i * CASE_SIZE;
      const made = form.encode(r);
      info.push(made);
      input[at] = made.bytes.length;
      Buffer.from(made.bytes).copy(input, at + 2);
      for (let n = 0; n < 16; n++) input.writeBigUInt64LE(integer(r), at + REGS_AT + n * 8);
      input.writeBigUInt64LE(BigInt(DATA + 64), at + REGS_AT + RDI * 8);
      if (/^v?pcmpe/.test(form.mnemonic)) for (const n of [0, 2]) input.writeBigUInt64LE(BigInt.asUintN(64, BigInt(r.below(24) - 8)), at + REGS_AT + n * 8);
      for (const [n, value] of Object.entries(made.registers ?? {})) input.writeBigUInt64LE(value, at + REGS_AT + Number(n) * 8);
      input.writeBigUInt64LE(BigInt((r.next() & STATUS_FLAGS) | (made.flags ?? 0)) | 2n | 0x200n, at + FLAGS_AT);
      for (let n = 0; n < DATA_SIZE; n += 8) input.writeBigUInt64LE(quadword(r, form.elements), at + DATA_AT + n);
      if (made.dataBelow !== undefined) for (let n = 0; n < DATA_SIZE; n++) input[at + DATA_AT + n]! %= made.dataBelow;
      for (let n = 0; n < 16 * YMM; n += 8) input.writeBigUInt64LE(quadword(r, form.elements), at + YMM_AT + n);
      if (/^v?(ps[lr]|pcmp.str)/.test(form.mnemonic)) {
        const element = /v[dq]$/.test(form.mnemonic) && form.mnemonic.endsWith('d') ? 4 : 8;
        for (let n = 0; n < 16 * YMM; n += element === 4 ? 4 : 16) {
          if (r.below(2)) continue;
          if (element === 4) input.writeUInt32LE(r.below(40), at + YMM_AT + n);
          else input.writeBigUInt64LE(BigInt(r.below(70)), at + YMM_AT + n);
        }
        for (let n = 0; n < 256; n += 16) if (r.below(2)) input.writeBigUInt64LE(BigInt(r.below(70)), at + DATA_AT + n);
      }
      if (/^v?pcmp/.test(form.mnemonic)) for (let n = 0; n < DATA_SIZE + 16 * YMM; n++) if (r.below(3) === 0) input[at + DATA_AT + n] = r.below(4);
      if (made.indices) {
        const { register, bits, scale } = made.indices;
        for (let n = 0; n < YMM; n += bits / 8) {
          const index = r.below(96 >> scale) - (r.below(4) === 0 ? 64 >> scale : 0);
          if (bits === 32) input.writeInt32LE(index, at + YMM_AT + register * YMM + n);
          else input.writeBigInt64LE(BigInt(index), at + YMM_AT + register * YMM + n);
        }
      }
      input.writeUInt32LE(mxcsr(r), at + MXCSR_AT);
    }
    const output = spawnSync(runner, { input, maxBuffer: 1 << 30 }).stdout;
    let shown = 0;
    if (Array.from({ length: perForm }, (_, i) => output[i * CASE_SIZE + 1]).every((signal) => signal === SIGILL)) {
      lacking.add(form.mnemonic);
      continue;
    }
    for (let i = 0; i < perForm && !unimplemented; i++) {
      cases++;
      const at = i * CASE_SIZE;
      const { bytes } = info[i]!;
      const u8 = cpu.views.u8;
      const codeAt = 0x20_0000 + (i % 64) * 64;
      u8.fill(HLT, ram + codeAt, ram + codeAt + 64); // ends what is decoded
      u8.set(bytes, ram + codeAt);
      cpu.memoryChanged(codeAt >>> 12);
      u8.set(input.subarray(at + DATA_AT, at + DATA_AT + DATA_SIZE), ram + DATA);
      for (let n = 0; n < 16; n++) s.setReg(n, n === RSP ? STACK : input.readBigUInt64LE(at + REGS_AT + n * 8));
      for (let n = 0; n < 16; n++) u8.set(input.subarray(at + YMM_AT + n * YMM, at + YMM_AT + (n + 1) * YMM), registers + n * YMM);
      writeMxcsr(s, input.readUInt32LE(at + MXCSR_AT));
      writeFlags(s, Number(input.readBigUInt64LE(at + FLAGS_AT)) & ~0x200);
      s.rip = BigInt(codeAt);
      s.set64(Offset.IDTR_LIMIT, 0n);
      s.set32(Offset.ACTIVITY, 0);
      cpu.stateChanged();
      let faulted = false;
      for (let step = 0; step < MAXIMUM_STEPS && s.rip !== BigInt(codeAt + bytes.length) && !faulted; step++) {
        const before = s.icount;
        cpu.translateHere();
        cpu.run(1);
        faulted = s.icount === before;
      }
      if (unimplemented) break;
      const nativeFault = output[at + 1]!;
      const problems: string[] = [];
      if (faulted !== (nativeFault !== 0)) problems.push(`fault ${faulted} here, signal ${nativeFault} there`);
      const nativeMxcsr = output.readUInt32LE(at + MXCSR_AT);
      if (readMxcsr(s) !== nativeMxcsr) problems.push(`MXCSR ${readMxcsr(s).toString(16)} here, ${nativeMxcsr.toString(16)} there`);
      const expected = nativeFault ? input : output;
      for (let n = 0; n < 16; n++) {
        if (n !== RSP && expected.readBigUInt64LE(at + REGS_AT + n * 8) !== s.reg(n)) problems.push(`r${n} ${s.reg(n).toString(16)} here, ${expected.readBigUInt64LE(at + REGS_AT + n * 8).toString(16)} there`);
        const own = u8.subarray(registers + n * YMM, registers + (n + 1) * YMM);
        const native = expected.subarray(at + YMM_AT + n * YMM, at + YMM_AT + (n + 1) * YMM);
        if (Buffer.compare(native, Buffer.from(own)) === 0) continue;
        const was = input.subarray(at + YMM_AT + n * YMM, at + YMM_AT + (n + 1) * YMM);
        problems.push(`ymm${n} ${hex(own)} here, ${hex(native)} there, ${hex(was)} before`);
      }
      if (!nativeFault) {
        const defined = STATUS_FLAGS & ~form.undefinedFlags;
        const nativeFlags = Number(output.readBigUInt64LE(at + FLAGS_AT)) & defined;
        if (nativeFlags !== (readFlags(s) & defined)) problems.push(`flags ${readFlags(s).toString(16)} here, ${nativeFlags.toString(16)} there`);
      }
      if (Buffer.compare(expected.subarray(at + DATA_AT, at + DATA_AT + DATA_SIZE), Buffer.from(u8.subarray(ram + DATA, ram + DATA + DATA_SIZE))) !== 0) problems.push('memory differs');
      if (problems.length > 0) {
        failures++;
        if (shown++ < 3) {
          const rm = bytes[bytes.length - (form.immediate ? 2 : 1)]! & 7;
          const source = input.subarray(at + YMM_AT + rm * YMM, at + YMM_AT + (rm + 1) * YMM);
          console.log(`${form.name}: ${bytes.map((b) => b.toString(16).padStart(2, '0')).join(' ')} (MXCSR ${input.readUInt32LE(at + MXCSR_AT).toString(16)}, low source ${hex(source)}): ${problems.join('; ')}`);
        }
      }
    }
    if (unimplemented) missing.add(form.mnemonic);
  }
  if (lacking.size > 0) console.log(`not compared, for this machine lacks them: ${[...lacking].join(' ')}`);
  console.log(`${forms.length} SIMD and VEX forms and programs, ${cases} cases, ${failures} disagreements with this machine's silicon`);
  if (missing.size > 0) console.log(`not implemented: ${[...missing].join(' ')}`);
  return failures;
}
