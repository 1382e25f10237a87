/** INT 10h: pages of text, sizes of text, and CGA's pictures. What is expected is what QEMU's VGA BIOS yields. */
import assert from 'node:assert';
import { afterCalls, results, word } from './screenCalls';

const TEXT = 0xb8000;
const DATA_AREA = 0x400;

describe('text of the BIOS', () => {
  it('has pages, with a cursor each, of which one is shown', () => {
    const m = afterCalls({ ax: 0x0501 }, { ax: 0x0e41 }, { ax: 0x0200, bx: 0x0300, dx: 0x0102 }, { ax: 0x0943, bx: 0x031e, cx: 3 }, { ax: 0x0800, bx: 0x0300 }, { ax: 0x0300, bx: 0x0300 }, { ax: 0x0300, bx: 0x0100 }, { ax: 0x0f00 });
    assert.strictEqual(word(m, TEXT + 0x1000), 0x0741, 'teletype goes to the page that is shown');
    assert.deepStrictEqual([word(m, TEXT + 0x30a4), word(m, TEXT + 0x30a8), word(m, TEXT + 0x30aa)], [0x1e43, 0x1e43, 0x0720]);
    assert.strictEqual(results(m, 4)[0], 0x1e43);
    assert.deepStrictEqual([results(m, 5)[3], results(m, 6)[3]], [0x0102, 0x0001]);
    assert.strictEqual(results(m, 7)[1]! >> 8, 1);
    assert.strictEqual(word(m, DATA_AREA + 0x4e), 0x1000);
    assert.strictEqual(m.screenText()[0], 'A');
    assert.deepStrictEqual(m.screen().cursor, { row: 0, column: 1 });
    const again = afterCalls({ ax: 0x0501 }, { ax: 0x0e41 }, { ax: 0x0003 }, { ax: 0x0300, bx: 0x0100 });
    assert.deepStrictEqual([results(again, 3)[3], word(again, TEXT + 0x1000)], [0, 0x0720], 'a mode clears all of them');
    assert.deepStrictEqual(again.screen().cursor, { row: 0, column: 0 });
  });

  it('is forty columns wide in modes 0 and 1, and has fifty rows with characters of eight lines', () => {
    const narrow = afterCalls({ ax: 0x0001 }, { ax: 0x0200, dx: 0x0127 }, { ax: 0x0e41 }, { ax: 0x0e42 }, { ax: 0x0f00 });
    assert.deepStrictEqual([narrow.screen().columns, narrow.screen().rows], [40, 25]);
    assert.deepStrictEqual(narrow.screenText().slice(1, 3), [`${' '.repeat(39)}A`, 'B']);
    assert.strictEqual(results(narrow, 4)[0], 0x2801);
    const many = afterCalls({ ax: 0x1112 }, { ax: 0x1130, bx: 0x0600 }, { ax: 0x0200, dx: 0x3100 }, { ax: 0x0e58 });
    assert.deepStrictEqual(results(many, 1).slice(2), [8, 49]);
    assert.deepStrictEqual([many.screen().rows, many.screenText()[49]], [50, 'X']);
    const few = afterCalls({ ax: 0x1112 }, { ax: 0x1114 });
    assert.strictEqual(few.screen().rows, 25);
  });

  it('stays where the mode is asked to keep it', () => {
    const m = afterCalls({ ax: 0x0e41 }, { ax: 0x0083 }, { ax: 0x0f00 }, { ax: 0x0003 }, { ax: 0x0f00 });
    assert.deepStrictEqual([results(m, 2)[0], results(m, 4)[0]], [0x5083, 0x5003]);
    assert.strictEqual(afterCalls({ ax: 0x0e41 }, { ax: 0x0083 }).screenText()[0], 'A');
  });

  it('has a cursor whose shape can hide it', () => {
    assert.strictEqual(afterCalls({ ax: 0x0100, cx: 0x2000 }).screen().cursor, undefined);
    const m = afterCalls({ ax: 0x0100, cx: 0x2000 }, { ax: 0x0100, cx: 0x0607 }, { ax: 0x0300 });
    assert.deepStrictEqual(m.screen().cursor, { row: 0, column: 0 });
    assert.strictEqual(results(m, 2)[2], 0x0607);
  });

  it('tells its state as a block', () => {
    const m = afterCalls({ ax: 0x1b00, di: 0x8000 });
    assert.strictEqual(results(m, 0)[0]! & 0xff, 0x1b);
    assert.deepStrictEqual([word(m, 0x8004, 1), word(m, 0x8005), word(m, 0x8022, 1), word(m, 0x8023), word(m, 0x8025, 1)], [3, 80, 24, 16, 8]);
    assert.deepStrictEqual([...m.readMemory(word(m, 0x8002) * 16 + word(m, 0x8000), 3)!], [0xff, 0x60, 0x0f], 'modes');
  });
});

