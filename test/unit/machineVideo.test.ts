/** Graphics: what the BIOS says of its modes and sets, and what the adapter shows then. */
import assert from 'node:assert';
import zlib from 'node:zlib';
import { png } from '../../src/cli/png';
import type { Machine } from '../../src/machine/machineInterface';
import { VIDEO_MEMORY } from '../../src/machine/memory/addressMap';
import { Enable, Register } from '../../src/machine/devices/display';
import { VGA_MODES } from '../../src/machine/devices/vgaModes';
import { shownPicture } from '../../src/machine/pictureColours';
import { board } from './machineBoard';
import { afterCalls, results, word } from './screenCalls';

const DONE = 0x004f;
const FAILED = 0x014f;

const text = (m: Machine, pointer: number): string => {
  const bytes = m.readMemory(word(m, pointer + 2) * 16 + word(m, pointer), 32)!;
  return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
};

describe('VBE', () => {
  it('function 0 names the adapter and lists modes, and function 1 describes each of them', () => {
    const m = afterCalls({ ax: 0x4f00, di: 0x8000 }, { ax: 0x4f01, cx: 0x118, di: 0x9000 }, { ax: 0x4f01, cx: 0x13, di: 0x9000 });
    assert.strictEqual(results(m, 0)[0], DONE);
    assert.strictEqual(String.fromCharCode(...m.readMemory(0x8000, 4)!), 'VESA');
    assert.strictEqual(text(m, 0x8006), 'Hyperstep');
    const list = word(m, 0x8010) * 16 + word(m, 0x800e);
    const modes: number[] = [];
    while (word(m, list + 2 * modes.length) !== 0xffff) modes.push(word(m, list + 2 * modes.length));
    assert.ok(modes.includes(0x118) && modes.includes(0x105) && new Set(modes).size === modes.length, String(modes));
    assert.strictEqual(word(m, 0x8012), 256, 'memory in units of 64 KiB');
    assert.strictEqual(results(m, 1)[0], DONE);
    assert.deepStrictEqual([word(m, 0x9010), word(m, 0x9012), word(m, 0x9014), word(m, 0x9019, 1), word(m, 0x901b, 1)], [3072, 1024, 768, 24, 6]);
    assert.deepStrictEqual([...m.readMemory(0x901f, 8)!], [8, 16, 8, 8, 8, 0, 0, 0], 'red, green, blue, nothing else');
    assert.strictEqual(word(m, 0x9028, 4), VIDEO_MEMORY);
    assert.strictEqual(results(m, 2)[0], FAILED, 'a mode that is none of VBE');
  });

  it('function 2 sets a mode with its memory in one piece, and says so; INT 10h 00h goes back to text', () => {
    const m = afterCalls({ ax: 0x4f02, bx: 0x4118 }, { ax: 0x4f03 }, { ax: 0x4f06, bx: 0, cx: 1100 }, { ax: 0x4f07, bx: 0, dx: 5, cx: 2 }, { ax: 0x0003 }, { ax: 0x4f03 }, { ax: 0x4f02, bx: 0x0166 }, { ax: 0x4f15 });
    assert.deepStrictEqual([0, 1, 2, 3, 5, 6, 7].map((n) => results(m, n)[0]), [DONE, DONE, DONE, DONE, DONE, FAILED, FAILED]);
    assert.strictEqual(results(m, 1)[1], 0x4118);
    assert.deepStrictEqual(results(m, 2).slice(1, 3), [3300, 1100]);
    assert.strictEqual(results(m, 5)[1], 3, 'text');
    assert.strictEqual(m.warnings.length, 1);
    assert.match(m.warnings[0]!, /1024 by 768 pixels with 24 bits.*0xfd000000/);
  });
});

