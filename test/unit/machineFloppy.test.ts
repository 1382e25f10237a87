/** Floppy disks: the boot by INT 13h, and the controller as drivers use it, by DMA, interrupts and without. */
import assert from 'node:assert/strict';
import { createMachine } from '../../src/machine/machine';
import type { DiskImage, Machine } from '../../src/machine/machineInterface';
import { board } from './machineBoard';
import { bytes } from './machineCode';

const FLOPPY = 1_474_560;
const BUFFER = 0x3000;

/** A floppy disk of 1.44 MB whose sectors begin with their numbers. */
function floppy(program: number[] = []): DiskImage {
  const image = new Uint8Array(FLOPPY);
  const view = new DataView(image.buffer);
  for (let sector = 1; sector < FLOPPY / 512; sector++) view.setUint16(sector * 512, sector, true);
  image.set(program);
  image.set([0x55, 0xaa], 510);
  return { name: 'floppy.img', bytes: image };
}

/** Reads cylinder 1, head 1, sector 18 of the drive that it comes from, writes it to sector 17 and exits with the status. */
const BOOT = bytes(`
  88 16 00 06          ; mov [0x600], dl
  31 c0 8e d8 8e c0    ; xor ax, ax; mov ds, ax; mov es, ax
  bb 00 30             ; mov bx, 0x3000
  b6 01 b9 12 01       ; mov dh, 1; mov cx, 0x0112
  b8 01 02 cd 13       ; mov ax, 0x0201; int 0x13
  b1 11 b8 01 03 cd 13 ; mov cl, 17; mov ax, 0x0301; int 0x13
  88 26 01 06          ; mov [0x601], ah
  b4 08 cd 13          ; mov ah, 8; int 0x13
  89 0e 02 06 89 16 04 06 88 1e 06 06 ; mov [0x602], cx; mov [0x604], dx; mov [0x606], bl
  cd 11 a3 08 06       ; int 0x11; mov [0x608], ax
  30 c0 e6 f4          ; xor al, al; out 0xf4, al
`);

function boot(drives: DiskImage[]): { machine: Machine; warnings: string[]; results: Buffer } {
  const machine = createMachine({ memory: 2 ** 20, cpus: 1, without: [], drives, boot: { kind: 'disk' } });
  const warnings: string[] = [];
  machine.onWarning = (sentence) => warnings.push(sentence);
  assert.equal(machine.run(1e6), 'debug-exit');
  return { machine, warnings, results: Buffer.from(machine.readMemory(0x600, 16)!) };
}

describe('Floppy disks', () => {
  it('a boot disk of 1.44 MB is drive 0 with 18 sectors a track, and is written', () => {
    const { machine, warnings, results } = boot([floppy(BOOT)]);
    assert.equal(results[0], 0, 'DL at the start');
    assert.equal(Buffer.from(machine.readMemory(BUFFER, 2)!).readUInt16LE(), (1 * 2 + 1) * 18 + 17);
    assert.equal(results[1], 0, 'written');
    assert.deepEqual([results.readUInt16LE(2), results.readUInt16LE(4), results[6]], [0x4f12, 0x0101, 4]);
    assert.equal(results.readUInt16LE(8) & 0xc1, 1, 'one floppy disk drive in the equipment word');
    assert.match(warnings.join(' '), /floppy\.img has the size of a floppy disk and is drive A:/);
  });

  it('a floppy disk that is named as one is booted before the disk, whatever its size', () => {
    const small = { ...floppy(BOOT), bytes: floppy(BOOT).bytes.subarray(0, 512 * 60), attachment: 'floppy' as const };
    const disk: DiskImage = { name: 'disk.img', bytes: new Uint8Array(512 * 64) };
    const { results, warnings } = boot([disk, small]);
    assert.equal(results[0], 0);
    assert.equal(results.readUInt16LE(2), 0x4f12);
    assert.deepEqual(warnings, []);
    assert.throws(() => boot([{ name: 'large.img', bytes: new Uint8Array(3 << 20), attachment: 'floppy' }]), /large\.img has 3145728 bytes, and a floppy disk has 2949120 at most/);
  });

  it('a disk that is not booted, or a sector longer, stays a hard disk', () => {
    const longer = new Uint8Array(FLOPPY + 512);
    longer.set(floppy(BOOT).bytes);
    assert.equal(boot([{ name: 'disk.img', bytes: longer }, floppy()]).results[0], 0x80);
  });
});

