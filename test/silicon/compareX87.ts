/**
 * The engine's x87 and MMX against real silicon: random and edge operands for every form, executed natively by
 * x87Runner.c and by the engine, both between FRSTOR and FNSAVE; FSAVE images, registers, flags and memory are compared.
 * `npx tsx test/silicon/compareX87.ts [cases per form] [seed] [name]`.
 *
 * Transcendental results may differ in the last place (silicon is not exactly rounded): TOLERANCE units, and C1, which
 * tells how silicon rounded. How often they are equal is printed. Everything else has to be equal.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Offset } from '../../src/cpu/state';
import { readFlags, STATUS_FLAGS, writeFlags } from '../../src/cpu/flags';
import { createFlatMachine } from './flatMachine';
import { Random } from './random';
import { type X87Form, X87_FORMS } from './x87Forms';
import { MMX_FORMS } from './mmxForms';
import { memoryOperand, random64, stateImage } from './x87Operands';

const INSTRUCTION = 0x1000_0200;
const DATA = 0x2000_0000;
const IMAGE = 0x3000_0100;
const DATA_SIZE = 256;
const IMAGE_SIZE = 112;
const AT = { CODE: 2, REGS: 16, FLAGS: 144, IMAGE: 152, DATA: 264 } as const;
const CASE_SIZE = AT.DATA + DATA_SIZE;
const RSP = 4;
const RDI = 7;
const C1 = 0x200;

/** Units in the last place by which a transcendental result may differ. */
const TOLERANCE = 1n;

const LOAD = [0xdd, 0x24, 0x25, 0, 1, 0, 0x30];
const SAVE = [0xdd, 0x34, 0x25, 0, 1, 0, 0x30];

/** One instruction of the form; memory operands are [rdi + disp8]. */
function encode(form: X87Form, r: Random): { bytes: number[]; memory: boolean; displacement: number } {
  const displacement = r.below(64);
  const bytes = [...form.opcode];
  let memory = form.memory !== undefined;
  if (form.mmx) {
    memory = form.mmx === 'memory' || (form.mmx === 'both' && r.below(2) === 1);
    let reg = form.reg ?? r.below(8);
    let rm = r.below(8);
    if (!memory && form.general === 'source') while (rm === RSP) rm = r.below(8);
    if (!memory && form.general === 'destination') {
      if (form.reg === undefined && form.generalIsReg) while (reg === RSP) reg = r.below(8);
      else while (rm === RSP) rm = r.below(8);
    }
    if (memory) bytes.push(0x47 | (reg << 3), displacement);
    else bytes.push(0xc0 | (reg << 3) | rm);
    if (form.immediate) bytes.push(r.below(2) ? r.below(16) : r.below(256));
  } else if (memory) bytes.push(0x47 | (form.reg! << 3), displacement);
  else bytes.push(form.modrm! + (form.stack ? r.below(8) : 0));
  return { bytes, memory, displacement };
}

/** Distance of two 80-bit values in units of the last place; -1 when they are not comparable. */
function distance(a: bigint, b: bigint): bigint {
  if (a >> 79n !== b >> 79n) return -1n;
  const ordinal = (x: bigint): bigint => ((x >> 64n) & 0x7fffn) * (1n << 63n) + (x & ((1n << 63n) - 1n));
  const d = ordinal(a) - ordinal(b);
  return d < 0n ? -d : d;
}

const registerOf = (image: Buffer, i: number): bigint => image.readBigUInt64LE(28 + i * 10) | (BigInt(image.readUInt16LE(36 + i * 10)) << 64n);

function describe(image: Buffer): string {
  const words = [0, 4, 8, 12, 16, 20, 24].map((at) => image.readUInt32LE(at).toString(16));
  const registers = [0, 1, 2].map((i) => registerOf(image, i).toString(16).padStart(20, '0'));
  return `[${words.join(' ')}] ${registers.join(' ')}`;
}

interface Tally {
  approximate: number;
  inexact: number;
}

/** What differs in the images. */
function compareImages(form: X87Form, own: Buffer, native: Buffer, tally: Tally): string[] {
  if (Buffer.compare(own, native) === 0) return [];
  if (!form.approximate) return [`\n   here  ${describe(own)}\n   there ${describe(native)}`];
  let same = true;
  for (let i = 0; i < 8; i++) {
    const a = registerOf(own, i);
    const b = registerOf(native, i);
    if (a === b) continue;
    const d = distance(a, b);
    if (d < 0n || d > TOLERANCE) same = false;
    else tally.inexact++;
  }
  const mask = (image: Buffer): Buffer => {
    const copy = Buffer.from(image.subarray(0, 28));
    copy.writeUInt16LE(copy.readUInt16LE(4) & ~C1, 4);
    return copy;
  };
  if (Buffer.compare(mask(own), mask(native)) !== 0) same = false;
  return same ? [] : [`\n   here  ${describe(own)}\n   there ${describe(native)}`];
}

