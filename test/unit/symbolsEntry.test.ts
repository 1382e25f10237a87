import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { At, Tag } from '../../src/symbols/dwarf/constants';
import type { Die } from '../../src/symbols/dwarf/die';
import { expressionAt } from '../../src/symbols/dwarf/locationList';
import { bytesOf, type Frame } from '../../src/symbols/frame';
import { SymbolImage } from '../../src/symbols/image';
import { RBX, RSP } from '../../src/symbols/registers';
import { formatValue } from '../../src/symbols/values';

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

  it('what the caller passed is found where the compiler calls the function by the name of its builtin', () => {
    const image = SymbolImage.open('builtin.elf', readFileSync(path.join(__dirname, '../fixtures/symbols/entry/builtin.elf')));
    const [memchr] = image.findFunctions('memchr');
    const [caller] = image.findFunctions('start');
    const stack = 0x8000n;
    // Behind the call in `start`, whose RBX is what it passed; memchr itself has changed the registers.
    const back = caller!.low + 0x13n;
    const memory = bytesOf(back, 8);
    const frame: Frame = {
      pc: memchr!.low + 0x0cn, isCaller: false, bits: 64,
      register: (n) => ({ [RSP]: stack, [RBX]: 0x1234n })[n],
      memory: (address, length) => (address === stack && length <= 8 ? memory.subarray(0, length) : image.loadedBytes(address, length)),
    };
    const shown = Object.fromEntries(image.variablesAt(frame.pc).map((v) => [v.name, formatValue(image.valueOf(v, frame), frame, { radix: 16 })]));
    assert.deepEqual([shown['s'], shown['n']], ['0x1234', '0xb']);
  });
});
