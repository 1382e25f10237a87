/**
 * What a VM entry does with a single step and with blocking by STI of the VMM that performs it: they end with the VMM's state
 * (SDM volume 3, "Delivery of Pending Debug Exceptions after VM Entry", "Loading Guest Non-Register State").
 */
import assert from 'node:assert/strict';
import { Offset } from '../../src/cpu/state';
import { At, VmxRig } from './vmxRig';

const IDT = 0x5000;
const GDT = 0x6000;
const HANDLER = 0x3_0000;
const STEPS = 0xe_0000;
const DEBUG = 1;
const LAUNCH = '0f 01 c2 ; vmlaunch';
/** Sets RFLAGS.TF; the instruction behind is the first to be stepped. */
const STEP = '9c 80 4c 24 01 01 9d ; pushfq; or byte [rsp+1], 1; popfq';
const BLOCKING_BY_STI = 1;

/** A guest in real mode, and a VMM whose handler of #DB counts and steps no further. */
function ready(guest: string): VmxRig {
  const rig = new VmxRig().realModeGuest(guest);
  rig.write64(IDT + DEBUG * 16, BigInt(HANDLER & 0xffff) | (8n << 16n) | (0x8en << 40n) | (BigInt(HANDLER >>> 16) << 48n));
  rig.write64(IDT + DEBUG * 16 + 8, 0n);
  rig.writeBytes(HANDLER, [0x80, 0x64, 0x24, 0x11, 0xfe, 0xfe, 0x04, 0x25, STEPS & 0xff, (STEPS >>> 8) & 0xff, STEPS >>> 16, 0, 0x48, 0xcf]); // and byte [rsp+17], 0feh; inc byte [STEPS]; iretq
  rig.write64(GDT + 8, 0x00af_9b00_0000_ffffn);
  rig.write64(GDT + 16, 0x00cf_9300_0000_ffffn);
  const s = rig.cpu.state;
  s.set64(Offset.IDTR_BASE, BigInt(IDT));
  s.set32(Offset.IDTR_LIMIT, 0xfff);
  s.set64(Offset.GDTR_BASE, BigInt(GDT));
  s.set32(Offset.GDTR_LIMIT, 0xff);
  rig.writeBytes(At.EXIT_HANDLER, [0x90, 0x90, 0xf4]); // nop; nop; hlt
  return rig;
}
const steps = (rig: VmxRig): number => Number(rig.read64(STEPS) & 0xffn);

describe('VM entries of a VMM that single-steps', () => {
  it('entry.step.guest: the guest gets no #DB, and nothing is pending in it', () => {
    const rig = ready('90 f4 ; nop; hlt');
    rig.set({ EXCEPTION_BITMAP: 1 << DEBUG });
    rig.host(`${STEP}\n${LAUNCH}`);
    assert.deepEqual([rig.exits.map((e) => e.name), rig.get('GUEST_PENDING_DEBUG_EXCEPTIONS'), steps(rig)], [['HLT'], 0n, 0]);
  });
  it('entry.step.late: nor does the VMM after an entry that fails as a VM exit', () => {
    const rig = ready('f4');
    rig.set({ GUEST_RFLAGS: 0 });
    rig.host(`${STEP}\n${LAUNCH}`);
    assert.deepEqual([rig.exits.map((e) => e.name), steps(rig)], [['ENTRY_FAILURE_GUEST_STATE'], 0]);
  });
  it('entry.step.fails: an entry that fails by its flags is stepped as every instruction', () => {
    const rig = ready('f4');
    rig.set({ CR3_TARGET_COUNT: 5 });
    rig.host(`${STEP}\n${LAUNCH}\n90 ; nop`);
    assert.deepEqual([rig.exits.length, steps(rig), rig.get('VM_INSTRUCTION_ERROR')], [0, 1, 7n]);
  });
});

describe('VM entries behind STI of the VMM', () => {
  for (const blocking of [0, BLOCKING_BY_STI]) {
    it(`entry.sti: a guest ${blocking ? 'that begins with' : 'without'} blocking by STI has what its VMCS says`, () => {
      const rig = ready('0f a2 ; cpuid');
      rig.set({ GUEST_RFLAGS: 0x202, GUEST_INTERRUPTIBILITY_STATE: blocking });
      rig.host(`fb ; sti\n${LAUNCH}`);
      assert.deepEqual([rig.exits.map((e) => e.name), Number(rig.get('GUEST_INTERRUPTIBILITY_STATE'))], [['CPUID'], blocking]);
    });
  }
});
