/**
 * What goes wrong outside of the guest's program: images that are too short or change while the machine runs, places where
 * nothing is. The guest sees what real hardware would answer, the user reads one sentence, and no image is touched.
 */
import assert from 'node:assert/strict';
import { imageNames, ImageTimes } from '../../src/adapter/launch/changedImages';
import { setUpPci } from '../../src/machine/firmware/pciSetup';
import { createMachine } from '../../src/machine/machine';
import type { DiskImage, Machine } from '../../src/machine/machineInterface';
import { board } from './machineBoard';
import { bytes } from './machineCode';

const MIB = 2 ** 20;

function pc(drives: DiskImage[]): Machine & { warnings: string[] } {
  const m = Object.assign(createMachine({ memory: MIB, cpus: 1, without: [], drives, boot: { kind: 'disk' } }), { warnings: [] as string[] });
  m.onWarning = (sentence) => m.warnings.push(sentence);
  return m;
}
/** A disk image of so many bytes that boots this program. */
function disk(program: string, length: number): DiskImage {
  const image = Uint8Array.from({ length }, (_, at) => (at >> 9) + 0x40);
  image.set(bytes(program));
  image.set([0x55, 0xaa], 510);
  return { name: 'short.img', bytes: image };
}

describe('an image that ends early', () => {
  it('in the midst of a sector: zeros follow', () => {
    // The third sector by INT 13h, to 8000h; its bytes 0 and 511 out of port 0F4h as a difference.
    const m = pc([disk('b8 01 02 b9 03 00 b6 00 bb 00 80 cd 13 72 09 a0 00 80 2a 06 ff 81 e6 f4 b0 ff e6 f4 ; read; jc; mov al, [8000h]; sub al, [81FFh]; out 0f4h, al', 1300)]);
    assert.equal(m.run(1e6), 'debug-exit');
    assert.equal(m.debugExit, 0x42);
    assert.deepEqual(m.warnings, ['short.img is not a multiple of 512 bytes long; its last sector is read as if zeros followed.']);
  });

  it('the BIOS says that the sector was not found, as often as it is asked; the user reads it once', () => {
    const image = disk('bd 02 00 b8 01 02 b9 05 00 b6 00 bb 00 80 cd 13 73 07 4d 75 ee 88 e0 e6 f4 b0 ff e6 f4 ; mov bp, 2; read sector 5; jnc; dec bp; jnz; mov al, ah; out 0f4h, al', 1024);
    const before = image.bytes.slice();
    const m = pc([image]);
    assert.equal(m.run(1e6), 'debug-exit');
    assert.equal(m.debugExit, 4);
    assert.deepEqual(m.warnings, ['The guest asked for sectors behind the end of short.img, which has 2; it got an error, as from a real disk.']);
    assert.deepEqual(image.bytes, before);
  });

  it('an IDE disk aborts with "ID not found" and moves nothing, by PIO and by DMA, reading and writing', () => {
    const r = board([4]);
    const before = r.drives[0]!.image.bytes.slice();
    for (const command of [0x20, 0x30, 0xc8, 0xca]) {
      r.out8(0x1f6, 0xe0);
      r.out8(0x1f2, 2);
      r.out8(0x1f3, 3);
      r.out8(0x1f4, 0);
      r.out8(0x1f5, 0);
      r.out8(0x1f7, command);
      assert.deepEqual([r.in8(0x1f7) & 0x89, r.in8(0x1f1)], [0x01, 0x10], command.toString(16));
    }
    assert.deepEqual([...new Set(r.warnings)], ['The guest asked for sectors behind the end of disk0, which has 4; it got an error, as from a real disk.']);
    assert.equal(r.drives[0]!.overlay.entries().next().done, true);
    assert.deepEqual(r.drives[0]!.image.bytes, before);
  });

  it('a CD answers with a sense: logical block address out of range', () => {
    const r = board([], [{ name: 'cut.iso', bytes: new Uint8Array(10 * 2048) }]);
    setUpPci(r.board);
    r.out8(0x176, 0xa0);
    r.out8(0x177, 0xa0);
    for (const word of [0x28, 0, 0x0900, 0, 2, 0]) r.out16(0x170, word);
    assert.deepEqual([r.in8(0x177) & 1, r.in8(0x171) >> 4], [1, 5]);
    assert.deepEqual(r.warnings, ['The guest asked for sectors behind the end of cut.iso, which has 40; it got an error, as from a real disk.']);
  });
});

