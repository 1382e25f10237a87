/** Every rule of src/vmx/tables/exitConditions.ts, both ways: a guest that exits, with all that the exit reports, and one that does not. */
import assert from 'node:assert/strict';
import { Pin } from '../../src/vmx';
import { prepare, rigFor } from './vmxEntryVmm';
import { GUEST_CODE, type VmxRig } from './vmxRig';
import { EXIT_CASES, type ExitCase, exitTitle, neverStays } from './vmxExitCases';
import { enterExit, expectedReport, isAnnounced, prepareExit, reportOf } from './vmxExitVmm';

describe('VM exits by rule', () => {
  for (const c of EXIT_CASES.filter(isAnnounced)) {
    it(exitTitle(c, 'exits'), () => {
      const rig = prepareExit(c, 'exits');
      const reason = enterExit(rig, c.waits);
      assert.deepEqual(reportOf((name) => rig.get(name), c, reason), expectedReport(c));
      // The VM entry's event has been used up.
      assert.equal(rig.get('VM_ENTRY_INTERRUPTION_INFO') >> 31n, 0n);
    });
    if (neverStays(c)) continue;
    it(exitTitle(c, 'stays'), () => {
      const rig = prepareExit(c, 'stays');
      assert.equal(enterExit(rig, c.waits), c.otherwise ?? 'HLT', where(rig, c));
    });
  }
});

const where = (rig: VmxRig, c: ExitCase): string => `at 0x${(rig.get('GUEST_RIP') - BigInt(GUEST_CODE)).toString(16)} of ${c.code}`;

describe('VM entries that fail late', () => {
  const KEPT = ['VM_EXIT_INTERRUPTION_INFO', 'VM_EXIT_INTERRUPTION_ERROR_CODE', 'IDT_VECTORING_INFO', 'IDT_VECTORING_ERROR_CODE', 'VM_EXIT_INSTRUCTION_LENGTH', 'VM_EXIT_INSTRUCTION_INFO', 'GUEST_LINEAR_ADDRESS', 'GUEST_PHYSICAL_ADDRESS', 'VM_ENTRY_INTERRUPTION_INFO', 'GUEST_RSP'] as const;

  it('write exit reason and qualification, and leave other exit information, the event and the guest state alone', () => {
    const rig = rigFor([], []);
    prepare(rig, 'long');
    rig.set(Object.fromEntries(KEPT.map((name, i) => [name, 0x1_1000 + i])));
    rig.set({ VM_ENTRY_INTERRUPTION_INFO: 0x8000_0306, GUEST_RFLAGS: 0 });
    assert.equal(enterExit(rig), 'ENTRY_FAILURE_GUEST_STATE');
    assert.deepEqual([rig.get('VM_EXIT_REASON'), rig.get('EXIT_QUALIFICATION')], [0x8000_0021n, 0n]);
    assert.deepEqual(KEPT.map((name) => rig.get(name)), KEPT.map((name, i) => (name === 'VM_ENTRY_INTERRUPTION_INFO' ? 0x8000_0306n : BigInt(0x1_1000 + i))));
  });
});

describe('VM entries into inactive guests', () => {
  // Vector 2 leads to a HLT at 0x8000, as all of them do in real mode.
  for (const [name, activity, event] of [['HLT', 1, 0x8000_0031], ['HLT, an NMI', 1, 0x8000_0202], ['shutdown', 2, 0x8000_0202]] as const) {
    it(`an injected event ends ${name}`, () => {
      const rig = rigFor([], []);
      prepare(rig, 'real');
      rig.set({ GUEST_ACTIVITY_STATE: activity, VM_ENTRY_INTERRUPTION_INFO: event, GUEST_RFLAGS: 0x202 });
      assert.equal(enterExit(rig), 'HLT');
      assert.equal(rig.get('GUEST_RIP'), 0x8000n);
      assert.equal(rig.get('GUEST_ACTIVITY_STATE'), 0n);
    });
  }

  it('the preemption timer ends HLT and shutdown, but not the wait for a start-up IPI', () => {
    for (const [activity, outcome] of [[1, 'PREEMPTION_TIMER'], [2, 'PREEMPTION_TIMER'], [3, 'the guest waits']] as const) {
      const rig = rigFor([], []);
      prepare(rig, 'real');
      rig.control('pin', Pin.PREEMPTION_TIMER);
      rig.set({ GUEST_ACTIVITY_STATE: activity, PREEMPTION_TIMER_VALUE: 100 });
      assert.equal(enterExit(rig), outcome);
      if (outcome === 'PREEMPTION_TIMER') assert.equal(Number(rig.get('GUEST_ACTIVITY_STATE')), activity);
    }
  });
});
