/** The PCI bus of the PC and the functions on it, driven as a kernel drives them. */
import assert from 'node:assert';
import { setUpPci } from '../../src/machine/firmware/pciSetup';
import { board } from './machineBoard';

type Rig = ReturnType<typeof board>;

/** Configuration mechanism 1. */
const select = (r: Rig, device: number, fn: number, register: number): void => r.out32(0xcf8, (0x8000_0000 | (device << 11) | (fn << 8) | (register & 0xfc)) >>> 0);
const config = (r: Rig, device: number, fn: number, register: number): number => {
  select(r, device, fn, register);
  return r.in32(0xcfc);
};
const setConfig = (r: Rig, device: number, fn: number, register: number, value: number): void => {
  select(r, device, fn, register);
  r.out32(0xcfc, value);
};
/** A board as the firmware leaves it. */
const ready = (...of: Parameters<typeof board>): Rig => {
  const r = board(...of);
  setUpPci(r.board);
  return r;
};

describe('PCI configuration space', () => {
  it('shows the chip set, and all ones where no function is', () => {
    const r = board();
    assert.strictEqual(config(r, 0, 0, 0), 0x1237_8086);
    assert.strictEqual(config(r, 1, 0, 0), 0x7000_8086);
    assert.strictEqual(config(r, 1, 1, 0), 0x7010_8086);
    assert.strictEqual(config(r, 1, 0, 8), 0x0601_0000);
    assert.strictEqual(config(r, 1, 0, 0x0c) >>> 16, 0x80, 'several functions');
    assert.strictEqual(config(r, 31, 0, 0), 0xffff_ffff);
    assert.strictEqual(config(r, 0, 1, 0), 0xffff_ffff);
    assert.strictEqual(r.in32(0xcf8), 0x8000_0100, 'the address reads back');
    r.out32(0xcf8, 0x0000_0000);
    assert.strictEqual(r.in32(0xcfc), 0xffff_ffff, 'not enabled');
    r.out32(0xcf8, 0x8001_0000);
    assert.strictEqual(r.in32(0xcfc), 0xffff_ffff, 'another bus');
  });
  it('reads and writes bytes and words inside a register', () => {
    const r = board();
    select(r, 0, 0, 0);
    assert.strictEqual(r.in16(0xcfe), 0x1237);
    assert.strictEqual(r.in8(0xcfd), 0x80);
    select(r, 1, 1, 0x3c);
    r.out8(0xcfc, 14);
    assert.strictEqual(r.in32(0xcfc), 14);
    setConfig(r, 0, 0, 0, 0);
    assert.strictEqual(config(r, 0, 0, 0), 0x1237_8086, 'the identity is read-only');
  });
  it('tells the size of a base address register, and maps it only while the command register says so', () => {
    const r = board();
    setConfig(r, 1, 1, 0x20, 0xffff_ffff);
    assert.strictEqual(config(r, 1, 1, 0x20), 0xffff_fff1, '16 ports');
    setConfig(r, 1, 1, 0x20, 0xd000);
    assert.strictEqual(r.in8(0xd002), 0xff);
    setConfig(r, 1, 1, 4, 1);
    assert.strictEqual(r.in8(0xd002), 0);
    setConfig(r, 1, 1, 0x20, 0xd100);
    assert.strictEqual(r.in8(0xd002), 0xff);
    assert.strictEqual(r.in8(0xd102), 0);
    setConfig(r, 1, 1, 4, 0);
    assert.strictEqual(r.in8(0xd102), 0xff);
  });
  it('is there as memory too, a page for each function; what conventional functions do not have reads as ones', () => {
    const r = ready();
    const at = (device: number, fn: number, register: number): number => 0xfeb0_0000 + (device << 15) + (fn << 12) + register;
    for (const [device, fn] of [[0, 0], [1, 0], [1, 1], [3, 0], [2, 0], [31, 7]] as const) for (const register of [0, 4, 8, 0x34, 0xfc]) assert.strictEqual(r.bus.read(at(device, fn, register), 4), config(r, device, fn, register));
    assert.strictEqual(r.bus.read(at(1, 1, 2), 2), 0x7010);
    assert.strictEqual(r.bus.read(at(1, 1, 0x100), 4), 0xffff_ffff);
    assert.strictEqual(r.bus.read(at(1, 1, 0xfff), 1), 0xff);
    r.bus.write(at(1, 1, 0x3c), 1, 0x0b);
    assert.strictEqual(config(r, 1, 1, 0x3c) & 0xff, 0x0b);
    r.bus.write(at(1, 1, 0x4), 2, 0);
    assert.strictEqual(r.in8(0xc002), 0xff, 'its ports are gone');
    r.bus.write(at(1, 1, 0x13c), 4, 0);
    assert.strictEqual(r.out32(0xcf8, 0), undefined);
    assert.strictEqual(r.bus.read(at(1, 1, 0x3c), 1), 0x0b, 'whatever port 0xCF8 holds');
  });
  it('follows a restored state', () => {
    const r = ready();
    const state = structuredClone(r.board.pci.state);
    setConfig(r, 1, 1, 4, 0);
    assert.strictEqual(r.in8(0xc002), 0xff);
    r.board.pci.state = state;
    r.board.restored();
    assert.strictEqual(r.in8(0xc002), 0);
  });
});

