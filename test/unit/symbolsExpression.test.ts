import assert from 'node:assert/strict';
import { compute, ExpressionContext, locate } from '../../src/symbols/dwarf/expression';
import { bytesOf } from '../../src/symbols/frame';
import { partOf, readLocation } from '../../src/symbols/location';

const context: ExpressionContext = {
  frame: {
    register: (number) => (number < 8 ? BigInt(number) * 0x100n : undefined),
    memory: (address, length) => (address < 0x10000n ? Uint8Array.from({ length }, (_, i) => Number((address + BigInt(i)) & 0xffn)) : undefined),
  },
  machine: 'x86-64',
  addressSize: 8,
  cfa: () => 0x7000n,
  frameBase: () => 0x6000n,
};

/** The 64-bit result of an expression. */
const result = (...bytes: number[]): bigint | undefined => compute(Uint8Array.from(bytes), context);
const place = (...bytes: number[]): ReturnType<typeof locate> => locate(Uint8Array.from(bytes), context);

const lit = (value: number): number => 0x30 + value;
const consts = (value: number): number[] => [0x09, value & 0xff];

describe('symbols: DWARF expressions', () => {
  it('computes', () => {
    const cases: [string, bigint | undefined, number[]][] = [
      ['plus', 5n, [lit(2), lit(3), 0x22]],
      ['minus wraps', 0xffff_ffff_ffff_ffffn, [lit(2), lit(3), 0x1c]],
      ['div is signed', BigInt.asUintN(64, -3n), [...consts(-7), lit(2), 0x1b]],
      ['div by zero', undefined, [lit(1), lit(0), 0x1b]],
      ['mod is unsigned', 1n, [...consts(-1), lit(2), 0x1d]],
      ['shr is logical', 1n, [...consts(-1), 0x08, 63, 0x25]],
      ['shra is arithmetic', BigInt.asUintN(64, -1n), [...consts(-1), lit(4), 0x26]],
      ['comparison is signed', 1n, [...consts(-1), lit(1), 0x2d]],
      ['abs', 7n, [...consts(-7), 0x19]],
      ['neg', BigInt.asUintN(64, -7n), [lit(7), 0x1f]],
      ['not', BigInt.asUintN(64, -8n), [lit(7), 0x20]],
      ['swap', 1n, [lit(1), lit(2), 0x16]],
      ['rot brings the second up', 2n, [lit(1), lit(2), lit(3), 0x17]],
      ['over', 1n, [lit(1), lit(2), 0x14]],
      ['pick', 1n, [lit(1), lit(2), lit(3), 0x15, 2]],
      ['dup', 8n, [lit(4), 0x12, 0x22]],
      ['drop', 1n, [lit(1), lit(2), 0x13]],
      ['plus_uconst', 0x81n, [lit(1), 0x23, 0x80, 0x01]],
      ['consts', BigInt.asUintN(64, -129n), [0x11, 0xff, 0x7e]],
      ['const8u', 0x0807060504030201n, [0x0e, 1, 2, 3, 4, 5, 6, 7, 8]],
      ['const4s', BigInt.asUintN(64, -1n), [0x0d, 0xff, 0xff, 0xff, 0xff]],
      ['breg6-8', 0x5f8n, [0x76, 0x78]],
      ['fbreg-8', 0x5ff8n, [0x91, 0x78]],
      ['call_frame_cfa', 0x7000n, [0x9c]],
      ['deref', 0x0706050403020100n, [0x0a, 0x00, 0x02, 0x06]],
      ['deref_size', 0x0100n, [0x0a, 0x00, 0x02, 0x94, 2]],
      ['bra taken', 9n, [lit(9), lit(1), 0x28, 1, 0, 0x13]],
      ['bra not taken', undefined, [lit(9), lit(0), 0x28, 1, 0, 0x13]],
      ['skip', 9n, [lit(9), 0x2f, 1, 0, 0x13]],
      ['endless loop', undefined, [0x2f, 0xfd, 0xff]],
      ['lost register', undefined, [0x78, 0]],
      ['empty stack', undefined, [0x22]],
    ];
    for (const [name, expected, bytes] of cases) assert.equal(result(...bytes), expected, name);
  });

  it('locates', () => {
    assert.deepEqual(place(0x91, 0x6c), { kind: 'memory', address: 0x5fecn });
    assert.deepEqual(place(0x53), { kind: 'register', register: 3, offset: 0 });
    assert.deepEqual(place(0x90, 0x11), { kind: 'register', register: 17, offset: 0 });
    assert.deepEqual(place(lit(5), 0x9f), { kind: 'value', bytes: bytesOf(5n, 8) });
    assert.deepEqual(place(0x9e, 2, 1, 2), { kind: 'value', bytes: Uint8Array.of(1, 2) });
    assert.deepEqual(locate(Uint8Array.of(0x53), { ...context, machine: 'x86' }), { kind: 'register', register: 3, offset: 0 });
    assert.deepEqual(locate(Uint8Array.of(0x54), { ...context, machine: 'x86' }), { kind: 'register', register: 7, offset: 0 });
  });

  it('says why a value is not to be had', () => {
    const reason = (...bytes: number[]): string => {
      const location = place(...bytes);
      return location.kind === 'unavailable' ? location.reason : location.kind;
    };
    assert.equal(reason(), 'optimized out');
    assert.equal(reason(0xa3, 1, 0x55, 0x9f), 'optimized out (only the caller knew it)');
    assert.equal(reason(0xa0, 0, 0, 0, 0, 0), 'optimized out (it points to something that has no address)');
    assert.equal(reason(0x7a, 0), 'r10 is not known in this frame');
    assert.equal(reason(0x9b), 'it is thread-local');
    assert.equal(reason(0xee), 'its debug information uses the unknown operation 0xee');
  });

  it('puts pieces together', () => {
    // Four bytes of rbx (0x300), four that are gone; then all there.
    const partly = place(0x53, 0x93, 4, 0x93, 4);
    assert.deepEqual(readLocation(partly, 8, context.frame), { reason: 'partly unavailable: optimized out' });
    const whole = place(0x53, 0x93, 4, 0x91, 0, 0x93, 4);
    assert.deepEqual(readLocation(whole, 8, context.frame), { bytes: Uint8Array.of(0, 3, 0, 0, 0, 1, 2, 3) });
    assert.deepEqual(partOf(whole, 4), { kind: 'memory', address: 0x6000n });
    // Bits 4 to 11 of rcx (0x200), then 8 bits of rbx from bit 8.
    const bits = place(0x52, 0x9d, 8, 4, 0x53, 0x9d, 8, 8);
    assert.deepEqual(readLocation(bits, 2, context.frame), { bytes: Uint8Array.of(0x20, 3) });
  });
});
