import assert from 'node:assert/strict';
import { Cr0, Cr4, Efer } from '../../src/cpu/controlBits';
import { decode, mnemonics } from '../../src/cpu/decode/decode';
import { type CodeSize, Instruction } from '../../src/cpu/decode/instruction';
import { Vector } from '../../src/cpu/fault';
import { AF, CF, DF, IF, NT, PF, readFlags, RF, TF, VM, writeFlags, ZF } from '../../src/cpu/flags';
import { EventType } from '../../src/cpu/intercepts';
import { ACCESS_UNUSABLE, Gpr, Offset, Seg } from '../../src/cpu/state';
import { cpuid } from '../../src/cpu/system/cpuid';
import { APIC_TIMER_TICKS, TICKS_PER_SECOND } from '../../src/machine/clock';
import { deliverEvent, deliverFault } from '../../src/cpu/system/delivery';
import { CpuFeatures } from '../../src/cpu/system/features';
import { readMsr, writeMsr } from '../../src/cpu/system/msr';
import { slowOperations } from '../../src/cpu/system/operations';
import { setCpl } from '../../src/cpu/system/mode';
import { VMX_FEATURES } from '../../src/vmx/tables/capabilities';
import { DEVICE_PAGE, FakeProcessor } from './systemFake';

const GDT = 0x1_0000;
const IDT = 0x1_1000;
const TSS = 0x1_2000;
const LDT = 0x1_3000;
const PAGES = 0x2_0000;
const CODE = 0x3_0000n;

/** Segment selectors of the tests' GDT. */
const Sel = { CODE32: 0x08, DATA: 0x10, CODE64: 0x18, USER_CODE32: 0x20, USER_DATA: 0x28, USER_CODE64: 0x30, CONFORMING: 0x38, ABSENT: 0x40, TSS: 0x48, LDT: 0x58, READONLY: 0x68, GATE: 0x70, TSS32: 0x80 } as const;

const descriptor = (base: number, limit: number, access: number): bigint =>
  BigInt(limit & 0xffff) | (BigInt(base & 0xff_ffff) << 16n) | (BigInt(access & 0xff) << 40n) | (BigInt((limit >>> 16) & 15) << 48n) | (BigInt((access >>> 12) & 15) << 52n) | (BigInt((base >>> 24) & 0xff) << 56n);

function buildGdt(cpu: FakeProcessor): void {
  const put = (selector: number, value: bigint): void => cpu.writePhysical(GDT + selector, 8, value);
  put(Sel.CODE32, descriptor(0, 0xfffff, 0xc09a));
  put(Sel.DATA, descriptor(0, 0xfffff, 0xc092));
  put(Sel.CODE64, descriptor(0, 0xfffff, 0xa09a));
  put(Sel.USER_CODE32, descriptor(0, 0xfffff, 0xc0fa));
  put(Sel.USER_DATA, descriptor(0, 0xfffff, 0xc0f2));
  put(Sel.USER_CODE64, descriptor(0, 0xfffff, 0xa0fa));
  put(Sel.CONFORMING, descriptor(0, 0xfffff, 0xc09e));
  put(Sel.ABSENT, descriptor(0, 0xfffff, 0xc012));
  put(Sel.TSS, descriptor(TSS, 0x67, 0x89));
  put(Sel.LDT, descriptor(LDT, 0xff, 0x82));
  put(Sel.READONLY, descriptor(0, 0xfffff, 0xc090));
  put(Sel.TSS32, descriptor(TSS, 0x67, 0x89));
  const s = cpu.state;
  s.set64(Offset.GDTR_BASE, BigInt(GDT));
  s.set32(Offset.GDTR_LIMIT, 0xff);
  s.set64(Offset.IDTR_BASE, BigInt(IDT));
  s.set32(Offset.IDTR_LIMIT, 0xfff);
}

function setSegment(cpu: FakeProcessor, seg: number, selector: number, access: number): void {
  const s = cpu.state;
  s.setSelector(seg, selector);
  s.setAccess(seg, access);
  s.setLimit(seg, 0xffff_ffff);
  s.setSegBase(seg, 0n);
}

/** 32-bit protected mode without paging, CPL 0. */
function protectedMode(cpl = 0): FakeProcessor {
  const cpu = new FakeProcessor();
  buildGdt(cpu);
  const s = cpu.state;
  s.set32(Offset.CR0, Cr0.PE | Cr0.ET);
  setSegment(cpu, Seg.CS, cpl === 0 ? Sel.CODE32 : Sel.USER_CODE32 | 3, cpl === 0 ? 0xc09b : 0xc0fb);
  for (const seg of [Seg.DS, Seg.ES, Seg.FS, Seg.GS, Seg.SS]) setSegment(cpu, seg, cpl === 0 ? Sel.DATA : Sel.USER_DATA | 3, cpl === 0 ? 0xc093 : 0xc0f3);
  s.setSelector(Seg.TR, Sel.TSS32);
  s.setAccess(Seg.TR, 0x8b);
  s.setSegBase(Seg.TR, BigInt(TSS));
  s.setLimit(Seg.TR, 0x67);
  setCpl(s, cpl);
  s.setReg(Gpr.RSP, 0x8000n);
  s.rip = CODE;
  cpu.stateChanged();
  cpu.changes = 0;
  return cpu;
}