describe('the window at 0xA0000', () => {
  const WINDOW = 0xa0000;
  const set = (r: ReturnType<typeof board>, port: number, index: number, value: number): void => {
    r.out8(port, index);
    r.out8(port + 1, value);
  };

  it('is nothing in text mode, and the pixels of mode 13h in their colours', () => {
    const text = afterCalls({ ax: 0x0f00 });
    assert.strictEqual(text.readMemory(WINDOW, 1), undefined);
    const m = afterCalls({ ax: 0x0013 }, { ax: 0x0f00 }, { ax: 0x0c28, cx: 3, dx: 1 }, { ax: 0x0d00, cx: 3, dx: 1 });
    assert.strictEqual(results(m, 0)[0]! & 0xff, 0x20);
    assert.strictEqual(results(m, 1)[0], 0x2813, 'forty columns');
    assert.strictEqual(results(m, 3)[0]! & 0xff, 0x28);
    assert.strictEqual(word(m, WINDOW + 323, 1), 0x28);
    const picture = m.picture!()!;
    assert.deepStrictEqual([picture.width, picture.height], [320, 200]);
    assert.deepStrictEqual([...picture.rgb.subarray(3 * 322, 3 * 325)], [0, 0, 0, 255, 0, 0, 0, 0, 0], 'colour 40 is red');
    assert.match(m.warnings.join(' '), /by a VGA's registers, with its pixels at physical address 0xa0000/);
  });

  it('goes when the mode is text again, and comes back with a snapshot', () => {
    const m = afterCalls({ ax: 0x0013 }, { ax: 0x0c28, cx: 3, dx: 1 });
    const snapshot = m.snapshot();
    m.writeMemory(WINDOW, Uint8Array.of(9));
    m.restore(snapshot);
    assert.deepStrictEqual([...m.readMemory(WINDOW, 1)!], [0]);
    assert.strictEqual(word(m, WINDOW + 323, 1), 0x28);
    const back = afterCalls({ ax: 0x0013 }, { ax: 0x0003 });
    assert.strictEqual(back.readMemory(WINDOW, 1), undefined);
    assert.strictEqual(back.picture!(), undefined);
  });

  it('has planes in the modes of sixteen colours', () => {
    const r = board();
    r.board.vga.setMode(VGA_MODES.find(({ number }) => number === 0x12)!);
    set(r, 0x3c4, 2, 0x05); // planes 0 and 2
    r.bus.write(WINDOW + 1, 1, 0xc0);
    set(r, 0x3ce, 4, 2);
    assert.strictEqual(r.bus.read(WINDOW + 1, 1), 0xc0, 'plane 2');
    set(r, 0x3ce, 4, 1);
    assert.strictEqual(r.bus.read(WINDOW + 1, 1), 0, 'plane 1');
    const picture = shownPicture(r.memory, r.board.display, r.board.vga)!;
    assert.deepStrictEqual([picture.width, picture.height], [640, 480]);
    assert.deepStrictEqual([...picture.rgb.subarray(3 * 8, 3 * 11)], [170, 0, 170, 170, 0, 170, 0, 0, 0], 'two of magenta');
  });

  it('is written by latches, set and reset, colours and masks, and read by comparing', () => {
    const r = board();
    r.board.vga.setMode(VGA_MODES.find(({ number }) => number === 0x12)!);
    const planes = (at: number): number[] => [0, 1, 2, 3].map((plane) => (set(r, 0x3ce, 4, plane), r.bus.read(WINDOW + at, 1)));
    set(r, 0x3ce, 5, 2); // a colour for the pixels of the mask
    set(r, 0x3ce, 8, 0x0f);
    r.bus.read(WINDOW, 1);
    r.bus.write(WINDOW, 1, 0x09);
    assert.deepStrictEqual(planes(0), [0x0f, 0, 0, 0x0f]);
    set(r, 0x3ce, 5, 1); // the latches
    r.bus.write(WINDOW + 1, 1, 0xaa);
    assert.deepStrictEqual(planes(1), [0x0f, 0, 0, 0x0f]);
    set(r, 0x3ce, 5, 0x08); // compare
    set(r, 0x3ce, 2, 0x09);
    set(r, 0x3ce, 7, 0x0f);
    assert.strictEqual(r.bus.read(WINDOW, 1), 0x0f);
    set(r, 0x3ce, 5, 0);
    set(r, 0x3ce, 8, 0xff);
    set(r, 0x3ce, 0, 0x02); // plane 1 is set, plane 0 reset, the others take the byte, turned by 4 and combined by XOR
    set(r, 0x3ce, 1, 0x03);
    set(r, 0x3ce, 3, 0x1c);
    r.bus.read(WINDOW, 1);
    r.bus.write(WINDOW, 1, 0xf0);
    assert.deepStrictEqual(planes(0), [0x0f, 0xff, 0x0f, 0x00]);
    set(r, 0x3ce, 3, 0);
    set(r, 0x3ce, 5, 3); // set and reset for the pixels of a turned mask
    set(r, 0x3ce, 0, 0x0c);
    r.bus.read(WINDOW, 1);
    r.bus.write(WINDOW, 1, 0x80);
    assert.deepStrictEqual(planes(0), [0x0f, 0x7f, 0x8f, 0x80]);
  });

  it('has the banks of a mode of VBE', () => {
    const m = afterCalls({ ax: 0x4f02, bx: 0x0101 }, { ax: 0x4f05, bx: 0, dx: 2 }, { ax: 0x4f05, bx: 0x0100 }, { ax: 0x4f05, bx: 0, dx: 0x200 });
    assert.deepStrictEqual([0, 1, 2, 3].map((n) => results(m, n)[0]), [DONE, DONE, DONE, FAILED]);
    assert.strictEqual(results(m, 2)[3], 2);
    m.writeMemory(WINDOW + 5, Uint8Array.of(7));
    assert.deepStrictEqual([...m.readMemory(VIDEO_MEMORY + 0x20005, 1)!], [7]);
  });

  it('shows what the BIOS writes into pictures, with the font that it lends', () => {
    for (const mode of [0x13, 0x12]) {
      const m = afterCalls({ ax: mode }, { ax: 0x0e49, bx: 0x0f }, { ax: 0x1130, bx: 0x0300 }, { ax: 0x0d00, cx: 3, dx: mode === 0x12 ? 7 : 3 }, { ax: 0x0d00, cx: 0, dx: 3 }, { ax: 0x0e0a }, { ax: 0x0300 });
      assert.strictEqual(results(m, 3)[0]! & 0xff, 0x0f, 'the stroke of an I');
      assert.strictEqual(results(m, 4)[0]! & 0xff, 0);
      assert.strictEqual(results(m, 2)[2], mode === 0x12 ? 16 : 8, 'lines of a character');
      assert.strictEqual(results(m, 6)[3], 0x0101, 'the cursor');
    }
  });
});

describe('display adapter', () => {
  const set = (r: ReturnType<typeof board>, index: number, value: number): void => {
    r.out16(0x1ce, index);
    r.out16(0x1cf, value);
  };
  const get = (r: ReturnType<typeof board>, index: number): number => {
    r.out16(0x1ce, index);
    return r.in16(0x1cf);
  };

  it('is a PCI function whose base address register measures 16 MiB and leads to plain memory', () => {
    const r = board();
    const config = (register: number): void => r.out32(0xcf8, 0x8000_1000 + register);
    config(0);
    assert.strictEqual(r.in32(0xcfc), 0x1111_1234);
    config(8);
    assert.strictEqual(r.in32(0xcfc) >>> 8, 0x03_0000);
    config(0x10);
    r.out32(0xcfc, 0xffff_ffff);
    assert.strictEqual(r.in32(0xcfc), 0xff00_0000);
    r.out32(0xcfc, VIDEO_MEMORY);
    assert.strictEqual(r.in32(0xcfc), VIDEO_MEMORY);
    assert.deepStrictEqual(r.warnings, []);
    r.bus.write(VIDEO_MEMORY + 0xff_fffc, 4, 0x1234_5678);
    assert.strictEqual(r.bus.read(VIDEO_MEMORY + 0xff_fffc, 4), 0x1234_5678);
    r.out32(0xcfc, 0xe000_0000);
    assert.match(r.warnings[0]!, /wants the pixels of the display at physical address 0xe0000000/);
  });

  it('takes a size, shows it while it is on, and clears the picture unless told not to', () => {
    const r = board();
    assert.strictEqual(get(r, Register.ID), 0xb0c5);
    assert.strictEqual(get(r, Register.MEMORY), 256);
    set(r, Register.ENABLE, Enable.ON);
    assert.strictEqual(r.board.display.picture, undefined, 'nothing has no size');
    set(r, Register.WIDTH, 640);
    set(r, Register.HEIGHT, 480);
    set(r, Register.BITS, 32);
    r.bus.write(VIDEO_MEMORY, 4, 7);
    set(r, Register.ENABLE, Enable.ON | Enable.LINEAR | Enable.KEEP);
    assert.strictEqual(r.bus.read(VIDEO_MEMORY, 4), 7);
    set(r, Register.WIDTH, 800);
    assert.strictEqual(get(r, Register.WIDTH), 640, 'not while it is on');
    set(r, Register.VIRTUAL_WIDTH, 1000);
    set(r, Register.X, 10);
    set(r, Register.Y, 2);
    assert.deepStrictEqual(r.board.display.picture, { width: 640, height: 480, bitsPerPixel: 32, address: VIDEO_MEMORY + 2 * 4000 + 40, bytesPerLine: 4000 });
    set(r, Register.ENABLE, 0);
    set(r, Register.ENABLE, Enable.ON | Enable.LINEAR);
    assert.strictEqual(r.bus.read(VIDEO_MEMORY, 4), 0);
    set(r, Register.ENABLE, Enable.ON | Enable.LARGEST);
    assert.deepStrictEqual([Register.WIDTH, Register.HEIGHT, Register.BITS].map((n) => get(r, n)), [2560, 1600, 32]);
  });
});

describe('picture of the display', () => {
  function shown(bits: number, ...bytes: number[]) {
    const r = board();
    const { display, vga } = r.board;
    display.set(Register.WIDTH, 8);
    display.set(Register.HEIGHT, 2);
    display.set(Register.BITS, bits);
    display.set(Register.ENABLE, Enable.ON | Enable.LINEAR);
    bytes.forEach((byte, n) => r.bus.write(VIDEO_MEMORY + n, 1, byte));
    r.out8(0x3c8, 5);
    [63, 0, 21].forEach((primary) => r.out8(0x3c9, primary));
    const picture = shownPicture(r.memory, display, vga)!;
    assert.deepStrictEqual([picture.width, picture.height, picture.rgb.length], [8, 2, 48]);
    assert.strictEqual(picture.words, bits === 8 ? 'VBE, 256 colours' : `VBE, ${bits} bits a pixel`);
    return [...picture.rgb.subarray(0, 6)];
  }

  it('has the colours of each kind of pixel', () => {
    assert.deepStrictEqual(shown(32, 1, 2, 3, 0, 4, 5, 6, 0), [3, 2, 1, 6, 5, 4]);
    assert.deepStrictEqual(shown(24, 1, 2, 3, 4, 5, 6), [3, 2, 1, 6, 5, 4]);
    assert.deepStrictEqual(shown(16, 0x00, 0xf8, 0xff, 0x07), [255, 0, 0, 0, 255, 255]);
    assert.deepStrictEqual(shown(15, 0x1f, 0x00, 0x00, 0x7c), [0, 0, 255, 255, 0, 0]);
    assert.deepStrictEqual(shown(8, 5, 0), [255, 0, 85, 0, 0, 0]);
  });

  it('is none while there is text', () => {
    const { memory, board: b } = board();
    assert.strictEqual(shownPicture(memory, b.display, b.vga), undefined);
  });

  it('becomes a PNG file that holds the same', () => {
    const file = png(2, 1, Uint8Array.of(1, 2, 3, 4, 5, 6));
    assert.strictEqual(file.toString('latin1', 1, 4), 'PNG');
    assert.deepStrictEqual([file.readUInt32BE(16), file.readUInt32BE(20), file[24], file[25]], [2, 1, 8, 2]);
    assert.deepStrictEqual([...zlib.inflateSync(file.subarray(41, 41 + file.readUInt32BE(33)))], [0, 1, 2, 3, 4, 5, 6]);
    assert.strictEqual(file.readUInt32BE(file.length - 4), 0xae42_6082, 'the CRC of the end, which every PNG has');
  });
});
