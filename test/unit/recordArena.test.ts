import assert from 'node:assert/strict';
import { RECORDS_BASE } from '../../src/cpu/engine/layout';
import { RecordArena } from '../../src/cpu/engine/recordArena';

const SIZE = 0x1000;

describe('engine: room for records', () => {
  it('what is taken empty is empty where something was before everything was given back, in part and behind it', () => {
    const u32 = new Uint32Array((RECORDS_BASE + 16 * SIZE) >>> 2);
    const arena = new RecordArena();
    const isEmpty = (at: number): boolean => u32.subarray(at >>> 2, (at + SIZE) >>> 2).every((word) => word === 0);
    const first = arena.take(SIZE + SIZE / 2);
    u32.fill(1, first >>> 2, arena.next >>> 2);
    arena.reset();
    for (const expected of [first, first + SIZE, first + 2 * SIZE]) {
      const at = arena.takeEmpty(SIZE, u32);
      assert.equal(at, expected);
      assert.ok(isEmpty(at));
    }
    u32.fill(2, first >>> 2, arena.next >>> 2);
    arena.reset();
    arena.take(SIZE);
    arena.reset(); // the second time it was not as far
    arena.take(2 * SIZE);
    assert.ok(isEmpty(arena.takeEmpty(SIZE, u32)));
  });
});
