/** ACPI S3: to sleep by the control register, awake by the clock's alarm or a key, and on at the FACS's waking vector. */
import assert from 'node:assert/strict';
import { createMachine } from '../../src/machine/machine';
import { FACS } from '../../src/machine/memory/addressMap';
import { bytes } from './machineCode';

const word = (value: number): string => [value & 0xff, value >> 8].map((b) => b.toString(16).padStart(2, '0')).join(' ');

/** Sets the waking vector, the alarm and its event, and sleeps; its woken part is at 0x7c80. */
const sleeper = ({ vectorField = 12, alarm = true, event = true, vector = 0x7c80 } = {}): Uint8Array => {
  const sector = new Uint8Array(512);
  sector.set(
    bytes(`
      31 c0 8e d8                     ; xor ax,ax; mov ds,ax
      b8 ${word(FACS >> 4)} 8e c0     ; mov ax,FACS/16; mov es,ax
      26 c7 06 ${word(vectorField)} ${word(vector)}  ; mov word es:[vectorField],vector
      b0 01 e6 70 b0 c0 e6 71         ; seconds, minutes, hours of the alarm: any
      b0 03 e6 70 b0 c0 e6 71
      b0 05 e6 70 b0 c0 e6 71
      b0 0b e6 70 b0 ${alarm ? '22' : '02'} e6 71  ; register B: 24 hours, alarm
      ba 02 06 b8 ${event ? '00 04' : '00 00'} ef  ; event enable: the alarm
      c7 06 00 05 34 12               ; mov word [0x500],0x1234
      ba 04 06 b8 00 24 ef            ; control: sleep type 1
      b0 63 e6 f4                     ; never reached
    `),
  );
  sector.set(
    bytes(`
      ba 00 06 ed a3 02 05            ; in ax,(status); mov [0x502],ax
      8c c8 a3 04 05                  ; mov [0x504],cs
      e4 21 a2 06 05                  ; in al,0x21; mov [0x506],al
      b0 00 e6 f4                     ; out 0xf4,0
    `),
    0x80,
  );
  sector.set([0x55, 0xaa], 510);
  return sector;
};
const boot = (sector: Uint8Array, cpus = 1) => createMachine({ memory: 2 ** 20, cpus, without: [], drives: [{ name: 'disk', bytes: sector }], boot: { kind: 'disk' } });
const words = (machine: ReturnType<typeof boot>): number[] => [...new Uint16Array(machine.readMemory(0x500, 6)!.slice().buffer)];

describe('ACPI S3', () => {
  it("the clock's alarm wakes the machine at the next second; memory is as it was, and the status says what happened", () => {
    for (const cpus of [1, 2]) {
      const machine = boot(sleeper(), cpus);
      machine.run(2_000_000_000);
      assert.equal(machine.debugExit, 0);
      assert.deepEqual(words(machine), [0x1234, 0x8400, 0x07c8]);
      assert.ok(machine.icount >= 1e9 && machine.icount < 1.001e9, String(machine.icount));
      assert.ok(machine.instructions < 10_000, 'the processor has not run meanwhile');
    }
  });

  it("the waking vector of protected mode comes first", () => {
    const sector = sleeper({ vectorField: 24 });
    // mov eax,cr0; mov [0x500],eax; mov al,0; out 0xf4,al
    sector.set(bytes('0f 20 c0 a3 00 05 00 00 b0 00 e6 f4'), 0x80);
    const machine = boot(sector);
    machine.run(2_000_000_000);
    assert.equal(machine.debugExit, 0);
    assert.equal(machine.readMemory(0x500, 1)![0]! & 1, 1);
  });

  it('without the event only a key wakes it', () => {
    for (const asleep of [{ alarm: false }, { event: false }]) {
      const machine = boot(sleeper(asleep));
      const warnings: string[] = [];
      machine.onWarning = (sentence) => warnings.push(sentence);
      assert.equal(machine.run(5_000_000_000), 'halt');
      assert.match(warnings.join(), /no alarm that wakes it/);
      machine.typeKeyboard!('x');
      machine.run(1_000_000);
      assert.equal(machine.debugExit, 0);
    }
  });

  it('without a waking vector the machine starts anew', () => {
    const machine = boot(sleeper({ vector: 0 }));
    const warnings: string[] = [];
    machine.onWarning = (sentence) => warnings.push(sentence);
    machine.run(1_500_000_000);
    assert.match(warnings.join(), /waking vector/);
    assert.equal(machine.debugExit, undefined);
  });

  it('a snapshot of a machine that sleeps wakes up as it would have', () => {
    const machine = boot(sleeper());
    machine.run(1_000_000);
    const snapshot = machine.snapshot();
    machine.run(2_000_000_000);
    const woken = machine.icount;
    machine.restore(snapshot);
    machine.run(2_000_000_000);
    assert.equal(machine.icount, woken);
    assert.equal(machine.debugExit, 0);
  });

  it('a sleep type that is not there switches off, with a sentence', () => {
    const sector = new Uint8Array(512);
    sector.set(bytes('ba 04 06 b8 00 28 ef fa f4'));
    sector.set([0x55, 0xaa], 510);
    const machine = boot(sector);
    const warnings: string[] = [];
    machine.onWarning = (sentence) => warnings.push(sentence);
    machine.run(10_000);
    assert.equal(machine.ended, 'power-off');
    assert.match(warnings.join(), /sleep type 2/);
  });
});
