import assert from 'node:assert/strict';
import { statusWord } from '../../src/cpu/fpu/registers';
import { readMxcsr, writeMxcsr } from '../../src/cpu/simd/mxcsr';
import { readXmm, writeXmm } from '../../src/cpu/simd/vectorOperands';
import { Gpr, Offset } from '../../src/cpu/state';
import { cpuid } from '../../src/cpu/system/cpuid';
import { CpuFeatures } from '../../src/cpu/system/features';
import { xcr0Allowed } from '../../src/cpu/system/xsaveLayout';
import { DATA, simdMachine, type SimdMachine } from './simdMachine';

const XSAVE = '48 0f ae 27';
const XRSTOR = '48 0f ae 2f';
const XSAVEOPT = '48 0f ae 37';
const XSAVEC = '48 0f c7 27';
const XSAVES = '48 0f c7 2f';
const XRSTORS = '48 0f c7 1f';
const XGETBV = '0f 01 d0';
const XSETBV = '0f 01 d1';
const GP = 13;
const UD = 6;
const NM = 7;
const XSTATE_BV = 512;
const XCOMP_BV = 520;
const AVX_AT = 576;
const PKRU_AT = 2688;
const ALL = 0x207n;

const ask = (m: SimdMachine, mask: bigint): void => {
  m.cpu.state.setReg(Gpr.RAX, mask);
  m.cpu.state.setReg(Gpr.RDX, 0n);
};
const setHigh = (m: SimdMachine, n: number, value: bigint): void => m.cpu.state.set64(Offset.YMM + n * 32 + 16, value);
const high = (m: SimdMachine, n: number): bigint => m.cpu.state.get64(Offset.YMM + n * 32 + 16);
const runs = (m: SimdMachine, program: string): void => {
  m.run(program);
  assert.deepEqual(m.raised, []);
};
const raises = (m: SimdMachine, program: string, vector: number): void => {
  m.run(program);
  assert.equal(m.raised[0], vector);
};

/** Values in every component. */
function filled(xcr0 = ALL): SimdMachine {
  const m = simdMachine(xcr0);
  m.run('db e3 d9 e8'); // fninit; fld1
  writeXmm(m.cpu.state, 5, 0x1122_3344_5566_7788_99aa_bbcc_ddee_ff00n);
  setHigh(m, 5, 0xabcdn);
  m.cpu.state.set32(Offset.PKRU, 0x5555_5550);
  writeMxcsr(m.cpu.state, 0x1fa0);
  return m;
}

