import assert from 'node:assert/strict';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { CpuFeatures } from '../../src/cpu/system/features';
import { Mxcsr, MXCSR_AT_RESET, readMxcsr, writeMxcsr } from '../../src/cpu/simd/mxcsr';
import { readXmm, writeXmm } from '../../src/cpu/simd/vectorOperands';
import { Gpr, Offset, Seg } from '../../src/cpu/state';
import { createFlatMachine, noVmx } from '../silicon/flatMachine';

const CODE = 0x20_0000;
const DATA = 0x40_0000;
const CR0_TS = 8n;
const CR0_EM = 4n;
const CR4_OSFXSR = 0x200n;
const CR4_OSXMMEXCPT = 0x400n;

const bytes = (text: string): number[] => text.trim().split(/\s+/).map((t) => parseInt(t, 16));

/** A machine with SSE enabled and RDI at DATA, and the exceptions that it raises. */
function machine(program: string): { cpu: Cpu; ram: number; raised: number[] } {
  const made = createFlatMachine(16);
  const { cpu, ram } = made;
  const raised: number[] = [];
  const none = noVmx();
  cpu.intercepts = Object.assign(Object.create(none), none, {
    nonRoot: false,
    boundary: () => false,
    ticksToBoundary: () => Infinity,
    event: (_type: number, vector: number) => raised.push(vector),
    tripleFault: () => undefined,
    delivering: () => undefined,
  });
  cpu.views.u8.set(bytes(program + ' f4'), ram + CODE);
  cpu.state.rip = BigInt(CODE);
  cpu.state.setReg(Gpr.RDI, BigInt(DATA));
  cpu.state.set32(Offset.IDTR_LIMIT, 0);
  cpu.state.set64(Offset.CR4, cpu.state.get64(Offset.CR4) | CR4_OSFXSR | CR4_OSXMMEXCPT);
  cpu.stateChanged();
  return { ...made, raised };
}

const view = new DataView(new ArrayBuffer(16));
function doubles(low: number, high: number): bigint {
  view.setFloat64(0, low);
  view.setFloat64(8, high);
  return view.getBigUint64(0) | (view.getBigUint64(8) << 64n);
}

