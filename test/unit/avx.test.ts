import assert from 'node:assert/strict';
import { decode } from '../../src/cpu/decode/decode';
import { AbsentInstructions } from '../../src/cpu/decode/absent';
import { Instruction } from '../../src/cpu/decode/instruction';
import { mnemonics } from '../../src/cpu/decode/mnemonics';
import { translatorPolicy } from '../../src/cpu/engine/translator';
import { DOUBLE, FloatUnit, SINGLE } from '../../src/cpu/simd/float';
import { Mxcsr, readMxcsr, writeMxcsr } from '../../src/cpu/simd/mxcsr';
import { readXmm, readYmm, writeXmm, writeYmm } from '../../src/cpu/simd/vectorOperands';
import { Gpr, Offset, Seg } from '../../src/cpu/state';
import { cpuid } from '../../src/cpu/system/cpuid';
import { CpuFeatures } from '../../src/cpu/system/features';
import { createFlatMachine } from '../silicon/flatMachine';
import { Random } from '../silicon/random';
import { bytes, CODE, DATA, simdMachine, type SimdMachine } from './simdMachine';

const UD = 6;
const NM = 7;
const GP = 13;
const PF = 14;
const XM = 19;
/** Where RAM, and its mapping, ends. */
const END = 16 << 20;

const VADDPS = 'c5 f4 58 c2'; // vaddps ymm0, ymm1, ymm2
const all = (value: bigint): bigint => Array.from({ length: 8 }, (_, i) => value << BigInt(i * 32)).reduce((a, b) => a | b);

function raises(m: SimdMachine, program: string, vector: number): void {
  m.run(program);
  assert.equal(m.raised[0], vector, program);
}
function runs(m: SimdMachine, program: string): void {
  m.run(program);
  assert.deepEqual(m.raised, [], program);
}

