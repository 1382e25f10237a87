/** Details of VM exits that few VMMs look at and suites do: NMI unblocking, guest rights, lengths, INIT, start-up, stored MSRs. A title names its rule. */
import assert from 'node:assert/strict';
import { Offset } from '../../src/cpu/state';
import { Exit, Pin, Primary, Secondary, VmxMsr } from '../../src/vmx';
import { At, GUEST_CODE, VmxRig } from './vmxRig';

const NMI_UNBLOCKED = 1n << 12n;
const BLOCKED_BY_NMI = 8;
const PAGE = 0x5_0000;
const READ = '48 8b 04 25 18 00 05 00 f4 ; mov rax, [0x50018]; hlt';
const IRETQ = '48 cf ; iretq';

function guest(code: string, controls: { pin?: number; primary?: number; secondary?: number; exit?: number } = {}, without: string[] = []): VmxRig {
  const rig = new VmxRig(without).longModeGuest(code);
  rig.control('pin', controls.pin ?? 0);
  rig.control('primary', Primary.SECONDARY_CONTROLS | Primary.HLT_EXITING | Primary.MSR_BITMAPS | (controls.primary ?? 0));
  rig.control('secondary', Secondary.EPT | Secondary.UNRESTRICTED_GUEST | (controls.secondary ?? 0));
  rig.control('exit', Exit.HOST_ADDRESS_SPACE_SIZE | (controls.exit ?? 0));
  return rig;
}

describe('VMX: NMI unblocking due to IRET', () => {
  const VIRTUAL = Pin.NMI_EXITING | Pin.VIRTUAL_NMIS;
  /** An IRET whose stack EPT does not map, with NMIs blocked. */
  function violation(pin: number, blocked = BLOCKED_BY_NMI): { rig: VmxRig; qualification: bigint } {
    const rig = guest(IRETQ, { pin });
    rig.set({ GUEST_INTERRUPTIBILITY_STATE: blocked, GUEST_RSP: PAGE });
    rig.write64(rig.eptEntry(PAGE), 0n);
    const exit = rig.launch();
    assert.equal(exit.name, 'EPT_VIOLATION');
    return { rig, qualification: exit.qualification };
  }
  it('exit.nmi-unblocking.ept: bit 12 of an EPT violation by IRET, and the guest is unblocked', () => {
    for (const pin of [0, VIRTUAL]) {
      const { rig, qualification } = violation(pin);
      assert.equal(qualification & NMI_UNBLOCKED, NMI_UNBLOCKED);
      assert.equal(rig.get('GUEST_INTERRUPTIBILITY_STATE'), 0n);
    }
  });
  it('exit.nmi-unblocking.exiting: with NMI exiting and no virtual NMIs IRET unblocks nothing', () => {
    const { rig, qualification } = violation(Pin.NMI_EXITING);
    assert.equal(qualification & NMI_UNBLOCKED, 0n);
    assert.equal(rig.get('GUEST_INTERRUPTIBILITY_STATE'), BigInt(BLOCKED_BY_NMI));
  });
  it('exit.nmi-unblocking.none: not when nothing was blocked, nor by another instruction', () => {
    assert.equal(violation(VIRTUAL, 0).qualification & NMI_UNBLOCKED, 0n);
    const rig = guest(READ, { pin: VIRTUAL });
    rig.set({ GUEST_INTERRUPTIBILITY_STATE: BLOCKED_BY_NMI });
    rig.write64(rig.eptEntry(PAGE), 0n);
    assert.equal(rig.launch().qualification & NMI_UNBLOCKED, 0n);
  });
  it('exit.nmi-unblocking.exception: bit 12 of the interruption information', () => {
    const rig = guest(IRETQ, { pin: VIRTUAL });
    rig.set({ GUEST_INTERRUPTIBILITY_STATE: BLOCKED_BY_NMI, EXCEPTION_BITMAP: 1 << 13 }); // the stack is all zeros: CS 0
    assert.equal(rig.launch().details.exception, '#GP');
    assert.equal(rig.get('VM_EXIT_INTERRUPTION_INFO'), 0x8000_1b0dn);
  });
  it('exit.nmi-unblocking.delivered: a later fault does not carry it', () => {
    // #GP goes through the guest's IDT; the handler's own fault exits.
    const rig = guest(IRETQ, { pin: VIRTUAL });
    rig.guest64(0xa000 + 13 * 16, (8n << 16n) | 0x9000n | (0x8e00n << 32n));
    rig.guest64(0x8008, 0x00af_9b00_0000_ffffn);
    rig.guest(0x9000, '0f 0b ; ud2');
    rig.set({ GUEST_INTERRUPTIBILITY_STATE: BLOCKED_BY_NMI, EXCEPTION_BITMAP: 1 << 6, GUEST_IDTR_BASE: 0xa000, GUEST_IDTR_LIMIT: 0xfff, GUEST_GDTR_BASE: 0x8000, GUEST_RSP: 0x6000 });
    assert.equal(rig.launch().details.exception, '#UD');
    assert.equal(rig.get('VM_EXIT_INTERRUPTION_INFO'), 0x8000_0306n);
  });
});

