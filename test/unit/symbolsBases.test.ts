import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { typeText } from '../../src/debug/console/types';
import { bytesOf } from '../../src/symbols/frame';
import { SymbolImage } from '../../src/symbols/image';
import { children, formatValue, memberOf } from '../../src/symbols/values';

const image = SymbolImage.open('bases.elf', readFileSync(path.join(__dirname, '../fixtures/symbols/bases/bases.elf')));
/** Behind the offset of the virtual base, the offset to the top and the type information. */
const VTABLE_START = 24n;
const COUNT = 4711n;

const [object] = image.symbolsNamed('diamond');
const vtable = image.symbolsNamed('_ZTV7Diamond')[0].address + VTABLE_START;
const base = object.address + BigInt.asIntN(64, new DataView(Uint8Array.from(image.loadedBytes(vtable - VTABLE_START, 8)!).buffer).getBigInt64(0, true));

/** The object as its constructor leaves it, but for the count, or as it is before. */
const frameOf = (isMade: boolean): Parameters<SymbolImage['valueOf']>[1] => {
  const made = new Map([[object.address, vtable], [base, COUNT]]);
  const memory = (address: bigint, length: number): Uint8Array | undefined => (isMade && made.has(address) ? bytesOf(made.get(address)!, length) : image.loadedBytes(address, length));
  return { pc: 0n, isCaller: false, bits: 64, register: () => undefined, memory };
};

describe('symbols: bases of C++ classes', () => {
  it('a virtual base is where the object says', () => {
    const frame = frameOf(true);
    const diamond = image.valueOf(image.globals('diamond')[0], frame);
    const count = memberOf(diamond, 'count', frame);
    assert.equal(base - object.address > 8n, true);
    assert.deepEqual(count?.location, { kind: 'memory', address: base });
    assert.equal(formatValue(count!, frame), `${COUNT}`);
    // Through the base that comes first, whose own members stand at its beginning.
    const [left] = children(diamond, frame);
    assert.equal(formatValue(memberOf(left, 'count', frame)!, frame), `${COUNT}`);
  });

  it('ptype has no offset of a virtual base', () => {
    const frame = frameOf(true);
    const [left] = children(image.valueOf(image.globals('diamond')[0], frame), frame);
    const text = typeText(left.type);
    assert.match(text, /\* virtual \*\/ .*Counter/);
    assert.doesNotMatch(text, /0x0000 \*\/ .*Counter/);
  });

  it('of an object that has not been made it is said that nobody knows', () => {
    const frame = frameOf(false);
    const count = memberOf(image.valueOf(image.globals('diamond')[0], frame), 'count', frame);
    assert.equal(formatValue(count!, frame), '<the object does not tell where its virtual base is>');
  });
});