describe('AVX', () => {
  it('128-bit forms clear the upper half, legacy SSE leaves it, 256-bit forms do both lanes', () => {
    const m = simdMachine();
    const s = m.cpu.state;
    for (let n = 0; n < 4; n++) writeYmm(s, n, all(BigInt(n + 1)));
    runs(m, 'c5 f1 fe c2'); // vpaddd xmm0, xmm1, xmm2
    assert.equal(readYmm(s, 0), all(5n) & ((1n << 128n) - 1n));
    runs(m, 'c5 f5 fe c2'); // vpaddd ymm0, ymm1, ymm2
    assert.equal(readYmm(s, 0), all(5n));
    runs(m, '66 0f fe cb'); // paddd xmm1, xmm3
    assert.equal(readYmm(s, 1), (all(2n) >> 128n << 128n) | (all(6n) & ((1n << 128n) - 1n)));
    runs(m, 'c5 f8 77'); // vzeroupper
    assert.equal(readYmm(s, 0), readXmm(s, 0));
    runs(m, 'c5 fc 77'); // vzeroall
    for (let n = 0; n < 16; n++) assert.equal(readYmm(s, n), 0n);
  });

  it('is one instruction to the clock, also with a memory operand', () => {
    const m = simdMachine();
    m.run('90');
    const idle = m.cpu.state.icount;
    m.run('90 c5 f5 fe 07 c5 fc 58 47 01 64 c5 f9 6f 07'); // vpaddd ymm0, ymm1, [rdi]; vaddps ymm0, ymm0, [rdi+1]; vmovdqa xmm0, fs:[rdi]
    assert.deepEqual(m.raised, []);
    assert.equal(m.cpu.state.icount - idle, idle + 3);
  });

  it('needs CR4.OSXSAVE and SSE and AVX in XCR0; CR0.TS raises #NM; CR0.EM and CR4.OSFXSR do not matter', () => {
    for (const [xcr0, vector] of [[1n, UD], [3n, UD], [7n, undefined]] as const) {
      const m = simdMachine(xcr0);
      for (const program of [VADDPS, 'c5 f8 77', 'c5 fc 10 07', 'c4 e2 f5 98 c2', 'c5 f8 ae 17']) {
        if (vector === undefined) runs(m, program);
        else raises(m, program, vector);
      }
      runs(m, 'c4 e2 70 f2 c2'); // andn eax, ecx, edx: no vector state
    }
    const m = simdMachine();
    const s = m.cpu.state;
    s.set64(Offset.CR0, s.get64(Offset.CR0) | 4n);
    s.set64(Offset.CR4, s.get64(Offset.CR4) & ~0x200n);
    runs(m, VADDPS);
    raises(m, '0f 58 c1', UD); // addps
    s.set64(Offset.CR0, s.get64(Offset.CR0) | 8n);
    raises(m, VADDPS, NM);
    runs(m, 'c4 e2 70 f2 c2');
    s.set64(Offset.CR4, s.get64(Offset.CR4) & ~0x4_0000n);
    raises(m, VADDPS, UD);
  });

  it('does not exist in real-address mode, nor do BMI instructions', () => {
    for (const program of ['c5 f4 58 c2', 'c4 e2 70 f2 c2', 'c4 e2 70 f5 c2']) {
      const m = simdMachine();
      const s = m.cpu.state;
      s.set64(Offset.CR0, 0x10n);
      s.set64(Offset.EFER, 0n);
      s.setAccess(Seg.CS, 0x9b);
      s.setSegBase(Seg.CS, BigInt(CODE));
      m.cpu.views.u8.set(bytes(program), m.ram + CODE);
      s.rip = 0n;
      s.set64(Offset.IDTR_LIMIT, 0n);
      m.cpu.stateChanged();
      m.cpu.run(1);
      assert.equal(m.raised[0], UD, program);
    }
  });

  it('66, F2, F3, LOCK and REX before VEX, vvvv that names nothing, and a wrong VEX.L raise #UD', () => {
    const m = simdMachine();
    for (const prefix of ['66', 'f2', 'f3', 'f0', '48']) raises(m, `${prefix} ${VADDPS}`, UD);
    raises(m, 'c5 f4 10 c2', UD); // vmovups with vvvv
    runs(m, 'c5 fc 10 c2');
    raises(m, 'c5 f5 6e c0', UD); // vmovd with L1
    raises(m, 'c4 e3 79 06 c1 00', UD); // vperm2f128 with L0
    runs(m, '67 c5 fc 10 07');
  });

  it('only VMOVAPS and its kin want alignment, to the width of the operand', () => {
    const m = simdMachine();
    m.cpu.state.setReg(Gpr.RDI, BigInt(DATA + 16));
    runs(m, 'c5 f8 28 07'); // vmovaps xmm0, [rdi]
    raises(m, 'c5 fc 28 07', GP); // ymm
    raises(m, 'c5 fc 29 07', GP);
    raises(m, 'c5 fd e7 07', GP); // vmovntdq
    raises(m, 'c4 e2 7d 2a 07', GP); // vmovntdqa
    m.cpu.state.setReg(Gpr.RDI, BigInt(DATA + 1));
    for (const program of ['c5 fc 10 07', 'c5 fc 11 07', 'c5 fc 58 07', 'c5 ff f0 07', 'c4 e2 7d 17 07']) runs(m, program);
  });

  it('a 32-byte store that faults in its second page writes nothing; one across two pages writes all', () => {
    const m = simdMachine();
    const s = m.cpu.state;
    writeYmm(s, 1, all(0x1234_5678n));
    s.setReg(Gpr.RDI, BigInt(END - 16));
    raises(m, 'c5 fc 11 0f', PF); // vmovups [rdi], ymm1
    assert.equal(m.data(END - 16).getBigUint64(0, true), 0n);
    s.setReg(Gpr.RDI, BigInt(DATA + 0x1000 - 8));
    runs(m, 'c5 fc 11 0f c5 fc 10 17'); // and vmovups ymm2, [rdi]
    assert.equal(readYmm(s, 2), all(0x1234_5678n));
  });

  it('a masked move accesses, and faults for, chosen elements alone', () => {
    const m = simdMachine();
    const s = m.cpu.state;
    writeYmm(s, 1, 0x8000_0000n | (0x8000_0000n << 32n)); // the two lowest elements
    writeYmm(s, 2, all(7n));
    s.setReg(Gpr.RDI, BigInt(END - 8));
    runs(m, 'c4 e2 75 8e 17'); // vpmaskmovd [rdi], ymm1, ymm2
    assert.equal(m.data(END - 8).getBigUint64(0, true), 0x7_0000_0007n);
    runs(m, 'c4 e2 75 8c 07'); // vpmaskmovd ymm0, ymm1, [rdi]
    assert.equal(readYmm(s, 0), 0x7_0000_0007n);
    writeYmm(s, 1, 0x8000_0000n | (0x8000_0000n << 64n)); // and one beyond
    m.data(END - 8).setBigUint64(0, 0n, true);
    raises(m, 'c4 e2 75 8e 17', PF);
    assert.equal(m.data(END - 8).getBigUint64(0, true), 0n);
  });

  it('a gather that faults keeps what it has, with the mask telling the rest, and goes on from there', () => {
    const m = simdMachine();
    const s = m.cpu.state;
    const far = BigInt((END - DATA) >>> 2); // index of the first doubleword behind RAM
    for (let i = 0; i < 8; i++) m.data(DATA).setUint32(i * 4, 100 + i, true);
    writeYmm(s, 0, all(1n));
    writeYmm(s, 1, 2n | (5n << 32n) | (0n << 64n) | (far << 96n)); // indices
    writeYmm(s, 2, 0x8000_0000n | (0xffff_ffffn << 32n) | (0x8000_0000n << 96n)); // element 2 is not wanted
    raises(m, 'c4 e2 69 90 04 8f', PF); // vpgatherdd xmm0, [rdi + xmm1 * 4], xmm2
    assert.equal(readXmm(s, 0), 102n | (105n << 32n) | (1n << 64n) | (1n << 96n));
    assert.equal(readYmm(s, 2), 0xffff_ffffn << 96n);
    writeYmm(s, 1, readYmm(s, 1) & ((1n << 96n) - 1n));
    runs(m, 'c4 e2 69 90 04 8f');
    assert.equal(readYmm(s, 0), 102n | (105n << 32n) | (1n << 64n) | (100n << 96n));
    assert.equal(readYmm(s, 2), 0n);
    raises(m, 'c4 e2 71 90 04 8f', UD); // the same register as index and mask
  });

  it('an unmasked exception in any element changes nothing and raises #XM', () => {
    const m = simdMachine();
    const s = m.cpu.state;
    writeYmm(s, 0, 99n);
    writeYmm(s, 1, all(0x3f80_0000n));
    writeYmm(s, 2, 0x7f80_0001n << 224n); // a signalling NaN in the highest element
    writeMxcsr(s, 0x1f80 & ~(Mxcsr.IE << 7));
    raises(m, VADDPS, XM);
    assert.equal(readYmm(s, 0), 99n);
    assert.equal(readMxcsr(s) & 0x3f, Mxcsr.IE);
  });

  it('FMA rounds once', () => {
    const m = simdMachine();
    const s = m.cpu.state;
    const view = new DataView(new ArrayBuffer(8));
    const bitsOf = (x: number): bigint => (view.setFloat64(0, x), view.getBigUint64(0));
    const x = 1 + 2 ** -52;
    for (const [n, value] of [[0, x], [1, -1 - 2 ** -51], [2, x]] as const) writeXmm(s, n, bitsOf(value));
    runs(m, 'c4 e2 e9 99 c1'); // vfmadd132sd xmm0, xmm2, xmm1: xmm0 * xmm1 + xmm2
    writeXmm(s, 0, bitsOf(x));
    writeXmm(s, 2, bitsOf(x));
    runs(m, 'c4 e2 e9 a9 c1'); // vfmadd213sd xmm0, xmm2, xmm1: xmm2 * xmm0 + xmm1
    assert.equal(readXmm(s, 0), bitsOf(2 ** -104)); // x * x = 1 + 2^-51 + 2^-104: rounded before, the sum would be 0
  });
});

