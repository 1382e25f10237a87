import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SymbolImage } from '../../src/symbols/image';

const open = (name: string): SymbolImage => SymbolImage.open(name, readFileSync(path.join(__dirname, '../fixtures/symbols/inlined', name)));
/** The functions that the copies of one are inlined in, innermost first. */
const copies = (image: SymbolImage, name: string): string[] =>
  image.inlinedCopies(name).map(({ address }) => [...image.inlinedAt(address), image.functionAt(address)!].map((fn) => fn.name).join(' in ')).sort();

describe('symbols: copies of inlined functions', () => {
  for (const name of ['plain.elf', 'dwz.elf']) {
    it(`are found in each unit: ${name}`, () => assert.deepEqual(copies(open(name), 'least'), ['least in clipped', 'least in start']));
  }

  it('are found where link-time optimisation has put them', () => {
    const image = open('lto.elf');
    assert.deepEqual(copies(image, 'least'), ['least in clipped in start', 'least in start']);
    assert.deepEqual(copies(image, 'clipped'), ['least in clipped in start']);
    assert.deepEqual(copies(image, 'start'), []);
    assert.equal(image.findFunctions('start').length, 1);
  });

  it('are the same when all has been read', () => {
    for (const name of ['plain.elf', 'dwz.elf', 'lto.elf']) {
      const image = open(name);
      for (const pieces = image.readAhead(); !pieces.next().done;);
      for (const fn of ['least', 'clipped']) assert.deepEqual(copies(image, fn), copies(open(name), fn), `${name} ${fn}`);
    }
  });
});
