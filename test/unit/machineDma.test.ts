/** The ISA DMA controllers' registers, as software sets them up and probes for them. */
import assert from 'node:assert/strict';
import { board } from './machineBoard';

describe('ISA DMA controllers', () => {
  it('an address and a count are written and read low byte first; the pointer can be cleared', () => {
    for (const [first, step] of [[0x00, 1], [0xc0, 2]] as const) {
      const pc = board();
      const at = (register: number): number => first + register * step;
      pc.out8(at(12), 0);
      pc.out8(at(4), 0x34, 0x12);
      pc.out8(at(5), 0x78, 0x56);
      assert.deepEqual([pc.in8(at(4)), pc.in8(at(4)), pc.in8(at(5)), pc.in8(at(5))], [0x34, 0x12, 0x78, 0x56]);
      pc.in8(at(4));
      pc.out8(at(12), 0);
      assert.equal(pc.in8(at(4)), 0x34);
    }
  });

  it('channels are masked after a reset and a master clear, one by one or all at once', () => {
    const pc = board();
    const masks = (): number => pc.in8(0x0f) & 15;
    const seen = [masks()];
    for (const [port, value] of [[0x0a, 0x02], [0x0a, 0x01], [0x0a, 0x06], [0x0e, 0], [0x0f, 0x05], [0x0d, 0]] as const) {
      pc.out8(port, value);
      seen.push(masks());
    }
    assert.deepEqual(seen, [15, 11, 9, 13, 0, 5, 15]);
  });

  it('no channel has come to its end; a transfer that software asks for does not happen, and that is said', () => {
    const pc = board();
    assert.equal(pc.in8(0x08), 0);
    pc.out8(0x09, 0x05);
    assert.equal(pc.in8(0x08), 0x20);
    assert.match(pc.warnings.join(), /nothing is moved/);
  });

  it('all page registers keep what is written, the spare ones too', () => {
    const pc = board();
    for (let port = 0x80; port < 0x90; port++) pc.out8(port, port ^ 0x5a);
    for (let port = 0x80; port < 0x90; port++) assert.equal(pc.in8(port), port ^ 0x5a, port.toString(16));
  });
});
