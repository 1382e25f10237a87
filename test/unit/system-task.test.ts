/** Hardware task switches: each way in and out, what is saved and loaded, and the fault of each step. */
import assert from 'node:assert/strict';
import { Cr0 } from '../../src/cpu/controlBits';
import { CF, IF, NT, readFlags, TF, VM, writeFlags } from '../../src/cpu/flags';
import { EventType } from '../../src/cpu/intercepts';
import { Gpr, Offset, Seg } from '../../src/cpu/state';
import { deliverDebugTraps, PendingDebug } from '../../src/cpu/system/debugTraps';
import { deliverEvent } from '../../src/cpu/system/delivery';
import { interruptReturn } from '../../src/cpu/system/interruptReturn';
import { setCpl } from '../../src/cpu/system/mode';
import { farCall, farJump } from '../../src/cpu/system/transfer';
import { FakeProcessor } from './systemFake';

const GDT = 0x1_0000;
const IDT = 0x1_1000;
const OLD = 0x1_2000;
const NEW = 0x1_2100;
const NARROW = 0x1_2200;
const LDT = 0x1_3000;
const EIP = 0x3_0000n;
const NEW_EIP = 0x4_0000;

const Sel = { CODE: 0x08, DATA: 0x10, USER_CODE: 0x18, USER_DATA: 0x20, OLD: 0x28, NEW: 0x30, NARROW: 0x38, GATE: 0x40, LDT: 0x48, ABSENT: 0x50, SHORT: 0x58, CONFORMING: 0x60, ABSENT_DATA: 0x68, NOT_PRESENT_TSS: 0x70, IN_LDT: 0x0c } as const;

const descriptor = (base: number, limit: number, access: number): bigint =>
  BigInt(limit & 0xffff) | (BigInt(base & 0xff_ffff) << 16n) | (BigInt(access & 0xff) << 40n) | (BigInt((limit >>> 16) & 15) << 48n) | (BigInt((access >>> 12) & 15) << 52n) | (BigInt((base >>> 24) & 0xff) << 56n);

class Rig {
  readonly cpu = new FakeProcessor();
  readonly s = this.cpu.state;

  constructor() {
    const { cpu, s } = this;
    const put = (selector: number, value: bigint): void => cpu.writePhysical(GDT + selector, 8, value);
    put(Sel.CODE, descriptor(0, 0xfffff, 0xc09b));
    put(Sel.DATA, descriptor(0, 0xfffff, 0xc093));
    put(Sel.USER_CODE, descriptor(0, 0xfffff, 0xc0fb));
    put(Sel.USER_DATA, descriptor(0, 0xfffff, 0xc0f3));
    put(Sel.OLD, descriptor(OLD, 0x67, 0x8b));
    put(Sel.NEW, descriptor(NEW, 0x67, 0x89));
    put(Sel.NARROW, descriptor(NARROW, 0x2b, 0x81));
    put(Sel.GATE, (BigInt(Sel.NEW) << 16n) | (0xe5n << 40n));
    put(Sel.LDT, descriptor(LDT, 0x0f, 0x82));
    put(Sel.ABSENT, descriptor(0, 0xfffff, 0xc01b));
    put(Sel.SHORT, descriptor(NEW, 0x66, 0x89));
    put(Sel.CONFORMING, descriptor(0, 0xfffff, 0xc09f));
    put(Sel.ABSENT_DATA, descriptor(0, 0xfffff, 0xc013));
    put(Sel.NOT_PRESENT_TSS, descriptor(NEW, 0x67, 0x09));
    cpu.writePhysical(LDT + 8, 8, descriptor(0, 0xfffff, 0xc093));
    s.set64(Offset.GDTR_BASE, BigInt(GDT));
    s.set32(Offset.GDTR_LIMIT, 0xff);
    s.set64(Offset.IDTR_BASE, BigInt(IDT));
    s.set32(Offset.IDTR_LIMIT, 0x7ff);
    s.set32(Offset.CR0, Cr0.PE | Cr0.ET);
    for (let seg = 0; seg < 6; seg++) {
      s.setSelector(seg, seg === Seg.CS ? Sel.CODE : Sel.DATA);
      s.setAccess(seg, seg === Seg.CS ? 0xc09b : 0xc093);
      s.setLimit(seg, 0xffff_ffff);
      s.setSegBase(seg, 0n);
    }
    s.setSelector(Seg.TR, Sel.OLD);
    s.setAccess(Seg.TR, 0x8b);
    s.setSegBase(Seg.TR, BigInt(OLD));
    s.setLimit(Seg.TR, 0x67);
    setCpl(s, 0);
    for (let n = 0; n < 8; n++) s.setReg(n, BigInt(0x1111_0000 + n));
    s.setReg(Gpr.RSP, 0x8000n);
    s.rip = EIP;
    cpu.instructionRip = EIP - 7n;
    this.task({});
  }

