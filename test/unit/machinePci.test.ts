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
    assert.strictEqual(config(r, 2, 0, 0), 0xffff_ffff);
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
    assert.strictEqual(config(r, 1, 1, 0x20), 0xfff1, '16 ports');
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
