/** The high precision event timers: counter, comparators, and the lines that they take over. */
import assert from 'node:assert/strict';
import { HPET } from '../../src/machine/memory/addressMap';
import { board } from './machineBoard';

const IO_APIC = 0xfec0_0000;
const SPURIOUS = 0xf0;
const VECTOR = 0x41;
/** An input that nothing else uses. */
const INPUT = 21;

function rig() {
  const b = board();
  const write = (offset: number, value: number): void => b.bus.write(HPET + offset, 4, value);
  const read = (offset: number): number => b.bus.read(HPET + offset, 4);
  const route = (input: number, flags = 0): void => {
    b.bus.write(IO_APIC, 4, 0x10 + input * 2);
    b.bus.write(IO_APIC + 0x10, 4, VECTOR | flags);
    b.bus.write(IO_APIC, 4, 0x11 + input * 2);
    b.bus.write(IO_APIC + 0x10, 4, 0);
  };
  b.setApic(SPURIOUS, 0x1ff);
  const taken = (): number[] => {
    const vectors = b.interrupts();
    vectors.forEach(() => b.setApic(0xb0, 0));
    return vectors;
  };
  return { ...b, b, write, read, route, taken };
}

describe('HPET', () => {
  it('announces three timers of 64 bits and counts 10 ns, only while it is enabled', () => {
    const r = rig();
    assert.deepEqual([r.read(0), r.read(4)], [0x8086_a201, 10_000_000]);
    r.b.pass(1000);
    assert.equal(r.read(0xf0), 0);
    r.write(0xf4, 7);
    r.write(0x10, 1);
    r.b.pass(1000);
    assert.deepEqual([r.read(0xf0), r.read(0xf4)], [100, 7]);
    r.write(0x10, 0);
    r.b.pass(1000);
    assert.equal(r.read(0xf0), 100);
  });

  it('a timer interrupts once at its comparator, by the I/O APIC input that it is routed to', () => {
    const r = rig();
    r.route(INPUT);
    r.write(0x140, (INPUT << 9) | 4);
    r.write(0x148, 50);
    r.write(0x14c, 0);
    r.write(0x10, 1);
    r.b.pass(499);
    assert.deepEqual(r.taken(), []);
    r.b.pass(1);
    assert.deepEqual(r.taken(), [VECTOR]);
    r.b.pass(100_000);
    assert.deepEqual(r.taken(), []);
  });

  it('a periodic timer starts at the value that SET_VALUE marks and goes on by its period', () => {
    const r = rig();
    r.route(INPUT);
    r.write(0x100, (INPUT << 9) | 0x14c);
    r.write(0x108, 30);
    r.write(0x108, 20);
    r.write(0x10, 1);
    const at: number[] = [];
    for (let t = 10; t <= 1000; t += 10) {
      r.b.pass(10);
      if (r.taken().length > 0) at.push(t);
    }
    assert.deepEqual(at, [300, 500, 700, 900]);
    assert.equal(r.read(0x108), 110);
  });

  it('a timer of 32 bits matches again each time the counter has gone round, whatever is written to another one meanwhile', () => {
    const r = rig();
    r.route(INPUT);
    r.write(0x140, (INPUT << 9) | 0x104);
    r.write(0x148, 50);
    r.write(0x10, 1);
    const round = 2 ** 32 * 10;
    for (const ticks of [500, round, round]) {
      r.b.pass(ticks - 1);
      r.write(0x108, 7);
      assert.deepEqual(r.taken(), []);
      r.b.pass(1);
      assert.deepEqual(r.taken(), [VECTOR]);
    }
  });

  it('who waits by looking at the counter looks a few hundred times a millisecond, who looks now and then lets no time pass', () => {
    const r = rig();
    r.write(0x10, 1);
    const look = (): number => {
      r.b.let = 0;
      const count = r.read(0xf0);
      r.b.pass(10 + r.b.let);
      return count;
    };
    let looks = 0;
    for (const start = look(); look() - start < 100_000; ) looks++;
    assert.ok(looks > 50 && looks < 500, `${looks} looks`);
    r.b.pass(1000);
    const before = r.b.time;
    for (let i = 0; i < 100; i++, r.b.pass(1000)) look();
    assert.equal(r.b.time - before, 100 * 1010);
  });

  it('a level-triggered timer holds its line until its status bit is written', () => {
    const r = rig();
    r.route(INPUT, 0x8000);
    r.write(0x140, (INPUT << 9) | 6);
    r.write(0x148, 50);
    r.write(0x14c, 0);
    r.write(0x10, 1);
    r.b.pass(500);
    assert.deepEqual([r.read(0x20), r.b.interrupts()], [4, [VECTOR]]);
    r.setApic(0xb0, 0);
    assert.deepEqual(r.b.interrupts(), [VECTOR], 'the line is still up');
    r.write(0x20, 4);
    r.setApic(0xb0, 0);
    assert.deepEqual([r.read(0x20), r.b.interrupts()], [0, []]);
  });

  it('timer 0 takes the line of the 8254 over', () => {
    const r = rig();
    r.route(2);
    r.out8(0x43, 0x34);
    r.out8(0x40, 100, 0);
    r.b.pass(200_000);
    assert.ok(r.taken().length > 0);
    r.write(0x100, 4);
    r.write(0x108, 100_000);
    r.write(0x10c, 0);
    r.write(0x10, 3);
    r.taken();
    r.b.pass(500_000);
    assert.deepEqual(r.taken(), []);
    r.b.pass(600_000);
    assert.deepEqual(r.taken(), [VECTOR]);
  });

  it('goes on after a restore as it was', () => {
    const r = rig();
    r.route(INPUT);
    r.write(0x140, (INPUT << 9) | 4);
    r.write(0x148, 50);
    r.write(0x14c, 0);
    r.write(0x10, 1);
    const { hpet } = r.b.board;
    hpet.state = structuredClone(hpet.state);
    r.b.pass(500);
    assert.deepEqual(r.taken(), [VECTOR]);
  });
});
