import assert from 'node:assert/strict';
import { placesOfNumbers, placesOfText } from '../../src/symbols/byteSearch';
import { SymbolImage } from '../../src/symbols/image';
import type { LineAddress } from '../../src/symbols/lines';
import { baseName } from '../../src/symbols/paths';
import { fixtureNames, openFixture } from './symbolsFixtures';

const complete = (image: SymbolImage): SymbolImage => {
  for (const pieces = image.readAhead(); !pieces.next().done;);
  return image;
};
const text = (places: readonly LineAddress[]): string[] => places.map(({ address, file, line, column }) => `${address.toString(16)} ${file.path}:${line}:${column}`);

describe('symbols: questions before all has been read', () => {
  it('finds numbers of four bytes wherever they begin', () => {
    const bytes = Uint8Array.from({ length: 4096 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 29);
    for (const starts of [[0], [5], [4092], [17, 18, 19], [100, 900, 901, 2047, 4092], Array.from({ length: 50 }, (_, i) => i * 80)]) {
      const numbers = starts.map((at) => new DataView(bytes.buffer).getUint32(at, true));
      const all = Array.from({ length: bytes.length - 3 }, (_, i) => i).filter((i) => numbers.includes(new DataView(bytes.buffer).getUint32(i, true)));
      assert.deepEqual(placesOfNumbers(bytes, numbers), all);
    }
    const far = Uint8Array.of(0, 0x78, 0x56, 0x34, 0xf2, 1, 0x78, 0x56, 0x34, 0xf2);
    assert.deepEqual(placesOfNumbers(far, [0xf2345678]), [1, 6]);
  });

  it('finds text with its end, also where it is the end of a longer one', () => {
    const bytes = new TextEncoder().encode('list.h\0my_list.h\0list.hh\0abab\0ababab\0');
    assert.deepEqual(placesOfText(bytes, 'list.h'), [0, 10]);
    assert.deepEqual(placesOfText(bytes, 'abab'), [25, 32]);
    assert.deepEqual(placesOfText(bytes, ''), [6, 16, 24, 29, 36]);
    assert.deepEqual(placesOfText(bytes, 'nothing'), []);
  });

  for (const name of fixtureNames) {
    it(`answers as it does later: ${name}`, () => {
      const whole = complete(openFixture(name));
      for (const file of whole.files()) {
        const wanted = whole.files().filter((f) => baseName(f.path) === baseName(file.path)).map((f) => f.path);
        const image = openFixture(name);
        const found = image.filesCalled(baseName(file.path));
        assert.deepEqual(found.map((f) => f.path), wanted);
        const early = found.find((f) => f.path === file.path)!;
        for (const line of [1, 30, 107]) assert.deepEqual(text(image.addressesOf(early, line)), text(whole.addressesOf(file, line)), `${file.path}:${line}`);
        assert.equal(image.files().find((f) => f.path === file.path), early);
        assert.deepEqual(text(image.addressesOf(early, 30)), text(whole.addressesOf(file, 30)));
      }
      for (const inlined of whole.names('inlined')) assert.deepEqual(openFixture(name).inlinedCopies(inlined), whole.inlinedCopies(inlined), inlined);
    });
  }
});
