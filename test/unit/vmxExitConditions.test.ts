/** Every rule of src/vmx/tables/exitConditions.ts, both ways: a guest that exits, with all that the exit reports, and one that does not. */
import assert from 'node:assert/strict';
import { GUEST_CODE, type VmxRig } from './vmxRig';
import { EXIT_CASES, type ExitCase, exitTitle, neverStays } from './vmxExitCases';
import { enterExit, expectedReport, isAnnounced, prepareExit, reportOf } from './vmxExitVmm';

describe('VM exits by rule', () => {
  for (const c of EXIT_CASES.filter(isAnnounced)) {
    it(exitTitle(c, 'exits'), () => {
      const rig = prepareExit(c, 'exits');
      const reason = enterExit(rig);
      assert.deepEqual(reportOf((name) => rig.get(name), c, reason), expectedReport(c));
      // The VM entry's event has been used up.
      assert.equal(rig.get('VM_ENTRY_INTERRUPTION_INFO') >> 31n, 0n);
    });
    if (neverStays(c)) continue;
    it(exitTitle(c, 'stays'), () => {
      const rig = prepareExit(c, 'stays');
      assert.equal(enterExit(rig), c.otherwise ?? 'HLT', where(rig, c));
    });
  }
});

const where = (rig: VmxRig, c: ExitCase): string => `at 0x${(rig.get('GUEST_RIP') - BigInt(GUEST_CODE)).toString(16)} of ${c.code}`;
