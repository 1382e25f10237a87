import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { Cr0 } from '../../src/cpu/controlBits';
import { decode, mnemonics } from '../../src/cpu/decode/decode';
import { Instruction } from '../../src/cpu/decode/instruction';
import { Activity } from '../../src/cpu/engine/activity';
import { STATE_REPLACED } from '../../src/cpu/fault';
import { type Extended, extended } from '../../src/cpu/fpu/extended';
import { initialize, powerOn, readMmx, writeMmx, x87FromFxsave, x87ToFxsave } from '../../src/cpu/fpu/environment';
import { Area, controlWord, isEmpty, lastInstruction, readStack, setControlWord, setTagBits, setTop, statusWord, tagBits, top, writeStack } from '../../src/cpu/fpu/registers';
import { Gpr, Offset, Seg } from '../../src/cpu/state';
import { cpuid } from '../../src/cpu/system/cpuid';
import { CpuFeatures } from '../../src/cpu/system/features';
import { slowOperations } from '../../src/cpu/system/operations';
import { CASE_SIZE, differences, X87Bench } from '../silicon/x87Bench';
import { FakeProcessor } from './systemFake';

const VECTORS = path.join(__dirname, '../fixtures/fpu/silicon.gz');
const NUMERIC_ERROR = Cr0.NE;
/** 16-bit addresses: [0x100]. */
const DATA = 0x100;
const STATUS_ES = 0x80;
const DENORMAL = 2;
const UNDERFLOW = 0x10;

/** Real-address mode, or 32-bit protected mode; the x87 after FINIT. */
function processor(wide = false): FakeProcessor {
  const cpu = new FakeProcessor();
  const s = cpu.state;
  initialize(s);
  s.set32(Offset.CR0, Cr0.ET | NUMERIC_ERROR | (wide ? Cr0.PE : 0));
  if (wide) for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) s.setAccess(seg, seg === Seg.CS ? 0xc09b : 0xc093);
  s.rip = 0x1234n;
  return cpu;
}

/** Executes one instruction; yields its fault in words. */
function execute(cpu: FakeProcessor, text: string): string {
  const s = cpu.state;
  const insn = new Instruction();
  const bytes = Uint8Array.from(text.split(' ').map((t) => parseInt(t, 16)));
  const padded = new Uint8Array(16);
  padded.set(bytes);
  const length = decode(padded, 0, 16, s.access(Seg.CS) & 0x4000 ? 32 : 16, insn);
  assert.equal(length, bytes.length, `the decoder sees ${mnemonics[insn.op]}`);
  cpu.instructionRip = s.rip;
  s.rip += BigInt(length);
  const result = cpu.faultOf(() => slowOperations[mnemonics[insn.op]!]!(cpu, insn));
  if (result !== 'no fault') s.rip = cpu.instructionRip;
  return result;
}

const FLD1 = 'd9 e8';
const FLDZ = 'd9 ee';
const FLDPI = 'd9 eb';
const FSCALE = 'd9 fd';
const FADDP = 'de c1';
const FDIVP = 'de f9';
const FWAIT = '9b';
const FNCLEX = 'db e2';
const FNSTSW_AX = 'df e0';
const FNSTENV = 'd9 36 00 01';
const FLDENV = 'd9 26 00 01';
const FNSAVE = 'dd 36 00 01';
const FRSTOR = 'dd 26 00 01';
const FSTP_DOUBLE = 'dd 1e 00 01';
const PADDB = '0f fc c1';
const EMMS = '0f 77';

