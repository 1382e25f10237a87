/** The checks of segments in generated code beside those of TypeScript: it permits nothing that they do not, and what is usual it permits itself. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AccessFlag } from '../../src/cpu/accessFlags';
import { Cr0 } from '../../src/cpu/controlBits';
import { createEngine } from '../../src/cpu/engine/engine';
import { resetProcessor } from '../../src/cpu/engine/reset';
import { ACCESS_UNUSABLE, Offset, Seg, SEGMENT_STRIDE } from '../../src/cpu/state';
import { CpuFeatures } from '../../src/cpu/system/features';
import { Access } from '../../src/cpu/system/mode';
import { segmentLinear } from '../../src/cpu/system/segmentation';
import { segmentCheckFunction } from '../../src/cpu/system/segmentationCode';
import { MAXIMUM_PAGES, ModuleBuilder } from '../../src/wasm/module';
import { noVmx } from '../silicon/flatMachine';

const DATA = Access.P | Access.S | Access.WRITABLE;

describe('Segment checks of generated code', () => {
  const engine = createEngine({ ramBytes: 0x10_0000, cpus: 1 });
  const cpu = engine.createProcessor(0, {
    bus: { frameForRead: () => 0, frameForWrite: () => 0, read: () => 0xffff_ffff, write: () => undefined, in: () => 0xff, out: () => undefined },
    interrupts: { pending: () => false, acknowledge: () => 0, getTaskPriority: () => 0, setTaskPriority: () => undefined, setBase: () => undefined },
    deviceMsrs: { read: () => undefined, write: () => false },
    features: new CpuFeatures([]),
  });
  cpu.intercepts = cpu.secondLevel = noVmx();
  resetProcessor(cpu);
  const module = new ModuleBuilder();
  module.importMemory(1, MAXIMUM_PAGES);
  const otherwise = module.importFunction('otherwise', ['i32', 'i32', 'i32', 'i32'], ['i32']);
  module.add(segmentCheckFunction(otherwise), 'check');
  const asked: number[][] = [];
  const env = { memory: engine.views.memory, otherwise: (...args: number[]) => (asked.push(args), 7) };
  const check = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { env }).exports.check as (...args: number[]) => number;

  const set = (seg: number, access: number, limit: number): number => {
    cpu.state.setAccess(seg, access);
    cpu.state.setLimit(seg, limit >>> 0);
    return Offset.SEGMENTS + seg * SEGMENT_STRIDE;
  };
  const throws = (seg: number, offset: number, size: number, write: boolean): boolean => {
    try {
      segmentLinear(cpu, seg, BigInt(offset), size, write);
      return false;
    } catch (thrown) {
      assert.equal(thrown, cpu.fault);
      return true;
    }
  };

  it('permit nothing that TypeScript refuses, and ask it about all else with the same parameters', () => {
    const near = (value: number): number[] => [-17, -8, -4, -1, 0, 1, 4].map((d) => (value + d) >>> 0);
    const limits = fc.oneof(fc.constantFrom(0, 1, 0xfff, 0xffff, 0xf_ffff, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff), fc.nat(0xffff_ffff));
    let permitted = 0;
    fc.assert(
      fc.property(limits, fc.nat(0xff), fc.boolean(), fc.boolean(), fc.constantFrom<number>(...Object.values(Seg).filter((s) => s <= Seg.GS)), fc.constantFrom(1, 2, 4, 8, 16), fc.boolean(), fc.boolean(), fc.nat(20), (limit, rights, big, unusable, seg, size, write, real, which) => {
        cpu.state.set32(Offset.CR0, real ? 0 : Cr0.PE);
        const cache = set(seg, rights | (big ? Access.DB : 0) | (unusable ? ACCESS_UNUSABLE : 0), limit);
        const offset = [...near(limit), 0, 0x10, 0xffff_ffff][which % 10]!;
        const args = [cpu.state.base, cache, offset | 0, size | (write ? AccessFlag.WRITE : 0)];
        asked.length = 0;
        const answer = check(...args);
        if (answer === 1) {
          permitted++;
          assert.equal(throws(seg, offset, size, write), false, `access ${rights.toString(16)} limit ${limit.toString(16)} offset ${offset.toString(16)} size ${size}`);
          assert.deepEqual(asked, []);
        } else {
          assert.equal(answer, 7);
          assert.deepEqual(asked, [args]);
        }
      }),
      { numRuns: 20_000, seed: 1 },
    );
    assert.ok(permitted > 1000, `${permitted} permitted`);
  });

  const cases: [name: string, access: number, limit: number, offset: number, size: number, write: boolean, answer: number, real?: boolean][] = [
    ['the last bytes of 64 KiB', DATA, 0xffff, 0xfffc, 4, true, 1],
    ['one byte beyond them', DATA, 0xffff, 0xfffd, 4, true, 7],
    ['an offset beyond the limit', DATA, 0xffff, 0x1_0000, 1, false, 7],
    ['a segment shorter than the access', DATA, 2, 0, 4, false, 7],
    ['reading what is not writable', Access.P | Access.S, 0xffff, 0, 2, false, 1],
    ['writing what is not writable', Access.P | Access.S, 0xffff, 0, 2, true, 7],
    ['reading readable code', Access.P | Access.S | Access.CODE | Access.READABLE, 0xffff, 0, 2, false, 1],
    ['writing code', Access.P | Access.S | Access.CODE | Access.READABLE, 0xffff, 0, 2, true, 7],
    ['reading code that is not readable', Access.P | Access.S | Access.CODE, 0xffff, 0, 2, false, 7],
    ['a segment that expands down', DATA | Access.EXPAND_DOWN, 0xffff, 0x2_0000, 2, false, 7],
    ['an unusable segment', DATA | ACCESS_UNUSABLE, 0xffff, 0, 2, false, 7],
    ['writing code in real-address mode', Access.P | Access.S | Access.CODE | Access.READABLE, 0xffff, 0xfffe, 2, true, 1, true],
    ['the end of 64 KiB in real-address mode', DATA, 0xffff, 0xffff, 2, true, 7, true],
    ['a segment of 4 GiB, over its end', DATA, 0xffff_ffff, 0xffff_ffff, 4, true, 1],
  ];
  for (const [name, access, limit, offset, size, write, answer, real = false] of cases) {
    it(`${answer === 1 ? 'permit' : 'leave to TypeScript'}: ${name}`, () => {
      cpu.state.set32(Offset.CR0, real ? 0 : Cr0.PE);
      assert.equal(check(cpu.state.base, set(Seg.DS, access, limit), offset | 0, size | (write ? AccessFlag.WRITE : 0)), answer);
    });
  }
});