describe('VMX: EPT violations in full', () => {
  const violation = (entry: bigint, without: string[] = []): bigint => {
    const rig = guest(READ, {}, without);
    rig.guest64(0x4000 + (PAGE >>> 12) * 8, entry);
    rig.write64(rig.eptEntry(PAGE), 0n);
    const exit = rig.launch();
    assert.equal(exit.name, 'EPT_VIOLATION');
    return exit.qualification;
  };
  it('exit.ept-violation.guest-rights: bits 11:9 tell what the guest\'s paging allows', () => {
    assert.equal(violation(BigInt(PAGE) | 7n), 0x781n); // user, writable
    assert.equal(violation(BigInt(PAGE) | 3n), 0x581n); // supervisor
    assert.equal(violation(BigInt(PAGE) | 5n), 0x381n); // read-only
  });
  it('exit.ept-violation.guest-rights.withheld: 0 on a processor that does not announce them', () => {
    assert.equal(violation(BigInt(PAGE) | 7n, ['ept-advanced-information']), 0x181n);
    assert.equal(new VmxRig().unit.capabilities.read(VmxMsr.EPT_VPID_CAP)! & (1n << 22n), 1n << 22n);
    assert.equal(new VmxRig(['ept-advanced-information']).unit.capabilities.read(VmxMsr.EPT_VPID_CAP)! & (1n << 22n), 0n);
  });
  it('exit.ept-violation.no-paging: without paging everything is user-mode and writable', () => {
    const rig = new VmxRig().realModeGuest('a1 00 50 f4 ; mov ax, [0x5000]; hlt');
    rig.write64(rig.eptEntry(0x5000), 0n);
    assert.equal(rig.launch().qualification, 0x781n);
  });
  it('exit.ept.length: violations and misconfigurations by data accesses give the instruction\'s length, as processors do', () => {
    for (const entry of [0n, 0x32n]) {
      const rig = guest(READ);
      rig.write64(rig.eptEntry(PAGE), entry);
      rig.launch();
      assert.equal(rig.get('VM_EXIT_INSTRUCTION_LENGTH'), 8n);
    }
  });
});

describe('VMX: INIT and start-up', () => {
  it('exit.init: INIT exits from non-root operation, in HLT and shutdown too, and changes nothing', () => {
    for (const activity of [0, 1, 2]) {
      const rig = guest('90 f4', { primary: 0 });
      rig.set({ GUEST_ACTIVITY_STATE: activity });
      rig.unit.observer!.entry = () => rig.cpu.state.set32(Offset.SIGNALS, 1);
      const exit = rig.launch();
      assert.deepEqual([exit.name, exit.qualification, exit.guestRip], ['INIT_SIGNAL', 0n, BigInt(GUEST_CODE)]);
      assert.equal(rig.get('GUEST_ACTIVITY_STATE'), BigInt(activity));
    }
  });
  it('exit.init.root: VMX root operation blocks INIT; it exits from the guest that is entered next', () => {
    const rig = guest('90 f4');
    rig.cpu.state.set32(Offset.SIGNALS, 1);
    rig.host('90 ; nop');
    assert.equal(rig.unit.mode, 1);
    assert.equal(rig.launch().name, 'INIT_SIGNAL');
  });
  it('exit.sipi: a start-up IPI exits from the wait-for-SIPI state with its vector', () => {
    const rig = guest('f4');
    rig.set({ GUEST_ACTIVITY_STATE: 3 });
    rig.unit.observer!.entry = () => rig.cpu.state.set32(Offset.SIGNALS, 2 | (0x9a << 8));
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.qualification], ['SIPI', 0x9an]);
    assert.equal(rig.get('GUEST_ACTIVITY_STATE'), 3n);
  });
});