/** 64-bit mode with the first 4 MiB mapped one to one for everybody. */
function longMode(cpl = 0): FakeProcessor {
  const cpu = protectedMode(cpl);
  const s = cpu.state;
  cpu.writePhysical(PAGES, 8, BigInt(PAGES + 0x1000) | 7n);
  cpu.writePhysical(PAGES + 0x1000, 8, BigInt(PAGES + 0x2000) | 7n);
  cpu.writePhysical(PAGES + 0x2000, 8, 0x87n);
  cpu.writePhysical(PAGES + 0x2008, 8, 0x20_0087n);
  cpu.writePhysical(PAGES + 0x2010, 8, BigInt(PAGES + 0x3000) | 7n);
  cpu.writePhysical(PAGES + 0x3000, 8, (BigInt(DEVICE_PAGE) << 12n) | 7n);
  s.set64(Offset.CR3, BigInt(PAGES));
  s.set32(Offset.CR4, Cr4.PAE);
  s.set32(Offset.EFER, Efer.LME | Efer.LMA | Efer.SCE | Efer.NXE);
  s.set32(Offset.CR0, Cr0.PG | Cr0.PE | Cr0.ET | Cr0.WP);
  setSegment(cpu, Seg.CS, cpl === 0 ? Sel.CODE64 : Sel.USER_CODE64 | 3, cpl === 0 ? 0xa09b : 0xa0fb);
  cpu.stateChanged();
  return cpu;
}

const insn = new Instruction();

/** Executes one instruction given as bytes, as the run loop does; the fault in words, or 'no fault'. */
function execute(cpu: FakeProcessor, text: string): string {
  const s = cpu.state;
  const bytes = Uint8Array.from(text.split(' ').map((t) => parseInt(t, 16)));
  const padded = new Uint8Array(16);
  padded.set(bytes);
  const cs = s.access(Seg.CS);
  const codeSize: CodeSize = s.efer & Efer.LMA && cs & 0x2000 ? 64 : cs & 0x4000 ? 32 : 16;
  const length = decode(padded, 0, 16, codeSize, insn);
  assert.equal(length, bytes.length, `the decoder sees ${mnemonics[insn.op]}`);
  cpu.instructionRip = s.rip;
  s.rip += BigInt(length);
  const operation = slowOperations[mnemonics[insn.op]!];
  assert(operation, `${mnemonics[insn.op]} is a slow operation`);
  const result = cpu.faultOf(() => operation(cpu, insn));
  if (result !== 'no fault') s.rip = cpu.instructionRip;
  return result;
}

const gate32 = (cpu: FakeProcessor, vector: number, selector: number, offset: number, type: number): void =>
  cpu.writePhysical(IDT + vector * 8, 8, BigInt(offset & 0xffff) | (BigInt(selector) << 16n) | (BigInt(type) << 40n) | (BigInt(offset >>> 16) << 48n));
function gate64(cpu: FakeProcessor, vector: number, offset: bigint, type: number, ist = 0): void {
  cpu.writePhysical(IDT + vector * 16, 8, (offset & 0xffffn) | (BigInt(Sel.CODE64) << 16n) | (BigInt(ist) << 32n) | (BigInt(type) << 40n) | (((offset >> 16n) & 0xffffn) << 48n));
  cpu.writePhysical(IDT + vector * 16 + 8, 8, offset >> 32n);
}
const stack = (cpu: FakeProcessor, width: number, count: number): bigint[] =>
  Array.from({ length: count }, (_, i) => cpu.readPhysical(Number(cpu.state.reg(Gpr.RSP) & cpu.state.get64(Offset.SP_MASK)) + i * width, width));

