/** Some thousands of the million entries of `npm run test:fuzz`. */
import assert from 'node:assert/strict';
import { VmcsFuzz } from '../fuzz/vmcs';

const ENTRIES = 1500;

describe('VMX: random fields', function () {
  this.timeout(120_000);

  it('a VMM that writes them and enters ends nothing, and the same seed gives the same trace', () => {
    const first = new VmcsFuzz(11).run(ENTRIES);
    const second = new VmcsFuzz(11).run(ENTRIES);
    assert.deepEqual(first.wrong, []);
    assert.equal(first.entries, ENTRIES);
    assert.equal(second.digest, first.digest);
    assert.notEqual(new VmcsFuzz(12).run(20).digest, new VmcsFuzz(13).run(20).digest);
    // Entries that fail in each way, and enough that succeed.
    const of = (name: string): number => first.outcomes.get(name) ?? 0;
    for (const outcome of ['vmlaunch 7', 'vmlaunch 8', 'ENTRY_FAILURE_GUEST_STATE', 'EXCEPTION_OR_NMI', 'PREEMPTION_TIMER', 'CPUID', 'EPT_VIOLATION']) assert.ok(of(outcome) > 0, outcome);
    assert.ok(of('vmlaunch 7') + of('vmlaunch 8') + of('ENTRY_FAILURE_GUEST_STATE') < ENTRIES / 2, 'most entries succeed');
  });
});
