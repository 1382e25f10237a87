/** MONITOR and MWAIT on one processor: what CPUID says, faults, and what does not wait. */
import assert from 'node:assert/strict';
import { Gpr, Offset } from '../../src/cpu/state';
import { cpuid } from '../../src/cpu/system/cpuid';
import { readMsr, writeMsr } from '../../src/cpu/system/msr';
import { longMode, type Pc } from './systemPc';

const MONITOR_BIT = 1 << 3;

function ran(program: string): Pc {
  const pc = longMode(`bc 00 70 00 00 45 31 f6 45 31 ff\n${program}`);
  assert.equal(pc.cpu.run(10_000), 'halt');
  return pc;
}

/** MONITOR of [RAX] with ECX and EDX 0, from a jump over it when it faults. */
const MONITOR = '31 c9 31 d2 0f 01 c8';
const MWAIT = '31 c0 31 c9 0f 01 c9';

describe('MONITOR and MWAIT', () => {
  it('CPUID tells of lines of 64 bytes and of C1, until IA32_MISC_ENABLE switches them off', () => {
    const { cpu } = longMode('f4');
    assert.deepEqual(cpuid(cpu, 5, 0), { eax: 64, ebx: 64, ecx: 3, edx: 0x10 });
    assert.ok(cpuid(cpu, 1, 0).ecx & MONITOR_BIT);
    cpu.state.set64(Offset.MISC_ENABLE, 1n);
    assert.deepEqual(cpuid(cpu, 5, 0), { eax: 0, ebx: 0, ecx: 0, edx: 0 });
    assert.equal(cpuid(cpu, 1, 0).ecx & MONITOR_BIT, 0);
  });
  it('the MSR exists by which idle drivers of this model forbid deeper states', () => {
    const { cpu } = longMode('f4');
    assert.equal(readMsr(cpu, 0x1fc), 0n);
    assert.equal(writeMsr(cpu, 0x1fc, 2n), true);
  });
  it('without MONITOR before it MWAIT does not wait', () => {
    assert.equal(ran(`${MWAIT} bb 01 00 00 00 f4`).cpu.state.reg(Gpr.RBX), 1n);
  });
  it('a store to the line by the processor itself counts', () => {
    assert.equal(ran(`b8 00 f0 00 00 ${MONITOR} c6 04 25 3f f0 00 00 01 ${MWAIT} bb 02 00 00 00 f4`).cpu.state.reg(Gpr.RBX), 2n);
  });
  it('waits when the line was armed and nothing has come', () => {
    const { state } = ran(`bb 00 00 00 00 b8 00 f0 00 00 ${MONITOR} c6 04 25 40 f0 00 00 01 ${MWAIT} bb 03 00 00 00 f4`).cpu;
    assert.equal(state.reg(Gpr.RBX), 0n);
  });
  it('an interrupt wakes it, and the handler returns behind MWAIT', () => {
    const pc = longMode(`bc 00 70 00 00 45 31 f6 45 31 ff bb 00 00 00 00 b8 00 f0 00 00 ${MONITOR} fb ${MWAIT} bb 04 00 00 00 fa f4`);
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.equal(pc.cpu.state.reg(Gpr.RBX), 0n);
    pc.waiting.push(0x31);
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.equal(pc.cpu.state.reg(Gpr.RBX), 4n);
    assert.match(pc.log()[0]!, /^31\(0\)/);
  });
  it('a masked interrupt ends a wait with ECX 1 and no other', () => {
    for (const [ecx, rbx] of [[0, 0n], [1, 5n]] as const) {
      const pc = longMode(`bc 00 70 00 00 45 31 f6 45 31 ff bb 00 00 00 00 b8 00 f0 00 00 ${MONITOR} 31 c0 b9 0${ecx} 00 00 00 0f 01 c9 bb 05 00 00 00 f4`);
      assert.equal(pc.cpu.run(10_000), 'halt');
      pc.waiting.push(0x31);
      assert.equal(pc.cpu.run(10_000), 'halt');
      assert.equal(pc.cpu.state.reg(Gpr.RBX), rbx, `ECX ${ecx}`);
      assert.equal(pc.log().length, 0);
    }
  });
  it('extensions that do not exist raise #GP(0), an address that is not mapped #PF', () => {
    const over = '4c 8d 3d 03 00 00 00'; // lea r15, [rip+3]
    assert.match(ran(`b9 01 00 00 00 ${over} 0f 01 c8 f4`).log()[0]!, /^d\(0\)/);
    assert.match(ran(`b9 02 00 00 00 ${over} 0f 01 c9 f4`).log()[0]!, /^d\(0\)/);
    assert.match(ran(`31 c9 b8 00 20 20 00 ${over} 0f 01 c8 f4`).log()[0]!, /^e\(0\) .* cr2 202000/);
  });
  it('#UD where IA32_MISC_ENABLE has switched them off', () => {
    const off = 'b9 a0 01 00 00 b8 01 00 00 00 31 d2 0f 30';
    assert.match(ran(`${off} 31 c9 4c 8d 3d 03 00 00 00 0f 01 c8 f4`).log()[0]!, /^6\(0\)/);
    assert.match(ran(`${off} 31 c9 4c 8d 3d 03 00 00 00 0f 01 c9 f4`).log()[0]!, /^6\(0\)/);
  });
});
