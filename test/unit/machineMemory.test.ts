/** RAM, ROM and the copy-on-write snapshots of their pages. */
import assert from 'node:assert';
import fc from 'fast-check';
import { UserError } from '../../src/base/errors';
import { FRAME_PAGES } from '../../src/cpu/mmu/frameTable';
import { MemoryViews } from '../../src/cpu/state';
import { AddressMap, BIOS, BIOS_ALIAS } from '../../src/machine/memory/addressMap';
import { PhysicalMemory } from '../../src/machine/memory/physicalMemory';
import type { Version } from '../../src/machine/memory/pageHistory';

const MIB = 0x10_0000;
const GIB = 0x4000_0000;

function memoryOf(bytes: number, frames = 64) {
  const views = new MemoryViews(new WebAssembly.Memory({ initial: 16, maximum: 16 }));
  const changed: number[] = [];
  let flushes = 0;
  const memory = new PhysicalMemory(views, new Uint32Array(FRAME_PAGES), 0x1000, 0x1000 * (frames + 1), new AddressMap(bytes), { pageChanged: (page) => changed.push(page), dropTranslations: () => flushes++ });
  return { memory, views, changed, flushes: () => flushes };
}

describe('physical memory', () => {
  it('hands out frames on first touch, zeroed, and never moves them', () => {
    const { memory, views } = memoryOf(16 * MIB);
    assert.strictEqual(memory.touchedBytes, 0);
    const frame = memory.frameForRead(0x200);
    assert.notStrictEqual(frame, 0);
    assert.ok(views.u8.subarray(frame, frame + 0x1000).every((b) => b === 0));
    assert.strictEqual(memory.frameForWrite(0x200), frame);
    assert.strictEqual(memory.touchedBytes, 0x1000);
  });

  it('has no frames in the hole below 1 MiB, above its RAM and below 4 GiB', () => {
    const { memory } = memoryOf(16 * MIB);
    for (const page of [0xa0, 0xc0, 0x1000, 0xfee00, 0x100000]) assert.strictEqual(memory.frameForWrite(page), 0, page.toString(16));
    assert.notStrictEqual(memory.frameForWrite(0xb8), 0, 'text memory');
  });

  it('continues RAM beyond 3 GiB above 4 GiB, up to 1 TiB', () => {
    const { memory } = memoryOf(1024 * GIB);
    assert.strictEqual(memory.frameForWrite(3 * GIB / 0x1000), 0);
    assert.notStrictEqual(memory.frameForWrite(4 * GIB / 0x1000), 0);
    assert.notStrictEqual(memory.frameForWrite(1025 * GIB / 0x1000 - 1), 0);
    assert.strictEqual(memory.frameForWrite(1025 * GIB / 0x1000), 0);
    assert.ok(memory.writeBytes(1024 * GIB, Uint8Array.of(1, 2, 3)));
    assert.deepStrictEqual(memory.peek(1024 * GIB, 3), Uint8Array.of(1, 2, 3));
  });

  it('stops with one sentence when the frames are used up', () => {
    const { memory } = memoryOf(16 * MIB, 2);
    memory.frameForWrite(0);
    memory.frameForWrite(1);
    assert.throws(() => memory.frameForWrite(2), (e) => e instanceof UserError && e.code === 'memory.exhausted');
  });

  it('shows the ROM at its two places and does not let it be written', () => {
    const { memory } = memoryOf(16 * MIB);
    const rom = new Uint8Array(0x10000).fill(0x5a);
    memory.loadRom(rom);
    assert.strictEqual(memory.load(BIOS + 0xfff0, 4), 0x5a5a5a5a);
    assert.strictEqual(memory.load(BIOS_ALIAS + 0xfff0, 4), 0x5a5a5a5a);
    assert.strictEqual(memory.frameForWrite(BIOS / 0x1000), 0);
    assert.strictEqual(memory.writeBytes(BIOS, Uint8Array.of(0)), false);
  });

  it('wraps at 1 MiB while A20 is off', () => {
    const { memory, flushes } = memoryOf(16 * MIB);
    const low = memory.frameForRead(0);
    assert.notStrictEqual(memory.frameForRead(0x100), low);
    const before = flushes();
    memory.setA20(false);
    assert.strictEqual(flushes(), before + 1);
    assert.strictEqual(memory.frameForRead(0x100), low);
    assert.notStrictEqual(memory.frameForRead(0x200), memory.frameForRead(0x300 + 1));
    memory.setA20(true);
    assert.notStrictEqual(memory.frameForRead(0x100), low);
  });

  it('reads absent memory as all ones and peeks without touching', () => {
    const { memory } = memoryOf(16 * MIB);
    assert.deepStrictEqual(memory.readBytes(0xa0000 - 2, 4), Uint8Array.of(0, 0, 0xff, 0xff));
    assert.strictEqual(memory.peek(0xa0000, 1), undefined);
    assert.strictEqual(memory.touchedBytes, 0);
  });

  it('tells the processor of pages written behind its back', () => {
    const { memory, changed } = memoryOf(16 * MIB);
    memory.writeBytes(0x1fff, Uint8Array.of(1, 2));
    assert.deepStrictEqual(changed, [1, 2]);
  });
});