describe('FMA in generated code', () => {
  const view = new DataView(new ArrayBuffer(8));
  const bitsOf = (x: number): bigint => (view.setFloat64(0, x), view.getBigUint64(0));
  const singleBits = (x: number): bigint => (view.setFloat32(0, x), BigInt(view.getUint32(0)));

  it('agrees with exact arithmetic where sums cancel, where bits lie far apart, and on ties', () => {
    const m = simdMachine();
    const s = m.cpu.state;
    const r = new Random(7);
    const unit = new FloatUnit(0x1fa0);
    const number = (): number => (1 + r.next() / 2 ** 32 + r.next() / 2 ** 52) * 2 ** (r.below(40) - 20) * (r.below(2) ? 1 : -1);
    const few = (): number => (r.below(64) - 32) / 8;
    m.run('90');
    let slow = 0;
    for (let i = 0; i < 3000; i++) {
      const plain = r.below(4) === 0;
      const [a, b] = plain ? [few(), few()] : [number(), number()];
      const near = -(a * b) * (1 + (r.below(9) - 4) * 2 ** -52);
      const c = [near, -(a * b), number(), number() * 2 ** -60, number() * 2 ** 60, few(), 0][r.below(7)]!;
      for (const [single, opcode] of [[false, 'c4 e2 e9 a9 c1'], [true, 'c4 e2 69 a9 c1']] as const) { // vfmadd213: xmm2 * xmm0 + xmm1
        const encode = single ? singleBits : bitsOf;
        [a, c, b].forEach((x, n) => writeXmm(s, n, encode(x)));
        writeMxcsr(s, 0x1fa0); // inexactness is recorded already
        if (i === 0 || m.cpu.views.u8[m.ram + CODE + 2] !== (single ? 0x69 : 0xe9)) m.cpu.memoryChanged(CODE >>> 12);
        m.cpu.views.u8.set(bytes(opcode + ' f4'), m.ram + CODE);
        s.rip = BigInt(CODE);
        s.set32(Offset.ACTIVITY, 0);
        m.cpu.run(1);
        const f = single ? SINGLE : DOUBLE;
        const expected = unit.fusedMultiplyAdd(f, encode(b), encode(a), encode(c), false, false);
        assert.equal(readXmm(s, 0), expected, `${b} * ${a} + ${c}, ${single ? 'single' : 'double'}`);
        if (readMxcsr(s) !== 0x1fa0) slow++;
      }
    }
    assert.ok(slow < 100, `${slow} raised exceptions`);
  });
});