describe('VMX: inactive guests', () => {
  /** Launches a guest that only an event ends. */
  function waiting(activity: number, controls: Parameters<typeof guest>[1], event: (rig: VmxRig) => void, fields: Parameters<VmxRig['set']>[0] = {}): string | undefined {
    const rig = guest('f4', controls);
    rig.set({ GUEST_ACTIVITY_STATE: activity, ...fields });
    rig.unit.observer!.entry = () => event(rig);
    try {
      return rig.launch().name;
    } catch {
      return undefined;
    }
  }
  const nmi = (rig: VmxRig): void => rig.cpu.state.set32(Offset.NMI_PENDING, 1);
  const interrupt = (rig: VmxRig): void => void rig.interrupts.push(0x40);
  it('activity.shutdown: NMIs end it, external interrupts and windows do not', () => {
    assert.equal(waiting(2, { pin: Pin.NMI_EXITING }, nmi), 'EXCEPTION_OR_NMI');
    assert.equal(waiting(2, { pin: Pin.EXTERNAL_INTERRUPT_EXITING }, interrupt), undefined);
    assert.equal(waiting(2, { primary: Primary.INTERRUPT_WINDOW_EXITING }, () => undefined, { GUEST_RFLAGS: 0x202 }), undefined);
    assert.equal(waiting(2, { pin: Pin.NMI_EXITING | Pin.VIRTUAL_NMIS, primary: Primary.NMI_WINDOW_EXITING }, () => undefined), 'NMI_WINDOW');
    assert.equal(waiting(2, { pin: Pin.PREEMPTION_TIMER }, () => undefined), 'PREEMPTION_TIMER');
  });
  it('activity.wait-for-sipi: nothing but a start-up IPI ends it', () => {
    assert.equal(waiting(3, { pin: Pin.NMI_EXITING }, nmi), undefined);
    assert.equal(waiting(3, { pin: Pin.EXTERNAL_INTERRUPT_EXITING }, interrupt), undefined);
    assert.equal(waiting(3, { pin: Pin.PREEMPTION_TIMER }, () => undefined), undefined);
  });
  it('activity.hlt: interrupts, NMIs, windows and the timer end it', () => {
    assert.equal(waiting(1, { pin: Pin.NMI_EXITING }, nmi), 'EXCEPTION_OR_NMI');
    assert.equal(waiting(1, { pin: Pin.EXTERNAL_INTERRUPT_EXITING }, interrupt), 'EXTERNAL_INTERRUPT');
    assert.equal(waiting(1, { primary: Primary.INTERRUPT_WINDOW_EXITING }, () => undefined, { GUEST_RFLAGS: 0x202 }), 'INTERRUPT_WINDOW');
    assert.equal(waiting(1, { pin: Pin.PREEMPTION_TIMER }, () => undefined), 'PREEMPTION_TIMER');
    assert.equal(waiting(1, {}, () => undefined), undefined);
  });
  it('activity.monitor-trap: the flag ends no inactivity before an instruction, an injected one does', () => {
    assert.equal(waiting(1, { primary: Primary.MONITOR_TRAP_FLAG }, () => undefined), undefined);
    assert.equal(waiting(1, {}, () => undefined, { VM_ENTRY_INTERRUPTION_INFO: 0x8000_0700 }), 'MONITOR_TRAP_FLAG');
  });
  it('activity.monitor-trap.wake: time that passes in HLT is no instruction; the exit follows the delivery that wakes', () => {
    const rig = new VmxRig().realModeGuest('f4');
    rig.control('primary', Primary.SECONDARY_CONTROLS | Primary.MSR_BITMAPS | Primary.MONITOR_TRAP_FLAG);
    rig.guest(0x40 * 4, '00 90 00 00'); // vector 0x40 at 0:9000
    rig.set({ GUEST_ACTIVITY_STATE: 1, GUEST_RFLAGS: 0x202 });
    assert.throws(() => rig.launch());
    rig.cpu.state.icount += 1000;
    rig.cpu.run(10);
    assert.deepEqual([rig.exits.length, rig.unit.ticksToBoundary()], [0, Infinity]);
    rig.interrupts.push(0x40);
    rig.cpu.run(10);
    assert.deepEqual([rig.exits.at(-1)?.name, rig.get('GUEST_RIP')], ['MONITOR_TRAP_FLAG', 0x9000n]);
  });
});

describe('VMX: MSR areas and enumeration', () => {
  it('msr-store.tsc: the time-stamp counter is stored without the guest\'s offset', () => {
    const rig = guest('f4', { primary: Primary.TSC_OFFSETTING });
    rig.write64(At.MSR_LISTS, 0x10n);
    rig.set({ VM_EXIT_MSR_STORE_COUNT: 1, VM_EXIT_MSR_STORE_ADDRESS: At.MSR_LISTS, TSC_OFFSET: 1n << 40n });
    const exit = rig.launch();
    assert.equal(rig.read64(At.MSR_LISTS + 8), BigInt(exit.icount));
  });
  it('capability.vmcs-enum: the highest index that VMREAD accepts', () => {
    for (const without of [[], ['tsc-scaling', 'ept-violation-ve']]) {
      const rig = guest('f4', {}, without);
      let highest = 0;
      for (let encoding = 0; encoding < 0x8000; encoding += 2) {
        rig.unit.observer = undefined;
        if (rig.unit.readField(encoding) !== undefined) highest = Math.max(highest, (encoding >>> 1) & 0x1ff);
      }
      assert.equal(rig.unit.capabilities.read(VmxMsr.VMCS_ENUM), BigInt(highest << 1));
    }
  });
});