describe('system: event delivery', () => {
  it('real mode: pushes FLAGS, CS, IP and clears IF and TF; no error code', () => {
    const cpu = new FakeProcessor();
    const s = cpu.state;
    s.setReg(Gpr.RSP, 0x1_0100n);
    s.setSelector(Seg.CS, 0x200);
    s.rip = 0x123n;
    writeFlags(s, IF | TF | CF | 2);
    cpu.writePhysical(13 * 4, 4, 0x4000_5678n);
    deliverFault(cpu, cpu.fault.exception(Vector.GP, 0));
    assert.deepEqual(stack(cpu, 2, 3), [0x123n, 0x200n, BigInt(IF | TF | CF | 2)]);
    assert.equal(s.reg(Gpr.RSP), 0x1_00fan, 'the upper half of RSP stays');
    assert.deepEqual([s.selector(Seg.CS), s.segBase(Seg.CS), s.rip], [0x4000, 0x4_0000n, 0x5678n]);
    assert.equal(readFlags(s) & (IF | TF), 0);
  });

  it('protected mode from user to kernel: stack from the TSS, error code, trap gate keeps IF', () => {
    const cpu = protectedMode(3);
    const s = cpu.state;
    writeFlags(s, IF | NT | 2);
    cpu.writePhysical(TSS + 4, 4, 0x9000n);
    cpu.writePhysical(TSS + 8, 4, BigInt(Sel.DATA));
    gate32(cpu, 13, Sel.CODE32, 0x4_5678, 0x8f);
    deliverFault(cpu, cpu.fault.exception(Vector.GP, 0x28));
    assert.deepEqual(stack(cpu, 4, 6), [0x28n, CODE, BigInt(Sel.USER_CODE32 | 3), BigInt(IF | NT | RF | 2), 0x8000n, BigInt(Sel.USER_DATA | 3)]);
    assert.deepEqual([s.cpl, s.rip, s.selector(Seg.CS), s.selector(Seg.SS)], [0, 0x4_5678n, Sel.CODE32, Sel.DATA]);
    assert.equal(readFlags(s) & (IF | NT | RF), IF);
    assert.equal(cpu.readPhysical(GDT + Sel.DATA + 5, 1) & 1n, 1n, 'the accessed bit is written');
  });

  it('long mode: aligned stack, SS:RSP always pushed, IST without a change of level', () => {
    const cpu = longMode();
    const s = cpu.state;
    s.setReg(Gpr.RSP, 0x8007n);
    cpu.writePhysical(TSS + 0x24 + 8, 8, 0x9008n);
    gate64(cpu, 14, 0x12_3456n, 0x8e, 2);
    deliverFault(cpu, cpu.fault.pageFault(0xdead_0000_1234n, 2));
    assert.equal(s.get64(Offset.CR2), 0xdead_0000_1234n);
    assert.deepEqual(stack(cpu, 8, 6), [2n, CODE, BigInt(Sel.CODE64), BigInt(RF | 2), 0x8007n, BigInt(Sel.DATA)]);
    assert.equal(s.reg(Gpr.RSP), 0x9000n - 48n);
    assert.deepEqual([s.cpl, s.rip, s.selector(Seg.SS)], [0, 0x12_3456n, Sel.DATA]);
  });

  it('long mode from user: SS becomes null, RSP0 from the TSS', () => {
    const cpu = longMode(3);
    const s = cpu.state;
    cpu.writePhysical(TSS + 4, 8, 0xa000n);
    gate64(cpu, 0x80, 0x5_0000n, 0xee);
    assert.equal(execute(cpu, 'cd 80'), 'no fault');
    assert.deepEqual(stack(cpu, 8, 5), [CODE + 2n, BigInt(Sel.USER_CODE64 | 3), 2n, 0x8000n, BigInt(Sel.USER_DATA | 3)]);
    assert.deepEqual([s.cpl, s.rip, s.selector(Seg.SS), s.access(Seg.SS)], [0, 0x5_0000n, 0, ACCESS_UNUSABLE]);
  });

  it('INT n through a gate of a lower level is #GP with the vector and IDT bits, delivered with the return address of the INT', () => {
    const cpu = longMode(3);
    cpu.writePhysical(TSS + 4, 8, 0xa000n);
    gate64(cpu, 0x80, 0x5_0000n, 0x8e);
    gate64(cpu, 13, 0x6_0000n, 0x8e);
    assert.equal(execute(cpu, 'cd 80'), 'no fault');
    assert.equal(cpu.state.rip, 0x6_0000n);
    assert.deepEqual(stack(cpu, 8, 2), [0x80n * 8n + 2n, CODE]);
  });

  it('a page fault during a page fault is a double fault, and a third a shutdown', () => {
    const cpu = longMode();
    gate64(cpu, 8, 0x7_0000n, 0x8e);
    cpu.state.set64(Offset.IDTR_BASE, BigInt(IDT));
    cpu.writePhysical(IDT + 14 * 16, 8, 0n); // not a gate: #GP in the delivery of #PF
    deliverFault(cpu, cpu.fault.pageFault(0x1000n, 0));
    assert.equal(cpu.state.rip, 0x7_0000n);
    assert.deepEqual(stack(cpu, 8, 2), [0n, CODE]);

    const dead = longMode();
    dead.state.set32(Offset.IDTR_LIMIT, 0);
    deliverFault(dead, dead.fault.exception(Vector.GP, 0));
    assert.equal(dead.fakeIntercepts.tripleFaults, 1);
    assert.equal(dead.state.get32(Offset.ACTIVITY), 2);
  });

  it('a contributory exception after a benign one is delivered by itself, with EXT set', () => {
    const cpu = longMode();
    gate64(cpu, 13, 0x7_0000n, 0x8e);
    deliverEvent(cpu, EventType.EXTERNAL, 0x20, undefined, 0);
    assert.equal(cpu.state.rip, 0x7_0000n);
    assert.deepEqual(stack(cpu, 8, 1), [0x20n * 8n + 3n]);
  });

  it('virtual-8086 mode: the data segments are pushed and become null, IRETD goes back', () => {
    const cpu = protectedMode();
    const s = cpu.state;
    // IRETD frame: EIP CS EFLAGS ESP SS ES DS FS GS
    [0x100n, 0x1000n, BigInt(VM | IF | 2 | (3 << 12)), 0x2000n, 0x3000n, 1n, 2n, 3n, 4n].forEach((v, i) => cpu.writePhysical(0x8000 + i * 4, 4, v));
    assert.equal(execute(cpu, 'cf'), 'no fault');
    assert.deepEqual([s.cpl, s.rip, s.segBase(Seg.CS), s.segBase(Seg.SS), s.selector(Seg.GS), s.access(Seg.DS)], [3, 0x100n, 0x1_0000n, 0x3_0000n, 4, 0xf3]);
    cpu.writePhysical(TSS + 4, 4, 0x9000n);
    cpu.writePhysical(TSS + 8, 4, BigInt(Sel.DATA));
    gate32(cpu, 0x20, Sel.CODE32, 0x4_0000, 0x8e);
    deliverEvent(cpu, EventType.EXTERNAL, 0x20, undefined, 0);
    assert.deepEqual(stack(cpu, 4, 9), [0x100n, 0x1000n, BigInt(VM | IF | 2 | (3 << 12)), 0x2000n, 0x3000n, 1n, 2n, 3n, 4n]);
    assert.equal(readFlags(s) & VM, 0);
    assert.equal(s.access(Seg.GS), ACCESS_UNUSABLE);
    assert.equal(execute(cpu, 'cf'), 'no fault');
    assert.equal(readFlags(s) & VM, VM);
  });
});

