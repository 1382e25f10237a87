/** Every rule of src/vmx/tables/exitConditions.ts, both ways: a guest that exits, with all that the exit reports, and one that does not. */
import assert from 'node:assert/strict';
import { Gpr, Offset } from '../../src/cpu/state';
import { At, bytes, GUEST_CODE, type VmxRig } from './vmxRig';
import { EXIT_CASES, type ExitCase, exitTitle, neverStays } from './vmxExitCases';
import { expectedReport, isAnnounced, prepareExit, reportOf } from './vmxExitVmm';

const CLOCK_TO_TIMER = 64;

/** Enters, and lets a guest that waits wait until its timer has run down. */
function enter(rig: VmxRig): string {
  rig.writeBytes(At.HOST_CODE, bytes('0f 01 c2 f4 ; vmlaunch; hlt'));
  const s = rig.cpu.state;
  s.rip = BigInt(At.HOST_CODE);
  s.setReg(Gpr.RSP, BigInt(At.HOST_STACK));
  s.set32(Offset.ACTIVITY, 0);
  rig.cpu.run(10_000);
  if (rig.exits.length === 0 && rig.unit.nonRoot) {
    s.icount += CLOCK_TO_TIMER;
    rig.cpu.run(10_000);
  }
  const exit = rig.exits.at(-1);
  assert.ok(exit, `There was no VM exit: ${rig.failures.at(-1)?.message ?? 'the guest runs'}`);
  return exit.name;
}

describe('VM exits by rule', () => {
  for (const c of EXIT_CASES.filter(isAnnounced)) {
    it(exitTitle(c, 'exits'), () => {
      const rig = prepareExit(c, 'exits');
      const reason = enter(rig);
      assert.deepEqual(reportOf((name) => rig.get(name), c, reason), expectedReport(c));
      // The VM entry's event has been used up.
      assert.equal(rig.get('VM_ENTRY_INTERRUPTION_INFO') >> 31n, 0n);
    });
    if (neverStays(c)) continue;
    it(exitTitle(c, 'stays'), () => {
      const rig = prepareExit(c, 'stays');
      assert.equal(enter(rig), c.otherwise ?? 'HLT', where(rig, c));
    });
  }
});

const where = (rig: VmxRig, c: ExitCase): string => `at 0x${(rig.get('GUEST_RIP') - BigInt(GUEST_CODE)).toString(16)} of ${c.code}`;
