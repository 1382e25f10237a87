import assert from 'node:assert/strict';
import { ExitCounts, exitLine } from '../../src/cli/exitTrace';
import type { ExitRecord } from '../../src/vmx/observe';

const record = (changes: Partial<ExitRecord>): ExitRecord => ({
  n: 1, cpu: 0, icount: 12345, reason: 10, name: 'CPUID', qualification: 0n, guestRip: 0xffff_ffff_8010_0077n, instructionLength: 2, linear: undefined, gpa: undefined, details: { leaf: 1 }, ...changes,
});

describe('the exit trace', () => {
  it('writes addresses as text, since they may exceed what a number holds, and null for what is not there', () => {
    assert.equal(
      exitLine(record({}), 'processor_check'),
      '{"n":1,"icount":12345,"reason":10,"name":"CPUID","qualification":"0x0","guestRip":"0xffffffff80100077","instructionLength":2,"linear":null,"gpa":null,"symbol":"processor_check","details":{"leaf":1}}',
    );
  });

  it('several processors are told apart, one is not named', () => {
    assert.match(exitLine(record({}), undefined, true), /^\{"n":\d+,"cpu":0,/);
    assert.doesNotMatch(exitLine(record({}), undefined), /cpu/);
  });
  it('has linear and guest-physical address where the reason has one', () => {
    const line = JSON.parse(exitLine(record({ reason: 48, name: 'EPT_VIOLATION', linear: 0x7000n, gpa: 0x7000 }), undefined)) as Record<string, unknown>;
    assert.equal(line.linear, '0x7000');
    assert.equal(line.gpa, '0x7000');
    assert.equal(line.symbol, null);
  });

  it('counts by name, in the order of the reasons', () => {
    const counts = new ExitCounts();
    for (const r of [record({ reason: 48, name: 'EPT_VIOLATION' }), record({}), record({})]) counts.add(r);
    assert.deepEqual(counts.byName(), { CPUID: 2, EPT_VIOLATION: 1 });
    assert.equal(counts.table(), 'reason  VM exit        count\n    10  CPUID              2\n    48  EPT_VIOLATION      1\n        all                3\n');
  });
});