describe('AVX, BMI and FMA in both tiers', () => {
  /** Instructions of every shape that generated code has for them; data is [rdi], ECX counts. */
  const BODY = [
    'c5 fd fe 07', // vpaddd ymm0, ymm0, [rdi]
    'c5 f5 ef c8', // vpxor ymm1, ymm1, ymm0
    'c5 fc 58 57 20', // vaddps ymm2, ymm0, [rdi+32]
    'c4 e2 6d 98 5f 20', // vfmadd132ps ymm3, ymm2, [rdi+32]
    'c4 e2 f1 b9 e0', // vfmadd231sd xmm4, xmm1, xmm0
    'c4 e3 fd 00 e9 1b', // vpermq ymm5, ymm1, 0x1b
    'c4 e3 55 46 f0 31', // vperm2i128 ymm6, ymm5, ymm0, 0x31
    'c4 e3 4d 4c f9 50', // vpblendvb ymm7, ymm6, ymm1, ymm5
    'c4 62 7d 78 07', // vpbroadcastb ymm8, [rdi]
    'c5 3d 73 d7 05', // vpsrlq ymm8, ymm7, 5
    'c5 fd d7 c1', // vpmovmskb eax, ymm1
    'c4 e2 78 f2 d9', // andn ebx, eax, ecx
    'c4 e2 63 f6 d0', // mulx edx, ebx, eax
    'c5 fe 7f 7f 40', // vmovdqu [rdi+64], ymm7
    'c4 63 79 16 c6 02', // vpextrd esi, xmm8, 2
    'c4 63 39 22 ce 01', // vpinsrd xmm9, xmm8, esi, 1
    'c4 e2 7d 17 c9', // vptest ymm1, ymm1
    '0f 92 c0', // setc al
    'c5 fb 2a d1', // vcvtsi2sd xmm2, xmm0, ecx
    'c5 fb 2d ea', // vcvtsd2si ebp, xmm2
  ].join(' ');

  const run = (enabled: boolean): { text: string; regions: number } => {
    const before = { ...translatorPolicy };
    Object.assign(translatorPolicy, { enabled, threshold: 0, slice: 64, straight: 0 });
    const m = simdMachine();
    Object.assign(translatorPolicy, before);
    const s = m.cpu.state;
    writeMxcsr(s, 0x1fa0);
    for (let i = 0; i < 24; i++) m.data(DATA).setFloat32(i * 4, 1 + i / 7, true);
    const code = bytes(`b9 00 02 00 00 ${BODY} ff c9 0f 85 00 00 00 00 f4`); // mov ecx, 512 ... dec ecx; jnz the body
    const back = -(bytes(BODY).length + 8);
    for (let i = 0; i < 4; i++) code[code.length - 5 + i] = (back >> (8 * i)) & 0xff;
    m.cpu.views.u8.set(code, m.ram + CODE);
    s.rip = BigInt(CODE);
    while (s.get32(Offset.ACTIVITY) === 0 && m.raised.length === 0) m.cpu.run(1000);
    assert.deepEqual(m.raised, []);
    const { translator } = m.cpu as unknown as { translator?: { made: number } };
    const registers = Array.from({ length: 16 }, (_, n) => `${s.reg(n).toString(16)} ${readYmm(s, n).toString(16)}`);
    return { text: [s.icount, readMxcsr(s), m.data(DATA).getBigUint64(64, true), ...registers].join('\n'), regions: translator?.made ?? 0 };
  };

  it('are the same', () => {
    const interpreted = run(false);
    const translated = run(true);
    assert.ok(translated.regions > 0);
    assert.equal(translated.text, interpreted.text);
  });
});