describe('x87: silicon', () => {
  it('kept vectors of every form have silicon’s results', function () {
    this.timeout(30_000); // the interpreter is generated here, on a machine that may be busy
    const vectors = zlib.gunzipSync(fs.readFileSync(VECTORS));
    const bench = new X87Bench();
    assert(vectors.length > 400 * 2 * CASE_SIZE, 'two cases of each form');
    for (let at = 0; at < vectors.length; at += 2 * CASE_SIZE) {
      const given = vectors.subarray(at, at + CASE_SIZE);
      const native = vectors.subarray(at + CASE_SIZE, at + 2 * CASE_SIZE);
      const code = given.subarray(2, 2 + given[0]!).toString('hex');
      assert.deepEqual(differences(given, bench.run(given), native, (a, b) => Buffer.compare(a, b) === 0), [], code);
    }
  });
});

describe('x87: when it may execute', () => {
  it('CR0.EM and CR0.TS raise #NM, for FNINIT too', () => {
    for (const bit of [Cr0.EM, Cr0.TS]) {
      const cpu = processor();
      cpu.state.set32(Offset.CR0, cpu.state.cr0 | bit);
      for (const code of [FLD1, 'db e3', FNSTSW_AX, FNCLEX]) assert.equal(execute(cpu, code), '#NM', code);
    }
  });
  it('FWAIT raises #NM with MP and TS together, not with one of them, and EM does not concern it', () => {
    const cpu = processor();
    const withBits = (bits: number): string => {
      cpu.state.set32(Offset.CR0, Cr0.ET | Cr0.NE | bits);
      return execute(cpu, FWAIT);
    };
    assert.deepEqual([Cr0.MP | Cr0.TS, Cr0.TS, Cr0.MP, Cr0.EM].map(withBits), ['#NM', 'no fault', 'no fault', 'no fault']);
  });
  it('MMX with CR0.EM is #UD, with CR0.TS #NM; EM goes first', () => {
    const cpu = processor();
    cpu.state.set32(Offset.CR0, cpu.state.cr0 | Cr0.EM | Cr0.TS);
    assert.equal(execute(cpu, PADDB), '#UD');
    cpu.state.set32(Offset.CR0, Cr0.ET | Cr0.TS);
    assert.equal(execute(cpu, EMMS), '#NM');
  });
  it('without the feature the instructions do not exist and CPUID does not announce them', () => {
    const cpu = processor();
    cpu.features = new CpuFeatures(['fpu']);
    assert.equal(execute(cpu, FLD1), '#UD');
    assert.equal(execute(cpu, EMMS), '#UD');
    assert.equal(cpuid(cpu, 1, 0).edx & ((1 << 23) | 1), 0);
    cpu.features = new CpuFeatures(['cmov']);
    assert.deepEqual(['da c1', 'db f1', FLD1].map((code) => execute(cpu, code)), ['#UD', '#UD', 'no fault'], 'FCMOV and FCOMI came with CMOV');
    cpu.features = new CpuFeatures([]);
    assert.equal(cpuid(cpu, 1, 0).edx & ((1 << 23) | 1), (1 << 23) | 1);
  });
});

