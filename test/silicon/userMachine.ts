/**
 * The engine as a Linux program sees its processor: user mode, Linux's descriptors and the runner's local ones, two pages
 * of memory, and a kernel that halts at every exception. So a case ends here as it ends natively, with all that a signal
 * frame tells.
 */
import { Cr0, Cr4 } from '../../src/cpu/controlBits';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { writeFlags } from '../../src/cpu/flags';
import { x87FromFxsave, x87ToFxsave } from '../../src/cpu/fpu/environment';
import { readMxcsr, writeMxcsr } from '../../src/cpu/simd/mxcsr';
import { ACCESS_UNUSABLE, Offset, Seg } from '../../src/cpu/state';
import { VmxUnit } from '../../src/vmx/unit';
import { createFlatMachine } from './flatMachine';
import { At, CASE_SIZE, CODE, DATA, DATA_SIZE, INT3, LOCAL_DESCRIPTORS, X87_SIZE, YMM_SIZE } from './testCase';

// Physical addresses; the kernel sees all of them from KERNEL on.
const PML4 = 0x1000;
const USER_PDPT = 0x2000;
const USER_PD = 0x3000;
const CODE_PT = 0x4000;
const DATA_PT = 0x5000;
const KERNEL_PDPT = 0x6000;
const KERNEL_PD = 0x7000;
const GDT = 0x8000;
const LDT = 0x8100;
const TSS = 0x8200;
const IDT = 0x9000;
const HANDLERS = 0xa000;
const SYSTEM_CALL = 0xb800;
const STACK_TOP = 0xd000;
const CODE_FRAME = 0xe000;
const DATA_FRAME = 0xf000;
const KERNEL = 0xffff_8000_0000_0000n;

const NX = 1n << 63n;
const PAGE = 0x1000;
const GATES = 256;
const HANDLER_SIZE = 16;
const HLT = 0xf4;
/** Linux's segments: kernel code of 32 bits and of 64, kernel data, user code of 32 bits, user data, user code of 64 bits. */
const GLOBAL_DESCRIPTORS = [0n, 0x00cf_9b00_0000_ffffn, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0x00cf_fb00_0000_ffffn, 0x00cf_f300_0000_ffffn, 0x00af_fb00_0000_ffffn];
const TSS_SELECTOR = 0x40;
const LDT_SELECTOR = 0x50;
/** Linux's segment for GETCPU; its limit is the processor's number. */
const GETCPU_SELECTOR = 0x78;
const GETCPU_DESCRIPTOR = 0x0040_f500_0000_0000n;
const GDT_LIMIT = 0x7f;
/** Vectors with an error code. */
const WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17]);
/** Vectors whose gates user code may use: INT3, INTO. */
const USER_GATES = new Set([3, 4]);
/** mov rax, -ENOSYS; sysretq: what Linux answers to a number that it does not know. */
const UNKNOWN_CALL = [0x48, 0xc7, 0xc0, 0xda, 0xff, 0xff, 0xff, 0x48, 0x0f, 0x07];
/** Instructions that a case may take; programs repeat and loop a little. */
const BUDGET = 5000;
const SEGMENTS = [[Seg.ES, At.ES], [Seg.CS, At.CS], [Seg.SS, At.SS], [Seg.DS, At.DS], [Seg.FS, At.FS], [Seg.GS, At.GS]] as const; // prettier-ignore

function localDescriptor({ base, limit, type, big, pages, absent }: (typeof LOCAL_DESCRIPTORS)[number]): bigint {
  const access = type | 0x70 | (absent ? 0 : 0x80);
  const upper = ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf_0000) | (big ? 1 << 22 : 0) | (pages ? 1 << 23 : 0) | (base & 0xff00_0000);
  return (BigInt(upper >>> 0) << 32n) | BigInt(((base & 0xffff) << 16) >>> 0) | BigInt(limit & 0xffff);
}

function systemDescriptor(base: bigint, limit: number, type: number): [bigint, bigint] {
  return [BigInt(limit) | ((base & 0xff_ffffn) << 16n) | (BigInt(type | 0x80) << 40n) | (((base >> 24n) & 0xffn) << 56n), base >> 32n];
}

export class UserMachine {
  readonly cpu: Cpu;
  private readonly ram: number;
  private readonly descriptors: BigUint64Array;
  /** Whether every instruction is translated before it is executed. */
  translates = false;

  constructor() {
    const { cpu, ram } = createFlatMachine(2);
    this.cpu = cpu;
    this.ram = ram;
    cpu.intercepts = cpu.secondLevel = new VmxUnit(cpu);
    this.descriptors = new BigUint64Array(cpu.views.memory.buffer, ram + GDT, 64);
    this.fillMemory();
    this.startKernel();
  }

