/**
 * The engine's x87 and MMX against real silicon: random and edge operands for every form, executed natively by
 * x87Runner.c and by the engine, both between FRSTOR and FNSAVE; FSAVE images, registers, flags and memory are compared.
 * `npx tsx test/silicon/compareX87.ts [cases per form] [seed] [name]`. With KEEP=FILE it writes the kept vectors of
 * test/unit/fpu.test.ts: two cases of each form, with silicon's answers.
 *
 * Everything has to be equal but transcendental results, which silicon does not round exactly and the engine does: they
 * may differ by TOLERANCE units in the last place, and in C1, which tells how silicon rounded. Measured on a Xeon
 * (family 6, model 167), share of results that differ by one unit: F2XM1 2.3 %, FYL2X 1.8 %, FYL2XP1 2.7 %,
 * FPTAN 1.4 %, FPATAN 1.3 %, FSIN 1.0 %, FCOS 1.3 %, FSINCOS 1.7 %; none differs by two.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { STATUS_FLAGS } from '../../src/cpu/flags';
import { MMX_FORMS } from './mmxForms';
import { Random } from './random';
import { AT, CASE_SIZE, DATA, DATA_SIZE, differences, registerOf, RSP, X87Bench } from './x87Bench';
import { VENDOR } from './testCase';
import { type X87Form, X87_FORMS } from './x87Forms';
import { memoryOperand, random64, stateImage } from './x87Operands';

const RDI = 7;
const C1 = 0x200;
const UE = 0x10;
const TAGS = 8;
/** AMD's transcendental results are rounded differently at the border of the denormal numbers, which the tags and UE tell; FPREM by infinity of a denormal number raises an unmasked underflow. */
const OTHER_ROUNDING = VENDOR === 'AuthenticAMD';
const ENVIRONMENT_SIZE = 28;
/** Offsets in an environment: the status word, and of the last instruction the address, then the selector and opcode; its operand follows. */
const STATUS = 4;
const ADDRESS = 12;
const SELECTOR = 16;
const ES = 0x80;
/** Opcode and ModRM byte of FNSTENV and FNSAVE with [rdi + disp8]. */
const STORES_ENVIRONMENT = [[0xd9, 0x77], [0xdd, 0x77]] as const; // prettier-ignore

/** Units in the last place by which a transcendental result may differ. */
const TOLERANCE = 1n;
/** Cases of each form that are kept. */
const KEPT = 2;

