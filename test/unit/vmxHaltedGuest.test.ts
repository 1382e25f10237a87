/** A guest that waits while its preemption timer runs, on a whole machine (SDM volume 3, "VMX-Preemption Timer"). */
import assert from 'node:assert/strict';
import { Offset } from '../../src/cpu/state';
import { Encoding, Exit, Pin, Reason } from '../../src/vmx';
import { EXITED, PassThrough } from './passThroughVmm';

const HALT = 'f4 ; hlt';
const HALTED = 1n;
/** Ticks of a preemption timer of 1. */
const PERIOD = 4;

function waiting(timer: number): PassThrough {
  const vmm = new PassThrough(new Uint8Array(512));
  const s = vmm.m.cpus[0]!.state;
  const field = (encoding: number): bigint => vmm.m.vmx[0]!.readField(encoding)!;
  vmm.set({
    PIN_BASED_CONTROLS: field(Encoding.PIN_BASED_CONTROLS) | BigInt(Pin.PREEMPTION_TIMER),
    VM_EXIT_CONTROLS: field(Encoding.VM_EXIT_CONTROLS) | BigInt(Exit.SAVE_PREEMPTION_TIMER),
    PREEMPTION_TIMER_VALUE: timer,
  });
  s.set32(Offset.ACTIVITY, 0);
  return vmm;
}

describe('a halted guest with a preemption timer', () => {
  for (const timer of [1, 1000, 250_001, 1_000_000]) {
    it(`timer.halted: exits when a timer of ${timer} is over, within one run of the machine`, () => {
      const vmm = waiting(timer);
      const { m } = vmm;
      const before = m.icount;
      vmm.enter(HALT);
      assert.equal(m.debugExit, EXITED);
      const exit = m.vmx[0]!.lastExit!;
      assert.deepEqual([exit.reason, m.vmx[0]!.readField(Encoding.GUEST_ACTIVITY_STATE), m.vmx[0]!.readField(Encoding.PREEMPTION_TIMER_VALUE)], [Reason.PREEMPTION_TIMER, HALTED, 0n]);
      const ticks = exit.icount - before;
      assert.ok(Math.abs(ticks - timer * PERIOD) <= PERIOD, `after ${ticks} ticks`);
    });
  }
});
