import assert from 'node:assert/strict';
import { ExitRecorder } from '../../src/debug/exits/exitRecorder';
import type { ExitRecord, PassingExit } from '../../src/vmx/observe';
import { LASTING_EXITS } from '../../src/vmx/observe';
import { VmxRig } from './vmxRig';

/** Records of exits as a processor reports them: one object for all that are as far apart as records last. */
class Reports {
  private readonly records: PassingExit[] = [];

  next(n: number): PassingExit {
    const record: PassingExit = (this.records[n % LASTING_EXITS] ??= { copy: () => ({ ...record }) } as PassingExit);
    return Object.assign(record, { n, reason: 10, name: 'CPUID', icount: n * 10 });
  }
}

const numbers = (records: readonly ExitRecord[]): number[] => records.map(({ n }) => n);
const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe('the recorder of VM exits', () => {
  function recorder(): { recorder: ExitRecorder; report: (first: number, last: number) => void } {
    const rig = new VmxRig();
    const own = new ExitRecorder(rig.cpu, rig.unit, { exit: () => {}, entry: () => {}, failure: () => {}, delivering: () => {} });
    const reports = new Reports();
    return { recorder: own, report: (first, last) => range(first, last).forEach((n) => own.exit(reports.next(n))) };
  }

  it('tells the last exits in their order, up to LASTING_EXITS of them', () => {
    const { recorder: own, report } = recorder();
    report(1, 3);
    assert.deepEqual(numbers(own.last(2)), [2, 3]);
    report(4, LASTING_EXITS * 3);
    assert.deepEqual(numbers(own.last(5000)), range(LASTING_EXITS * 2 + 1, LASTING_EXITS * 3));
    assert.equal(own.lastExit!.n, LASTING_EXITS * 3);
    assert.deepEqual([...own.counts], [['CPUID', LASTING_EXITS * 3]]);
  });

  it('goes back to what it knew, however many exits have used the records again', () => {
    const { recorder: own, report } = recorder();
    report(1, 700);
    const back = own.save();
    report(701, 1500);
    const later = own.save();
    report(1501, 4000);
    later();
    assert.deepEqual(numbers(own.last(5000)), range(501, 1500));
    back();
    assert.deepEqual(numbers(own.last(5000)), range(1, 700));
    assert.deepEqual([...own.counts], [['CPUID', 700]]);
    report(701, 900);
    assert.deepEqual(numbers(own.last(300)), range(601, 900));
  });

  it('copies an exit once, whatever number of instants keep it', () => {
    const { recorder: own, report } = recorder();
    report(1, 10);
    own.save()();
    const first = own.last(10);
    own.save()();
    assert.ok(own.last(10).every((record, i) => record === first[i]));
  });

  it('keeps apart what happened after going back from what had happened before', () => {
    const { recorder: own, report } = recorder();
    report(1, 5);
    const back = own.save();
    report(6, 8);
    own.save();
    back();
    own.exit({ ...own.lastExit!, n: 6, name: 'HLT', reason: 12, copy: () => ({ ...own.lastExit! }) as PassingExit });
    own.save()();
    assert.equal(own.lastExit!.name, 'HLT');
  });
});
