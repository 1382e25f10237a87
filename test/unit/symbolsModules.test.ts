import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SymbolImage } from '../../src/symbols/image';
import { typeName } from '../../src/symbols/types';

const image = SymbolImage.open('counter.elf', readFileSync(path.join(__dirname, '../fixtures/symbols/modules/counter.elf')));

describe('symbols: modules of D', () => {
  it('functions of a module are found by name and by address, with their parameters', () => {
    for (const name of ['advance', 'counter::advance']) assert.deepEqual(image.findFunctions(name).map((fn) => fn.name), ['advance']);
    const [advance] = image.findFunctions('advance');
    assert.equal(image.functionAt(advance.low + 8n), advance);
    assert.deepEqual(image.variablesAt(advance.low + 8n).map(({ name, type }) => `${typeName(type)} ${name}`), ['struct Step step']);
  });

  it('so are its types and variables', () => {
    assert.deepEqual(image.types('Step').map((type) => typeName(type)), ['struct Step']);
    assert.deepEqual(image.globals('total').map(({ name }) => name), ['total']);
  });
});