describe('features that are withheld', () => {
  const decoded = (code: string, without: string[]): string => {
    const insn = new Instruction();
    decode(Uint8Array.from([...bytes(code), ...new Uint8Array(15)]), 0, 15, 64, insn);
    AbsentInstructions.of(new CpuFeatures(without))?.apply(insn);
    return mnemonics[insn.op]!;
  };

  it('take their instructions with them, and what needs them', () => {
    assert.equal(AbsentInstructions.of(new CpuFeatures([])), undefined);
    for (const [code, feature, name] of [
      [VADDPS, 'avx', 'vaddps'],
      [VADDPS, 'xsave', 'vaddps'],
      ['c4 e2 f5 98 c2', 'fma', 'vfmadd132pd'],
      ['c4 e2 7d 13 c1', 'f16c', 'vcvtph2ps'],
      ['c5 f5 fe c2', 'avx2', 'vpaddd'],
      ['c4 e2 7d 18 c1', 'avx2', 'vbroadcastss'],
      ['c4 e2 79 58 c1', 'avx2', 'vpbroadcastd'],
      ['c4 e2 70 f2 c2', 'bmi1', 'andn'],
      ['c4 e2 70 f5 c2', 'bmi2', 'bzhi'],
      ['f3 0f b8 c1', 'popcnt', 'popcnt'],
    ] as const) {
      assert.equal(decoded(code, []), name);
      assert.equal(decoded(code, [feature]), 'invalid', name);
    }
    assert.equal(decoded('c5 f1 fe c2', ['avx2']), 'vpaddd'); // 128 bits are AVX's
    assert.equal(decoded('c4 e2 7d 18 07', ['avx2']), 'vbroadcastss'); // from memory too
    assert.equal(decoded('f3 0f bc c1', ['bmi1']), 'bsf');
    assert.equal(decoded('f3 0f bd c1', ['lzcnt']), 'bsr');
  });

  it('CPUID tells of exactly what there is', () => {
    const { cpu } = createFlatMachine(16);
    const bits = (without: string[]): Record<string, boolean> => {
      Object.assign(cpu, { features: new CpuFeatures(without) });
      const [one, seven, d] = [cpuid(cpu, 1, 0), cpuid(cpu, 7, 0), cpuid(cpu, 0xd, 0)];
      const bit = (value: number, n: number): boolean => ((value >>> n) & 1) !== 0;
      return { xsave: bit(one.ecx, 26), avx: bit(one.ecx, 28), f16c: bit(one.ecx, 29), fma: bit(one.ecx, 12), avx2: bit(seven.ebx, 5), bmi1: bit(seven.ebx, 3), bmi2: bit(seven.ebx, 8), ymmState: bit(d.eax, 2), avx512: bit(seven.ebx, 16), pku: bit(seven.ecx, 3) };
    };
    const everything = { xsave: true, avx: true, f16c: true, fma: true, avx2: true, bmi1: true, bmi2: true, ymmState: true, avx512: false, pku: true };
    const noAvx = { ...everything, avx: false, f16c: false, fma: false, avx2: false, ymmState: false };
    assert.deepEqual(bits([]), everything);
    assert.deepEqual(bits(['avx2']), { ...everything, avx2: false });
    assert.deepEqual(bits(['avx']), noAvx);
    assert.deepEqual(bits(['xsave']), { ...noAvx, xsave: false, pku: false });
  });
});
