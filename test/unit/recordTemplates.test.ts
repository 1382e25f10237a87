/** Records that a template gives are those that decoding gives. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CodeSize } from '../../src/cpu/decode/instruction';
import { CodeLines } from '../../src/cpu/engine/codeLines';
import { CodePage, PAGE, PageTable } from '../../src/cpu/engine/codePage';
import { HandlerTable } from '../../src/cpu/engine/handlers';
import { RECORDS_BASE } from '../../src/cpu/engine/layout';
import { linesFor } from '../../src/cpu/engine/lineCode';
import { Field, RECORD_SIZE, Special } from '../../src/cpu/engine/record';
import { RecordArena } from '../../src/cpu/engine/recordArena';
import { Scratch } from '../../src/cpu/engine/recordTemplates';
import { instructionSet } from '../../src/cpu/isa/index';
import { MemoryViews } from '../../src/cpu/state';

const FRAME = 0x1000;
const PLACE = 16;

/** Bytes of an instruction whose shape comes again soon: few prefixes, every opcode, some often, and any displacement and immediate. */
const instruction = fc.record({
  prefix: fc.constantFrom<number[]>([], [], [], [0x66], [0x64], [0xf3], [0x67], [0xf0]),
  rex: fc.oneof(fc.constantFrom<number[]>([], [], [0x48], [0x41], [0x4c]), fc.integer({ min: 0x40, max: 0x4f }).map((b) => [b])),
  opcode: fc.oneof(fc.integer({ min: 0, max: 255 }).map((b) => [b]), fc.integer({ min: 0, max: 255 }).map((b) => [0x0f, b]), fc.constantFrom([0x8b], [0x89], [0x81], [0x83], [0xe8], [0xeb], [0x75], [0x0f, 0x84], [0xc7], [0xb8], [0x68], [0x6a], [0xc2])),
  modrm: fc.oneof(fc.constantFrom(0x05, 0x45, 0x84, 0x44, 0xc1, 0xf8, 0x00, 0x3e), fc.integer({ min: 0, max: 255 })),
  sib: fc.oneof(fc.constantFrom(0x24, 0x25, 0x88, 0xc3), fc.integer({ min: 0, max: 255 })),
  rest: fc.uint8Array({ minLength: 10, maxLength: 10 }),
});

describe('record templates', () => {
  const handlers = new HandlerTable(instructionSet);
  for (const codeSize of [64, 32, 16] as CodeSize[]) {
    it(`records of ${codeSize}-bit code are the same with a template as without`, () => {
      const views = new MemoryViews(new WebAssembly.Memory({ initial: 1024, maximum: 1024 }));
      const arena = new RecordArena();
      const lines = new CodeLines(views, handlers, arena);
      const generated = linesFor(views.memory);
      const { line } = generated;
      let [used, all] = [0, 0];
      generated.line = (...args) => {
        const ended = line(...args);
        used += views.u32[Scratch.ENTERED >>> 2]!;
        return ended;
      };
      fc.assert(
        fc.property(fc.array(instruction, { minLength: PAGE / PLACE, maxLength: PAGE / PLACE, size: 'max' }), (instructions) => {
          arena.reset();
          const slots = arena.take(PageTable.SIZE);
          views.u8.fill(0, slots, slots + PageTable.SIZE);
          const page = new CodePage(1, codeSize, FRAME, slots, 0);
          const places = instructions.map(({ prefix, rex, opcode, modrm, sib, rest }, n) => {
            views.u8.set([...prefix, ...(codeSize === 64 ? rex : []), ...opcode, modrm, sib, ...rest].slice(0, PLACE), FRAME + n * PLACE);
            return n * PLACE;
          });
          for (const offset of places.slice(0, -2)) {
            const known = views.u32[(slots + offset * 4) >>> 2]!;
            const record = known !== 0 ? known : lines.decodeAt(page, offset);
            all++;
            const single = lines.single(views.u8.slice(FRAME + offset, FRAME + offset + 2 * PLACE), codeSize, offset);
            for (let i = 0; ; i++) {
              const [own, expected] = [record + i * RECORD_SIZE, single.at + i * RECORD_SIZE];
              if (views.u16[expected >>> 1] === Special.CONTINUE) break;
              const words = (at: number): number[] => [...views.u32.subarray(at >>> 2, (at + Field.LINK) >>> 2)];
              assert.deepEqual(words(own), words(expected), `${Buffer.from(views.u8.subarray(FRAME + offset, FRAME + offset + single.length)).toString('hex')} at ${offset}`);
            }
          }
        }),
        { numRuns: 100, seed: 1 },
      );
      assert(used > all / 4, `${used} records by template for ${all} instructions`);
      assert(arena.next > RECORDS_BASE);
    });
  }
});