describe('pictures of two and four colours', () => {
  it('are in text memory, odd lines apart, in the colours of two palettes', () => {
    const m = afterCalls({ ax: 0x0004 }, { ax: 0x0c02, cx: 5, dx: 3 }, { ax: 0x0d00, cx: 5, dx: 3 }, { ax: 0x0b00, bx: 0x0011 }, { ax: 0x0b00, bx: 0x0100 }, { ax: 0x0f00 });
    assert.strictEqual(word(m, TEXT + 0x2051, 1), 0x20);
    assert.strictEqual(results(m, 2)[0]! & 0xff, 2);
    assert.strictEqual(results(m, 5)[0], 0x2804);
    const picture = m.picture!()!;
    assert.deepStrictEqual([picture.width, picture.height, picture.words], [320, 200, 'VGA, 4 colours']);
    const at = 3 * (3 * 320 + 4);
    assert.deepStrictEqual([...picture.rgb.subarray(at, at + 6)], [0, 0, 170, 255, 85, 85], 'bright red of the first palette on blue');
    const cyan = afterCalls({ ax: 0x0004 }, { ax: 0x0c81 }).picture!()!;
    assert.deepStrictEqual([...cyan.rgb.subarray(0, 3)], [85, 255, 255], 'a mode begins with the second palette');
    const two = afterCalls({ ax: 0x0006 }, { ax: 0x0c01, cx: 9, dx: 1 });
    assert.strictEqual(word(two, TEXT + 0x2001, 1), 0x40);
    const wide = two.picture!()!;
    assert.deepStrictEqual([wide.width, wide.height], [640, 200]);
    assert.deepStrictEqual([...wide.rgb.subarray(3 * 649, 3 * 650)], [255, 255, 255]);
    assert.strictEqual(afterCalls({ ax: 0x0006 }, { ax: 0x0003 }).picture!(), undefined);
  });

  it('take characters, which scroll', () => {
    for (const mode of [0x04, 0x06, 0x0d, 0x11, 0x12, 0x13]) {
      const m = afterCalls({ ax: mode }, { ax: 0x0200, dx: 0x0100 }, { ax: 0x0949, bx: 1, cx: 1 }, { ax: 0x0601, bx: 0, cx: 0, dx: 0x0f0f }, { ax: 0x0800 }, { ax: 0x0200 }, { ax: 0x0800 }, { ax: 0x0300 });
      assert.deepStrictEqual([results(m, 4)[0]! & 0xff, results(m, 6)[0]! & 0xff], [0, 0x49], `mode ${mode.toString(16)}`);
      assert.strictEqual(results(m, 7)[2], 0, 'no cursor');
    }
  });

  it('of sixteen colours have pages, and CGA\'s bright colours by bit 4', () => {
    const m = afterCalls({ ax: 0x000d }, { ax: 0x0c0c, bx: 0x0100, cx: 9, dx: 1 }, { ax: 0x0d00, bx: 0x0100, cx: 9, dx: 1 }, { ax: 0x0d00, cx: 9, dx: 1 }, { ax: 0x1015, bx: 0x14 }, { ax: 0x0501 });
    assert.deepStrictEqual([results(m, 2)[0]! & 0xff, results(m, 3)[0]! & 0xff], [12, 0]);
    assert.deepStrictEqual([results(m, 4)[3]! >> 8, results(m, 4)[2]], [63, 0x1515]);
    assert.deepStrictEqual([...m.picture!()!.rgb.subarray(3 * 329, 3 * 330)], [255, 85, 85]);
  });
});

describe('INT 10h AH=10h', () => {
  it('has pages of colours, a mask, and greys', () => {
    const m = afterCalls({ ax: 0x1013, bx: 0x0100 }, { ax: 0x1013, bx: 0x0501 }, { ax: 0x101a }, { ax: 0x1018, bx: 0x0f }, { ax: 0x1019 }, { ax: 0x101b, bx: 1, cx: 1 }, { ax: 0x1015, bx: 1 });
    assert.strictEqual(results(m, 2)[1], 0x0501);
    assert.strictEqual(results(m, 4)[1], 0x0f);
    assert.deepStrictEqual([results(m, 6)[2], results(m, 6)[3]! >> 8], [0x0505, 5], 'blue is the darkest');
  });
});
