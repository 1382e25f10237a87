/** The test device, through ports and registers as test suites use it. */
import assert from 'node:assert';
import { IO_APIC } from '../../src/machine/memory/addressMap';
import { LATCH, TEST_LINES, TEST_MEMORY } from '../../src/machine/devices/testDevice';
import { board } from './machineBoard';

const ENTRY_15 = 0x10 + 15 * 2;
const LEVEL = 1 << 15;
const REMOTE_IRR = 1 << 14;

describe('test device', () => {
  it('keeps what is written to its ports, in accesses of every size', () => {
    const r = board();
    r.out32(LATCH, 0x1234_5678);
    assert.deepStrictEqual([r.in8(LATCH), r.in8(LATCH + 1), r.in16(LATCH + 2), r.in32(LATCH)], [0x78, 0x56, 0x1234, 0x1234_5678]);
    r.out16(LATCH + 1, 0xabcd);
    assert.strictEqual(r.in32(LATCH), 0x12ab_cd78);
    assert.deepStrictEqual(r.warnings, []);
  });
  it('keeps what is written to its registers', () => {
    const r = board();
    assert.strictEqual(r.bus.read(TEST_MEMORY + 0xfff0, 4), 0);
    r.bus.write(TEST_MEMORY + 0x1004, 4, 0xcafe_1234);
    r.bus.write(TEST_MEMORY + 0x1006, 1, 0x11);
    assert.deepStrictEqual([r.bus.read(TEST_MEMORY + 0x1004, 4), r.bus.read(TEST_MEMORY + 0x1006, 2)], [0xca11_1234, 0xca11]);
  });
  it('raises and lowers the line of an ISA interrupt at both controllers', () => {
    const r = board();
    r.initialisePics();
    r.out8(TEST_LINES + 5, 1);
    assert.deepStrictEqual(r.interrupts(), [0x25]);
    r.out8(TEST_LINES + 5, 0);
    r.out8(0x20, 0x20);
    assert.deepStrictEqual(r.interrupts(), []);
  });
  it('holds a level of the I/O APIC until it lowers it: remote IRR stays until the end of interrupt', () => {
    const r = board();
    const redirection = (): number => {
      r.bus.write(IO_APIC, 4, ENTRY_15);
      return r.bus.read(IO_APIC + 0x10, 4);
    };
    r.setApic(0xf0, 0x1ff);
    redirection();
    r.bus.write(IO_APIC + 0x10, 4, LEVEL | 0x78);
    r.out8(TEST_LINES + 15, 1);
    assert.strictEqual(redirection() & REMOTE_IRR, REMOTE_IRR);
    assert.deepStrictEqual(r.interrupts(), [0x78]);
    r.out8(TEST_LINES + 15, 0);
    assert.strictEqual(redirection() & REMOTE_IRR, REMOTE_IRR);
    r.setApic(0xb0, 0);
    assert.strictEqual(redirection() & REMOTE_IRR, 0);
    assert.deepStrictEqual(r.interrupts(), []);
  });
});
