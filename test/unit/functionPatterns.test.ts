/** Function breakpoints by patterns that stand for very many functions. */
import assert from 'node:assert/strict';
import { Breakpoints } from '../../src/debug/breakpoints/breakpoints';
import type { ImageSet } from '../../src/debug/symbols/imageSet';

/** An image of `count` functions; asking for them all is the mistake that is tested. */
function images(count: number): ImageSet {
  const fn = { name: 'f' };
  const image = {
    countFunctions: () => count,
    findFunctions: () => (count > 1000 ? assert.fail('all functions are looked up') : [fn]),
    afterPrologue: () => 0x1000n,
    lineAt: () => undefined,
    inlinedCopies: () => [],
  };
  return { images: [{ name: 'vmlinux', world: undefined, image }] } as unknown as ImageSet;
}

const set = (count: number): { places: number; message: string | undefined } => {
  const [breakpoint] = new Breakpoints(images(count), { addressesChanged: () => undefined } as never).setFunctions([{ name: '*' }]);
  return { places: breakpoint!.locations.length, message: breakpoint!.message };
};

describe('function breakpoints by pattern', () => {
  it('refuses a pattern that stands for a whole kernel, and says how many functions it has', () => {
    assert.deepEqual(set(61_000), { places: 0, message: '* stands for 61000 functions of vmlinux, and 1000 at most get breakpoints: write more of the name.' });
  });
  it('takes one that stands for some', () => {
    assert.deepEqual(set(1000), { places: 1, message: undefined });
  });
});