/** One instruction of the form; memory operands are [rdi + disp8]. */
export function encodeX87(form: X87Form, r: Random): { bytes: number[]; memory: boolean; displacement: number } {
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

/** Whether images are equal, up to the tolerance; counts the results that differ within it. */
const judge =
  (form: X87Form, inexact: { count: number }) =>
  (own: Buffer, native: Buffer): boolean => {
    if (Buffer.compare(own, native) === 0) return true;
    if (OTHER_ROUNDING && (form.approximate || form.name.startsWith('fprem')) && (native.readUInt16LE(STATUS) & ~own.readUInt16LE(STATUS) & UE) !== 0) return true;
    if (!form.approximate) return false;
    for (let i = 0; i < 8; i++) {
      const a = registerOf(own, i);
      const b = registerOf(native, i);
      if (a === b) continue;
      const d = distance(a, b);
      if (d < 0n || d > TOLERANCE) return false;
      inexact.count++;
    }
    const environment = (image: Buffer): Buffer => {
      const copy = Buffer.from(image.subarray(0, ENVIRONMENT_SIZE));
      copy.writeUInt16LE(copy.readUInt16LE(4) & ~(OTHER_ROUNDING ? C1 | UE : C1), 4);
      if (OTHER_ROUNDING) copy.writeUInt16LE(0, TAGS);
      return copy;
    };
    return Buffer.compare(environment(own), environment(native)) === 0;
  };

/**
 * AMD's processors keep the selectors and the opcode of the last instruction, which Intel's no longer have, and its address
 * and its operand only while an exception waits: they are not compared there.
 */
function withoutOperands(end: Buffer): Buffer {
  if (VENDOR !== 'AuthenticAMD') return end;
  const copy = Buffer.from(end);
  copy.fill(0, AT.IMAGE + SELECTOR, AT.IMAGE + ENVIRONMENT_SIZE);
  if ((copy.readUInt16LE(AT.IMAGE + STATUS) & ES) === 0) copy.writeUInt32LE(0, AT.IMAGE + ADDRESS);
  const stores = end.subarray(AT.CODE, AT.CODE + 3);
  if (STORES_ENVIRONMENT.some(([opcode, modrm]) => stores[0] === opcode && stores[1] === modrm)) {
    const at = AT.DATA + 64 + stores[2]!;
    copy.fill(0, at + SELECTOR, at + ENVIRONMENT_SIZE);
  }
  return copy;
}

/** Cases of a form. `sparse`: what does not matter is zero, so that kept vectors compress. */
function makeCases(form: X87Form, r: Random, count: number, sparse: boolean): Buffer {
  const input = Buffer.alloc(CASE_SIZE * count);
  for (let i = 0; i < count; i++) {
    const one = input.subarray(i * CASE_SIZE, (i + 1) * CASE_SIZE);
    const made = encodeX87(form, r);
    one[0] = made.bytes.length;
    Buffer.from(made.bytes).copy(one, AT.CODE);
    if (!sparse || form.mmx) for (let n = 0; n < 16; n++) one.writeBigUInt64LE(random64(r), AT.REGS + n * 8);
    one.writeBigUInt64LE(BigInt(DATA + 64), AT.REGS + RDI * 8);
    one.writeBigUInt64LE(0n, AT.REGS + RSP * 8);
    one.writeBigUInt64LE(BigInt(r.next() & STATUS_FLAGS) | 2n | 0x200n, AT.FLAGS);
    one.set(stateImage(r, form.near ?? 0), AT.IMAGE);
    if (!sparse) for (let n = 0; n < DATA_SIZE; n += 8) one.writeBigUInt64LE(random64(r), AT.DATA + n);
    if (made.memory) one.set(memoryOperand(r, form.memory ?? 'anything', form.opcode[0] !== 0x66), AT.DATA + 64 + made.displacement);
  }
  return input;
}

/** Compares every x87 and MMX form; yields the number of disagreements. */
export function compareX87(cases: number, seed: number, only?: RegExp): number {
  const keep = process.env['KEEP'];
  const perForm = keep ? KEPT * 4 : cases;
  const forms = [...X87_FORMS, ...MMX_FORMS].filter((form) => !only || only.test(form.name));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-x87-'));
  const runner = path.join(folder, 'runner');
  execFileSync('cc', ['-O1', '-o', runner, path.join(__dirname, 'x87Runner.c')]);
  const bench = new X87Bench();
  const kept: Buffer[] = [];
  let made = 0;
  let failures = 0;
  for (const form of forms) {
    const input = makeCases(form, new Random(seed * 7919 + made), perForm, keep !== undefined);
    const output = spawnSync(runner, { input, maxBuffer: 1 << 30 }).stdout;
    const inexact = { count: 0 };
    let shown = 0;
    let keeping = 0;
    for (let i = 0; i < perForm; i++) {
      made++;
      const given = input.subarray(i * CASE_SIZE, (i + 1) * CASE_SIZE);
      const native = withoutOperands(output.subarray(i * CASE_SIZE, (i + 1) * CASE_SIZE));
      const own = withoutOperands(bench.run(given));
      const before = inexact.count;
      const problems = differences(given, own, native, judge(form, inexact));
      if (problems.length === 0 && inexact.count === before && native[AT.FAULT] === 0 && keeping++ < KEPT) kept.push(given, native);
      if (problems.length === 0) continue;
      failures++;
      if (shown++ < 3) console.log(`${form.name}: ${given.subarray(AT.CODE, AT.CODE + given[0]!).toString('hex')}: ${problems.join('; ')}`);
    }
    if (shown > 3) console.log(`${form.name}: ${shown} of ${perForm}`);
    if (form.approximate) console.log(`${form.name}: ${inexact.count} of ${perForm} results off by one unit in the last place`);
  }
  console.log(`${forms.length} x87 and MMX forms, ${made} cases, ${failures} disagreements with this machine's silicon`);
  if (keep) fs.writeFileSync(keep, zlib.gzipSync(Buffer.concat(kept), { level: 9 }));
  fs.rmSync(folder, { recursive: true });
  return failures;
}

if (require.main === module) process.exitCode = compareX87(Number(process.argv[2] ?? 2000), Number(process.argv[3] ?? 1), process.argv[4] ? new RegExp(`^${process.argv[4]}`) : undefined) ? 1 : 0;
