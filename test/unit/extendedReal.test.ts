import assert from 'node:assert/strict';
import { builtInType } from '../../src/debug/evaluate/arithmetic';
import { castTo, computedReal, operate } from '../../src/debug/evaluate/operations';
import { ExtendedReal } from '../../src/symbols/extendedReal';
import { formatValue } from '../../src/symbols/values';

/** What a processor computes of x and y, by bytes as they are in memory: x, y, x + y, x - y, x * y, x / y, x as a double (as a number), the order of y and x, and both as printf's %.21Lg shows them. */
const COMPUTED = [
  ['d5d246bb82b3ec8e42bf', 'b1147d5e756005d87dc1', 'b1147d5e756005d87dc1', 'b1147d5e756005d87d41', '9674a233e06f35f1c040', 'd1615960a12b60a9c33d', 'b421dd96705768da', '-1', '-1.42307529155656319456e-57', '-1.66243376997725881628e+115'],
  ['f093cf04304ae6bb2b40', 'ef7eaefe8a392880203f', 'f093cf04304ae6bb2b40', 'f093cf04304ae6bb2b40', '5295ffca9f5621bc4c3f', 'be9a30da4850abbb0a41', '42b77cc9460099f2', '-1', '25824720191641.9472351', '7.42751886819547334373e-68'],
  ['b2a6b7bbc978697d0080', 'c2237267dbf6141d0080', '74ca2923a56f7e9a0180', 'f0824554ee8154600080', '00000000000000000000', '51b8fb2b28f8fe890140', '8000000000000000', '1', '-3.29412560256061542742e-4932', '-7.63877497073398080288e-4933'],
  ['00000000000000daf63f', '00000000000000ca0640', '0000000000da00ca0640', '000000000026ffc906c0', '00000000000004acfe3f', '77fd6cb1327c238aef3f', '3f6b400000000000', '1', '0.003326416015625', '202'],
  ['8a637903cb22afb9f1bf', '7f3c55d591a6aae3f7bf', '0d2263011d6391e6f7bf', 'f15647a906eac3e0f73f', '18d66376f81222a5ea3f', 'a4a13b8d88f1cad0f83f', 'bf1735e459606f2c', '-1', '-8.85410903212451500072e-05', '-0.00694783337864161122146'],
  ['bd1c983e6f16b7eadabb', '8d50c24e1e12b7ebd23b', '6c5a49205d5fcbe9dabb', '0edfe65c81cda2ebdabb', 'fdc539d115eb1dd8aeb7', '1e6cb427dffce9fe06c0', '8000000000003aae', '1', '-7.42174143977108943846e-320', '2.91146857758532340863e-322'],
  ['558feef39e97559b0bc0', 'a49b445fb109f8adf93f', '843782f1206c559b0bc0', '26e75af61cc3559b0bc0', 'c4ab4ade85b01ed305c0', 'd5e7f4f3992894e410c0', 'c0b36ab2f3de7dd2', '1', '-4970.69903364726807604', '0.0212364377320928951999'],
] as const;

const decoded = (bytes: string): ExtendedReal => ExtendedReal.decode(Uint8Array.from(Buffer.from(bytes, 'hex')));
const encoded = (x: ExtendedReal): string => Buffer.from(x.encode().subarray(0, 10)).toString('hex');
const parsed = (text: string): ExtendedReal => (text.startsWith('-') ? ExtendedReal.parse(text.slice(1)).negated : ExtendedReal.parse(text));

describe("numbers in x87's format", () => {
  for (const [a, b, sum, difference, product, quotient, double, order, aText, bText] of COMPUTED) {
    it(`computes with ${aText} and ${bText} as a processor does, and writes and reads them without loss`, () => {
      const [x, y] = [decoded(a), decoded(b)];
      assert.deepEqual([encoded(x), encoded(y)], [a, b]);
      assert.deepEqual([x.add(y), x.add(y.negated), x.multiply(y), x.divide(y)].map(encoded), [sum, difference, product, quotient]);
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, x.toNumber());
      assert.equal(view.getBigUint64(0).toString(16), double);
      assert.equal(Math.sign(y.compare(x)), Number(order));
      for (const [bytes, text] of [[a, aText], [b, bText]] as const) assert.deepEqual([encoded(parsed(text)), encoded(parsed(decoded(bytes).toString()))], [bytes, bytes]);
    });
  }

  it('has the fewest digits that tell a number from all others, in the form of JavaScript', () => {
    const shown = (x: ExtendedReal): string => x.toString();
    assert.deepEqual(['1.1', '1e4932', '3.6452e-4951', '123456.', '1e21', '.000001', '1e-7', '0x1.8p1', '0', '1e5000'].map((text) => shown(ExtendedReal.parse(text))), ['1.1', '1e+4932', '4e-4951', '123456', '1e+21', '0.000001', '1e-7', '3', '0', 'Infinity']);
    assert.equal(shown(ExtendedReal.of(1).divide(ExtendedReal.of(3))), '0.33333333333333333334');
    assert.equal(shown(ExtendedReal.of(0).divide(ExtendedReal.of(0))), 'NaN');
  });

  it('is what expressions of long double compute with', () => {
    const [long, longDouble, double] = ['long', 'long double', 'double'].map((name) => builtInType(name)!);
    const reader = { memory: () => undefined, register: () => undefined } as never;
    const context = { reader, space: 'vmm' as const };
    const one = computedReal('1', longDouble!, 1, context);
    const big = castTo(longDouble!, operate('-', computedReal('x', longDouble!, 2 ** 63, context), one, context));
    assert.equal(formatValue(big.value, reader), '9223372036854775807');
    assert.equal(formatValue(castTo(long!, big).value, reader), '9223372036854775807');
    assert.equal(formatValue(castTo(double!, big).value, reader), '9223372036854776000');
    assert.equal(formatValue(operate('>', computedReal('x', longDouble!, 2 ** 63, context), big, context).value, reader), '1');
  });
});