describe('XSAVE', () => {
  it('saves what EDX:EAX and XCR0 both ask for, and changes XSTATE_BV only there', () => {
    const m = filled();
    const area = m.data(DATA);
    area.setBigUint64(XSTATE_BV, 0xfffn, true);
    ask(m, 6n);
    runs(m, XSAVE);
    assert.equal(area.getBigUint64(XSTATE_BV, true), 0xfffn);
    assert.equal(area.getUint16(0, true), 0); // x87 was not asked for
    assert.equal(area.getUint32(24, true), 0x1fa0);
    assert.equal(area.getUint32(28, true), 0xffff);
    assert.equal(area.getBigUint64(160 + 5 * 16, true), 0x99aa_bbcc_ddee_ff00n);
    assert.equal(area.getBigUint64(AVX_AT + 5 * 16, true), 0xabcdn);
    setHigh(m, 5, 0n);
    ask(m, 6n);
    runs(m, XSAVE);
    assert.equal(area.getBigUint64(XSTATE_BV, true), 0xffbn); // AVX is initial now
    assert.equal(area.getBigUint64(AVX_AT + 5 * 16, true), 0n); // and XSAVE writes it all the same
    assert.equal(area.getBigUint64(PKRU_AT, true), 0n);
  });

  it('XSAVEOPT leaves out what is initial', () => {
    const m = filled();
    const area = m.data(DATA);
    setHigh(m, 5, 0n);
    area.setBigUint64(AVX_AT, 0x77n, true);
    ask(m, ALL);
    runs(m, XSAVEOPT);
    assert.equal(area.getBigUint64(XSTATE_BV, true), 0x203n);
    assert.equal(area.getBigUint64(AVX_AT, true), 0x77n);
    assert.equal(area.getUint32(PKRU_AT, true), 0x5555_5550);
  });

  it('XSAVEC puts components one behind the other and counts a changed MXCSR as SSE in use', () => {
    const m = filled();
    const area = m.data(DATA);
    writeXmm(m.cpu.state, 5, 0n);
    setHigh(m, 5, 0n);
    ask(m, ALL);
    runs(m, XSAVEC);
    assert.equal(area.getBigUint64(XSTATE_BV, true), 0x203n);
    assert.equal(area.getBigUint64(XCOMP_BV, true), (1n << 63n) | ALL);
    assert.equal(area.getUint32(AVX_AT + 256, true), 0x5555_5550);
    writeMxcsr(m.cpu.state, 0x1f80);
    m.cpu.state.set32(Offset.PKRU, 1);
    ask(m, 0x201n); // without AVX nothing is between
    runs(m, XSAVEC);
    assert.equal(area.getBigUint64(XSTATE_BV, true), 0x201n);
    assert.equal(area.getBigUint64(XCOMP_BV, true), (1n << 63n) | 0x201n);
    assert.equal(area.getUint32(AVX_AT, true), 1);
  });

  for (const [save, restore] of [[XSAVE, XRSTOR], [XSAVEOPT, XRSTOR], [XSAVEC, XRSTOR], [XSAVES, XRSTORS], [XSAVES, XRSTOR]] as const) {
    it(`what ${save} saves ${restore} restores, and initial components become initial`, () => {
      const m = filled();
      ask(m, ALL);
      runs(m, save);
      const s = m.cpu.state;
      writeXmm(s, 5, 1n);
      writeXmm(s, 6, 2n);
      setHigh(m, 5, 3n);
      s.set32(Offset.PKRU, 0);
      writeMxcsr(s, 0x1f80);
      m.run('db e3 d9 ee'); // fninit; fldz
      ask(m, ALL);
      runs(m, restore);
      assert.equal(readXmm(s, 5), 0x1122_3344_5566_7788_99aa_bbcc_ddee_ff00n);
      assert.equal(readXmm(s, 6), 0n);
      assert.equal(high(m, 5), 0xabcdn);
      assert.equal(s.get32(Offset.PKRU), 0x5555_5550);
      assert.equal(readMxcsr(s), 0x1fa0);
      assert.equal((statusWord(s) >>> 11) & 7, 7);
      // An area whose XSTATE_BV is 0 puts everything into its initial configuration.
      m.data(DATA).setBigUint64(XSTATE_BV, 0n, true);
      ask(m, ALL);
      runs(m, restore);
      assert.equal(readXmm(s, 5), 0n);
      assert.equal(high(m, 5), 0n);
      assert.equal(s.get32(Offset.PKRU), 0);
      // The standard format takes MXCSR from memory even then.
      assert.equal(readMxcsr(s), save === XSAVE || save === XSAVEOPT ? 0x1fa0 : 0x1f80);
      s.setReg(Gpr.RCX, 1n);
      runs(m, XGETBV);
      assert.equal(s.reg(Gpr.RAX), save === XSAVE || save === XSAVEOPT ? 2n : 0n);
    });
  }

  it('XRSTOR refuses headers: bits beyond XCR0, reserved bytes, a format of other components, a bad MXCSR', () => {
    const m = filled(7n);
    const area = m.data(DATA);
    const attempt = (set: () => void, vector: number | undefined, program = XRSTOR): void => {
      for (let at = 0; at < 1024; at += 8) area.setBigUint64(at, 0n, true);
      area.setUint32(24, 0x1f80, true);
      set();
      ask(m, 7n);
      if (vector === undefined) runs(m, program);
      else raises(m, program, vector);
    };
    attempt(() => undefined, undefined);
    attempt(() => area.setBigUint64(XSTATE_BV, 8n, true), GP);
    attempt(() => area.setBigUint64(XCOMP_BV, 1n, true), GP);
    attempt(() => area.setBigUint64(528, 1n, true), GP);
    attempt(() => area.setBigUint64(536, 1n, true), undefined); // not looked at in the standard format
    attempt(() => area.setUint32(24, 0x1_0000, true), GP);
    const compacted = (components: bigint, present: bigint): void => {
      area.setBigUint64(XCOMP_BV, (1n << 63n) | components, true);
      area.setBigUint64(XSTATE_BV, present, true);
    };
    attempt(() => compacted(7n, 3n), undefined);
    attempt(() => compacted(8n, 0n), GP);
    attempt(() => compacted(1n, 2n), GP);
    attempt(() => (compacted(7n, 3n), area.setBigUint64(568, 1n, true)), GP);
    attempt(() => compacted(7n, 3n), undefined, XRSTORS);
    attempt(() => undefined, GP, XRSTORS); // the standard format
  });

  it('faults: not aligned #GP, CR0.TS #NM, CR4.OSXSAVE clear #UD, LOCK #UD, a page that is not there before anything is written', () => {
    const m = filled();
    const s = m.cpu.state;
    ask(m, ALL);
    s.setReg(Gpr.RDI, BigInt(DATA + 32));
    for (const program of [XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS]) raises(m, program, GP);
    s.setReg(Gpr.RDI, BigInt(DATA));
    raises(m, 'f0 ' + XSAVE, UD);
    s.set64(Offset.CR0, s.get64(Offset.CR0) | 8n);
    raises(m, XSAVE, NM);
    s.set64(Offset.CR4, s.get64(Offset.CR4) & ~0x4_0000n);
    for (const program of [XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS, XGETBV, XSETBV]) raises(m, program, UD);
    s.set64(Offset.CR4, s.get64(Offset.CR4) | 0x4_0000n);
    s.set64(Offset.CR0, s.get64(Offset.CR0) & ~8n);
    const end = 16 << 20; // RAM is mapped up to here
    s.setReg(Gpr.RDI, BigInt(end - 576));
    raises(m, XSAVE, 14);
    assert.equal(m.data(end - 576).getUint16(0, true), 0);
    s.setReg(Gpr.RDI, BigInt(end - 576));
    ask(m, 3n);
    runs(m, XSAVE);
  });

  it('XSETBV refuses what is not there, what needs something else, and an index but 0', () => {
    const m = simdMachine(1n);
    const s = m.cpu.state;
    const set = (value: bigint, index = 0n): void => {
      ask(m, value);
      s.setReg(Gpr.RCX, index);
      m.run(XSETBV);
    };
    for (const value of [0n, 2n, 5n, 8n, 0x10007n]) {
      set(value);
      assert.equal(m.raised[0], GP, `XCR0 = ${value}`);
    }
    for (const value of [1n, 3n, 7n, 0x201n]) {
      set(value);
      assert.deepEqual(m.raised, []);
      assert.equal(s.get64(Offset.XCR0), value);
    }
    set(7n, 1n);
    assert.equal(m.raised[0], GP);
    assert.equal(xcr0Allowed(new CpuFeatures(['avx']), 7n), false);
    assert.equal(xcr0Allowed(new CpuFeatures(['pku']), 0x201n), false);
  });

  it('CPUID leaf 0xD: sizes follow XCR0, offsets the components', () => {
    const m = simdMachine(1n);
    const { cpu } = m;
    assert.deepEqual(cpuid(cpu, 0xd, 0), { eax: 0x207, ebx: 576, ecx: 2696, edx: 0 });
    assert.equal(cpuid(cpu, 0xd, 1).eax, 15);
    cpu.state.set64(Offset.XCR0, 7n);
    assert.equal(cpuid(cpu, 0xd, 0).ebx, 832);
    assert.equal(cpuid(cpu, 0xd, 1).ebx, 832);
    cpu.state.set64(Offset.XCR0, 0x203n);
    assert.equal(cpuid(cpu, 0xd, 0).ebx, 2696);
    assert.equal(cpuid(cpu, 0xd, 1).ebx, 584);
    assert.deepEqual(cpuid(cpu, 0xd, 2), { eax: 256, ebx: 576, ecx: 0, edx: 0 });
    assert.deepEqual(cpuid(cpu, 0xd, 9), { eax: 8, ebx: 2688, ecx: 0, edx: 0 });
    assert.deepEqual(cpuid(cpu, 0xd, 3), { eax: 0, ebx: 0, ecx: 0, edx: 0 });
    assert.equal(cpuid(cpu, 1, 0).ecx & (1 << 27), 1 << 27); // OSXSAVE is CR4's
  });

  it('IA32_XSS exists and takes no component that does not', () => {
    const m = simdMachine();
    const s = m.cpu.state;
    s.setReg(Gpr.RCX, 0xda0n);
    runs(m, '0f 32'); // rdmsr
    assert.equal(s.reg(Gpr.RAX), 0n);
    ask(m, 0x100n);
    raises(m, '0f 30', GP); // wrmsr
  });
});

