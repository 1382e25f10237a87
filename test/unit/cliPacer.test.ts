import assert from 'node:assert/strict';
import { Pacer } from '../../src/cli/pacer';

const MS = 1e6;

describe('the pacer', () => {
  it('never rests a machine that works', () => {
    const pacer = new Pacer();
    for (let i = 0; i < 100; i++) assert.equal(pacer.after(pacer.budget, 0, 10), 0);
  });

  it('aims at slices of 10 ms', () => {
    const pacer = new Pacer();
    const speed = 2e5; // ticks per millisecond
    for (let i = 0; i < 50; i++) pacer.after(pacer.budget, 0, pacer.budget / speed);
    assert(Math.abs(pacer.budget / speed - 10) < 1, String(pacer.budget));
  });

  it('lets short waits pass at full speed, then keeps the pace of the wall', () => {
    const pacer = new Pacer();
    let rested = 0;
    let machine = 0;
    for (let i = 0; i < 100; i++) {
      const ticks = pacer.budget;
      machine += ticks / MS;
      rested += pacer.after(ticks, ticks, 0.1) + 0.1;
    }
    assert(machine - rested < 150, `the machine is ${machine - rested} ms ahead`);
  });

  it('forgets the wait when work comes', () => {
    const pacer = new Pacer();
    for (let i = 0; i < 50; i++) pacer.after(10 * MS, 10 * MS, 0.1);
    assert.equal(pacer.after(10 * MS, 0, 10), 0);
    assert.equal(pacer.after(10 * MS, 10 * MS, 0.1), 0);
  });
});
