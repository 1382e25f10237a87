/**
 * The engine against real silicon: random and edge operands for every form, executed natively by runner.c and by the
 * engine, compared in registers, flags and memory. `npx tsx test/silicon/compare.ts [cases per form] [seed] [forms by name]`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Offset } from '../../src/cpu/state';
import { AF, OF, readFlags, STATUS_FLAGS, writeFlags } from '../../src/cpu/flags';
import { createFlatMachine } from './flatMachine';
import { type Form, FORMS } from './forms';
import { Random } from './random';
import { CASE_SIZE, compareSimd, DATA, DATA_SIZE, MXCSR_AT, MXCSR_DEFAULT } from './compareSimd';

const RSP = 4;
const RDI = 7;

const EDGES = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn];

function value(r: Random): bigint {
  if (r.below(3) === 0) return EDGES[r.below(EDGES.length)]!;
  const v = (BigInt(r.next()) << 32n) | BigInt(r.next());
  return r.below(2) ? v : BigInt.asUintN(64, BigInt.asIntN(1 + r.below(64), v));
}

/** One instruction of the form. Memory operands are [rdi + disp8] or [rdi + rcx*1 + disp8] with RDI in the data page. */
function encode(form: Form, r: Random): { bytes: number[]; operandSize: number; count: number; memory: boolean } {
  const bytes: number[] = [];
  let size = form.byte ? 1 : [2, 4, 8][r.below(3)]!;
  if (form.noWord && size === 2) size = 4;
  if (size === 2) bytes.push(0x66);
  if (form.prefix) bytes.push(form.prefix);
  let rex = size === 8 ? 8 : 0;
  const useRex = rex !== 0 || (!form.noRex && r.below(2) === 1);
  const memory = !form.plain && !form.registerOnly && (form.memoryOnly || r.below(2) === 1);
  const after: number[] = [];
  if (!form.plain) {
    const pick = (): number => {
      for (;;) {
        const n = useRex ? r.below(16) : r.below(8);
        // Without REX, byte registers 4 to 7 are AH to BH; the stack pointer is never an operand.
        if (n === RSP && !(form.byte && !useRex)) continue;
        return n;
      }
    };
    const reg = form.reg ?? pick();
    if (reg > 7) rex |= 4;
    if (memory) {
      after.push(0x40 | ((reg & 7) << 3) | 7, r.below(64));
    } else {
      const rm = pick();
      if (rm > 7) rex |= 1;
      after.push(0xc0 | ((reg & 7) << 3) | (rm & 7));
    }
  }
  let count = -1;
  const n = form.immediate === 'z' ? Math.min(size, 4) : form.immediate === 'v' ? size : (form.immediate ?? 0);
  for (let i = 0; i < n; i++) after.push(r.below(4) === 0 ? [0, 1, 0x7f, 0x80, 0xff][r.below(5)]! : r.below(256));
  if (form.shift && n === 1) count = after[after.length - 1]!;
  if (form.shift && form.opcode[0]! >= 0xd0 && form.opcode[0]! < 0xd2) count = 1;
  if (useRex) bytes.push(0x40 | rex);
  bytes.push(...form.opcode, ...after);
  return { bytes, operandSize: size, count, memory };
}

/** Flags to leave out of the comparison. */
function ignored(form: Form, operandSize: number, count: number, flags: number): number {
  let mask = form.undefinedFlags ?? 0;
  if (!form.shift) return mask;
  const masked = count & (operandSize === 8 ? 63 : 31);
  if (masked === 0) return 0;
  if (masked !== 1) mask |= OF;
  if (form.shift === 'shift') mask |= AF;
  if (form.shift === 'shift' && masked > operandSize * 8) mask |= 1;
  if (form.shift === 'double' && masked > operandSize * 8) mask |= flags;
  return mask;
}