describe('system: segments', () => {
  it('MOV to a data segment checks type, privilege and presence', () => {
    const cpu = protectedMode(3);
    const load = (selector: number): string => {
      cpu.state.setReg(Gpr.RAX, BigInt(selector));
      return execute(cpu, '8e d8');
    };
    assert.equal(load(Sel.USER_DATA | 3), 'no fault');
    assert.equal(load(Sel.DATA), `#GP(${Sel.DATA.toString(16)})`);
    assert.equal(load(Sel.CONFORMING | 3), 'no fault');
    assert.equal(load(0x100), '#GP(100)');
    assert.equal(load(0x6c), '#GP(6c)', 'no LDT');
    assert.equal(load(3), 'no fault');
    assert.equal(cpu.state.access(Seg.DS), ACCESS_UNUSABLE);
    assert.equal(execute(cpu, 'd7'), '#GP(0)', 'XLAT through a null segment');
  });

  it('SS wants a writable segment of the same level; absent is #SS; loading blocks interrupts', () => {
    const cpu = protectedMode();
    const load = (selector: number): string => {
      cpu.state.setReg(Gpr.RAX, BigInt(selector));
      return execute(cpu, '8e d0');
    };
    assert.equal(load(Sel.READONLY), '#GP(68)');
    assert.equal(load(Sel.ABSENT), '#SS(40)');
    assert.equal(load(0), '#GP(0)');
    assert.equal(load(Sel.DATA | 1), '#GP(10)', 'RPL');
    assert.equal(cpu.state.get32(Offset.INTERRUPTIBILITY), 0);
    assert.equal(load(Sel.DATA), 'no fault');
    assert.equal(cpu.state.get32(Offset.INTERRUPTIBILITY), 2);
  });

  it('real mode changes selector and base only', () => {
    const cpu = new FakeProcessor();
    cpu.state.setLimit(Seg.DS, 0xffff_ffff);
    cpu.state.setReg(Gpr.RAX, 0x1234n);
    assert.equal(execute(cpu, '8e d8'), 'no fault');
    assert.deepEqual([cpu.state.segBase(Seg.DS), cpu.state.limit(Seg.DS)], [0x12340n, 0xffff_ffff]);
  });

  it('64-bit mode allows a null SS below CPL 3', () => {
    const cpu = longMode();
    cpu.state.setReg(Gpr.RAX, 0n);
    assert.equal(execute(cpu, '8e d0'), 'no fault');
    assert.equal(cpu.state.access(Seg.SS), ACCESS_UNUSABLE);
    assert.equal(cpu.state.get32(Offset.INTERRUPTIBILITY), 2);
  });

  it('LTR reads 16 bytes in long mode and marks the TSS busy; twice is #GP', () => {
    const cpu = longMode();
    cpu.writePhysical(GDT + Sel.TSS + 8, 8, 0xffff_8000n);
    cpu.state.setReg(Gpr.RAX, BigInt(Sel.TSS));
    assert.equal(execute(cpu, '0f 00 d8'), 'no fault');
    assert.equal(cpu.state.segBase(Seg.TR), 0xffff_8000_0001_2000n);
    assert.equal(cpu.readPhysical(GDT + Sel.TSS + 5, 1), 0x8bn);
    assert.equal(execute(cpu, '0f 00 d8'), '#GP(48)');
  });

  it('LAR, LSL and VERW report through ZF', () => {
    const cpu = protectedMode(3);
    const s = cpu.state;
    s.setReg(Gpr.RAX, BigInt(Sel.USER_DATA | 3));
    assert.equal(execute(cpu, '0f 02 d8'), 'no fault'); // lar ebx, ax
    assert.equal(s.reg(Gpr.RBX), 0xcff200n & 0xffff00n);
    assert.equal(readFlags(s) & ZF, ZF);
    execute(cpu, '0f 03 d8'); // lsl ebx, ax
    assert.equal(s.reg(Gpr.RBX), 0xffff_ffffn);
    s.setReg(Gpr.RAX, BigInt(Sel.DATA));
    execute(cpu, '0f 00 e8'); // verw ax
    assert.equal(readFlags(s) & ZF, 0);
  });

  it('limits: expand-down and byte-granular segments', () => {
    const cpu = protectedMode();
    const s = cpu.state;
    s.setLimit(Seg.DS, 0xfff);
    s.setAccess(Seg.DS, 0x4093);
    s.setReg(Gpr.RBX, 0xfffn);
    s.setReg(Gpr.RAX, 0n);
    assert.equal(execute(cpu, 'd7'), 'no fault');
    s.setReg(Gpr.RBX, 0x1000n);
    assert.equal(execute(cpu, 'd7'), '#GP(0)');
    s.setAccess(Seg.DS, 0x4097);
    assert.equal(execute(cpu, 'd7'), 'no fault');
    s.setReg(Gpr.RBX, 0xfffn);
    assert.equal(execute(cpu, 'd7'), '#GP(0)');
  });
});

describe('system: far transfers', () => {
  it('JMP far goes from compatibility mode to 64-bit mode', () => {
    const cpu = longMode();
    setSegment(cpu, Seg.CS, Sel.CODE32, 0xc09b);
    assert.equal(execute(cpu, 'ea 00 00 05 00 18 00'), 'no fault');
    assert.deepEqual([cpu.state.selector(Seg.CS), cpu.state.rip, cpu.state.access(Seg.CS)], [Sel.CODE64, 0x5_0000n, 0xa09b]);
  });

  it('RETF to the outer level pops SS:RSP and drops the segments it may not use', () => {
    const cpu = protectedMode();
    const s = cpu.state;
    [0x5_0000n, BigInt(Sel.USER_CODE32 | 3), 99n, 0x7000n, BigInt(Sel.USER_DATA | 3)].forEach((v, i) => cpu.writePhysical(0x8000 + i * 4, 4, v));
    assert.equal(execute(cpu, 'ca 04 00'), 'no fault');
    assert.deepEqual([s.cpl, s.rip, s.reg(Gpr.RSP), s.selector(Seg.SS), s.access(Seg.DS)], [3, 0x5_0000n, 0x7004n, Sel.USER_DATA | 3, ACCESS_UNUSABLE]);
  });

  it('CALL through a 32-bit gate copies parameters to the inner stack', () => {
    const cpu = protectedMode(3);
    const s = cpu.state;
    cpu.writePhysical(GDT + Sel.GATE, 8, 0x1234n | (BigInt(Sel.CODE32) << 16n) | (2n << 32n) | (0xecn << 40n) | (5n << 48n));
    cpu.writePhysical(TSS + 4, 4, 0x9000n);
    cpu.writePhysical(TSS + 8, 4, BigInt(Sel.DATA));
    cpu.writePhysical(0x8000, 4, 0xaaaan);
    cpu.writePhysical(0x8004, 4, 0xbbbbn);
    assert.equal(execute(cpu, '9a 00 00 00 00 73 00'), 'no fault');
    assert.deepEqual(stack(cpu, 4, 6), [CODE + 7n, BigInt(Sel.USER_CODE32 | 3), 0xaaaan, 0xbbbbn, 0x8000n, BigInt(Sel.USER_DATA | 3)]);
    assert.deepEqual([s.cpl, s.rip, s.selector(Seg.CS)], [0, 0x5_1234n, Sel.CODE32]);
  });

  it('IRETQ to the same level still pops SS:RSP; to user with bad SS is #GP', () => {
    const cpu = longMode();
    const s = cpu.state;
    [0x5_0000n, BigInt(Sel.CODE64), BigInt(IF | 2), 0x7777n, 0n].forEach((v, i) => cpu.writePhysical(0x8000 + i * 8, 8, v));
    assert.equal(execute(cpu, '48 cf'), 'no fault');
    assert.deepEqual([s.reg(Gpr.RSP), s.selector(Seg.SS), readFlags(s)], [0x7777n, 0, IF | 2]);
    s.setReg(Gpr.RSP, 0x8000n);
    [0x5_0000n, BigInt(Sel.USER_CODE64 | 3), 2n, 0x7777n, BigInt(Sel.DATA)].forEach((v, i) => cpu.writePhysical(0x8000 + i * 8, 8, v));
    assert.equal(execute(cpu, '48 cf'), `#GP(${Sel.DATA.toString(16)})`);
    assert.equal(s.reg(Gpr.RSP), 0x8000n);
  });

  it('SYSCALL and SYSRET', () => {
    const cpu = longMode(3);
    const s = cpu.state;
    s.set64(Offset.STAR, (BigInt(Sel.CODE32) << 32n) | (0x20n << 48n));
    s.set64(Offset.LSTAR, 0xffff_8000_0000_1000n);
    s.set64(Offset.FMASK, BigInt(IF | DF));
    writeFlags(s, IF | CF | 2);
    assert.equal(execute(cpu, '0f 05'), 'no fault');
    assert.deepEqual([s.cpl, s.rip, s.reg(Gpr.RCX), s.reg(Gpr.R11), readFlags(s)], [0, 0xffff_8000_0000_1000n, CODE + 2n, BigInt(IF | CF | 2), CF | 2]);
    assert.equal(execute(cpu, '48 0f 07'), 'no fault');
    assert.deepEqual([s.cpl, s.rip, readFlags(s), s.selector(Seg.CS), s.selector(Seg.SS)], [3, CODE + 2n, IF | CF | 2, 0x33, 0x2b]);
  });
});