describe('bus master IDE', () => {
  /** Reads or writes sectors of drive 0 with 28-bit DMA; the descriptors are at 0x1000. */
  const dma = (r: Rig, command: number, sector: number, count: number, regions: [address: number, length: number][]): void => {
    regions.forEach(([address, length], n) => {
      r.memory.store(0x1000 + 8 * n, 4, address);
      r.memory.store(0x1004 + 8 * n, 4, (length & 0xffff) | (n === regions.length - 1 ? 0x8000_0000 : 0));
    });
    r.out32(0xc004, 0x1000);
    r.out8(0xc000, command === 0xc8 ? 8 : 0);
    r.out8(0xc002, 0x06);
    r.out8(0x1f6, 0xe0);
    r.out8(0x1f2, count);
    r.out8(0x1f3, sector);
    r.out8(0x1f4, 0);
    r.out8(0x1f5, 0);
    r.out8(0x1f7, command);
    r.out8(0xc000, command === 0xc8 ? 9 : 1);
  };

  it('reads into scattered memory, interrupts on line 14 and says so in its status', () => {
    const r = ready([64]);
    r.initialisePics();
    dma(r, 0xc8, 0, 2, [[0x8000, 256], [0x9000, 768]]);
    assert.strictEqual(r.in8(0xc002) & 7, 4, 'interrupt, not active, no error');
    assert.strictEqual(r.in8(0x1f7), 0x50);
    assert.deepStrictEqual(r.interrupts(), [0x2e]);
    assert.deepStrictEqual([...r.memory.readBytes(0x8000, 256)], new Array(256).fill(0));
    assert.deepStrictEqual([...r.memory.readBytes(0x9000, 768)], [...new Array(256).fill(0), ...new Array(512).fill(1)]);
    r.out8(0xc002, 0x04);
    assert.strictEqual(r.in8(0xc002) & 4, 0);
  });
  it('writes to the overlay', () => {
    const r = ready([64]);
    r.memory.writeBytes(0x8000, new Uint8Array(512).fill(0xab));
    dma(r, 0xca, 7, 1, [[0x8000, 512]]);
    assert.strictEqual(r.drives[0]!.read(7)[511], 0xab);
    assert.strictEqual(r.drives[0]!.image.bytes[7 * 512], 7, 'the image is as it was');
  });
  it('reports descriptors that are too short as an error', () => {
    const r = ready([64]);
    dma(r, 0xc8, 0, 2, [[0x8000, 512]]);
    assert.strictEqual(r.in8(0xc002) & 7, 6);
    assert.strictEqual(r.in8(0x1f7) & 1, 1);
  });
  it('is announced by the drive: multiword DMA 2', () => {
    const r = ready([64]);
    r.out8(0x1f7, 0xec);
    const words = Array.from({ length: 256 }, () => r.in16(0x1f0));
    assert.ok(words[49]! & 0x100);
    assert.strictEqual(words[63], 0x0407);
  });
});

