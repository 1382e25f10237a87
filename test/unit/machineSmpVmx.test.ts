/** INIT and start-up IPIs as a processor in VMX operation takes them (SDM volume 3, "Other Causes of VM Exits"). */
import assert from 'node:assert/strict';
import { signalInit, signalStartUp } from '../../src/cpu/engine/signals';
import { Offset, Seg } from '../../src/cpu/state';
import { VmxRig } from './vmxRig';

const WAIT_FOR_SIPI = 3;
const APIC_BASE_AP = 0xfee0_0800n;

/** A guest that loops; `at` is done when it writes port 0x10 first. */
function looping(at: (rig: VmxRig) => void): VmxRig {
  const rig = new VmxRig().realModeGuest('e6 10 ; out 0x10, al \n eb fe ; jmp self');
  rig.ports.push = () => {
    at(rig);
    rig.cpu.requestAttention();
    return 0;
  };
  return rig;
}

describe('INIT and start-up IPIs in VMX operation', () => {
  it('INIT causes a VM exit in the guest, and is used up by it', () => {
    const rig = looping(({ cpu }) => signalInit(cpu.state));
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.guestRip, exit.qualification], ['INIT_SIGNAL', 0x7002n, 0n]);
    assert.equal(rig.cpu.state.get32(Offset.SIGNALS), 0);
  });
  it('a start-up IPI is nothing to a guest that does not wait for one', () => {
    const rig = looping(({ cpu }) => {
      signalStartUp(cpu.state, 0x12);
      signalInit(cpu.state); // ends the loop
    });
    assert.equal(rig.launch().name, 'INIT_SIGNAL');
  });
  it('a guest in the wait-for-SIPI state: INIT and NMI are blocked, a start-up IPI causes a VM exit with its vector', () => {
    const rig = new VmxRig().realModeGuest('f4');
    rig.set({ GUEST_ACTIVITY_STATE: WAIT_FOR_SIPI });
    assert.throws(() => rig.launch(), /no VM exit/);
    const { state } = rig.cpu;
    signalInit(state);
    state.set32(Offset.NMI_PENDING, 1);
    assert.equal(rig.cpu.run(100), 'halt');
    assert.equal(rig.exits.length, 0);
    state.set32(Offset.NMI_PENDING, 0);
    signalStartUp(state, 0x12);
    rig.cpu.run(100);
    assert.deepEqual([rig.exits[0]!.name, rig.exits[0]!.qualification], ['SIPI', 0x12n]);
    assert.equal(Number(rig.get('GUEST_ACTIVITY_STATE')), WAIT_FOR_SIPI);
  });
  it('in VMX root operation INIT waits for VMXOFF, and start-up IPIs are lost', () => {
    const rig = new VmxRig().vmxOn();
    const { state } = rig.cpu;
    state.set64(Offset.APIC_BASE, APIC_BASE_AP);
    signalInit(state);
    signalStartUp(state, 0x12);
    rig.host('90 ; nop');
    assert.equal(state.get32(Offset.VMX_MODE), 1);
    state.set64(Offset.CR2, 5n);
    rig.host('0f 01 c4 ; vmxoff');
    assert.equal(state.get32(Offset.ACTIVITY), WAIT_FOR_SIPI);
    assert.deepEqual([state.cr0, state.get64(Offset.CR2), state.efer, state.get32(Offset.SIGNALS)], [0x10, 0n, 0, 0]);
    signalStartUp(state, 0x12);
    rig.cpu.run(0);
    assert.deepEqual([state.get32(Offset.ACTIVITY), state.selector(Seg.CS), state.segBase(Seg.CS), state.rip], [0, 0x1200, 0x1_2000n, 0n]);
  });
  it('INIT keeps what it has to keep: x87 and SSE state, XCR0, MSRs, the caches\' bits', () => {
    const rig = new VmxRig();
    const { state } = rig.cpu;
    state.set64(Offset.APIC_BASE, APIC_BASE_AP);
    rig.host('d9 e8 ; fld1', {});
    const kept = [Offset.MXCSR, Offset.FPU, Offset.PAT, Offset.STAR, Offset.TSC_AUX, Offset.FEATURE_CONTROL, Offset.XCR0];
    state.set64(Offset.STAR, 0x1234n);
    state.set64(Offset.CR0, 0x6000_0011n);
    const before = kept.map((at) => state.get64(at));
    signalInit(state);
    rig.cpu.run(0);
    assert.deepEqual(kept.map((at) => state.get64(at)), before);
    assert.equal(state.cr0, 0x6000_0010);
    assert.equal(state.get64(Offset.DR6), 0xffff_0ff0n);
  });
});