describe('system: control registers and MSRs', () => {
  it('enables long mode step by step and refuses wrong orders', () => {
    const cpu = protectedMode();
    const s = cpu.state;
    const mov = (cr: number, value: number): string => {
      s.setReg(Gpr.RAX, BigInt(value >>> 0));
      return execute(cpu, `0f 22 ${(0xc0 + cr * 8).toString(16)}`);
    };
    assert.equal(mov(0, Cr0.PG), '#GP(0)', 'PG without PE');
    assert.equal(mov(0, Cr0.PE | Cr0.NW), '#GP(0)', 'NW without CD');
    assert.equal(writeMsr(cpu, 0xc000_0080, BigInt(Efer.LME)), true);
    assert.equal(mov(0, Cr0.PE | Cr0.PG), '#GP(0)', 'LME without PAE');
    assert.equal(mov(4, Cr4.PAE), 'no fault');
    assert.equal(mov(3, PAGES), 'no fault');
    assert.equal(mov(0, Cr0.PE | Cr0.PG), 'no fault');
    assert.equal(s.efer, Efer.LME | Efer.LMA);
    assert.equal(mov(4, 0), '#GP(0)', 'PAE cannot go while LMA is set');
    assert.equal(writeMsr(cpu, 0xc000_0080, 0n), false, 'LME cannot change with paging on');
    assert.equal(mov(0, Cr0.PE), 'no fault');
    assert.equal(s.efer, Efer.LME);
  });

  it('PAE paging loads four PDPTE registers and refuses reserved bits', () => {
    const cpu = protectedMode();
    const s = cpu.state;
    s.set32(Offset.CR4, Cr4.PAE);
    s.set64(Offset.CR3, 0x6020n);
    cpu.writePhysical(0x6028, 8, 0x9001n);
    s.setReg(Gpr.RAX, BigInt((Cr0.PE | Cr0.PG) >>> 0));
    assert.equal(execute(cpu, '0f 22 c0'), 'no fault');
    assert.equal(s.get64(Offset.PDPTE + 8), 0x9001n);
    cpu.writePhysical(0x6028, 8, 0x9003n);
    cpu.writePhysical(0x9000, 8, 0x87n);
    s.set64(Offset.PDPTE, 0x9001n);
    s.setReg(Gpr.RAX, 0x6020n);
    assert.equal(execute(cpu, '0f 22 d8'), '#GP(0)');
  });

  it('CR4 refuses bits of withheld features', () => {
    const cpu = protectedMode();
    cpu.state.setReg(Gpr.RAX, BigInt(Cr4.VMXE));
    assert.equal(execute(cpu, '0f 22 e0'), 'no fault');
    cpu.withheld.add('vmx');
    assert.equal(execute(cpu, '0f 22 e0'), '#GP(0)');
  });

  it('LMSW sets PE and never clears it', () => {
    const cpu = protectedMode();
    cpu.state.setReg(Gpr.RAX, 0n);
    assert.equal(execute(cpu, '0f 01 f0'), 'no fault');
    assert.equal(cpu.state.cr0 & Cr0.PE, Cr0.PE);
  });

  it('unknown MSRs, reserved bits and CPL 3 raise #GP(0)', () => {
    const cpu = longMode();
    const s = cpu.state;
    s.setReg(Gpr.RCX, 0x1234n);
    assert.equal(execute(cpu, '0f 32'), '#GP(0)');
    s.setReg(Gpr.RCX, 0x277n);
    s.setReg(Gpr.RAX, 2n);
    s.setReg(Gpr.RDX, 0n);
    assert.equal(execute(cpu, '0f 30'), '#GP(0)', 'memory type 2');
    s.setReg(Gpr.RAX, 0x0007_0406n);
    assert.equal(execute(cpu, '0f 30'), 'no fault');
    assert.equal(readMsr(cpu, 0x277), 0x0007_0406n);
    setCpl(s, 3);
    assert.equal(execute(cpu, '0f 32'), '#GP(0)');
  });

  it('IA32_FEATURE_CONTROL is read-only once locked', () => {
    const cpu = protectedMode();
    cpu.state.set64(Offset.FEATURE_CONTROL, 0n);
    assert.equal(writeMsr(cpu, 0x3a, 5n), true);
    assert.equal(writeMsr(cpu, 0x3a, 0n), false);
    assert.equal(readMsr(cpu, 0x3a), 5n);
  });

  it('the TSC counts ticks and writing it moves IA32_TSC_ADJUST', () => {
    const cpu = protectedMode();
    cpu.state.icount = 1000;
    assert.equal(readMsr(cpu, 0x10), 1000n);
    writeMsr(cpu, 0x10, 5n);
    assert.equal(BigInt.asIntN(64, readMsr(cpu, 0x3b)!), -995n);
    cpu.state.icount = 1007;
    execute(cpu, '0f 31');
    assert.equal(cpu.state.reg(Gpr.RAX), 12n);
  });

  it('RDPMC reads two counters that never count, and knows no other; above CPL 0 it needs CR4.PCE', () => {
    const cpu = protectedMode();
    const s = cpu.state;
    for (const [counter, answer] of [[0n, 'no fault'], [1n, 'no fault'], [2n, '#GP(0)'], [0x4000_0000n, '#GP(0)']] as const) {
      s.setReg(Gpr.RCX, counter);
      s.setReg(Gpr.RAX, 7n);
      assert.equal(execute(cpu, '0f 33'), answer);
      assert.equal(s.reg(Gpr.RAX), answer === 'no fault' ? 0n : 7n);
    }
    s.setReg(Gpr.RCX, 0n);
    setCpl(s, 3);
    assert.equal(execute(cpu, '0f 33'), '#GP(0)');
    s.set32(Offset.CR4, Cr4.PCE);
    assert.equal(execute(cpu, '0f 33'), 'no fault');
  });

  it('DR7.GD makes an access #DB, DR4 is DR6 unless CR4.DE', () => {
    const cpu = protectedMode();
    assert.equal(execute(cpu, '0f 21 e0'), 'no fault');
    assert.equal(cpu.state.reg(Gpr.RAX), 0xffff_0ff0n);
    cpu.state.set32(Offset.CR4, Cr4.DE);
    assert.equal(execute(cpu, '0f 21 e0'), '#UD');
    cpu.state.set64(Offset.DR7, 0x2400n);
    assert.equal(execute(cpu, '0f 21 f8'), '#DB');
    assert.equal(cpu.fault.address, 1n << 13n);
  });
});