describe('x87: exceptions', () => {
  it('an unmasked exception is reported by the next waiting instruction, as #MF', () => {
    const cpu = processor();
    const s = cpu.state;
    setControlWord(s, 0x37f & ~4); // zero divide unmasked
    for (const code of [FLD1, FLDZ, FDIVP]) assert.equal(execute(cpu, code), 'no fault');
    assert.equal(statusWord(s) & 0x84, 0x84, 'ES and ZE');
    assert.equal(readStack(s, 0).significand, 0n, 'the operands stay');
    assert.equal(isEmpty(s, 1), false, 'and nothing is popped');
    assert.equal(execute(cpu, FNSTSW_AX), 'no fault', 'the no-wait forms do not report');
    assert.equal(Number(s.reg(Gpr.RAX) & 0xffffn), statusWord(s));
    assert.equal(execute(cpu, FLD1), '#16');
    assert.equal(execute(cpu, FWAIT), '#16');
    assert.equal(execute(cpu, PADDB), '#16');
    assert.equal(execute(cpu, FNCLEX), 'no fault');
    assert.equal(execute(cpu, FWAIT), 'no fault');
  });
  it('FLDCW that unmasks a flag that is set makes it pending', () => {
    const cpu = processor();
    for (const code of [FLD1, FLDZ, FDIVP]) execute(cpu, code);
    assert.equal(statusWord(cpu.state) & STATUS_ES, 0);
    cpu.writePhysical(DATA, 2, 0x37bn);
    assert.equal(execute(cpu, 'd9 2e 00 01'), 'no fault');
    assert.notEqual(statusWord(cpu.state) & STATUS_ES, 0);
    assert.equal(execute(cpu, FADDP), '#16');
  });
  it('without CR0.NE a pending exception halts in front of the next instruction, which IGNNE# lets through', () => {
    const cpu = processor();
    setControlWord(cpu.state, 0);
    for (const code of [FLD1, FLDZ, FDIVP]) execute(cpu, code);
    cpu.state.set32(Offset.CR0, Cr0.ET);
    let reported = 0;
    const pins = { ignoresErrors: false, reportError: () => reported++, errorGone: () => (pins.ignoresErrors = false) };
    cpu.coprocessor = pins;
    assert.throws(() => execute(cpu, FWAIT), (thrown) => thrown === STATE_REPLACED);
    assert.deepEqual([reported, cpu.state.get32(Offset.ACTIVITY), cpu.state.rip], [1, Activity.HLT, cpu.instructionRip]);
    pins.ignoresErrors = true;
    assert.equal(execute(cpu, FWAIT), 'no fault');
    assert.equal(execute(cpu, FNCLEX), 'no fault');
    assert.equal(execute(cpu, FWAIT), 'no fault');
    assert.equal(pins.ignoresErrors, false, 'with the exception IGNNE# goes');
  });
  it('a stack overflow sets C1, an underflow clears it', () => {
    const cpu = processor();
    const s = cpu.state;
    for (let i = 0; i < 8; i++) execute(cpu, FLD1);
    execute(cpu, FLD1);
    assert.equal(statusWord(s) & 0x241, 0x241, 'IE, SF, C1');
    initialize(s);
    execute(cpu, FADDP);
    assert.equal(statusWord(s) & 0x241, 0x41, 'IE, SF');
  });
  it('a store that faults leaves status and stack as they were', () => {
    const cpu = processor(true);
    const s = cpu.state;
    execute(cpu, FLDPI);
    s.setLimit(Seg.DS, 0xff);
    const before = statusWord(s);
    assert.equal(execute(cpu, 'dd 1d 00 01 00 00'), '#GP(0)');
    assert.equal(statusWord(s), before);
    assert.equal(isEmpty(s, 0), false);
  });
});

describe('x87: scaling', () => {
  it('FSCALE by zero leaves a denormal as it is and raises no #U; by what is cut off to zero it does', () => {
    const scaled = (significand: bigint, scale: Extended): unknown[] => {
      const cpu = processor();
      const s = cpu.state;
      execute(cpu, FLDZ);
      execute(cpu, FLDZ);
      setControlWord(s, 0x37f & ~UNDERFLOW);
      writeStack(s, 0, extended(0, 0, significand));
      writeStack(s, 1, scale);
      execute(cpu, FSCALE);
      const { exponent, significand: result } = readStack(s, 0);
      return [exponent, result, statusWord(s) & 0xff];
    };
    const HALF = extended(0, 0x3ffe, 1n << 63n);
    assert.deepEqual(scaled(5n, extended(1, 0, 0n)), [0, 5n, DENORMAL]);
    assert.deepEqual(scaled(1n << 63n, extended(0, 0, 0n)), [1, 1n << 63n, DENORMAL], 'a pseudo-denormal');
    assert.deepEqual(scaled(1n, HALF), [0x5fc2, 1n << 63n, STATUS_ES | UNDERFLOW | DENORMAL]);
  });
});

