/**
 * The engine against real silicon: random and edge operands for every form, executed natively by runner.c and by the
 * engine, compared in registers, flags and memory: integer, SIMD and VEX, x87 and MMX. coverage.ts lists what is covered. `npx tsx test/silicon/compare.ts [cases per form] [seed] [forms by name]`. With
 * TRANSLATE=1 every instruction is translated before it is executed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { translatorPolicy } from '../../src/cpu/engine/translator';
import { Offset } from '../../src/cpu/state';
import { readFlags, STATUS_FLAGS, writeFlags } from '../../src/cpu/flags';
import { createFlatMachine } from './flatMachine';
import { FORMS } from './forms';
import { encodeInteger, undefinedFlags } from './integerEncoding';
import { Random } from './random';
import { CASE_SIZE, compareSimd, DATA, DATA_AT, DATA_SIZE, FLAGS_AT, MXCSR_AT, REGS_AT } from './compareSimd';
import { MXCSR_DEFAULT } from './vectorValues';
import { compareX87 } from './compareX87';

const RSP = 4;
const RCX = 1;
const RDI = 7;
const HLT = 0xf4;

const EDGES = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn];

function value(r: Random): bigint {
  if (r.below(3) === 0) return EDGES[r.below(EDGES.length)]!;
  const v = (BigInt(r.next()) << 32n) | BigInt(r.next());
  return r.below(2) ? v : BigInt.asUintN(64, BigInt.asIntN(1 + r.below(64), v));
}

function main(): void {
  translatorPolicy.enabled = process.env.TRANSLATE === '1';
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
    const info: ReturnType<typeof encodeInteger>[] = [];
    for (let i = 0; i < perForm; i++) {
      const at = i * CASE_SIZE;
      const made = encodeInteger(form, r);
      info.push(made);
      input[at] = made.bytes.length;
      Buffer.from(made.bytes).copy(input, at + 2);
      for (let n = 0; n < 16; n++) input.writeBigUInt64LE(value(r), at + REGS_AT + n * 8);
      if (form.divide && r.below(2)) input.writeBigUInt64LE(r.below(2) ? 0n : BigInt(r.below(1 << 16)), at + REGS_AT + 2 * 8);
      if (made.memory) input.writeBigUInt64LE(BigInt(DATA + 64), at + REGS_AT + RDI * 8);
      input.writeBigUInt64LE(BigInt(r.next() & STATUS_FLAGS) | 2n | 0x200n, at + FLAGS_AT);
      input.writeUInt32LE(MXCSR_DEFAULT, at + MXCSR_AT);
      for (let n = 0; n < DATA_SIZE; n += 8) input.writeBigUInt64LE(value(r), at + DATA_AT + n);
    }
    const output = spawnSync(runner, { input, maxBuffer: 1 << 30 }).stdout;
    let shown = 0;
    for (let i = 0; i < perForm; i++) {
      cases++;
      const at = i * CASE_SIZE;
      const { bytes, operandSize, count } = info[i]!;
      const u8 = cpu.views.u8;
      const codeAt = 0x20_0000 + (i % 64) * 16;
      u8.fill(HLT, ram + codeAt, ram + codeAt + 16); // ends what is decoded
      u8.set(bytes, ram + codeAt);
      cpu.memoryChanged(codeAt >>> 12);
      u8.set(input.subarray(at + DATA_AT, at + DATA_AT + DATA_SIZE), ram + DATA);
      for (let n = 0; n < 16; n++) s.setReg(n, input.readBigUInt64LE(at + REGS_AT + n * 8));
      writeFlags(s, Number(input.readBigUInt64LE(at + FLAGS_AT)) & ~0x200);
      s.rip = BigInt(codeAt);
      s.set64(Offset.IDTR_LIMIT, 0n);
      s.set32(Offset.ACTIVITY, 0);
      cpu.stateChanged();
      const before = s.icount;
      cpu.translateHere();
      cpu.run(1);
      const faulted = s.icount === before;
      const nativeFault = output[at + 1]!;
      const problems: string[] = [];
      if (faulted !== (nativeFault !== 0)) problems.push(`fault ${faulted} here, signal ${nativeFault} there`);
      if (!faulted && nativeFault === 0) {
        for (let n = 0; n < 16; n++) {
          if (n === RSP) continue;
          const native = output.readBigUInt64LE(at + REGS_AT + n * 8);
          const own = s.reg(n);
          if (native !== own) problems.push(`r${n} ${own.toString(16)} here, ${native.toString(16)} there`);
        }
        const cl = count >= 0 ? count : Number(input.readBigUInt64LE(at + REGS_AT + RCX * 8) & 0xffn);
        const nativeFlags = Number(output.readBigUInt64LE(at + FLAGS_AT)) & STATUS_FLAGS;
        const mask = STATUS_FLAGS & ~undefinedFlags(form, operandSize, cl, STATUS_FLAGS);
        const ownFlags = readFlags(s) & STATUS_FLAGS;
        if ((nativeFlags ^ ownFlags) & mask) problems.push(`flags ${ownFlags.toString(16)} here, ${nativeFlags.toString(16)} there`);
        const nativeData = output.subarray(at + DATA_AT, at + DATA_AT + DATA_SIZE);
        if (form.name !== 'lea' && Buffer.compare(nativeData, Buffer.from(u8.subarray(ram + DATA, ram + DATA + DATA_SIZE))) !== 0) problems.push('memory differs');
      }
      if (problems.length > 0) {
        failures++;
        if (shown++ < 3) console.log(`${form.name}: ${bytes.map((b) => b.toString(16).padStart(2, '0')).join(' ')} (cl ${input.readBigUInt64LE(at + REGS_AT + RCX * 8) & 0xffn}): ${problems.join('; ')}`);
      }
    }
  }
  console.log(`${FORMS.length} forms, ${cases} cases, ${failures} disagreements with this machine's silicon`);
  if (translatorPolicy.enabled) console.log(`${cpu.regionsMade} regions were translated`);
  const simdFailures = compareSimd(runner, perForm, seed, only);
  fs.rmSync(folder, { recursive: true });
  const x87Failures = compareX87(perForm, seed, only);
  process.exitCode = failures + simdFailures + x87Failures ? 1 : 0;
}

main();