describe('system: CPUID', () => {
  it('knows every feature that VMX can withhold', () => {
    const features = new CpuFeatures([]);
    for (const [name] of VMX_FEATURES) assert.equal(features.has(name), true, name);
  });

  it('names itself and announces what exists and is not withheld', () => {
    const cpu = protectedMode();
    cpu.features = new CpuFeatures(['vmx']);
    const zero = cpuid(cpu, 0, 0);
    const text = [zero.ebx, zero.edx, zero.ecx].map((v) => String.fromCharCode(v & 255, (v >>> 8) & 255, (v >>> 16) & 255, v >>> 24)).join('');
    assert.equal(text, 'GenuineIntel');
    assert.equal(cpuid(cpu, 1, 0).ecx & (1 << 5), 0);
    cpu.features = new CpuFeatures([]);
    assert.equal(cpuid(cpu, 1, 0).ecx & (1 << 5), 1 << 5);
    assert.equal(cpuid(cpu, 0x8000_0008, 0).eax, 41 | (48 << 8));
    assert.deepEqual(cpuid(cpu, 0x15, 0), { eax: 1, ebx: APIC_TIMER_TICKS, ecx: TICKS_PER_SECOND / APIC_TIMER_TICKS, edx: 0 }, 'the crystal that the local APIC\'s timer counts, and the TSC\'s ratio to it');
    assert.equal(cpuid(cpu, 0x8000_0001, 0).edx, (1 << 11) | (1 << 20) | (1 << 26) | (1 << 27) | (1 << 29));
  });

  it('withholding EPT withholds what needs it; unknown names are refused with the list', () => {
    const features = new CpuFeatures(['ept']);
    assert.deepEqual(['vmx', 'ept', 'unrestricted-guest', 'vpid'].map((n) => features.has(n)), [true, false, false, true]);
    assert.throws(() => new CpuFeatures(['warp-drive']), /"warp-drive".*unrestricted-guest/);
  });
});

