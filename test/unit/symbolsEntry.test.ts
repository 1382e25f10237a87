import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { At, Tag } from '../../src/symbols/dwarf/constants';
import type { Die } from '../../src/symbols/dwarf/die';
import { expressionAt } from '../../src/symbols/dwarf/locationList';
import { SymbolImage } from '../../src/symbols/image';

const DW_OP_REG5 = 0x55;

describe('locations at a function\'s entry', () => {
  it('an empty entry of a list holds before the first instruction, and not behind it', () => {
    const image = SymbolImage.open('state.elf', readFileSync(path.join(__dirname, '../fixtures/symbols/entry/state.elf')));
    const [start] = image.findFunctions('start');
    const child = (of: Die, tag: number): Die => [...of.children()].find((die) => die.tag === tag)!;
    const state = child(child(start!.die, Tag.inlined_subroutine), Tag.formal_parameter);
    assert.deepEqual([...expressionAt(state, At.location, start!.low)!], [DW_OP_REG5]);
    assert.equal(expressionAt(state, At.location, start!.low + 1n), undefined);
  });
});