function main(): void {
  const perForm = Number(process.argv[2] ?? 2000);
  const seed = Number(process.argv[3] ?? 1);
  const only = process.argv[4];
  const forms = [...X87_FORMS, ...MMX_FORMS].filter((form) => !only || form.name.startsWith(only));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-x87-'));
  const runner = path.join(folder, 'runner');
  execFileSync('cc', ['-O1', '-o', runner, path.join(__dirname, 'x87Runner.c')]);
  const { cpu, ram } = createFlatMachine(1024);
  const s = cpu.state;
  s.set64(Offset.CR0, s.get64(Offset.CR0) | 0x20n); // NE
  const u8 = cpu.views.u8;
  let cases = 0;
  let failures = 0;
  for (const form of forms) {
    const r = new Random(seed * 7919 + cases);
    const input = Buffer.alloc(CASE_SIZE * perForm);
    for (let i = 0; i < perForm; i++) {
      const at = i * CASE_SIZE;
      const made = encode(form, r);
      input[at] = made.bytes.length;
      Buffer.from(made.bytes).copy(input, at + AT.CODE);
      for (let n = 0; n < 16; n++) input.writeBigUInt64LE(random64(r), at + AT.REGS + n * 8);
      input.writeBigUInt64LE(BigInt(DATA + 64), at + AT.REGS + RDI * 8);
      input.writeBigUInt64LE(BigInt(r.next() & STATUS_FLAGS) | 2n | 0x200n, at + AT.FLAGS);
      input.set(stateImage(r, form.near ?? 0), at + AT.IMAGE);
      for (let n = 0; n < DATA_SIZE; n += 8) input.writeBigUInt64LE(random64(r), at + AT.DATA + n);
      if (made.memory) input.set(memoryOperand(r, form.memory ?? 'anything', form.opcode[0] !== 0x66), at + AT.DATA + 64 + made.displacement);
    }
    const output = spawnSync(runner, { input, maxBuffer: 1 << 30 }).stdout;
    let shown = 0;
    const tally: Tally = { approximate: 0, inexact: 0 };
    for (let i = 0; i < perForm; i++) {
      cases++;
      const at = i * CASE_SIZE;
      const bytes = [...input.subarray(at + AT.CODE, at + AT.CODE + input[at]!)];
      const program = [...LOAD, ...bytes, ...SAVE];
      u8.set(program, ram + INSTRUCTION - LOAD.length);
      cpu.memoryChanged(INSTRUCTION >>> 12);
      u8.set(input.subarray(at + AT.DATA, at + AT.DATA + DATA_SIZE), ram + DATA);
      u8.set(input.subarray(at + AT.IMAGE, at + AT.IMAGE + IMAGE_SIZE), ram + IMAGE);
      for (let n = 0; n < 16; n++) s.setReg(n, input.readBigUInt64LE(at + AT.REGS + n * 8));
      writeFlags(s, Number(input.readBigUInt64LE(at + AT.FLAGS)) & ~0x200);
      s.rip = BigInt(INSTRUCTION - LOAD.length);
      s.set64(Offset.IDTR_LIMIT, 0n);
      s.set32(Offset.ACTIVITY, 0);
      s.views.u16[(s.base + Offset.FPU + 2) >>> 1] = 0; // no exception may be left for FRSTOR to report
      cpu.stateChanged();
      const before = s.icount;
      cpu.run(3);
      const faulted = s.icount !== before + 3;
      const nativeFault = output[at + 1]!;
      const problems: string[] = [];
      if (faulted !== (nativeFault !== 0)) problems.push(`fault ${faulted} here, signal ${nativeFault} there`);
      if (!faulted && nativeFault === 0) {
        for (let n = 0; n < 16; n++) {
          if (n === RSP) continue;
          const native = output.readBigUInt64LE(at + AT.REGS + n * 8);
          if (native !== s.reg(n)) problems.push(`r${n} ${s.reg(n).toString(16)} here, ${native.toString(16)} there`);
        }
        const nativeFlags = Number(output.readBigUInt64LE(at + AT.FLAGS)) & STATUS_FLAGS;
        const ownFlags = readFlags(s) & STATUS_FLAGS;
        if (nativeFlags !== ownFlags) problems.push(`flags ${ownFlags.toString(16)} here, ${nativeFlags.toString(16)} there`);
        const ownData = Buffer.from(u8.subarray(ram + DATA, ram + DATA + DATA_SIZE));
        const nativeData = output.subarray(at + AT.DATA, at + AT.DATA + DATA_SIZE);
        if (Buffer.compare(nativeData, ownData) !== 0) {
          const first = nativeData.findIndex((byte, n) => byte !== ownData[n]);
          const show = (b: Buffer): string => b.subarray(first, first + 10).toString('hex');
          problems.push(`memory +${first - 64} ${show(ownData)} here, ${show(nativeData)} there`);
        }
        const ownImage = Buffer.from(u8.subarray(ram + IMAGE, ram + IMAGE + 108));
        problems.push(...compareImages(form, ownImage, output.subarray(at + AT.IMAGE, at + AT.IMAGE + 108), tally));
      }
      if (problems.length > 0) {
        failures++;
        if (shown++ < 3) console.log(`${form.name}: ${bytes.map((b) => b.toString(16).padStart(2, '0')).join(' ')}\n   from  ${describe(input.subarray(at + AT.IMAGE, at + AT.DATA))}: ${problems.join('; ')}`);
      }
    }
    if (shown > 3) console.log(`${form.name}: ${shown} of ${perForm}`);
    if (form.approximate) console.log(`${form.name}: ${tally.inexact} of ${perForm} results off by one unit in the last place`);
  }
  console.log(`${forms.length} forms, ${cases} cases, ${failures} disagreements with this machine's silicon`);
  fs.rmSync(folder, { recursive: true });
  process.exitCode = failures ? 1 : 0;
}

main();
