/** The pace of a debugged machine: whatever the host's speed, it runs for whole ticks. */
import assert from 'node:assert/strict';
import { Pace } from '../../src/debug/run/pace';
import type { Machine } from '../../src/machine/machineInterface';

describe('the pace of a machine', () => {
  const pace = (): Pace => new Pace({ icount: 0, instructions: 0 } as Machine, { now: () => 0, soon: () => undefined });

  it('is of whole ticks, however often the host becomes faster and slower', () => {
    const p = pace();
    for (const elapsed of [...Array<number>(8).fill(1), ...Array<number>(9).fill(100), ...Array<number>(9).fill(1), ...Array<number>(7).fill(100)]) {
      p.took(elapsed);
      assert.ok(Number.isInteger(p.budget), `${p.budget} ticks`);
    }
  });

  it('is slower on a slow host, and faster on a fast one', () => {
    const p = pace();
    const first = p.budget;
    p.took(100);
    assert.ok(p.budget < first);
    p.took(1);
    p.took(1);
    assert.ok(p.budget > first);
  });
});