describe('SSE', () => {
  it('an aligned load takes 16 bytes; misaligned it raises #GP and changes nothing', () => {
    const { cpu, ram, raised } = machine('66 0f 6f 07 66 0f 6f 4f 01'); // movdqa xmm0, [rdi]; movdqa xmm1, [rdi+1]
    cpu.views.u8.set(Array.from({ length: 32 }, (_, i) => i), ram + DATA);
    cpu.run(10);
    assert.equal(readXmm(cpu.state, 0), 0x0f0e0d0c0b0a09080706050403020100n);
    assert.equal(readXmm(cpu.state, 1), 0n);
    assert.equal(raised[0], 13);
  });

  it('a memory operand with the record that loads it is one instruction, also at a breakpoint', () => {
    const { cpu, ram } = machine('66 0f fe 07 66 0f fe 07'); // paddd xmm0, [rdi], twice
    cpu.views.data.setUint32(ram + DATA, 5, true);
    cpu.setBreakpoints(new Set([BigInt(CODE + 4)]));
    assert.equal(cpu.run(10), 'breakpoint');
    assert.equal(cpu.state.icount, 1);
    cpu.skipBreakpointOnce();
    assert.equal(cpu.run(1), 'budget');
    assert.equal(cpu.state.icount, 2);
    assert.equal(readXmm(cpu.state, 0), 10n);
  });

  it('a memory operand with a segment base, and one of an instruction across pages', () => {
    const { cpu, ram } = machine('64 66 0f fe 07'); // paddd xmm0, fs:[rdi]
    cpu.state.setSegBase(Seg.FS, 0x100n);
    cpu.stateChanged();
    cpu.views.data.setUint32(ram + DATA + 0x100, 7, true);
    cpu.run(1);
    assert.equal(readXmm(cpu.state, 0), 7n);
    const across = CODE + 0xffd;
    cpu.views.u8.set(bytes('64 66 0f fe 07 f4'), ram + across);
    cpu.state.rip = BigInt(across);
    assert.equal(cpu.run(10), 'halt');
    assert.equal(readXmm(cpu.state, 0), 14n);
    assert.equal(cpu.state.icount, 3);
  });

  it('in 32-bit code the segment limit is checked', () => {
    const { cpu, ram, raised } = machine('66 0f fe 07 66 0f fe 47 10'); // paddd xmm0, [edi]; paddd xmm0, [edi+16]
    cpu.state.setAccess(Seg.CS, 0xc09b);
    cpu.state.setLimit(Seg.DS, DATA + 15);
    cpu.stateChanged();
    cpu.views.data.setUint32(ram + DATA, 9, true);
    cpu.run(2);
    assert.equal(readXmm(cpu.state, 0), 9n);
    assert.equal(cpu.state.icount, 1);
    assert.equal(raised[0], 13);
  });

  it('code that overwrites the memory operand of the next instruction executes the new one', () => {
    const { cpu, ram } = machine('66 0f fe 47 00 c6 05 04 00 00 00 10 66 0f fe 47 00'); // paddd; mov byte [rip+4], 16; paddd xmm0, [rdi+0 -> 16]
    cpu.views.data.setUint32(ram + DATA, 1, true);
    cpu.views.data.setUint32(ram + DATA + 16, 100, true);
    assert.equal(cpu.run(10), 'halt');
    assert.equal(readXmm(cpu.state, 0), 101n);
  });

  it('a memory operand that is not mapped raises #PF', () => {
    const { cpu, raised } = machine('66 0f fe 07');
    cpu.state.setReg(Gpr.RDI, 0x4000_0000_0000n);
    cpu.run(2);
    assert.equal(raised[0], 14);
    assert.equal(cpu.state.icount, 0);
  });

  it('CR0.TS raises #NM, CR0.EM and a clear CR4.OSFXSR #UD, before the memory operand is looked at', () => {
    for (const program of ['0f 28 c1', '66 0f fe 07', 'f2 0f 58 07', '66 0f 38 41 07']) {
      for (const [bit, vector] of [[CR0_TS, 7], [CR0_EM, 6], [0n, 6]] as const) {
        const { cpu, raised } = machine(program);
        cpu.state.setReg(Gpr.RDI, 0x4000_0000_0001n);
        if (bit) cpu.state.set64(Offset.CR0, cpu.state.get64(Offset.CR0) | bit);
        else cpu.state.set64(Offset.CR4, cpu.state.get64(Offset.CR4) & ~CR4_OSFXSR);
        cpu.stateChanged();
        cpu.run(2);
        assert.equal(raised[0], vector, program);
      }
    }
  });

  it('the precision flag is set by the first inexact result and by none that is exact', () => {
    const { cpu } = machine('f2 0f 58 c1 f2 0f 58 c2'); // addsd xmm0, xmm1; addsd xmm0, xmm2
    writeXmm(cpu.state, 0, doubles(1, 0));
    writeXmm(cpu.state, 1, doubles(2, 0));
    writeXmm(cpu.state, 2, doubles(2 ** -60, 0));
    cpu.run(1);
    assert.equal(readMxcsr(cpu.state), MXCSR_AT_RESET);
    cpu.run(1);
    assert.equal(readMxcsr(cpu.state), MXCSR_AT_RESET | Mxcsr.PE);
    assert.equal(readXmm(cpu.state, 0), doubles(3, 0));
  });

  it('division by zero sets ZE, and raises #XM where it is unmasked', () => {
    const { cpu, raised } = machine('f2 0f 5e c1'); // divsd xmm0, xmm1
    writeXmm(cpu.state, 0, doubles(1, 0));
    cpu.run(1);
    assert.equal(readXmm(cpu.state, 0), doubles(Infinity, 0));
    assert.equal(readMxcsr(cpu.state), MXCSR_AT_RESET | Mxcsr.ZE);
    cpu.state.rip = BigInt(CODE);
    writeXmm(cpu.state, 0, doubles(1, 0));
    writeMxcsr(cpu.state, MXCSR_AT_RESET & ~(Mxcsr.ZE << 7));
    cpu.run(1);
    assert.equal(raised[0], 19);
    assert.equal(readXmm(cpu.state, 0), doubles(1, 0));
    assert.equal(readMxcsr(cpu.state) & Mxcsr.ZE, Mxcsr.ZE);
  });

  it('the NaN of an invalid operation is the default one, whatever the host makes', () => {
    const { cpu } = machine('f2 0f 5c c1'); // subsd xmm0, xmm1
    writeXmm(cpu.state, 0, doubles(Infinity, 0));
    writeXmm(cpu.state, 1, doubles(Infinity, 0));
    cpu.run(1);
    assert.equal(readXmm(cpu.state, 0), 0xfff8_0000_0000_0000n);
    assert.equal(readMxcsr(cpu.state), MXCSR_AT_RESET | Mxcsr.IE);
  });

  it('rounding control is obeyed', () => {
    const { cpu } = machine('f2 48 0f 2d c0'); // cvtsd2si rax, xmm0
    for (const [control, expected] of [[0, 2n], [1, 2n], [2, 3n], [3, 2n]] as const) {
      cpu.state.rip = BigInt(CODE);
      writeXmm(cpu.state, 0, doubles(2.5, 0));
      writeMxcsr(cpu.state, MXCSR_AT_RESET | (control << 13));
      cpu.run(1);
      assert.equal(cpu.state.reg(Gpr.RAX), expected);
    }
  });

  it('FXSAVE and FXRSTOR carry the XMM registers and MXCSR; reserved bits of MXCSR raise #GP', () => {
    const { cpu, ram, raised } = machine('48 0f ae 07 0f ae 0f 0f ae 0f'); // fxsave64 [rdi]; fxrstor [rdi]; fxrstor [rdi]
    for (let n = 0; n < 16; n++) writeXmm(cpu.state, n, BigInt(n) << 100n);
    writeMxcsr(cpu.state, 0x5fa3);
    cpu.run(1);
    assert.equal(cpu.views.data.getUint32(ram + DATA + 24, true), 0x5fa3);
    assert.equal(cpu.views.data.getUint32(ram + DATA + 28, true), 0xffff);
    for (let n = 0; n < 16; n++) writeXmm(cpu.state, n, 0n);
    writeMxcsr(cpu.state, MXCSR_AT_RESET);
    cpu.run(1);
    for (let n = 0; n < 16; n++) assert.equal(readXmm(cpu.state, n), BigInt(n) << 100n);
    assert.equal(readMxcsr(cpu.state), 0x5fa3);
    cpu.views.data.setUint32(ram + DATA + 24, 0x1_0000, true);
    cpu.run(1);
    assert.equal(raised[0], 13);
  });

  it('each generation can be withheld, and takes what needs it along', () => {
    const features = new CpuFeatures(['sse3']);
    for (const name of ['fxsr', 'sse', 'sse2', 'pclmulqdq', 'aes', 'sha']) assert.ok(features.has(name), name);
    for (const name of ['sse3', 'ssse3', 'sse4-1', 'sse4-2']) assert.ok(!features.has(name), name);
  });
});