  put32(at: number, value: number): void {
    this.cpu.writePhysical(at, 4, BigInt(value >>> 0));
  }
  get(at: number, size = 4): number {
    return Number(this.cpu.readPhysical(at, size));
  }

  /** The 32-bit TSS of the task to go to. */
  task(t: { cs?: number; ss?: number; ds?: number; ldt?: number; flags?: number; eip?: number; trap?: number; es?: number }): this {
    this.put32(NEW + 0x20, t.eip ?? NEW_EIP);
    this.put32(NEW + 0x24, t.flags ?? 2);
    for (let n = 0; n < 8; n++) this.put32(NEW + 0x28 + n * 4, n === Gpr.RSP ? 0x9000 : 0x2222_0000 + n);
    const selectors = [t.es ?? Sel.DATA, t.cs ?? Sel.CODE, t.ss ?? Sel.DATA, t.ds ?? Sel.DATA, 0, Sel.DATA, t.ldt ?? 0, t.trap ?? 0];
    selectors.forEach((selector, i) => this.put32(NEW + 0x48 + i * 4, selector));
    return this;
  }

  faultOf(action: () => void): string {
    return this.cpu.faultOf(action);
  }
  busy(selector: number): boolean {
    return (this.get(GDT + selector + 5, 1) & 2) !== 0;
  }
}

const jump = (rig: Rig, selector: number): string => rig.faultOf(() => farJump(rig.cpu, selector, 0n));
const call = (rig: Rig, selector: number): string => rig.faultOf(() => farCall(rig.cpu, selector, 0n, 4));

