/** The lab, saved at some instant, run on, restored and run again: the same exits and the same console, to the byte. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { createMachine } from '../../src/machine/machine';
import type { Machine } from '../../src/machine/machineInterface';
import type { ExitRecord } from '../../src/vmx/observe';

const IMAGES = path.resolve(__dirname, '../../lab/images/complete');
const drive = (name: string): { name: string; bytes: Uint8Array } => ({ name, bytes: fs.readFileSync(path.join(IMAGES, name)) });

/** From power-on to the prompt takes a little more; what follows is the idle prompt. */
const TO_THE_PROMPT = 270_000;

/** The lab's machine with all that can be seen of it from outside, in order. */
function watchedLab(): { machine: Machine; seen: string[] } {
  const machine = createMachine({ memory: 64 << 20, cpus: 1, without: [], drives: [drive('vmm.img'), drive('guest.img')], boot: { kind: 'disk' } });
  const seen: string[] = [];
  machine.onSerial = (byte) => seen.push(`${machine.icount} ${String.fromCharCode(byte)}`);
  machine.vmx[0]!.observer = {
    exit: (record: ExitRecord) => seen.push(JSON.stringify(record, (_key, value: unknown) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value))),
    entry: (icount, launch) => seen.push(`entry ${icount} ${launch}`),
    failure: (failure) => assert.fail(failure.message),
  };
  return { machine, seen };
}

function runTo(machine: Machine, icount: number): void {
  while (machine.icount < icount) machine.run(icount - machine.icount);
}

describe('the lab, saved and restored', () => {
  it('runs the same again from any instant, however it is sliced', () => {
    const { machine, seen } = watchedLab();
    const powerOn = machine.snapshot();
    runTo(machine, TO_THE_PROMPT);
    const whole = seen.splice(0);
    assert.ok(whole.length > 500);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: TO_THE_PROMPT - 1 }), fc.integer({ min: 1, max: 20_000 }), (at, slice) => {
        machine.restore(powerOn);
        seen.length = 0;
        runTo(machine, at);
        const before = seen.length;
        const saved = machine.snapshot();
        while (machine.icount < TO_THE_PROMPT) machine.run(Math.min(slice, TO_THE_PROMPT - machine.icount));
        assert.deepEqual(seen, whole);
        machine.restore(saved);
        assert.equal(machine.icount, at);
        const again = seen.splice(0).slice(0, before);
        seen.push(...again);
        runTo(machine, TO_THE_PROMPT);
        assert.deepEqual(seen, whole);
        machine.release(saved);
      }),
      { numRuns: 8, seed: 20261121 },
    );
  });
});
