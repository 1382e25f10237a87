import assert from 'node:assert/strict';
import { Gpr, Offset } from '../../src/cpu/state';
import { Pin } from '../../src/vmx';
import { bytes } from './machineCode';
import { At, VmxRig } from './vmxRig';

/** Steps over the instruction that exited and resumes, R8 times. */
const HANDLER = `
  b8 0c 44 00 00 ; mov eax, VM_EXIT_INSTRUCTION_LENGTH
  0f 78 c1       ; vmread rcx, rax
  b8 1e 68 00 00 ; mov eax, GUEST_RIP
  0f 78 c2       ; vmread rdx, rax
  48 01 ca       ; add rdx, rcx
  0f 79 c2       ; vmwrite rax, rdx
  49 ff c8       ; dec r8
  74 03          ; jz 1f
  0f 01 c3       ; vmresume
  f4             ; 1: hlt`;
const ROUND_TRIPS = 20n;

/** A VMM whose guest executes CPUID over and over; `at` is called at each exit, with its number. */
function roundTrips(at: (rig: VmxRig, n: number) => void = () => undefined): VmxRig {
  const rig = new VmxRig().realModeGuest('0f a2 eb fc ; 1: cpuid; jmp 1b');
  rig.control('pin', Pin.EXTERNAL_INTERRUPT_EXITING);
  rig.writeBytes(At.EXIT_HANDLER, bytes(HANDLER));
  rig.writeBytes(At.HOST_CODE, bytes('0f 01 c2 f4 ; vmlaunch; hlt'));
  const { state } = rig.cpu;
  state.rip = BigInt(At.HOST_CODE);
  state.set32(Offset.ACTIVITY, 0);
  state.setReg(Gpr.R8, ROUND_TRIPS);
  const observer = rig.unit.observer!;
  rig.unit.observer = {
    ...observer,
    exit(record) {
      observer.exit(record);
      at(rig, record.n);
    },
  };
  return rig;
}
const told = (rig: VmxRig): unknown[] => rig.exits.map(({ name, icount, guestRip }) => [name, icount, guestRip]);

describe('VM entries and VM exits within a slice', () => {
  it('one long run and single steps make the same exits at the same counts', () => {
    const whole = roundTrips();
    assert.equal(whole.cpu.run(10_000), 'halt');
    const stepped = roundTrips();
    while (stepped.cpu.run(1) !== 'halt');
    assert.equal(whole.exits.length, Number(ROUND_TRIPS));
    assert.deepEqual(told(stepped), told(whole));
    assert.equal(stepped.cpu.state.icount, whole.cpu.state.icount);
  });

  it('a budget ends between any two instructions', () => {
    const whole = roundTrips();
    whole.cpu.run(10_000);
    const cut = roundTrips();
    const start = cut.cpu.state.icount;
    for (let budget = 1; cut.cpu.run(budget) !== 'halt'; budget = (budget % 7) + 1);
    assert.deepEqual([told(cut), cut.cpu.state.icount - start], [told(whole), whole.cpu.state.icount - start]);
  });

  it('an interrupt that comes at an exit ends the next entry before the guest executes anything', () => {
    const rig = roundTrips(({ interrupts, cpu }, n) => {
      if (n === 5) {
        interrupts.push(0x40);
        cpu.requestAttention();
      } else if (n === 6) interrupts.length = 0;
    });
    assert.equal(rig.cpu.run(10_000), 'halt');
    const [before, interrupted, after] = rig.exits.slice(4, 7);
    assert.deepEqual([before!.name, interrupted!.name, after!.name], ['CPUID', 'EXTERNAL_INTERRUPT', 'CPUID']);
    assert.equal(interrupted!.guestRip, before!.guestRip + 2n);
    // JMP is the only instruction that retires in the guest between the interrupt and the next CPUID.
    assert.equal(after!.guestRip, before!.guestRip);
  });

  it('a stop that is asked for at an exit comes before the handler\'s first instruction', () => {
    const rig = roundTrips(({ cpu }, n) => n === 3 && cpu.requestStop());
    assert.equal(rig.cpu.run(10_000), 'request');
    assert.deepEqual([rig.exits.length, rig.cpu.state.rip], [3, BigInt(At.EXIT_HANDLER)]);
  });
});