describe('ATAPI CD-ROM', () => {
  /** A disc of 40 blocks whose bytes are their block's number. */
  const disc = { name: 'cd.iso', bytes: Uint8Array.from({ length: 40 * 2048 }, (_, at) => at >> 11) };

  /** Gives a packet to the secondary master and reads everything that it offers. */
  const packet = (r: Rig, bytes: number[], limit = 0xfffe): { data: number[]; status: number; error: number; pieces: number } => {
    r.out8(0x176, 0xa0);
    r.out8(0x171, 0);
    r.out8(0x174, limit & 0xff);
    r.out8(0x175, limit >> 8);
    r.out8(0x177, 0xa0);
    assert.strictEqual(r.in8(0x172) & 3, 1, 'command phase');
    for (let i = 0; i < 12; i += 2) r.out16(0x170, (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8));
    const data: number[] = [];
    let pieces = 0;
    while (r.in8(0x376) & 8) {
      assert.strictEqual(r.in8(0x172) & 3, 2, 'data phase to the host');
      const n = r.in8(0x174) | (r.in8(0x175) << 8);
      pieces++;
      for (let i = 0; i < n; i++) data.push(r.in8(0x170));
    }
    return { data, status: r.in8(0x177), error: r.in8(0x171), pieces };
  };

  it('is told from a disk by its signature', () => {
    const r = ready([64], [disc]);
    r.out8(0x176, 0xa0);
    assert.deepStrictEqual([r.in8(0x174), r.in8(0x175)], [0x14, 0xeb]);
    r.out8(0x177, 0xec);
    assert.strictEqual(r.in8(0x177) & 1, 1, 'IDENTIFY DEVICE is refused');
    r.out8(0x177, 0xa1);
    assert.strictEqual(r.in16(0x170), 0x85c0);
    assert.deepStrictEqual([r.in8(0x1f4), r.in8(0x1f5)], [0, 0], 'the disk beside it');
  });
  it('reads blocks in pieces of the size that the host takes', () => {
    const r = ready([], [disc]);
    const { data, status, pieces } = packet(r, [0x28, 0, 0, 0, 0, 5, 0, 0, 2], 1024);
    assert.deepStrictEqual([data.length, data[0], data[2048], status & 1, pieces], [4096, 5, 6, 0, 4]);
  });
  it('tells its capacity, and an address behind it is refused with a sense', () => {
    const r = ready([], [disc]);
    assert.deepStrictEqual(packet(r, [0x25]).data, [0, 0, 0, 39, 0, 0, 8, 0]);
    const wrong = packet(r, [0x28, 0, 0, 0, 0, 39, 0, 0, 2]);
    assert.deepStrictEqual([wrong.data.length, wrong.status & 1, wrong.error >> 4], [0, 1, 5]);
    const sense = packet(r, [0x03, 0, 0, 0, 18]).data;
    assert.deepStrictEqual([sense[2], sense[12]], [5, 0x21]);
    assert.strictEqual(packet(r, [0x03, 0, 0, 0, 18]).data[2], 0, 'told once');
    assert.strictEqual(packet(r, [0xff]).error >> 4, 5, 'an unknown command');
  });
  it('reads by DMA', () => {
    const r = ready([], [disc]);
    r.memory.store(0x1000, 4, 0x8000);
    r.memory.store(0x1004, 4, 0x8000_0000 | 2048);
    r.out32(0xc00c, 0x1000);
    r.out8(0xc008, 8);
    r.out8(0x176, 0xa0);
    r.out8(0x171, 1);
    r.out8(0x177, 0xa0);
    [0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0, 0, 0].forEach((_, i, p) => i % 2 === 0 && r.out16(0x170, p[i]! | (p[i + 1]! << 8)));
    r.out8(0xc008, 9);
    assert.deepStrictEqual([...r.memory.readBytes(0x8000, 2)], [7, 7]);
    assert.strictEqual(r.in8(0xc00a) & 7, 4);
  });
});