describe('an image that changes on disk while the machine runs', () => {
  it('is told of once, by name; the machine keeps to what it had read', async () => {
    const times = new Map([['kernel.img', 1], ['fs.img', 1], ['gone.img', 1]]);
    const files = { modified: (name: string) => Promise.resolve(times.get(name)) };
    const images = await ImageTimes.of(files, ['kernel.img', 'fs.img', 'gone.img', 'never.img']);
    assert.deepEqual(await images.changed(), []);
    times.set('kernel.img', 2);
    times.delete('gone.img');
    assert.deepEqual(await images.changed(), [
      'kernel.img was changed on disk while the machine ran, which keeps to what it had read: start anew to boot the new one.',
      'gone.img was taken away on disk while the machine ran, which keeps to what it had read.',
    ]);
    assert.deepEqual(await images.changed(), []);
  });

  it('every file that a machine is made from is watched', () => {
    const image = (name: string): DiskImage => ({ name, bytes: new Uint8Array(1) });
    const drives = [image('d')];
    assert.deepEqual(imageNames({ drives, boot: { kind: 'disk' } }), ['d']);
    assert.deepEqual(imageNames({ drives, boot: { kind: 'linux', image: image('k'), initrd: image('i'), append: '' } }), ['d', 'k', 'i']);
    assert.deepEqual(imageNames({ drives: [], boot: { kind: 'multiboot', image: image('k'), append: '', modules: [{ image: image('m'), append: '' }] } }), ['k', 'm']);
  });
});

describe('places where nothing is', () => {
  it('a port reads as ones and is told once for each, whatever its width', () => {
    const r = board();
    assert.deepEqual([r.in8(0x7654), r.in16(0x7654), r.in32(0x7654)], [0xff, 0xffff, 0xffff_ffff]);
    r.out32(0x7654, 1);
    assert.deepEqual([...new Set(r.warnings)], ['The guest reads port 0x7654, where Hyperstep has no device.', 'The guest writes port 0x7654, where Hyperstep has no device.']);
  });

  it('memory reads as ones, writes are lost, and one sentence tells of the first place', () => {
    const r = board();
    assert.equal(r.bus.read(0xd000_0000, 4), 0xffff_ffff);
    r.bus.write(0xd000_0000, 4, 0x1234);
    assert.equal(r.bus.read(0xd000_0000, 2), 0xffff);
    assert.equal(r.bus.read(0x12_3456_7000, 1), 0xff);
    assert.deepEqual(r.warnings, ['The guest reads physical address 0xd0000000, where there is neither RAM nor a device: it gets ones. Further places are not told.']);
  });

  it('writes to the ROM are lost without a word, and where software looks for option ROMs nobody is told', () => {
    const r = board();
    const before = r.bus.read(0xf_0000, 4);
    r.bus.write(0xf_0000, 4, 0x1234_5678);
    assert.equal(r.bus.read(0xf_0000, 4), before);
    r.bus.read(0xc_8000, 2);
    r.bus.read(0xfed4_0000, 4);
    assert.deepEqual(r.warnings, []);
  });

  it('a place that was read as ones is asked again once a device has it', () => {
    // The VGA's window at A0000h is nowhere in text mode, and is the planes in mode 12h.
    const m = pc([disk('b8 00 a0 8e d8 b9 03 00 8a 1e 00 00 49 75 f9 b8 12 00 cd 10 2a 1e 00 00 88 d8 e6 f4 ; mov ax, 0A000h; mov ds, ax; mov cx, 3; mov bl, [0]; dec cx; jnz; mov ax, 12h; int 10h; sub bl, [0]; mov al, bl; out 0f4h, al', 512)]);
    assert.equal(m.run(1e6), 'debug-exit');
    assert.equal(m.debugExit, 0xff);
    assert.ok(m.warnings.every((warning) => !warning.includes('neither RAM')));
  });

  it('a kernel that runs over the end of RAM goes on, and the machine tells it', () => {
    // Unreal mode is not needed: RAM ends at 1 MiB, and with A20 on FFFF:0010 is the first byte behind it.
    const m = pc([disk('b8 ff ff 8e d8 c6 06 10 00 77 a0 10 00 e6 f4 ; mov ax, -1; mov ds, ax; mov byte [10h], 77h; mov al, [10h]; out 0f4h, al', 512)]);
    assert.equal(m.run(1e6), 'debug-exit');
    assert.equal(m.debugExit, 0xff);
    assert.deepEqual(m.warnings, ['The guest writes physical address 0x100000, where there is neither RAM nor a device: the value is lost. Further places are not told.']);
  });
});