function main(): void {
  const perForm = Number(process.argv[2] ?? 2000);
  const seed = Number(process.argv[3] ?? 1);
  const only = process.argv[4] ? new RegExp(process.argv[4]) : undefined;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-silicon-'));
  const runner = path.join(folder, 'runner');
  execFileSync('cc', ['-O1', '-o', runner, path.join(__dirname, 'runner.c')]);
  const { cpu, ram } = createFlatMachine(1024);
  const s = cpu.state;
  let cases = 0;
  let failures = 0;
  for (const form of FORMS) {
    if (only && !only.test(form.name)) continue;
    const r = new Random(seed * 7919 + cases);
    const input = Buffer.alloc(CASE_SIZE * perForm);
    const info: ReturnType<typeof encode>[] = [];
    for (let i = 0; i < perForm; i++) {
      const at = i * CASE_SIZE;
      const made = encode(form, r);
      info.push(made);
      input[at] = made.bytes.length;
      Buffer.from(made.bytes).copy(input, at + 2);
      for (let n = 0; n < 16; n++) input.writeBigUInt64LE(value(r), at + 16 + n * 8);
      if (form.divide && r.below(2)) input.writeBigUInt64LE(r.below(2) ? 0n : BigInt(r.below(1 << 16)), at + 16 + 2 * 8);
      if (made.memory) input.writeBigUInt64LE(BigInt(DATA + 64), at + 16 + RDI * 8);
      input.writeBigUInt64LE(BigInt(r.next() & STATUS_FLAGS) | 2n | 0x200n, at + 16 + 128);
      input.writeUInt32LE(MXCSR_DEFAULT, at + MXCSR_AT);
      for (let n = 0; n < DATA_SIZE; n += 8) input.writeBigUInt64LE(value(r), at + 16 + 136 + n);
    }
    const output = spawnSync(runner, { input, maxBuffer: 1 << 30 }).stdout;
    let shown = 0;
    for (let i = 0; i < perForm; i++) {
      cases++;
      const at = i * CASE_SIZE;
      const { bytes, operandSize, count } = info[i]!;
      const u8 = cpu.views.u8;
      const codeAt = 0x20_0000 + (i % 64) * 16;
      u8.fill(0x90, ram + codeAt, ram + codeAt + 16);
      u8.set(bytes, ram + codeAt);
      cpu.memoryChanged(codeAt >>> 12);
      u8.set(input.subarray(at + 152, at + 152 + DATA_SIZE), ram + DATA);
      for (let n = 0; n < 16; n++) s.setReg(n, input.readBigUInt64LE(at + 16 + n * 8));
      writeFlags(s, Number(input.readBigUInt64LE(at + 144)) & ~0x200);
      s.rip = BigInt(codeAt);
      s.set64(Offset.IDTR_LIMIT, 0n);
      s.set32(Offset.ACTIVITY, 0);
      cpu.stateChanged();
      const before = s.icount;
      cpu.run(1);
      const faulted = s.icount === before;
      const nativeFault = output[at + 1]!;
      const problems: string[] = [];
      if (faulted !== (nativeFault !== 0)) problems.push(`fault ${faulted} here, signal ${nativeFault} there`);
      if (!faulted && nativeFault === 0) {
        for (let n = 0; n < 16; n++) {
          if (n === RSP) continue;
          const native = output.readBigUInt64LE(at + 16 + n * 8);
          const own = s.reg(n);
          if (native !== own) problems.push(`r${n} ${own.toString(16)} here, ${native.toString(16)} there`);
        }
        const cl = count >= 0 ? count : Number(input.readBigUInt64LE(at + 24) & 0xffn);
        const nativeFlags = Number(output.readBigUInt64LE(at + 144)) & STATUS_FLAGS;
        const mask = STATUS_FLAGS & ~ignored(form, operandSize, cl, STATUS_FLAGS);
        const ownFlags = readFlags(s) & STATUS_FLAGS;
        if ((nativeFlags ^ ownFlags) & mask) problems.push(`flags ${ownFlags.toString(16)} here, ${nativeFlags.toString(16)} there`);
        const nativeData = output.subarray(at + 152, at + 152 + DATA_SIZE);
        if (form.name !== 'lea' && Buffer.compare(nativeData, Buffer.from(u8.subarray(ram + DATA, ram + DATA + DATA_SIZE))) !== 0) problems.push('memory differs');
      }
      if (problems.length > 0) {
        failures++;
        if (shown++ < 3) console.log(`${form.name}: ${bytes.map((b) => b.toString(16).padStart(2, '0')).join(' ')} (cl ${input.readBigUInt64LE(at + 24) & 0xffn}): ${problems.join('; ')}`);
      }
    }
  }
  console.log(`${FORMS.length} forms, ${cases} cases, ${failures} disagreements with this machine's silicon`);
  const simdFailures = compareSimd(runner, perForm, seed, only);
  fs.rmSync(folder, { recursive: true });
  process.exitCode = failures + simdFailures ? 1 : 0;
}

main();
