/** Which of several symbol files applies: images linked at the same addresses are told apart by the bytes in memory, and by world. */
import assert from 'node:assert';
import { ImageSet } from '../../src/debug/symbols/imageSet';
import type { World } from '../../src/debug/world';
import { openFixture } from './symbolsFixtures';

describe('symbol files at the same addresses', () => {
  const names = ['gcc-O0-dwarf4.elf', 'clang-O0-dwarf4.elf', 'gcc-O2-dwarf5.elf'];
  const images = names.map(openFixture);
  /** Which program each world has loaded now; `patched` replaces bytes, as a kernel does with its own code. */
  const setOf = (loaded: Partial<Record<World, number>>, patched = new Map<bigint, number>()): ImageSet =>
    new ImageSet((world, address, length) => {
      const index = loaded[world];
      const bytes = index === undefined ? undefined : images[index]!.loadedBytes(address, length);
      return bytes?.map((byte, i) => patched.get(address + BigInt(i)) ?? byte) ?? new Uint8Array();
    });
  const addAll = (set: ImageSet, worlds: (World | undefined)[] = []): ImageSet => {
    names.forEach((name, i) => set.add(name, name, images[i]!, worlds[i]));
    return set;
  };
  const at = (i: number): bigint => images[i]!.afterPrologue(images[i]!.findFunctions('vmexit')[0]!);

  it('by content: each program at the address where the others have code too', () => {
    for (const i of images.keys()) assert.strictEqual(addAll(setOf({ vmm: i })).at('vmm', at(i))?.name, names[i]);
  });
  it('by world and content: two programs in two worlds, neither bound to one', () => {
    const set = addAll(setOf({ vmm: 0, guest: 1 }));
    assert.deepStrictEqual([set.at('vmm', at(0))?.name, set.at('guest', at(1))?.name], [names[0], names[1]]);
  });
  it('a program that takes the place of another in memory', () => {
    const loaded: Partial<Record<World, number>> = { vmm: 0 };
    const set = addAll(setOf(loaded));
    assert.strictEqual(set.at('vmm', at(0))?.name, names[0]);
    loaded.vmm = 2;
    set.forget();
    assert.strictEqual(set.at('vmm', at(2))?.name, names[2]);
  });
  it('not in a world that it is not bound to, and nowhere when its code is not in memory', () => {
    const set = addAll(setOf({ vmm: 0, guest: 0 }), ['guest', undefined, undefined]);
    assert.strictEqual(set.at('vmm', at(0)), undefined);
    assert.strictEqual(set.at('guest', at(0))?.name, names[0]);
    assert.strictEqual(addAll(setOf({})).at('vmm', at(0)), undefined);
  });
  it('although a few of its bytes are patched', () => {
    const patched = new Map([0, 1, 2, 3, 4].map((i) => [at(0) + BigInt(i), 0x90]));
    assert.strictEqual(addAll(setOf({ vmm: 0 }, patched)).at('vmm', at(0))?.name, names[0]);
  });
});