describe('x87: memory images', () => {
  it('pi rounds to its double and to an integer', () => {
    const cpu = processor();
    execute(cpu, FLDPI);
    execute(cpu, FSTP_DOUBLE);
    assert.equal(cpu.readPhysical(DATA, 8), 0x400921fb54442d18n);
    execute(cpu, FLDPI);
    execute(cpu, 'df 1e 00 01'); // fistp word
    assert.equal(cpu.readPhysical(DATA, 2), 3n);
  });
  it('the real-mode environment splits the pointers around the opcode', () => {
    const cpu = processor();
    const s = cpu.state;
    execute(cpu, FLD1);
    assert.equal(lastInstruction(s), 0x1234n);
    s.set64(Offset.FPU + Area.INSTRUCTION, 0xa_5678n);
    s.set64(Offset.FPU + Area.OPERAND, 0xb_9abcn);
    execute(cpu, FNSTENV);
    const words = Array.from({ length: 7 }, (_, i) => Number(cpu.readPhysical(DATA + 2 * i, 2)));
    assert.deepEqual(words, [0x37f, 7 << 11, 0x3fff, 0x5678, 0xa000, 0x9abc, 0xb000]);
    initialize(s);
    execute(cpu, FLDENV);
    assert.deepEqual([controlWord(s), top(s), tagBits(s), lastInstruction(s)], [0x37f, 7, 0x80, 0xa_5678n]);
  });
  it('FNSAVE initializes, FRSTOR brings everything back, in the 16-bit and the 32-bit form', () => {
    for (const wide of [false, true]) {
      const cpu = processor(wide);
      const s = cpu.state;
      const address = wide ? '05 00 01 00 00' : '06 00 01';
      for (const code of [FLDPI, FLD1]) execute(cpu, code);
      const before = [statusWord(s), tagBits(s), readStack(s, 0), readStack(s, 1)];
      execute(cpu, wide ? `dd 35${address.slice(2)}` : FNSAVE);
      assert.deepEqual([statusWord(s), tagBits(s), controlWord(s)], [0, 0, 0x37f]);
      execute(cpu, wide ? `dd 25${address.slice(2)}` : FRSTOR);
      assert.deepEqual([statusWord(s), tagBits(s), readStack(s, 0), readStack(s, 1)], before);
    }
  });
  it('FXSAVE’s image is by stack position, whatever TOP is', () => {
    const s = processor().state;
    setTop(s, 5);
    writeStack(s, 2, { sign: 1, exponent: 0x4001, significand: 0x9000_0000_0000_0000n });
    const image = new DataView(new ArrayBuffer(512));
    x87ToFxsave(s, image);
    assert.equal(image.getBigUint64(32 + 2 * 16, true), 0x9000_0000_0000_0000n);
    assert.equal(image.getUint16(40 + 2 * 16, true), 0xc001);
    assert.equal(image.getUint8(4), 0x80, 'R7');
    powerOn(s);
    assert.deepEqual([controlWord(s), tagBits(s)], [0x40, 0xff], 'RESET is not FINIT');
    x87FromFxsave(s, image);
    assert.deepEqual([top(s), tagBits(s), readStack(s, 2).exponent], [5, 0x80, 0x4001]);
  });
});

describe('MMX', () => {
  it('a write makes all registers valid, TOP 0 and the exponent all ones; EMMS empties them', () => {
    const cpu = processor();
    const s = cpu.state;
    setTop(s, 3);
    setTagBits(s, 0);
    writeMmx(s, 0, 0x01ff_7f80n);
    writeMmx(s, 1, 0x0101_0180n);
    assert.equal(execute(cpu, PADDB), 'no fault');
    assert.equal(readMmx(s, 0), 0x0200_8000n);
    assert.deepEqual([top(s), tagBits(s), readStack(s, 0).exponent, readStack(s, 0).sign], [0, 0xff, 0x7fff, 1]);
    execute(cpu, EMMS);
    assert.equal(tagBits(s), 0);
  });
});