describe('system: strings and ports', () => {
  it('REP MOVSB over many pages; overlapping forward copies repeat the pattern', () => {
    const cpu = longMode();
    const s = cpu.state;
    for (let i = 0; i < 0x3000; i++) cpu.writePhysical(0x10_0000 + i, 1, BigInt(i % 251));
    s.setReg(Gpr.RSI, 0x10_0001n);
    s.setReg(Gpr.RDI, 0x18_0ffen);
    s.setReg(Gpr.RCX, 0x2ff0n);
    assert.equal(execute(cpu, 'f3 a4'), 'no fault');
    assert.deepEqual([s.reg(Gpr.RSI), s.reg(Gpr.RDI), s.reg(Gpr.RCX)], [0x10_2ff1n, 0x18_3feen, 0n]);
    for (let i = 0; i < 0x2ff0; i++) assert.equal(cpu.readPhysical(0x18_0ffe + i, 1), BigInt((i + 1) % 251));

    cpu.writePhysical(0x10_0000, 4, 0x04030201n);
    s.setReg(Gpr.RSI, 0x10_0000n);
    s.setReg(Gpr.RDI, 0x10_0002n);
    s.setReg(Gpr.RCX, 6n);
    execute(cpu, 'f3 a4');
    assert.equal(cpu.readPhysical(0x10_0000, 8), 0x0201020102010201n);
  });

  it('a fault in the middle leaves the registers at the faulting element', () => {
    const cpu = longMode();
    const s = cpu.state;
    s.setReg(Gpr.RAX, 0x1122_3344_5566_7788n);
    s.setReg(Gpr.RDI, 0x3f_ff00n);
    s.setReg(Gpr.RCX, 0x1000n);
    cpu.writePhysical(PAGES + 0x2010, 8, 0n);
    assert.equal(execute(cpu, 'f3 48 ab'), '#PF(2) at 400000');
    assert.deepEqual([s.reg(Gpr.RDI), s.reg(Gpr.RCX)], [0x40_0000n, 0xfe0n]);
    assert.equal(cpu.readPhysical(0x3f_fff8, 8), 0x1122_3344_5566_7788n);
  });

  it('REP MOVSW downwards copies a block that overlaps its source', () => {
    const cpu = longMode();
    const s = cpu.state;
    for (let i = 0; i < 0x2000; i++) cpu.writePhysical(0x10_0000 + i, 1, BigInt(i % 253));
    writeFlags(s, DF | 2);
    s.setReg(Gpr.RSI, 0x10_1ffen);
    s.setReg(Gpr.RDI, 0x10_2100n);
    s.setReg(Gpr.RCX, 0x1000n);
    assert.equal(execute(cpu, 'f3 66 a5'), 'no fault');
    assert.deepEqual([s.reg(Gpr.RSI), s.reg(Gpr.RDI), s.reg(Gpr.RCX)], [0x0f_fffen, 0x10_0100n, 0n]);
    for (let i = 0; i < 0x2000; i++) assert.equal(cpu.readPhysical(0x10_0102 + i, 1), BigInt(i % 253));
  });

  it('STD counts downwards, 16-bit addresses wrap', () => {
    const cpu = new FakeProcessor();
    const s = cpu.state;
    writeFlags(s, DF | 2);
    s.setReg(Gpr.RAX, 0xabcdn);
    s.setReg(Gpr.RDI, 0x7777_0002n);
    s.setReg(Gpr.RCX, 3n);
    execute(cpu, 'f3 ab');
    assert.equal(s.reg(Gpr.RDI), 0x7777_fffcn);
    assert.equal(cpu.readPhysical(0xfffe, 2), 0xabcdn);
    assert.equal(cpu.readPhysical(0, 4), 0xabcdabcdn);
  });

  it('REPE CMPSB and REPNE SCASB stop at the difference and set the flags', () => {
    const cpu = longMode();
    const s = cpu.state;
    for (let i = 0; i < 100; i++) {
      cpu.writePhysical(0x10_0fd0 + i, 1, BigInt(i + 1));
      cpu.writePhysical(0x11_0000 + i, 1, BigInt(i + 1));
    }
    cpu.writePhysical(0x11_0000 + 77, 1, 0xffn);
    s.setReg(Gpr.RSI, 0x10_0fd0n);
    s.setReg(Gpr.RDI, 0x11_0000n);
    s.setReg(Gpr.RCX, 100n);
    execute(cpu, 'f3 a6');
    assert.deepEqual([s.reg(Gpr.RSI), s.reg(Gpr.RCX)], [0x10_0fd0n + 78n, 22n]);
    assert.equal(readFlags(s) & (ZF | CF), CF);
    s.setReg(Gpr.RAX, 50n);
    s.setReg(Gpr.RDI, 0x11_0000n);
    s.setReg(Gpr.RCX, 0xffff_ffff_ffff_ffffn);
    execute(cpu, 'f2 ae');
    assert.equal(s.reg(Gpr.RDI), 0x11_0000n + 50n);
    assert.equal(readFlags(s) & ZF, ZF);
  });

  for (const [name, code, register] of [['LODSB', 'f3 ac', Gpr.RSI], ['STOSB', 'f3 aa', Gpr.RDI], ['MOVSB', 'f3 a4', Gpr.RDI]] as const) {
    it(`a very long REP ${name} stops with RIP at the instruction so that it can be paused`, () => {
      const cpu = longMode();
      const s = cpu.state;
      s.setReg(Gpr.RSI, 0x10_0000n);
      s.setReg(Gpr.RDI, 0x10_0000n);
      s.setReg(Gpr.RCX, 2_000_500n);
      writeFlags(s, 2);
      assert.equal(execute(cpu, code), 'no fault');
      assert.equal(s.rip, CODE);
      assert.equal(s.reg(register) - 0x10_0000n, 2_000_500n - s.reg(Gpr.RCX));
      assert(s.reg(Gpr.RCX) > 990_000n && s.reg(Gpr.RCX) <= 1_000_500n);
      assert.equal(readFlags(s) & RF, RF);
    });
  }

  it('INS reads the port only when the destination can be written', () => {
    const cpu = longMode();
    const s = cpu.state;
    s.setReg(Gpr.RDX, 0x1f0n);
    s.setReg(Gpr.RDI, 0x60_0000n);
    s.setReg(Gpr.RCX, 2n);
    assert.equal(execute(cpu, 'f3 6d'), '#PF(2) at 600000');
    assert.deepEqual(cpu.bus.ports, []);
    cpu.bus.portValue = 0x1234_5678;
    s.setReg(Gpr.RDI, 0x10_0ffcn);
    assert.equal(execute(cpu, 'f3 6d'), 'no fault');
    assert.equal(cpu.readPhysical(0x10_0ffc, 8), 0x1234_5678_1234_5678n);
    assert.deepEqual(cpu.bus.ports, ['in 1f0 4', 'in 1f0 4']);
  });

  it('ports above IOPL need the TSS bitmap', () => {
    const cpu = longMode(3);
    const s = cpu.state;
    s.setReg(Gpr.RDX, 0x3f8n);
    assert.equal(execute(cpu, 'ee'), '#GP(0)');
    s.setLimit(Seg.TR, 0x68 + 0x80);
    cpu.writePhysical(TSS + 0x66, 2, 0x68n);
    s.setReg(Gpr.RAX, 0x41n);
    assert.equal(execute(cpu, 'ee'), 'no fault');
    cpu.writePhysical(TSS + 0x68 + 0x7f, 1, 0x02n);
    assert.equal(execute(cpu, 'ee'), 'no fault');
    assert.equal(execute(cpu, 'ef'), '#GP(0)', 'four ports, one denied');
    assert.deepEqual(cpu.bus.ports, ['out 3f8 1 41', 'out 3f8 1 41']);
    writeFlags(s, (3 << 12) | 2);
    assert.equal(execute(cpu, 'ef'), 'no fault');
  });
});

