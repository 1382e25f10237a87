/** CDs whose boot catalogue asks for an emulated disk: a program of their boot sector tells what the BIOS makes of it. */
import assert from 'node:assert/strict';
import { createMachine } from '../../src/machine/machine';
import type { DiskImage, Machine } from '../../src/machine/machineInterface';
import { bytes } from './machineCode';

const BLOCK = 2048;
const CATALOGUE = 19;
const IMAGE = 20;
const RESULTS = 0x600;
const SECTOR_AT = 0x800;
const PACKET_AT = 0x900;

/** Boots from drive `number`, reads its parameters and its sector 18 of head 1, tries to write it, ends the emulation, and asks again. */
const program = (number: number): number[] => {
  const dl = number.toString(16).padStart(2, '0');
  return bytes(`
    88 16 00 06          ; mov [0x600], dl
    b4 08 b2 ${dl} cd 13 ; ah 8: parameters
    88 1e 01 06          ; mov [0x601], bl
    89 0e 02 06          ; mov [0x602], cx
    89 16 04 06          ; mov [0x604], dx
    31 c0 8e c0          ; xor ax, ax; mov es, ax
    bb 00 08             ; mov bx, 0x800
    b8 01 02 b9 12 00 ba ${dl} 01 cd 13 ; read
    b8 01 03 b9 12 00 cd 13             ; write
    88 26 06 06          ; mov [0x606], ah
    cd 11 a3 08 06       ; int 0x11; mov [0x608], ax
    b8 00 4b be 00 09 b2 ${dl} cd 13    ; end the emulation
    b4 08 b2 ${dl} cd 13
    88 26 07 06          ; mov [0x607], ah
    89 16 0a 06          ; mov [0x60a], dx
    30 c0 e6 f4          ; xor al, al; out 0xf4, al
  `);
};

/** A disc with a disk image of `sectors` sectors for an entry of a media type; the geometry has 18 sectors or what `partition` says. */
function disc(media: number, sectors: number, number: number, edit: (boot: Uint8Array) => void = () => undefined): DiskImage {
  const cd = new Uint8Array(IMAGE * BLOCK + sectors * 512);
  cd.set([0, ...Buffer.from('CD001'), 1, ...Buffer.from('EL TORITO SPECIFICATION')], 17 * BLOCK);
  const view = new DataView(cd.buffer);
  view.setUint32(17 * BLOCK + 0x47, CATALOGUE, true);
  cd.set([1], CATALOGUE * BLOCK);
  cd.set([0x55, 0xaa], CATALOGUE * BLOCK + 0x1e);
  cd.set([0x88, media], CATALOGUE * BLOCK + 32);
  view.setUint16(CATALOGUE * BLOCK + 38, 1, true);
  view.setUint32(CATALOGUE * BLOCK + 40, IMAGE, true);
  const image = cd.subarray(IMAGE * BLOCK);
  image.set(program(number));
  image.set([0x55, 0xaa], 510);
  edit(image);
  return { name: 'emulated.iso', bytes: cd };
}

const mark = (image: Uint8Array, sector: number): void => image.set(Buffer.from(`sector ${sector}`), sector * 512);
const PLAIN_DISK: DiskImage = { name: 'disk.img', bytes: new Uint8Array(64 * 512) };

function boot(cd: DiskImage, disks: DiskImage[] = []): Machine {
  const machine = createMachine({ memory: 2 ** 20, cpus: 1, without: [], drives: [...disks, cd], boot: { kind: 'cdrom' } });
  assert.equal(machine.run(1e6), 'debug-exit');
  return machine;
}
const read = (machine: Machine, at: number, length: number): Buffer => Buffer.from(machine.readMemory(at, length)!);

describe('El Torito emulation', () => {
  for (const [media, sectors, type] of [[1, 15, 2], [2, 18, 4], [3, 36, 6]] as const) {
    it(`a floppy disk of ${sectors} sectors a track is drive 0 until the emulation ends`, () => {
      const machine = boot(disc(media, 160 * sectors, 0, (image) => mark(image, sectors + 17)), [PLAIN_DISK]);
      const results = read(machine, RESULTS, 12);
      assert.equal(results[0], 0, 'DL at the start');
      assert.equal(results[1], type);
      assert.equal(results.readUInt16LE(2), (79 << 8) | sectors);
      assert.equal(results.readUInt16LE(4), 0x0101, 'heads and drives');
      if (sectors >= 18) {
        assert.match(read(machine, SECTOR_AT, 16).toString(), new RegExp(`^sector ${sectors + 17}`));
        assert.equal(results[6], 3, 'it is write-protected');
      }
      assert.equal(results.readUInt16LE(8) & 1, 1, 'the equipment word has a floppy disk drive');
      assert.equal(results[7], 7, 'drive 0 is gone');
      const packet = read(machine, PACKET_AT, 0x13);
      assert.deepEqual([packet[0], packet[1], packet[2], packet.readUInt32LE(4)], [0x13, media, 0, IMAGE]);
    });
  }

  it('a hard disk has the geometry of its partition and comes before the others', () => {
    const machine = boot(disc(4, 32 * 2 * 18, 0x80, (image) => {
      image.set([0x80, 1, 1, 0, 6, 1, 18, 31], 0x1be); // the last sector: head 1, sector 18, cylinder 31
      mark(image, 35);
    }), [PLAIN_DISK]);
    const results = read(machine, RESULTS, 12);
    assert.equal(results[0], 0x80);
    assert.equal(results.readUInt16LE(2), (31 << 8) | 18);
    assert.equal(results.readUInt16LE(4), 0x0102, 'two hard disks');
    assert.match(read(machine, SECTOR_AT, 16).toString(), /^sector 35/);
    assert.equal(results[6], 3);
    assert.equal(results[10], 1, 'one is left');
  });

  it('what cannot be says so', () => {
    assert.throws(() => boot(disc(4, 64, 0x80)), /emulated.iso cannot be booted: the partition table of the hard disk in it is empty/);
    assert.throws(() => boot(disc(7, 64, 0)), /emulated medium of type 7, which does not exist/);
  });
});
