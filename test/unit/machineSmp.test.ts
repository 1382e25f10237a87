/** Several processors: they start, take turns, interrupt each other, and every run repeats exactly. */
import assert from 'node:assert/strict';
import { smpMachine, result, wholeState, word } from './machineSmpRig';

const STARTED = 0x9000;

function run(program: string, cpus: number, budget = 50e6) {
  const machine = smpMachine(program, cpus);
  assert.equal(machine.run(budget), 'debug-exit');
  assert.equal(machine.debugExit, 0);
  return machine;
}

describe('several processors', () => {
  for (const cpus of [2, 3, 8]) {
    it(`${cpus} of them: INIT and start-up IPIs start all, and a spin lock counts exactly`, () => {
      const machine = run('spinlock', cpus);
      assert.equal(word(machine, STARTED), cpus - 1);
      assert.equal(result(machine, 0), 3000 * cpus, 'under the lock');
      assert.equal(result(machine, 1), 3000 * cpus, 'by LOCK INC');
    });
  }
  it('they run side by side: what is not protected loses updates', () => {
    assert.ok(result(run('spinlock', 4), 2) < 3000 * 4);
  });
  it('interrupts wake the other from HLT, 1000 times to and fro, in little time', () => {
    const machine = run('pingpong', 3);
    assert.deepEqual([result(machine, 0), result(machine, 1)], [500, 500]);
    assert.ok(machine.instructions < 60_000, String(machine.instructions));
  });
  it('stores wake the other from MWAIT, 5000 times to and fro, in little time', () => {
    const machine = run('monitor', 3);
    const woken = result(machine, 0) + result(machine, 1);
    assert.ok(woken >= 4900 && woken <= 10_100, `they woke ${woken} times`);
    assert.ok(machine.instructions < 500_000, String(machine.instructions));
    assert.equal(result(machine, 3), 0, 'not by a store beside the line');
    assert.equal(result(machine, 2), 1, 'by a store that changes nothing');
    assert.deepEqual([result(machine, 4), result(machine, 5)], [1, 1]);
  });
  it('a mapping that another processor has cached lives until that processor drops it', () => {
    const machine = run('shootdown', 2);
    assert.ok(result(machine, 4) > result(machine, 3), 'the old frame is read on while nobody says anything');
    assert.equal(result(machine, 1), 0, 'and never after INVLPG');
    assert.ok(result(machine, 2) >= 10);
  });
  it('code that one processor rewrites is what the other executes next', () => {
    assert.equal(result(run('crossModify', 2), 0), 20);
  });
  it('INIT stops a processor until a start-up IPI, and resets its local APIC; NMI finds its processor', () => {
    const machine = run('signals', 3);
    assert.equal(result(machine, 3), result(machine, 4), 'stands still after INIT');
    assert.deepEqual([result(machine, 0), result(machine, 2), result(machine, 5)], [2, 1, 0]);
  });
  it('each has its own VMX: guests of all at once', () => {
    const machine = run('vmx', 4);
    assert.equal(result(machine, 32), 0, 'something else happened');
    for (let cpu = 0; cpu < 4; cpu++) {
      assert.deepEqual([result(machine, 2 * cpu), result(machine, 2 * cpu + 1)], [2000, 2000 * cpu]);
      assert.deepEqual([machine.vmx[cpu]!.exits, machine.vmx[cpu]!.entries], [2001, 2001]);
    }
  });
  it('TSCs agree: the clock is one', () => {
    const machine = smpMachine('spinlock', 4);
    machine.run(20_000);
    for (const { state } of machine.cpus) assert.equal(state.icount, machine.icount);
  });
});

for (const PROGRAM of ['spinlock', 'monitor']) describe(`several processors: a run of ${PROGRAM} repeats`, () => {
  const CPUS = 4;

  it('whatever slices it is run in', () => {
    const whole = smpMachine(PROGRAM, CPUS);
    const start = whole.icount;
    whole.run(100_000);
    let random = 12345;
    const sliced = smpMachine(PROGRAM, CPUS);
    while (sliced.icount < start + 100_000) {
      random = (random * 1103515245 + 12345) & 0x7fff_ffff;
      sliced.run(Math.min(start + 100_000 - sliced.icount, 1 + (random % 3000)));
    }
    assert.equal(wholeState(sliced), wholeState(whole));
  });

  it('from a snapshot at any instant', () => {
    const machine = smpMachine(PROGRAM, CPUS);
    const start = machine.icount;
    const end = start + 120_000;
    const snapshots = [7, 1000, 5000, 20_001, 33_333, 60_000, 90_001].map((after) => {
      machine.run(start + after - machine.icount);
      return machine.snapshot();
    });
    machine.run(end - machine.icount);
    const expected = wholeState(machine);
    for (const snapshot of [...snapshots].reverse()) {
      machine.restore(snapshot);
      assert.equal(machine.icount, snapshot.icount);
      machine.run(end - machine.icount);
      assert.equal(wholeState(machine), expected, `from ${snapshot.icount - start}`);
    }
  });
});
