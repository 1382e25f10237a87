import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SymbolImage } from '../../src/symbols/image';
import { formatValue } from '../../src/symbols/values';

const image = SymbolImage.open('placed.elf', readFileSync(path.join(__dirname, '../fixtures/symbols/placed/placed.elf')));
const frame = { pc: 0n, isCaller: false, bits: 64 as const, register: () => undefined, memory: (address: bigint, length: number) => image.loadedBytes(address, length) };
const shown = (name: string): string => formatValue(image.valueOf(image.globals(name)[0], frame), frame, { radix: 10 });

describe('symbols: variables that only the linker has placed', () => {
  it('an array that is declared without a length has that of its symbol', () => {
    assert.match(shown('numbers'), /1, 2, 3, 4, 5/);
  });

  it('another name of a variable is found by its symbol, with the type that is declared', () => {
    assert.equal(shown('ticks'), '42');
  });

  it('addresses of per-CPU variables are offsets: nothing is there, and they name no code', () => {
    const [mine] = image.symbolsNamed('mine');
    assert.equal(mine.address, 0n);
    assert.equal(image.symbolAt(mine.address + 7n), undefined);
    assert.equal(image.loadedBytes(mine.address, 4), undefined);
  });
});