describe('memory snapshots', () => {
  it('keep a page once, at its first write, and none for pages that were never written', () => {
    const { memory } = memoryOf(16 * MIB);
    memory.store(0x5000, 4, 1);
    const version = memory.snapshot();
    assert.strictEqual(memory.keptPages, 0);
    memory.store(0x5000, 4, 2);
    memory.store(0x5004, 4, 3);
    memory.store(0x6000, 4, 4);
    assert.strictEqual(memory.keptPages, 2);
    memory.restore(version);
    assert.strictEqual(memory.load(0x5000, 4), 1);
    assert.strictEqual(memory.load(0x5004, 4), 0);
    assert.strictEqual(memory.load(0x6000, 4), 0);
  });

  it('flush translations, so that the first write after one comes to frameForWrite', () => {
    const { memory, flushes } = memoryOf(16 * MIB);
    const before = flushes();
    const version = memory.snapshot();
    memory.restore(version);
    assert.strictEqual(flushes(), before + 2);
  });

  it('tell the frame of a page that was written since the newest one, and touch nothing', () => {
    const { memory } = memoryOf(16 * MIB);
    assert.strictEqual(memory.frameWritten(7), 0, 'not handed out yet');
    const frame = memory.frameForRead(7);
    assert.strictEqual(memory.frameWritten(7), 0, 'only read');
    memory.frameForWrite(7);
    assert.strictEqual(memory.frameWritten(7), frame);
    const version = memory.snapshot();
    assert.strictEqual(memory.frameWritten(7), 0, 'it has to be saved first');
    assert.strictEqual(memory.keptPages, 0);
    memory.frameForWrite(7);
    assert.strictEqual(memory.frameWritten(7), frame);
    memory.restore(version);
    assert.strictEqual(memory.frameWritten(7), 0);
  });

  it('report the pages that a restore changed', () => {
    const { memory, changed } = memoryOf(16 * MIB);
    const version = memory.snapshot();
    memory.frameForWrite(7);
    memory.frameForWrite(9);
    changed.length = 0;
    memory.restore(version);
    assert.deepStrictEqual(changed.sort(), [7, 9]);
  });

  it('any sequence of writes, snapshots, restores and releases gives back what was there', () => {
    const PAGES = 6;
    const action = fc.oneof(
      { weight: 5, arbitrary: fc.record({ do: fc.constant('write' as const), page: fc.nat(PAGES - 1), value: fc.integer({ min: 1, max: 0xffff }) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('snapshot' as const) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('restore' as const), which: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat(9) }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const { memory } = memoryOf(16 * MIB);
        const model = new Array<number>(PAGES).fill(0);
        const kept: { version: Version; contents: number[] }[] = [];
        const check = (): void => model.forEach((value, page) => assert.strictEqual(memory.load(page * 0x1000 + 8, 4), value));
        for (const a of actions) {
          if (a.do === 'write') {
            memory.store(a.page * 0x1000 + 8, 4, a.value);
            model[a.page] = a.value;
          } else if (a.do === 'snapshot') kept.push({ version: memory.snapshot(), contents: [...model] });
          else if (kept.length > 0) {
            const n = a.which % kept.length;
            if (a.do === 'restore') {
              memory.restore(kept[n]!.version);
              kept[n]!.contents.forEach((value, page) => (model[page] = value));
            } else memory.release(kept.splice(n, 1)[0]!.version);
          }
          check();
        }
        for (const { version, contents } of kept) {
          memory.restore(version);
          contents.forEach((value, page) => assert.strictEqual(memory.load(page * 0x1000 + 8, 4), value));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('free everything when the last one is released', () => {
    const { memory } = memoryOf(16 * MIB);
    const versions = [0, 1, 2, 3].map((n) => {
      memory.store(0x1000 * n, 4, n + 1);
      return memory.snapshot();
    });
    memory.store(0x3000, 4, 9);
    memory.restore(versions[1]!);
    for (const version of versions) memory.release(version);
    assert.strictEqual(memory.keptPages, 0);
  });
});