describe('task switches', () => {
  it('JMP saves the old task, loads the new one, and passes the busy bit on', () => {
    const rig = new Rig();
    writeFlags(rig.s, 2 | CF | IF);
    rig.s.set64(Offset.DR7, 0x7ffn);
    assert.equal(jump(rig, Sel.NEW), 'no fault');
    const { s } = rig;
    assert.deepEqual([rig.get(OLD + 0x20), rig.get(OLD + 0x24), rig.get(OLD + 0x28), rig.get(OLD + 0x38), rig.get(OLD + 0x44)], [0x3_0000, 0x203, 0x1111_0000, 0x8000, 0x1111_0007]);
    assert.deepEqual([rig.get(OLD + 0x48, 2), rig.get(OLD + 0x4c, 2), rig.get(OLD + 0x5c, 2)], [Sel.DATA, Sel.CODE, Sel.DATA]);
    assert.deepEqual([s.rip, s.reg(Gpr.RAX), s.reg(Gpr.RSP), s.reg(Gpr.RDI)], [BigInt(NEW_EIP), 0x2222_0000n, 0x9000n, 0x2222_0007n]);
    assert.deepEqual([rig.busy(Sel.OLD), rig.busy(Sel.NEW)], [false, true]);
    assert.deepEqual([s.selector(Seg.TR), s.segBase(Seg.TR), s.access(Seg.TR) & 15], [Sel.NEW, BigInt(NEW), 11]);
    assert.equal(readFlags(s), 2);
    assert.equal(s.cr0 & Cr0.TS, Cr0.TS);
    assert.equal(s.get32(Offset.DR7), 0x6aa, 'L0 to L3 and LE are clear');
    assert.equal(rig.get(NEW, 2), 0, 'no link');
    assert.equal(s.access(Seg.FS) >>> 16, 1, 'a null selector');
  });

  it('CALL links the tasks and sets NT, IRET goes back', () => {
    const rig = new Rig();
    const { s } = rig;
    assert.equal(call(rig, Sel.NEW), 'no fault');
    assert.deepEqual([rig.get(NEW, 2), rig.busy(Sel.OLD), rig.busy(Sel.NEW)], [Sel.OLD, true, true]);
    assert.equal(readFlags(s), 2 | NT);
    assert.equal(s.reg(Gpr.RSP), 0x9000n, 'nothing is pushed');
    s.rip = BigInt(NEW_EIP + 9);
    s.setReg(Gpr.RAX, 0x77n);
    interruptReturn(rig.cpu, 4);
    assert.deepEqual([s.rip, s.reg(Gpr.RAX), s.reg(Gpr.RSP), s.selector(Seg.TR)], [EIP, 0x1111_0000n, 0x8000n, Sel.OLD]);
    assert.deepEqual([rig.busy(Sel.OLD), rig.busy(Sel.NEW)], [true, false]);
    assert.deepEqual([rig.get(NEW + 0x20), rig.get(NEW + 0x24), rig.get(NEW + 0x28)], [NEW_EIP + 9, 2, 0x77], 'the saved flags have NT clear');
    assert.equal(readFlags(s), 2);
  });

  it('a task gate in the GDT asks its own DPL, not that of the TSS', () => {
    const rig = new Rig();
    const user = (): void => {
      setCpl(rig.s, 3);
      for (const seg of [Seg.CS, Seg.SS]) rig.s.setSelector(seg, rig.s.selector(seg) | 3);
    };
    user();
    assert.equal(jump(rig, Sel.NEW), '#GP(30)');
    assert.equal(jump(rig, Sel.GATE), 'no fault');
    assert.equal(rig.s.cpl, 0);
  });

  it('an exception through a task gate pushes its error code onto the new stack', () => {
    const rig = new Rig();
    rig.cpu.writePhysical(IDT + 13 * 8, 8, (BigInt(Sel.NEW) << 16n) | (0x85n << 40n));
    rig.s.rip = EIP - 7n;
    deliverEvent(rig.cpu, EventType.HARDWARE_EXCEPTION, 13, 0x1234, 0);
    assert.deepEqual([rig.s.rip, rig.s.reg(Gpr.RSP), rig.get(0x8ffc), rig.get(OLD + 0x20)], [BigInt(NEW_EIP), 0x8ffcn, 0x1234, 0x3_0000 - 7]);
    assert.equal(readFlags(rig.s), 2 | NT);
  });

  it('INT n through a task gate leaves the old task behind the instruction', () => {
    const rig = new Rig();
    rig.cpu.writePhysical(IDT + 0x40 * 8, 8, (BigInt(Sel.NEW) << 16n) | (0x85n << 40n));
    rig.s.rip = EIP;
    deliverEvent(rig.cpu, EventType.SOFTWARE_INTERRUPT, 0x40, undefined, 2);
    assert.equal(rig.get(OLD + 0x20), 0x3_0002);
    assert.equal(rig.s.reg(Gpr.RSP), 0x9000n);
  });

  it('to a 16-bit TSS and back: upper halves of registers become ones, FS and GS null', () => {
    const rig = new Rig();
    const { s } = rig;
    const put = (at: number, value: number): void => rig.cpu.writePhysical(NARROW + at, 2, BigInt(value));
    put(0x0e, 0x4444);
    put(0x10, 2 | CF);
    for (let n = 0; n < 8; n++) put(0x12 + n * 2, 0x100 + n);
    [Sel.DATA, Sel.CODE, Sel.DATA, Sel.DATA, Sel.LDT].forEach((selector, i) => put(0x22 + i * 2, selector));
    assert.equal(call(rig, Sel.NARROW), 'no fault');
    assert.deepEqual([s.rip, s.reg(Gpr.RBX), s.selector(Seg.FS), s.selector(Seg.LDTR), s.segBase(Seg.LDTR)], [0x4444n, 0xffff_0103n, 0, Sel.LDT, BigInt(LDT)]);
    assert.equal(readFlags(s), 2 | CF | NT);
    interruptReturn(rig.cpu, 4);
    assert.deepEqual([s.rip, s.reg(Gpr.RBX)], [EIP, 0x1111_0003n]);
    assert.equal(rig.cpu.readPhysical(NARROW + 0x0e, 2), 0x4444n);
  });

  it('to virtual-8086 mode and to CPL 3', () => {
    const virtual = new Rig().task({ cs: 0x1234, ss: 0x2000, ds: 0x3000, es: 0, flags: 2 | VM, eip: 0x10 });
    assert.equal(jump(virtual, Sel.NEW), 'no fault');
    assert.deepEqual([virtual.s.cpl, virtual.s.segBase(Seg.CS), virtual.s.segBase(Seg.DS), virtual.s.access(Seg.SS)], [3, 0x1_2340n, 0x3_0000n, 0xf3]);
    const user = new Rig().task({ cs: Sel.USER_CODE | 3, ss: Sel.USER_DATA | 3, ds: Sel.USER_DATA | 3, es: Sel.USER_DATA | 3 });
    user.put32(NEW + 0x5c, 0);
    assert.equal(jump(user, Sel.NEW), 'no fault');
    assert.equal(user.s.cpl, 3);
  });

  it('the T bit raises a #DB with DR6.BT before the first instruction', () => {
    const rig = new Rig().task({ trap: 1 });
    rig.cpu.writePhysical(IDT + 8, 8, BigInt(0x5000) | (BigInt(Sel.CODE) << 16n) | (0x8en << 40n));
    jump(rig, Sel.NEW);
    assert.equal(rig.s.get32(Offset.PENDING_DEBUG), PendingDebug.TASK_SWITCH);
    assert.equal(deliverDebugTraps(rig.cpu), true);
    assert.equal(rig.s.get64(Offset.DR6), 0xffff_8ff0n);
    assert.deepEqual([rig.s.rip, rig.get(0x9000 - 12)], [0x5000n, NEW_EIP]);
  });

  it('CR3 comes from the TSS with paging on only', () => {
    const rig = new Rig();
    rig.put32(NEW + 0x1c, 0x2_0000);
    jump(rig, Sel.NEW);
    assert.equal(rig.s.get32(Offset.CR3), 0);
    const paged = new Rig();
    paged.put32(NEW + 0x1c, 0x2_0000);
    for (const directory of [0x2_0000, 0x2_1000]) paged.put32(directory, 0x87);
    paged.s.set32(Offset.CR4, 0x10);
    paged.s.set64(Offset.CR3, 0x2_1000n);
    paged.s.set32(Offset.CR0, Cr0.PG | Cr0.PE | Cr0.ET);
    assert.equal(jump(paged, Sel.NEW), 'no fault');
    assert.equal(paged.s.get32(Offset.CR3), 0x2_0000);
    assert(paged.cpu.flushes > 0);
  });

  /** Faults on behalf of the old task: nothing has changed. */
  const before: [string, string, (rig: Rig) => string][] = [
    ['a busy TSS', '#GP(28)', (rig) => jump(rig, Sel.OLD)],
    ['a TSS that is not present', '#NP(70)', (rig) => call(rig, Sel.NOT_PRESENT_TSS)],
    ['a TSS that is too short', '#TS(58)', (rig) => jump(rig, Sel.SHORT)],
    [
      'a task gate that names no TSS',
      '#GP(10)',
      (rig) => {
        rig.cpu.writePhysical(GDT + Sel.GATE, 8, (BigInt(Sel.DATA) << 16n) | (0xe5n << 40n));
        return jump(rig, Sel.GATE);
      },
    ],
    [
      'a task gate that names the LDT',
      '#GP(34)',
      (rig) => {
        rig.cpu.writePhysical(GDT + Sel.GATE, 8, (BigInt(Sel.NEW | 4) << 16n) | (0xe5n << 40n));
        return jump(rig, Sel.GATE);
      },
    ],
    [
      'IRET to a task that is not busy',
      '#TS(30)',
      (rig) => {
        rig.put32(OLD, Sel.NEW);
        writeFlags(rig.s, 2 | NT);
        return rig.faultOf(() => interruptReturn(rig.cpu, 4));
      },
    ],
    [
      'IRET to no task',
      '#TS(0)',
      (rig) => {
        writeFlags(rig.s, 2 | NT);
        return rig.faultOf(() => interruptReturn(rig.cpu, 4));
      },
    ],
  ];
  for (const [name, fault, action] of before) {
    it(`faults before the switch: ${name}`, () => {
      const rig = new Rig();
      assert.equal(action(rig), fault);
      assert.deepEqual([rig.s.selector(Seg.TR), rig.s.reg(Gpr.RSP), rig.s.cr0 & Cr0.TS, rig.busy(Sel.OLD)], [Sel.OLD, 0x8000n, 0, true]);
    });
  }

  /** Faults of the new task: RIP is its own. */
  const after: [string, string, Parameters<Rig['task']>[0]][] = [
    ['LDT selector that is no LDT', '#TS(10)', { ldt: Sel.DATA }],
    ['LDT selector in the LDT', '#TS(c)', { ldt: Sel.IN_LDT }],
    ['CS null', '#TS(0)', { cs: 0 }],
    ['CS that is data', '#TS(10)', { cs: Sel.DATA }],
    ['CS of another privilege than its RPL', '#TS(8)', { cs: Sel.CODE | 3 }],
    ['CS that is not present', '#NP(50)', { cs: Sel.ABSENT }],
    ['CS beyond the GDT', '#TS(100)', { cs: 0x100 }],
    ['SS null', '#TS(0)', { ss: 0 }],
    ['SS of another privilege', '#TS(20)', { ss: Sel.USER_DATA | 3 }],
    ['SS that is not present', '#SS(68)', { ss: Sel.ABSENT_DATA }],
    ['DS that is a TSS', '#TS(28)', { ds: Sel.OLD }],
    ['DS that is not present', '#NP(68)', { ds: Sel.ABSENT_DATA }],
  ];
  for (const [name, fault, task] of after) {
    it(`faults in the new task: ${name}`, () => {
      const rig = new Rig().task(task);
      assert.equal(jump(rig, Sel.NEW), fault);
      assert.deepEqual([rig.s.selector(Seg.TR), rig.s.rip, rig.cpu.instructionRip, rig.busy(Sel.OLD), rig.busy(Sel.NEW)], [Sel.NEW, BigInt(NEW_EIP), BigInt(NEW_EIP), false, true]);
    });
  }

  it('EIP beyond CS.limit is #GP(0) of the new task; segments in its LDT load; TF of the old task does not trap', () => {
    const rig = new Rig();
    rig.cpu.writePhysical(GDT + Sel.CODE, 8, descriptor(0, 0x3fff, 0x409b));
    assert.equal(jump(rig, Sel.NEW), '#GP(0)');
    const local = new Rig().task({ ldt: Sel.LDT, ds: Sel.IN_LDT });
    writeFlags(local.s, 2 | TF);
    assert.equal(jump(local, Sel.NEW), 'no fault');
    assert.equal(local.s.selector(Seg.DS), Sel.IN_LDT);
  });

  it('a page fault of the new TSS is the old task’s and leaves nothing changed', () => {
    const rig = new Rig();
    const directory = 0x2_1000;
    const table = 0x2_2000;
    rig.put32(directory, table | 7);
    for (let i = 0; i < 1024; i++) rig.put32(table + i * 4, (i << 12) | 7);
    rig.cpu.writePhysical(GDT + Sel.NEW, 8, descriptor(0x3_2000, 0x67, 0x89));
    rig.put32(table + 0x32 * 4, 0x3_2006);
    rig.s.set64(Offset.CR3, BigInt(directory));
    rig.s.set32(Offset.CR0, Cr0.PG | Cr0.PE | Cr0.ET);
    assert.equal(jump(rig, Sel.NEW), '#PF(0) at 32020');
    assert.deepEqual([rig.s.selector(Seg.TR), rig.busy(Sel.OLD), rig.busy(Sel.NEW), rig.get(OLD + 0x20)], [Sel.OLD, true, false, 0]);
  });
});