describe('system: the rest', () => {
  it('CMPXCHG8B', () => {
    const cpu = longMode();
    const s = cpu.state;
    s.setReg(Gpr.RDI, 0x10_0000n);
    cpu.writePhysical(0x10_0000, 8, 0x1111_1111_2222_2222n);
    assert.equal(execute(cpu, '0f c7 0f'), 'no fault');
    assert.deepEqual([s.reg(Gpr.RAX), s.reg(Gpr.RDX), readFlags(s) & ZF], [0x2222_2222n, 0x1111_1111n, 0]);
    s.setReg(Gpr.RBX, 5n);
    s.setReg(Gpr.RCX, 6n);
    execute(cpu, '0f c7 0f');
    assert.equal(cpu.readPhysical(0x10_0000, 8), 0x6_0000_0005n);
    assert.equal(readFlags(s) & ZF, ZF);
  });

  it('DAA, DAS, AAA and AAM as the manual has them', () => {
    const cpu = protectedMode();
    const s = cpu.state;
    s.setReg(Gpr.RAX, 0xaen);
    writeFlags(s, 2);
    execute(cpu, '27');
    assert.deepEqual([s.reg(Gpr.RAX), readFlags(s) & (CF | AF | PF)], [0x14n, CF | AF | PF]);
    s.setReg(Gpr.RAX, 0x12n);
    writeFlags(s, 2);
    execute(cpu, '2f');
    assert.equal(s.reg(Gpr.RAX), 0x12n);
    s.setReg(Gpr.RAX, 0x0fn);
    execute(cpu, '37');
    assert.equal(s.reg(Gpr.RAX), 0x105n);
    s.setReg(Gpr.RAX, 123n);
    execute(cpu, 'd4 0a');
    assert.equal(s.reg(Gpr.RAX), 0xc03n);
    assert.equal(execute(cpu, 'd4 00'), '#DE');
  });

  it('PUSHA and POPA skip ESP; POPF at CPL 3 leaves IF and IOPL', () => {
    const cpu = protectedMode(3);
    const s = cpu.state;
    for (let n = 0; n < 8; n++) if (n !== Gpr.RSP) s.setReg(n, BigInt(n + 1));
    execute(cpu, '60');
    assert.deepEqual(stack(cpu, 4, 8), [8n, 7n, 6n, 0x8000n, 4n, 3n, 2n, 1n]);
    s.setReg(Gpr.RBX, 99n);
    execute(cpu, '61');
    assert.deepEqual([s.reg(Gpr.RBX), s.reg(Gpr.RSP)], [4n, 0x8000n]);
    cpu.writePhysical(0x8000, 4, BigInt(IF | (3 << 12) | CF));
    writeFlags(s, 2);
    execute(cpu, '9d');
    assert.equal(readFlags(s), CF | 2);
    assert.equal(execute(cpu, 'fa'), '#GP(0)');
    assert.equal(execute(cpu, 'f4'), '#GP(0)');
  });

  it('ENTER with a nesting level copies the frame pointers', () => {
    const cpu = protectedMode();
    const s = cpu.state;
    s.setReg(Gpr.RBP, 0x9000n);
    cpu.writePhysical(0x8ffc, 4, 0xaaaan);
    execute(cpu, 'c8 10 00 02');
    assert.equal(s.reg(Gpr.RBP), 0x7ffcn);
    assert.equal(s.reg(Gpr.RSP), 0x8000n - 12n - 16n);
    assert.deepEqual([cpu.readPhysical(0x7ffc, 4), cpu.readPhysical(0x7ff8, 4), cpu.readPhysical(0x7ff4, 4)], [0x9000n, 0xaaaan, 0x7ffcn]);
  });

  it('STI blocks interrupts for one instruction, only when they were off', () => {
    const cpu = longMode();
    execute(cpu, 'fb');
    assert.equal(cpu.state.get32(Offset.INTERRUPTIBILITY), 1);
    cpu.state.set32(Offset.INTERRUPTIBILITY, 0);
    execute(cpu, 'fb');
    assert.equal(cpu.state.get32(Offset.INTERRUPTIBILITY), 0);
  });

  it('UMIP keeps SGDT from user code; LGDT and SGDT carry 64-bit bases', () => {
    const cpu = longMode();
    const s = cpu.state;
    s.setReg(Gpr.RDI, 0x10_0000n);
    cpu.writePhysical(0x10_0000, 2, 0x77n);
    cpu.writePhysical(0x10_0002, 8, 0xffff_8000_0000_0010n);
    assert.equal(execute(cpu, '0f 01 17'), 'no fault');
    assert.deepEqual([s.get64(Offset.GDTR_BASE), s.get32(Offset.GDTR_LIMIT)], [0xffff_8000_0000_0010n, 0x77]);
    s.setReg(Gpr.RDI, 0x10_1000n);
    assert.equal(execute(cpu, '0f 01 07'), 'no fault');
    assert.equal(cpu.readPhysical(0x10_1002, 8), 0xffff_8000_0000_0010n);
    s.set32(Offset.CR4, Cr4.PAE | Cr4.UMIP);
    setCpl(s, 3);
    assert.equal(execute(cpu, '0f 01 07'), '#GP(0)');
  });

  it('VMX instructions go to VMX, or are undefined without the feature', () => {
    const cpu = longMode();
    assert.equal(execute(cpu, '0f 01 c1'), 'no fault');
    assert.deepEqual(cpu.fakeIntercepts.executed, ['vmcall']);
    cpu.withheld.add('vmx');
    assert.equal(execute(cpu, '0f 01 c1'), '#UD');
  });
});
