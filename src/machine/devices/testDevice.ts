/**
 * The test device of virtual machines, with which suites that test a processor or a hypervisor raise interrupt lines and
 * look at how ports and registers are accessed. It does nothing by itself: a latch at ports, lines to set, 64 KiB of registers.
 */
import { PAGE_SIZE } from '../../base/address';
import { type Device, type MemoryDevice, NEVER, type PortDevice } from '../device';

/** The latch: four bytes that keep what is written. */
export const LATCH = 0xe0;
/** A write of a page's address lets the machine forget how it maps that page; here nothing is to be forgotten. */
const FLUSH = 0xe4;
/** One port for each interrupt line, whose level is whether what is written is not 0. */
export const TEST_LINES = 0x2000;
export const TEST_LINE_COUNT = 24;
export const TEST_MEMORY = 0xff00_0000;
const TEST_MEMORY_PAGES = 16;
const LATCH_SIZE = 4;

export class TestDevice implements Device, PortDevice {
  readonly name = 'test device';
  /** The registers take up room once the first was written. */
  state = { latch: 0, memory: new Uint8Array(0) };

  constructor(private readonly setLine: (line: number, level: boolean) => void) {}

  reset(): void {
    this.state = { latch: 0, memory: new Uint8Array(0) };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** What the ports are: first port and number of each part. */
  static readonly PORTS: readonly (readonly [first: number, count: number])[] = [[LATCH, LATCH_SIZE], [FLUSH, 4], [TEST_LINES, TEST_LINE_COUNT]];

  readPort(port: number, size: number): number {
    if (port < LATCH || port >= LATCH + LATCH_SIZE) return 0;
    return (this.state.latch >>> (8 * (port - LATCH))) & (0xffff_ffff >>> (32 - 8 * size));
  }

  writePort(port: number, value: number, size: number): void {
    if (port >= TEST_LINES) return this.setLine(port - TEST_LINES, value !== 0);
    if (port >= FLUSH) return;
    const shift = 8 * (port - LATCH);
    const mask = (0xffff_ffff >>> (32 - 8 * size)) << shift;
    this.state.latch = ((this.state.latch & ~mask) | ((value << shift) & mask)) >>> 0;
  }

  /** Its registers, a device for each page. */
  readonly pages: readonly MemoryDevice[] = Array.from({ length: TEST_MEMORY_PAGES }, (_, n) => ({
    readRegister: (offset, size) => {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.state.memory[n * PAGE_SIZE + offset + i] ?? 0);
      return value;
    },
    writeRegister: (offset, size, value) => {
      if (this.state.memory.length === 0) this.state.memory = new Uint8Array(TEST_MEMORY_PAGES * PAGE_SIZE);
      for (let i = 0; i < size; i++) this.state.memory[n * PAGE_SIZE + offset + i] = value >>> (8 * i);
    },
  }));
}
