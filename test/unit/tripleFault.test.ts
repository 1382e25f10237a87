/** A triple fault leaves the same state whether the program ran to it or was stepped there. */
import assert from 'node:assert/strict';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { createMachine } from '../../src/machine/machine';
import type { Machine } from '../../src/machine/machineInterface';
import { bytes, stateOf } from './machineCode';

/** An IDT without entries, some instructions, and one that faults. */
const program = (faulting: string): number[] =>
  bytes(`
    fa 31 c0 8e d8       ; cli; xor ax, ax; mov ds, ax
    0f 01 1e 20 7c       ; lidt [0x7c20]
    40 40 40             ; inc ax, three times
    ${faulting}
    f4                   ; hlt
  `);

function booted(faulting: string): Machine {
  const image = new Uint8Array(512);
  image.set(program(faulting));
  image.set([0x55, 0xaa], 510); // at 0x7c20 a limit and base of 0
  return createMachine({ memory: 1 << 20, cpus: 1, without: [], drives: [{ name: 'boot.img', bytes: image }], boot: { kind: 'disk' } });
}

const stateAt = (machine: Machine): string => stateOf((machine as unknown as { cpu: Cpu }).cpu.state);

describe('Triple fault', () => {
  for (const [name, faulting] of [['UD2', '0f 0b'], ['INT3', 'cc'], ['a division by zero', '31 c9 f7 f1']] as const)
    it(`of ${name} ends a run and single steps in the same state`, () => {
      const ran = booted(faulting);
      assert.equal(ran.run(1e6), 'shutdown');
      const stepped = booted(faulting);
      let steps = 0;
      while (stepped.run(1) !== 'shutdown') assert.ok(++steps < 1000);
      assert.equal(stateAt(stepped), stateAt(ran));
    });
});