/** A board with one floppy disk, and the controller's port accesses with words for them. */
function controller() {
  const rig = board([], [{ ...floppy(), attachment: 'floppy' }]);
  rig.initialisePics();
  const status = () => rig.in8(0x3f4);
  const interrupted = (): boolean => rig.interrupts().includes(0x26) && (rig.out8(0x20, 0x20), true);
  const command = (...values: number[]): void =>
    values.forEach((value) => {
      assert.equal(status() & 0xc0, 0x80, 'it takes a command');
      rig.out8(0x3f5, value);
    });
  const result = (): number[] => {
    const read: number[] = [];
    while ((status() & 0xd0) === 0xd0) read.push(rig.in8(0x3f5));
    return read;
  };
  const ask = (...values: number[]): number[] => (command(...values), result());
  const dma = (mode: number, length: number): void => {
    rig.out8(0x0a, 6);
    rig.out8(0x0c, 0);
    rig.out8(0x04, BUFFER & 0xff, BUFFER >> 8);
    rig.out8(0x81, 0);
    rig.out8(0x05, (length - 1) & 0xff, (length - 1) >> 8);
    rig.out8(0x0b, mode);
    rig.out8(0x0a, 2);
  };
  const word = (at = BUFFER): number => rig.memory.load(at, 2);
  const start = (): void => {
    rig.out8(0x3f2, 0);
    rig.out8(0x3f2, 0x1c);
    assert.ok(interrupted());
    for (let n = 0; n < 4; n++) ask(0x08);
    command(0x03, 0xdf, 0x02);
  };
  return { rig, status, interrupted, command, result, ask, dma, word, start };
}

const TO_MEMORY = 0x46;
const FROM_MEMORY = 0x4a;