describe('RDRAND and RDSEED', () => {
  it('yield numbers that a restored state yields again, with CF set and the other status flags clear', () => {
    const m = simdMachine();
    const s = m.cpu.state;
    const before = s.get64(Offset.RANDOM);
    const program = '48 0f c7 f0 48 0f c7 f3 0f c7 fe 66 0f c7 f1'; // rdrand rax; rdrand rbx; rdseed esi; rdrand cx
    s.setReg(Gpr.RCX, 0xaaaa_bbbb_cccc_0000n);
    m.run(program);
    const first = [Gpr.RAX, Gpr.RBX, Gpr.RSI, Gpr.RCX].map((n) => s.reg(n));
    assert.equal(new Set(first).size, 4);
    assert.equal(first[2]! >> 32n, 0n);
    assert.equal(first[3]! >> 16n, 0xaaaa_bbbb_ccccn);
    s.set64(Offset.RANDOM, before);
    m.run(program + ' 9c 58'); // pushf; pop rax
    assert.deepEqual([Gpr.RBX, Gpr.RSI, Gpr.RCX].map((n) => s.reg(n)), first.slice(1));
  });
});

describe('protection keys', () => {
  /** DATA's page is a user page with key 3; CPL is 0. */
  function keyed(): SimdMachine {
    const m = simdMachine();
    const entry = m.data(0x3000 + (DATA >>> 21) * 8);
    entry.setBigUint64(0, entry.getBigUint64(0, true) | (3n << 59n), true);
    m.cpu.state.set64(Offset.CR4, m.cpu.state.get64(Offset.CR4) | (1n << 22n));
    m.cpu.flushTlb();
    m.cpu.stateChanged();
    return m;
  }
  const READ = '8b 07'; // mov eax, [rdi]
  const WRITE = '89 07';
  const PROTECTION_KEY = 0x21; // the error code: a page that is present, and its key

  it('AD refuses reads and writes, WD writes where CR0.WP is set; WRPKRU takes effect at once', () => {
    const m = keyed();
    const s = m.cpu.state;
    const set = (value: bigint, then: string): void => {
      s.setReg(Gpr.RAX, value);
      s.setReg(Gpr.RCX, 0n);
      s.setReg(Gpr.RDX, 0n);
      m.run(`8b 0f 31 c9 0f 01 ef ${then}`); // a read that fills the TLB; wrpkru
    };
    set(0n, READ);
    assert.deepEqual(m.raised, []);
    set(1n << 6n, READ);
    assert.equal(m.raised[0], 14);
    assert.equal(m.codes[0], PROTECTION_KEY);
    s.set32(Offset.PKRU, 0);
    set(2n << 6n, READ);
    assert.deepEqual(m.raised, []);
    set(2n << 6n, WRITE);
    assert.deepEqual(m.raised, []); // CR0.WP is clear
    s.set64(Offset.CR0, s.get64(Offset.CR0) | (1n << 16n));
    m.cpu.flushTlb();
    set(2n << 6n, WRITE);
    assert.equal(m.raised[0], 14);
    set(2n << 8n, WRITE); // another key
    assert.deepEqual(m.raised, []);
  });

  it('RDPKRU and WRPKRU want ECX and EDX 0, and CR4.PKE', () => {
    const m = keyed();
    const s = m.cpu.state;
    s.setReg(Gpr.RCX, 1n);
    raises(m, '0f 01 ee', GP);
    s.setReg(Gpr.RCX, 0n);
    s.setReg(Gpr.RDX, 1n);
    raises(m, '0f 01 ef', GP);
    runs(m, '0f 01 ee');
    assert.equal(s.reg(Gpr.RDX), 0n);
    s.set64(Offset.CR4, s.get64(Offset.CR4) & ~(1n << 22n));
    raises(m, '0f 01 ee', UD);
  });
});
