/** RDTSC reads the machine's clock exactly, wherever a slice ends. */
import assert from 'node:assert/strict';
import { createMachine } from '../../src/machine/machine';
import { Gpr } from '../../src/cpu/state';

/** rdtsc; mov ebx, eax; pause; rdtscp; cli; hlt */
const CODE = [0x0f, 0x31, 0x66, 0x89, 0xc3, 0xf3, 0x90, 0x0f, 0x01, 0xf9, 0xfa, 0xf4];
const RDTSC_AT = 0x7c00n;

function started(without: string[] = []) {
  const disk = new Uint8Array(512);
  disk.set(CODE);
  disk.set([0x55, 0xaa], 510);
  const machine = createMachine({ memory: 2 ** 20, cpus: 1, without, drives: [{ name: 'disk', bytes: disk }], boot: { kind: 'disk' } });
  const s = machine.cpus[0]!.state;
  while (s.rip !== RDTSC_AT) machine.run(1);
  return { machine, s };
}

describe('time-stamp counter', () => {
  for (const budget of [1, 2, 1000]) {
    it(`counts every instruction once, in slices of ${budget}`, () => {
      const { machine, s } = started();
      const before = machine.icount;
      for (let i = 0; i < 10; i++) machine.run(budget);
      assert.equal(s.reg32(Gpr.RBX), before);
      assert.equal(s.reg32(Gpr.RAX), before + 3);
    });
  }

  it('raises #UD where the processor has none', () => {
    const { machine, s } = started(['tsc']);
    machine.run(1);
    assert.notEqual(s.rip, RDTSC_AT + 2n);
  });
});