  private fillMemory(): void {
    const { views } = this.cpu;
    const put = (at: number, value: bigint): void => views.data.setBigUint64(this.ram + at, value, true);
    views.u8.fill(0, this.ram + PML4, this.ram + CODE_FRAME + 2 * PAGE);
    put(PML4, BigInt(USER_PDPT) | 7n);
    put(USER_PDPT, BigInt(USER_PD) | 7n);
    put(USER_PD + (CODE >>> 21) * 8, BigInt(CODE_PT) | 7n);
    put(USER_PD + (DATA >>> 21) * 8, BigInt(DATA_PT) | 7n);
    put(CODE_PT, BigInt(CODE_FRAME) | 0x67n);
    put(DATA_PT, BigInt(DATA_FRAME) | 0x67n | NX);
    put(PML4 + 256 * 8, BigInt(KERNEL_PDPT) | 3n);
    put(KERNEL_PDPT, BigInt(KERNEL_PD) | 3n);
    put(KERNEL_PD, 0xe3n);
    GLOBAL_DESCRIPTORS.forEach((descriptor, i) => put(GDT + i * 8, descriptor));
    put(GDT + GETCPU_SELECTOR, GETCPU_DESCRIPTOR);
    systemDescriptor(KERNEL + BigInt(TSS), 0x67, 0xb).forEach((half, i) => put(GDT + TSS_SELECTOR + i * 8, half));
    systemDescriptor(KERNEL + BigInt(LDT), LOCAL_DESCRIPTORS.length * 8 - 1, 2).forEach((half, i) => put(GDT + LDT_SELECTOR + i * 8, half));
    LOCAL_DESCRIPTORS.forEach((descriptor, i) => put(LDT + i * 8, localDescriptor(descriptor)));
    put(TSS + 4, KERNEL + BigInt(STACK_TOP));
    views.data.setUint16(this.ram + TSS + 0x66, 0x68, true);
    for (let vector = 0; vector < GATES; vector++) {
      const handler = KERNEL + BigInt(HANDLERS + vector * HANDLER_SIZE);
      const access = USER_GATES.has(vector) ? 0xeen : 0x8en;
      put(IDT + vector * 16, (handler & 0xffffn) | (0x10n << 16n) | (access << 40n) | (((handler >> 16n) & 0xffffn) << 48n));
      put(IDT + vector * 16 + 8, handler >> 32n);
      views.u8[this.ram + HANDLERS + vector * HANDLER_SIZE] = HLT;
    }
    views.u8.set(UNKNOWN_CALL, this.ram + SYSTEM_CALL);
    views.u8.fill(INT3, this.ram + CODE_FRAME, this.ram + CODE_FRAME + PAGE);
  }

  private startKernel(): void {
    const s = this.cpu.state;
    s.set64(Offset.CR3, BigInt(PML4));
    s.set64(Offset.CR0, BigInt((Cr0.PG | Cr0.AM | Cr0.WP | Cr0.NE | Cr0.ET | Cr0.MP | Cr0.PE) >>> 0));
    s.set64(Offset.CR4, BigInt(Cr4.DE | Cr4.PAE | Cr4.PGE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.UMIP | Cr4.FSGSBASE | Cr4.OSXSAVE | Cr4.SMEP | Cr4.SMAP | Cr4.PKE));
    s.set64(Offset.EFER, 0xd01n);
    s.set64(Offset.XCR0, 7n);
    s.set64(Offset.STAR, (0x23n << 48n) | (0x10n << 32n));
    s.set64(Offset.LSTAR, KERNEL + BigInt(SYSTEM_CALL));
    s.set64(Offset.FMASK, 0x4_7700n);
    s.set64(Offset.GDTR_BASE, KERNEL + BigInt(GDT));
    s.set32(Offset.GDTR_LIMIT, GDT_LIMIT);
    s.set64(Offset.IDTR_BASE, KERNEL + BigInt(IDT));
    s.set32(Offset.IDTR_LIMIT, GATES * 16 - 1);
    for (const [seg, selector, access, limit, base] of [[Seg.TR, TSS_SELECTOR, 0x8b, 0x67, TSS], [Seg.LDTR, LDT_SELECTOR, 0x82, LOCAL_DESCRIPTORS.length * 8 - 1, LDT]] as const) {
      s.setSelector(seg, selector);
      s.setAccess(seg, access);
      s.setLimit(seg, limit);
      s.setSegBase(seg, KERNEL + BigInt(base));
    }
  }

  /** Loads a segment register as the kernel does on its way to user mode. */
  private load(seg: number, selector: number): void {
    const s = this.cpu.state;
    const at = (selector & ~7) + (selector & 4 ? LDT - GDT : 0);
    const descriptor = this.descriptors[at >>> 3]!;
    s.setSelector(seg, selector);
    if (selector < 4) {
      s.setAccess(seg, ACCESS_UNUSABLE);
      s.setLimit(seg, 0);
      s.setSegBase(seg, 0n);
      return;
    }
    const upper = Number(descriptor >> 32n);
    const limit = Number(descriptor & 0xffffn) | (upper & 0xf_0000);
    s.setAccess(seg, (upper >>> 8) & 0xf0ff);
    s.setLimit(seg, upper & (1 << 23) ? ((limit << 12) | 0xfff) >>> 0 : limit);
    s.setSegBase(seg, ((descriptor >> 16n) & 0xff_ffffn) | (BigInt(upper >>> 24) << 24n));
  }