describe('The floppy disk controller', () => {
  it('interrupts after a reset, and then tells of four drives', () => {
    const { rig, status, interrupted, ask } = controller();
    rig.out8(0x3f2, 0);
    assert.equal(status(), 0, 'in reset');
    rig.out8(0x3f2, 0x1c);
    assert.ok(interrupted());
    for (let n = 0; n < 4; n++) assert.deepEqual(ask(0x08), [0xc0 | n, 0]);
    assert.deepEqual(ask(0x08), [0x80]);
    assert.deepEqual(ask(0x10), [0x90], 'its version');
  });

  it('seeks and recalibrates with an interrupt each', () => {
    const { interrupted, command, ask, start } = controller();
    start();
    command(0x0f, 0, 7);
    assert.ok(interrupted());
    assert.deepEqual(ask(0x08), [0x20, 7]);
    assert.deepEqual(ask(0x04, 0), [0x28]);
    command(0x07, 0);
    assert.ok(interrupted());
    assert.deepEqual(ask(0x08), [0x20, 0]);
    assert.deepEqual(ask(0x04, 0), [0x38], 'at cylinder 0');
  });

  it('reads by DMA until the count ends, over to the other head', () => {
    const { rig, command, interrupted, result, dma, word, start } = controller();
    start();
    dma(TO_MEMORY, 1024);
    command(0xe6, 0, 0, 0, 18, 2, 18, 0x1b, 0xff);
    assert.ok(interrupted());
    assert.deepEqual(result(), [0x04, 0, 0, 0, 1, 2, 2]);
    assert.deepEqual([word(), word(BUFFER + 512)], [17, 18]);
    assert.equal(rig.in8(0x08) & 4, 4, 'terminal count');
    assert.equal(rig.in8(0x08) & 4, 0, 'told once');
    assert.equal(rig.in8(0x0f) & 4, 4, 'the channel is masked');
  });

  it('writes what it reads back, and fills what it formats', () => {
    const { rig, command, interrupted, result, ask, dma, word, start } = controller();
    start();
    rig.memory.store(BUFFER, 2, 0xabcd);
    dma(FROM_MEMORY, 512);
    command(0xc5, 0, 0, 0, 9, 2, 18, 0x1b, 0xff);
    assert.ok(interrupted());
    assert.deepEqual(result(), [0, 0, 0, 0, 0, 10, 2]);
    rig.memory.store(BUFFER, 2, 0);
    dma(TO_MEMORY, 512);
    ask(0xe6, 0, 0, 0, 9, 2, 18, 0x1b, 0xff);
    assert.equal(word(), 0xabcd);
    rig.memory.store(BUFFER, 4, 0x02_09_00_00);
    dma(FROM_MEMORY, 4);
    ask(0x4d, 0, 2, 1, 0x54, 0xf6);
    dma(TO_MEMORY, 512);
    ask(0xe6, 0, 0, 0, 9, 2, 18, 0x1b, 0xff);
    assert.equal(word(), 0xf6f6);
  });

  it('refuses sectors and drives that are not there, and follows to a cylinder that was not sought', () => {
    const { rig, ask, dma, word, start } = controller();
    start();
    dma(TO_MEMORY, 512);
    assert.deepEqual(ask(0xe6, 0, 0, 0, 19, 2, 18, 0x1b, 0xff).slice(0, 3), [0x40, 0x04, 0]);
    assert.deepEqual(ask(0xe6, 1, 0, 0, 1, 2, 18, 0x1b, 0xff).slice(0, 3), [0x49, 0, 0]);
    assert.deepEqual(ask(0xe6, 0, 5, 0, 1, 2, 18, 0x1b, 0xff).slice(0, 3), [0, 0, 0]);
    assert.equal(word(), 5 * 36);
    assert.match(rig.warnings.join(' '), /without having sought it/);
    assert.deepEqual(ask(0x1f), [0x80]);
  });

  it('moves bytes by the processor where SPECIFY says so', () => {
    const { rig, status, command, result, start } = controller();
    start();
    command(0x03, 0xdf, 0x03);
    command(0x46, 0, 0, 0, 18, 2, 18, 0x1b, 0xff);
    assert.equal(status(), 0xf0, 'ready, to the processor, without DMA, busy');
    const sector = Array.from({ length: 512 }, () => rig.in8(0x3f5));
    assert.deepEqual(sector.slice(0, 2), [17, 0]);
    assert.deepEqual(result(), [0x40, 0x80, 0, 1, 0, 1, 2]);
    command(0x45, 0, 0, 0, 18, 2, 18, 0x1b, 0xff);
    assert.equal(status(), 0xb0);
    for (let n = 0; n < 512; n++) rig.out8(0x3f5, 0x5a);
    assert.equal(result().length, 7);
    assert.equal(rig.drives[0]!.read(17)[100], 0x5a);
  });

  it('is ready when software starts, and the BIOS notes its interrupt', () => {
    const { machine } = boot([floppy(bytes(`
      31 c0 8e d8               ; xor ax, ax; mov ds, ax
      ba f4 03 ec a2 00 60      ; mov dx, 0x3f4; in al, dx; mov [0x6000], al
      42 b0 07 ee b0 00 ee      ; inc dx; out dx, 7; out dx, 0: recalibrate
      f6 06 3e 04 80 74 f9      ; test byte [0x43e], 0x80; jz to it
      b0 08 ee                  ; out dx, 8: what was it?
      ec a2 01 60 ec a2 02 60   ; in al, dx; mov [0x6001], al; the same to 0x6002
      e6 f4                     ; out 0xf4, al
    `))]);
    assert.deepEqual([...machine.readMemory(0x6000, 3)!], [0x80, 0x20, 0]);
  });

  it('CMOS and no IDE drive tell of it; without one its ports are empty', () => {
    const { rig } = controller();
    rig.out8(0x70, 0x10);
    assert.equal(rig.in8(0x71), 0x40);
    assert.equal(board().in8(0x3f4), 0xff);
  });
});
