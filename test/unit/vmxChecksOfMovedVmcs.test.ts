import assert from 'node:assert/strict';
import { CHECKS } from '../../src/debug/checks/table';
import { VmxChecks } from '../../src/debug/checks/vmxChecks';
import { ExitRecorder } from '../../src/debug/exits/exitRecorder';
import type { Target } from '../../src/debug/target';
import { At, VmxRig } from './vmxRig';

const VMCLEAR = '66 0f c7 30 ; vmclear [rax]';
const VMPTRLD = '0f c7 30 ; vmptrld [rax]';
const VMLAUNCH = '0f 01 c2 ; vmlaunch';
const VMRESUME = '0f 01 c3 ; vmresume';
const WATCHED = 'rip-not-advanced';

/** A guest that has exited by CPUID, on a machine with `cpus` processors; `found` are the checks that have spoken since. */
function exited(cpus: number): { rig: VmxRig; found: string[] } {
  const rig = new VmxRig().realModeGuest('0f a2 f4 ; cpuid; hlt');
  const found: string[] = [];
  const target = { cpu: rig.cpu, vmx: rig.unit, machine: { cpus: Array.from({ length: cpus }, () => rig.cpu) } } as unknown as Target;
  const checks = new VmxChecks(target, new Set(CHECKS.map(({ id }) => id).filter((id) => id !== WATCHED)), ({ check }) => found.push(check.id));
  rig.unit.observer = new ExitRecorder(rig.cpu, rig.unit, { exit: (record) => void rig.exits.push(record), entry: () => {}, failure: () => {}, delivering: () => {} }, checks);
  rig.launch({ RAX: 1n });
  return { rig, found };
}

describe('VMX checks: a VMCS that may have been on another processor', () => {
  it('VMRESUME belongs to the exit before: registers that changed since are told', () => {
    const { rig, found } = exited(2);
    rig.host(VMRESUME, { RAX: 99n });
    assert.deepEqual(found, [WATCHED]);
  });

  for (const [cpus, told] of [[1, [WATCHED]], [2, []]] as const) {
    it(`after VMCLEAR on a machine with ${cpus} processors, ${told.length > 0 ? 'it cannot have moved' : 'the registers are another exit\'s'}`, () => {
      const { rig, found } = exited(cpus);
      rig.pointer(VMCLEAR, At.VMCS);
      rig.pointer(VMPTRLD, At.VMCS);
      rig.host(VMLAUNCH, { RAX: 99n });
      assert.deepEqual(found, told);
    });
  }
});