  /** Executes the case at `at` of `input`; writes how it ended to the same place of `output`. */
  run(input: Buffer, output: Buffer, at: number): void {
    const { cpu, ram } = this;
    const s = cpu.state;
    const { u8 } = cpu.views;
    const one = input.subarray(at, at + CASE_SIZE);
    const start = ram + CODE_FRAME + one.readUInt16LE(At.START);
    u8.fill(INT3, ram + CODE_FRAME, ram + CODE_FRAME + PAGE);
    u8.set(one.subarray(At.CODE, At.CODE + one[At.LENGTH]!), start);
    cpu.memoryChanged(CODE_FRAME >>> 12);
    u8.fill(0, ram + DATA_FRAME + DATA_SIZE, ram + DATA_FRAME + PAGE);
    u8.set(one.subarray(At.DATA, At.DATA + DATA_SIZE), ram + DATA_FRAME);
    for (let n = 0; n < 16; n++) s.setReg(n, one.readBigUInt64LE(At.REGS + n * 8));
    x87FromFxsave(s, new DataView(one.buffer, one.byteOffset + At.X87, X87_SIZE));
    writeMxcsr(s, one.readUInt32LE(At.MXCSR));
    u8.set(one.subarray(At.YMM, At.YMM + 16 * YMM_SIZE), s.base + Offset.YMM);
    writeFlags(s, Number(one.readBigUInt64LE(At.FLAGS)));
    for (const [seg, field] of SEGMENTS) this.load(seg, one.readUInt16LE(field));
    if (one.readUInt16LE(At.FS) === 0) s.setSegBase(Seg.FS, one.readBigUInt64LE(At.FS_BASE));
    if (one.readUInt16LE(At.GS) === 0) s.setSegBase(Seg.GS, one.readBigUInt64LE(At.GS_BASE));
    s.set32(Offset.CPL, 3);
    s.set64(Offset.PKRU, 0n);
    s.rip = one.readBigUInt64LE(At.RIP);
    s.set32(Offset.ACTIVITY, 0);
    s.set32(Offset.INTERRUPTIBILITY, 0);
    s.set64(Offset.PENDING_DEBUG, 0n);
    cpu.stateChanged();
    let reason: string = 'budget';
    if (!this.translates) reason = cpu.run(BUDGET);
    for (let step = 0; this.translates && step < BUDGET && reason === 'budget'; step++) {
      cpu.translateHere();
      reason = cpu.run(1);
    }
    if (reason !== 'halt') throw new Error(`a case ended with ${reason}: ${Buffer.from(one.subarray(At.CODE, At.CODE + one[At.LENGTH]!)).toString('hex')}`);
    this.report(output.subarray(at, at + CASE_SIZE), one);
  }

  private report(out: Buffer, one: Buffer): void {
    const { cpu, ram } = this;
    const s = cpu.state;
    const { u8, data } = cpu.views;
    one.copy(out);
    const vector = Number(s.rip - KERNEL - BigInt(HANDLERS)) >>> 4;
    const frame = ram + STACK_TOP - 40;
    out.writeUInt16LE(vector, At.VECTOR);
    out.writeUInt32LE(WITH_ERROR.has(vector) ? data.getUint32(frame - 8, true) : 0, At.ERROR);
    out.writeBigUInt64LE(s.get64(Offset.CR2), At.ADDRESS);
    for (let n = 0; n < 16; n++) out.writeBigUInt64LE(s.reg(n), At.REGS + n * 8);
    for (const [seg, field] of SEGMENTS) out.writeUInt16LE(s.selector(seg), field);
    out.writeBigUInt64LE(data.getBigUint64(frame, true), At.RIP);
    out.writeUInt16LE(data.getUint16(frame + 8, true), At.CS);
    out.writeBigUInt64LE(data.getBigUint64(frame + 16, true), At.FLAGS);
    out.writeBigUInt64LE(data.getBigUint64(frame + 24, true), At.REGS + 4 * 8);
    out.writeUInt16LE(data.getUint16(frame + 32, true), At.SS);
    out.writeBigUInt64LE(s.segBase(Seg.FS), At.FS_BASE);
    out.writeBigUInt64LE(s.segBase(Seg.GS), At.GS_BASE);
    x87ToFxsave(s, new DataView(out.buffer, out.byteOffset + At.X87, X87_SIZE));
    out.writeUInt32LE(readMxcsr(s), At.MXCSR);
    out.set(u8.subarray(s.base + Offset.YMM, s.base + Offset.YMM + 16 * YMM_SIZE), At.YMM);
    out.set(u8.subarray(ram + DATA_FRAME, ram + DATA_FRAME + DATA_SIZE), At.DATA);
  }
}
